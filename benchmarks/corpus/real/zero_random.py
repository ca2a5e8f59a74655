"""Bugs of public projects: a gradient declared zero, randomness drawn again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, normal

book = Book()


# ---------------------------------------------------------------- zero


class NanToNum:
    def forward(self, x: Array) -> Any:
        self.ok = np.isfinite(x)
        return np.where(self.ok, x, 0.0)

    def backward(self, g: Array) -> Gradients:
        return (np.where(self.ok, g, 0.0),)


class NanToNumZero(NanToNum):
    def backward(self, g: Array) -> Gradients:
        return (np.zeros_like(g),)


book.twin(
    "nan-to-num-declared-constant",
    "HIPS/autograd@afea2096f8",
    "zero",
    NanToNumZero,
    NanToNum,
    normal((5,)),
    "nan_to_num was listed among the functions of zero gradient.",
)


class GaussianLogLik:
    """Log likelihood of observations y around a mean m, unit-free scale s."""

    s = 1.7

    def forward(self, m: Array, y: Array) -> Any:
        self.r = (y - m) / self.s
        return np.asarray(-0.5 * (self.r**2).sum() - self.r.size * math.log(self.s))

    def backward(self, g: Array) -> Gradients:
        gm = g * self.r / self.s
        return gm, -gm


class GaussianLogLikNoData(GaussianLogLik):
    def backward(self, g: Array) -> Gradients:
        gm = g * self.r / self.s
        return gm, np.zeros_like(gm)


book.twin(
    "observations-gradient-omitted",
    "TuringLang/SSMProblems.jl#190",
    "zero",
    GaussianLogLikNoData,
    GaussianLogLik,
    normal((4,), (4,)),
    "Observations are treated as data: their gradient is zero though they are an input.",
)


# ---------------------------------------------------------------- random


class Zoneout:
    """A linear recurrence over time in which each unit may keep its old state, by a seeded mask per step."""

    decay, seed = 0.8, 3

    def forward(self, x: Array) -> Any:
        self.keep = np.random.default_rng(self.seed).random(x.shape) < 0.4
        h = np.zeros(x.shape[1])
        for xt, keep in zip(x, self.keep, strict=True):
            h = np.where(keep, h, self.decay * h + xt)
        return h

    def backward(self, g: Array) -> Gradients:
        gx = np.zeros(self.keep.shape)
        for t in reversed(range(len(gx))):
            keep = self.mask(t)
            gx[t] = np.where(keep, 0.0, g)
            g = np.where(keep, g, self.decay * g)
        return (gx,)

    def mask(self, t: int) -> Any:
        return self.keep[t]


class ZoneoutFirstMask(Zoneout):
    def mask(self, t: int) -> Any:
        return self.keep[0]


book.twin(
    "zoneout-first-mask-for-all-steps",
    "lmnt-com/haste#43",
    "random",
    ZoneoutFirstMask,
    Zoneout,
    normal((4, 3)),
    "Backward uses the mask of the first time step at every step; needs more than one step.",
)


class RandomLeakyRelu:
    """Leaky ReLU whose negative slope is drawn at each forward, from a seed."""

    def forward(self, x: Array) -> Any:
        self.x, self.rng = x, np.random.default_rng(5)
        self.slope = self.rng.uniform(0.125, 0.333)
        return np.where(x >= 0, x, self.slope * x)

    def backward(self, g: Array) -> Gradients:
        return (np.where(self.x >= 0, g, self.slope * g),)


class RandomLeakyReluRedraws(RandomLeakyRelu):
    def backward(self, g: Array) -> Gradients:
        self.slope = self.rng.uniform(0.125, 0.333)
        return super().backward(g)


book.twin(
    "rrelu-slope-redrawn",
    "fetchai/ledger#845",
    "random",
    RandomLeakyReluRedraws,
    RandomLeakyRelu,
    normal((6,)),
    "Backward calls forward first, as the reviewed code did, and so uses a newly drawn slope.",
)


CASES = book.cases
