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
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from typing import Any

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase

from benchmarks.telling import BUGS, Telling
from pytest_gradcheck.checking import check
from pytest_gradcheck.errors import GradientMismatch
from pytest_gradcheck.strategies import as_hypothesis_test, graphs
from pytest_gradcheck.strategies.marking import Alone
from pytest_gradcheck.verdict import Report

#: A shrunk example may have so many entries; more only where fewer cannot show the bug.
ENTRIES = 4


class Watch(Alone):
    """Counts checks, their seconds, and at which check the first failure came."""

    def __init__(self) -> None:
        self.checks, self.found_at, self.seconds = 0, 0, 0.0

    def judge(self, layer: Any, inputs: Any, words: Any) -> Report:
        begun = time.perf_counter()
        report = super().judge(layer, inputs, words)
        self.seconds += time.perf_counter() - begun
        self.checks += 1
        return report

    def keep(self, report: Report) -> None:
        if report.verdict == "fail" and not self.found_at:
            self.found_at = self.checks


@dataclass(frozen=True)
class Found:
    """One search: at which example the bug was found (0: not), how large the smallest is, its message."""

    at: int
    entries: int
    message: str
    tally: str
    seconds: float


def search(case: Telling, wrong: bool, seed: int, examples: int) -> Found:
    """Run the test that somebody would write who knows the shapes and nothing else."""

    def test() -> Any:
        return case.make(wrong)

    test.__name__ = re.sub(r"\W", "_", case.name)
    seeded = hypothesis.seed(seed)(hypothesis.settings(database=None, max_examples=examples)(test))
    watch = Watch()
    run: Any = as_hypothesis_test(
        seeded,
        given=case.given,
        domain=case.domain,
        sizes=case.sizes,
        dtypes=case.dtypes,
        words=case.words,
        host=watch,
    )
    begun = time.perf_counter()
    try:
        run()
    except GradientMismatch as error:
        size = re.search(r"\((\d+) entr", str(error))
        entries = int(size[1]) if size else 0
        return Found(watch.found_at, entries, str(error), str(run.gradcheck_tally), time.perf_counter() - begun)
    except Exception as error:  # a layer that raises is told like one that is refused
        message = f"{type(error).__name__}: {error}"
        return Found(watch.checks, 0, message, str(run.gradcheck_tally), time.perf_counter() - begun)
    return Found(0, 0, "", str(run.gradcheck_tally), time.perf_counter() - begun)


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
        rows = map(_right_one, work) if jobs == 1 else pool.map(_right_one, work)
        for (name, _, _), row in zip(work, rows, strict=True):
            refused += bool(row.message)
            word = "REFUSED" if row.message else "accepted"
            print(f"{name:34} {word} {row.tally}, {row.seconds:.1f} s", flush=True)
            if row.message and show:
                print(row.message)
    print(f"\n{len(names)} right layers, {examples} examples each, {refused} refused")
    return int(refused > 0)


@cache
def _right_cases() -> dict[str, Telling]:
    """The right twins of the bugs, and the right layers of the corpus, by name."""
    from benchmarks.telling.declared import right_layers

    twins = {f"{case.name} (twin)": case for case in BUGS}
    return twins | {case.name: case for case in right_layers()}


def _right_one(job: tuple[str, int, int]) -> Found:
    """One right layer; a function of the module, so that a process pool can send it."""
    name, seed, examples = job
    return search(_right_cases()[name], False, seed, examples)


def speed(examples: int = 100, repeats: int = 5) -> int:
    """The time of 100 examples of an affine layer: whole, in the check, and in a bare generation of the same arrays."""
    from benchmarks.telling.sizes import SHAPES, Affine

    class Right(Affine):
        pass

    case = Telling("affine", "", lambda wrong: Right(False), SHAPES, 0)
    search(case, False, 0, examples)
    rows = [_timed(case, seed, examples) for seed in range(repeats)]
    whole, checks, bare = (sorted(column)[repeats // 2] for column in zip(*rows, strict=True))
    print(f"{examples} examples of an affine layer, median of {repeats}: {whole:.2f} s")
    print(f"  in the check {checks:.2f} s, generating alone {bare:.2f} s")
    print(f"  outside Hypothesis and the check: {max(whole - checks - bare, 0) / whole:.0%}")
    return 0


def _timed(case: Telling, seed: int, examples: int) -> tuple[float, float, float]:
    watch = Watch()

    def test() -> Any:
        return case.make(False)

    seeded = hypothesis.seed(seed)(hypothesis.settings(database=None, max_examples=examples)(test))
    run = as_hypothesis_test(seeded, given=case.given, host=watch)
    begun = time.perf_counter()
    run()
    whole = time.perf_counter() - begun
    return whole, watch.seconds, _bare(case, seed, examples)


def _bare(case: Telling, seed: int, examples: int) -> float:
    from pytest_gradcheck.strategies import LAYOUTS
    from pytest_gradcheck.strategies.arrays import VALUES, Plan
    from pytest_gradcheck.strategies.marking import examples as generated

    plan = Plan.made(case.given, None, None, (np.float64,), LAYOUTS, VALUES, empty=True)

    @hypothesis.seed(seed)
    @hypothesis.settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @hypothesis.given(generated(plan))
    def nothing(example: Any) -> None:
        pass

    begun = time.perf_counter()
    nothing()
    return time.perf_counter() - begun


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
    names = [name for name in _right_cases() if re.search(args.only, name)]
    return right_ones(names, args.seeds, args.examples or 2000, args.show, args.jobs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
