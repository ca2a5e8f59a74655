"""Losses, scores and normalisations that are right and hard to accept, and wrong twins of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, at, normal, sigmoid, softmax, values, weights

book = Book()


# ---------------------------------------------------------------- softmax and its relatives


def softmax_layer(x: Array) -> tuple[Any, Any]:
    p = softmax(x)
    return p, p


def softmax_b(d: Array, p: Array) -> Gradients:
    return (p * (d - (d * p).sum(axis=-1, keepdims=True)),)


book.pair(
    "softmax-saturated",
    None,
    softmax_layer,
    softmax_b,
    normal((3, 5), scale=50),
    "probabilities of 0 and 1 but for 1e-20",
)
book.pair("softmax-tied-logits", None, softmax_layer, softmax_b, values(np.zeros((2, 4))), "all logits equal")


def log_softmax(x: Array) -> tuple[Any, Any]:
    z = x - x.max(axis=-1, keepdims=True)
    y = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return y, y


book.family(
    "log-softmax",
    log_softmax,
    lambda d, y: (d - np.exp(y) * d.sum(axis=-1, keepdims=True),),
    normal((3, 5), scale=10),
    [
        ("no-sum", "reduction term", lambda d, y: (d - np.exp(y) * d,), "the upstream is not summed over the row"),
        (
            "no-exp",
            "local",
            lambda d, y: (d - y * d.sum(axis=-1, keepdims=True),),
            "log probabilities for probabilities",
        ),
    ],
)

LABELS = np.array([0, 3, 1, 2])


def margin_loss(x: Array) -> tuple[Any, Any]:
    """Crammer and Singer's multiclass hinge, averaged."""
    rows = np.arange(4)
    slack = np.maximum(0, x - x[rows, LABELS][:, None] + 1)
    slack[rows, LABELS] = 0
    return slack.sum() / 4, slack > 0


def margin_loss_b(d: Array, on: Array, own: float = 1.0) -> Gradients:
    g = on.astype(float)
    g[np.arange(4), LABELS] = -own * on.sum(axis=1)
    return (d * g / 4,)


book.family(
    "multiclass-hinge",
    margin_loss,
    margin_loss_b,
    normal((4, 4)),
    [
        (
            "own-class",
            "term zero region",
            lambda d, on: margin_loss_b(d, on, 0.0),
            "the label's own score gets nothing",
        ),
        (
            "counted-once",
            "accumulate factor reduction region",
            lambda d, on: at(margin_loss_b(d, on), 0, lambda g: np.where(g < 0, -d / 4, g)),
            "the label's score is counted once, not per margin",
        ),
    ],
)


def focal(x: Array) -> tuple[Any, Any]:
    """-(1 - p)^2 log p of the sigmoid (Lin et al., 2017, equation 4)."""
    p = sigmoid(x)
    return -((1 - p) ** 2) * np.log(p), p


book.family(
    "focal-loss",
    focal,
    lambda d, p: (d * (2 * (1 - p) ** 2 * p * np.log(p) - (1 - p) ** 3),),
    normal(8, scale=2),
    [("one-term", "term", lambda d, p: (-d * (1 - p) ** 3,), "only the slope of the logarithm")],
)


def divergence(x: Array, target: Array) -> tuple[Any, Any]:
    """KL of a softmax from fixed logits' softmax."""
    p, q = softmax(x), softmax(target)
    return (q * (np.log(q) - np.log(p))).sum(axis=-1), (p, q, np.log(q) - np.log(p))


def divergence_b(d: Array, c: Any) -> Gradients:
    p, q, ratio = c
    d = d[:, None]
    return d * (p - q), d * q * (ratio - (q * ratio).sum(axis=-1, keepdims=True))


book.family(
    "kl-divergence",
    divergence,
    divergence_b,
    normal((3, 4), (3, 4)),
    [
        (
            "target-fixed",
            "zero",
            lambda d, c: at(divergence_b(d, c), 1, np.zeros_like),
            "the target is treated as a constant",
        ),
        ("swapped", "swap", lambda d, c: divergence_b(d, c)[::-1], "the two gradients exchanged"),
        ("sign", "sign", lambda d, c: at(divergence_b(d, c), 0, np.negative), "q - p"),
    ],
)


def binary_logits(x: Array) -> tuple[Any, Any]:
    return np.maximum(x, 0) - x * 0.3 + np.log1p(np.exp(-np.abs(x))), x


book.family(
    "binary-cross-entropy-logits",
    binary_logits,
    lambda d, x: (d * (sigmoid(x) - 0.3),),
    values([0.0, -30.0, 25.0, 1.0, -0.2]),
    [("no-target", "term", lambda d, x: (d * sigmoid(x),), "the target is not subtracted")],
)


# ---------------------------------------------------------------- distances


def triplets(rng: np.random.Generator) -> tuple[Array, ...]:
    """Two rows whose negative is near and two whose negative is far, beyond the margin."""
    a, p, n = rng.standard_normal((3, 4, 3))
    far = np.array([0.3, 0.3, 6.0, 6.0])[:, None] * n / np.linalg.norm(n, axis=1, keepdims=True)
    return a, a + 0.2 * p, a + far


def triplet(a: Array, p: Array, n: Array) -> tuple[Any, Any]:
    near, far = a - p, a - n
    slack = (near * near).sum(axis=1) - (far * far).sum(axis=1) + 1
    return np.maximum(slack, 0), (near, far, slack > 0)


def triplet_b(d: Array, c: Any) -> Gradients:
    near, far, on = c
    w = 2 * (d * on)[:, None]
    return w * (near - far), -w * near, w * far


book.family(
    "triplet-loss",
    triplet,
    triplet_b,
    triplets,
    [
        (
            "anchor",
            "term",
            lambda d, c: at(triplet_b(d, c), 0, lambda _: 2 * (d * c[2])[:, None] * c[0]),
            "the anchor gets the near term only",
        ),
        ("no-hinge", "region", lambda d, c: triplet_b(d, (c[0], c[1], np.ones(4))), "the hinge is ignored"),
        (
            "negative-sign",
            "sign",
            lambda d, c: at(triplet_b(d, c), 2, np.negative),
            "the negative is pulled, not pushed",
        ),
    ],
)


def contrastive(a: Array, b: Array) -> tuple[Any, Any]:
    gap = a - b
    r = np.sqrt((gap * gap).sum(axis=1) + 1e-6)
    return np.maximum(0, 2 - r) ** 2, (gap, r)


def contrastive_b(d: Array, c: Any) -> Gradients:
    gap, r = c
    g = (-2 * d * np.maximum(0, 2 - r) / r)[:, None] * gap
    return g, -g


book.family(
    "contrastive-loss",
    contrastive,
    contrastive_b,
    lambda rng: (rng.standard_normal((4, 3)), np.zeros((4, 3))),
    [
        (
            "not-divided",
            "factor local",
            lambda d, c: tuple(g * c[1][:, None] for g in contrastive_b(d, c)),
            "the direction is not made a unit vector",
        ),
        ("both-same", "sign", lambda d, c: (contrastive_b(d, c)[0],) * 2, "both points move the same way"),
    ],
)


def pairwise_distance(x: Array) -> tuple[Any, Any]:
    gap = x[:, None] - x[None]
    r = np.sqrt((gap * gap).sum(axis=-1))
    return r, (gap, r)


def pairwise_b(d: Array, c: Any, both: float = 1.0) -> Gradients:
    gap, r = c
    unit = gap / np.where(r == 0, 1, r)[..., None]
    return ((d[..., None] * unit).sum(axis=1) - both * (d[..., None] * unit).sum(axis=0),)


book.family(
    "pairwise-distance",
    pairwise_distance,
    pairwise_b,
    normal((4, 3)),
    [("one-side", "term accumulate", lambda d, c: pairwise_b(d, c, 0.0), "only the first of each pair is moved")],
)


# ---------------------------------------------------------------- normalisations


def normalised(axis: int, eps: float) -> tuple[Any, Any]:
    """Mean-variance normalisation along an axis."""

    def fwd(x: Array) -> tuple[Any, Any]:
        s = np.sqrt(x.var(axis=axis, keepdims=True) + eps)
        h = (x - x.mean(axis=axis, keepdims=True)) / s
        return h, (h, s)

    def bwd(d: Array, c: Any) -> Gradients:
        h, s = c
        return ((d - d.mean(axis=axis, keepdims=True) - h * (d * h).mean(axis=axis, keepdims=True)) / s,)

    return fwd, bwd


def no_paths(d: Array, c: Any) -> Gradients:
    return (d / c[1],)


def no_mean(d: Array, c: Any) -> Gradients:
    h, s = c
    return ((d - h * (d * h).mean(axis=-1, keepdims=True)) / s,)


BATCH, LAYER = normalised(0, 1e-5), normalised(-1, 1e-5)
book.family(
    "batch-norm-of-two",
    *BATCH,
    normal((2, 4)),
    [("no-paths", "term", no_paths, "mean and variance taken as constants")],
)
book.pair(
    "batch-norm-of-two-close",
    None,
    *BATCH,
    normal((2, 4), scale=1e-2),
    "two rows a hundredth apart: the slope all but cancels",
)
book.family(
    "layer-norm-tiny-variance",
    *LAYER,
    normal((3, 5), scale=1e-4, shift=1),
    [("no-mean", "term", no_mean, "the path through the mean is missing")],
)
book.pair(
    "layer-norm-constant-row",
    None,
    *LAYER,
    values([[2.0, 2.0, 2.0, 2.0], [1.0, 2.0, 3.0, 4.0]]),
    "a row without variance: epsilon alone holds it up",
)
book.pair("layer-norm-large-offset", None, *LAYER, normal((3, 5), shift=1e4), "mean 1e4, deviation 1")
book.pair("batch-norm-large-batch", None, *BATCH, normal((64, 2)), "gradients near 1/64 of nothing")
book.pair("layer-norm-float32", None, *LAYER, normal((3, 6), dtype=np.float32), "float32")
book.pair("layer-norm-float16", None, *LAYER, normal((3, 6), dtype=np.float16), "float16")
book.pair(
    "batch-norm-float32-cancelling",
    None,
    *BATCH,
    normal((4, 3), shift=10, dtype=np.float32),
    "float32, the gradient is a small rest of large terms",
)


def grouped(x: Array) -> tuple[Any, Any]:
    h, (_, s) = LAYER[0](x.reshape(2, 3, -1))
    return h.reshape(x.shape), (h, s, x.shape)


def grouped_b(d: Array, c: Any) -> Gradients:
    h, s, shape = c
    return (LAYER[1](d.reshape(h.shape), (h, s))[0].reshape(shape),)


book.family(
    "group-norm",
    grouped,
    grouped_b,
    normal((2, 6, 2)),
    [
        (
            "wrong-groups",
            "reduction transpose",
            lambda d, c: (LAYER[1](d.reshape(2, 2, 6), (c[0].reshape(2, 2, 6), np.ones((2, 2, 1))))[0].reshape(c[2]),),
            "two groups in the backward, three in the forward",
        )
    ],
)

# ---------------------------------------------------------------- pieces that choose


def maxout(x: Array, W: Array) -> tuple[Any, Any]:
    z = np.einsum("bi,kio->bko", x, W)
    return z.max(axis=1), (x, W, z)


def maxout_b(d: Array, c: Any, choose: Any = np.argmax) -> Gradients:
    x, W, z = c
    gz = np.zeros_like(z)
    np.put_along_axis(gz, np.expand_dims(choose(z, axis=1), 1), d[:, None], axis=1)
    return np.einsum("bko,kio->bi", gz, W), np.einsum("bi,bko->kio", x, gz)


book.family(
    "maxout",
    maxout,
    maxout_b,
    normal((3, 4), (3, 4, 2)),
    [("least", "route", lambda d, c: maxout_b(d, c, np.argmin), "routed to the least piece")],
)


def prelu(x: Array, a: Array) -> tuple[Any, Any]:
    return np.where(x > 0, x, a * x), (x, a)


def prelu_b(d: Array, c: Any) -> Gradients:
    x, a = c
    return d * np.where(x > 0, 1, a), (d * np.minimum(x, 0)).sum(axis=0)


book.family(
    "prelu",
    prelu,
    prelu_b,
    lambda rng: (np.round(rng.standard_normal((6, 3)), 0), rng.uniform(0.1, 0.4, 3)),
    [
        (
            "positive-part",
            "region sign local",
            lambda d, c: at(prelu_b(d, c), 1, lambda _: (d * np.maximum(c[0], 0)).sum(axis=0)),
            "the slope's gradient from the positive side",
        ),
        (
            "no-slope",
            "region zero",
            lambda d, c: at(prelu_b(d, c), 0, lambda _: d * (c[0] > 0)),
            "nothing passes below zero",
        ),
    ],
)


def gated(x: Array, y: Array) -> tuple[Any, Any]:
    """A conditional: one formula for rows of positive sum, another for the rest."""
    on = x.sum(axis=1, keepdims=True) > 0
    return np.where(on, x * y, x - y), (x, y, on)


book.family(
    "conditional",
    gated,
    lambda d, c: (d * np.where(c[2], c[1], 1), d * np.where(c[2], c[0], -1)),
    lambda rng: (rng.standard_normal((4, 3)) * 0.2 + np.array([[1], [-1], [0.5], [-0.5]]), rng.standard_normal((4, 3))),
    [("one-branch", "region", lambda d, c: (d * c[1], d * c[0]), "only the first branch is differentiated")],
)


def top_two(x: Array) -> tuple[Any, Any]:
    where = np.argsort(-x, axis=1)[:, :2]
    return np.take_along_axis(x, where, axis=1), (where, x.shape)


def top_two_b(d: Array, c: Any) -> Gradients:
    g = np.zeros(c[1])
    np.put_along_axis(g, c[0], d, axis=1)
    return (g,)


book.family(
    "top-two",
    top_two,
    top_two_b,
    normal((3, 5)),
    [("exchanged", "route swap", lambda d, c: top_two_b(d[:, ::-1], c), "the two winners exchanged")],
)


def median(x: Array) -> tuple[Any, Any]:
    return np.median(x, axis=1), np.argsort(x, axis=1)[:, x.shape[1] // 2]


def median_b(d: Array, where: Array) -> Gradients:
    return (d[:, None] * (np.arange(5) == where[:, None]),)


book.family(
    "median",
    median,
    median_b,
    normal((3, 5)),
    [("mean", "route", lambda d, where: (np.repeat(d[:, None] / 5, 5, axis=1),), "spread as for a mean")],
)

TABLE = weights(91, 7)


def interpolated(x: Array) -> tuple[Any, Any]:
    """A table read between its entries, at whole numbers too."""
    i = np.clip(np.floor(x).astype(int), 0, 5)
    return TABLE[i] + (x - i) * (TABLE[i + 1] - TABLE[i]), i


book.family(
    "table-at-knots",
    interpolated,
    lambda d, i: (d * (TABLE[i + 1] - TABLE[i]),),
    values([0.5, 1.0, 3.0, 4.25, 5.9]),
    [
        (
            "next-piece",
            "route local region",
            lambda d, i: (d * (TABLE[np.minimum(i + 2, 6)] - TABLE[i + 1]),),
            "the slope of the next piece",
        )
    ],
)

CASES = book.cases
