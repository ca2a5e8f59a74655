"""An object with `forward(*inputs)` (or `__call__`) and `backward(upstream)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_gradcheck.target import Array, Target

from .binding import Inputs, Outputs, apart, input_names, take_outputs


class ObjectTarget(Target):
    """A layer that keeps what its backward needs in itself."""

    convention = "object with forward and backward"
    outputs: Outputs

    def __init__(self, layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.layer, self.kwargs = layer, kwargs
        self.name = type(layer).__name__
        self.inputs = Inputs(inputs, input_names(forward_of(layer), len(inputs)))
        self.arguments = self.inputs.arguments
        self.passed_through, self.positions = self.inputs.passed_through, self.inputs.names

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs at these values."""
        out = forward_of(self.layer)(*self.inputs.rebuilt(values), **self.kwargs)
        self.outputs = take_outputs(self.keep(out), self.name)
        return self.outputs.arrays

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """What the layer's backward returns for the last forward."""
        return self.inputs.gradients(self.pull(upstream))

    def pull(self, upstream: Sequence[Array]) -> Any:
        """The layer's backward, with the upstream nested as it takes it."""
        given = self.outputs.upstream(upstream)
        backward = self.layer.backward
        return backward(*given) if apart(backward, self.outputs) else backward(given)


def forward_of(layer: Any) -> Any:
    """The layer's forward: its method of that name, else its `__call__`."""
    return getattr(layer, "forward", None) or layer.__call__


def missing(layer: Any) -> str | None:
    """What keeps an object from being such a layer; None where nothing does."""
    if isinstance(layer, type):
        return f"{layer.__name__} is a class: give an instance, {layer.__name__}()"
    has_forward = callable(getattr(layer, "forward", None)) or callable(layer)
    has_backward = callable(getattr(layer, "backward", None))
    if has_forward and has_backward:
        return None
    words = ("has " if has_forward else "no ") + "forward", ("has " if has_backward else "no ") + "backward"
    return ", ".join(words)


def adapt(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Target | None:
    """A target around such an object, or None."""
    return ObjectTarget(layer, inputs, kwargs) if missing(layer) is None else None
