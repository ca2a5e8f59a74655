"""Layers that are wrong, but hard to see: twins of the hard ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Draw
from benchmarks.corpus.book import Book, normal, unary, values

book = Book()


def quiet(
    name: str, bug: str, f: Callable[[Any], Any], slope: Callable[[Any, Any], Any], inputs: Draw, note: str
) -> None:
    book.pair(f"quiet-{name}", bug, *unary(f, slope), inputs, note)


def tanh_slope(x: Array, y: Array) -> Any:
    return 1 - np.tanh(x) ** 2


quiet(
    "gradient-1e-8-factor",
    "factor",
    lambda x: 1e-8 * np.tanh(x),
    lambda x, y: 2e-8 * tanh_slope(x, y),
    normal((3, 4)),
    "gradients near 1e-8, doubled: below every absolute tolerance",
)
quiet(
    "gradient-1e-8-zero",
    "zero",
    lambda x: 1e-8 * np.tanh(x),
    lambda x, y: 0 * x,
    normal((3, 4)),
    "gradients near 1e-8, returned as zero",
)
quiet(
    "mean-squares",
    "factor",
    lambda x: 1e-2 * (x * x).mean(),
    lambda x, y: 1e-2 * x / x.size,
    normal(2000),
    "mean over 2000, the 2 missing: gradients near 1e-5",
)
quiet(
    "offset-1e6",
    "local",
    lambda x: np.tanh(x) + 1e6,
    lambda x, y: 1 - np.tanh(x),
    normal((3, 4)),
    "output 1e6 + tanh, square missing",
)
quiet(
    "gradient-1e8",
    "small",
    lambda x: 1e8 * np.tanh(x),
    lambda x, y: 0.998e8 * tanh_slope(x, y),
    normal((3, 4)),
    "gradients near 1e8, off by 0.2 %",
)
quiet(
    "exp-20x",
    "factor",
    lambda x: np.exp(20 * x),
    lambda x, y: 19 * y,
    normal((3, 4), scale=0.5),
    "19 in place of 20 under strong curvature",
)
quiet(
    "sin-200x",
    "small",
    lambda x: np.sin(200 * x),
    lambda x, y: 199 * np.cos(200 * x),
    normal((3, 4)),
    "199 in place of 200 under fast oscillation",
)
quiet(
    "float32-tanh",
    "small",
    np.tanh,
    lambda x, y: np.float32(0.98) * (1 - y * y),
    normal((3, 4), dtype=np.float32),
    "float32, off by 2 %",
)
quiet(
    "clipped",
    "region",
    lambda x: 0.5 * x**2,
    lambda x, y: np.clip(x, -2, 2),
    values(np.linspace(-2.1, 1.9, 41)),
    "gradient clipped to [-2, 2], exceeded by one entry",
)
quiet(
    "inputs-1e6",
    "factor",
    lambda x: np.log1p(x * x),
    lambda x, y: x / (1 + x * x),
    normal((3, 4), scale=1e6),
    "inputs near 1e6, the 2 missing, gradients near 1e-6",
)
book.pair(
    "quiet-mixed-inputs",
    "sign",
    lambda x, b: (1e4 * np.tanh(x) + 1e-3 * b, x),
    lambda d, x: (1e4 * d * tanh_slope(x, x), -1e-3 * d),
    normal(8, 8),
    "one input's gradient near 1e4, the other's near 1e-3 and negated",
)
book.pair(
    "quiet-tie",
    "factor",
    lambda y, z: (np.maximum(y, z), (y, z)),
    lambda d, c: (d * (c[0] >= c[1]), d * (c[0] <= c[1])),
    values([1.0, 2.0, 3.0], [1.0, 5.0, 0.0]),
    "a tie counted on both sides",
)


CASES = book.cases
