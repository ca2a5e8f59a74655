"""How cases are written down: a `Book` per file, and the small parts that many layers share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from .base import Array, Case, Draw, Gradients

Forward = Callable[..., tuple[Any, Any]]
Backward = Callable[[Any, Any], Any]


class Pair:
    """A layer made of `fwd(*inputs) -> (output, cache)` and `bwd(upstream, cache) -> gradients`."""

    def __init__(self, fwd: Forward, bwd: Backward) -> None:
        self.fwd, self.bwd = fwd, bwd
        self.cache: Any = None

    def forward(self, *inputs: Array) -> Array:
        out, self.cache = self.fwd(*inputs)
        # The caller may write into what it gets, even where the cache holds the same array.
        return np.array(out)

    def backward(self, upstream: Array) -> Any:
        return self.bwd(upstream, self.cache)


class Book:
    """The cases of one file, in the order in which they were written down."""

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def add(self, name: str, bug: str | None, make: Callable[[], Any], inputs: Draw, note: str, **more: Any) -> None:
        """One case; `more` are further fields of `Case` (the origin is "made" unless said)."""
        self.cases.append(Case(name, more.pop("origin", "made"), bug, make, inputs, note, **more))

    def pair(
        self, name: str, bug: str | None, fwd: Forward, bwd: Backward, inputs: Draw, note: str = "", **more: Any
    ) -> None:
        """One case whose layer is a pair of functions; `layer` puts another class in the place of `Pair`."""
        layer = more.pop("layer", Pair)
        self.add(name, bug, lambda: layer(fwd, bwd), inputs, note, **more)

    def family(
        self, name: str, fwd: Forward, bwd: Backward, inputs: Draw, wrong: Sequence[tuple[Any, ...]] = (), **more: Any
    ) -> None:
        """The right layer, then one wrong twin per (suffix, bug, bwd, note[, fwd]); `bug` may be several words."""
        self.pair(name, None, fwd, bwd, inputs, **{"origin": "textbook", **more})
        for suffix, bug, twin, note, *other in wrong:
            first, *also = bug.split()
            self.pair(
                f"{name}-{suffix}", first, other[0] if other else fwd, twin, inputs, note, also=tuple(also), **more
            )

    def twin(
        self,
        name: str,
        origin: str,
        bug: str,
        wrong: Callable[[], Any],
        right: Callable[[], Any],
        inputs: Draw,
        note: str,
        **more: Any,
    ) -> None:
        """A wrong layer and, as NAME-fixed, the right one; `bug` may be several words, the truest first."""
        first, *also = bug.split()
        self.cases.append(Case(name, origin, first, wrong, inputs, note, also=tuple(also), **more))
        self.cases.append(Case(f"{name}-fixed", origin, None, right, inputs, f"right twin of {name}", **more))

    def accept(self, name: str, origin: str, make: Callable[[], Any], inputs: Draw, note: str, **more: Any) -> None:
        """A right layer that is hard to accept; `note` says why."""
        self.cases.append(Case(name, origin, None, make, inputs, note, **more))


# ---------------------------------------------------------------- inputs


def normal(*shapes: Any, scale: float = 1.0, shift: float = 0.0, dtype: npt.DTypeLike = np.float64) -> Draw:
    """Normal values of the given shapes."""
    return lambda rng: tuple(np.asarray(shift + scale * rng.standard_normal(s), dtype) for s in shapes)


def uniform(low: float, high: float, *shapes: Any) -> Draw:
    """Values evenly spread over an interval."""
    return lambda rng: tuple(np.asarray(rng.uniform(low, high, s)) for s in shapes)


def values(*arrays: Any, dtype: npt.DTypeLike = np.float64) -> Draw:
    """The same values at every draw."""
    return lambda rng: tuple(np.array(a, dtype=dtype) for a in arrays)


def off_zero(*shapes: Any) -> Draw:
    """Normal values at least 0.1 away from zero, so that no kink is near."""

    def draw(rng: np.random.Generator) -> tuple[Array, ...]:
        xs = [rng.standard_normal(s) for s in shapes]
        return tuple(x + 0.1 * np.sign(x) for x in xs)

    return draw


def spaced(*shape: int) -> Draw:
    """Distinct values at least 0.1 apart, in random order."""
    return lambda rng: (0.1 * rng.permutation(prod(shape)).reshape(shape) - 1.0,)


def weights(seed: int, *shape: int) -> Array:
    """Constants of a layer: normal values, the same in every process."""
    return np.random.default_rng(seed).standard_normal(shape)


# ---------------------------------------------------------------- layers


def unary(f: Callable[[Any], Any], slope: Callable[[Any, Any], Any]) -> tuple[Forward, Backward]:
    """Forward and backward of y = f(x), entry by entry; `slope` takes x and y."""

    def fwd(x: Array) -> tuple[Any, Any]:
        y = f(x)
        return y, (x, y)

    return fwd, sloped(slope)


def sloped(slope: Callable[[Any, Any], Any]) -> Backward:
    """The backward of `unary`, for a twin with another slope."""
    return lambda d, c: (d * slope(*c),)


def at(grads: Sequence[Any], i: int, change: Callable[[Any], Any]) -> Gradients:
    """The gradients with the i-th one changed."""
    changed = list(grads)
    changed[i] = change(changed[i])
    return tuple(changed)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    y: Array = 1 / (1 + np.exp(-x))
    return y


def softmax(x: Array, axis: int = -1) -> Array:
    """exp(x) over its sum along an axis."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    y: Array = e / e.sum(axis=axis, keepdims=True)
    return y
