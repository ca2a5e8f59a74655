"""Right layers that other checkers refuse."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, normal, values
from benchmarks.corpus.real.accumulate_route import MaxRows
from benchmarks.corpus.real.swap_stale_mutation import Relu
from benchmarks.corpus.real.term_reduction import BatchNorm
from benchmarks.corpus.real.transpose_upstream_local import LogSumExpRows

book = Book()


book.accept(
    "relu-at-zero",
    "pytorch/pytorch#114234",
    Relu,
    values([0.0, -1.0, 2.0, 0.0, 0.5]),
    "At exactly 0 central differences give 1/2, while both 0 and 1 are right.",
)


class Linear32:
    """A float32 linear layer."""

    def forward(self, x: Array, w: Array, b: Array) -> Any:
        self.x, self.w = x, w
        return x @ w.T + b

    def backward(self, g: Array) -> Gradients:
        return g @ self.w, g.T @ self.x, g.sum(axis=0)


book.accept(
    "linear-float32",
    "pytorch/pytorch#5351",
    Linear32,
    lambda rng: tuple(rng.standard_normal(s).astype(np.float32) for s in ((1, 2), (1, 2), (1,))),
    "In float32 a small step leaves two digits of the difference.",
)


class LargeOffset:
    """A small signal on top of 1e8."""

    def forward(self, x: Array) -> Any:
        self.x = x
        return 1e8 + np.sin(x)

    def backward(self, g: Array) -> Gradients:
        return (g * np.cos(self.x),)


book.accept(
    "output-near-1e8",
    "made",
    LargeOffset,
    normal((5,)),
    "The outputs are 1e8 large and their differences lose eight digits; a small step sees only rounding.",
)

book.accept(
    "max-near-tie",
    "zplizzi/tensorflow-fast-rcnn#12",
    MaxRows,
    values([[1.0, 1.0 + 1e-7, 0.3], [2.0, -1.0, 2.0 - 3e-6]]),
    "The runner-up is closer to the maximum than a usual step, so a difference straddles the kink.",
)


class ClampConstant:
    """clamp with equal bounds: constant, also where x meets the bound."""

    def forward(self, x: Array) -> Any:
        return np.clip(x, 1.0, 1.0)

    def backward(self, g: Array) -> Gradients:
        return (np.zeros_like(g),)


book.accept(
    "clamp-equal-bounds",
    "pytorch/pytorch#94204",
    ClampConstant,
    values([0.0, 1.0, 2.0, 3.0]),
    "The function is constant, so every gradient is exactly zero and relative errors have no scale.",
)


book.accept(
    "logsumexp-big-inputs",
    "pytorch/pytorch#2211",
    LogSumExpRows,
    lambda rng: (1000 * rng.standard_normal((3, 4)),),
    "Inputs of 1e3 leave a softmax of exact zeros and ones, far from any usual scale.",
)


book.accept(
    "batch-norm-simplified",
    "pjreddie/darknet#29",
    BatchNorm,
    lambda rng: (np.array([1.0, 50.0, 1e3]) * rng.standard_normal((4, 3)) + np.array([0.0, 500.0, -1e4]),),
    "Reported as lacking a term, which sums to zero; columns differ in scale by 1e3.",
)


CASES = book.cases
