"""One search: the test that somebody would write who knows the shapes of a layer and nothing else."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import hypothesis

from benchmarks.telling import BUGS, Telling
from benchmarks.telling.declared import right_layers
from pytest_gradcheck.errors import GradientMismatch
from pytest_gradcheck.strategies import as_hypothesis_test
from pytest_gradcheck.strategies.marking import Alone
from pytest_gradcheck.verdict import Report


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


@cache
def right_cases() -> dict[str, Telling]:
    """The right twins of the bugs, and the right layers of the corpus, by name."""
    twins = {f"{case.name} (twin)": case for case in BUGS}
    return twins | {case.name: case for case in right_layers()}


def right_one(job: tuple[str, int, int]) -> Found:
    """One right layer; a function of the module, so that a process pool can send it."""
    name, seed, examples = job
    return search(right_cases()[name], False, seed, examples)
