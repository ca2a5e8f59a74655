"""The records of a verdict: what was found, where, with which numbers. No arithmetic on arrays here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["pass", "fail", "inconclusive"]

#: The words for causes, so that reports can be counted.
KINDS = (
    "factor", "sign", "transpose", "upstream", "local", "term", "reduction", "accumulate", "route", "swap",
    "stale", "mutation", "region", "dtype", "shape", "small", "nonfinite", "random", "zero",
)  # fmt: skip

#: A finding lists at most so many indices; `count` has the number of all.
MOST_INDICES = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of one argument: what backward declared, what differences measured, and how well."""

    index: tuple[int, ...]
    declared: float
    numeric: float
    bar: float

    @property
    def error(self) -> float:
        """Declared minus numeric."""
        return self.declared - self.numeric


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: a cause, its place, and the numbers that show it.

    count: how many entries of `total` are wrong; bound: "about" where a sample of them told, "at least" where some
    were followed to their entries and others only seen, empty where each was counted.
    """

    kind: str
    message: str
    argument: str | None = None
    indices: tuple[tuple[int, ...], ...] = ()
    count: int = 0
    total: int = 0
    entries: tuple[Entry, ...] = ()
    evidence: tuple[str, ...] = ()
    clause: str = "gradient"
    confidence: float = 1.0
    bound: str = ""


@dataclass(frozen=True, slots=True)
class Clause:
    """How one clause of the contract fared: "kept", "broken" or "skipped", and what was done to provoke it."""

    name: str
    state: Literal["kept", "broken", "skipped"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ArgumentResult:
    """What the check says of one argument (an input or a parameter).

    error: largest |declared - numeric| over its bar among all probes: above 1 is beyond the bar.
    sharpness: smallest relative error in one entry that would have been caught; absolute: the same as a number.
    miss: probability of missing a larger one.
    kinks: how many entries or outputs stood on a kink.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    size: int
    verdict: Verdict
    error: float = 0.0
    sharpness: float | None = None
    absolute: float | None = None
    miss: float | None = None
    kinks: int = 0
    covered: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The evidence of one check.

    `passed` is `verdict == "pass"`. Findings come most likely cause first. Notes are remarks that are
    no failure: skipped clauses, kinks, arguments that were passed through.
    """

    layer: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    arguments: tuple[ArgumentResult, ...] = ()
    clauses: tuple[Clause, ...] = ()
    forward_evaluations: int = 0
    backward_calls: int = 0
    seconds: float = 0.0
    seed: int = 0
    h: float = 1e-4
    method: str = "probes"
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the verdict is "pass"."""
        return self.verdict == "pass"

    @property
    def entries(self) -> int:
        """How many numbers were differentiated."""
        return sum(a.size for a in self.arguments)

    @property
    def largest_error(self) -> float:
        """The largest error over its bar, of all arguments."""
        return max((a.error for a in self.arguments), default=0.0)

    @property
    def sharpness(self) -> dict[str, float]:
        """Smallest relative error in one entry that would have been caught, by argument."""
        return {a.name: a.sharpness for a in self.arguments if a.sharpness is not None}

    def to_plain(self) -> dict[str, Any]:
        """The report as dicts, lists, strings and numbers: safe for JSON and between processes."""
        return {"passed": self.passed, "sharpness": self.sharpness, **{k: plain(v) for k, v in asdict(self).items()}}

    def __str__(self) -> str:
        from .report.terminal import render

        return render(self)


def plain(value: Any) -> Any:
    """A value made of JSON's own types; numbers of numpy become Python's."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (str, bool, int, float)) or value is None:
        return _finite(value) if isinstance(value, float) else value
    if isinstance(value, Iterable):
        return [plain(v) for v in value]
    return plain(value.item()) if hasattr(value, "item") else str(value)


def _finite(value: float) -> float | str:
    # JSON has no NaN and no infinity: they travel as words.
    return float(value) if value - value == 0 else str(float(value))
