"""Arrays of other libraries in layers written by hand: tensors of torch, arrays of jax.

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


def native(leaf: Any) -> Native | None:
    """How a numpy array becomes what `leaf` is, in its own memory where that is possible; None for numpy's own."""
    where = home(leaf)
    if where == "torch":
        return lambda array: _tensor_like(leaf, array)
    if where == "jax":
        from .extras import need

        return lambda array: need("jax.numpy").array(array, copy=True)
    return None


def _tensor_like(leaf: Any, array: Array) -> Any:
    from .extras import need
    from .tensors import as_tensor

    torch = need("torch")
    tensor = torch.from_numpy(np.array(array)) if array.dtype.kind == "c" else as_tensor(array)
    return tensor.to(leaf.device, leaf.dtype if leaf.dtype == torch.bfloat16 else tensor.dtype)
