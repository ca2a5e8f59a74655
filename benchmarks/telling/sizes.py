"""Bugs that show at particular sizes: one, two, even, odd, square, long, none."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_gradcheck.domain import distinct

from .base import Array, Layer, Telling


class Affine(Layer):
    def forward(self, *inputs: Array) -> Array:
        self.x, self.W, b = inputs
        return self.x @ self.W + b

    def backward(self, upstream: Array) -> Any:
        dx, dW, db = upstream @ self.W.T, self.x.T @ upstream, upstream.sum(axis=0)
        return self.mistaken(upstream, dx, dW, db) if self.wrong else (dx, dW, db)

    def mistaken(self, upstream: Array, dx: Array, dW: Array, db: Array) -> Any:
        raise NotImplementedError


class SqueezedBatch(Affine):
    def mistaken(self, upstream: Array, dx: Array, dW: Array, db: Array) -> Any:
        return np.squeeze(upstream @ self.W.T, axis=0) if len(upstream) == 1 else dx, dW, db


class EvenBatch(Affine):
    def mistaken(self, upstream: Array, dx: Array, dW: Array, db: Array) -> Any:
        return dx, dW, db if len(upstream) % 2 else db / 2


class SquareWeights(Affine):
    def mistaken(self, upstream: Array, dx: Array, dW: Array, db: Array) -> Any:
        return dx, dW.T if dW.shape == dW.T.shape else dW, db


class OneUnit(Affine):
    def mistaken(self, upstream: Array, dx: Array, dW: Array, db: Array) -> Any:
        # A bias of one unit was taken for a number and got the mean.
        return dx, dW, np.full_like(db, upstream.mean()) if db.size == 1 else db


class Median(Layer):
    """Of an even number of entries the median is the mean of the two in the middle."""

    def forward(self, *inputs: Array) -> Array:
        (self.x,) = inputs
        return np.asarray(np.median(self.x))

    def backward(self, upstream: Array) -> Array:
        n = self.x.size
        low, high = np.sort(self.x)[[(n - 1) // 2, n // 2]]
        if self.wrong:
            hit = np.zeros(n)
            hit[np.argsort(self.x, kind="stable")[(n - 1) // 2]] = 1
            return hit * upstream
        return np.asarray(((self.x == low) * 0.5 + (self.x == high) * 0.5) * upstream)


class EverySecond(Layer):
    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        self.n = len(x)
        return x[::2].copy()

    def backward(self, upstream: Array) -> Array:
        gradient = np.zeros(self.n)
        reached = self.n // 2 if self.wrong else len(upstream)
        gradient[::2][:reached] = upstream[:reached]
        return gradient


class RunningSum(Layer):
    """Backward adds the upstream of this entry and of later ones."""

    def forward(self, *inputs: Array) -> Array:
        return np.cumsum(inputs[0])

    def backward(self, upstream: Array) -> Array:
        if self.wrong:
            return np.asarray(upstream + np.append(upstream[1:], 0)[: len(upstream)])
        return np.cumsum(upstream[::-1])[::-1].copy()


class Recurrence(Layer):
    """h = w h + x; backward was cut off after four steps."""

    def forward(self, *inputs: Array) -> Array:
        self.x, self.w = inputs
        self.h = [np.zeros(())]
        for x in self.x:
            self.h.append(np.asarray(self.w * self.h[-1] + x))
        return np.array(self.h[-1])

    def backward(self, upstream: Array) -> Any:
        dx, dw, down = np.zeros_like(self.x), np.zeros_like(self.w), upstream
        steps = range(len(self.x) - 1, -1, -1)
        for t in steps if not self.wrong else list(steps)[:4]:
            dx[t] = down
            dw = dw + down * self.h[t]
            down = down * self.w
        return dx, dw


class PairMaximum(Layer):
    """The larger of each pair of neighbours; an odd last entry stands alone."""

    def forward(self, *inputs: Array) -> Array:
        (self.x,) = inputs
        pairs = self.x[: len(self.x) // 2 * 2].reshape(-1, 2).max(axis=1)
        return np.append(pairs, self.x[len(pairs) * 2 :])

    def backward(self, upstream: Array) -> Array:
        even = len(self.x) // 2 * 2
        pairs = self.x[:even].reshape(-1, 2)
        best = pairs == pairs.max(axis=1, keepdims=True)
        gradient = np.zeros_like(self.x)
        shared = best / best.sum(axis=1, keepdims=True)
        gradient[:even] = (shared * upstream[: even // 2, None]).ravel()
        if not self.wrong:
            gradient[even:] = upstream[even // 2 :]
        return gradient


class Softmax(Layer):
    """For two classes somebody put in the formula of the sigmoid, and forgot that both scores move."""

    def forward(self, *inputs: Array) -> Array:
        (z,) = inputs
        e = np.exp(z - z.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return np.asarray(self.p)

    def backward(self, upstream: Array) -> Array:
        if self.wrong and self.p.shape[1] == 2:
            return np.asarray(upstream * self.p * (1 - self.p))
        return np.asarray(self.p * (upstream - (upstream * self.p).sum(axis=1, keepdims=True)))


class Correlation(Layer):
    """y[t] = sum_k x[t + k] w[k]; an even kernel is shifted by one in backward."""

    def forward(self, *inputs: Array) -> Array:
        self.x, self.w = inputs
        return np.correlate(self.x, self.w, mode="valid")

    def backward(self, upstream: Array) -> Any:
        dw = np.correlate(self.x, upstream, mode="valid")
        dx = np.convolve(upstream, self.w)
        return (np.roll(dx, 1) if self.wrong and len(self.w) % 2 == 0 else dx), dw


class MeanSquare(Layer):
    """An empty batch costs nothing; its gradient was 0/0."""

    def forward(self, *inputs: Array) -> Array:
        self.x, self.w = inputs
        self.y = self.x @ self.w
        return np.asarray((self.y**2).sum() / max(len(self.y), 1))

    def backward(self, upstream: Array) -> Any:
        with np.errstate(all="ignore"):
            down = 2 * self.y * (upstream / np.float64(len(self.y) if self.wrong else max(len(self.y), 1)))
            dw = self.x.T @ down
        if self.wrong and not len(self.y):
            dw = dw * np.float64(np.nan)
        return np.outer(down, self.w), dw


SHAPES = {"x": "B I", "W": "I O", "b": "O"}

BUGS = [
    Telling("squeezed-batch", "a batch of one", SqueezedBatch, SHAPES, 3),
    Telling("even-batch", "an even batch", EvenBatch, SHAPES, 4),
    Telling("square-weights", "as many outputs as inputs, more than one", SquareWeights, SHAPES, 8),
    Telling("one-unit", "one unit, a batch of two", OneUnit, SHAPES, 4),
    Telling("even-median", "an even length", Median, {"x": "N"}, 2, domain={"x": distinct}),
    Telling("odd-every-second", "an odd length", EverySecond, {"x": "N"}, 1),
    Telling("running-sum", "a length of three", RunningSum, {"x": "N"}, 3),
    Telling("cut-recurrence", "five steps or more", Recurrence, {"x": "T", "w": ""}, 6, sizes={"T": (1, 8)}),
    Telling("odd-pairs", "an odd length", PairMaximum, {"x": "N"}, 1),
    Telling("two-classes", "two classes", Softmax, {"z": "B C"}, 2),
    Telling("even-kernel", "an even kernel", Correlation, {"x": "T", "w": "K"}, 5, sizes={"T": (3, 7), "K": (1, 3)}),
    Telling("empty-batch", "no example at all", MeanSquare, {"x": "B I", "w": "I"}, 1),
]
