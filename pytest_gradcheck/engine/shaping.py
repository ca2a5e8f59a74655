"""Operations that move entries and change none: reshape, transpose, broadcast, concatenate, index.

Backward moves the upstream back along the same ways, and adds where one entry went to several places.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .broadcasting import Array, unbroadcast
from .operation import operation

Shape = int | tuple[int, ...]


def _reshape(x: Array, shape: Shape) -> Array:
    """The same entries in another shape, C order; one length may be -1."""
    return np.reshape(x, shape)


def _transpose(x: Array, axes: tuple[int, ...] | None = None) -> Array:
    """The axes in another order; reversed where none is given."""
    return np.transpose(x, axes)


def _transpose_rule(u: Array, axes: tuple[int, ...] | None) -> Array:
    if axes is None:
        return np.transpose(u)
    back = np.argsort([a % u.ndim for a in axes])
    return np.transpose(u, tuple(int(a) for a in back))


def _broadcast(x: Array, shape: Shape) -> Array:
    """x repeated to a shape, by numpy's rules."""
    return np.broadcast_to(x, shape)


def _concatenate(*parts: Array, axis: int = 0) -> Array:
    """The parts one after the other along an axis."""
    return np.concatenate(parts, axis=axis)


def _slice_of_part(u: Array, parts: tuple[Array, ...], axis: int, position: int) -> Array:
    start = int(np.sum([p.shape[axis] for p in parts[:position]], dtype=int))
    cut: list[Any] = [slice(None)] * u.ndim
    cut[axis] = slice(start, start + parts[position].shape[axis])
    return np.asarray(u[tuple(cut)])


def _index(x: Array, key: Any) -> Array:
    """x[key], with any key of numpy's: numbers, slices, arrays of indices, a mask."""
    return np.asarray(x[key])


def _index_rule(u: Array, x: Array, key: Any) -> Array:
    gradient = np.zeros(x.shape, dtype=u.dtype)
    # `gradient[key] += u` would keep only the last of several equal indices.
    np.add.at(gradient, key, u)
    return gradient


reshape = operation(
    "reshape",
    _reshape,
    rules={
        "x": lambda u, out, x, shape: u.reshape(x.shape),
    },
    habit="reshape puts the upstream back in shape",
)

transpose = operation(
    "transpose",
    _transpose,
    rules={
        "x": lambda u, out, x, axes: _transpose_rule(u, axes),
    },
    habit="transpose turns the upstream back",
)

broadcast = operation(
    "broadcast",
    _broadcast,
    rules={
        "x": lambda u, out, x, shape: unbroadcast(u, x.shape),
    },
    habit="broadcast sums the upstream over the copies",
)

concatenate = operation(
    "concatenate",
    _concatenate,
    rules={
        "parts": lambda u, out, *parts, axis, position: _slice_of_part(u, parts, axis, position),
    },
    habit="concatenate cuts the upstream apart",
    variadic=True,
)

index = operation(
    "index",
    _index,
    rules={
        "x": lambda u, out, x, key: _index_rule(u, x, key),
    },
    habit="index puts the upstream back in place, adding at repeats",
)
