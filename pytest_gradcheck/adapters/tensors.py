"""Between numpy arrays and torch tensors, in the same memory wherever torch allows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.elsewhere import Elsewhere
from pytest_gradcheck.target import Array

from .binding import to_complex
from .extras import need


def to_numpy(leaf: Any) -> Any:
    """A tensor as an array that shares its memory where it can; what is no tensor comes as it is."""
    torch = need("torch")

    if not isinstance(leaf, torch.Tensor):
        return leaf
    tensor = leaf.detach()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()
    return tensor.resolve_conj().resolve_neg().cpu().numpy()


def as_tensor(array: Any) -> Any:
    """A real array as a tensor, with its strides, also those of zero that a broadcast has."""
    torch = need("torch")

    array = np.asarray(array)
    repeated = [axis for axis, step in enumerate(array.strides) if step == 0 and array.shape[axis] > 1]
    once = array[(*(slice(1) if axis in repeated else slice(None) for axis in range(array.ndim)), ...)]
    if not once.flags.writeable or any(step < 0 for step in once.strides):
        once = once.copy(order="K")
    tensor = torch.from_numpy(once)
    return tensor.expand(array.shape) if repeated else tensor


def enter(value: Array, spec: Any, asked: bool) -> tuple[Any, Any]:
    """(anchor, tensor) for one argument: the layer gets the tensor, gradients arrive at the anchor.

    The tensor is no leaf of torch's graph and shares the memory of `value`: a layer that works in place on its input
    can be run, and is seen doing so.
    """
    torch = need("torch")

    tensor = as_tensor(value)
    if spec.is_complex:
        tensor = torch.view_as_complex(tensor)
    tensor = tensor.to(spec.device)
    if spec.cast is not None:
        tensor = tensor.to(spec.cast)
    return anchored(tensor, asked)


def anchored(tensor: Any, asked: bool) -> tuple[Any, Any]:
    """(anchor, tensor) for one tensor of no graph; the anchor is None where no gradient is asked for."""
    torch = need("torch")

    if not asked:
        return None, tensor
    anchor = torch.zeros((), dtype=tensor.dtype, device=tensor.device).expand(tensor.shape).requires_grad_()
    return anchor, _entrance()(anchor, tensor)


def _entrance() -> Any:
    """A torch Function that gives a tensor's memory a place in the graph at an anchor, made once."""
    if not _made:
        torch = need("torch")

        def forward(ctx: Any, anchor: Any, tensor: Any) -> Any:
            # A new tensor on the same memory: an input returned as it is would count as a view of it.
            return torch.empty(0, dtype=tensor.dtype, device=tensor.device).set_(tensor)

        def backward(ctx: Any, upstream: Any) -> Any:
            return upstream, None

        methods = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
        entrance: Any = type("Entrance", (torch.autograd.Function,), methods)
        _made.append(entrance.apply)
    return _made[0]


_made: list[Any] = []


def upstream_tensor(upstream: Array, output: Any) -> Any:
    """The upstream of one output, a real array, as a tensor of the output's dtype and device."""
    torch = need("torch")

    if output.is_complex():
        return torch.from_numpy(np.array(to_complex(upstream))).to(output.device, output.dtype)
    return as_tensor(upstream).to(output.device, output.dtype)


def judged(leaf: Any) -> tuple[Array | None, str]:
    """Which leaves of the inputs are differentiated: tensors and arrays of float or complex numbers.

    Plain Python floats are constants to torch's functions, which take no tensor in their place.
    """
    torch = need("torch")

    if isinstance(leaf, torch.Tensor):
        if leaf.is_floating_point() or leaf.is_complex():
            return np.array(to_numpy(leaf)), ""
        return None, f"{leaf.dtype} tensor, not differentiated"
    if isinstance(leaf, np.ndarray):
        if leaf.dtype.kind in "fc":
            return leaf, ""
        return None, f"{leaf.dtype} array, not differentiated"
    kind = "None" if leaf is None else type(leaf).__name__
    return None, f"{kind}, a constant to torch"


def kept(leaf: Any, device: Any) -> Any:
    """A constant as the layer takes it: a tensor of its own where it is an array or tensor."""
    torch = need("torch")

    if isinstance(leaf, torch.Tensor):
        return leaf.detach().clone()
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fciub":
        return torch.from_numpy(leaf.copy()).to(device)
    return leaf


class Tensors(Elsewhere):
    """Tensors on one device; they are moved in place."""

    def __init__(self, device: Any, call: Callable[[Sequence[Any]], Sequence[Any]]) -> None:
        self.xp, self.device, self.call = need("torch"), device, call

    def put(self, array: Array) -> Any:
        """A tensor of its own."""
        return as_tensor(array).to(self.device, copy=True)

    def take(self, array: Any) -> Array:
        """A copy, also of a tensor in this process's memory."""
        taken: Array = array.to("cpu", copy=True).numpy()
        return taken

    def run(self, values: Sequence[Any]) -> Sequence[Any]:
        """The layer as it runs in the check, so that it records what it always records."""
        return [y.detach() for y in self.call(values)]

    def flat(self, output: Any) -> Any:
        """See `Elsewhere`."""
        return output.to(self.xp.float64).reshape(-1)

    def copy(self, array: Any) -> Any:
        """A clone."""
        return array.clone()

    def replaced(self, array: Any, where: Any, numbers: Any) -> Any:
        """The same tensor, written."""
        array[where] = numbers
        return array

    def share(self, one: Any, other: Any) -> bool:
        """Whether they lie in one storage."""
        return bool(one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr() != 0)
