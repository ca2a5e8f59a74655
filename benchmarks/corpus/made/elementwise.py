"""Textbook activations and a fan-out, and wrong twins of each."""

from __future__ import annotations

from math import erf, pi, sqrt
from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, at, normal, off_zero, sigmoid, sloped, unary

book = Book()


def density(x: Array) -> Any:
    return np.exp(-x * x / 2) / sqrt(2 * pi)


def cumulative(x: Array) -> Any:
    return 0.5 * (1 + np.vectorize(erf, otypes=[float])(x / sqrt(2)))


def gelu_tanh_slope(x: Array) -> Any:
    k = sqrt(2 / pi)
    t = np.tanh(k * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * k * (1 + 3 * 0.044715 * x * x)


def in_place_upstream(d: Array, c: Any) -> Gradients:
    d *= c[1] * (1 - c[1])
    return (d,)


def relu_in_place(x: Array) -> tuple[Any, Any]:
    x[x < 0] = 0
    return x, (x, x)


book.family(
    "sigmoid",
    *unary(sigmoid, lambda x, y: y * (1 - y)),
    normal((3, 4)),
    [
        ("plus", "local", sloped(lambda x, y: y * (1 + y)), "s(1+s)"),
        ("upstream", "upstream", lambda d, c: (c[1] * (1 - c[1]),), "upstream ignored"),
        ("upstream-twice", "upstream", lambda d, c: (d * d * c[1] * (1 - c[1]),), "upstream squared"),
        ("in-place", "mutation", in_place_upstream, "right values, but written into the upstream"),
    ],
)
book.family(
    "tanh",
    *unary(np.tanh, lambda x, y: 1 - y * y),
    normal((3, 4)),
    [
        ("no-square", "local", sloped(lambda x, y: 1 - y), "1 - t"),
        ("float32", "dtype", lambda d, c: ((d * (1 - c[1] ** 2)).astype(np.float32),), "gradient rounded to float32"),
        ("float16", "dtype", lambda d, c: (d * (1 - c[1] ** 2).astype(np.float16),), "slope rounded to float16"),
    ],
)
book.family(
    "relu",
    *unary(lambda x: np.maximum(x, 0), lambda x, y: x > 0),
    off_zero((3, 4)),
    [
        ("leaky", "region", sloped(lambda x, y: np.where(x > 0, 1, 0.01)), "slope 0.01 below zero"),
        ("own-sign", "local", lambda d, c: (d * (d > 0),), "mask taken from the upstream"),
        (
            "in-place",
            "mutation",
            sloped(lambda x, y: x > 0),
            "forward clears the negative inputs in place",
            relu_in_place,
        ),
    ],
)
book.family(
    "softplus",
    *unary(lambda x: np.logaddexp(0, x), lambda x, y: sigmoid(x)),
    normal((3, 4), scale=3),
    [
        ("mirror", "sign", sloped(lambda x, y: sigmoid(-x)), "sigmoid(-x)"),
        ("tail", "region", sloped(lambda x, y: np.where(x > 2, x, sigmoid(x))), "slope x above 2"),
    ],
)
book.family(
    "gelu",
    *unary(lambda x: x * cumulative(x), lambda x, y: cumulative(x) + x * density(x)),
    normal((3, 4)),
    [
        ("half", "term", sloped(lambda x, y: cumulative(x)), "product-rule half missing"),
        ("tanh-slope", "small", sloped(lambda x, y: gelu_tanh_slope(x)), "slope of the tanh approximation"),
        (
            "rounded-pi",
            "small",
            sloped(lambda x, y: cumulative(x) + x * np.exp(-x * x / 2) * 0.39894),
            "1/sqrt(2 pi) rounded to 0.39894",
        ),
    ],
)
book.family(
    "safe-sqrt",
    *unary(lambda x: np.sqrt(np.maximum(x, 0)), lambda x, y: np.where(x > 0, 0.5 / np.where(x > 0, y, 1), 0)),
    off_zero((3, 4)),
    [
        ("nan", "nonfinite", lambda d, c: (d * (c[0] > 0) * 0.5 / c[1],), "0 * inf below zero"),
    ],
)


def fan(x: Array, y: Array, z: Array) -> tuple[Any, Any]:
    return (x + y) * np.maximum(y, z), (x, y, z)


def fan_b(d: Array, c: Any, to_y: Any = np.greater, to_z: Any = np.less) -> Gradients:
    x, y, z = c
    top, lin = d * np.maximum(y, z), d * (x + y)
    return top, top + lin * to_y(y, z), lin * to_z(y, z)


def untied(rng: np.random.Generator) -> Any:
    x, y, z = (0.3 * rng.permutation(12).reshape(3, 4) - 1.75 for _ in range(3))
    return x, y, z + 0.1


book.family(
    "fan-out",
    fan,
    fan_b,
    untied,
    [
        (
            "overwrite",
            "accumulate",
            lambda d, c: at(fan_b(d, c), 1, lambda _: d * (c[0] + c[1]) * (c[1] > c[2])),
            "second path overwrites the first",
        ),
        ("lesser", "route", lambda d, c: fan_b(d, c, np.less, np.greater), "max routes to the lesser one"),
        ("both", "route", lambda d, c: at(fan_b(d, c), 2, lambda _: d * (c[0] + c[1])), "max routes to both"),
    ],
)


CASES = book.cases
