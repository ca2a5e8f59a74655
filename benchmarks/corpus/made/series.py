"""Two series: one wrong entry among 10^2 to 10^6, and one of 50 entries off by 1e-1 to 1e-10."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Backward, Book, normal, weights

book = Book()


def blocks(n: int, dtype: Any = np.float64) -> Any:
    """Ten outputs, each the sum of n/10 terms tanh(x w)."""
    w = (1 + 0.1 * weights(5, n)).astype(dtype)

    def fwd(x: Array) -> tuple[Any, Any]:
        t = np.tanh(x * w)
        return t.reshape(10, -1).sum(1), t

    def bwd(d: Array, t: Array) -> Gradients:
        return (np.repeat(d, n // 10) * (1 - t * t) * w,)

    def wrong(d: Array, t: Array) -> Gradients:
        g = bwd(d, t)[0]
        k = 2 * n // 3
        g[k] = d[k // (n // 10)] * (1 - t[k]) * w[k]
        return (g,)

    return fwd, bwd, wrong


fwd, bwd, _ = blocks(20000, np.float32)
book.pair("hard-float32-20000", None, fwd, bwd, normal(20000, dtype=np.float32), "float32, 20000 inputs")

for power in range(2, 7):
    n = 10**power
    fwd, bwd, wrong = blocks(n)
    book.pair(f"scale-right-1e{power}", None, fwd, bwd, normal(n), f"{n} inputs, ten outputs")
    book.pair(f"scale-1e{power}", "local", fwd, wrong, normal(n), f"one wrong entry among {n}")

WEIGHTS, SHIFT = weights(3, 20, 50) / 7, weights(4, 20)


def sharp(x: Array) -> tuple[Any, Any]:
    y = np.tanh(WEIGHTS @ x + SHIFT)
    return y, y


def sharp_b(delta: float) -> Backward:
    def bwd(d: Array, y: Array) -> Gradients:
        g = WEIGHTS.T @ (d * (1 - y * y))
        g[17] *= 1 + delta
        return (g,)

    return bwd


book.pair("sharp-right", None, sharp, sharp_b(0), normal(50), "the sharpness series without its error")
for power in range(1, 11):
    book.pair(
        f"sharp-1e-{power:02d}",
        "small",
        sharp,
        sharp_b(10.0**-power),
        normal(50),
        f"one of 50 entries off by 1e-{power}",
    )


CASES = book.cases
