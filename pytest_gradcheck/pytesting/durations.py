"""`--gradcheck-durations=N`: the checks that took longest, as pytest's `--durations` does for tests."""

from __future__ import annotations

import pytest

from pytest_gradcheck.plugin import RESULTS

from .records import Record
from .summary import counted, name_of, spoken_time


def register(config: pytest.Config, value: str) -> None:
    """List them at the end of the session; what is no whole number ends it with one line."""
    if not value.isdecimal():
        raise pytest.UsageError(f"--gradcheck-durations is {value!r}: give a whole number, 0 for all checks")
    config.pluginmanager.register(Durations(int(value)), "gradcheck-durations")


class Durations:
    """Writes the slowest checks below the summary."""

    def __init__(self, most: int) -> None:
        self._most = most

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """One line per check, the slowest first."""
        checks = list(config.stash[RESULTS].checks.values())
        if not checks:
            return
        slowest = sorted(checks, key=lambda check: (-check["seconds"], check["nodeid"], check["call"]))
        shown = slowest[: self._most or None]
        terminalreporter.section(f"slowest {counted(len(shown), 'gradient check', 'gradient checks')}", sep="=")
        for check in shown:
            terminalreporter.line(line_of(check))


def line_of(check: Record) -> str:
    """Time, forward evaluations and name of one check."""
    forwards = counted(check["forward_evaluations"], "forward", "forwards")
    return f"{spoken_time(check['seconds']):>9}  {forwards:>16}  {name_of(check)}"
