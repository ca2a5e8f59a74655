"""What is measured of one checker on one layer, in the process that asks: outcome, bare calls, memory."""

from __future__ import annotations

import resource
import sys
import time
import tracemalloc
from dataclasses import replace
from functools import partial
from statistics import median

import numpy as np

from benchmarks.corpus.base import Array, Case
from benchmarks.corpus.outcome import Outcome, ours
from benchmarks.corpus.peers import PEERS
from benchmarks.corpus.run import US
from benchmarks.speed.rounds import timed

#: Seconds that no check is given here: whoever asks ends the process instead.
FOREVER = 36_000.0
#: `ru_maxrss` counts kilobytes, on macOS bytes.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def outcome(checker: str, case: Case, seed: int = 0) -> Outcome:
    """One run of ours or of another, on a layer and inputs that are made before the clock starts."""
    layer, inputs = case.make(), case.inputs(np.random.default_rng(seed))
    made = replace(case, make=lambda: layer, inputs=lambda rng: inputs)
    return ours(made, seed, FOREVER) if checker == US else PEERS[checker].check(made, seed)


def repeated(checker: str, case: Case, seed: int, enough: float) -> Outcome:
    """The same run again and again until so many seconds have passed, as in a suite; its time is their median.

    A process that was idle finds nothing in the processor's caches, and takes twice as long for its first milliseconds.
    """
    done = [outcome(checker, case, seed)]
    while sum(one.seconds for one in done) < enough:
        done.append(outcome(checker, case, seed))
    return replace(done[0], seconds=median(one.seconds for one in done))


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


def turns(case: Case, rounds: int, seed: int = 0) -> list[tuple[float, float]]:
    """Seconds of our check and of its own calls alone, in turns, and of nothing around them."""
    from pytest_gradcheck import check

    layer, inputs = case.make(), case.inputs(np.random.default_rng(seed))
    first = check(layer, *inputs, seed=seed)
    calls = first.forward_evaluations, first.backward_calls
    return [(timed(partial(check, layer, *inputs, seed=seed)), bare(case, *calls)) for _ in range(rounds)]


def beyond(checker: str, case: Case, how: str = "resident") -> tuple[float, Outcome]:
    """Peak memory of a check beyond that of the layer alone, in arrays of the layer's size, and what the check said.

    The layer runs alone first, its inputs held: what its own calls need is in the peak already. `how` is "resident",
    the memory of the process, whose peak never falls, so that only the first answer of a process counts; or "traced",
    what Python and numpy have asked for.
    """
    if how == "traced":
        tracemalloc.start()
        tracemalloc.reset_peak()
    peak = {"resident": resident, "traced": traced}[how]
    inputs = case.inputs(np.random.default_rng(0))
    alone(case, inputs)
    before = peak()
    done = outcome(checker, replace(case, inputs=lambda rng: inputs))
    more = peak() - before
    if how == "traced":
        tracemalloc.stop()
    return more / inputs[0].nbytes, done


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
