"""Bugs of public projects: a constant too many or too few, or a minus."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, normal, sigmoid, softmax

book = Book()


# ---------------------------------------------------------------- factor


class GaussianSplat:
    """exp(-(a dx^2 + c dy^2)/2 - b dx dy), one conic (a, b, c) per point."""

    cross = -1.0

    def forward(self, d: Array, conic: Array) -> Any:
        dx, dy = d.T
        a, b, c = conic.T
        self.d, self.conic = d, conic
        self.y = np.exp(-0.5 * (a * dx * dx + c * dy * dy) - b * dx * dy)
        return self.y.copy()

    def backward(self, g: Array) -> Gradients:
        dx, dy = self.d.T
        a, b, c = self.conic.T
        gp = g * self.y
        gd = np.stack([gp * (-a * dx - b * dy), gp * (-c * dy - b * dx)], axis=1)
        gc = np.stack([-0.5 * gp * dx * dx, self.cross * gp * dx * dy, -0.5 * gp * dy * dy], axis=1)
        return gd, gc


class GaussianSplatHalfCross(GaussianSplat):
    cross = -0.5


book.twin(
    "gaussian-splat-half-cross-term",
    "graphdeco-inria/gaussian-splatting#551",
    "factor",
    GaussianSplatHalfCross,
    GaussianSplat,
    lambda rng: (
        rng.standard_normal((6, 2)),
        np.stack([rng.uniform(0.8, 1.5, 6), rng.uniform(-0.4, 0.4, 6), rng.uniform(0.8, 1.5, 6)], 1),
    ),
    "The gradient of the off-diagonal conic entry is multiplied by -1/2 where the forward has -1.",
)


class CrossEntropySum:
    """Softmax cross entropy summed over the batch."""

    labels = np.array([2, 0, 1, 1])

    def forward(self, x: Array) -> Any:
        self.p = softmax(x)
        return np.asarray(-np.log(self.p[np.arange(4), self.labels]).sum())

    def backward(self, g: Array) -> Gradients:
        return (g * (self.p - np.eye(3)[self.labels]),)


class CrossEntropySumOverBatch(CrossEntropySum):
    def backward(self, g: Array) -> Gradients:
        return (super().backward(g)[0] / len(self.labels),)


book.twin(
    "cross-entropy-sum-divided-by-batch",
    "paiml/aprender#2182",
    "factor",
    CrossEntropySumOverBatch,
    CrossEntropySum,
    normal((4, 3)),
    "Backward always divides by the batch size, although the loss was built with sum reduction; needs batch > 1.",
)


class Dense:
    def forward(self, x: Array, w: Array, b: Array) -> Any:
        self.x, self.w = x, w
        return x @ w + b

    def backward(self, g: Array) -> Gradients:
        return g @ self.w.T, self.x.T @ g, g.sum(axis=0)


class DenseBiasMean(Dense):
    def backward(self, g: Array) -> Gradients:
        gx, gw, _ = super().backward(g)
        return gx, gw, g.mean(axis=0)


book.twin(
    "dense-bias-mean",
    "kvfrans/notes#5",
    "factor",
    DenseBiasMean,
    Dense,
    normal((5, 3), (3, 4), (4,)),
    "The bias gradient is averaged over the batch instead of summed; needs batch > 1.",
)


class RidgeSvm:
    """Mean squared hinge of labelled rows plus a squared-norm penalty."""

    labels, reg = np.array([1.0, -1, 1, -1]), 0.3

    def forward(self, x: Array, w: Array) -> Any:
        self.x, self.w = x, w
        self.slack = np.maximum(1 - self.labels * (x @ w), 0)
        return np.asarray((self.slack**2).mean() + self.reg * (w * w).sum())

    def backward(self, g: Array) -> Gradients:
        gs = -2 * g * self.slack * self.labels / len(self.labels)
        return np.outer(gs, self.w), self.x.T @ gs + g * self.penalty()

    def penalty(self) -> Any:
        return 2 * self.reg * self.w


class RidgeSvmHalf(RidgeSvm):
    def penalty(self) -> Any:
        return self.reg * self.w


book.twin(
    "svm-penalty-half",
    "jingtinghuang/CS231n-Spring-2017#3",
    "factor",
    RidgeSvmHalf,
    RidgeSvm,
    normal((4, 3), (3,)),
    "The penalty is reg * |w|^2 and its gradient lacks the 2.",
)


# ---------------------------------------------------------------- sign


class PenalisedLogistic:
    """(negative log likelihood + gamma/2 |b|^2) / n of a logistic regression."""

    y, gamma, sign = np.array([1.0, 0, 0, 1, 1]), 0.8, 1.0

    def forward(self, x: Array, b: Array) -> Any:
        self.x, self.b = x, b
        z = x @ b
        nll = (np.logaddexp(0, z) - self.y * z).sum()
        return np.asarray((nll + self.gamma / 2 * (b * b).sum()) / len(x))

    def backward(self, g: Array) -> Gradients:
        gz = g * (sigmoid(self.x @ self.b) - self.y) / len(self.x)
        return np.outer(gz, self.b), self.x.T @ gz + self.sign * g * self.gamma * self.b / len(self.x)


class PenalisedLogisticMinus(PenalisedLogistic):
    sign = -1.0


book.twin(
    "logistic-penalty-sign",
    "ddbourgin/numpy-ml@b537fac970",
    "sign",
    PenalisedLogisticMinus,
    PenalisedLogistic,
    normal((5, 3), (3,)),
    "The penalty stands inside the minus of -(X'(y - p) + gamma b)/n and so pushes weights away from zero.",
)


class Subtract:
    def forward(self, a: Array, b: Array) -> Any:
        return a - b

    def backward(self, g: Array) -> Gradients:
        return g.copy(), -g


class SubtractPlus(Subtract):
    def backward(self, g: Array) -> Gradients:
        return g.copy(), g.copy()


book.twin(
    "subtract-second-operand-sign",
    "KhawajaAbaid/micrograd_c#1",
    "sign",
    SubtractPlus,
    Subtract,
    normal((4,), (4,)),
    "The subtrahend receives +g instead of -g.",
)


class Arctan:
    def forward(self, x: Array) -> Any:
        self.x = x
        return np.arctan(x)

    def backward(self, g: Array) -> Gradients:
        return (g / (1 + self.x**2),)


class ArctanMinus(Arctan):
    def backward(self, g: Array) -> Gradients:
        return (-g / (1 + self.x**2),)


book.twin(
    "arctan-minus",
    "chainer/chainer@b3dc58fa45",
    "sign",
    ArctanMinus,
    Arctan,
    normal((3, 4)),
    "The derivative of arctan was written with the minus sign of arccos.",
)


class SinTimes:
    def forward(self, x: Array, y: Array) -> Any:
        self.x, self.y = x, y
        return np.sin(x) * y

    def backward(self, g: Array) -> Gradients:
        return g * np.cos(self.x) * self.y, g * np.sin(self.x)


class SinTimesMinus(SinTimes):
    def backward(self, g: Array) -> Gradients:
        return g * np.cos(self.x) * self.y, -g * np.sin(self.x)


book.twin(
    "sin-times-y-doc-sign",
    "jax-ml/jax#3213",
    "sign",
    SinTimesMinus,
    SinTimes,
    normal((5,), (5,)),
    "The documented custom rule of sin(x)*y had -sin(x) for the second argument.",
)


CASES = book.cases
