"""One layer of a suite: what makes it, its inputs, and its known failures. Nothing is made before the first test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import signatures
from .signatures import Arguments, is_pair, layer_name, makes_layers, plain_name


class LayerCase:
    """A layer for `parametrize_layers`, with all that a tuple `(layer, *inputs)` cannot say.

    layer: a layer as `check` takes it; a class, a `functools.partial` of one, or a function without arguments makes
        it at the first test. `partial(Affine, 3, 4)` keeps the names of forward's arguments, a lambda does not.
    inputs: a tuple of the inputs, or a function that returns one; None for inputs that are declared beside the layer
        (`__gradcheck__`), or found by trying small shapes.
    name: as it stands in the tests' ids.
    known: known failures, clause -> reason; such a test must fail (a strict xfail).
    wrt, kwargs, settings: as `check` takes them.

    >>> import numpy as np
    >>> LayerCase(np.tanh, inputs=(np.zeros(3),), known={"gradient-x": "never written"}).name
    'tanh'
    """

    def __init__(
        self,
        layer: Any,
        inputs: tuple[Any, ...] | Callable[[], Any] | None = None,
        *,
        name: str | None = None,
        known: Mapping[str, str] | None = None,
        wrt: Any = None,
        kwargs: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.layer, self.inputs = layer, inputs
        self.name = plain_name(name or layer_name(layer))
        self.known = dict(known or {})
        self.wrt, self.kwargs, self.settings = wrt, dict(kwargs or {}), settings

    def arguments(self) -> tuple[str, ...] | None:
        """Names of the arguments that are differentiated, as far as can be told now; None where nothing can."""
        found = self._signature()
        if found is None or (found.open and not found.names and not isinstance(self.inputs, tuple)):
            return None
        names = found.of(len(self.inputs)) if isinstance(self.inputs, tuple) else found.names
        if self.wrt is None:
            return names
        wanted = [self.wrt] if isinstance(self.wrt, (str, int)) else list(self.wrt)
        chosen = [names[w] if isinstance(w, int) and w < len(names) else w for w in wanted]
        return tuple(name for name in names if name in chosen)

    def _signature(self) -> Arguments | None:
        # Of a function that makes the layer nothing can be told.
        if makes_layers(self.layer) and signatures.forward_arguments(self.layer) == Arguments((), 0):
            return None
        return signatures.forward_arguments(self.layer)

    def made(self) -> tuple[Any, tuple[Any, ...] | None]:
        """The layer, made now, and its inputs; None for inputs that nobody gave."""
        layer = self.layer() if makes_layers(self.layer) and self.inputs is not None else self.layer
        inputs = self.inputs() if callable(self.inputs) else self.inputs
        return layer, inputs if inputs is None or isinstance(inputs, tuple) else (inputs,)

    def __repr__(self) -> str:
        return f"<case {self.name}>"


def as_case(element: Any) -> LayerCase:
    """An element of the list: a case, `(layer, *inputs)`, or a layer whose inputs are declared or guessed."""
    if isinstance(element, LayerCase):
        return element
    if isinstance(element, tuple) and element and not is_pair(element):
        return LayerCase(element[0], element[1:])
    return LayerCase(element)
