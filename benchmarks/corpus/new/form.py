"""The form of what backward returns: number, type, shape, dtype, finite values."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, at, normal, unary, uniform, values

book = Book()

F32, F16 = np.float32, np.float16


# ---------------------------------------------------------------- number and type


def scaled(x: Array, w: Array, b: Array) -> tuple[Any, Any]:
    return x * w + b, (x, w)


def scaled_b(d: Array, c: Any) -> Gradients:
    x, w = c
    return d * w, (d * x).sum(axis=0), d.sum(axis=0)


book.family(
    "scale-and-shift",
    scaled,
    scaled_b,
    normal((4, 3), 3, 3),
    [
        ("two-of-three", "shape zero", lambda d, c: scaled_b(d, c)[:2], "one gradient too few"),
        ("four-of-three", "shape swap", lambda d, c: (*scaled_b(d, c), None), "one gradient too many"),
        (
            "none-for-shift",
            "zero",
            lambda d, c: at(scaled_b(d, c), 2, lambda _: None),
            "None where the gradient is not zero",
        ),
        (
            "unsummed-gain",
            "shape reduction",
            lambda d, c: at(scaled_b(d, c), 1, lambda _: d * c[0]),
            "the gain's gradient keeps the batch axis",
        ),
        (
            "summed-twice",
            "shape reduction",
            lambda d, c: at(scaled_b(d, c), 2, np.sum),
            "the shift's gradient is summed to a number",
        ),
        (
            "mean-not-sum",
            "factor reduction",
            lambda d, c: at(scaled_b(d, c), 2, lambda _: d.mean(axis=0)),
            "averaged over the batch",
        ),
        ("kept-axis", "shape", lambda d, c: at(scaled_b(d, c), 2, lambda g: g[None]), "an axis of one too many"),
        ("flattened", "shape", lambda d, c: at(scaled_b(d, c), 0, np.ravel), "returned flat"),
    ],
)
book.pair(
    "scale-and-shift-list", None, scaled, lambda d, c: list(scaled_b(d, c)), normal((4, 3), 3, 3), "gradients in a list"
)


def ignores(x: Array, y: Array) -> tuple[Any, Any]:
    return np.tanh(x), x


book.pair(
    "unused-input-none",
    None,
    ignores,
    lambda d, x: (d * (1 - np.tanh(x) ** 2), None),
    normal(4, 3),
    "None for an input that has no effect",
)
book.pair(
    "unused-input-zeros",
    None,
    ignores,
    lambda d, x: (d * (1 - np.tanh(x) ** 2), np.zeros(3)),
    normal(4, 3),
    "zeros for an input that has no effect",
)
book.pair(
    "unused-input-guessed",
    "zero",
    ignores,
    lambda d, x: (d * (1 - np.tanh(x) ** 2), np.ones(3)),
    normal(4, 3),
    "ones for an input that has no effect",
    also=("local", "term", "upstream"),
)


def product(x: Array) -> tuple[Any, Any]:
    return np.tanh(x), np.tanh(x)


book.pair(
    "number-in-number-out",
    None,
    product,
    lambda d, t: (np.float64(d * (1 - t * t)),),
    normal(()),
    "a numpy scalar for an input of shape ()",
)
book.pair(
    "number-as-vector",
    "shape",
    product,
    lambda d, t: (np.reshape(d * (1 - t * t), (1,)),),
    normal(()),
    "shape (1,) for an input of shape ()",
)
book.pair(
    "column-as-row",
    "shape",
    product,
    lambda d, t: ((d * (1 - t * t)).T,),
    normal((4, 1)),
    "a column comes back as a row",
    also=("transpose",),
)


# ---------------------------------------------------------------- dtype

SLOPE = unary(np.tanh, lambda x, y: 1 - y * y)


def dtypes(name: str, bug: str | None, cast: Any, inputs: Any, note: str, *also: str) -> None:
    """tanh whose gradient is cast."""
    book.pair(name, bug, SLOPE[0], lambda d, c: (cast(d * (1 - c[1] ** 2)),), inputs, note, also=also)


dtypes("float32-in-float32-out", None, lambda g: g, normal((3, 4), dtype=F32), "float32 throughout")
dtypes(
    "float32-in-float64-out",
    "dtype",
    lambda g: g.astype(float),
    normal((3, 4), dtype=F32),
    "the gradient is wider than the input",
)
dtypes(
    "float32-in-float16-out",
    "dtype",
    lambda g: g.astype(F16),
    normal((3, 4), dtype=F32),
    "the gradient is narrower than the input",
)
dtypes(
    "float32-through-float16",
    "dtype",
    lambda g: g.astype(F16).astype(F32),
    normal((3, 4), dtype=F32),
    "float32 in and out, but three digits only",
    "small",
)
dtypes(
    "float64-through-float32",
    "dtype",
    lambda g: g.astype(F32).astype(float),
    normal((3, 4)),
    "float64 in and out, but seven digits only",
    "small",
)
dtypes("float16-in-float16-out", None, lambda g: g, normal((3, 4), dtype=F16), "float16 throughout")

WHOLE = values([1.0, -2.0, 3.0, 4.0])
TRIPLE = unary(lambda x: 3 * x, lambda x, y: 3.0)
book.pair("integer-slope", None, *TRIPLE, WHOLE, "whole numbers in float arrays")
book.pair(
    "integer-gradient",
    "dtype",
    TRIPLE[0],
    lambda d, c: ((3 * d).astype(int),),
    WHOLE,
    "the gradient is cast to int",
    also=("region", "upstream", "local"),
)


def mean_pool(x: Array) -> tuple[Any, Any]:
    return x.reshape(-1, 2).mean(axis=1), None


book.family(
    "mean-pool",
    mean_pool,
    lambda d, c: (np.repeat(d / 2, 2),),
    normal(6),
    [
        (
            "integer-division",
            "dtype zero factor",
            lambda d, c: (np.repeat(d * (1 // 2), 2),),
            "1 // 2 in place of 1 / 2",
        ),
        ("not-divided", "factor", lambda d, c: (np.repeat(d, 2),), "the window's size is left out"),
        ("tiled", "route", lambda d, c: (np.tile(d / 2, 2),), "tiled where it should be repeated"),
    ],
)
dtypes(
    "float32-gradient-of-mixed",
    None,
    lambda g: g,
    lambda rng: (rng.standard_normal(4).astype(F32),),
    "float32 with a float64 constant nowhere",
)


# ---------------------------------------------------------------- finite


def finite(name: str, f: Any, slope: Any, broken: Any, inputs: Any, note: str) -> None:
    """A function that is smooth at its inputs, and a formula for its slope that is not finite there."""
    right = unary(f, slope)
    book.pair(name, None, *right, inputs, note)

    def bwd(d: Array, c: Any) -> Gradients:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return (d * broken(*c),)

    book.pair(f"{name}-nan", "nonfinite", right[0], bwd, inputs, f"{note}: NaN or infinity in backward")


finite(
    "xlogx-one",
    lambda x: x * np.log(x),
    lambda x, y: np.log(x) + 1,
    lambda x, y: y * (1 + 1 / np.log(x)) / x,
    values([1.0, 0.5, 2.0]),
    "x log x at 1",
)
finite(
    "sinc-at-zero",
    np.sinc,
    lambda x, y: np.where(x == 0, 0, (np.cos(np.pi * x) - y) / np.where(x == 0, 1, x)),
    lambda x, y: (np.cos(np.pi * x) - y) / x,
    values([0.0, 0.3, -1.2]),
    "sin(pi x)/(pi x) at 0",
)
finite(
    "cube-by-log",
    lambda x: x**3,
    lambda x, y: 3 * x * x,
    lambda x, y: 3 * np.exp(2 * np.log(np.abs(x))) * x / x,
    values([0.0, 1.5, -0.5]),
    "x^3 at 0",
)
finite(
    "tanh-large",
    np.tanh,
    lambda x, y: 1 - y * y,
    lambda x, y: 4 * np.exp(2 * x) / (np.exp(2 * x) + 1) ** 2,
    values([400.0, 1.0, -2.0]),
    "tanh at 400",
)
finite(
    "softplus-large",
    lambda x: np.logaddexp(0, x),
    lambda x, y: 1 / (1 + np.exp(-np.abs(x))) * np.where(x < 0, np.exp(-np.abs(x)), 1),
    lambda x, y: np.exp(x) / (1 + np.exp(x)),
    values([800.0, 0.1, -3.0]),
    "softplus at 800",
)
finite(
    "log-cosh",
    lambda x: np.logaddexp(x, -x) - np.log(2),
    lambda x, y: np.tanh(x),
    lambda x, y: np.sinh(x) / np.cosh(x),
    values([900.0, 0.1, -3.0]),
    "log cosh at 900",
)


def cosine(a: Array, b: Array) -> tuple[Any, Any]:
    na, nb = (np.sqrt((v * v).sum(axis=1) + 1e-8) for v in (a, b))
    return (a * b).sum(axis=1) / (na * nb), (a, b, na, nb)


def cosine_b(d: Array, c: Any) -> Gradients:
    a, b, na, nb = c
    y = (a * b).sum(axis=1) / (na * nb)
    ga = d[:, None] * (b / (na * nb)[:, None] - y[:, None] * a / (na**2)[:, None])
    gb = d[:, None] * (a / (na * nb)[:, None] - y[:, None] * b / (nb**2)[:, None])
    return ga, gb


def cosine_bare(d: Array, c: Any) -> Gradients:
    a, b, *_ = c
    with np.errstate(invalid="ignore", divide="ignore"):
        return cosine_b(d, (a, b, *(np.sqrt((v * v).sum(axis=1)) for v in (a, b))))


def with_zero_row(rng: np.random.Generator) -> tuple[Array, ...]:
    a, b = rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
    a[1] = 0
    return a, b


book.family(
    "cosine-similarity-zero-row",
    cosine,
    cosine_b,
    with_zero_row,
    [
        ("bare", "nonfinite", cosine_bare, "the guard of the norm is left out of the backward: 0/0"),
        (
            "halved",
            "term",
            lambda d, c: at(cosine_b(d, c), 0, lambda _: d[:, None] * c[1] / (c[2] * c[3])[:, None]),
            "the norm is taken as a constant",
        ),
    ],
)
book.family(
    "reciprocal",
    *unary(lambda x: 1 / x, lambda x, y: -y * y),
    uniform(0.5, 2, 5),
    [
        ("sign", "sign", lambda d, c: (d * c[1] ** 2,), "the minus is missing"),
        ("square", "local", lambda d, c: (-d * c[1],), "-1/x, not -1/x^2"),
    ],
)

CASES = book.cases
