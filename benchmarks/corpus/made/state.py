"""Layers whose caches, buffers and masks outlive a call when they should not."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, Pair, normal, unary

book = Book()


class FirstCall(Pair):
    """Keeps the cache of the first call for ever."""

    def forward(self, *inputs: Array) -> Any:
        out, cache = self.fwd(*inputs)
        self.cache = self.cache or cache
        return out


class Aliased(Pair):
    """Caches the caller's array itself, and a later step of forward clobbers its own copy of it."""

    def forward(self, *inputs: Array) -> Any:
        (x,) = inputs
        self.buffer = getattr(self, "buffer", np.zeros_like(x))
        self.buffer[...] = x
        self.cache = (self.buffer, np.tanh(self.buffer))
        self.buffer *= 0.5
        return self.cache[1]


class Running(Pair):
    """Adds to the gradients of the earlier calls."""

    def backward(self, upstream: Array) -> Gradients:
        self.total = getattr(self, "total", 0) + self.bwd(upstream, self.cache)[0]
        return (self.total.copy(),)


def dropout(x: Array, seed: int = 7) -> tuple[Any, Any]:
    keep = np.random.default_rng(seed).random(x.shape) < 0.6
    return x * keep / 0.6, x.shape


def dropout_b(d: Array, shape: Any, seed: int = 7) -> Gradients:
    return (d * (np.random.default_rng(seed).random(shape) < 0.6) / 0.6,)


square = unary(lambda x: x**2, lambda x, y: 2 * x)
book.pair(
    "square-first-call", "stale", *square, normal((3, 4)), "cache of the first call kept for ever", layer=FirstCall
)
book.pair(
    "square-clobbered",
    "stale",
    lambda x: (np.tanh(x), None),
    lambda d, c: (d * (1 - np.tanh(c[0]) ** 2),),
    normal((3, 4)),
    "cached buffer halved after use",
    layer=Aliased,
)
book.pair(
    "square-running", "stale", *square, normal((3, 4)), "gradients of earlier backward calls are added", layer=Running
)
book.family(
    "dropout",
    dropout,
    dropout_b,
    normal((3, 4)),
    [
        ("redrawn", "random", lambda d, s: dropout_b(d, s, 8), "another mask in the backward"),
    ],
)


CASES = book.cases
