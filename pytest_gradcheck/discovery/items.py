"""The tests that discovery makes: one per layer, and one for what stands in a layer's way."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gradcheck.errors import GradCheckError, LayerError
from pytest_gradcheck.pytesting.checked import WHOLE, concluded
from pytest_gradcheck.pytesting.records import record_of, record_without_report
from pytest_gradcheck.pytesting.repeat import command
from pytest_gradcheck.pytesting.running import Running, begin

from .recognise import Found

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr

    from pytest_gradcheck.verdict import Report

    from .making import Outcome

#: The folder whose frames are no business of the reader.
OURS = __name__.partition(".")[0]

#: What came of a layer, told on its report and counted in the listing.
CHECKED, GUESSED, UNCHECKED, FAILED = "checked", "checked on guessed inputs", "unchecked", "failed"


class DiscoveryItem(pytest.Item):
    """A test of discovery; its failure is shown in a few lines, for no test function is there to look at.

    told: layer, state and reason for the listing, plain strings.
    """

    told: dict[str, str]

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str | TerminalRepr:
        """The message; of a layer that raised also where it did."""
        error = excinfo.value
        if not isinstance(error, GradCheckError):
            return super().repr_failure(excinfo)
        shown = excinfo.getrepr(style="value", chain=False)
        if error.__cause__ is not None:
            shown.addsection("where it raised", trace_of(error.__cause__))
        return shown


def trace_of(cause: BaseException) -> str:
    """The traceback of what a layer or a module raised, from the first line that is neither ours nor the importer's."""
    told = traceback.TracebackException.from_exception(cause)
    frames = list(told.stack)
    while len(frames) > 1 and (OURS in Path(frames[0].filename).parts or "importlib" in frames[0].filename):
        frames.pop(0)
    told.stack = traceback.StackSummary.from_list(frames)
    return "".join(told.format(chain=False)).rstrip()


class LayerItem(DiscoveryItem):
    """One layer of a module."""

    found: Found
    strict: bool
    guess: bool
    gradcheck_words: Sequence[str] = ()

    def setup(self) -> None:
        """Begin the record of the check."""
        self.told = {"layer": self.found.dotted, "state": FAILED, "reason": ""}
        self.running = begin(self)

    def runtest(self) -> None:
        """Make the layer and check it; one that cannot be made is skipped and listed, never passed."""
        from . import making

        number = self.running.next_call()
        try:
            settings = self.running.settings({}, number)
            outcome = making.checked(self.found, settings, guessing=self.guess)
        except GradCheckError as error:
            self.running.keep(number, record_without_report(self.nodeid, number, self.found.name, "error", str(error)))
            raise
        except (Exception, SystemExit) as cause:
            # What a metaclass or a `__getattr__` raises, and what would end the whole run.
            raised = f"{type(cause).__name__} ({' '.join(str(cause).split())})"
            message = f"{self.found.dotted} raised {raised} while it was made or looked at"
            self.running.keep(number, record_without_report(self.nodeid, number, self.found.name, "error", message))
            raise LayerError(message) from cause
        self._told(outcome, self.running, number, settings.inconclusive)

    def _told(self, outcome: Outcome, running: Running, number: int, inconclusive: str) -> None:
        failing = outcome.report is not None and (not outcome.unchecked or self.strict)
        if not failing or outcome.report is None:
            self.told |= {"state": UNCHECKED, "reason": outcome.unchecked}
            pytest.skip(f"unchecked, {outcome.unchecked}")
        report = self._with_place(outcome.report)
        whole = any(self.config.getoption(option, None) for option in WHOLE)
        running.keep(number, record_of(report, running.nodeid, number, whole))
        if report.passed:
            self.told |= {"state": GUESSED if outcome.guessed else CHECKED}
        concluded(running, report, inconclusive)

    def _with_place(self, report: Report) -> Report:
        from dataclasses import replace

        where = {"nodeid": self.running.nodeid, "repeat": command(self, self.running.nodeid, report.seed)}
        return replace(report, extra={**report.extra, **where})

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Where the backward is written."""
        return self.path, self.found.line, self.name


class ProblemItem(DiscoveryItem):
    """A test that fails: a module cannot be imported, or has no layer of the name that was asked for."""

    problem: str
    cause: Exception | None = None

    def setup(self) -> None:
        """Nothing of it is checked."""
        self.told = {"layer": f"{self.path.name}::{self.name}", "state": FAILED, "reason": self.problem}

    def runtest(self) -> None:
        """Say what is wrong."""
        if self.cause is None:
            raise LayerError(self.problem)
        raised = f"{type(self.cause).__name__} ({' '.join(str(self.cause).split())})"
        raise LayerError(f"{self.problem}: {raised}") from self.cause

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """The module."""
        return self.path, 0, self.name
