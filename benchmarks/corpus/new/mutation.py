"""Arrays that are not the layer's own and are written into: inputs, upstream, parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, at, normal, softmax, spaced, unary, weights

book = Book()


# ---------------------------------------------------------------- inputs


def centred(x: Array) -> tuple[Any, Any]:
    return x - x.mean(axis=0), None


def centred_in_place(x: Array) -> tuple[Any, Any]:
    x -= x.mean(axis=0)
    return x, None


def centred_b(d: Array, c: None) -> Gradients:
    return (d - d.mean(axis=0),)


book.family(
    "centre",
    centred,
    centred_b,
    normal((5, 3), shift=2),
    [("in-place", "mutation", centred_b, "the mean is taken off the caller's own array", centred_in_place)],
)


def shifted_softmax(x: Array) -> tuple[Any, Any]:
    p = softmax(x)
    return p, p


def softmax_in_place(x: Array) -> tuple[Any, Any]:
    x -= x.max(axis=-1, keepdims=True)
    return shifted_softmax(x)


def softmax_b(d: Array, p: Array) -> Gradients:
    return (p * (d - (d * p).sum(axis=-1, keepdims=True)),)


book.family(
    "stable-softmax",
    shifted_softmax,
    softmax_b,
    normal((3, 4)),
    [("in-place", "mutation", softmax_b, "the shift by the maximum is done in the caller's array", softmax_in_place)],
)


def ranked(x: Array) -> tuple[Any, Any]:
    return np.sort(x), np.argsort(x)


def ranked_in_place(x: Array) -> tuple[Any, Any]:
    order = np.argsort(x)
    x.sort()
    return x.copy(), order


def ranked_b(d: Array, order: Array) -> Gradients:
    g = np.zeros_like(d)
    g[order] = d
    return (g,)


book.family(
    "sort-values",
    ranked,
    ranked_b,
    spaced(7),
    [("in-place", "mutation", ranked_b, "sorts the caller's array", ranked_in_place)],
)


class Square:
    """y = x^2; the gradient is a new array."""

    def forward(self, x: Array) -> Any:
        self.x = x
        return x * x

    def backward(self, g: Array) -> Gradients:
        return (2 * self.x * g,)


class SquareReusesInput(Square):
    def backward(self, g: Array) -> Gradients:
        np.multiply(self.x, 2 * g, out=self.x)
        return (self.x,)


book.twin(
    "square-writes-cached-input",
    "made",
    "mutation stale",
    SquareReusesInput,
    Square,
    normal((3, 4)),
    "Backward writes the gradient over the cached input, which is the caller's.",
)


class Divide:
    """a / b."""

    def forward(self, a: Array, b: Array) -> Any:
        self.a, self.b = a, b
        return a / b

    def backward(self, g: Array) -> Gradients:
        return g / self.b, -g * self.a / self.b**2


class DivideGuards(Divide):
    def backward(self, g: Array) -> Gradients:
        self.b[self.b < 1.5] += 1e-12
        return super().backward(g)


book.twin(
    "divide-nudges-divisor",
    "made",
    "mutation",
    DivideGuards,
    Divide,
    lambda rng: (rng.standard_normal(6), rng.uniform(1, 2, 6)),
    "A tiny constant against division by zero is added to the caller's divisor itself.",
)


# ---------------------------------------------------------------- upstream

MASK = weights(41, 3, 4) > 0


def masked(x: Array) -> tuple[Any, Any]:
    return np.where(MASK, x, 0), None


def masked_b_in_place(d: Array, c: None) -> Gradients:
    d[~MASK] = 0
    return (d.copy(),)


book.family(
    "mask",
    masked,
    lambda d, c: (d * MASK,),
    normal((3, 4)),
    [("in-place", "mutation", masked_b_in_place, "the masked upstream is set to zero in the caller's array")],
)

SCALED = unary(lambda x: np.tanh(2 * x), lambda x, y: 2 * (1 - y * y))


def borrowed(d: Array, c: Any) -> Gradients:
    """Writes into the upstream and puts back what was there; a power of two leaves no trace."""
    d *= 2
    g = d * (1 - c[1] ** 2)
    d /= 2
    return (g,)


book.family(
    "tanh-doubled",
    *SCALED,
    normal((3, 4)),
    [("borrows", "mutation", borrowed, "the upstream is written into and restored: a read-only one raises")],
)


def summed(x: Array, b: Array) -> tuple[Any, Any]:
    return x + b, None


def summed_in_place(d: Array, c: None) -> Gradients:
    gb = d.sum(axis=0)
    d -= d.mean(axis=0)
    return d + gb / len(d), gb


book.family(
    "add-row",
    summed,
    lambda d, c: (d.copy(), d.sum(axis=0)),
    normal((4, 3), 3),
    [("in-place", "mutation", summed_in_place, "the upstream is centred in place on the way to a right answer")],
)


# ---------------------------------------------------------------- parameters


class Dense:
    """x @ W with its weights held in the layer and no gradient for them."""

    def __init__(self) -> None:
        self.W = weights(42, 4, 3).copy()

    def forward(self, x: Array) -> Any:
        self.x = x
        return x @ self.W

    def backward(self, g: Array) -> Gradients:
        return (g @ self.W.T,)


class DenseTrains(Dense):
    def backward(self, g: Array) -> Gradients:
        gx = g @ self.W.T
        self.W -= 0.1 * self.x.T @ g
        return (gx,)


class DenseDecays(Dense):
    def forward(self, x: Array) -> Any:
        self.W *= 0.999
        return super().forward(x)


class DenseNormalises(Dense):
    """Weights of length one, stretched at each call by as much as rounding leaves."""

    def backward(self, g: Array) -> Gradients:
        self.W /= np.linalg.norm(self.W)
        return (g @ self.W.T,)


book.twin(
    "dense-trains-in-backward",
    "made",
    "mutation stale",
    DenseTrains,
    Dense,
    normal((5, 4)),
    "Backward takes a step of training: the second one is of other weights.",
)
book.add(
    "dense-decays-in-forward",
    "mutation",
    DenseDecays,
    normal((5, 4)),
    "Each forward shrinks the weights a little.",
    also=("stale", "random"),
)
book.add(
    "dense-normalises-in-backward",
    "mutation",
    DenseNormalises,
    normal((5, 4)),
    "Backward scales the weights to length one.",
    also=("stale", "local", "factor"),
)


class Plus:
    """Returns the upstream itself, which the caller must be ready for."""

    def forward(self, a: Array, b: Array) -> Any:
        return a + b

    def backward(self, g: Array) -> Gradients:
        return g, g


book.accept(
    "add-returns-upstream", "made", Plus, normal((3, 2), (3, 2)), "both gradients are the upstream array itself"
)
book.pair(
    "sum-returns-view",
    None,
    lambda x: (x.sum(axis=1), x.shape),
    lambda d, s: (np.broadcast_to(d[:, None], s),),
    normal((3, 4)),
    "the gradient is a read-only view with stride 0",
)
book.pair(
    "identity-returns-input",
    None,
    lambda x: (x, None),
    lambda d, c: (d,),
    normal((3, 4)),
    "forward and backward return what they were given",
)
book.pair(
    "transpose-returns-view",
    None,
    lambda x: (x.T, None),
    lambda d, c: (d.T,),
    normal((3, 4)),
    "the gradient is a transposed view",
)
book.pair(
    "dense-pair",
    None,
    lambda x, w: (x @ w, (x, w)),
    lambda d, c: at((d @ c[1].T, None), 1, lambda _: (d.T @ c[0]).T),
    normal((3, 4), (4, 2)),
    "one gradient is in Fortran order",
)

CASES = book.cases
