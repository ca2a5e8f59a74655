"""Bugs of public projects: another shape, an error in the sixth digit, a NaN."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, normal, values

book = Book()


# ---------------------------------------------------------------- shape


class Squeeze:
    def forward(self, x: Array) -> Any:
        self.shape = x.shape
        y = x.squeeze()
        return y.reshape(1).copy() if y.ndim == 0 else y.copy()

    def backward(self, g: Array) -> Gradients:
        return (g.reshape(self.shape),)


class SqueezeUnsqueezes(Squeeze):
    def backward(self, g: Array) -> Gradients:
        for axis, n in enumerate(self.shape):
            if n == 1:
                g = np.expand_dims(g, axis)
        return (g,)


book.twin(
    "squeeze-all-ones",
    "pytorch/pytorch#4783",
    "shape",
    SqueezeUnsqueezes,
    Squeeze,
    normal((1, 1)),
    "Backward unsqueezes once per axis of size 1, one too many for a (1, 1) input squeezed to (1,).",
)


class Pad1d:
    """Zero padding on the left only."""

    width = (2, 0)

    def forward(self, x: Array) -> Any:
        return np.pad(x, self.width)

    def backward(self, g: Array) -> Gradients:
        left, right = self.width
        return (g[left : len(g) - right],)


class Pad1dEmptySlice(Pad1d):
    def backward(self, g: Array) -> Gradients:
        left, right = self.width
        return (g[left:-right],)


book.twin(
    "pad-zero-width-slice",
    "HIPS/autograd@7b61be3d1c",
    "shape",
    Pad1dEmptySlice,
    Pad1d,
    normal((4,)),
    "A width of 0 on the right makes the slice end at -0 and come back empty.",
)


class MeanAxis:
    """Mean over the first axis, kept."""

    def forward(self, x: Array) -> Any:
        self.shape = x.shape
        return x.mean(axis=0, keepdims=True)

    def backward(self, g: Array) -> Gradients:
        return (np.broadcast_to(g / self.shape[0], self.shape).copy(),)


class MeanAxisTiled(MeanAxis):
    def backward(self, g: Array) -> Gradients:
        return (np.tile(g / self.shape[0], self.shape),)


book.twin(
    "mean-axis-gradient-tiled",
    "facebookresearch/shumai#74",
    "shape",
    MeanAxisTiled,
    MeanAxis,
    normal((2, 3)),
    "Backward tiles upstream by the input's shape, right only for a scalar result.",
)


class Repeat:
    def forward(self, x: Array) -> Any:
        return np.repeat(x, 3, axis=1)

    def backward(self, g: Array) -> Gradients:
        return (g.reshape(len(g), -1, 3).sum(axis=2),)


class RepeatKeepdims(Repeat):
    def backward(self, g: Array) -> Gradients:
        return (g.sum(axis=1, keepdims=True),)


book.twin(
    "repeat-assumes-size-one-axis",
    "HIPS/autograd@72a6ccc264",
    "shape",
    RepeatKeepdims,
    Repeat,
    normal((2, 4)),
    "Backward sums the whole axis, right only where the repeated axis has size 1.",
)


# ---------------------------------------------------------------- small


class NormalizeL2:
    """x / (|x| + eps) for each row."""

    eps = 1e-5

    def forward(self, x: Array) -> Any:
        self.x = x
        return x / (np.linalg.norm(x, axis=1, keepdims=True) + self.eps)

    def backward(self, g: Array) -> Gradients:
        bare = np.linalg.norm(self.x, axis=1, keepdims=True)
        n = bare + self.eps
        return ((g * n - (g * self.x).sum(axis=1, keepdims=True) * self.x / self.divisor(bare)) / n**2,)

    def divisor(self, bare: Array) -> Any:
        return bare


class NormalizeL2Eps(NormalizeL2):
    def divisor(self, bare: Array) -> Any:
        return bare + self.eps


book.twin(
    "l2-normalisation-eps",
    "chainer/chainer#4190",
    "small",
    NormalizeL2Eps,
    NormalizeL2,
    normal((3, 4)),
    "eps enters the derivative of the norm itself: a relative error of about eps/|x|, 1e-5.",
)


class FixedBatchRenorm:
    """Normalisation by given statistics with a learned gain."""

    mean, var, eps = np.array([0.3, -0.2, 1.0]), np.array([0.9, 1.4, 0.6]), 1e-5

    def forward(self, x: Array, gamma: Array) -> Any:
        self.x, self.gamma = x, gamma
        return gamma * (x - self.mean) / np.sqrt(self.var + self.eps)

    def backward(self, g: Array) -> Gradients:
        s = np.sqrt(self.variance())
        return g * self.gamma / s, (g * (self.x - self.mean) / s).sum(axis=0)

    def variance(self) -> Any:
        return self.var + self.eps


class FixedBatchRenormNoEps(FixedBatchRenorm):
    def variance(self) -> Any:
        return self.var


book.twin(
    "batch-renormalisation-eps-left-out",
    "chainer/chainer#4191",
    "small",
    FixedBatchRenormNoEps,
    FixedBatchRenorm,
    lambda rng: (rng.standard_normal((4, 3)), rng.uniform(0.5, 1.5, 3)),
    "Backward with fixed statistics leaves eps out of the variance: a relative error of 5e-6.",
)


# ---------------------------------------------------------------- nonfinite


class PowerOfBase:
    """Elementwise x**y, x >= 0."""

    def forward(self, x: Array, y: Array) -> Any:
        self.x, self.y = x, y
        return x**y

    def backward(self, g: Array) -> Gradients:
        gx = g * self.y * self.x ** (self.y - 1)
        return gx, g * np.log(self.log_of(self.x)) * self.x**self.y

    def log_of(self, x: Array) -> Any:
        return np.where(x == 0, 1.0, x)


class PowerOfBaseLogZero(PowerOfBase):
    def backward(self, g: Array) -> Gradients:
        with np.errstate(divide="ignore", invalid="ignore"):
            return super().backward(g)

    def log_of(self, x: Array) -> Any:
        return x


book.twin(
    "power-log-of-zero",
    "HIPS/autograd#149",
    "nonfinite",
    PowerOfBaseLogZero,
    PowerOfBase,
    values([0.5, 2.0, 1.3, 0.0], [1.7, 0.4, 2.0, 2.0]),
    "At base 0 the exponent's gradient is log(0)*0 = NaN instead of 0; needs an exact zero.",
)


class NormRows:
    def forward(self, x: Array) -> Any:
        self.x = x
        self.n = np.sqrt((x * x).sum(axis=1))
        return self.n.copy()

    def backward(self, g: Array) -> Gradients:
        safe = np.where(self.n == 0, 1.0, self.n)
        return ((g / safe)[:, None] * self.x,)


class NormRowsUnguarded(NormRows):
    def backward(self, g: Array) -> Gradients:
        with np.errstate(divide="ignore", invalid="ignore"):
            return ((g / self.n)[:, None] * self.x,)


book.twin(
    "norm-of-zero-row",
    "tenstorrent/tt-metal#55585",
    "nonfinite",
    NormRowsUnguarded,
    NormRows,
    values([[0.0, 0.0, 0.0], [1.0, 2.0, 2.0]]),
    "A row of zeros (padding) gives 0/0 where the subgradient 0 is expected; needs an all-zero row.",
)


class SteepSigmoid:
    slope = 25.0

    def forward(self, x: Array) -> Any:
        self.z = self.slope * x
        return np.where(
            self.z >= 0, 1 / (1 + np.exp(-np.abs(self.z))), np.exp(-np.abs(self.z)) / (1 + np.exp(-np.abs(self.z)))
        )

    def backward(self, g: Array) -> Gradients:
        e = np.exp(-np.abs(self.z))
        return (g * self.slope * e / (1 + e) ** 2,)


class SteepSigmoidOverflow(SteepSigmoid):
    def backward(self, g: Array) -> Gradients:
        with np.errstate(over="ignore", invalid="ignore"):
            e = np.exp(-self.z)
            return (g * self.slope * e / (e + 1) ** 2,)


book.twin(
    "surrogate-sigmoid-overflow",
    "jeshraghian/snntorch#433",
    "nonfinite",
    SteepSigmoidOverflow,
    SteepSigmoid,
    values([-40.0, -0.1, 0.02, 0.3, 5.0]),
    "exp(-25 x) overflows and inf/inf gives NaN where the gradient is 0; needs an input well below the threshold.",
)


class FlooredRadius:
    """max(sqrt(x^2 + y^2), 0.1)."""

    floor = 0.1

    def forward(self, x: Array, y: Array) -> Any:
        self.x, self.y = x, y
        return np.maximum(np.sqrt(x * x + y * y), self.floor)

    def backward(self, g: Array) -> Gradients:
        r = np.sqrt(self.x**2 + self.y**2)
        on = r > self.floor
        g = g * on / np.where(on, r, 1.0)
        return g * self.x, g * self.y


class FlooredRadiusUnguarded(FlooredRadius):
    def backward(self, g: Array) -> Gradients:
        with np.errstate(divide="ignore", invalid="ignore"):
            r = np.sqrt(self.x**2 + self.y**2)
            g = g * (r > self.floor)
            return g * (self.x / r), g * (self.y / r)


book.twin(
    "floored-radius-at-origin",
    "ml-explore/mlx#3668",
    "nonfinite",
    FlooredRadiusUnguarded,
    FlooredRadius,
    values([0.0, 1.0, -0.5], [0.0, 2.0, 0.7]),
    "Below the floor the function is constant, yet 0 * (0/0) makes the gradient NaN; needs the exact origin.",
)


CASES = book.cases
