"""Textbook layers with weights, and wrong twins of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, at, normal

book = Book()


def affine(W: Array, x: Array, b: Array) -> tuple[Any, Any]:
    return W @ x + b, (W, x)


def affine_b(d: Array, c: Any) -> Gradients:
    W, x = c
    return np.outer(d, x), W.T @ d, d


book.family(
    "affine",
    affine,
    affine_b,
    normal((4, 4), 4, 4),
    [
        ("transpose", "transpose", lambda d, c: at(affine_b(d, c), 1, lambda _: c[0] @ d), "dx = W d, not W^T d"),
        ("no-bias", "zero", lambda d, c: at(affine_b(d, c), 2, lambda _: None), "db is None"),
        ("weights-sign", "sign", lambda d, c: at(affine_b(d, c), 0, np.negative), "dW negated"),
    ],
)


def dense(X: Array, W: Array, b: Array) -> tuple[Any, Any]:
    return X @ W + b, (X, W)


def dense_b(d: Array, c: Any) -> Gradients:
    X, W = c
    return d @ W.T, X.T @ d, d.sum(0)


book.family(
    "affine-batch",
    dense,
    dense_b,
    normal((5, 4), (4, 5), 5),
    [
        (
            "bias-axis",
            "reduction",
            lambda d, c: at(dense_b(d, c), 2, lambda _: d.sum(1)),
            "db summed over the features",
        ),
        ("bias-unsummed", "shape", lambda d, c: at(dense_b(d, c), 2, lambda _: d), "db keeps the batch axis"),
        ("mean", "factor", lambda d, c: at(dense_b(d, c), 1, lambda g: g / len(d)), "dW averaged over the batch"),
    ],
)

book.family(
    "dot",
    lambda u, h: (u @ h, (u, h)),
    lambda d, c: (d * c[1], d * c[0]),
    normal(6, 6),
    [
        ("swap", "swap", lambda d, c: (d * c[0], d * c[1]), "du = u, dh = h"),
        ("upstream", "upstream", lambda d, c: (c[1], c[0]), "upstream ignored"),
        ("column", "shape", lambda d, c: ((d * c[1])[:, None], d * c[0]), "du returned as a column"),
    ],
)


def two(u: Array, W: Array, x: Array, b: Array) -> tuple[Any, Any]:
    a = np.tanh(W @ x + b)
    return u @ a, (u, W, x, W @ x + b, a)


def two_b(d: Array, c: Any) -> Gradients:
    u, W, x, _, a = c
    dz = d * u * (1 - a**2)
    return d * a, np.outer(dz, x), W.T @ dz, dz


def two_b_point(d: Array, c: Any) -> Gradients:
    return at(two_b(d, (*c[:4], np.tanh(c[4]))), 0, lambda _: d * c[4])


book.family(
    "two-layer",
    two,
    two_b,
    normal(5, (5, 4), 4, 5, scale=0.7),
    [
        ("point", "local", two_b_point, "f'(f(z)) in place of f'(z)"),
        ("no-u", "term", lambda d, c: two_b(d, (np.ones(5), *c[1:])), "the factor u left out of dz"),
        (
            "outer",
            "transpose",
            lambda d, c: at(two_b(d, c), 1, lambda g: g.T.reshape(5, 4)),
            "dW filled in column order",
        ),
    ],
)


CASES = book.cases
