"""One check in a test: made with the test's settings, recorded, and turned into pass, fail, warning or skip."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gradcheck.errors import GradCheckError, GradientInconclusive, GradientMismatch, InconclusiveWarning
from pytest_gradcheck.plugin import RESULTS
from pytest_gradcheck.settings import CALL_WORDS, NAMES, Settings

from .records import record_of, record_without_report
from .repeat import command
from .running import Running
from .watch import watched

if TYPE_CHECKING:
    from pytest_gradcheck.verdict import Report

#: Called with layer, inputs and keywords it makes a check.
Maker = Callable[..., "Report"]

#: Options that need the whole report of every check, also of those that passed.
WHOLE = ("gradcheck_json", "gradcheck_report_all")


def checked(
    running: Running, layer: Any, inputs: Sequence[Any], call: Mapping[str, Any], by: Maker | None = None
) -> Report:
    """The report of one check of the running test; `call` holds the keywords of the call itself.

    by: what makes the check, `pytest_gradcheck.check` where None.

    Raises `GradientMismatch` and `GradientInconclusive` as the test wishes, and any other `GradCheckError` where
    no check can be made. Every frame between the caller and the error is hidden: a debugger stops at the caller.
    """
    __tracebackhide__ = True
    number = running.next_call()
    try:
        settings = running.settings(call, number)
        report = _made(running, number, by, (layer, *inputs), {**_words(running, call), **given(settings)})
    except GradCheckError as error:
        running.keep(number, record_without_report(running.nodeid, number, _name(layer), "error", str(error)))
        raise _without_our_frames(error) from error.__cause__
    except KeyboardInterrupt as stopped:
        tell_interrupted(running, number, stopped)
        raise
    concluded(running, report, settings.inconclusive)
    return report


def tell_interrupted(running: Running, number: int, stopped: KeyboardInterrupt) -> None:
    """Put what an interrupted check had found among the results at once: pytest makes no report of its test."""
    report = getattr(stopped, "report", None)
    if report is None:
        return
    where = {"nodeid": running.nodeid, "repeat": command(running.item, running.nodeid, report.seed)}
    told = replace(report, extra={**report.extra, **where})
    stopped.__notes__ = [str(told)]
    running.item.config.stash[RESULTS].add(record_of(told, running.nodeid, number, whole=True))


def concluded(running: Running, report: Report, inconclusive: str) -> None:
    """Let the test go on, fail, be skipped or warned, as the verdict and the setting `inconclusive` say."""
    __tracebackhide__ = True
    if report.passed:
        return
    message = str(report)
    if report.verdict == "fail":
        raise GradientMismatch(message, report)
    if inconclusive == "fail":
        raise GradientInconclusive(message, report)
    if inconclusive == "skip":
        pytest.skip(message)
    running.item.warn(InconclusiveWarning(message))


def _made(running: Running, number: int, by: Maker | None, things: Sequence[Any], words: Mapping[str, Any]) -> Report:
    from pytest_gradcheck.checking import check

    report = watched(running, number, by or check, things, words)
    whole = any(running.item.config.getoption(option, None) for option in WHOLE)
    running.keep(number, record_of(report, running.nodeid, number, whole))
    return report


def _words(running: Running, call: Mapping[str, Any]) -> dict[str, Any]:
    """What belongs to the layer rather than to the settings: from the call, else from the nearest marker."""
    found = ChainMap(*[{k: v for k, v in source.items() if v is not None} for source in (call, *running.marked())])
    return {word: found[word] for word in CALL_WORDS if word in found}


def given(settings: Settings) -> dict[str, Any]:
    """Settings that are resolved, as keywords of `check`."""
    return {name: getattr(settings, name) for name in NAMES}


def _name(layer: Any) -> str:
    return getattr(layer, "__name__", None) or type(layer).__name__


def _without_our_frames(error: GradCheckError) -> GradCheckError:
    """The error with a traceback that begins anew, its cause's beginning where the layer's own code does."""
    if (cause := error.__cause__) is not None:
        cause.__traceback__ = _first_foreign(cause.__traceback__)
    return error.with_traceback(None)


def _first_foreign(traceback: TracebackType | None) -> TracebackType | None:
    package = __name__.partition(".")[0]
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__name__", "").partition(".")[0] != package:
            break
        traceback = traceback.tb_next
    return traceback
