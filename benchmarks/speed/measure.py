"""What is measured of one checker on one layer, in the process that asks: outcome, bare calls, memory."""

from __future__ import annotations

import resource
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.corpus.base import Array, Case
from benchmarks.corpus.outcome import Outcome, ours
from benchmarks.corpus.peers import PEERS
from benchmarks.corpus.run import US

#: Seconds that no check is given here: whoever asks ends the process instead.
FOREVER = 36_000.0
#: `ru_maxrss` counts kilobytes, on macOS bytes.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def outcome(checker: str, case: Case, seed: int = 0) -> Outcome:
    """One run of ours or of another, on a layer and inputs that are made before the clock starts."""
    layer, inputs = case.make(), case.inputs(np.random.default_rng(seed))
    made = replace(case, make=lambda: layer, inputs=lambda rng: inputs)
    return ours(made, seed, FOREVER) if checker == US else PEERS[checker].check(made, seed)


def bare(case: Case, forwards: int, backwards: int) -> float:
    """Seconds of so many calls of the layer, and nothing else."""
    layer, (x,) = case.make(), case.inputs(np.random.default_rng(0))
    upstream = np.random.default_rng(1).standard_normal(np.shape(layer.forward(x)))
    start = time.perf_counter()
    for _ in range(forwards):
        layer.forward(x)
    for _ in range(backwards):
        layer.backward(upstream)
    return time.perf_counter() - start


def beyond(checker: str, case: Case, peak: Callable[[], int] | None = None) -> float:
    """Peak memory of a check beyond that of the layer alone, in arrays of the layer's size.

    The layer runs alone first, its inputs held: what its own calls need is in the peak already. `peak` tells the most
    bytes held so far, by default those of the process, which never fall: only the first answer of a process counts.
    """
    peak = peak or resident
    inputs = case.inputs(np.random.default_rng(0))
    alone(case, inputs)
    before = peak()
    layer = case.make()
    outcome(checker, replace(case, make=lambda: layer, inputs=lambda rng: inputs))
    return (peak() - before) / inputs[0].nbytes


def alone(case: Case, inputs: tuple[Array, ...]) -> None:
    """One forward and one backward, whose arrays are gone afterwards."""
    layer = case.make()
    layer.backward(np.ones_like(layer.forward(*inputs)))


def resident() -> int:
    """The most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT


def traced() -> int:
    """The most bytes of arrays and objects of Python held since `tracemalloc` was started."""
    return tracemalloc.get_traced_memory()[1]
