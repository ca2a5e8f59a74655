"""The record of one check: plain values only, safe on a report that travels to another process.

Keys of a record: nodeid, call (number of the check in its test), examples (how many of Hypothesis it stands for),
layer, verdict ("pass", "fail", "inconclusive", or "error" where the check could not be made), expected (whether its
test did not fail all the same: xfail, `pytest.raises`), message (of an error), entries, largest_error (over its bar),
forward_evaluations, backward_calls, seconds, seed, replay (the file that repeats it, or ""), and
report: the whole `Report.to_plain()` where the verdict is not "pass" or where somebody asked for every report, else
None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_gradcheck.verdict import Report

Record = dict[str, Any]

#: From good to bad: of many examples the worst is told.
VERDICTS = ("pass", "inconclusive", "fail", "error")

_SUMMED = ("examples", "forward_evaluations", "backward_calls", "seconds")


def record_of(report: Report, nodeid: str, number: int, whole: bool) -> Record:
    """The record of a check that was made."""
    return {
        "nodeid": nodeid,
        "call": number,
        "examples": 1,
        "layer": str(report.layer),
        "verdict": str(report.verdict),
        "expected": False,
        "message": "",
        "entries": int(report.entries),
        "largest_error": float(report.largest_error),
        "forward_evaluations": int(report.forward_evaluations),
        "backward_calls": int(report.backward_calls),
        "seconds": float(report.seconds),
        "seed": int(report.seed),
        "replay": "",
        "report": report.to_plain() if whole or not report.passed else None,
    }


def record_without_report(nodeid: str, number: int, layer: str, verdict: str, message: str) -> Record:
    """The record of a check that came to no report: the layer raised, or its worker was lost."""
    return {
        "nodeid": nodeid,
        "call": number,
        "examples": 1,
        "layer": layer,
        "verdict": verdict,
        "expected": False,
        "message": message,
        "entries": 0,
        "largest_error": 0.0,
        "forward_evaluations": 0,
        "backward_calls": 0,
        "seconds": 0.0,
        "seed": 0,
        "replay": "",
        "report": None,
    }


def outcome_of(record: Record) -> str:
    """What a record counts as: its verdict, or "expected" for a failure that its test wanted."""
    return "expected" if record["expected"] else str(record["verdict"])


def merged(earlier: Record, later: Record) -> Record:
    """Two examples of one check as one record: costs add up, the worse verdict and its report stay."""
    worse = later if _badness(later) >= _badness(earlier) else earlier
    summed = {key: earlier[key] + later[key] for key in _SUMMED}
    largest = {key: max(earlier[key], later[key]) for key in ("entries", "largest_error")}
    return {**worse, **summed, **largest}


def _badness(record: Record) -> int:
    return VERDICTS.index(record["verdict"])


def junit_properties(records: Mapping[int, Record]) -> list[tuple[str, str]]:
    """Name and value of what JUnit's XML says of a test's checks: `gradcheck.1.verdict` and so on."""
    told = ("layer", "verdict", "expected", "entries", "largest_error", "forward_evaluations", "seed")
    return [(f"gradcheck.{number}.{key}", str(records[number][key])) for number in sorted(records) for key in told]
