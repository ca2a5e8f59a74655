"""Functions of one number that are right and hard to accept: huge, tiny, at an edge, in low precision."""

from __future__ import annotations

import numpy as np

from benchmarks.corpus.book import normal, unary, uniform, values, weights
from benchmarks.corpus.new.numbers import Function, Numbers, Slope

book = Numbers()


# ---------------------------------------------------------------- scales and offsets

book.both(
    "offset-1e12",
    lambda x: x + 1e12,
    lambda x, y: np.ones_like(x),
    normal(5, scale=1e3),
    "an offset that takes twelve digits",
    "factor",
    lambda x, y: np.full_like(x, 2.0),
    "doubled",
)
book.right(
    "offset-inputs-1e8",
    lambda x: np.sin(x),
    lambda x, y: np.cos(x),
    normal(5, shift=1e8),
    "inputs near 1e8, a function on the scale of one",
)
book.both(
    "tiny-outputs",
    lambda x: 1e-30 * np.sin(x),
    lambda x, y: 1e-30 * np.cos(x),
    normal(6),
    "everything near 1e-30",
    "factor sign",
    lambda x, y: -1e-30 * np.cos(x),
    "everything near 1e-30, negated",
)
book.both(
    "huge-outputs",
    lambda x: 1e30 * np.sin(x),
    lambda x, y: 1e30 * np.cos(x),
    normal(6),
    "everything near 1e30",
    "small factor",
    lambda x, y: 1.001e30 * np.cos(x),
    "everything near 1e30, a thousandth off",
)
book.both(
    "tiny-inputs",
    lambda x: np.sin(1e20 * x),
    lambda x, y: 1e20 * np.cos(1e20 * x),
    normal(6, scale=1e-20),
    "inputs near 1e-20",
    "factor",
    lambda x, y: 2e20 * np.cos(1e20 * x),
    "inputs near 1e-20, doubled",
)
book.right(
    "huge-inputs",
    lambda x: np.tanh(x / 1e20),
    lambda x, y: (1 - y * y) / 1e20,
    normal(6, scale=1e20),
    "inputs near 1e20",
)
book.right(
    "inputs-of-mixed-sign-and-size",
    np.arcsinh,
    lambda x, y: 1 / np.sqrt(1 + x * x),
    values([1e10, -1e-10, 1.0, -1e5, 0.0]),
    "inputs from 1e-10 to 1e10, and a zero",
)
book.both(
    "linear",
    lambda x: 3 * x,
    lambda x, y: np.full_like(x, 3.0),
    normal((3, 4)),
    "exactly linear: no truncation at all",
    "small factor",
    lambda x, y: np.full_like(x, 3.0000003),
    "exactly linear, one in ten million off",
)
book.right(
    "affine-integers",
    lambda x: 2 * x - 7,
    lambda x, y: np.full_like(x, 2.0),
    values([[1.0, 2.0], [3.0, -4.0]]),
    "whole numbers in and out",
)
book.right(
    "square-integers",
    lambda x: x * x,
    lambda x, y: 2 * x,
    values(np.arange(-4.0, 5.0)),
    "whole numbers, one of them zero",
)

# ---------------------------------------------------------------- at the edge of a domain

book.both(
    "log-edge",
    np.log,
    lambda x, y: 1 / x,
    values([1e-12, 1e-6, 1e-3, 1.0, 1e6]),
    "an input at 1e-12: a step of that size leaves the domain",
    "region local",
    lambda x, y: 1 / (x + 1e-9),
    "an epsilon in the backward alone",
)
book.right("sqrt-edge", np.sqrt, lambda x, y: 0.5 / y, values([1e-12, 1e-4, 1.0, 9.0]), "steep near zero")
book.right("log-uniform", np.log, lambda x, y: 1 / x, uniform(0.01, 1, 10), "curved near the edge")
book.right(
    "arcsin-edge",
    np.arcsin,
    lambda x, y: 1 / np.sqrt((1 - x) * (1 + x)),
    values([1 - 1e-6, -1 + 1e-4, 0.0, 0.5]),
    "a millionth from the end of the domain",
)
book.right(
    "arctanh-edge",
    np.arctanh,
    lambda x, y: 1 / ((1 - x) * (1 + x)),
    values([1 - 1e-5, -0.99, 0.0, 0.5]),
    "steep near one",
)
book.right(
    "arccosh-edge",
    np.arccosh,
    lambda x, y: 1 / np.sqrt((x - 1) * (x + 1)),
    values([1 + 1e-4, 1.5, 20.0]),
    "steep near one, undefined below",
)
book.right(
    "log1p-edge", np.log1p, lambda x, y: 1 / (1 + x), values([-1 + 1e-6, 0.0, 1e-12, 5.0]), "a millionth from -1"
)
book.right(
    "reciprocal-edge", lambda x: 1 / x, lambda x, y: -y * y, values([1e-6, -1e-6, 1.0, 1e6]), "both sides of a pole"
)
book.both(
    "logit",
    lambda x: np.log(x / (1 - x)),
    lambda x, y: 1 / (x * (1 - x)),
    uniform(0.01, 0.99, 8),
    "poles at both ends",
    "term",
    lambda x, y: 1 / x,
    "one of the two terms",
)
book.right(
    "xlogx-edge",
    lambda x: x * np.log(x),
    lambda x, y: np.log(x) + 1,
    values([1e-10, 0.5, 3.0]),
    "the slope grows without end",
)
book.right(
    "power-small-exponent",
    lambda x: x**0.1,
    lambda x, y: 0.1 * y / x,
    values([1e-8, 0.1, 2.0]),
    "steep near zero, undefined below",
)

# ---------------------------------------------------------------- low precision

F32, F16 = np.float32, np.float16
LOW: dict[str, tuple[Function, Slope]] = {
    "exp": (np.exp, lambda x, y: y),
    "sin": (np.sin, lambda x, y: np.cos(x)),
    "square": (lambda x: x * x, lambda x, y: x + x),
}
for label, (function, its_slope) in LOW.items():
    book.right(f"float32-{label}", function, its_slope, normal((3, 4), dtype=F32), "float32")
    book.right(f"float16-{label}", function, its_slope, normal((3, 4), dtype=F16), "float16: three digits")
book.right(
    "float32-offset",
    lambda x: np.sin(x) + x.dtype.type(1000),
    lambda x, y: np.cos(x),
    normal((3, 4), dtype=F32),
    "float32, an offset takes three of seven digits",
)
book.right(
    "float32-forced",
    lambda x: np.tanh(np.asarray(x, F32)),
    lambda x, y: 1 - y * y,
    normal((3, 4), dtype=F32),
    "float32 in, and float32 whatever it is given",
)
book.pair(
    "wrong-float32-exp",
    "small",
    *unary(np.exp, lambda x, y: y * F32(1.0005)),
    normal((3, 4), dtype=F32),
    "float32, off by 5e-4",
    also=("factor",),
)
book.pair(
    "wrong-float16-sin", "sign", *unary(np.sin, lambda x, y: -np.cos(x)), normal((3, 4), dtype=F16), "float16, negated"
)
book.pair(
    "wrong-float16-square",
    "factor",
    *unary(lambda x: x * x, lambda x, y: x),
    normal((3, 4), dtype=F16),
    "float16, the 2 is missing",
)

# ---------------------------------------------------------------- sizes

book.right("one-entry", np.sin, lambda x, y: np.cos(x), normal(1), "a single number in a vector")
book.right("empty-vector", np.sin, lambda x, y: np.cos(x), normal((0,)), "no entries")
book.right("empty-batch", np.sin, lambda x, y: np.cos(x), normal((0, 4, 2)), "a batch of none")
book.right("six-axes", np.sin, lambda x, y: np.cos(x), normal((1, 2, 1, 3, 1, 2)), "six axes, most of length one")
book.both(
    "number",
    np.sin,
    lambda x, y: np.cos(x),
    normal(()),
    "one number",
    "sign",
    lambda x, y: -np.cos(x),
    "one number, negated",
)
BUMPY = weights(81, 700)
book.right(
    "seven-hundred",
    lambda x: np.sin(BUMPY * x),
    lambda x, y: BUMPY * np.cos(BUMPY * x),
    normal(700),
    "seven hundred entries of different slopes, some near zero",
)

CASES = book.cases
