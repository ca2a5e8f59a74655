"""A small plugin package: an imaginary framework whose layers are called `Tile`, and its adapter.

A real one names this module in its entry points:

    [project.entry-points.pytest_gradcheck]
    tiles = "tiles"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import pytest_gradcheck
from pytest_gradcheck.target import Argument, Array, Target


class Tile:
    """A layer that repeats its input, in a convention of its own: `run` and `fold`."""

    def __init__(self, times: int, sign: float = 1.0) -> None:
        self.times, self.sign = times, sign

    def run(self, x: Array) -> Array:
        return np.tile(x, self.times)

    def fold(self, upstream: Array) -> Array:
        folded: Array = self.sign * upstream.reshape(self.times, -1).sum(0)
        return folded


class TileTarget(Target):
    convention = "tile"

    def __init__(self, layer: Tile, x: Array) -> None:
        self.layer, self.name = layer, "Tile"
        self.arguments = (Argument("x", x),)

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        return (self.layer.run(values[0]),)

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        return [self.layer.fold(upstream[0])]


@pytest_gradcheck.hookimpl
def gradcheck_adapt_layer(layer: Any, inputs: Sequence[Any], kwargs: Mapping[str, Any]) -> Target | None:
    return TileTarget(layer, inputs[0]) if isinstance(layer, Tile) else None
