"""The terminal summary: totals, or with -v one line per check. Nothing here needs numpy."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from pytest_gradcheck.report.places import near

from .records import Record, outcome_of

#: By outcome, from good to bad: the colour, and the words in a line and in the totals.
_COLOUR = {"pass": "green", "expected": "yellow", "inconclusive": "yellow", "fail": "red", "error": "red"}
_SPOKEN = {
    "pass": "passed",
    "expected": "failed as expected",
    "inconclusive": "inconclusive",
    "fail": "failed",
    "error": "could not be made",
}

#: Longer names are cut in the middle, where they are most alike.
LONGEST_NAME = 60
#: Replay files that are listed.
MOST_REPLAYS = 5


def write(reporter: pytest.TerminalReporter, checks: Sequence[Record]) -> None:
    """Write the summary of a session in which something was checked."""
    ordered = sorted(checks, key=lambda check: (check["nodeid"], check["call"]))
    reporter.section("gradient checks", sep="=")
    if reporter.verbosity > 0:
        _write_lines(reporter, ordered)
    for outcome, text in totals(ordered):
        reporter.write(text, **({_COLOUR[outcome]: True} if outcome else {}))
    reporter.line("")
    for line in replays(ordered):
        reporter.line(line)


def replays(checks: Sequence[Record]) -> list[str]:
    """How to repeat the failures that saved what repeats them."""
    saved = [check["replay"] for check in checks if check["replay"]]
    lines = [f"replay: pytest --gradcheck-replay={shlex.quote(near(path))}" for path in saved[:MOST_REPLAYS]]
    more = len(saved) - MOST_REPLAYS
    return [*lines, f"... and {more:,} more in {near(str(Path(saved[0]).parent))}"] if more > 0 else lines


def _write_lines(reporter: pytest.TerminalReporter, checks: Sequence[Record]) -> None:
    names = [short(name_of(check)) for check in checks]
    width = max(map(len, names))
    column = len("fail, as expected" if any(check["expected"] for check in checks) else "inconclusive")
    for name, check in zip(names, checks, strict=True):
        reporter.write(f"{name:<{width}}  ")
        word = check["verdict"] + (", as expected" if check["expected"] else "")
        reporter.write(f"{word:<{column}}", **{_COLOUR[outcome_of(check)]: True})
        reporter.line("  " + line_of(check))


def name_of(check: Record) -> str:
    """The test, the number of the check where it is not the first, and the layer."""
    number = f" #{check['call']}" if check["call"] > 1 else ""
    return f"{check['nodeid']}{number} {check['layer']}"


def line_of(check: Record) -> str:
    """Entries, largest error over its bar, forward evaluations and time of one check."""
    if check["message"]:
        return short(check["message"].partition("\n")[0], 100)
    many = f", {check['examples']} examples" if check["examples"] > 1 else ""
    return (
        f"{counted(check['entries'], 'entry', 'entries')}, error {check['largest_error']:.2g} of its bar, "
        f"{counted(check['forward_evaluations'], 'forward', 'forwards')}, {spoken_time(check['seconds'])}{many}"
    )


def totals(checks: Sequence[Record]) -> list[tuple[str, str]]:
    """Pieces of the last line, each with the outcome whose colour it has ("" for none)."""
    count = Counter(map(outcome_of, checks))
    pieces = [(outcome, f"{count[outcome]} {spoken}, ") for outcome, spoken in _SPOKEN.items() if count[outcome]]
    entries = sum(check["entries"] for check in checks)
    forwards = sum(check["forward_evaluations"] for check in checks)
    seconds = sum(check["seconds"] for check in checks)
    rest = (
        f"{counted(entries, 'entry', 'entries')}, {counted(forwards, 'forward evaluation', 'forward evaluations')}, "
        f"{spoken_time(seconds)}"
    )
    return [*pieces, ("", rest)]


def counted(number: int, one: str, many: str) -> str:
    """ "1 entry", "1,000 entries"."""
    return f"{number:,} {one if number == 1 else many}"


def spoken_time(seconds: float) -> str:
    """A time with the unit that suits it."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.1f} ms"


def short(text: str, longest: int = LONGEST_NAME) -> str:
    """The text, cut in the middle where it is too long."""
    half = (longest - 3) // 2
    return text if len(text) <= longest else f"{text[:half]}...{text[-half:]}"
