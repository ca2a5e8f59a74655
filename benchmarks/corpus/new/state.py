"""What a layer keeps from one call to the next, and must not: caches, buffers, sizes, sums, gradients."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, normal, weights

book = Book()

ROWS = normal((6, 3))


class Relu:
    """max(x, 0)."""

    def forward(self, x: Array) -> Any:
        self.mask = x > 0
        return x * self.mask

    def backward(self, g: Array) -> Gradients:
        return (g * self.mask,)


class ReluKeepsMask(Relu):
    mask: Any = None

    def forward(self, x: Array) -> Any:
        if self.mask is None or self.mask.shape != x.shape:
            self.mask = x > 0
        return np.maximum(x, 0)


book.twin(
    "relu-mask-kept-by-shape",
    "made",
    "stale",
    ReluKeepsMask,
    Relu,
    ROWS,
    "The mask is made anew only when the shape changes.",
)


class MeanSquare:
    """Mean of squares over the first axis."""

    def forward(self, x: Array) -> Any:
        self.x, self.n = x, self.rows(x)
        return (x * x).sum(axis=0) / len(x)

    def rows(self, x: Array) -> int:
        return len(x)

    def backward(self, g: Array) -> Gradients:
        return (2 * self.x * g / self.n,)


class MeanSquareFirstSize(MeanSquare):
    n = 0

    def rows(self, x: Array) -> int:
        return self.n or len(x)


book.twin(
    "mean-square-size-of-first-call",
    "made",
    "stale",
    MeanSquareFirstSize,
    MeanSquare,
    ROWS,
    "The batch size of the first call is kept; needs another size.",
)


class Cumulative:
    """Running sum along the first axis, summed into a scratch array."""

    def forward(self, x: Array) -> Any:
        self.n = len(x)
        return np.cumsum(x, axis=0)

    def backward(self, g: Array) -> Gradients:
        return (np.cumsum(self.padded(g)[::-1], axis=0)[::-1][: self.n].copy(),)

    def padded(self, g: Array) -> Array:
        return g


class CumulativeScratch(Cumulative):
    room: Any = None

    def padded(self, g: Array) -> Array:
        if self.room is None or len(self.room) < self.n:
            self.room = np.zeros_like(g)
        self.room[: self.n] = g
        return np.asarray(self.room)


book.twin(
    "cumulative-sum-scratch-too-long",
    "made",
    "stale",
    CumulativeScratch,
    Cumulative,
    ROWS,
    "A scratch array grows and never shrinks: a shorter call sees the tail of a longer one.",
)


class Positions:
    """Adds a row to each position; the table grows with the longest input seen."""

    def forward(self, x: Array, table: Array) -> Any:
        self.n, self.rows = len(x), len(table)
        return x + table[: self.n]

    def backward(self, g: Array) -> Gradients:
        gt = self.room(g)
        gt[: self.n] = g
        return g.copy(), gt

    def room(self, g: Array) -> Array:
        return np.zeros((self.rows, g.shape[1]))


class PositionsUncleared(Positions):
    kept: Any = None

    def room(self, g: Array) -> Array:
        if self.kept is None or self.kept.shape != (self.rows, g.shape[1]):
            self.kept = np.zeros((self.rows, g.shape[1]))
        return np.asarray(self.kept)


def growing(rng: np.random.Generator) -> tuple[Array, ...]:
    return rng.standard_normal((int(rng.integers(2, 6)), 2)), rng.standard_normal((6, 2))


book.twin(
    "positions-table-not-cleared",
    "made",
    "stale",
    PositionsUncleared,
    Positions,
    growing,
    "The table's gradient keeps rows of a longer earlier call.",
)


class Shared:
    """tanh, with a cache of its own."""

    def __init__(self) -> None:
        self.cache: dict[str, Array] = {}

    def forward(self, x: Array) -> Any:
        self.cache["y"] = np.tanh(x)
        return self.cache["y"].copy()

    def backward(self, g: Array) -> Gradients:
        return (g * (1 - self.cache["y"] ** 2),)


class SharedByAll(Shared):
    everyone: ClassVar[dict[str, Array]] = {}

    def __init__(self) -> None:
        self.cache = self.everyone


book.twin(
    "cache-shared-by-all-instances",
    "made",
    "stale",
    SharedByAll,
    Shared,
    ROWS,
    "The cache is a class attribute: two layers used in turn see each other.",
)


class Once:
    """exp, whose cache survives a backward."""

    def forward(self, x: Array) -> Any:
        self.y: Any = np.exp(x)
        return self.y.copy()

    def backward(self, g: Array) -> Gradients:
        return (g * self.y,)


class OnceFrees(Once):
    def backward(self, g: Array) -> Gradients:
        grads = super().backward(g)
        del self.y
        return grads


class OnceZeroes(Once):
    def backward(self, g: Array) -> Gradients:
        grads = super().backward(g)
        self.y = np.zeros_like(self.y)
        return grads


# Freeing a cache after use is a layer's right: a second backward that raises is a note of the report, no failure.
book.accept("cache-is-freed-by-backward", "made", OnceFrees, ROWS, "A second backward raises: the cache is gone.")
book.add("backward-clears-its-cache", "stale", OnceZeroes, ROWS, "A second backward answers zero.", also=("zero",))


class Adding:
    """A linear layer whose weight gradient starts from zero at each backward."""

    def forward(self, x: Array, w: Array) -> Any:
        self.x, self.w = x, w
        self.gw = np.zeros_like(w)
        return x @ w

    def backward(self, g: Array) -> Gradients:
        self.start()
        self.gw += self.x.T @ g
        return g @ self.w.T, self.gw.copy()

    def start(self) -> None:
        self.gw = np.zeros_like(self.w)


class AddingUp(Adding):
    def start(self) -> None:
        pass


book.twin(
    "weight-gradient-adds-up",
    "made",
    "stale accumulate",
    AddingUp,
    Adding,
    normal((5, 3), (3, 2)),
    "Cleared in forward only: a second backward adds to the first.",
)


class Stack:
    """sin, with the cache of the last forward."""

    def __init__(self) -> None:
        self.seen: list[Array] = []

    def forward(self, x: Array) -> Any:
        self.seen = [x]
        return np.sin(x)

    def backward(self, g: Array) -> Gradients:
        return (g * np.cos(self.seen[-1]),)


class StackFirst(Stack):
    def forward(self, x: Array) -> Any:
        self.seen.append(x)
        return np.sin(x)

    def backward(self, g: Array) -> Gradients:
        return (g * np.cos(self.seen[0]),)


class StackPops(StackFirst):
    def backward(self, g: Array) -> Gradients:
        return (g * np.cos(self.seen.pop()),)


book.twin(
    "cache-list-takes-the-first",
    "made",
    "stale",
    StackFirst,
    Stack,
    ROWS,
    "Caches are appended and the oldest one is used.",
)
book.accept("cache-stack", "made", StackPops, ROWS, "One cache pushed by each forward, popped by its own backward.")


class Buffered:
    """Returns its own output buffer and gradient buffer, the same arrays at each call."""

    def __init__(self) -> None:
        self.out: Any = None
        self.grad: Any = None

    def forward(self, x: Array) -> Any:
        if self.out is None or self.out.shape != x.shape:
            self.out, self.grad = np.empty_like(x), np.empty_like(x)
        self.x = np.array(x)
        np.sin(x, out=self.out)
        return self.out

    def backward(self, g: Array) -> Gradients:
        np.multiply(g, np.cos(self.x), out=self.grad)
        return (self.grad,)


book.accept(
    "buffers-handed-out",
    "made",
    Buffered,
    ROWS,
    "output and gradient are the layer's own arrays, overwritten at the next call",
)


class RunningNorm:
    """Batch normalisation in training: statistics of the batch, and running ones kept on the side."""

    def __init__(self) -> None:
        self.mean, self.var, self.calls = np.zeros(3), np.ones(3), 0

    def forward(self, x: Array) -> Any:
        m, v = x.mean(axis=0), x.var(axis=0)
        if x.shape[1] == 3:
            self.mean, self.var = 0.9 * self.mean + 0.1 * m, 0.9 * self.var + 0.1 * v
        self.calls += 1
        self.s = np.sqrt(v + 1e-5)
        self.h = (x - m) / self.s
        return self.h.copy()

    def backward(self, g: Array) -> Gradients:
        return ((g - g.mean(axis=0) - self.h * (g * self.h).mean(axis=0)) / self.s,)


class RunningNormUsed(RunningNorm):
    """Normalises by the running statistics, but differentiates as if they were the batch's."""

    def forward(self, x: Array) -> Any:
        super().forward(x)
        return (x - self.mean) / np.sqrt(self.var + 1e-5)


book.accept(
    "batch-norm-running-statistics",
    "made",
    RunningNorm,
    ROWS,
    "every forward moves the running mean, which the output does not use",
)
book.add(
    "batch-norm-running-used",
    "stale",
    RunningNormUsed,
    ROWS,
    "The output depends on how often forward was called.",
    also=("term", "random", "local", "factor", "mutation"),
)


class Tied:
    """A layer with a fixed projection that must not depend on when it was made."""

    W = weights(61, 3, 3)

    def __init__(self) -> None:
        self.made: Any = None

    def forward(self, x: Array) -> Any:
        self.made = self.W
        return x @ self.made

    def backward(self, g: Array) -> Gradients:
        return (g @ self.made.T,)


class TiedByIdentity(Tied):
    """Registers itself by identity, and finds nothing when it is a copy."""

    def __init__(self) -> None:
        self.me = id(self)

    def backward(self, g: Array) -> Gradients:
        return (g @ (self.W.T if self.me == id(self) else np.zeros((3, 3))),)


book.twin(
    "copy-loses-its-weights",
    "made",
    "stale zero",
    TiedByIdentity,
    Tied,
    ROWS,
    "Weights are looked up by identity: a copy of the layer gets none.",
)

CASES = book.cases
