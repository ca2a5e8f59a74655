"""One run of one checker on one case, and how pytest-gradcheck itself is run."""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.corpus.base import Case


@dataclass
class Outcome:
    """What a checker said of a case.

    verdict: "pass", "fail", "inconclusive", "error" (an exception in the place of a verdict) or "timeout".
    raised: another checker rejected the case by an exception that is not its own verdict.
    kinds: the causes named, most likely first; only pytest-gradcheck names any.
    diagnosis: of the forward evaluations those that looked for a cause.
    """

    verdict: str
    message: str = ""
    forward_evaluations: int = 0
    backward_calls: int = 0
    seconds: float = 0.0
    kinds: tuple[str, ...] = ()
    sharpness: float | None = None
    raised: bool = False
    diagnosis: int = 0


@dataclass(frozen=True)
class Row:
    """An outcome with what it was about; plain fields only, so that it travels between processes."""

    checker: str
    case: str
    group: str
    bug: str | None
    words: tuple[str, ...]
    seed: int
    outcome: Outcome = field(repr=False)

    @property
    def caught(self) -> bool:
        """Whether a wrong case was rejected; neither an exception nor an empty verdict counts."""
        return self.outcome.verdict == "fail"

    @property
    def accepted(self) -> bool:
        return self.outcome.verdict == "pass"


class TimedOut(BaseException):
    """The time of one case is over; no `except Exception` in a layer can swallow it."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TimedOut in the body after so many seconds (main thread of the process only)."""

    def ring(*_: object) -> None:
        raise TimedOut

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def settings_of(case: Case) -> dict[str, Any]:
    """The case's settings with the words of domains turned into domains."""
    from pytest_gradcheck import domain

    told = dict(case.settings)
    if "domain" in told:
        told["domain"] = {k: getattr(domain, v) if isinstance(v, str) else v for k, v in told["domain"].items()}
    return told


def layer_of(case: Case) -> Any:
    """A fresh layer; where backward belongs to another forward, it is declared a surrogate."""
    layer = case.make()
    if case.derivative_of is None:
        return layer
    from pytest_gradcheck import declare

    return declare.surrogate(layer, forward=case.derivative_of, reason=case.note)


def ours(case: Case, seed: int, seconds: float = 60.0, **more: Any) -> Outcome:
    """`pytest_gradcheck.check` at its defaults and with what the case says a user must tell it."""
    import pytest_gradcheck

    inputs = case.inputs(np.random.default_rng(seed))
    start = time.perf_counter()
    try:
        with limited(seconds):
            report = pytest_gradcheck.check(layer_of(case), *inputs, seed=seed, **{**settings_of(case), **more})
    except TimedOut:
        return Outcome("timeout", f"over {seconds:g} s", seconds=seconds)
    except Exception as e:
        where = traceback.extract_tb(e.__traceback__)[-1]
        place = f"{where.filename.rpartition('/')[2]}:{where.lineno}"
        return Outcome("error", f"{type(e).__name__}: {e} ({place})", seconds=time.perf_counter() - start)
    return Outcome(
        report.verdict,
        "; ".join(f"{f.kind}: {f.message}" for f in report.findings) or "; ".join(report.notes),
        report.forward_evaluations,
        report.backward_calls,
        time.perf_counter() - start,
        tuple(f.kind for f in report.findings),
        max(report.sharpness.values(), default=None),
        diagnosis=report.extra["forward_evaluations_by_stage"].get("diagnosis", 0),
    )
