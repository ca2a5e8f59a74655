"""numpy's broadcasting, backwards: what was repeated on the way right is summed on the way left."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Axis = int | tuple[int, ...] | None


def unbroadcast(gradient: Array, shape: tuple[int, ...]) -> Array:
    """The gradient of an array of `shape` that was broadcast to `gradient.shape`: the added axes summed away.

    gradient: any shape to which `shape` broadcasts by numpy's rules. Returns an array of `shape`.
    """
    if gradient.shape == shape:
        return gradient
    extra = gradient.ndim - len(shape)
    stretched = tuple(i + extra for i, n in enumerate(shape) if n == 1)
    summed = gradient.sum(axis=(*range(extra), *stretched))
    return np.asarray(summed).reshape(shape)


def spread(values: Array, shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Array:
    """What a reduction of an array of `shape` over `axis` left, repeated along the axes that it removed.

    values: the reduced array, with or without the axes kept. Returns a read-only view of `shape`.
    """
    if not keepdims:
        values = values.reshape(kept_shape(shape, axis))
    return np.broadcast_to(values, shape)


def kept_shape(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """`shape` with length one along each reduced axis."""
    reduced = reduced_axes(len(shape), axis)
    return tuple(1 if i in reduced else n for i, n in enumerate(shape))


def reduced_axes(ndim: int, axis: Axis) -> tuple[int, ...]:
    """The axes of an array of `ndim` dimensions that a reduction over `axis` removes, counted from zero."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(a % ndim for a in ((axis,) if isinstance(axis, int) else axis))
