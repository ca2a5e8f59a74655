"""An objective of an optimiser: `fun` with `jac`, and its Hessian as a matrix (`hess`) or a product (`hessp`).

Each declared derivative is one argument of the target, a copy of x of its own: `x` through fun and jac, `x (hess)`
and `x (hessp)` through jac and the Hessian. So a finding names the function that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.errors import InvalidInput, LayerError
from pytest_gradcheck.target import Argument, Array, Target

from .binding import as_differentiable, input_names
from .functions import as_array, name_of, scalar, times, what

Function = Callable[..., Any]


class ObjectiveTarget(Target):
    """`fun(x, *args)` with `jac(x, *args)`, `hess(x, *args)` and `hessp(x, p, *args)`, as scipy.optimize takes them.

    Only x, the first input, is differentiated; the rest are extra arguments.
    """

    convention = "objective"

    def __init__(
        self,
        layer: tuple[Function, Function, Function | None, Function | None],
        inputs: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self.layer, self.kwargs = layer, kwargs
        self.name = name_of(layer[0])
        names = input_names(layer[0], len(inputs))
        x, reason = as_differentiable(inputs[0]) if inputs else (None, "no input")
        if x is None:
            raise InvalidInput(f"the first input of {self.name} is no float array ({reason}): cast it to float")
        self.rest = inputs[1:]
        self.declared = [word for word, f in zip(("hess", "hessp"), layer[2:], strict=True) if f is not None]
        self.arguments = tuple(Argument(n, x) for n in (names[0], *(f"{names[0]} ({word})" for word in self.declared)))
        self.passed_through = tuple((name, "extra argument of an objective") for name in names[1:])
        self.positions = tuple(names)

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The value at the first x, then the gradient at the x of each Hessian."""
        self.values = [value.copy() for value in values]
        value = scalar(self.layer[0](values[0], *self.rest, **self.kwargs), self.name)
        return (value, *(self._gradient(x) for x in values[1:]))

    def _gradient(self, x: Array) -> Array:
        gradient = as_array(self.layer[1](x, *self.rest, **self.kwargs))
        if not isinstance(gradient, np.ndarray) or gradient.shape != x.shape:
            shown = f"shape {gradient.shape}" if isinstance(gradient, np.ndarray) else what(gradient)
            raise LayerError(f"jac of {self.name} returned {shown}: return an array of the shape of x, {x.shape}")
        return gradient

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """Upstream times jac at the first x, upstream times Hessian at the others."""
        gradients = [times(as_array(self.layer[1](self.values[0], *self.rest, **self.kwargs)), upstream[0])]
        for word, x, u in zip(self.declared, self.values[1:], upstream[1:], strict=True):
            if word == "hess":
                gradients.append(through(as_array(self.layer[2](x, *self.rest, **self.kwargs)), u, x))
            else:
                # A Hessian is symmetric, so its product with u is u times it.
                gradients.append(as_array(self.layer[3](x, u, *self.rest, **self.kwargs)))
        return gradients


class JacobianTarget(Target):
    """`f(*inputs)` with `jac(*inputs)`: one (m, n) matrix, or one per input; dense, sparse or a linear operator."""

    convention = "jacobian"

    def __init__(self, layer: tuple[Function, Function], inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        from .binding import Inputs

        self.layer, self.kwargs = layer, kwargs
        self.name = name_of(layer[0])
        self.inputs = Inputs(inputs, input_names(layer[0], len(inputs)))
        self.arguments = self.inputs.arguments
        self.passed_through, self.positions = self.inputs.passed_through, self.inputs.names

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The output at these values, which are kept for the Jacobian."""
        from .binding import take_outputs

        self.values = [value.copy() for value in values]
        outputs = take_outputs(self.layer[0](*self.inputs.rebuilt(values), **self.kwargs), self.name).arrays
        if len(outputs) != 1:
            raise LayerError(f"{self.name} returned {len(outputs)} arrays: a declared Jacobian has one output")
        return outputs

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """Upstream times Jacobian, for each input."""
        declared = self.layer[1](*self.inputs.rebuilt(self.values), **self.kwargs)
        # Of one input the rows may be lists; of several a tuple has one Jacobian each.
        if len(self.positions) == 1:
            declared = as_array(declared)
        elif isinstance(declared, (tuple, list)):
            declared = tuple(map(as_array, declared))
        parts = self.inputs.gradients(declared)
        if len(parts) != len(self.values):
            return parts
        return [through(part, upstream[0], x) for part, x in zip(parts, self.values, strict=True)]


def through(jacobian: Any, upstream: Array, x: Array) -> Any:
    """Upstream times Jacobian, in the shape of x.

    jacobian: (m, n) for m outputs and n entries of x, or the output's shape followed by that of x. What has another
    shape comes in that shape, which the contract names; only that it is zero where the upstream is. What is no matrix
    comes as it is.
    """
    shape = getattr(jacobian, "shape", None)
    if shape == (upstream.size, x.size):
        product = jacobian.T @ upstream.ravel()
        return np.asarray(product).reshape(x.shape)
    if isinstance(jacobian, np.ndarray) and shape == upstream.shape + x.shape:
        return np.tensordot(upstream, jacobian, upstream.ndim)
    return jacobian * upstream.sum() if isinstance(jacobian, np.ndarray) else jacobian
