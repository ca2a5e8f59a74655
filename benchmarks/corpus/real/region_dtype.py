"""Bugs of public projects: wrong on a part of the domain, precision lost on the way."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, normal, sigmoid, values
from benchmarks.corpus.real.transpose_upstream_local import Softplus

book = Book()


# ---------------------------------------------------------------- region


class LeakyReluZeroSlope:
    """Leaky ReLU of slope zero whose backward looks at the output."""

    slope = 0.0

    def forward(self, x: Array) -> Any:
        self.y = np.where(x <= 0, self.slope * x, x)
        return self.y.copy()

    def backward(self, g: Array) -> Gradients:
        return (np.where(self.y <= 0, self.slope * g, g),)


class LeakyReluZeroSlopeStrict(LeakyReluZeroSlope):
    def backward(self, g: Array) -> Gradients:
        return (np.where(self.y < 0, self.slope * g, g),)


book.twin(
    "leaky-relu-slope-zero",
    "chainer/chainer#5898",
    "region",
    LeakyReluZeroSlopeStrict,
    LeakyReluZeroSlope,
    normal((8,)),
    "With slope 0 the output is 0, not negative, so backward passes the gradient everywhere.",
)


class HardSigmoid:
    def forward(self, x: Array) -> Any:
        self.x = x
        return np.clip(0.2 * x + 0.5, 0, 1)

    def backward(self, g: Array) -> Gradients:
        return (0.2 * g * (np.abs(self.x) < 2.5),)


class HardSigmoidEverywhere(HardSigmoid):
    def backward(self, g: Array) -> Gradients:
        return (0.2 * g,)


book.twin(
    "hard-sigmoid-saturated",
    "ddbourgin/numpy-ml@5743817d63",
    "region",
    HardSigmoidEverywhere,
    HardSigmoid,
    normal((10,), scale=3.0),
    "The slope 0.2 is used on the saturated parts too; needs |x| > 2.5.",
)


class EluNegativeAlpha:
    alpha = -2.0

    def forward(self, x: Array) -> Any:
        self.x = x
        self.y = np.where(x > 0, x, self.alpha * np.expm1(x))
        return self.y.copy()

    def backward(self, g: Array) -> Gradients:
        return (g * np.where(self.x > 0, 1.0, self.alpha * np.exp(self.x)),)


class EluNegativeAlphaFromResult(EluNegativeAlpha):
    def backward(self, g: Array) -> Gradients:
        return (g * np.where(self.y > 0, 1.0, self.y + self.alpha),)


book.twin(
    "elu-negative-alpha",
    "pytorch/pytorch#47671",
    "region",
    EluNegativeAlphaFromResult,
    EluNegativeAlpha,
    normal((8,)),
    "Backward tells the branch from the sign of the result, which a negative alpha flips.",
)


class XLogY:
    def forward(self, x: Array, y: Array) -> Any:
        self.x, self.y = x, y
        return np.where(x == 0, 0.0, x * np.log(y))

    def backward(self, g: Array) -> Gradients:
        return g * np.log(self.y), g * self.x / self.y


class XLogYZero(XLogY):
    def backward(self, g: Array) -> Gradients:
        return np.where(self.x == 0, 0.0, g * np.log(self.y)), g * self.x / self.y


book.twin(
    "xlogy-at-zero",
    "chalk-lab/Mooncake.jl#1310",
    "region",
    XLogYZero,
    XLogY,
    values([0.0, 0.5, 2.0, 0.0], [3.0, 0.7, 1.5, 0.4]),
    "At x = 0 the constant branch was differentiated: 0 instead of log(y); needs an exact zero.",
)


class SoftplusLarge(Softplus):
    def backward(self, g: Array) -> Gradients:
        with np.errstate(over="ignore"):
            return (g / (1 + np.exp(-self.x)),)


class SoftplusOverflow(Softplus):
    def backward(self, g: Array) -> Gradients:
        with np.errstate(over="ignore", invalid="ignore"):
            e = np.exp(self.x)
            return (g * np.nan_to_num(e * (1 / (e + 1)), nan=0.0),)


book.twin(
    "softplus-overflow-gives-zero",
    "tenstorrent/tt-metal#56397",
    "region",
    SoftplusOverflow,
    SoftplusLarge,
    values([-2.0, 0.3, 5.0, 40.0, 750.0]),
    "exp(x)/(exp(x)+1) collapses to 0 once exp overflows, where the gradient is 1; needs a large input.",
)


class CeilAveragePool:
    """Windows of two, stride two; an odd length leaves a last window of one."""

    def forward(self, x: Array) -> Any:
        self.n = len(x)
        return np.array([x[i : i + 2].mean() for i in range(0, len(x), 2)])

    def backward(self, g: Array) -> Gradients:
        count = np.array([self.divisor(i) for i in range(0, self.n, 2)])
        return (np.repeat(g / count, 2)[: self.n],)

    def divisor(self, start: int) -> Any:
        return min(start + 2, self.n) - start


class CeilAveragePoolFull(CeilAveragePool):
    def divisor(self, start: int) -> Any:
        return 2


book.twin(
    "average-pool-ceil-divisor",
    "tracel-ai/burn#5604",
    "region",
    CeilAveragePoolFull,
    CeilAveragePool,
    normal((5,)),
    "The overhanging last window divides by the full kernel size in backward; needs an odd length.",
)


# ---------------------------------------------------------------- dtype


class Cubic:
    def forward(self, x: Array) -> Any:
        self.x = x
        return x**3

    def backward(self, g: Array) -> Gradients:
        return (3 * g * self.x**2,)


class CubicDefaultDtype(Cubic):
    def backward(self, g: Array) -> Gradients:
        return (3 * g.astype(np.float32) * self.x**2,)


book.twin(
    "gradient-seeded-in-default-dtype",
    "tinygrad/tinygrad#3613",
    "dtype",
    CubicDefaultDtype,
    Cubic,
    normal((5,)),
    "The upstream gradient is made in the default float32 whatever the tensor's type; float64 loses half its digits.",
)


class SigmoidCrossEntropy32:
    """Mean sigmoid cross entropy of a float32 batch."""

    target = np.array([1, 0, 0, 1, 1])

    def forward(self, x: Array) -> Any:
        self.x = x
        loss = np.logaddexp(np.zeros_like(x), x) - self.target.astype(x.dtype) * x
        return np.asarray(loss.mean(dtype=x.dtype))

    def backward(self, g: Array) -> Gradients:
        return ((g * (sigmoid(self.x) - self.target) / len(self.x)).astype(self.x.dtype),)


class SigmoidCrossEntropyPromoted(SigmoidCrossEntropy32):
    def backward(self, g: Array) -> Gradients:
        return (g * (sigmoid(self.x) - self.target) / len(self.x),)


book.twin(
    "sigmoid-cross-entropy-promotes",
    "chainer/chainer#684",
    "dtype",
    SigmoidCrossEntropyPromoted,
    SigmoidCrossEntropy32,
    lambda rng: (rng.standard_normal(5).astype(np.float32),),
    "The gradient of a float32 input comes back as float64; needs float32 input and a check of the type.",
)


CASES = book.cases
