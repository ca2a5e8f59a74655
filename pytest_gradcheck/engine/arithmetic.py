"""Sums, products and powers of arrays, entry by entry; each rule is upstream times the local gradient.

Every table line reads `argument: rule(upstream u, output, inputs)`. Broadcast axes are summed by the engine, so a
rule may return the output's shape.
"""

from __future__ import annotations

import numpy as np

from .broadcasting import Array
from .domain import AWAY_FROM_ZERO, POSITIVE
from .operation import operation


def _power_base(u: Array, x: Array, y: Array) -> Array:
    # At y = 0 the power is 1 whatever the base: 0 * x**-1 would be nan at x = 0.
    with np.errstate(divide="ignore", invalid="ignore"):
        local = np.where(y == 0, 0.0, y * np.power(x, np.where(y == 0, 1.0, y - 1)))
    return scaled(u, local)


def _power_exponent(u: Array, out: Array, x: Array) -> Array:
    # 0**y stays 0 for every positive y, though log(0) is infinite; a negative base has no slope here: nan.
    with np.errstate(divide="ignore", invalid="ignore"):
        return scaled(u, np.where(x == 0, 0.0, out * np.log(x)))


def scaled(u: Array, local: Array) -> Array:
    """u * local, where an upstream of zero gives zero also at an infinite local gradient."""
    # An infinite slope that nothing depends on must not turn the whole gradient into nan.
    with np.errstate(invalid="ignore"):
        return np.where((u == 0) & np.isinf(local), 0.0, u * local)


add = operation(
    "add",
    np.add,
    rules={
        "x": lambda u, out, x, y: u,
        "y": lambda u, out, x, y: u,
    },
    sign="+",
    habit="+ distributes the upstream",
    broadcasts=True,
)

subtract = operation(
    "subtract",
    np.subtract,
    rules={
        "x": lambda u, out, x, y: u,
        "y": lambda u, out, x, y: -u,
    },
    sign="-",
    habit="- distributes the upstream, its sign changed on the right",
    broadcasts=True,
)

negate = operation(
    "negate",
    np.negative,
    rules={
        "x": lambda u, out, x: -u,
    },
    habit="negate changes the sign",
    broadcasts=True,
)

multiply = operation(
    "multiply",
    np.multiply,
    rules={
        "x": lambda u, out, x, y: u * y,
        "y": lambda u, out, x, y: u * x,
    },
    sign="*",
    habit="* switches: each gets the upstream times the other",
    broadcasts=True,
)

divide = operation(
    "divide",
    np.divide,
    rules={
        "x": lambda u, out, x, y: u / y,
        "y": lambda u, out, x, y: -u * out / y,
    },
    sign="/",
    habit="/ scales x by 1/y, y by -x/y²",
    domains={"y": AWAY_FROM_ZERO},
    broadcasts=True,
)

power = operation(
    "power",
    np.power,
    rules={
        "x": lambda u, out, x, y: _power_base(u, x, y),
        "y": lambda u, out, x, y: _power_exponent(u, out, x),
    },
    sign="**",
    habit="** scales x by y x^(y-1), y by x^y log x",
    domains={"x": POSITIVE},
    broadcasts=True,
)
