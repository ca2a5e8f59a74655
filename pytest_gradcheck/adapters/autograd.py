"""autograd: primitives with `defvjp`, what `grad` and its kin return, declared functions of `autograd.numpy`.

autograd's gradient of a complex number is the conjugate of dL/dRe + i dL/dIm, as jax's.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import FunctionType
from typing import Any

import numpy as np

from pytest_gradcheck.target import Array

from . import tree
from .binding import take_outputs, to_complex, to_real
from .extras import need
from .functions import FunctionsTarget


class AutogradTarget(FunctionsTarget):
    """A function traced by autograd at the values of the last forward."""

    convention = "autograd"

    @property
    def signature(self) -> Any:
        """A primitive's own function: autograd's wrapper has the name, but not the arguments."""
        return getattr(self.layer, "fun", self.layer)

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs at these values, which are kept for the backward."""
        self.values = [value.copy() for value in values]
        self.outputs = take_outputs(self.keep(self.run(values)), self.name)
        return self.outputs.arrays

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """What autograd's backward pass returns for the last values.

        One pass per argument: passed together they would be summed into arrays of the arguments' own shapes.
        """
        make_vjp = need("autograd.differential_operators").make_vjp
        gradients = []
        for argnum in range(len(self.arguments)):
            if self.outputs.several:
                pull, _ = make_vjp(lambda *leaves: self._total(leaves, upstream), argnum)(*self._leaves())
                gradients.append(self._shown(pull(1.0)))
                continue
            pull, _ = make_vjp(lambda *leaves: self._traced(leaves), argnum)(*self._leaves())
            given = self.outputs.upstream(upstream)
            gradients.append(self._shown(pull(np.conj(given) if np.iscomplexobj(given) else given)))
        return gradients

    def _leaves(self) -> list[Any]:
        shown = [np.iscomplexobj(leaf) for leaf in self.inputs.leaves]
        return [to_complex(v) if is_complex else v.copy() for v, is_complex in zip(self.values, shown, strict=True)]

    def _traced(self, leaves: Sequence[Any]) -> Any:
        return self.function(*self.inputs.placed(leaves), **self.kwargs)

    def _total(self, leaves: Sequence[Any], upstream: Sequence[Array]) -> Any:
        """Upstream times outputs, summed: autograd cannot start from a plain tuple of outputs."""
        anp = need("autograd.numpy")
        total, given = 0.0, iter(upstream)
        outputs = parts(self._traced(leaves), self.outputs.template)
        for y, kind in zip(outputs, self.outputs.kinds, strict=True):
            if kind == "complex":
                u = next(given)
                total = total + anp.sum(anp.real(y) * u[..., 0]) + anp.sum(anp.imag(y) * u[..., 1])
            elif kind == "real":
                total = total + anp.sum(y * next(given))
        return total

    @staticmethod
    def _shown(gradient: Any) -> Any:
        if not np.iscomplexobj(gradient):
            return gradient
        return to_real(np.conj(gradient))


def parts(value: Any, template: Any) -> list[Any]:
    """The leaves of a nested output; a primitive's tuple comes in a box, which can be indexed but is no tuple."""
    if not tree.is_container(template):
        return [value]
    keys = template if isinstance(template, dict) else range(len(template))
    return [leaf for key in keys for leaf in parts(value[key], template[key])]


def adapt(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> AutogradTarget | None:
    """A target around a function that autograd made: a primitive, or what `grad` returns; else None."""
    made = isinstance(layer, FunctionType) and str(layer.__globals__.get("__name__", "")).startswith("autograd.")
    return AutogradTarget(layer, inputs, kwargs) if made else None


def declared(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> AutogradTarget:
    """The target of a function of `autograd.numpy`; MissingExtra without autograd."""
    need("autograd")
    return AutogradTarget(layer, inputs, kwargs)
