"""`given=` of the marker, and `--gradcheck-profile`: where pytest meets the Hypothesis strategies.

A marked function is replaced in its module or class when pytest looks at it, before any item is made of it: so
reruns, classes, fixtures and parametrize work as for every other Hypothesis test.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import pytest

from pytest_gradcheck.errors import GradCheckError, InvalidInput
from pytest_gradcheck.plugin import MARKER
from pytest_gradcheck.settings import CALL_WORDS, GIVEN_WORDS, NAMES
from pytest_gradcheck.verdict import Report

from .checked import WHOLE
from .records import record_of, record_without_report
from .returned import raise_at_end_of
from .running import current
from .watch import watched

MISPLACED = (
    "{} is marked given= where it cannot become a Hypothesis test: put @pytest.mark.gradcheck(given=...) on the "
    "function itself, not on its class, its module or one of its parameters"
)


def collected(collector: Any, name: str, function: Callable[..., Any], mark: pytest.Mark) -> None:
    """Put a Hypothesis test in the place of the marked function; a marker that cannot be meant is told in set-up."""
    if hasattr(function, "gradcheck_tally") or hasattr(function, "gradcheck_refused"):
        return
    try:
        made = _made(function, mark.kwargs, collector.config)
    except InvalidInput as error:
        vars(function)["gradcheck_refused"] = f"@pytest.mark.{MARKER} on {name}: {error}"
        return
    setattr(collector.obj, name, made)


def refused(item: pytest.Item) -> str | None:
    """Why a test marked `given=` is no Hypothesis test; None where it is one."""
    function = inspect.unwrap(item.obj) if isinstance(item, pytest.Function) else item
    if (problem := getattr(function, "gradcheck_refused", None)) is not None:
        return str(problem)
    return None if hasattr(getattr(item, "obj", None), "gradcheck_tally") else MISPLACED.format(item.name)


def _made(function: Callable[..., Any], words: Mapping[str, Any], config: pytest.Config) -> Callable[..., Any]:
    from pytest_gradcheck.strategies.marking import as_hypothesis_test

    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise InvalidInput("given= needs a plain function that returns a layer: this one is asynchronous or yields")
    if hasattr(function, "hypothesis"):
        raise InvalidInput("given= makes the Hypothesis test by itself: leave out @given")
    generated = {word: words[word] for word in GIVEN_WORDS if words.get(word) is not None}
    told = {word: value for word, value in words.items() if word not in (*GIVEN_WORDS, "domain")}
    return as_hypothesis_test(
        function, **generated, domain=words.get("domain"), words=told, host=InPytest(function, config)
    )


class InPytest:
    """What one example's check does in a running test: its settings, its record, and where it fails."""

    def __init__(self, function: Callable[..., Any], config: pytest.Config) -> None:
        self.function, self.config = function, config
        self._number = 0

    def judge(self, layer: Any, inputs: Sequence[Any], words: Mapping[str, Any]) -> Report:
        """The report of one example, made with the settings of the test."""
        from pytest_gradcheck.checking import check

        running = current(self.config)
        self._number = running.next_call()
        # A clock must not decide: Hypothesis would call the test flaky.
        chosen = {word: value for word, value in words.items() if word in NAMES} | {"max_seconds": None}
        call = {word: words[word] for word in CALL_WORDS if words.get(word) is not None}
        try:
            settings = running.settings({"domain": None, **chosen}, self._number)
            words = {**call, **{name: getattr(settings, name) for name in NAMES}}
            return watched(running, self._number, check, (layer, *inputs), words)
        except GradCheckError as error:
            name = type(layer).__name__
            running.keep(self._number, record_without_report(running.nodeid, self._number, name, "error", str(error)))
            raise

    def keep(self, report: Report) -> None:
        """Record an example that passed or failed; one that was rejected is none."""
        running = current(self.config)
        whole = any(self.config.getoption(option, None) for option in WHOLE)
        running.keep(self._number, record_of(report, running.nodeid, self._number, whole))

    def fail(self, error: Exception, layer: Any) -> NoReturn:
        """Raise at the last line of the test, where its author looks."""
        __tracebackhide__ = True
        raise_at_end_of(self.function, error, layer)


def register(config: pytest.Config, value: Any) -> None:
    """Load the profile of `--gradcheck-profile` for this session."""
    from pytest_gradcheck.strategies.profiles import PROFILES

    if value not in PROFILES:
        raise pytest.UsageError(f"--gradcheck-profile is {value!r}: give one of {', '.join(PROFILES)}")
    config.pluginmanager.register(Profile(value), "gradcheck-profile")


class Profile:
    """Loads a profile when everybody has been configured, on top of the one that the user has loaded until then."""

    def __init__(self, name: str) -> None:
        self.name = name

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Load it before any test module is imported: `@settings` looks at the profile at once."""
        from pytest_gradcheck.strategies.profiles import load_profile

        load_profile(self.name)
