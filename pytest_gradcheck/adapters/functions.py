"""Functions that declare their gradient in another form than a cache: pullback, value with gradient, derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.errors import LayerError
from pytest_gradcheck.target import Array

from .binding import Bound, Inputs, apart, as_differentiable, input_names, take_outputs


class FunctionsTarget(Bound):
    """What the conventions of this file share: one function to run, inputs by its signature."""

    def __init__(self, layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.layer, self.kwargs = layer, kwargs
        self.name = name_of(self.function)
        self.bind(Inputs(inputs, input_names(self.signature, len(inputs)), owner=self.name))

    def spoilt(self) -> Sequence[tuple[str, Array, Array]]:
        """What the layer wrote into among the inputs that are passed through."""
        return self.inputs.spoilt()

    @property
    def function(self) -> Callable[..., Any]:
        """What is called with the inputs."""
        function: Callable[..., Any] = self.layer
        return function

    @property
    def signature(self) -> Any:
        """What is asked for the names of the inputs."""
        return self.function

    def run(self, values: Sequence[Array]) -> Any:
        """What the function returns at these values."""
        return self.function(*self.inputs.rebuilt(values), **self.kwargs)


class PullbackTarget(FunctionsTarget):
    """`f(*inputs) -> (output, pullback)` with `pullback(upstream) -> gradients`."""

    convention = "pullback"
    pullback: Callable[..., Any]

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs at these values; the pullback is kept."""
        returned = self.run(values)
        if not is_pulled(returned):
            raise LayerError(f"{self.name} returned {what(returned)}, not (output, pullback)")
        out, self.pullback = returned
        self.outputs = take_outputs(self.keep(out), self.name)
        return self.outputs.arrays

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """What the last pullback returns."""
        given = self.outputs.upstream(upstream)
        one_each = apart(self.pullback, self.outputs)
        return self.inputs.gradients(self.pullback(*given) if one_each else self.pullback(given))


class ValueTarget(FunctionsTarget):
    """`fun(*inputs) -> (value, gradient)`, as `scipy.optimize.minimize(jac=True)` takes it."""

    convention = "value and gradient"
    gradient: Any

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The value at these inputs; the gradient is kept."""
        returned = self.run(values)
        if not isinstance(returned, (tuple, list)) or len(returned) != 2:
            raise LayerError(f"{self.name} returned {what(returned)}, not (value, gradient)")
        self.gradient = self._as_input(returned[1])
        return (scalar(returned[0], self.name),)

    def _as_input(self, gradient: Any) -> Any:
        """The gradient of a single input that was put together from plain numbers, as an array."""
        made = as_array(gradient) if len(self.positions) == 1 else gradient
        fits = isinstance(made, np.ndarray) and len(self.arguments) == 1 and made.shape == self.arguments[0].value.shape
        return made if fits else gradient

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """The gradient of the last call times the upstream, a number."""
        return [times(g, upstream[0]) for g in self.inputs.gradients(self.gradient)]


class ElementwiseTarget(FunctionsTarget):
    """A pair `f(x)`, `derivative(x)` of functions that work entry by entry, as activations do."""

    convention = "elementwise function and derivative"

    @property
    def function(self) -> Callable[..., Any]:
        """The function itself; the derivative stands after it."""
        function: Callable[..., Any] = self.layer[0]
        return function

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The function at these values, which are kept for the derivative."""
        self.values = [value.copy() for value in values]
        return take_outputs(self.keep(self.run(values)), self.name).arrays

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """Upstream times derivative, entry by entry; a derivative of another shape comes as it is."""
        derivatives = self.inputs.gradients(self.layer[1](*self.inputs.rebuilt(self.values), **self.kwargs))
        return [d * upstream[0] if np.shape(d) == np.shape(upstream[0]) else d for d in derivatives]


def scalar(value: Any, name: str) -> Array:
    """The value as an array of one entry; LayerError where it is no number."""
    array, reason = as_differentiable(value.item() if isinstance(value, np.generic) else value)
    if array is None or array.size != 1:
        shown = reason.split(",")[0] if array is None else f"shape {array.shape}"
        raise LayerError(f"the value of {name} is of {shown}: an objective returns one float")
    return array


def as_array(gradient: Any) -> Any:
    """A list or tuple of numbers or rows as an array, as an optimiser takes it; anything else as it is."""
    if not isinstance(gradient, (list, tuple)):
        return gradient
    try:
        made = np.asarray(gradient)
    except ValueError:
        return gradient
    return made.astype(np.float64) if made.dtype.kind in "iuf" else gradient


def times(gradient: Any, upstream: Array) -> Any:
    """A gradient times an upstream of one number, in the gradient's own dtype; what is no array comes as it is."""
    if isinstance(gradient, (np.ndarray, np.generic, float)):
        return gradient * upstream.item()
    return gradient


def is_pulled(returned: Any) -> bool:
    """Whether a value is (output, pullback)."""
    return isinstance(returned, tuple) and len(returned) == 2 and callable(returned[1]) and not callable(returned[0])


def what(returned: Any) -> str:
    """A returned value in a word or two."""
    if isinstance(returned, (tuple, list)):
        return f"a {type(returned).__name__} of {len(returned)}"
    return "None" if returned is None else type(returned).__name__


def name_of(function: Any) -> str:
    """A function's name, or its type's."""
    return getattr(function, "__name__", None) or type(function).__name__
