"""Runs the search for telling inputs.

python -m benchmarks.telling [--seeds 5] [--only tie]
python -m benchmarks.telling --right --examples 2000 --jobs 2
python -m benchmarks.telling --speed
python -m benchmarks.telling --engine --examples 2000
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase

from benchmarks.telling import BUGS, Telling
from benchmarks.telling.search import right_cases, right_one, search
from benchmarks.telling.sizes import SHAPES, Affine
from pytest_gradcheck.checking import check
from pytest_gradcheck.errors import GradientMismatch
from pytest_gradcheck.strategies import as_hypothesis_test, graphs

#: A shrunk example may have so many entries; more only where fewer cannot show the bug.
ENTRIES = 4


def wrong_ones(cases: Sequence[Telling], seeds: int, examples: int) -> int:
    """Each bug: at which example it was found and how many entries were left, seed by seed."""
    runs = found = small = 0
    for case in cases:
        rows = [search(case, True, seed, examples) for seed in range(seeds)]
        told = " ".join(f"{row.at}/{row.entries}" if row.at else "missed" for row in rows)
        print(f"{case.name:22} {case.when:42} smallest {case.entries}: {told}", flush=True)
        runs += len(rows)
        found += sum(row.at > 0 for row in rows)
        small += sum(row.at > 0 and row.entries <= max(ENTRIES, case.entries) for row in rows)
    print(f"\n{len(cases)} bugs, {runs} searches of {examples} examples (at/entries: found at, shrunk to)")
    print(f"found {found / runs:.1%}, and shrunk as far as can be {small / max(found, 1):.1%}")
    return 0 if found >= 0.95 * runs and small >= 0.95 * found else 1


def right_ones(names: Sequence[str], seeds: int, examples: int, show: bool, jobs: int) -> int:
    """Each right layer: what its examples came to."""
    refused = 0
    work = [(name, seed, examples) for name in names for seed in range(seeds)]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        rows = map(right_one, work) if jobs == 1 else pool.map(right_one, work)
        for (name, _, _), row in zip(work, rows, strict=True):
            refused += bool(row.message)
            word = "REFUSED" if row.message else "accepted"
            print(f"{name:34} {word} {row.tally}, {row.seconds:.1f} s", flush=True)
            if row.message and show:
                print(row.message)
    print(f"\n{len(names)} right layers, {examples} examples each, {refused} refused")
    return int(refused > 0)


def speed(examples: int = 101, repeats: int = 5) -> int:
    """The time of so many examples of an affine layer: whole, in its own code, in Hypothesis on the same arrays.

    Seconds are the processor's, so that a busy machine does not count. It is one example more than 100, which is
    Hypothesis's own default and counts as not set: then 200 would run.
    """
    search(Telling("affine", "", lambda wrong: Timed(), SHAPES, 0), False, 0, examples)
    rows = [_timed(seed, examples) for seed in range(repeats)]
    whole, layer, bare = (sorted(column)[repeats // 2] for column in zip(*rows, strict=True))
    print(f"{examples} examples of an affine layer, median of {repeats}: {whole:.2f} s of processor time (bar: 1.5 s)")
    print(f"  in the layer's own code {layer:.2f} s, in Hypothesis generating the same arrays {bare:.2f} s")
    print(f"  outside Hypothesis and the layer itself: {max(whole - layer - bare, 0) / whole:.0%}")
    return int(whole > 1.5)


class Timed(Affine):
    """A right affine layer that adds up the seconds spent in its own code."""

    seconds = 0.0

    def __init__(self) -> None:
        super().__init__(False)

    def forward(self, *inputs: Any) -> Any:
        begun = time.process_time()
        try:
            return super().forward(*inputs)
        finally:
            Timed.seconds += time.process_time() - begun

    def backward(self, upstream: Any) -> Any:
        begun = time.process_time()
        try:
            return super().backward(upstream)
        finally:
            Timed.seconds += time.process_time() - begun


def _timed(seed: int, examples: int) -> tuple[float, float, float]:
    @hypothesis.seed(seed)
    @hypothesis.settings(database=None, max_examples=examples)
    def test() -> Any:
        return Timed()

    run: Any = as_hypothesis_test(test, given=SHAPES)
    Timed.seconds = 0.0
    begun = time.process_time()
    run()
    whole = time.process_time() - begun
    if run.gradcheck_tally.judged != examples:
        raise RuntimeError(f"{run.gradcheck_tally.judged} examples were judged, not {examples}")
    return whole, Timed.seconds, _bare(seed, examples)


def _bare(seed: int, examples: int) -> float:
    from pytest_gradcheck.strategies import LAYOUTS
    from pytest_gradcheck.strategies.arrays import VALUES, Plan
    from pytest_gradcheck.strategies.marking import examples as generated

    plan = Plan.made(SHAPES, None, None, (np.float64,), LAYOUTS, VALUES, empty=True)

    @hypothesis.seed(seed)
    @hypothesis.settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @hypothesis.given(generated(plan))
    def nothing(example: Any) -> None:
        pass

    begun = time.process_time()
    nothing()
    return time.process_time() - begun


def engine(examples: int) -> int:
    """Random graphs of the engine as layers of the check: none may be refused."""
    verdicts: dict[str, int] = {}

    @hypothesis.settings(
        max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    @hypothesis.given(graphs())
    def sound(example: Any) -> None:
        report = check(example.graph, *example.inputs)
        verdicts[report.verdict] = verdicts.get(report.verdict, 0) + 1
        if report.verdict == "fail":
            raise GradientMismatch(f"{example!r}\n\n{report}", report)

    try:
        sound()
    except GradientMismatch as error:
        print(error)
    print(f"{examples} random graphs: {verdicts}")
    return int("fail" in verdicts)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.telling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--right", action="store_true", help="right twins, and right layers of the corpus")
    parser.add_argument("--speed", action="store_true", help="the time of 100 examples")
    parser.add_argument("--engine", action="store_true", help="random graphs of the engine")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--examples", type=int, default=0, help="200 for bugs, 2,000 for right layers and graphs")
    parser.add_argument("--only", default="", metavar="REGEX", help="only cases whose name matches")
    parser.add_argument("--jobs", type=int, default=1, help="processes at the same time, with --right")
    parser.add_argument("--show", action="store_true", help="the message of each right layer that is refused")
    args = parser.parse_args(argv)
    if args.speed:
        return speed()
    if args.engine:
        return engine(args.examples or 2000)
    if not args.right:
        return wrong_ones([case for case in BUGS if re.search(args.only, case.name)], args.seeds, args.examples or 200)
    names = [name for name in right_cases() if re.search(args.only, name)]
    return right_ones(names, args.seeds, args.examples or 2000, args.show, args.jobs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
