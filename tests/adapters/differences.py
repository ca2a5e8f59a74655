"""A plain central difference over a Target, independent of the check itself, and arrays to differentiate at."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_gradcheck.adapters import adapt
from pytest_gradcheck.target import Array, Target


def normal(*shape: int, seed: int = 0, dtype: Any = np.float64) -> Array:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def wrong_arguments(target: Target, h: float = 1e-5, close: float = 1e-6) -> list[str]:
    """Names of the arguments whose declared gradient is not what central differences say, or has another shape."""
    values = [np.array(a.value) for a in target.arguments]
    outputs = [np.array(y) for y in target.forward([v.copy() for v in values])]
    upstream = [normal(*y.shape, seed=7 + i).astype(y.dtype) for i, y in enumerate(outputs)]
    declared = target.backward(upstream)
    if len(declared) != len(values):
        return [f"{len(declared)} gradients for {len(values)} arguments"]
    wide = target.widened()
    values = [v.astype(np.float64) for v in values] if wide is not None else values
    wrong = []
    for i, argument in enumerate(target.arguments):
        numeric = difference(wide or target, values, i, upstream, h)
        gradient = declared[i]
        if gradient is None:
            gradient = np.zeros(argument.value.shape)
        if np.shape(gradient) != numeric.shape or np.abs(gradient - numeric).max(initial=0) > close:
            wrong.append(argument.name)
    return wrong


def difference(target: Target, values: list[Array], position: int, upstream: list[Array], h: float) -> Array:
    numeric = np.zeros(values[position].shape)
    for index in np.ndindex(*numeric.shape):
        sides = []
        for sign in (h, -h):
            moved = [v.copy() for v in values]
            moved[position][index] += sign
            outputs = target.forward(moved)
            sides.append(sum(float(np.vdot(u, y)) for u, y in zip(upstream, outputs, strict=True)))
        numeric[index] = (sides[0] - sides[1]) / (2 * h)
    return numeric


def wrong(layer: Any, *inputs: Any, kwargs: dict[str, Any] | None = None, wrt: Any = None, **how: float) -> list[str]:
    return wrong_arguments(adapt(layer, inputs, kwargs or {}, wrt), **how)
