"""An object with `forward(*inputs)` (or `__call__`) and `backward(upstream)`, or `backward()` of a loss."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import MethodType
from typing import Any

from pytest_gradcheck.errors import LayerError
from pytest_gradcheck.target import Array, Target

from .binding import Bound, Inputs, apart, input_names, take_outputs
from .functions import times


class ObjectTarget(Bound):
    """A layer that keeps what its backward needs in itself."""

    convention = "object with forward and backward"
    #: Whether the backward that was last asked takes no upstream.
    alone = False

    def __init__(self, layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.layer, self.kwargs = layer, kwargs
        self.name = type(layer).__name__
        self.bind(Inputs(inputs, input_names(forward_of(layer), len(inputs)), owner=self.name))

    def spoilt(self) -> Sequence[tuple[str, Array, Array]]:
        """What the layer wrote into among the inputs that are passed through."""
        return self.inputs.spoilt()

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs at these values."""
        out = forward_of(self.layer)(*self.inputs.rebuilt(values), **self.kwargs)
        self.outputs = take_outputs(self.keep(out), self.name)
        return self.outputs.arrays

    def steady(self, values: Sequence[Array]) -> Callable[[], Sequence[Array]] | None:
        """The layer's forward at these very arrays."""
        return self.prepared(forward_of(self.layer), values)

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """What the layer's backward returns for the last forward."""
        return self.scaled(self.inputs.gradients(self.pull(upstream)), upstream)

    def pull(self, upstream: Sequence[Array]) -> Any:
        """The layer's backward, with the upstream nested as it takes it."""
        backward = self.layer.backward
        self.alone = takes_nothing(backward)
        if self.alone:
            return self._of_value(backward)
        if self.outputs.plain and len(upstream) == 1:  # by far the most: an upstream is one array
            return backward(upstream[0])
        given = self.outputs.upstream(upstream)
        return backward(*given) if apart(backward, self.outputs) else backward(given)

    def _of_value(self, backward: Any) -> Any:
        """What a loss declares whose backward takes no upstream: the gradient of the one number it returns."""
        shapes = [y.shape for y in self.outputs.arrays]
        if len(shapes) != 1 or self.outputs.arrays[0].size != 1:
            made = f"its forward returns {', '.join(map(str, shapes))}"
            raise LayerError(
                f"backward of {self.name} takes no upstream, and {made}: only of one number can it be left out"
            )
        return backward()

    def scaled(self, gradients: list[Any], upstream: Sequence[Array]) -> list[Any]:
        """The gradients times the upstream that backward did not take; otherwise as they are."""
        return [times(g, upstream[0]) for g in gradients] if self.alone else gradients


def takes_nothing(backward: Any) -> bool:
    """Whether a method takes no argument besides its object."""
    return isinstance(backward, MethodType) and _alone(backward.__func__)


@lru_cache(maxsize=512)
def _alone(function: Any) -> bool:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    return len(parameters) == 1 and parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL


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
