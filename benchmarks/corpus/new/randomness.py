"""Layers that draw at random: right where backward uses what forward drew, wrong where it draws again."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, normal

book = Book()

ROWS = normal((6, 8))
#: The global state is what many layers use; the corpus must, too.
GLOBAL = np.random


class Dropout:
    """Keeps a random half and doubles it; the mask is drawn from the layer's own Generator."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(71)

    def draw(self, shape: tuple[int, ...]) -> Array:
        return self.rng.random(shape) < 0.5

    def forward(self, x: Array) -> Any:
        self.keep = self.draw(x.shape)
        return 2 * x * self.keep

    def backward(self, g: Array) -> Gradients:
        return (2 * g * self.mask(g),)

    def mask(self, g: Array) -> Array:
        return self.keep


class DropoutRedraws(Dropout):
    def mask(self, g: Array) -> Array:
        return self.draw(g.shape)


class GlobalDropout(Dropout):
    def draw(self, shape: tuple[int, ...]) -> Array:
        return GLOBAL.random_sample(shape) < 0.5


class GlobalDropoutRedraws(GlobalDropout):
    def mask(self, g: Array) -> Array:
        return self.draw(g.shape)


class PlainDropout(Dropout):
    """Drawn with Python's own random module."""

    def draw(self, shape: tuple[int, ...]) -> Array:
        return np.array([random.random() < 0.5 for _ in range(int(np.prod(shape)))]).reshape(shape)


class PlainDropoutRedraws(PlainDropout):
    def mask(self, g: Array) -> Array:
        return self.draw(g.shape)


class StateDropout(Dropout):
    """Drawn from a RandomState in a dict of the layer."""

    def __init__(self) -> None:
        self.tools = {"rng": np.random.RandomState(72)}

    def draw(self, shape: tuple[int, ...]) -> Array:
        return self.tools["rng"].random_sample(shape) < 0.5


class StateDropoutRedraws(StateDropout):
    def mask(self, g: Array) -> Array:
        return self.draw(g.shape)


REDRAWN = "Backward draws the mask again."
book.twin("dropout-generator-redrawn", "made", "random", DropoutRedraws, Dropout, ROWS, REDRAWN)
book.twin("dropout-global-redrawn", "made", "random", GlobalDropoutRedraws, GlobalDropout, ROWS, REDRAWN)
book.twin("dropout-plain-redrawn", "made", "random", PlainDropoutRedraws, PlainDropout, ROWS, REDRAWN)
book.twin("dropout-random-state-redrawn", "made", "random", StateDropoutRedraws, StateDropout, ROWS, REDRAWN)


class DropoutScaleForgotten(Dropout):
    def backward(self, g: Array) -> Gradients:
        return (g * self.keep,)


class DropoutMaskForgotten(Dropout):
    def backward(self, g: Array) -> Gradients:
        return (2 * g,)


book.add("dropout-scale-forgotten", "factor", DropoutScaleForgotten, ROWS, "The mask is right, the 2 is missing.")
book.add(
    "dropout-mask-forgotten",
    "random",
    DropoutMaskForgotten,
    ROWS,
    "The mask is not applied in backward.",
    also=("region", "route", "local"),
)


class NoisyGain:
    """Multiplies by a gain drawn anew at each forward."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(73)

    def forward(self, x: Array) -> Any:
        self.x, self.gain = x, 1 + 0.3 * self.rng.standard_normal(x.shape)
        return np.tanh(self.gain * x)

    def backward(self, g: Array) -> Gradients:
        gain = self.used()
        return (g * gain * (1 - np.tanh(gain * self.x) ** 2),)

    def used(self) -> Array:
        return self.gain


class NoisyGainAgain(NoisyGain):
    def used(self) -> Array:
        return 1 + 0.3 * self.rng.standard_normal(self.x.shape)


book.twin(
    "noisy-gain-redrawn",
    "made",
    "random",
    NoisyGainAgain,
    NoisyGain,
    ROWS,
    "Backward draws another gain, and evaluates the slope there.",
)


class Jitter:
    """Noise added to the output, which no gradient sees."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(74)

    def forward(self, x: Array) -> Any:
        return 3 * x + 0.1 * self.rng.standard_normal(x.shape)

    def backward(self, g: Array) -> Gradients:
        return (3 * g,)


class JitterAround(Jitter):
    def backward(self, g: Array) -> Gradients:
        return (3 * g + 1e-3 * self.rng.standard_normal(g.shape),)


book.twin(
    "additive-noise-in-gradient", "made", "random", JitterAround, Jitter, ROWS, "Noise is added to the gradient too."
)


class Sampled:
    """A random half of the rows, averaged."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(75)

    def forward(self, x: Array) -> Any:
        self.n, self.rows = len(x), self.rng.permutation(len(x))[: max(1, len(x) // 2)]
        return x[self.rows].mean(axis=0)

    def backward(self, g: Array) -> Gradients:
        out = np.zeros((self.n, len(g)))
        out[self.chosen()] = g / len(self.rows)
        return (out,)

    def chosen(self) -> Array:
        return self.rows


class SampledAgain(Sampled):
    def chosen(self) -> Array:
        return self.rng.permutation(self.n)[: len(self.rows)]


book.twin("sampled-rows-redrawn", "made", "random", SampledAgain, Sampled, ROWS, "Backward samples other rows.")


class Unseeded(Dropout):
    """A fresh Generator from the operating system at each call: nothing can hold it still."""

    def draw(self, shape: tuple[int, ...]) -> Array:
        return np.random.default_rng().random(shape) < 0.5


book.add(
    "dropout-from-the-system",
    "random",
    Unseeded,
    ROWS,
    "The forward draws from the operating system: no two calls agree.",
    also=("stale",),
)


class Reseeded(Dropout):
    """Seeds its own Generator at each forward: the same mask at each call."""

    def draw(self, shape: tuple[int, ...]) -> Array:
        return np.random.default_rng(7).random(shape) < 0.5


book.accept("dropout-reseeded", "made", Reseeded, ROWS, "seeds itself at each forward")

CASES = book.cases
