"""Bugs that show at particular values: negative, zero, tiny, large, equal, tied."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Array, Layer, Telling, entrywise


def _softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, e) / (1 + e))


def _sinc(x: Array) -> Array:
    return np.where(x == 0, 1.0, np.sin(x) / np.where(x == 0, 1, x))


def _sinc_slope(x: Array) -> Array:
    # Near zero the two terms cancel: the series is exact to rounding there.
    far = np.where(np.abs(x) < 1e-2, 1.0, x)
    return np.where(np.abs(x) < 1e-2, -x / 3 + x**3 / 30 - x**5 / 840, (far * np.cos(far) - np.sin(far)) / far**2)


def _huber(x: Array) -> Array:
    return np.where(np.abs(x) < 1, x**2 / 2, np.abs(x) - 0.5)


def _smooth_abs(x: Array) -> Array:
    return np.sqrt(x**2 + 1e-8)


class RowMaximum(Layer):
    """Tied entries each got the whole upstream."""

    def forward(self, *inputs: Array) -> Array:
        (self.x,) = inputs
        return np.asarray(self.x.max(axis=1))

    def backward(self, upstream: Array) -> Array:
        best = self.x == self.x.max(axis=1, keepdims=True)
        share = 1 if self.wrong else best.sum(axis=1, keepdims=True)
        return np.asarray(best * upstream[:, None] / share)


class Larger(Layer):
    """At a tie both arguments got the whole upstream."""

    def forward(self, *inputs: Array) -> Array:
        self.a, self.b = inputs
        return np.maximum(self.a, self.b)

    def backward(self, upstream: Array) -> Any:
        if self.wrong:
            return upstream * (self.a >= self.b), upstream * (self.b >= self.a)
        tie = 0.5 * (self.a == self.b)
        return upstream * ((self.a > self.b) + tie), upstream * ((self.b > self.a) + tie)


class Deviation(Layer):
    """sqrt(var + 0.01); backward divides by the deviation without it: 0/0 where all entries are equal."""

    def forward(self, *inputs: Array) -> Array:
        (self.x,) = inputs
        return np.asarray(np.sqrt(self.x.var() + 0.01))

    def backward(self, upstream: Array) -> Array:
        centred = self.x - self.x.mean()
        out = np.sqrt(self.x.var() + 0.01)
        if self.wrong and not self.x.var() > 0:
            out = np.zeros(())
        with np.errstate(all="ignore"):
            return np.asarray(upstream * centred / (self.x.size * out))


class Quotient(Layer):
    """x / y for numbers of any sign: with both negative a sign was lost."""

    def forward(self, *inputs: Array) -> Array:
        self.x, self.y = inputs
        return np.asarray(self.x / (1 + self.y**2))

    def backward(self, upstream: Array) -> Any:
        below = 1 + self.y**2
        dy = -2 * self.x * self.y / below**2 * upstream
        if self.wrong:
            dy = np.where((self.x < 0) & (self.y < 0), -dy, dy)
        return upstream / below, dy


class Spread(Layer):
    """Largest minus smallest; where one entry is both, it got the last of the two gradients."""

    def forward(self, *inputs: Array) -> Array:
        (self.x,) = inputs
        return np.asarray(self.x.max() - self.x.min())

    def backward(self, upstream: Array) -> Array:
        top, bottom = self.x == self.x.max(), self.x == self.x.min()
        if self.wrong:
            return np.where(top, upstream / top.sum(), np.where(bottom, -upstream / bottom.sum(), 0.0))
        return np.asarray(upstream * (top / top.sum() - bottom / bottom.sum()))


class Unit(Layer):
    """x / |x|, with zero at zero; a long vector was taken for one of length one."""

    def forward(self, *inputs: Array) -> Array:
        (self.x,) = inputs
        self.length = np.sqrt((self.x**2).sum() + 1.0)
        return np.asarray(self.x / self.length)

    def backward(self, upstream: Array) -> Array:
        length = min(self.length, 10.0) if self.wrong else self.length
        return np.asarray(upstream / length - self.x * (self.x @ upstream) / self.length**3)


BUGS = [
    Telling(
        "power-of-negative", "a negative value",
        entrywise(lambda x: np.abs(x) ** 1.5, lambda x: 1.5 * np.sign(x) * np.abs(x) ** 0.5,
                  lambda x: 1.5 * np.abs(x) ** 0.5),
        {"x": "B I"}, 1,
    ),
    Telling(
        "softplus-large", "a value above 20",
        entrywise(_softplus, _sigmoid, lambda x: np.where(x > 20, 0.0, _sigmoid(x))),
        {"x": "B I"}, 1,
    ),
    Telling(
        "log-sigmoid-low", "a value below -30",
        entrywise(lambda x: -_softplus(-x), lambda x: _sigmoid(-x), lambda x: np.where(x < -30, 0.0, _sigmoid(-x))),
        {"x": "B I"}, 1,
    ),
    Telling(
        "smooth-abs-small", "a value within 0.001 of zero, and not zero",
        entrywise(_smooth_abs, lambda x: x / _smooth_abs(x),
                  lambda x: np.where(np.abs(x) < 1e-3, 0, x / _smooth_abs(x))),
        {"x": "B I"}, 1,
    ),
    Telling(
        "sinc-at-zero", "exactly zero",
        entrywise(_sinc, _sinc_slope, lambda x: np.where(x == 0, 1.0, _sinc_slope(x))),
        {"x": "B I"}, 1,
    ),
    Telling(
        "clip-below", "a value below the lower end",
        entrywise(lambda x: np.clip(x, -1, 1), lambda x: 1.0 * (np.abs(x) < 1), lambda x: 1.0 * (x < 1)),
        {"x": "B I"}, 1,
    ),
    Telling(
        "huber-inside", "a value within 1 of zero",
        entrywise(_huber, lambda x: np.clip(x, -1, 1), lambda x: np.where(np.abs(x) > 0.9, np.clip(x, -1, 1), 0 * x)),
        {"x": "B I"}, 1,
    ),
    Telling(
        "logit-near-end", "a probability above 0.99",
        entrywise(lambda p: np.log(p / (1 - p)), lambda p: 1 / (p * (1 - p)),
                  lambda p: 1 / (np.minimum(p, 0.99) * (1 - np.minimum(p, 0.99)))),
        {"p": "B"}, 1, domain={"p": (0, 1)},
    ),
    Telling("row-maximum-tie", "two entries that tie", RowMaximum, {"x": "B N"}, 2),
    Telling("larger-tie", "two arguments that tie", Larger, {"a": "N", "b": "N"}, 2),
    Telling("deviation-of-equals", "all entries equal", Deviation, {"x": "N"}, 1),
    Telling("both-negative", "two negative values", Quotient, {"x": "N", "y": "N"}, 2),
    Telling("spread-of-one", "an entry that is largest and smallest", Spread, {"x": "N"}, 1),
    Telling("long-vector", "a vector longer than 10", Unit, {"x": "N"}, 1),
]  # fmt: skip
