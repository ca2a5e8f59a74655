"""Layers that are right, but hard to accept."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Draw
from benchmarks.corpus.book import Backward, Book, Forward, normal, unary, values
from benchmarks.corpus.made.affine import dense, dense_b
from benchmarks.corpus.made.norms import batchnorm, batchnorm_b, cross_entropy, cross_entropy_b
from benchmarks.corpus.made.recurrent import attention, attention_b

book = Book()


def hard(name: str, fwd: Forward, bwd: Backward, inputs: Draw, note: str) -> None:
    book.pair(f"hard-{name}", None, fwd, bwd, inputs, note)


def single_cross_entropy(x: Array) -> tuple[Any, Any]:
    y, p = cross_entropy(x)
    return np.asarray(y, x.dtype), p


hard("float32-affine-batch", dense, dense_b, normal((5, 4), (4, 5), 5, dtype=np.float32), "float32")
hard("float32-tanh", *unary(np.tanh, lambda x, y: 1 - y * y), normal((3, 4), dtype=np.float32), "float32")
hard(
    "float32-softmax-ce",
    single_cross_entropy,
    cross_entropy_b,
    normal((5, 4), dtype=np.float32),
    "float32, scalar output",
)
hard(
    "float32-batchnorm",
    batchnorm,
    batchnorm_b,
    normal((6, 3), 3, 3, dtype=np.float32),
    "float32, gradients that nearly cancel",
)
hard("float32-attention", attention, attention_b, normal((3, 4), (3, 4), (3, 4), dtype=np.float32), "float32")
relu = unary(lambda x: np.maximum(x, 0), lambda x, y: x > 0)
hard("relu-at-zero", *relu, values([0.0, -1.0, 2.0, 0.5]), "an input exactly on the kink")
hard("relu-near-zero", *relu, values([1e-6, -1e-6, 2.0, 0.5]), "inputs 1e-6 from the kink")
hard(
    "max-tie",
    lambda y, z: (np.maximum(y, z), (y, z)),
    lambda d, c: (d * (c[0] >= c[1]), d * (c[0] < c[1])),
    values([1.0, 2.0, 3.0], [1.0, 5.0, 0.0]),
    "a tie, routed to the first",
)
hard(
    "max-tie-split",
    lambda y, z: (np.maximum(y, z), (y, z)),
    lambda d, c: (d * ((c[0] > c[1]) + 0.5 * (c[0] == c[1])), d * ((c[0] < c[1]) + 0.5 * (c[0] == c[1]))),
    values([1.0, 2.0, 3.0], [1.0, 5.0, 0.0]),
    "a tie, split in halves",
)
hard("abs-at-zero", *unary(np.abs, lambda x, y: np.sign(x)), values([0.0, -1.0, 2.0]), "gradient 0 at the kink")
hard(
    "offset-1e6",
    *unary(lambda x: np.tanh(x) + 1e6, lambda x, y: 1 - np.tanh(x) ** 2),
    normal((3, 4)),
    "output 1e6 + tanh",
)
hard(
    "gradient-1e-8",
    *unary(lambda x: 1e-8 * np.tanh(x), lambda x, y: 1e-8 * (1 - np.tanh(x) ** 2)),
    normal((3, 4)),
    "gradients near 1e-8",
)
hard(
    "gradient-1e8",
    *unary(lambda x: 1e8 * np.tanh(x), lambda x, y: 1e8 * (1 - np.tanh(x) ** 2)),
    normal((3, 4)),
    "gradients near 1e8",
)
hard(
    "mixed-scale",
    *unary(lambda x: np.logspace(-8, 8, 12) * np.tanh(x), lambda x, y: np.logspace(-8, 8, 12) * (1 - np.tanh(x) ** 2)),
    normal(12),
    "gradients from 1e-8 to 1e8 side by side",
)
hard("exp-20x", *unary(lambda x: np.exp(20 * x), lambda x, y: 20 * y), normal((3, 4), scale=0.5), "strong curvature")
hard(
    "sin-200x",
    *unary(lambda x: np.sin(200 * x), lambda x, y: 200 * np.cos(200 * x)),
    normal((3, 4)),
    "fast oscillation",
)
hard(
    "inputs-1e-6",
    *unary(lambda x: np.tanh(1e6 * x), lambda x, y: 1e6 * (1 - y * y)),
    normal((3, 4), scale=1e-6),
    "the function lives on a scale of 1e-6",
)
hard(
    "inputs-1e6",
    *unary(lambda x: np.log1p(x * x), lambda x, y: 2 * x / (1 + x * x)),
    normal((3, 4), scale=1e6),
    "inputs near 1e6, gradients near 1e-6",
)
hard(
    "inputs-1e6-tanh",
    *unary(lambda x: np.tanh(x / 1e6), lambda x, y: (1 - y * y) / 1e6),
    normal((3, 4), scale=1e6),
    "the function lives on a scale of 1e6",
)
hard("saturated", *unary(np.tanh, lambda x, y: 1 - y * y), values([-25.0, 25.0, 8.0, 0.3]), "gradients from 0 to 1")
hard("empty", *unary(np.tanh, lambda x, y: 1 - y * y), normal((0, 3)), "no elements at all")
hard("zero-dim", *unary(np.tanh, lambda x, y: 1 - y * y), normal(()), "input of shape ()")
hard(
    "unused-input",
    lambda x, y: (np.tanh(x), x),
    lambda d, x: (d * (1 - np.tanh(x) ** 2), np.zeros(3)),
    normal(4, 3),
    "an input with gradient zero",
)


CASES = book.cases
