"""The form of a telling case: a layer that is wrong at particular inputs alone, and its right twin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Telling:
    """One bug.

    when: the inputs that show it, in a few words. make: a fresh layer; wrong or right.
    entries: how many entries a smallest example has, all arrays together, an earlier call's apart.
    words: what the check must be told of the layer.
    """

    name: str
    when: str
    make: Callable[[bool], Any]
    given: Mapping[str, str]
    entries: int
    domain: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, Any] = field(default_factory=dict)
    dtypes: Any = ("float64",)
    words: Mapping[str, Any] = field(default_factory=dict)


class Layer:
    """A layer that knows whether it is to be wrong; subclasses write forward and backward."""

    def __init__(self, wrong: bool) -> None:
        self.wrong = wrong

    def forward(self, *inputs: Array) -> Array:
        raise NotImplementedError

    def backward(self, upstream: Array) -> Any:
        raise NotImplementedError


class Entrywise(Layer):
    """A function of one array, entry by entry, with its slope and the slope that was written by mistake."""

    def __init__(
        self,
        wrong: bool,
        value: Callable[[Array], Array],
        slope: Callable[[Array], Array],
        mistaken: Callable[[Array], Array],
    ) -> None:
        super().__init__(wrong)
        self.value, self.slope = value, mistaken if wrong else slope

    def forward(self, *inputs: Array) -> Array:
        (self.x,) = inputs
        return self.value(self.x)

    def backward(self, upstream: Array) -> Array:
        with np.errstate(all="ignore"):
            return upstream * self.slope(self.x)


def entrywise(
    value: Callable[[Array], Array], slope: Callable[[Array], Array], mistaken: Callable[[Array], Array]
) -> Callable[[bool], Entrywise]:
    """How to make such a layer, wrong or right."""
    return lambda wrong: Entrywise(wrong, value, slope, mistaken)
