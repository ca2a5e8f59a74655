"""Bugs of public projects: uses that overwrite each other, gradients sent to the wrong entry."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, normal, values

book = Book()


# ---------------------------------------------------------------- accumulate


class Diamond:
    """y = x*3; out = y*2 + tanh(y)."""

    def forward(self, x: Array) -> Any:
        self.t = np.tanh(3 * x)
        return 6 * x + self.t

    def backward(self, g: Array) -> Gradients:
        return (3 * (2 * g + self.second_branch(g)),)

    def second_branch(self, g: Array) -> Any:
        return g * (1 - self.t**2)


class DiamondFirstBranch(Diamond):
    def second_branch(self, g: Array) -> Any:
        return 0.0


book.twin(
    "second-branch-of-diamond-dropped",
    "TrenTorch/TrenTorch#182",
    "accumulate",
    DiamondFirstBranch,
    Diamond,
    normal((4,), scale=0.5),
    "A shared inner node is freed after its first consumer, so the second branch is lost.",
)


class MaxPool1d:
    """Windows of three, stride one: windows overlap."""

    def forward(self, x: Array) -> Any:
        self.shape = x.shape
        windows = np.lib.stride_tricks.sliding_window_view(x, 3)
        self.where = np.arange(len(windows)) + windows.argmax(axis=1)
        return windows.max(axis=1)

    def backward(self, g: Array) -> Gradients:
        gx = np.zeros(self.shape)
        np.add.at(gx, self.where, g)
        return (gx,)


class MaxPool1dAssign(MaxPool1d):
    def backward(self, g: Array) -> Gradients:
        gx = np.zeros(self.shape)
        gx[self.where] = g
        return (gx,)


book.twin(
    "max-pool-overlap-assigned",
    "FluxML/NNlib.jl#205",
    "accumulate",
    MaxPool1dAssign,
    MaxPool1d,
    values([0.3, 2.0, -1.0, 0.5, 1.5, -0.7, 0.1, 3.0]),
    "One input that wins several overlapping windows keeps only the last window's gradient.",
)


class SkipAndUpsample:
    """The signal and its nearest-neighbour upsampling, joined."""

    def forward(self, x: Array) -> Any:
        return np.concatenate([x, np.repeat(x, 2)])

    def backward(self, g: Array) -> Gradients:
        n = len(g) // 3
        return (self.join(g[:n], g[n:].reshape(n, 2).sum(axis=1)),)

    def join(self, skip: Array, up: Array) -> Any:
        return skip + up


class SkipAndUpsampleOverwrites(SkipAndUpsample):
    def join(self, skip: Array, up: Array) -> Any:
        return up


book.twin(
    "upsample-overwrites-gradient",
    "huggingface/candle#3507",
    "accumulate",
    SkipAndUpsampleOverwrites,
    SkipAndUpsample,
    normal((4,)),
    "Upsampling stores its gradient instead of adding it to that of the other use of the input.",
)


class MatmulPlus:
    """a @ b + a: the matrix a is used twice."""

    def forward(self, a: Array, b: Array) -> Any:
        self.a, self.b = a, b
        return a @ b + a

    def backward(self, g: Array) -> Gradients:
        return g + g @ self.b.T, self.a.T @ g


class MatmulPlusOverwrites(MatmulPlus):
    def backward(self, g: Array) -> Gradients:
        return g @ self.b.T, self.a.T @ g


book.twin(
    "matmul-adjoint-overwrites",
    "NVIDIA/warp#168",
    "accumulate",
    MatmulPlusOverwrites,
    MatmulPlus,
    normal((3, 3), (3, 3)),
    "The adjoint of a matmul operand is written with beta = 0 over what was there.",
)


class SumOfProducts:
    """x*xa + x*xa + x2*a with xa = x*a, x2 = x*x: a graph with shared nodes."""

    a = 1.5

    def forward(self, x: Array) -> Any:
        self.x = x
        return 3 * self.a * x**2

    def backward(self, g: Array) -> Gradients:
        direct, through_xa, through_x2 = 2 * self.a, 2 * self.a, 2 * self.a
        return (g * self.x * (direct + self.arrivals() * through_xa + through_x2),)

    def arrivals(self) -> Any:
        return 1.0


class SumOfProductsCountedTwice(SumOfProducts):
    def arrivals(self) -> Any:
        return 1.5


book.twin(
    "shared-node-propagated-twice",
    "sebgao/cTensor#5",
    "accumulate",
    SumOfProductsCountedTwice,
    SumOfProducts,
    normal((4,)),
    "A node with two consumers passes its gradient on at each arrival, the first arrival being counted again.",
)


class GatherRows:
    rows = np.array([1, 3, 1, 0, 1])

    def forward(self, table: Array) -> Any:
        self.shape = table.shape
        return table[self.rows]

    def backward(self, g: Array) -> Gradients:
        out = np.zeros(self.shape)
        np.add.at(out, self.rows, g)
        return (out,)


class GatherRowsOverwrites(GatherRows):
    def backward(self, g: Array) -> Gradients:
        out = np.zeros(self.shape)
        out[self.rows] = g
        return (out,)


book.twin(
    "gather-rows-overwritten",
    "PaddlePaddle/Paddle#17690",
    "accumulate",
    GatherRowsOverwrites,
    GatherRows,
    normal((4, 3)),
    "Repeated row indices overwrite one another; needs a repeated index.",
)


# ---------------------------------------------------------------- route


class MaxRows:
    """Row maxima; ties share the gradient."""

    def forward(self, x: Array) -> Any:
        self.won = x == x.max(axis=1, keepdims=True)
        return x.max(axis=1)

    def backward(self, g: Array) -> Gradients:
        return (g[:, None] * self.won / self.won.sum(axis=1, keepdims=True),)


class MaxRowsAll(MaxRows):
    def backward(self, g: Array) -> Gradients:
        return (g[:, None] * self.won,)


book.twin(
    "max-ties-each-get-all",
    "HIPS/autograd#138",
    "route",
    MaxRowsAll,
    MaxRows,
    values([[1.0, 2.0, 2.0], [3.0, 0.0, 1.0], [0.5, 0.5, 0.5]]),
    "Every entry equal to the maximum receives the whole gradient, outside the subdifferential; needs ties.",
)


class ClipOwnBound:
    """clip(x, 0, x), which is max(x, 0)."""

    def forward(self, x: Array) -> Any:
        self.x = x
        return np.clip(x, 0, np.maximum(x, 0))

    def backward(self, g: Array) -> Gradients:
        return (g * (self.x > 0),)


class ClipOwnBoundLost(ClipOwnBound):
    def backward(self, g: Array) -> Gradients:
        return (g * ((self.x > 0) & (self.x < self.x)),)


book.twin(
    "clip-against-itself",
    "Theano/Theano#633",
    "route",
    ClipOwnBoundLost,
    ClipOwnBound,
    normal((6,)),
    "The gradient goes to x only strictly between the bounds, and the bound that is x gets nothing.",
)


class MaxUnpool:
    """Scatter to a longer signal; where indices repeat the last value stays."""

    where = np.array([4, 2, 3, 4])

    def forward(self, x: Array) -> Any:
        y = np.zeros(6)
        for value, i in zip(x, self.where, strict=True):
            y[i] = value
        return y

    def backward(self, g: Array) -> Gradients:
        last = [i not in self.where[k + 1 :] for k, i in enumerate(self.where)]
        return (g[self.where] * last,)


class MaxUnpoolAll(MaxUnpool):
    def backward(self, g: Array) -> Gradients:
        return (g[self.where],)


book.twin(
    "max-unpool-overwritten-entries",
    "pytorch/pytorch#80204",
    "route",
    MaxUnpoolAll,
    MaxUnpool,
    normal((4,)),
    "Values that were overwritten in forward still receive the gradient; needs a repeated index.",
)


class DepthConv:
    """A cross-correlation along depth, one 2-vector per depth."""

    def forward(self, x: Array, w: Array) -> Any:
        self.x, self.w = x, w
        m = len(x) - len(w) + 1
        return np.stack([sum(x[i + j] * w[j] for j in range(len(w))) for i in range(m)])

    def backward(self, g: Array) -> Gradients:
        gx, gw = np.zeros_like(self.x), np.zeros_like(self.w)
        for i in range(len(g)):
            for j in range(len(self.w)):
                gx[self.at(i, j)] += g[i] * self.w[j]
                gw[j] += (g[i] * self.x[i + j]).sum()
        return gx, gw

    def at(self, i: int, j: int) -> int:
        return i + j


class DepthConvOutputIndex(DepthConv):
    def at(self, i: int, j: int) -> int:
        return i


book.twin(
    "conv-depth-index-of-output",
    "NervanaSystems/neon#111",
    "route",
    DepthConvOutputIndex,
    DepthConv,
    normal((5, 2), (3,)),
    "The input gradient is added at the output's depth instead of the input's; needs depth > 1.",
)


CASES = book.cases
