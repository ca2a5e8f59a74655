"""Convolution, pooling, indexing and sorting, and wrong twins of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, at, normal, spaced

book = Book()


def windows(x: Array, k: int) -> Any:
    """(C, k, k, H', W') view-like stack of the k x k neighbourhoods of a (C, H, W) image."""
    h, w = x.shape[1] - k + 1, x.shape[2] - k + 1
    return np.stack([np.stack([x[:, i : i + h, j : j + w] for j in range(k)], 1) for i in range(k)], 1)


def conv(x: Array, w: Array, b: Array) -> tuple[Any, Any]:
    return np.einsum("ocij,cijhw->ohw", w, windows(x, w.shape[2])) + b[:, None, None], (x, w)


def conv_b(d: Array, c: Any) -> Gradients:
    x, w = c
    k = w.shape[2]
    wide = np.pad(d, ((0, 0), (k - 1, k - 1), (k - 1, k - 1)))
    dx = np.einsum("ocij,oijhw->chw", w[:, :, ::-1, ::-1], windows(wide, k))
    return dx, np.einsum("ohw,cijhw->ocij", d, windows(x, k)), d.sum((1, 2))


def conv_border(g: Array) -> Any:
    g = g.copy()
    g[:, -1, :] = 0
    return g


book.family(
    "conv2d",
    conv,
    conv_b,
    normal((2, 5, 5), (3, 2, 3, 3), 3),
    [
        (
            "unflipped",
            "transpose",
            lambda d, c: at(conv_b(d, c), 0, lambda _: conv_b(d, (c[0], c[1][:, :, ::-1, ::-1]))[0]),
            "kernel not flipped for dx",
        ),
        ("border", "region", lambda d, c: at(conv_b(d, c), 0, conv_border), "last row of dx left zero"),
        (
            "bias-row",
            "reduction",
            lambda d, c: at(conv_b(d, c), 2, lambda _: d.sum(2)[:, 0]),
            "db summed over one row only",
        ),
    ],
)


def pool(x: Array) -> tuple[Any, Any]:
    blocks = x.reshape(3, 2, 3, 2).transpose(0, 2, 1, 3).reshape(3, 3, 4)
    return blocks.max(2), blocks


def unblock(g: Array) -> Gradients:
    return (g.reshape(3, 3, 2, 2).transpose(0, 2, 1, 3).reshape(6, 6),)


def pool_b(d: Array, blocks: Array) -> Gradients:
    return unblock(np.eye(4)[blocks.argmax(2)] * d[..., None])


book.family(
    "maxpool",
    pool,
    pool_b,
    spaced(6, 6),
    [
        (
            "first",
            "route",
            lambda d, b: unblock(np.eye(4)[np.zeros((3, 3), int)] * d[..., None]),
            "gradient sent to the first of each window",
        ),
        (
            "spread",
            "route",
            lambda d, b: unblock(np.ones((3, 3, 4)) * d[..., None] / 4),
            "gradient spread as in mean pooling",
        ),
    ],
)

INDEX = np.array([1, 3, 1, 0, 3, 1])


def embed_b(d: Array, shape: Any) -> Gradients:
    g = np.zeros(shape)
    np.add.at(g, INDEX, d)
    return (g,)


def embed_overwrite(d: Array, shape: Any) -> Gradients:
    g = np.zeros(shape)
    g[INDEX] += d
    return (g,)


book.family(
    "embedding",
    lambda E: (E[INDEX], E.shape),
    embed_b,
    normal((5, 3)),
    [
        ("overwrite", "accumulate", embed_overwrite, "repeated indices overwrite"),
    ],
)

book.family(
    "cumsum",
    lambda x: (np.cumsum(x), None),
    lambda d, c: (np.cumsum(d[::-1])[::-1],),
    normal(8),
    [
        ("forward", "transpose", lambda d, c: (np.cumsum(d),), "cumulative sum not reversed"),
        ("shifted", "local", lambda d, c: (np.cumsum(d[::-1])[::-1] - d,), "exclusive in place of inclusive"),
    ],
)

book.family(
    "sort",
    lambda x: (np.sort(x), np.argsort(x)),
    lambda d, i: (d[np.argsort(i)],),
    lambda rng: (np.array([0.4, 0.9, -0.3, 0.1, -0.8, 0.6, 1.3]),),
    [
        ("inverse", "route", lambda d, i: (d[i],), "permutation in place of its inverse"),
    ],
)


CASES = book.cases
