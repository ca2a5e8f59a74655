"""Arrays of other libraries in layers written by hand: tensors of torch, arrays of jax, subclasses of numpy's array.

The core sees numpy arrays; the layer gets what its author gave, a tensor for a tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pytest_gradcheck.target import Array

Native = Callable[[Array], Any]


def home(leaf: Any) -> str:
    """The library that an array comes from, by the name of its type's module: "torch", "jax" or ""."""
    if isinstance(leaf, type):
        return ""
    root = type(leaf).__module__.partition(".")[0]
    if root == "torch" and hasattr(leaf, "detach"):
        return "torch"
    return "jax" if root in ("jax", "jaxlib") and hasattr(leaf, "dtype") else ""


def plain(leaf: Any) -> Any:
    """A tensor or jax array as numpy's; anything else as it is."""
    where = home(leaf)
    if where == "torch":
        from .tensors import to_numpy

        return to_numpy(leaf)
    if where == "jax":
        from .jax import as_array

        array, _ = as_array(leaf)
        return leaf if array is None else array
    return leaf


def is_floats(leaf: Any) -> bool:
    """Whether this is an array of floats or complex numbers, numpy's or another library's."""
    if isinstance(leaf, np.ndarray):
        return bool(leaf.dtype.kind in "fc")
    where = home(leaf)
    if where == "torch":
        return bool(leaf.is_floating_point() or leaf.is_complex())
    return where == "jax" and (leaf.dtype.kind in ("f", "c") or str(leaf.dtype) == "bfloat16")


def is_array(leaf: Any) -> bool:
    """Whether this is an array of any numbers and of any of these libraries."""
    return isinstance(leaf, np.ndarray) or home(leaf) != ""


def fill(leaf: Any, values: Array) -> bool:
    """Whether the values could be written into an array in its place: they are as it is, and it can be written to."""
    if home(leaf) not in ("", "torch"):
        return False
    there = plain(leaf)
    if not isinstance(there, np.ndarray) or there.shape != values.shape or there.dtype != values.dtype:
        return False
    if home(leaf) == "torch":
        leaf.detach().copy_(_tensor_like(leaf, values))
    elif there.flags.writeable:
        np.copyto(there, values)
    else:
        return False
    return True


def alike(leaf: Any, values: Array, wide: bool = False) -> Any:
    """The values as an array of their own, of the library that the leaf is from."""
    make = native(leaf, wide)
    return values.copy() if make is None else make(values.copy())


def is_coarse(leaf: Any) -> bool:
    """Whether a tensor is of a type that numpy does not have, and is shown as float32."""
    return home(leaf) == "torch" and "bfloat16" in str(leaf.dtype)


#: What a layer of bfloat16 rounds to, relatively.
COARSE = 2.0**-7


def native(leaf: Any, wide: bool = False) -> Native | None:
    """How a numpy array becomes what `leaf` is, in its own memory where that is possible; None for numpy's own.

    wide: whether a tensor of bfloat16 gets the type of the array instead.
    """
    where = home(leaf)
    if where == "torch":
        return lambda array: _tensor_like(leaf, array, wide)
    if where == "jax":
        from .extras import need

        return lambda array: need("jax.numpy").array(array, copy=True)
    return None


#: Types of arrays that a layer cannot tell from a plain one.
_AS_NUMPYS_OWN = (np.ndarray, np.memmap)


def as_given(leaf: Any, wide: bool = False) -> Native | None:
    """The same for an input, which is also given in its author's own subclass of numpy's array.

    An output gets a plain upstream all the same: that it is a matrix may have come about by itself.
    """
    if isinstance(leaf, np.ndarray) and type(leaf) not in _AS_NUMPYS_OWN:
        return lambda array: _viewed_as(leaf, array)
    return native(leaf, wide)


def _viewed_as(leaf: Any, array: Array) -> Any:
    made: Any = array.view(type(leaf))
    if made.__array_finalize__ is not None:
        made.__array_finalize__(leaf)  # what the author's array holds besides its numbers, as a unit
    return made


def _tensor_like(leaf: Any, array: Array, wide: bool = False) -> Any:
    from .extras import need
    from .tensors import as_tensor

    torch = need("torch")
    tensor = torch.from_numpy(np.array(array)) if array.dtype.kind == "c" else as_tensor(array)
    return tensor.to(leaf.device, leaf.dtype if is_coarse(leaf) and not wide else tensor.dtype)
