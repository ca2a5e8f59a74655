"""A pair of functions: `forward(*inputs) -> (output, cache)` and `backward(upstream, cache) -> gradients`.

Several outputs are a tuple, or stand before the cache: `(h, c, cache)` with `backward(dh, dc, cache)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from pytest_gradcheck.errors import LayerError
from pytest_gradcheck.target import Array, Target

from .binding import Bound, Inputs, apart, input_names, positional_names, take_outputs

#: How authors name what forward hands to backward.
CACHE = re.compile(r"cache|ctx|context|saved|resid|memo|tape")


class PairTarget(Bound):
    """A layer of two functions that hand a cache from one to the other."""

    convention = "pair of functions with a cache"
    cache: Any

    def __init__(self, layer: tuple[Any, Any], inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.layer, self.kwargs = layer, kwargs
        self.name = pair_name(layer[0])
        self.bind(Inputs(inputs, input_names(layer[0], len(inputs)), owner=self.name))

    def spoilt(self) -> Sequence[tuple[str, Array, Array]]:
        """What the layer wrote into among the inputs that are passed through."""
        return self.inputs.spoilt()

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs at these values; the cache is kept."""
        out, self.cache = self._parted(self.layer[0](*self.inputs.rebuilt(values), **self.kwargs))
        self.outputs = take_outputs(self.keep(out), self.name)
        return self.outputs.arrays

    def steady(self, values: Sequence[Array]) -> Callable[[], Sequence[Array]] | None:
        """The pair's forward at these very arrays; its caches are let go."""
        forward, self.cache = self.layer[0], None
        return self.prepared(lambda *given, **kwargs: self._parted(forward(*given, **kwargs))[0], values)

    def _parted(self, returned: Any) -> tuple[Any, Any]:
        """What a pair's forward returns, as (output, cache)."""
        if isinstance(returned, tuple) and self._is_flat(len(returned)):
            returned = returned[:-1], returned[-1]
        if not isinstance(returned, tuple) or len(returned) != 2:
            what = f"{len(returned)} values" if isinstance(returned, tuple) else type(returned).__name__
            raise LayerError(f"forward of {self.name} returned {what}: a pair's forward returns (output, cache)")
        return returned

    def _is_flat(self, number: int) -> bool:
        """Whether so many values are several outputs with the cache after them, as the names in backward say."""
        names = positional_names(self.layer[1])
        return number > 2 and len(names) == number and bool(CACHE.search(names[-1]))

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """What the pair's backward returns for the last forward's cache."""
        given = self.outputs.upstream(upstream)
        backward = self.layer[1]
        one_each = apart(backward, self.outputs, more=1)
        return self.inputs.gradients(backward(*given, self.cache) if one_each else backward(given, self.cache))


def pair_name(forward: Any) -> str:
    """The name of the pair: that of its forward, without the suffix."""
    name = getattr(forward, "__name__", type(forward).__name__)
    return name.removesuffix("_forward") or name


def missing(layer: Any) -> str | None:
    """What keeps an object from being such a pair; None where nothing does."""
    if not isinstance(layer, tuple):
        return "not a tuple (forward, backward)"
    if len(layer) != 2:
        return f"a tuple of {len(layer)}, not (forward, backward)"
    for word, function in zip(("forward", "backward"), layer, strict=True):
        if not callable(function):
            return f"its {word} is a {type(function).__name__}, not a function"
    return None


def adapt(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Target | None:
    """A target around such a pair, or None."""
    return PairTarget(layer, inputs, kwargs) if missing(layer) is None else None
