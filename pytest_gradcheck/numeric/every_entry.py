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


def numeric_gradient(f: Callable[[Any], Any], x: npt.ArrayLike, h: float = 1e-4) -> npt.NDArray[np.float64]:
    """The gradient of a scalar function by central differences, one entry after the other.

    f: takes an array of x's shape and returns one number. It is called 2 * x.size times.
    x: any shape, real. A float64 array is moved in place, so that f may also close over it, and restored exactly,
        also when f raises.
    h: absolute step.

    Returns a float64 array of x's shape. Raises InvalidInput for a step that is not positive, for integers, NaN or
    infinity in x; LayerError where f does not return one number.

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
    if not 0 < h < float("inf"):
        raise InvalidInput(f"h is {h!r}: give a step larger than zero")
    values = _usable(x)
    columns = []
    for i in np.ndindex(values.shape):
        kept = values[i]
        # The step that is really made, after rounding, is what the change is divided by.
        above, below = kept + h, kept - h
        if above == below:
            raise InvalidInput(f"h is {h!r}: too small beside the entry {kept!r} at index {i}, give a larger step")
        try:
            values[i] = above
            plus = _number(f(values), _scalar)
            values[i] = below
            minus = _number(f(values), _scalar)
        finally:
            values[i] = kept
        columns.append((plus - minus) / (above - below))
    if not columns:
        outputs = _number(f(values), False).size
        return np.zeros((1 if _scalar else outputs, 0))
    return np.stack(columns, axis=1)


def _usable(x: npt.ArrayLike) -> npt.NDArray[np.float64]:
    given = np.asarray(x)
    if given.dtype.kind not in "f":
        raise InvalidInput(f"x has dtype {given.dtype}: a gradient needs floating point numbers, cast it to float")
    if not np.isfinite(given).all():
        bad = tuple(int(i) for i in np.argwhere(~np.isfinite(given))[0])
        raise InvalidInput(f"x holds {given[bad]} at index {bad}: give finite numbers")
    # The caller's own array is moved, so that a function that closes over it sees the step as well.
    return given if given.dtype == np.float64 and given.flags.writeable else np.array(given, dtype=np.float64)


def _number(value: Any, scalar: bool) -> npt.NDArray[np.float64]:
    out = np.array(value, dtype=np.float64).reshape(-1)
    if scalar and out.size != 1:
        raise LayerError(f"f returned {out.size} numbers: numeric_gradient needs one, numeric_jacobian takes many")
    return out
