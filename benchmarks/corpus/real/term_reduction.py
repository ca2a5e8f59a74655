"""Bugs of public projects: a path that is not followed, an axis that is not summed."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, normal, sigmoid

book = Book()


def unbroadcast(g: Array, shape: tuple[int, ...]) -> Any:
    """The gradient summed over the axes along which an array of `shape` was repeated."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    axes = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
    return g.sum(axis=axes, keepdims=True)


# ---------------------------------------------------------------- term


class BatchNorm:
    eps = 1e-5

    def forward(self, x: Array) -> Any:
        self.s = np.sqrt(x.var(axis=0) + self.eps)
        self.h = (x - x.mean(axis=0)) / self.s
        return self.h.copy()

    def backward(self, g: Array) -> Gradients:
        return ((g - g.mean(axis=0) - self.h * (g * self.h).mean(axis=0)) / self.s,)


class BatchNormNoMeanPath(BatchNorm):
    def backward(self, g: Array) -> Gradients:
        return ((g - self.h * (g * self.h).mean(axis=0)) / self.s,)


book.twin(
    "batch-norm-mean-path-missing",
    "BVLC/caffe#1891",
    "term",
    BatchNormNoMeanPath,
    BatchNorm,
    normal((6, 3), scale=2.0),
    "The path through the batch mean is missing from the input gradient.",
)


class LstmEnd:
    """A one-unit-wide LSTM over time; the output joins the last hidden and the last cell state."""

    w = np.array([[0.5, -0.3, 0.8, 0.4], [0.2, 0.6, -0.5, 0.7]])

    def forward(self, x: Array) -> Any:
        h = c = np.zeros(x.shape[1])
        self.x, self.steps = x, []
        for xt in x:
            z = np.outer(xt, self.w[0]) + np.outer(h, self.w[1])
            i, f, o, u = sigmoid(z[:, 0]), sigmoid(z[:, 1]), sigmoid(z[:, 2]), np.tanh(z[:, 3])
            old, c = c, f * c + i * u
            h = o * np.tanh(c)
            self.steps.append((i, f, o, u, old, c))
        return np.concatenate([h, c])

    def backward(self, g: Array) -> Gradients:
        n = self.x.shape[1]
        gh, gc, gx = g[:n], self.last_cell(g[n:]), np.zeros_like(self.x)
        for t in reversed(range(len(self.x))):
            i, f, o, u, old, c = self.steps[t]
            gc = gc + gh * o * (1 - np.tanh(c) ** 2)
            gz = np.stack(
                [gc * u * i * (1 - i), gc * old * f * (1 - f), gh * np.tanh(c) * o * (1 - o), gc * i * (1 - u * u)],
                axis=1,
            )
            gx[t], gh, gc = gz @ self.w[0], gz @ self.w[1], gc * f
        return (gx,)

    def last_cell(self, g: Array) -> Any:
        return g


class LstmEndDropsCell(LstmEnd):
    def last_cell(self, g: Array) -> Any:
        return np.zeros_like(g)


book.twin(
    "lstm-last-cell-gradient-dropped",
    "deeplearning4j/deeplearning4j#8838",
    "term",
    LstmEndDropsCell,
    LstmEnd,
    normal((3, 2)),
    "The gradient that enters through the returned last cell state is not added.",
)


class RmsNorm:
    eps = 1e-6

    def forward(self, x: Array, w: Array) -> Any:
        self.x, self.w = x, w
        self.r = 1 / np.sqrt((x * x).mean(axis=1, keepdims=True) + self.eps)
        return x * self.r * w

    def backward(self, g: Array) -> Gradients:
        gw = (g * self.x * self.r).sum(axis=0)
        gh = self.weighted(g)
        dot = (gh * self.x).mean(axis=1, keepdims=True)
        return self.r * gh - self.correction(self.r**3 * dot) * self.x, gw

    def weighted(self, g: Array) -> Any:
        return g * self.w

    def correction(self, c: Array) -> Any:
        return c


class RmsNormUnweighted(RmsNorm):
    def weighted(self, g: Array) -> Any:
        return g


book.twin(
    "rms-norm-weight-left-out",
    "karpathy/llm.c#763",
    "term",
    RmsNormUnweighted,
    RmsNorm,
    lambda rng: (rng.standard_normal((4, 5)), rng.uniform(0.5, 1.5, 5)),
    "The input gradient is not multiplied by the weight; right while the weight is all ones.",
)


# ---------------------------------------------------------------- reduction


class BroadcastAdd:
    def forward(self, a: Array, b: Array) -> Any:
        self.shapes = a.shape, b.shape
        return a + b

    def backward(self, g: Array) -> Gradients:
        return tuple(unbroadcast(g, s) for s in self.shapes)


class BroadcastAddUnreduced(BroadcastAdd):
    def backward(self, g: Array) -> Gradients:
        return g.copy(), g.copy()


book.twin(
    "broadcast-add-not-reduced",
    "deeplearning4j/nd4j#2424",
    "reduction",
    BroadcastAddUnreduced,
    BroadcastAdd,
    normal((3, 4), (1, 4)),
    "The gradient of the broadcast row keeps the shape of the result.",
)


class BroadcastMse:
    def forward(self, a: Array, b: Array) -> Any:
        self.d, self.shapes = a - b, (a.shape, b.shape)
        return np.asarray((self.d**2).mean())

    def backward(self, g: Array) -> Gradients:
        ga = g * self.d * 2 / self.d.size
        return unbroadcast(ga, self.shapes[0]), unbroadcast(-ga, self.shapes[1])


class BroadcastMseUnreduced(BroadcastMse):
    def backward(self, g: Array) -> Gradients:
        ga = g * self.d * 2 / self.d.size
        return ga, -ga


book.twin(
    "mse-broadcast-not-reduced",
    "oreilly-japan/deep-learning-from-scratch-3#20",
    "reduction",
    BroadcastMseUnreduced,
    BroadcastMse,
    normal((4, 3), (4, 1)),
    "No sum_to in backward: needs operands of different shapes.",
)


class LayerNorm3d:
    """Layer normalisation of (batch, time, features) over the features."""

    eps = 1e-5

    def forward(self, x: Array, w: Array) -> Any:
        self.shape, self.w = x.shape, w
        self.s = np.sqrt(x.var(axis=-1, keepdims=True) + self.eps)
        self.h = (x - x.mean(axis=-1, keepdims=True)) / self.s
        return self.h * w

    def backward(self, g: Array) -> Gradients:
        gh = g * self.w
        gx = (gh - gh.mean(-1, keepdims=True) - self.h * (gh * self.h).mean(-1, keepdims=True)) / self.s
        return gx, (g * self.h).sum(axis=(0, 1))


class LayerNorm3dAs2d(LayerNorm3d):
    def backward(self, g: Array) -> Gradients:
        rows = self.shape[0]
        gh, h = (g * self.w).reshape(rows, -1), self.h.reshape(rows, -1)
        s = self.s.reshape(-1, 1)[:rows]
        gx = (gh - gh.mean(1, keepdims=True) - h * (gh * h).mean(1, keepdims=True)) / s
        return gx.reshape(self.shape), (g * self.h).sum(axis=(0, 1))


book.twin(
    "layer-norm-backward-assumes-rank-two",
    "flagos-ai/FlagGems#5392",
    "reduction",
    LayerNorm3dAs2d,
    LayerNorm3d,
    lambda rng: (2 * rng.standard_normal((2, 3, 4)), rng.uniform(0.5, 1.5, 4)),
    "Backward takes the first axis for the rows and all the rest for features; needs input of rank 3.",
)


class RmsNormRowAsColumn(RmsNorm):
    def correction(self, c: Array) -> Any:
        return c.T


book.twin(
    "rms-norm-row-term-broadcast-along-columns",
    "BobMcDear/attorch#17",
    "reduction",
    RmsNormRowAsColumn,
    RmsNorm,
    lambda rng: (rng.standard_normal((4, 4)), rng.uniform(0.5, 1.5, 4)),
    "The per-row correction is broadcast along the wrong axis; silent only for square blocks.",
)


class AddBias:
    """A bias added to each column of a (features, batch) matrix."""

    def forward(self, x: Array, b: Array) -> Any:
        return x + b[:, None]

    def backward(self, g: Array) -> Gradients:
        return g.copy(), g.sum(axis=1)


class AddBiasPerItem(AddBias):
    def backward(self, g: Array) -> Gradients:
        return g.copy(), g.copy()


book.twin(
    "add-layer-batch-not-summed",
    "mlpack/mlpack#3679",
    "reduction",
    AddBiasPerItem,
    AddBias,
    normal((3, 5), (3,)),
    "gradient = error: right at batch size 1 only.",
)


CASES = book.cases
