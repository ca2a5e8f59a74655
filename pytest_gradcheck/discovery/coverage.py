"""`--gradcheck-cov`: which backwards of a package no test has checked.

What a check covers is learnt in the process that makes it, through our own hook, and travels on the test's report, so
that one process and many give the same. A check without a verdict covers nothing, nor does a test that is skipped.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gradcheck.hooks import hookimpl

from .backwards import Backward, backwards_in, key_of
from .finding import places

if TYPE_CHECKING:
    from pytest_gradcheck.verdict import Report

COVERAGE: pytest.StashKey[Coverage] = pytest.StashKey()


def register(config: pytest.Config, value: Sequence[str]) -> None:
    """Watch the checks of this session for the backwards of these modules."""
    names = [name.strip() for text in value for name in text.split(",") if name.strip()]
    if not names:
        return
    asked = config.getoption("gradcheck_cov") is not None
    found = places("--gradcheck-cov" if asked else "gradcheck_cov in the ini file", names)
    config.stash[COVERAGE] = Coverage(names, [each for place in found for each in backwards_in(place)])
    config.pluginmanager.register(Watching(), "gradcheck-cov-watching")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(config.stash[COVERAGE], "gradcheck-cov")


class Watching:
    """Learns which layers this process checks, and puts their backwards on the report of the test that runs."""

    def __init__(self) -> None:
        self._checked: set[str] = set()

    @hookimpl
    def gradcheck_checked(self, layer: Any, report: Report) -> None:
        """A check with a verdict covers the layer's own backward."""
        if report.verdict != "inconclusive" and (key := key_of(layer)) is not None:
            self._checked.add(key)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Plain strings, which may travel to another process."""
        report = yield
        if not report.skipped or hasattr(report, "wasxfail"):
            vars(report)["gradcheck_covered"] = sorted(self._checked)
        self._checked.clear()
        return report


class Coverage:
    """All backwards of some modules, and those that were checked."""

    def __init__(self, names: Sequence[str], backwards: Iterable[Backward]) -> None:
        self.names = ", ".join(names)
        self.backwards = sorted(backwards, key=lambda each: each.name)
        self._covered: set[str] = set()
        #: In percent what must be covered.
        self.wanted: float | None = None

    @property
    def missed(self) -> list[Backward]:
        """Those that no test checked."""
        return [each for each in self.backwards if each.key not in self._covered]

    @property
    def percent(self) -> float:
        """How many were checked; none of none is none, for a misspelt package must not look covered."""
        total = len(self.backwards)
        return 100 * (total - len(self.missed)) / total if total else 0.0

    @property
    def short(self) -> bool:
        """Whether less is covered than was asked for."""
        return self.wanted is not None and self.percent < self.wanted

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what is covered off every report that comes by."""
        self._covered.update(getattr(report, "gradcheck_covered", ()))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Too little coverage fails a run that would have passed."""
        if self.short and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The backwards that no test checked, then the percentage."""
        terminalreporter.section("coverage of backwards", sep="=")
        for each in self.missed:
            terminalreporter.line(f"not checked  {each.name}  {each.path}:{each.line}")
        total = len(self.backwards)
        done = total - len(self.missed)
        terminalreporter.line(f"{self.names}: {done} of {total} backwards checked, {self.percent:.0f} %")
        if self.short:
            terminalreporter.line(f"fewer than the {self.wanted:g} % of --gradcheck-fail-under", red=True)
