"""Bugs that show at repeated or special indices, in memory laid out otherwise, in float32, and at a later call."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Array, Layer, Telling


class Embedding(Layer):
    """Rows of a table; a row taken twice kept the last gradient alone."""

    def forward(self, *inputs: Array) -> Array:
        self.W, self.rows = inputs
        return self.W[self.rows]

    def backward(self, upstream: Array) -> Any:
        gradient = np.zeros_like(self.W)
        if self.wrong:
            gradient[self.rows] = upstream
        else:
            np.add.at(gradient, self.rows, upstream)
        return gradient, None


class CrossEntropy(Layer):
    def forward(self, *inputs: Array) -> Array:
        z, self.labels = inputs
        shifted = z - z.max(axis=1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        self.p = np.exp(logs)
        return np.asarray(-logs[np.arange(len(z)), self.labels].sum())

    def backward(self, upstream: Array) -> Any:
        chosen = np.zeros_like(self.p)
        chosen[np.arange(len(self.p)), self.labels] = 1
        gradient = self.p - chosen
        return upstream * (self.mistaken(gradient) if self.wrong else gradient), None

    def mistaken(self, gradient: Array) -> Array:
        raise NotImplementedError


class LabelZero(CrossEntropy):
    """Label 0 was taken for padding."""

    def mistaken(self, gradient: Array) -> Array:
        return np.asarray(gradient * (self.labels != 0)[:, None])


class LastLabel(CrossEntropy):
    """The last class was counted from one."""

    def mistaken(self, gradient: Array) -> Array:
        last = (self.labels == self.p.shape[1] - 1) & (self.p.shape[1] > 1)
        return np.where(last[:, None], self.p, gradient)


class MaskedMean(Layer):
    """The mean of what is chosen, zero where nothing is."""

    def forward(self, *inputs: Array) -> Array:
        self.x, self.mask = inputs
        return np.asarray((self.x * self.mask).sum() / max(self.mask.sum(), 1))

    def backward(self, upstream: Array) -> Any:
        count = self.mask.sum() if self.wrong else max(self.mask.sum(), 1)
        with np.errstate(all="ignore"):
            return upstream * self.mask / np.float64(count), None


class SegmentSum(Layer):
    """Sums by segment; backward took the segments to be in order."""

    def forward(self, *inputs: Array) -> Array:
        self.x, self.segments = inputs
        out = np.zeros(1 + self.segments.max(initial=0))
        np.add.at(out, self.segments, self.x)
        return out

    def backward(self, upstream: Array) -> Any:
        segments = np.sort(self.segments) if self.wrong else self.segments
        return upstream[segments], None


class GatherTwice(Layer):
    """x[i] * x[j]; where i and j are the same place, one of two gradients was lost."""

    def forward(self, *inputs: Array) -> Array:
        self.x, self.i, self.j = inputs
        return self.x[self.i] * self.x[self.j]

    def backward(self, upstream: Array) -> Any:
        left, right = np.zeros_like(self.x), np.zeros_like(self.x)
        np.add.at(left, self.i, upstream * self.x[self.j])
        np.add.at(right, self.j, upstream * self.x[self.i])
        both = np.zeros_like(self.x)
        both[self.i] = left[self.i]
        if self.wrong:
            both[self.j] = right[self.j]
        else:
            both = left + right
        return both, None, None


class UpstreamInMemory(Layer):
    """Backward reads the upstream in the order in which it lies in memory."""

    def forward(self, *inputs: Array) -> Array:
        (self.x,) = inputs
        return self.x**2

    def backward(self, upstream: Array) -> Array:
        read = upstream.ravel("K") if self.wrong else upstream.ravel()
        return 2 * self.x * read.reshape(self.x.shape)


class InputInMemory(Layer):
    """Forward keeps its input in the order in which it lies in memory."""

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        self.shape, self.kept = x.shape, x.ravel("K" if self.wrong else "C").copy()
        return x**2

    def backward(self, upstream: Array) -> Array:
        return 2 * self.kept.reshape(self.shape) * upstream


class ReversedInput(Layer):
    """Forward keeps the buffer behind a view: right for a fresh array, backwards for a reversed one."""

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        behind = x[::-1] if self.wrong and x.ndim and x.strides[0] < 0 else x
        self.kept = behind.copy()
        return x**3

    def backward(self, upstream: Array) -> Array:
        return 3 * self.kept**2 * upstream


class FirstLength(Layer):
    """The scratch array has the length of the first call: what a longer one adds gets no gradient."""

    def __init__(self, wrong: bool) -> None:
        super().__init__(wrong)
        self.scratch: Array | None = None

    def forward(self, *inputs: Array) -> Array:
        (self.x,) = inputs
        if self.scratch is None or not self.wrong:
            self.scratch = np.zeros(len(self.x))
        return np.sin(self.x)

    def backward(self, upstream: Array) -> Array:
        gradient = np.zeros_like(self.x)
        n = min(len(self.scratch), len(self.x)) if self.scratch is not None else 0
        gradient[:n] = (np.cos(self.x) * upstream)[:n]
        return gradient


class LongestLength(Layer):
    """The mean's divisor is the longest length seen so far."""

    def __init__(self, wrong: bool) -> None:
        super().__init__(wrong)
        self.n = 0

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        self.shape = x.shape
        self.n = max(self.n, len(x)) if self.wrong else len(x)
        return np.asarray(x.sum() / max(len(x), 1))

    def backward(self, upstream: Array) -> Array:
        return np.full(self.shape, upstream / max(self.n, 1))


class SinglePrecision(Layer):
    """A constant in float64 widens the gradient of a float32 input."""

    def forward(self, *inputs: Array) -> Array:
        (self.x,) = inputs
        return self.x * self.x

    def backward(self, upstream: Array) -> Array:
        gradient = self.x * upstream
        return gradient * np.float64(2) if self.wrong else gradient * gradient.dtype.type(2)


BUGS = [
    Telling("embedding-repeat", "a repeated index", Embedding, {"W": "V D", "rows": "B int<V"}, 3),
    Telling("label-zero", "label 0, two classes", LabelZero, {"z": "B C", "labels": "B int<C"}, 3),
    Telling("last-label", "the last label", LastLabel, {"z": "B C", "labels": "B int<C"}, 3),
    Telling("nothing-chosen", "a mask that is all false", MaskedMean, {"x": "N", "mask": "N bool"}, 2),
    Telling("segments-unsorted", "segments out of order", SegmentSum, {"x": "N", "segments": "N int<S"}, 4),
    Telling("gather-twice", "the same place taken twice", GatherTwice, {"x": "V", "i": "B int<V", "j": "B int<V"}, 3),
    Telling("upstream-in-memory", "an upstream that is not contiguous", UpstreamInMemory, {"x": "B I"}, 4),
    Telling("input-in-memory", "an input that is not contiguous", InputInMemory, {"x": "B I"}, 4),
    Telling("reversed-input", "an input with a negative stride", ReversedInput, {"x": "N"}, 2),
    Telling("longer-second-call", "a second call that is longer", FirstLength, {"x": "N"}, 2),
    Telling("shorter-second-call", "a second call that is shorter", LongestLength, {"x": "N"}, 1),
    Telling("single-precision", "float32", SinglePrecision, {"x": "N"}, 1, dtypes=("float64", "float32")),
]
