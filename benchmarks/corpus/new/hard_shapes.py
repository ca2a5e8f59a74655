"""Functions of one number that are right and hard to accept: flat, steep, saturated, wild."""

from __future__ import annotations

from math import erf, gamma, pi, sqrt
from typing import Any

import numpy as np

from benchmarks.corpus.base import Array
from benchmarks.corpus.book import normal, sigmoid, uniform, values
from benchmarks.corpus.new.numbers import Function, Numbers, Slope

book = Numbers()


def cumulative(x: Array) -> Any:
    return 0.5 * (1 + np.vectorize(erf, otypes=[float])(np.asarray(x, float) / sqrt(2)))


# ---------------------------------------------------------------- flat or steep at a point

FLAT = values([0.0, 0.0, 1.0, -0.5])
book.both(
    "cube-at-zero",
    lambda x: x**3,
    lambda x, y: 3 * x**2,
    FLAT,
    "flat at zero",
    "factor local",
    lambda x, y: x**2,
    "the 3 is missing",
)
book.both(
    "fifth-at-zero",
    lambda x: x**5,
    lambda x, y: 5 * x**4,
    FLAT,
    "flatter at zero",
    "region local",
    lambda x, y: np.where(x == 0, 1e-3, 5 * x**4),
    "a slope of 1e-3 where it is flat",
)
book.right("square-at-zero", lambda x: x**2, lambda x, y: 2 * x, FLAT, "a minimum exactly at the input")
book.right("all-zero", lambda x: x**2, lambda x, y: 2 * x, values(np.zeros(5)), "every gradient is exactly zero")
book.right(
    "power-three-halves",
    lambda x: np.abs(x) ** 1.5,
    lambda x, y: 1.5 * np.sqrt(np.abs(x)) * np.sign(x),
    FLAT,
    "curvature is infinite at zero, the slope is zero",
)
book.both(
    "bump",
    lambda x: np.exp(-1 / np.where(x == 0, 1, x * x)) * (x != 0),
    lambda x, y: np.where(x == 0, 0, 2 * y / np.where(x == 0, 1, x) ** 3),
    FLAT,
    "flat to every order at zero",
    "nonfinite",
    lambda x, y: 2 * y / x**3,
    "0/0 at zero",
)
book.right(
    "huber-at-delta",
    lambda x: np.where(np.abs(x) <= 1, x * x / 2, np.abs(x) - 0.5),
    lambda x, y: np.clip(x, -1, 1),
    values([1.0, -1.0, 0.2, 3.0]),
    "the second derivative jumps at the input",
)
book.both(
    "huber",
    lambda x: np.where(np.abs(x) <= 1, x * x / 2, np.abs(x) - 0.5),
    lambda x, y: np.clip(x, -1, 1),
    normal(12, scale=2),
    "quadratic inside, linear outside",
    "region",
    lambda x, y: x,
    "never clipped",
)
book.both(
    "squared-hinge",
    lambda x: np.maximum(0, 1 - x) ** 2,
    lambda x, y: -2 * np.maximum(0, 1 - x),
    values([1.0, 0.5, 2.0]),
    "smooth at the margin",
    "sign",
    lambda x, y: 2 * np.maximum(0, 1 - x),
    "the minus is missing",
)
book.both(
    "relu6",
    lambda x: np.clip(x, 0, 6),
    lambda x, y: (x > 0) & (x < 6),
    values([-1.0, 1.0, 5.5, 7.0, 30.0]),
    "flat on both sides",
    "region",
    lambda x, y: x > 0,
    "the upper end is left out",
)
book.right(
    "threshold-near",
    lambda x: np.where(x > 1, x, 0.5 * x + 0.5),
    lambda x, y: np.where(x > 1, 1, 0.5),
    values([1 + 1e-7, 1 - 1e-7, 2.0, 0.0]),
    "1e-7 from a kink on either side",
)
book.right(
    "many-kinks",
    lambda x: np.abs(np.sin(50 * x)),
    lambda x, y: 50 * np.cos(50 * x) * np.sign(np.sin(50 * x)),
    normal(40),
    "a kink every 0.06",
)
book.right(
    "triangle-wave",
    lambda x: np.abs(x - np.round(x)),
    lambda x, y: np.sign(x - np.round(x)),
    uniform(-3, 3, 30),
    "a kink every half",
)

# ---------------------------------------------------------------- saturated

book.both(
    "sigmoid-saturated",
    sigmoid,
    lambda x, y: y * (1 - y),
    values([-40.0, -20.0, 0.0, 15.0, 30.0]),
    "slopes from 1/4 down to nothing",
    "region zero",
    lambda x, y: np.where(np.abs(x) > 10, 0, y * (1 - y)),
    "tails cut to zero: the largest of them is 3e-7",
)
book.right("tanh-at-10", np.tanh, lambda x, y: 1 / np.cosh(x) ** 2, values([8.0, -9.0, 10.0]), "slopes of 1e-6 to 1e-8")
book.right(
    "tanh-all-saturated",
    np.tanh,
    lambda x, y: 1 - y * y,
    values([-30.0, 40.0, 25.0, 300.0]),
    "declared and numeric are all zero",
)
book.right(
    "erf-tail",
    cumulative,
    lambda x, y: np.exp(-x * x / 2) / sqrt(2 * pi),
    values([-6.0, -3.0, 0.0, 5.0]),
    "slopes from 0.4 to 1e-9",
)
book.right(
    "hard-sigmoid-flat",
    lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    lambda x, y: 0.2 * (np.abs(x) < 2.5),
    values([-9.0, 4.0, 0.0, 2.0]),
    "half of it flat",
)
book.right("constant", lambda x: 0 * x + 3, lambda x, y: 0 * x, normal(5), "a constant: nothing to compare")
book.right("floor", np.floor, lambda x, y: 0 * x, values([0.5, -1.5, 2.3]), "flat but for jumps elsewhere")
book.right("sign", np.sign, lambda x, y: 0 * x, values([0.5, -1.5, 2.3]), "the same with jumps at zero")

# ---------------------------------------------------------------- wild

book.both(
    "sin-1e4",
    lambda x: np.sin(1e4 * x),
    lambda x, y: 1e4 * np.cos(1e4 * x),
    normal(6),
    "ten thousand radians a unit",
    "small factor",
    lambda x, y: 9999 * np.cos(1e4 * x),
    "9999 in the place of 10000",
)
book.right(
    "chirp",
    lambda x: np.sin(30 * x**2),
    lambda x, y: 60 * x * np.cos(30 * x**2),
    normal(8, scale=2),
    "faster the farther out",
)
book.right(
    "chebyshev-20",
    lambda x: np.cos(20 * np.arccos(x)),
    lambda x, y: 20 * np.sin(20 * np.arccos(x)) / np.sqrt(1 - x * x),
    uniform(-0.95, 0.95, 8),
    "a polynomial of degree 20",
)
book.right(
    "narrow-gaussian",
    lambda x: np.exp(-((x / 1e-3) ** 2)),
    lambda x, y: -2e6 * x * y,
    normal(6, scale=1e-3),
    "a peak a thousandth wide",
)
book.right(
    "narrow-gaussian-missed",
    lambda x: np.exp(-((x / 1e-3) ** 2)),
    lambda x, y: -2e6 * x * y,
    normal(6),
    "the same, seen from outside: nothing there",
)
book.both(
    "exp-50x",
    lambda x: np.exp(50 * x),
    lambda x, y: 50 * y,
    normal(6),
    "gradients over forty decades",
    "factor",
    lambda x, y: 49 * y,
    "49 in the place of 50",
)
book.right("tenth-power", lambda x: x**10, lambda x, y: 10 * x**9, normal(6, scale=3), "gradients over ten decades")
book.right(
    "expanded-polynomial",
    lambda x: ((((x - 5) * x + 10) * x - 10) * x + 5) * x - 1,
    lambda x, y: 5 * (x - 1) ** 4,
    uniform(1.5, 2.5, 5),
    "(x-1)^5 multiplied out: digits cancel",
)
book.right(
    "gamma",
    lambda x: np.vectorize(gamma, otypes=[float])(np.asarray(x, float)),
    lambda x, y: y * digamma(x),
    uniform(1.5, 4, 4),
    "no elementary slope",
)


def digamma(x: Array) -> Any:
    """The recurrence up to 12, then the asymptotic series (Abramowitz and Stegun 6.3.18)."""
    x = np.asarray(x, float)
    shift = np.zeros_like(x)
    for _ in range(12):
        shift, x = shift - 1 / x, x + 1
    return shift + np.log(x) - 1 / (2 * x) - 1 / (12 * x**2) + 1 / (120 * x**4) - 1 / (252 * x**6)


# ---------------------------------------------------------------- activations

ACTIVATIONS: tuple[tuple[str, Function, Slope, str, Slope, str], ...] = (
    (
        "swish",
        lambda x: x * sigmoid(x),
        lambda x, y: sigmoid(x) * (1 + x * (1 - sigmoid(x))),
        "term",
        lambda x, y: sigmoid(x),
        "half of the product rule",
    ),
    (
        "softsign",
        lambda x: x / (1 + np.abs(x)),
        lambda x, y: 1 / (1 + np.abs(x)) ** 2,
        "local",
        lambda x, y: 1 / (1 + np.abs(x)),
        "not squared",
    ),
    (
        "elu",
        lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        lambda x, y: np.where(x > 0, 1, y + 1),
        "region",
        lambda x, y: np.where(x > 0, 1, y),
        "y, not y + 1, below zero",
    ),
    (
        "mish",
        lambda x: x * np.tanh(np.logaddexp(0, x)),
        lambda x, y: np.tanh(np.logaddexp(0, x)) + x * sigmoid(x) / np.cosh(np.logaddexp(0, x)) ** 2,
        "term local",
        lambda x, y: np.tanh(np.logaddexp(0, x)) + x / np.cosh(np.logaddexp(0, x)) ** 2,
        "the inner slope is left out",
    ),
    (
        "hard-swish",
        lambda x: x * np.clip(x + 3, 0, 6) / 6,
        lambda x, y: np.where(np.abs(x) < 3, (2 * x + 3) / 6, x >= 3),
        "region",
        lambda x, y: np.where(x > -3, (2 * x + 3) / 6, 0),
        "the upper branch is forgotten",
    ),
    (
        "arctan",
        np.arctan,
        lambda x, y: 1 / (1 + x * x),
        "local",
        lambda x, y: 1 / np.sqrt(1 + x * x),
        "a root too many",
    ),
)
for label, function, its_slope, word, other, reason in ACTIVATIONS:
    book.both(
        label,
        function,
        its_slope,
        values(np.linspace(-5, 5.2, 15)),
        f"{label} on both of its sides",
        word,
        other,
        reason,
    )


CASES = book.cases
