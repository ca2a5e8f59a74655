"""Inverse, Cholesky factor and determinant, and wrong twins of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book

book = Book()


def posed(rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.standard_normal((4, 4)) + 4 * np.eye(4),)


def spd(rng: np.random.Generator) -> Any:
    a = rng.standard_normal((4, 4))
    return (a @ a.T + 2 * np.eye(4),)


def inverse(A: Array) -> tuple[Any, Any]:
    B = np.linalg.inv(A)
    return B, B


book.family(
    "inverse",
    inverse,
    lambda d, B: (-B.T @ d @ B.T,),
    posed,
    [
        ("transpose", "transpose", lambda d, B: (-B @ d @ B,), "-B d B, not -B^T d B^T"),
        ("sign", "sign", lambda d, B: (B.T @ d @ B.T,), "minus missing"),
    ],
)


def cholesky(A: Array) -> tuple[Any, Any]:
    L = np.linalg.cholesky((A + A.T) / 2)
    return L, L


def cholesky_b(d: Array, L: Array, diagonal: float = 0.5) -> Gradients:
    P = np.tril(L.T @ np.tril(d))
    P[np.diag_indices(len(P))] *= diagonal
    inv = np.linalg.inv(L)
    S = inv.T @ P @ inv
    return ((S + S.T) / 2,)


book.family(
    "cholesky",
    cholesky,
    cholesky_b,
    spd,
    [
        ("diagonal", "factor", lambda d, L: cholesky_b(d, L, 1.0), "diagonal not halved"),
    ],
)

book.family(
    "determinant",
    lambda A: (np.linalg.det(A), A),
    lambda d, A: (d * np.linalg.det(A) * np.linalg.inv(A).T,),
    posed,
    [
        ("transpose", "transpose", lambda d, A: (d * np.linalg.det(A) * np.linalg.inv(A),), "inverse not transposed"),
        ("no-det", "local", lambda d, A: (d * np.linalg.inv(A).T,), "gradient of the logarithm"),
    ],
)


CASES = book.cases
