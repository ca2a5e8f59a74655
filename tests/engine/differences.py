"""A central difference of a few lines: a second opinion on the engine that shares no code with the checker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Layer(Protocol):
    """What is differentiated here."""

    def forward(self, *inputs: Any) -> Array: ...

    def backward(self, upstream: Any) -> tuple[Array | None, ...]: ...


def numeric_gradient(f: Callable[[], float], x: Array, h: float = 1e-5) -> Array:
    """(f(x+h) - f(x-h)) / 2h for every entry of the float array x, which is moved in place and put back."""
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        kept = x[place]
        x[place] = kept + h
        above = f()
        x[place] = kept - h
        below = f()
        x[place] = kept
        gradient[place] = (above - below) / (2 * h)
    return gradient


def largest_error(layer: Layer, inputs: Sequence[Any], seed: int = 0) -> float:
    """The largest |declared - numeric| of all entries of all float inputs, over 1 + |numeric|; random upstream."""
    arrays = [np.array(x) for x in inputs]
    output = layer.forward(*arrays)
    upstream = np.random.default_rng(seed).uniform(0.5, 2.0, size=output.shape)
    declared = layer.backward(upstream)
    worst = 0.0
    for x, gradient in zip(arrays, declared, strict=True):
        if x.dtype.kind != "f":
            assert gradient is None
            continue
        assert gradient is not None and gradient.shape == x.shape
        numeric = numeric_gradient(lambda: float(np.sum(upstream * layer.forward(*arrays))), x)
        worst = max([worst, *np.ravel(np.abs(gradient - numeric) / (1 + np.abs(numeric)))])
    return worst
