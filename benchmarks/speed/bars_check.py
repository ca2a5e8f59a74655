"""Bars of one check: memory, every entry, small layers, size, a hundred million entries."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from statistics import median

import numpy as np

from benchmarks.corpus.base import Array
from benchmarks.corpus.book import Pair, weights
from benchmarks.corpus.run import US
from benchmarks.corpus.scale import Line, check, costly
from benchmarks.speed.layers import Blocks, Elementwise, Layer
from benchmarks.speed.rounds import timed, timed_ratio
from benchmarks.speed.side_by_side import worker

HUGE = 10**8


def memory() -> Iterator[Line]:
    """Peak beyond the layer's own, contract included, as Python counts it and as the process grows."""
    for how, word in (("traced", "arrays held"), ("resident", "growth of the process")):
        with worker(US) as there:
            found = there.memory("elementwise", 10**7, how=how)
        arrays = found[0] if found else np.inf
        yield f"memory at 10^7, {word}", f"{arrays:.1f} arrays", "at most 6", arrays <= 6


def small() -> Iterator[Line]:
    """What a check of 50 entries takes beyond its own calls."""
    for layer in ("elementwise", "blocks"):
        with worker(US) as there:
            pairs = there.turns(layer, 50, 300)
        beyond = median(whole - calls for whole, calls in pairs)
        yield f"50 entries, {layer}, beyond its calls", f"{1e3 * beyond:.2f} ms", "at most 1.5 ms", beyond <= 1.5e-3


def evaluations() -> Iterator[Line]:
    """A right layer of 10^6 entries beside one of 10^2."""
    for name, layer in (("elementwise", lambda n: Elementwise()), ("blocks", Blocks)):
        small, large = (check(layer(n), np.random.default_rng(0).standard_normal(n)) for n in (10**2, 10**6))
        few, many = small.forward_evaluations, large.forward_evaluations
        fine = abs(many - few) <= 2 and small.passed and large.passed
        yield f"evaluations, 10^6 over 10^2, {name}", f"{many} over {few}", "within 2", fine


def huge() -> Iterator[Line]:
    """10^8 entries: evaluations, time over the same calls, memory."""
    with worker(US) as there:
        found = there.memory("elementwise", HUGE)
        if found is None:
            yield "10^8 entries", "the process has ended", "within memory", False
            return
        arrays, done = found
        ratio = done.seconds / there.bare("elementwise", HUGE, done)
    spent = done.forward_evaluations
    yield "10^8 entries, evaluations", f"{spent}, {done.verdict}", "at most 44", spent <= 44 and done.verdict == "pass"
    yield "10^8 entries, time over its calls", f"{ratio:.2f}", "at most 3", ratio <= 3
    yield "10^8 entries, memory beyond its own", f"{arrays:.1f} arrays", "at most 6", arrays <= 6


class Dense:
    """tanh(W x + b) of 50 inputs: few entries, and a forward that takes its time."""

    def __init__(self, outputs: int) -> None:
        self.W, self.b = weights(3, outputs, 50) / 7, weights(4, outputs)

    def forward(self, x: Array) -> Array:
        self.y = np.tanh(self.W @ x + self.b)
        return self.y

    def backward(self, upstream: Array) -> tuple[Array]:
        return (self.W.T @ (upstream * (1 - self.y**2)),)


def every_entry() -> Iterator[Line]:
    """`method="every-entry"` over a loop that moves, evaluates twice and puts back, without and with the contract."""
    for name, layer, n in (
        ("50 entries", Dense(6000), 50),
        ("3,000 entries", Pair(*costly()), 3000),
        ("10,000 entries", Blocks(10_000), 10_000),
    ):
        x = np.random.default_rng(0).standard_normal(n)
        micro = 1e6 * median(timed(partial(layer.forward, x)) for _ in range(101))
        for contract in ("off", "full"):
            ratio = timed_ratio(partial(every, layer, x, contract), partial(loop, layer, x))
            what = f"every entry, {name}, {micro:.0f} us, contract {contract}"
            yield what, f"{ratio:.2f} of a bare loop", "at most 1.1", ratio <= 1.1


def every(layer: Layer, x: Array, contract: str) -> None:
    """The check by every entry; not even a right layer's calls are worth a time if it does not pass."""
    report = check(layer, x, method="every-entry", contract=contract)
    if not report.passed:
        raise RuntimeError(f"every entry: {report}")


def loop(layer: Layer, x: Array, h: float = 1e-4) -> None:
    """Every entry moved, evaluated twice and put back, and nothing else."""
    for i in range(x.size):
        kept = x[i]
        x[i] = kept + h
        layer.forward(x)
        x[i] = kept - h
        layer.forward(x)
        x[i] = kept
