"""The marker in its set-up: what it may say, and which tests cannot carry it."""

from __future__ import annotations

import inspect
import unittest
from collections.abc import Mapping
from importlib import import_module

import pytest

from pytest_gradcheck.errors import InvalidInput
from pytest_gradcheck.plugin import MARKER, has_own_marker
from pytest_gradcheck.settings import CALL_WORDS, DEFAULTS, GIVEN_WORDS, NAMES

from .running import begin

#: Every keyword of the marker.
WORDS = (*NAMES, *CALL_WORDS, *GIVEN_WORDS)


def set_up(item: pytest.Item) -> None:
    """Begin the record of a test's checks; a marker that cannot be meant fails this test, and no other."""
    begin(item)
    for mark in item.iter_markers(MARKER):
        if problem := refused(mark):
            pytest.fail(problem, pytrace=False)
    if has_own_marker(item):
        if problem := unfit(item):
            pytest.fail(problem, pytrace=False)
        if any("given" in mark.kwargs for mark in item.iter_markers(MARKER)):
            problem = import_module("pytest_gradcheck.pytesting.given").refused(item)
            if problem:
                pytest.fail(problem, pytrace=False)
        # Here and not at the first check, so that no test's own time pays for it.
        import_module("pytest_gradcheck.checking")


def refused(mark: pytest.Mark) -> str | None:
    """What is wrong with the marker's words, as one sentence."""
    if mark.args:
        return f"@pytest.mark.{MARKER} was given {mark.args[0]!r} by position: give it by name, as in h=1e-3"
    unknown = sorted(set(mark.kwargs) - set(WORDS))
    if unknown:
        return f"@pytest.mark.{MARKER} has no keyword {unknown[0]!r}: the known ones are {', '.join(WORDS)}"
    try:
        DEFAULTS.merged(_settings_in(mark.kwargs))
    except InvalidInput as error:
        return f"@pytest.mark.{MARKER}: {error}"
    return None


def _settings_in(words: Mapping[str, object]) -> dict[str, object]:
    return {word: value for word, value in words.items() if word in NAMES}


def unfit(item: pytest.Item) -> str | None:
    """Why this kind of test cannot be checked through its own marker: it would pass unchecked."""
    owner = getattr(item, "cls", None)
    if owner is not None and issubclass(owner, unittest.TestCase):
        return (
            f"{item.name} is a method of a unittest.TestCase, whose return value is lost: "
            "write a plain function or class, or call pytest_gradcheck.assert_gradients(layer, *inputs)"
        )
    if isinstance(item, pytest.Function) and inspect.isgeneratorfunction(inspect.unwrap(item.obj)):
        return f"{item.name} is a generator: return layer, inputs instead of yielding them"
    return None
