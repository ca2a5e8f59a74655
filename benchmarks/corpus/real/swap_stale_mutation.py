"""Bugs of public projects: gradients exchanged, caches left over, arrays written into."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, normal, softmax

book = Book()


# ---------------------------------------------------------------- swap


class TimesExp:
    def forward(self, a: Array, b: Array) -> Any:
        self.a, self.b = a, b
        return a * np.exp(b)

    def backward(self, g: Array) -> Gradients:
        e = g * np.exp(self.b)
        return e, e * self.a


class TimesExpOtherOrder(TimesExp):
    def backward(self, g: Array) -> Gradients:
        return super().backward(g)[::-1]


book.twin(
    "gradients-in-another-order",
    "tensorflow/tensorflow#37593",
    "swap",
    TimesExpOtherOrder,
    TimesExp,
    normal((4,), (4,)),
    "Gradients of [a, b] are returned as [b, a].",
)


class FullConv1d:
    """Full convolution of a signal with a filter (the input gradient of a convolution)."""

    def forward(self, x: Array, f: Array) -> Any:
        self.x, self.f = x, f
        return np.convolve(x, f)

    def backward(self, g: Array) -> Gradients:
        return np.correlate(g, self.f, "valid"), np.correlate(g, self.x, "valid")


class FullConv1dSwapped(FullConv1d):
    def backward(self, g: Array) -> Gradients:
        return super().backward(g)[::-1]


book.twin(
    "conv-input-and-filter-swapped",
    "tensorflow/swift-apis#332",
    "swap",
    FullConv1dSwapped,
    FullConv1d,
    normal((4,), (4,)),
    "The pullback returns (filter, input) for a function of (input, filter); silent if shapes agree.",
)


class Relu:
    def forward(self, x: Array) -> Any:
        self.x = x
        return np.maximum(x, 0)

    def backward(self, g: Array) -> Gradients:
        return (g * (self.x > 0),)


class ReluArgumentsSwapped(Relu):
    def backward(self, g: Array) -> Gradients:
        return (self.x * (g > 0),)


book.twin(
    "relu-backward-arguments-swapped",
    "ROCm/rocm-libraries#7676",
    "swap",
    ReluArgumentsSwapped,
    Relu,
    normal((7,)),
    "The reference takes (x, dy) where the caller passes (dy, x).",
)


# ---------------------------------------------------------------- stale


class SelectLast:
    """The last entry of a table whose length varies from call to call."""

    def forward(self, table: Array) -> Any:
        self.n = len(table)
        return table[-1:].copy()

    def backward(self, g: Array) -> Gradients:
        out = np.zeros(self.n)
        out[-1] = g[0]
        return (out,)


class SelectLastReused(SelectLast):
    buffer: Any = None

    def backward(self, g: Array) -> Gradients:
        if self.buffer is None:
            self.buffer = np.zeros(64)
        self.buffer[self.n - 1] = g[0]
        return (self.buffer[: self.n].copy(),)


book.twin(
    "select-table-buffer-not-cleared",
    "torch/nn#759",
    "stale",
    SelectLastReused,
    SelectLast,
    lambda rng: (rng.standard_normal(rng.integers(2, 9)),),
    "The gradient buffer is reused uncleared; needs a second call with a longer table.",
)


class ScalarGraph:
    """relu(x) * w with gradients kept on the nodes."""

    zeroes = True

    def __init__(self) -> None:
        self.gx: Any = 0.0
        self.gw: Any = 0.0

    def forward(self, x: Array, w: Array) -> Any:
        self.x, self.w = x, w
        return np.maximum(x, 0) * w

    def backward(self, g: Array) -> Gradients:
        if self.zeroes:
            self.gx = self.gw = 0.0
        self.gx = self.gx + g * self.w * (self.x > 0)
        self.gw = self.gw + g * np.maximum(self.x, 0)
        return self.gx, self.gw


class ScalarGraphNeverZeroed(ScalarGraph):
    zeroes = False


book.twin(
    "backward-twice-adds-up",
    "karpathy/micrograd#102",
    "stale",
    ScalarGraphNeverZeroed,
    ScalarGraph,
    normal((4,), (4,)),
    "Node gradients are never zeroed: right the first time, needs a second backward.",
)


class NormThenRelu:
    """Mean-variance normalisation followed by a ReLU that works in place."""

    def forward(self, x: Array) -> Any:
        self.s = x.std()
        self.h = (x - x.mean()) / self.s
        y = self.top()
        self.on = y > 0
        return np.maximum(y, 0, out=y).copy()

    def top(self) -> Any:
        return self.h.copy()

    def backward(self, g: Array) -> Gradients:
        g = g * self.on
        return ((g - g.mean() - self.h * (g * self.h).mean()) / self.s,)


class NormThenReluClobbered(NormThenRelu):
    def top(self) -> Any:
        return self.h


book.twin(
    "normalisation-reads-clobbered-output",
    "BVLC/caffe#2015",
    "stale",
    NormThenReluClobbered,
    NormThenRelu,
    normal((3, 4)),
    "The normalisation's backward reads its own output, which the in-place ReLU has changed.",
)


# ---------------------------------------------------------------- mutation


class ScaledSoftmax:
    scale = 0.5

    def forward(self, x: Array) -> Any:
        self.p = softmax(self.scale * x)
        return self.p.copy()

    def backward(self, g: Array) -> Gradients:
        return (self.scale * self.p * (g - (g * self.p).sum(axis=-1, keepdims=True)),)


class ScaledSoftmaxInPlace(ScaledSoftmax):
    def backward(self, g: Array) -> Gradients:
        g[...] = super().backward(g)[0]
        return (g,)


book.twin(
    "fused-softmax-writes-upstream",
    "NVIDIA/apex#1430",
    "mutation",
    ScaledSoftmaxInPlace,
    ScaledSoftmax,
    normal((3, 4)),
    "The result is right but written over the upstream gradient.",
)


class Bidirectional:
    """A cumulative sum from the left plus one from the right, each of its own gate."""

    left, right = 0.7, -0.4

    def forward(self, x: Array) -> Any:
        return self.left * np.cumsum(x) + self.right * np.cumsum(x[::-1])[::-1]

    def backward(self, g: Array) -> Gradients:
        gx = self.left * np.cumsum(g[::-1])[::-1]
        return (gx + self.right * np.cumsum(g),)


class BidirectionalInPlace(Bidirectional):
    def backward(self, g: Array) -> Gradients:
        g[...] = self.left * np.cumsum(g[::-1])[::-1]
        return (g + self.right * np.cumsum(g),)


book.twin(
    "bidirectional-dx-written-over-dy",
    "apache/mxnet#18203",
    "mutation",
    BidirectionalInPlace,
    Bidirectional,
    normal((5,)),
    "The first direction writes its result over upstream before the second direction reads it.",
)


CASES = book.cases
