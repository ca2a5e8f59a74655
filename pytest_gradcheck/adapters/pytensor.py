"""pytensor: an `Op` with `pullback`, or `L_op` as it was called before.

The Op's own method builds the graph of its gradient; both graphs are compiled once per dtype, without rewrites and
without C, so that what runs is what the Op says.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.errors import LayerError
from pytest_gradcheck.target import Array, Target

from .binding import Inputs, input_names, take_outputs
from .extras import need


class OpTarget(Target):
    """An Op and the gradient graph that it declares."""

    convention = "pytensor Op"

    def __init__(self, layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.layer, self.kwargs = layer, kwargs
        self.name = type(layer).__name__
        self.inputs = Inputs(inputs, input_names(layer.make_node, len(inputs)))
        self.arguments = self.inputs.arguments
        self.passed_through, self.positions = self.inputs.passed_through, self.inputs.names
        self.compiled: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs at these values, which are kept for the backward."""
        self.values = list(self.inputs.rebuilt([value.copy() for value in values]))
        run, self.pull = self._functions(self.values)
        given = self.inputs.rebuilt(values)
        out = run(*(given[i] for i in self._arrays))
        self.outputs = take_outputs(self.keep(tuple(out) if len(out) > 1 else out[0]), self.name)
        return self.outputs.arrays

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """What the Op's gradient graph gives at the last values."""
        given = self.outputs.upstream(upstream)
        ups = given if self.outputs.several else (given,)
        returned, wanted = self.pull
        numbers = iter(returned(*(self.values[i] for i in self._arrays), *ups) if returned is not None else ())
        return self.inputs.gradients(tuple(next(numbers) if want else None for want in wanted))

    @property
    def _arrays(self) -> list[int]:
        return [i for i, value in enumerate(self.values) if isinstance(value, np.ndarray)]

    def _functions(self, values: Sequence[Any]) -> tuple[Any, Any]:
        key = tuple((v.dtype.str, v.ndim) if isinstance(v, np.ndarray) else None for v in values)
        if key not in self.compiled:
            self.compiled[key] = self._compile(values)
        return self.compiled[key]

    def _compile(self, values: Sequence[Any]) -> tuple[Any, Any]:
        pytensor, pt = need("pytensor"), need("pytensor.tensor")
        mode = need("pytensor.compile.mode").Mode(linker="py", optimizer=None)
        plain = {"mode": mode, "on_unused_input": "ignore"}
        symbols = [
            pt.tensor(dtype=str(v.dtype), shape=(None,) * v.ndim) if isinstance(v, np.ndarray) else pt.as_tensor(v)
            for v in values
        ]
        out = self.layer(*symbols, **self.kwargs)
        outputs = list(out) if isinstance(out, (list, tuple)) else [out]
        given = [s for s, v in zip(symbols, values, strict=True) if isinstance(v, np.ndarray)]
        upstreams = [y.type() for y in outputs]
        gradients = self._gradients(symbols, outputs, upstreams)
        wanted = [g is not None for g in gradients]
        found = [g for g in gradients if g is not None]
        pull = pytensor.function([*given, *upstreams], found, **plain) if found else None
        return pytensor.function(given, outputs, **plain), (pull, wanted)

    def _gradients(self, symbols: list[Any], outputs: list[Any], upstreams: list[Any]) -> list[Any]:
        types = need("pytensor.gradient")
        method = getattr(self.layer, "pullback", None) or self.layer.L_op
        with warnings.catch_warnings():
            # L_op is on its way out, which is no business of who checks it.
            warnings.simplefilter("ignore", FutureWarning)
            declared = list(method(symbols, outputs, upstreams))
        for i, g in enumerate(declared):
            kind = getattr(g, "type", None)
            if isinstance(kind, types.NullType) and i in self._differentiated(symbols):
                raise LayerError(f"{self.name} has no gradient for input {i} ({kind.why_null}): leave it out by wrt")
            declared[i] = None if g is None or isinstance(kind, (types.DisconnectedType, types.NullType)) else g
        return declared

    def _differentiated(self, symbols: list[Any]) -> list[int]:
        return [i for i, symbol in enumerate(symbols) if symbol.type.dtype.startswith(("float", "complex"))]


def adapt(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Target | None:
    """A target around an Op, or None."""
    op: Any = getattr(sys.modules.get("pytensor.graph.op"), "Op", None)
    return OpTarget(layer, inputs, kwargs) if op is not None and isinstance(layer, op) else None
