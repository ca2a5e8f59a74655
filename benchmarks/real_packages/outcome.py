"""What came out of a check, as plain data that travels between processes."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

import pytest_gradcheck
from benchmarks.real_packages.base import Check
from pytest_gradcheck.verdict import Report

#: A layer that cannot even be called at inputs of its own documentation has failed; one that ends the process too.
FAILED = ("fail", "raised", "crashed")


@dataclass(frozen=True)
class Row:
    """One check of one layer: verdict "pass", "fail", "inconclusive", "raised" (no verdict: it raised) or "crashed".

    message: what is wrong in the words of the report. kinds: the words for bugs named, the most likely first.
    theirs: what is wrong with the package, where that is known.
    """

    package: str
    name: str
    variant: str
    verdict: str
    message: str = ""
    kinds: tuple[str, ...] = ()
    theirs: str = ""
    seed: int = 0
    evaluations: int = 0
    seconds: float = 0.0
    settings: tuple[tuple[str, str, str], ...] = ()

    @property
    def label(self) -> str:
        """Name and variant."""
        return f"{self.name} ({self.variant})" if self.variant else self.name

    @property
    def failed(self) -> bool:
        """Whether the layer is said to be wrong."""
        return self.verdict in FAILED

    def to_plain(self) -> dict[str, Any]:
        """A dict for JSON."""
        return asdict(self)


def from_plain(plain: dict[str, Any]) -> Row:
    """The row again."""
    settings = tuple(tuple(s) for s in plain["settings"])
    return Row(**{**plain, "kinds": tuple(plain["kinds"]), "settings": settings})


def judged(package: str, check: Check, seed: int = 0) -> Row:
    """Run one check; whatever it raises becomes a row too."""
    rng = np.random.default_rng(1000 + seed)
    began = time.perf_counter()
    report, said = None, ""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            np.random.seed(seed)
            layer, inputs = check.make(), check.inputs(rng)
            report = pytest_gradcheck.check(
                layer, *inputs, kwargs=dict(check.kwargs), **{"seed": seed, **check.called()}
            )
        except Exception as error:
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
    settings = tuple((word, str(value), why) for word, (value, why) in check.settings.items())
    told: dict[str, Any] = {
        "theirs": check.theirs,
        "seed": seed,
        "settings": settings,
        "seconds": time.perf_counter() - began,
    }
    if report is None:
        return Row(package, check.name, check.variant, "raised", said, **told)
    kinds = tuple(dict.fromkeys(f.kind for f in report.findings))
    said = "; ".join(first_words(report))
    evaluations = report.forward_evaluations
    return Row(package, check.name, check.variant, report.verdict, said, kinds, evaluations=evaluations, **told)


def first_words(report: Report) -> Iterable[str]:
    """The findings in one line each, or why there is no verdict."""
    for f in report.findings[:3]:
        where = f"{f.argument}: " if f.argument else ""
        yield f"{where}{f.kind}: {f.message}"
    if report.verdict == "inconclusive":
        yield from report.notes[:1]
