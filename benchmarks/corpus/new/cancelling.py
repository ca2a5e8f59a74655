"""Errors that hide: equal ones that cancel, small ones behind large ones, ones that only some upstreams show."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Backward, Book, at, normal, sloped, softmax, unary, weights

book = Book()

# ---------------------------------------------------------------- equal errors at two entries or more

MIX = weights(21, 6, 20) / 4


def mixed(x: Array) -> tuple[Any, Any]:
    y = np.tanh(MIX @ x)
    return y, y


def mixed_b(d: Array, y: Array) -> Gradients:
    return (MIX.T @ (d * (1 - y * y)),)


def planted(errors: dict[int, float]) -> Backward:
    """The right gradient with numbers added at some entries."""

    def bwd(d: Array, y: Array) -> Gradients:
        g = mixed_b(d, y)[0]
        for i, e in errors.items():
            g[i] += e * d[0]
        return (g,)

    return bwd


def exchanged(d: Array, y: Array) -> Gradients:
    g = mixed_b(d, y)[0]
    g[[4, 11]] = g[[11, 4]]
    return (g,)


book.family(
    "two-errors",
    mixed,
    mixed_b,
    normal(20),
    [
        ("opposite", "local region", planted({3: 1e-3, 7: -1e-3}), "two entries are off by the same, one up, one down"),
        ("equal", "local region", planted({3: 1e-3, 7: 1e-3}), "two entries are off by the same amount"),
        (
            "zero-sum",
            "local region",
            planted({i: (-1.0) ** i * 1e-2 for i in range(20)}),
            "every entry is off, the errors sum to zero",
        ),
        (
            "exchanged",
            "swap route region local",
            exchanged,
            "two entries of one gradient change places: the sum is right",
        ),
        ("tiny", "small local region", planted({12: 1e-6}), "one entry is off by a millionth"),
    ],
)


# ---------------------------------------------------------------- magnitudes side by side

SCALES = np.logspace(-8, 8, 17)
NARROW = np.logspace(-3, 3, 13)


def flip(i: int, scales: Array) -> Backward:
    """Slopes of scales * tanh with the sign of one entry flipped."""
    signs = np.ones(len(scales))
    signs[i] = -1
    return sloped(lambda x, y: signs * scales * (1 - np.tanh(x) ** 2))


book.family(
    "sixteen-decades",
    *unary(lambda x: SCALES * np.tanh(x), lambda x, y: SCALES * (1 - np.tanh(x) ** 2)),
    normal(17),
    [
        (
            "smallest-sign",
            "sign region",
            flip(0, SCALES),
            "gradients from 1e-8 to 1e8, the smallest with the wrong sign",
        ),
        (
            "middle-sign",
            "sign region",
            flip(8, SCALES),
            "gradients from 1e-8 to 1e8, one in the middle with the wrong sign",
        ),
    ],
)


def narrow_sum(x: Array) -> tuple[Any, Any]:
    return (NARROW * np.tanh(x)).sum(), np.tanh(x)


def narrow_sum_b(d: Array, t: Array) -> Gradients:
    return (d * NARROW * (1 - t * t),)


def narrow_sum_flipped(d: Array, t: Array) -> Gradients:
    g = narrow_sum_b(d, t)[0]
    g[0] *= -1
    return (g,)


book.family(
    "six-decades-in-one-sum",
    narrow_sum,
    narrow_sum_b,
    normal(13),
    [("smallest-sign", "sign region", narrow_sum_flipped, "one scalar output: a small sign behind a gradient of 1e3")],
)


def loud_and_quiet(x: Array, w: Array) -> tuple[Any, Any]:
    return 1e5 * np.tanh(x) + 1e-4 * np.tanh(w), (x, w)


def loud_and_quiet_b(d: Array, c: Any) -> Gradients:
    x, w = c
    return 1e5 * d * (1 - np.tanh(x) ** 2), 1e-4 * d * (1 - np.tanh(w) ** 2)


book.family(
    "loud-and-quiet",
    loud_and_quiet,
    loud_and_quiet_b,
    normal(8, 8),
    [
        (
            "quiet-sign",
            "sign",
            lambda d, c: at(loud_and_quiet_b(d, c), 1, np.negative),
            "the quiet argument's sign is wrong",
        ),
        (
            "quiet-zero",
            "zero",
            lambda d, c: at(loud_and_quiet_b(d, c), 1, np.zeros_like),
            "the quiet argument's gradient is zero",
        ),
        (
            "quiet-double",
            "factor",
            lambda d, c: at(loud_and_quiet_b(d, c), 1, lambda g: 2 * g),
            "the quiet argument's is doubled",
        ),
    ],
)

SIZES = np.array([1e8, 1e-3, 1.0, 1e4, 1e-6, 30.0])
book.family(
    "inputs-of-all-sizes",
    *unary(lambda x: np.tanh(x / SIZES), lambda x, y: (1 - y * y) / SIZES),
    lambda rng: (SIZES * rng.uniform(0.3, 1.2, 6),),
    [
        (
            "small-entry",
            "factor region local",
            sloped(lambda x, y: (1 - y * y) / SIZES * np.where(SIZES < 1e-5, 0.5, 1)),
            "the entry near 1e-6 has half its gradient, next to one near 1e8",
        ),
    ],
)


def lone_zero(d: Array, c: Any) -> Gradients:
    g = d * (1 - c[1] ** 2)
    g[3] = 0.0
    return (g,)


book.family(
    "one-declared-zero",
    *unary(np.tanh, lambda x, y: 1 - y * y),
    normal(12),
    [("entry", "zero region", lone_zero, "a single entry declared zero")],
)


# ---------------------------------------------------------------- upstreams that hide an error


def softmax_layer(x: Array) -> tuple[Any, Any]:
    p = softmax(x)
    return p, p


def softmax_b(d: Array, p: Array) -> Gradients:
    return (p * (d - (d * p).sum(axis=-1, keepdims=True)),)


book.family(
    "softmax",
    softmax_layer,
    softmax_b,
    normal((3, 5)),
    [
        ("zeros", "zero", lambda d, p: (np.zeros_like(p),), "zeros: right for an upstream of ones"),
        ("diagonal", "term", lambda d, p: (p * (1 - p) * d,), "only the diagonal of the Jacobian"),
        ("no-correction", "term", lambda d, p: (p * d,), "the common term is missing"),
        (
            "whole-sum",
            "reduction",
            lambda d, p: (p * (d - (d * p).sum()),),
            "the common term is summed over the batch too",
        ),
    ],
)

book.family(
    "cube",
    *unary(lambda x: x**3, lambda x, y: 3 * x**2),
    normal((4, 3)),
    [
        ("upstream-sum", "upstream", lambda d, c: (d.sum() * 3 * c[0] ** 2,), "the sum of the upstream for each entry"),
        (
            "upstream-mean",
            "upstream",
            lambda d, c: (np.full_like(d, d.mean()) * 3 * c[0] ** 2,),
            "the mean of the upstream",
        ),
        ("upstream-size", "upstream", lambda d, c: (np.abs(d) * 3 * c[0] ** 2,), "the upstream without its sign"),
        ("upstream-first", "upstream", lambda d, c: (d.flat[0] * 3 * c[0] ** 2,), "the first upstream for all entries"),
        ("upstream-sign", "upstream", lambda d, c: (np.sign(d) * 3 * c[0] ** 2,), "only the sign of the upstream"),
        (
            "upstream-unit",
            "upstream",
            lambda d, c: (d / (np.linalg.norm(d) + 1e-12) * 3 * c[0] ** 2,),
            "the upstream scaled to one",
        ),
        (
            "upstream-clipped",
            "upstream",
            lambda d, c: (np.clip(d, -0.5, 0.5) * 3 * c[0] ** 2,),
            "the upstream clipped to half",
        ),
        (
            "upstream-clipped-far",
            "upstream",
            lambda d, c: (np.clip(d, -8, 8) * 3 * c[0] ** 2,),
            "the upstream clipped to 8",
        ),
        (
            "upstream-plus",
            "upstream term",
            lambda d, c: ((d + 1e-3) * 3 * c[0] ** 2,),
            "a little is added: not zero for zero",
        ),
        (
            "decay",
            "term upstream",
            lambda d, c: (d * 3 * c[0] ** 2 + 0.01 * c[0],),
            "weight decay hidden in the backward",
        ),
        (
            "upstream-cut",
            "upstream",
            lambda d, c: (np.where(np.abs(d) < 0.3, 0, d) * 3 * c[0] ** 2,),
            "small upstreams are dropped",
        ),
    ],
)

CASES = book.cases
