"""A surrogate: a layer whose backward is, on purpose, that of another forward (a straight-through estimator)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.errors import InvalidInput, LayerError
from pytest_gradcheck.target import Array
from pytest_gradcheck.verdict import Clause

from .binding import Inputs, take_outputs
from .wrapped import Wrapped


class SurrogateTarget(Wrapped):
    """A layer's declared backward, checked against another forward.

    The layer's own forward still runs before each backward, which needs what it keeps.
    """

    convention = "surrogate"

    def __init__(
        self, layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any], *, forward: Callable[..., Any], reason: str
    ) -> None:
        from . import adapt_any

        super().__init__(adapt_any(layer, inputs, kwargs))
        self.surrogate, self.kwargs = forward, kwargs
        held = [a.name for a in self.arguments if a.role == "parameter"]
        if held:
            raise InvalidInput(f"a surrogate takes inputs only, {self.name} holds {', '.join(held)}: pass them in")
        self.inputs = Inputs(inputs, self.positions or [a.name for a in self.arguments])
        self.remarks = (*self.remarks, f"checked against the surrogate {_name(forward)}: {reason}")

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs of the surrogate."""
        self.values = [value.copy() for value in values]
        return take_outputs(self.surrogate(*self.inputs.rebuilt(values), **self.kwargs), _name(self.surrogate)).arrays

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """What the layer declares, after its own forward at the same values."""
        own = self.inner.forward([value.copy() for value in self.values])
        if [y.shape for y in own] != [u.shape for u in upstream]:
            shapes = f"{[np.shape(u) for u in upstream]}, that of {self.name} {[y.shape for y in own]}"
            raise LayerError(f"the output of the surrogate {_name(self.surrogate)} has shapes {shapes}")
        return self.inner.backward(upstream)

    def own_clauses(self, upstream: Sequence[Array]) -> tuple[Clause, ...]:
        """None: those of the layer are about its own forward."""
        return ()


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)
