"""Operations that route: maximum, minimum, where, max and min over an axis; and the comparisons that decide.

At a tie the upstream is shared evenly: half to each operand of `maximum`, 1/k to each of k equal largest entries of
`max`. The shares add up to the whole, so the slope is right along the diagonal too, where all of them move together.
"""

from __future__ import annotations

import numpy as np

from .broadcasting import Array, Axis, spread
from .operation import operation


def _max(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The largest entry along an axis, several, or of all; ValueError where there is none."""
    return np.asarray(np.max(x, axis=axis, keepdims=keepdims))


def _min(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The smallest entry along an axis, several, or of all; ValueError where there is none."""
    return np.asarray(np.min(x, axis=axis, keepdims=keepdims))


def _share(wins: Array, ties: Array) -> Array:
    return wins + 0.5 * ties


def _route(u: Array, out: Array, x: Array, axis: Axis, keepdims: bool) -> Array:
    chosen = x == spread(out, x.shape, axis, keepdims)
    # With a nan among the entries none is equal to the output: count 0, and nothing is routed.
    count = np.maximum(chosen.sum(axis=axis, keepdims=True), 1)
    return np.asarray(spread(u, x.shape, axis, keepdims) * chosen / count)


maximum = operation(
    "maximum",
    np.maximum,
    rules={
        "x": lambda u, out, x, y: u * _share(x > y, x == y),
        "y": lambda u, out, x, y: u * _share(y > x, x == y),
    },
    sign="max",
    habit="max routes the upstream to the larger",
    broadcasts=True,
)

minimum = operation(
    "minimum",
    np.minimum,
    rules={
        "x": lambda u, out, x, y: u * _share(x < y, x == y),
        "y": lambda u, out, x, y: u * _share(y < x, x == y),
    },
    sign="min",
    habit="min routes the upstream to the smaller",
    broadcasts=True,
)

where = operation(
    "where",
    np.where,
    rules={
        "condition": None,
        "x": lambda u, out, condition, x, y: np.where(condition, u, 0),
        "y": lambda u, out, condition, x, y: np.where(condition, 0, u),
    },
    habit="where routes the upstream to the chosen",
    broadcasts=True,
)

max = operation(
    "max",
    _max,
    rules={
        "x": lambda u, out, x, axis, keepdims: _route(u, out, x, axis, keepdims),
    },
    habit="max routes the upstream to the largest",
)

min = operation(
    "min",
    _min,
    rules={
        "x": lambda u, out, x, axis, keepdims: _route(u, out, x, axis, keepdims),
    },
    habit="min routes the upstream to the smallest",
)

greater = operation("greater", np.greater, {"x": None, "y": None}, sign=">", broadcasts=True)
greater_equal = operation("greater_equal", np.greater_equal, {"x": None, "y": None}, sign=">=", broadcasts=True)
less = operation("less", np.less, {"x": None, "y": None}, sign="<", broadcasts=True)
less_equal = operation("less_equal", np.less_equal, {"x": None, "y": None}, sign="<=", broadcasts=True)
