"""Bugs of public projects: axes out of order, the upstream left out, the derivative of something else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, normal, sigmoid, softmax

book = Book()


# ---------------------------------------------------------------- transpose


class TensordotFirst:
    """tensordot(a, b, axes=(0, 0))."""

    def forward(self, a: Array, b: Array) -> Any:
        self.a, self.b = a, b
        return np.tensordot(a, b, axes=(0, 0))

    def backward(self, g: Array) -> Gradients:
        return np.tensordot(self.b, g, axes=(1, 1)), np.tensordot(self.a, g, axes=(1, 0))


class TensordotFirstUnordered(TensordotFirst):
    def backward(self, g: Array) -> Gradients:
        return np.tensordot(g, self.b, axes=(1, 1)), np.tensordot(self.a, g, axes=(1, 0))


book.twin(
    "tensordot-axes-not-put-back",
    "HIPS/autograd#446",
    "transpose",
    TensordotFirstUnordered,
    TensordotFirst,
    normal((3, 3), (3, 4)),
    "With integer axes the summed axis comes back last instead of where it was; silent only when the shapes agree.",
)


class RollAxisZero:
    """rollaxis(x, 0, 0): the identity."""

    def forward(self, x: Array) -> Any:
        return np.rollaxis(x, 0, 0).copy()

    def backward(self, g: Array) -> Gradients:
        return (np.rollaxis(g, 0, 0).copy(),)


class RollAxisZeroShifted(RollAxisZero):
    def backward(self, g: Array) -> Gradients:
        return (np.rollaxis(g, -1, 0).copy(),)


book.twin(
    "rollaxis-equal-axis-and-start",
    "chainer/chainer#4836",
    "transpose",
    RollAxisZeroShifted,
    RollAxisZero,
    normal((3, 3, 3)),
    "With axis == start == 0 the inverse start became -1, so backward moves the last axis first.",
)


class Attention:
    """Softmax attention of one head; upstream may have any strides."""

    def forward(self, q: Array, k: Array, v: Array) -> Any:
        self.q, self.k, self.v = q, k, v
        self.p = softmax(q @ k.T / math.sqrt(q.shape[1]))
        return self.p @ v

    def backward(self, g: Array) -> Gradients:
        gp = g @ self.v.T
        gs = self.p * (gp - (gp * self.p).sum(axis=1, keepdims=True)) / math.sqrt(self.q.shape[1])
        return gs @ self.k, gs.T @ self.q, self.p.T @ g


class AttentionMemoryOrder(Attention):
    def backward(self, g: Array) -> Gradients:
        return super().backward(g.ravel(order="K").reshape(g.shape))


book.twin(
    "attention-upstream-read-in-memory-order",
    "Dao-AILab/flash-attention#355",
    "transpose",
    AttentionMemoryOrder,
    Attention,
    normal((4, 3), (5, 3), (5, 3)),
    "The kernel reads the upstream gradient as if contiguous; needs a non-contiguous (transposed) upstream.",
)


# ---------------------------------------------------------------- upstream


class LogSumExpRows:
    def forward(self, x: Array) -> Any:
        m = x.max(axis=1, keepdims=True)
        self.p = softmax(x)
        return (m + np.log(np.exp(x - m).sum(axis=1, keepdims=True)))[:, 0]

    def backward(self, g: Array) -> Gradients:
        return (self.p * g[:, None],)


class LogSumExpRowsDeaf(LogSumExpRows):
    def backward(self, g: Array) -> Gradients:
        return (self.p.copy(),)


book.twin(
    "total-score-ignores-upstream",
    "k2-fsa/k2#341",
    "upstream",
    LogSumExpRowsDeaf,
    LogSumExpRows,
    normal((4, 5)),
    "Backward returns the posterior without the upstream gradient, so a negated loss trains the wrong way.",
)


class SoftTargetCrossEntropy:
    target = softmax(np.arange(12.0).reshape(4, 3) % 5)

    def forward(self, x: Array) -> Any:
        self.p = softmax(x)
        return np.asarray(-(self.target * np.log(self.p)).sum() / len(x))

    def backward(self, g: Array) -> Gradients:
        return (g * (self.p - self.target) / len(self.p),)


class SoftTargetCrossEntropyDeaf(SoftTargetCrossEntropy):
    def backward(self, g: Array) -> Gradients:
        return ((self.p - self.target) / len(self.p),)


book.twin(
    "soft-target-loss-ignores-upstream",
    "chainer/chainer@e60dd3efbc",
    "upstream",
    SoftTargetCrossEntropyDeaf,
    SoftTargetCrossEntropy,
    normal((4, 3)),
    "The soft-target branch forgets the gradient of the loss; right when that is 1.",
)


class SquaredDifference:
    def forward(self, x: Array, y: Array) -> Any:
        self.d = x - y
        return self.d**2

    def backward(self, g: Array) -> Gradients:
        return 2 * g * self.d, -2 * g * self.d


class SquaredDifferenceInputs(SquaredDifference):
    def forward(self, x: Array, y: Array) -> Any:
        self.x, self.y = x, y
        return (x - y) ** 2

    def backward(self, g: Array) -> Gradients:
        return self.x.copy(), self.y.copy()


book.twin(
    "squared-difference-returns-inputs",
    "SciSharp/TensorFlow.NET#787",
    "upstream",
    SquaredDifferenceInputs,
    SquaredDifference,
    normal((3, 2), (3, 2)),
    "The registered gradient returns the op's inputs and never looks at upstream.",
)


# ---------------------------------------------------------------- local


class Quadratic:
    a, b, c = 1.5, -0.5, 2.0

    def forward(self, x: Array) -> Any:
        self.x = x
        return self.a * x * x + self.b * x + self.c

    def backward(self, g: Array) -> Gradients:
        return (g * (2 * self.a * self.x + self.b),)


class QuadraticForwardTwice(Quadratic):
    def backward(self, g: Array) -> Gradients:
        return (self.a * g * g + self.b * g + self.c,)


book.twin(
    "quadratic-backward-runs-forward",
    "apache/mxnet#16938",
    "local",
    QuadraticForwardTwice,
    Quadratic,
    normal((6,)),
    "The sparse backward entry is wired to the forward kernel.",
)


class Softplus:
    def forward(self, x: Array) -> Any:
        self.x = x
        return np.logaddexp(0, x)

    def backward(self, g: Array) -> Gradients:
        return (g * sigmoid(self.x),)


class SoftplusOfOutput(Softplus):
    def backward(self, g: Array) -> Gradients:
        return (g * sigmoid(np.logaddexp(0, self.x)),)


book.twin(
    "softplus-derivative-at-output",
    "zserge/nanonn#4",
    "local",
    SoftplusOfOutput,
    Softplus,
    normal((8,)),
    "The derivative is evaluated at the layer's output instead of its input.",
)


class NormalCdf:
    """Distribution function of a normal whose location was left at its default, 0."""

    loc = 0.0

    def forward(self, x: Array) -> Any:
        self.x = x
        return 0.5 * (1 + np.vectorize(math.erf, otypes=[float])(x / math.sqrt(2)))

    def backward(self, g: Array) -> Gradients:
        return (g * np.exp(-0.5 * (self.x - self.loc) ** 2) / math.sqrt(2 * math.pi),)


class NormalCdfShifted(NormalCdf):
    loc = -1.0


book.twin(
    "normal-cdf-default-location",
    "HIPS/autograd@155f0bfe53",
    "local",
    NormalCdfShifted,
    NormalCdf,
    normal((6,)),
    "The gradient rule's default location was -1 while the function's was 0; only calls that omit it are wrong.",
)


class Divide:
    def forward(self, a: Array, b: Array) -> Any:
        self.a, self.b = a, b
        return a / b

    def backward(self, g: Array) -> Gradients:
        return g / self.b, -g * self.a / self.b**2


class DivideTypo(Divide):
    def backward(self, g: Array) -> Gradients:
        top = g * self.a
        return g / self.b, top / -top


book.twin(
    "divide-wrong-node",
    "tqchen/tinyflow#20",
    "local",
    DivideTypo,
    Divide,
    lambda rng: (rng.standard_normal(5), rng.uniform(1, 2, 5)),
    "The divisor's gradient divides the wrong pair of intermediate nodes, giving -1.",
)


CASES = book.cases
