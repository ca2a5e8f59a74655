"""Functions of one argument, entry by entry: exp, log, sqrt, abs, tanh, sigmoid, relu, softplus.

Where the textbook's derivative loses its digits (1 - tanh² far from zero, s (1 - s) at large arguments) the rule
uses exp(-|x|) instead, which neither overflows nor cancels.
"""

from __future__ import annotations

import numpy as np

from .arithmetic import scaled
from .broadcasting import Array
from .domain import NOT_ZERO, POSITIVE
from .operation import operation


def _sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), finite and without overflow for every x."""
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, e) / (1 + e))


def _sigmoid_slope(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.asarray(e / (1 + e) ** 2)


def _softplus(x: Array) -> Array:
    """log(1 + exp(x)), finite and without overflow for every x."""
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def _tanh_slope(x: Array) -> Array:
    e = np.exp(-2 * np.abs(x))
    return np.asarray(4 * e / (1 + e) ** 2)


def _relu(x: Array) -> Array:
    """The larger of x and 0."""
    return np.maximum(x, 0)


exp = operation(
    "exp",
    np.exp,
    rules={
        "x": lambda u, out, x: u * out,
    },
    habit="exp scales by its output",
    broadcasts=True,
)

log = operation(
    "log",
    np.log,
    rules={
        "x": lambda u, out, x: u / x,
    },
    habit="log scales by 1/x",
    domains={"x": POSITIVE},
    broadcasts=True,
)


def _sqrt_rule(u: Array, out: Array) -> Array:
    # At 0 the slope is infinite, as the one-sided limit is; only an upstream of zero stays zero there.
    with np.errstate(divide="ignore"):
        return scaled(u, 0.5 / out)


sqrt = operation(
    "sqrt",
    np.sqrt,
    rules={
        "x": lambda u, out, x: _sqrt_rule(u, out),
    },
    habit="sqrt scales by 1/(2 sqrt x)",
    domains={"x": POSITIVE},
    broadcasts=True,
)

abs = operation(
    "abs",
    np.absolute,
    rules={
        "x": lambda u, out, x: u * np.sign(x),
    },
    habit="abs scales by the sign of x",
    domains={"x": NOT_ZERO},
    broadcasts=True,
)

tanh = operation(
    "tanh",
    np.tanh,
    rules={
        "x": lambda u, out, x: u * _tanh_slope(x),
    },
    habit="tanh scales by 1 - tanh²",
    broadcasts=True,
)

sigmoid = operation(
    "sigmoid",
    _sigmoid,
    rules={
        "x": lambda u, out, x: u * _sigmoid_slope(x),
    },
    habit="sigmoid scales by s (1 - s)",
    broadcasts=True,
)

relu = operation(
    "relu",
    _relu,
    rules={
        "x": lambda u, out, x: np.where(x > 0, u, 0),
    },
    habit="relu lets the upstream through where x > 0",
    domains={"x": NOT_ZERO},
    broadcasts=True,
)

softplus = operation(
    "softplus",
    _softplus,
    rules={
        "x": lambda u, out, x: u * _sigmoid(x),
    },
    habit="softplus scales by the sigmoid",
    broadcasts=True,
)
