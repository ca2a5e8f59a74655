"""The layers that every checker is put to, at any number of entries, right or with one entry wrong by a given part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from benchmarks.corpus.base import Array, Case, Gradients
from benchmarks.corpus.book import Pair, normal
from benchmarks.corpus.made.series import blocks


class Elementwise:
    """y = tanh(x), as many outputs as inputs; it keeps one array of its size."""

    def __init__(self) -> None:
        self.y = np.empty(0)

    def forward(self, x: Array) -> Array:
        self.y = np.tanh(x)
        return self.y

    def backward(self, upstream: Array) -> Gradients:
        slope = self.y * self.y
        np.subtract(1.0, slope, out=slope)
        slope *= upstream
        return (slope,)


class Blocks(Pair):
    """Ten outputs, each the sum of a tenth of the terms tanh(x w): few outputs are in favour of the others."""

    def __init__(self, entries: int) -> None:
        super().__init__(*blocks(entries)[:2])


class Layer(Protocol):
    """What the layers above are; the adapters of the other checkers expect the gradients in a tuple."""

    def forward(self, x: Array) -> Array: ...

    def backward(self, upstream: Array) -> Gradients: ...


class Scaled:
    """A right layer with one entry of its gradient off by a part of itself."""

    def __init__(self, layer: Layer, entry: int, error: float) -> None:
        self.layer, self.entry, self.error = layer, entry, error
        self.forward = layer.forward

    def backward(self, upstream: Array) -> Gradients:
        (gradient,) = self.layer.backward(upstream)
        gradient[self.entry] *= 1 + self.error
        return (gradient,)


#: By name, a fresh layer of so many entries.
LAYERS: dict[str, Callable[[int], Layer]] = {"blocks": Blocks, "elementwise": lambda entries: Elementwise()}


def case(layer: str, entries: int, error: float = 0.0) -> Case:
    """A layer as the corpus writes it down; an error is planted in the entry two thirds on."""

    def make() -> Layer:
        right = LAYERS[layer](entries)
        return Scaled(right, 2 * entries // 3, error) if error else right

    bug = "small" if error else None
    return Case(f"{layer}-{entries}", "made", bug, make, normal(entries), f"{layer}, {entries} entries")
