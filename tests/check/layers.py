"""Small layers to check, and wrong twins of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Function = Callable[[Any], Any]


class Unary:
    """y = f(x), entry by entry, and the slope that its author declares."""

    def __init__(self, f: Function, slope: Function) -> None:
        self.f, self.slope = f, slope

    def forward(self, x: Array) -> Any:
        self.x = x
        return self.f(x)

    def backward(self, upstream: Array) -> Any:
        return upstream * self.slope(self.x)


def tanh(factor: float = 1.0) -> Unary:
    """tanh; `factor` makes the declared gradient wrong."""
    return Unary(np.tanh, lambda x: factor * (1 - np.tanh(x) ** 2))


class Dense:
    """y = tanh(x W + b), one row of x per example; `wrong` is added to the gradient of the argument of that name."""

    def __init__(self, **wrong: Any) -> None:
        self.wrong = wrong

    def forward(self, x: Array, W: Array, b: Array) -> Any:
        self.x, self.W = x, W
        self.y = np.tanh(x @ W + b)
        return self.y

    def backward(self, upstream: Array) -> list[Array]:
        delta = upstream * (1 - self.y**2)
        gradients = {"x": delta @ self.W.T, "W": self.x.T @ delta, "b": delta.sum(0)}
        return [g + self.wrong.get(name, 0.0) for name, g in gradients.items()]


class Entries:
    """Ten outputs, each the sum of scales * tanh of its share of the inputs; `errors` are added to the gradient."""

    def __init__(self, scales: Array, errors: dict[int, float] | None = None) -> None:
        self.scales, self.errors = scales, dict(errors or {})

    def forward(self, x: Array) -> Array:
        self.t = np.tanh(x)
        return np.asarray((self.scales * self.t).reshape(10, -1).sum(axis=1))

    def backward(self, upstream: Array) -> Array:
        g = np.repeat(upstream, self.scales.size // 10) * self.scales * (1 - self.t**2)
        for i, error in self.errors.items():
            g[i] += error
        return np.asarray(g)


def normal(*shape: int, seed: int = 0) -> Array:
    """Standard normal numbers."""
    return np.asarray(np.random.default_rng(seed).standard_normal(shape))


def dense_inputs(rows: int = 5) -> tuple[Array, Array, Array]:
    return normal(rows, 4), normal(4, 3, seed=1), normal(3, seed=2)
