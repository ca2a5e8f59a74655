"""The lecture's manual check: one entry at a time, (f(x+h) - f(x-h)) / 2h.

Easy to implement correctly, approximate, and slow: f is computed again for every parameter. It stays as the
reference that everything else here is held against.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_gradcheck.errors import InvalidInput, LayerError
from pytest_gradcheck.target import is_masked

Floats = npt.NDArray[np.float64]


def numeric_gradient(f: Callable[[Any], Any], x: npt.ArrayLike, h: float = 1e-4) -> npt.NDArray[np.float64]:
    """The gradient of a scalar function by central differences, one entry after the other.

    f: takes an array of x's shape and returns one number. It is called 2 * x.size times.
    x: any shape, real. A float64 array is moved in place, so that f may also close over it, and restored exactly,
        also when f raises.
    h: absolute step.

    Returns a float64 array of x's shape. Raises InvalidInput for a step that is not positive, for integers, NaN or
    infinity in x; LayerError where f does not return one finite number, or writes into x.

    >>> import numpy as np
    >>> numeric_gradient(lambda x: (x ** 2).sum(), np.array([1.0, -2.0])).round(6)
    array([ 2., -4.])
    """
    gradient = numeric_jacobian(f, x, h, _scalar=True)
    return gradient.reshape(np.shape(x))


def numeric_jacobian(
    f: Callable[[Any], Any], x: npt.ArrayLike, h: float = 1e-4, *, _scalar: bool = False
) -> npt.NDArray[np.float64]:
    """The m x n matrix of derivatives of f's m outputs by x's n entries, by central differences.

    f: takes an array of x's shape and returns an array of any shape (m numbers, counted in C order).
    x: any shape, real; left as it was, also when f raises. h: absolute step.

    Returns float64 of shape (m, n). Raises as `numeric_gradient`.

    >>> import numpy as np
    >>> numeric_jacobian(lambda x: np.array([[1.0, 2.0], [3.0, 4.0]]) @ x, np.array([0.5, 0.5])).round(6)
    array([[1., 2.],
           [3., 4.]])
    """
    step, values = _step(h), _usable(x)
    before = values.copy()
    try:
        columns = [_column(f, values, i, step, _scalar) for i in np.ndindex(values.shape)]
        outputs = columns[0].size if columns else 1 if _scalar else _number(f(values), False).size
        written = not np.array_equal(values, before)
    finally:
        # Also what f itself has written.
        values[...] = before
    if written:
        raise LayerError("f writes into x, so that later entries are measured elsewhere: let it work on a copy")
    return np.stack(columns, axis=1) if columns else np.zeros((outputs, 0))


def _column(
    f: Callable[[Any], Any], values: Floats, i: tuple[int, ...], h: float, scalar: bool
) -> npt.NDArray[np.float64]:
    """The derivatives of all outputs by one entry, which is moved in place and put back."""
    kept = values[i]
    # The step that is really made, after rounding, is what the change is divided by.
    above, below = kept + h, kept - h
    if above == below:
        raise InvalidInput(f"h is {h!r}: too small beside the entry {float(kept)!r} at index {i}, give a larger step")
    found = []
    try:
        for moved in (above, below):
            values[i] = moved
            found.append(_number(f(values), scalar))
            if not np.isfinite(found[-1]).all():
                wrong = found[-1][~np.isfinite(found[-1])][0]
                raise LayerError(
                    f"f returned {wrong} with the entry at index {i} at {float(moved)!r}: "
                    "give an x around which f is finite, or a smaller h"
                )
    finally:
        values[i] = kept
    plus, minus = found
    if plus.size != minus.size:
        raise LayerError(f"f returned {plus.size} numbers, then {minus.size}: let their number depend on x.shape alone")
    return np.asarray((plus - minus) / (above - below))


def _step(h: Any) -> float:
    try:
        step = float("nan") if isinstance(h, (bool, str)) else float(h)
    except (TypeError, ValueError):
        step = float("nan")
    if not 0 < step < float("inf"):
        raise InvalidInput(f"h is {h!r}: give a step larger than zero")
    return step


def _usable(x: npt.ArrayLike) -> Floats:
    if is_masked(x):
        raise InvalidInput("x is a masked array, of which some entries are hidden: give x.filled() or x.compressed()")
    try:
        given = np.asarray(x)
    except ValueError:
        raise InvalidInput("x has rows of unequal lengths: give an array of floats") from None
    if given.dtype.kind not in "f":
        raise InvalidInput(f"x has dtype {given.dtype}: a gradient needs floating point numbers, cast it to float")
    if not np.isfinite(given).all():
        bad = tuple(int(i) for i in np.argwhere(~np.isfinite(given))[0])
        raise InvalidInput(f"x holds {given[bad]} at index {bad}: give finite numbers")
    # The caller's own array is moved, so that a function that closes over it sees the step as well.
    return given if given.dtype == np.float64 and given.flags.writeable else np.array(given, dtype=np.float64)


def _number(value: Any, scalar: bool) -> Floats:
    try:
        given = np.asarray(value)
    except ValueError:
        raise LayerError("f returned rows of unequal lengths: let it return an array of real numbers") from None
    if given.dtype.kind not in "fiub":
        what = "None" if value is None else f"an array of dtype {given.dtype}"
        raise LayerError(f"f returned {what}: let it return real numbers")
    # A copy: f may write its next answer into the same array.
    out = np.array(given, dtype=np.float64).reshape(-1)
    if scalar and out.size != 1:
        raise LayerError(f"f returned {out.size} numbers: numeric_gradient needs one, numeric_jacobian takes many")
    return out
