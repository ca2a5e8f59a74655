"""What is known of the checks of one test while it runs: their settings, their seeds, their records."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gradcheck.plugin import CURRENT, MARKER, RUNNING, SOURCES
from pytest_gradcheck.settings import Settings, resolve

from .records import Record, junit_properties, merged
from .session_budget import limited, spend
from .xdist import without_group

if TYPE_CHECKING:
    from .watch import Watch


class Running:
    """The checks of one test, from its set-up to its teardown.

    calls: checks begun since set-up, or since the present example of Hypothesis began.
    begun: checks begun at all; none at the end of a marked test is a failure.
    passed: whether the test itself has been called and has passed.
    """

    def __init__(self, item: pytest.Item) -> None:
        self.item = item
        self.nodeid = without_group(item)
        self.calls = 0
        self.begun = 0
        self.passed = False
        #: What was seen of each check while it was made, by its number.
        self.watches: dict[int, Watch] = {}
        self._records: dict[int, Record] = {}
        self._unsent: set[int] = set()

    def next_call(self) -> int:
        """Number the next check: with the test's id it decides the seed."""
        self.calls += 1
        self.begun += 1
        return self.calls

    def next_example(self) -> None:
        """Number from one again, so that Hypothesis meets the same seeds when it repeats an example."""
        self.calls = 0

    def marked(self) -> list[Mapping[str, Any]]:
        """Keywords of the markers on the test, its classes and its module, nearest first."""
        return [mark.kwargs for mark in self.item.iter_markers(MARKER)]

    def settings(self, call: Mapping[str, Any], number: int) -> Settings:
        """The settings of one check of this test; raises `InvalidInput` for an unknown or unusable one."""
        command_line, ini = self.item.config.stash[SOURCES]
        settings = resolve(call, self.marked(), command_line, ini, {"seed": seed_of(self.nodeid, number)})
        return limited(self.item.config, settings)

    def keep(self, number: int, record: Record) -> None:
        """Keep the record of one check; examples of Hypothesis add up under one number."""
        spend(self.item.config, record["seconds"])
        earlier = self._records.get(number)
        self._records[number] = merged(earlier, record) if earlier else record
        self._unsent.add(number)

    def attach(self, report: pytest.TestReport) -> None:
        """Put what was checked since the last report on this one, as plain dicts and strings."""
        self.passed = self.passed or (report.when == "call" and report.passed)
        sent = [self._records[number] for number in sorted(self._unsent)]
        for record in sent:
            record["expected"] = record["verdict"] in ("fail", "error") and report.outcome != "failed"
        if report.failed and (bad := [record for record in sent if record["verdict"] != "pass"]):
            import_module("pytest_gradcheck.pytesting.replaying").keep(self, bad)
        # The attribute says, even when empty, that checks are to come: a lost worker is noticed by it.
        vars(report)["gradcheck_checks"] = sent
        self._unsent.clear()
        if report.when == "teardown":
            report.user_properties.extend(junit_properties(self._records))


def begin(item: pytest.Item) -> Running:
    """A new record for a test that is about to be set up, the first time or again."""
    item.stash[RUNNING] = Running(item)
    return item.stash[RUNNING]


def current(config: pytest.Config) -> Running:
    """The record of the test that runs now."""
    item = config.stash.get(CURRENT, None)
    if item is None:
        raise RuntimeError("gradcheck was called while no test runs: call it in a test or in a fixture")
    # A test that asks for the fixture by `request.getfixturevalue` has none yet.
    return item.stash[RUNNING] if RUNNING in item.stash else begin(item)


def seed_of(nodeid: str, number: int) -> int:
    """The seed of a test's n-th check: the same in every process, every order and every version of Python."""
    return int.from_bytes(hashlib.sha256(f"{nodeid}\n{number}".encode()).digest()[:4])
