"""Softmax, cross entropy and normalisations, and wrong twins of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, at, normal, softmax

book = Book()


LABELS = np.array([0, 2, 1, 3, 2])


def cross_entropy(x: Array) -> tuple[Any, Any]:
    p = softmax(x)
    return -np.log(p[np.arange(5), LABELS]).mean(), p


def cross_entropy_b(d: Array, p: Array) -> Gradients:
    return (d * (p - np.eye(4, dtype=p.dtype)[LABELS]) / 5,)


book.family(
    "softmax-ce",
    cross_entropy,
    cross_entropy_b,
    normal((5, 4)),
    [
        ("sum", "factor", lambda d, p: (cross_entropy_b(d, p)[0] * 5,), "1/N missing"),
        ("no-target", "term", lambda d, p: (d * p / 5,), "one-hot target not subtracted"),
        ("flipped", "sign", lambda d, p: (-cross_entropy_b(d, p)[0],), "target minus probability"),
    ],
)


def normalise(x: Array, axis: int, eps: Any = 1e-5) -> tuple[Any, Any]:
    mu = x.mean(axis, keepdims=True)
    std = np.sqrt(((x - mu) ** 2).mean(axis, keepdims=True) + eps)
    return (x - mu) / std, std


def normalise_b(dn: Array, n: int, std: Array, axis: int) -> Any:
    return (dn - dn.mean(axis, keepdims=True) - n * (dn * n).mean(axis, keepdims=True)) / std


def norm_layer(axis: int) -> Any:
    def fwd(x: Array, g: Array, b: Array) -> tuple[Any, Any]:
        n, std = normalise(x, axis)
        return n * g + b, (n, std, g)

    def bwd(d: Array, c: Any) -> Gradients:
        n, std, g = c
        return normalise_b(d * g, n, std, axis), (d * n).sum(0), d.sum(0)

    return fwd, bwd


layernorm, layernorm_b = norm_layer(1)
batchnorm, batchnorm_b = norm_layer(0)
book.family(
    "layernorm",
    layernorm,
    layernorm_b,
    normal((4, 4), 4, 4),
    [
        (
            "no-paths",
            "term",
            lambda d, c: at(layernorm_b(d, c), 0, lambda _: d * c[2] / c[1]),
            "paths through mean and variance missing",
        ),
        (
            "no-variance",
            "term",
            lambda d, c: at(layernorm_b(d, c), 0, lambda _: (d * c[2] - (d * c[2]).mean(1, keepdims=True)) / c[1]),
            "path through the variance missing",
        ),
        (
            "gain-axis",
            "reduction",
            lambda d, c: at(layernorm_b(d, c), 1, lambda _: (d * c[0]).sum(1)),
            "dgain summed over the features",
        ),
    ],
)


def batchnorm_no_eps(d: Array, c: Any) -> Gradients:
    n, std, g = c
    return at(batchnorm_b(d, c), 0, lambda _: normalise_b(d * g, n, np.sqrt(std**2 - 1e-5), 0))


book.family(
    "batchnorm",
    batchnorm,
    batchnorm_b,
    normal((6, 3), 3, 3),
    [
        (
            "no-mean",
            "term",
            lambda d, c: at(batchnorm_b(d, c), 0, lambda g: g + (d * c[2]).mean(0) / c[1]),
            "path through the mean missing",
        ),
        (
            "unbiased",
            "factor",
            lambda d, c: at(batchnorm_b(d, c), 0, lambda g: g * np.sqrt(5 / 6)),
            "deviation of N-1 in the backward",
        ),
        ("no-eps", "small", batchnorm_no_eps, "epsilon left out of the backward"),
    ],
)


def l2_normalise_b(d: Array, x: Array) -> Gradients:
    r = np.sqrt((x * x).sum(1, keepdims=True))
    n = x / r
    return ((d - n * (d * n).sum(1, keepdims=True)) / r,)


book.family(
    "l2-normalise",
    lambda x: (x / np.sqrt((x * x).sum(1, keepdims=True)), x),
    l2_normalise_b,
    normal((3, 5)),
    [
        (
            "constant-norm",
            "term",
            lambda d, x: (d / np.sqrt((x * x).sum(1, keepdims=True)),),
            "norm taken as a constant",
        ),
    ],
)


def logsumexp(x: Array) -> tuple[Any, Any]:
    m = x.max(1, keepdims=True)
    return (m + np.log(np.exp(x - m).sum(1, keepdims=True)))[:, 0], x


def logsumexp_b(d: Array, x: Array) -> Gradients:
    return (d[:, None] * softmax(x),)


book.family(
    "logsumexp",
    logsumexp,
    logsumexp_b,
    normal((3, 5)),
    [
        ("upstream", "upstream", lambda d, x: (softmax(x),), "upstream ignored"),
        ("axis", "reduction", lambda d, x: (d[:, None] * softmax(x, 0),), "softmax over the batch axis"),
    ],
)
book.pair("logsumexp-large", None, logsumexp, logsumexp_b, normal((3, 5), shift=800), "inputs near 800")
book.pair(
    "logsumexp-overflow",
    "nonfinite",
    logsumexp,
    lambda d, x: (d[:, None] * np.exp(x) / np.exp(x).sum(1, keepdims=True),),
    normal((3, 5), shift=800),
    "exp overflows in the backward only",
)


CASES = book.cases
