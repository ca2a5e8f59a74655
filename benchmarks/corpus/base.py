"""The form of a case: one layer with a hand-written backward, right or wrong, and inputs to test it on.

A checker is scored on two counts: it must reject every wrong case and accept every right one. The inputs are
those on which the author of the layer would test it; what a bug needs beyond them (a second call, a
transposed upstream, a look at the dtype) a good checker does by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Gradients = tuple[Any, ...]
Draw = Callable[[np.random.Generator], tuple[Array, ...]]

#: The words for bugs. A wrong case has one, and may list others that are as true in `also`.
TAXONOMY = {
    "factor": "off by a constant factor (2, 1/2, 1/N, missing mean)",
    "sign": "wrong sign, everywhere or on a part",
    "transpose": "transposed, or axes in the wrong order",
    "upstream": "upstream gradient ignored, or used twice",
    "local": "wrong local derivative (f' at the wrong point, a wrong formula)",
    "term": "a term of a sum is missing (a path through mean/variance, a regulariser, a product-rule half)",
    "reduction": "broadcast or batch axis not summed, or summed over the wrong axis",
    "accumulate": "repeated use overwritten instead of accumulated (fan-out, repeated indices)",
    "route": "max/min/clip/where routes to the wrong place, or splits ties wrongly",
    "swap": "the gradients of two inputs exchanged",
    "stale": "cache from an earlier call, or clobbered between forward and backward",
    "mutation": "an input or the upstream is changed in place",
    "region": "wrong only on a part of the domain (negative values, a border, an odd size, a large value)",
    "dtype": "precision or dtype lost on the way (float32 inside a float64 layer, integer division)",
    "shape": "wrong shape returned (squeezed, broadcast, flattened)",
    "small": "right but for a small relative error (a rounded constant, an approximated derivative)",
    "nonfinite": "NaN or infinity where the true gradient is finite",
    "random": "different randomness in forward and backward",
    "zero": "gradient missing (zero or None) where it is not zero",
}

#: Words for breaches of the protocol, as opposed to a wrong number.
CONTRACT_WORDS = ("stale", "mutation", "dtype", "shape", "nonfinite", "random")


class Layer(Protocol):
    """A layer as people write it: forward caches what backward needs."""

    def forward(self, *inputs: Array) -> Array:
        """Output of the layer; every input is a float array that is differentiated."""

    def backward(self, upstream: Array) -> Sequence[Any]:
        """Downstream gradient of each input, in order, for the last forward call."""


@dataclass(frozen=True, slots=True)
class Case:
    """One layer, its inputs, and whether its backward is right.

    name: kebab-case, unique in the whole corpus.
    origin: where it comes from: "owner/repo#123", "owner/repo@commit", "textbook" or "made".
    bug: a word of `TAXONOMY`; None where the backward is right.
    make: a fresh layer.
    inputs: draws the inputs.
    note: one sentence: what is wrong, or why it is hard to accept.
    also: other words that are as true as `bug`.
    settings: what a user has to tell the check about this layer. A domain is given by its word ("symmetric"), so
        that the corpus can be read without the package.
    derivative_of: the forward that backward is meant to belong to, where that is not the layer's own (a surrogate).
    shapes, domains: for generated inputs, by argument: "B I", "positive".
    """

    name: str
    origin: str
    bug: str | None
    make: Callable[[], Any]
    inputs: Draw
    note: str = ""
    also: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    derivative_of: Callable[..., Array] | None = None
    shapes: Mapping[str, str] = field(default_factory=dict)
    domains: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> tuple[str, ...]:
        """Every word that names this bug truly; empty for a right case."""
        return () if self.bug is None else (self.bug, *self.also)
