"""How the upstream lies in memory: transposed, strided, repeated with stride 0, read-only."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, normal, unary, weights

book = Book()

W = weights(51, 4, 3)


def dense(x: Array) -> tuple[Any, Any]:
    return x @ W, x


def dense_b(d: Array, x: Array) -> Gradients:
    return (d @ W.T,)


def flat_k(d: Array, x: Array) -> Gradients:
    return dense_b(d.ravel(order="K").reshape(d.shape), x)


def flat_a(d: Array, x: Array) -> Gradients:
    return dense_b(d.reshape(-1, order="A").reshape(d.shape), x)


def base_of(d: Array, x: Array) -> Gradients:
    """Takes the array behind a view for the view."""
    whole = d.base if isinstance(d.base, np.ndarray) else d
    return dense_b(whole.reshape(-1)[: d.size].reshape(d.shape) if whole.size >= d.size else d, x)


def one_row(d: Array, x: Array) -> Gradients:
    """A shortcut for a repeated upstream that forgets that only one axis is repeated."""
    if 0 in d.strides:
        return (np.full(x.shape, d.flat[0] * W.sum()),)
    return dense_b(d, x)


def in_place_shape(d: Array, x: Array) -> Gradients:
    shape = d.shape
    d.shape = (-1,)
    flat = d.copy()
    d.shape = shape
    return dense_b(flat.reshape(shape), x)


def raw_bytes(d: Array, x: Array) -> Gradients:
    return dense_b(np.frombuffer(d.tobytes(order="A"), d.dtype).reshape(d.shape), x)


book.family(
    "dense-upstream",
    dense,
    dense_b,
    normal((5, 4)),
    [
        ("memory-order", "transpose upstream", flat_k, "the upstream is read in memory order"),
        ("any-order", "transpose upstream", flat_a, "the upstream is read in Fortran order where it lies so"),
        ("base", "transpose upstream", base_of, "the array behind a view is taken for the view"),
        ("stride-zero", "upstream reduction factor local", one_row, "a wrong shortcut for a repeated upstream"),
        (
            "shape-in-place",
            "shape mutation transpose upstream",
            in_place_shape,
            "the upstream's shape is set: a strided one raises",
        ),
        ("raw-bytes", "transpose upstream", raw_bytes, "bytes of a Fortran array are read as C order"),
    ],
)
book.pair(
    "dense-upstream-copied",
    None,
    dense,
    lambda d, x: dense_b(np.ascontiguousarray(d), x),
    normal((5, 4)),
    "copies the upstream first",
)


class Convolved:
    """A 1-d convolution along rows that walks through the flat upstream."""

    kernel = weights(52, 3)

    def forward(self, x: Array) -> Any:
        self.shape = x.shape
        n = x.shape[1] - 2
        return sum(self.kernel[k] * x[:, k : k + n] for k in range(3))

    def backward(self, g: Array) -> Gradients:
        gx, n = np.zeros(self.shape), self.shape[1] - 2
        flat = self.flat(g)
        for i in range(self.shape[0]):
            row = flat[i * n : (i + 1) * n]
            for k in range(3):
                gx[i, k : k + n] += self.kernel[k] * row
        return (gx,)

    def flat(self, g: Array) -> Array:
        return g.ravel()


class ConvolvedMemory(Convolved):
    def flat(self, g: Array) -> Array:
        return g.ravel(order="K")


book.twin(
    "rows-convolved-memory-order",
    "made",
    "transpose upstream",
    ConvolvedMemory,
    Convolved,
    normal((4, 6)),
    "The kernel walks through memory, not through the array.",
)


book.pair(
    "exp-fortran",
    None,
    *unary(np.exp, lambda x, y: y),
    lambda rng: (np.asfortranarray(rng.standard_normal((3, 4))),),
    "an input in Fortran order",
)
book.pair(
    "exp-strided",
    None,
    *unary(np.exp, lambda x, y: y),
    lambda rng: (rng.standard_normal((3, 8))[:, ::2],),
    "an input that is every other column of another array",
)

CASES = book.cases
