"""What came of the layers that discovery found: how many were checked, and which were not and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator

import pytest

from pytest_gradcheck.pytesting.summary import counted

from .items import CHECKED, FAILED, GUESSED, UNCHECKED, DiscoveryItem

#: The words of `--gradcheck-guess`.
STRICT, OFF = "strict", "off"

GUESS = pytest.StashKey[str]()

_COLOUR = {CHECKED: "green", GUESSED: "green", UNCHECKED: "yellow", FAILED: "red"}


def register(config: pytest.Config, value: str) -> None:
    """Take `--gradcheck-guess`."""
    if value and value not in (STRICT, OFF):
        raise pytest.UsageError(f"--gradcheck-guess is {value!r}: give {STRICT!r} or {OFF!r}")
    config.stash[GUESS] = value


def guessing(config: pytest.Config) -> tuple[bool, bool]:
    """Whether a failure on guessed inputs fails, and whether anything is guessed."""
    word = config.stash.get(GUESS, "")
    return word == STRICT, word != OFF


class Listing:
    """Gathers what is told of each layer from the reports, wherever the tests ran."""

    def __init__(self) -> None:
        self.layers: dict[str, dict[str, str]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put it on the report, as plain strings: it may travel to another process."""
        report = yield
        if isinstance(item, DiscoveryItem) and report.when == "call":
            vars(report)["gradcheck_layer"] = dict(item.told)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take it off every report that comes by; a layer that is tested again replaces its earlier line."""
        if (told := getattr(report, "gradcheck_layer", None)) is not None:
            self.layers[report.nodeid] = told

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """How many layers fared how, and every one that was not checked."""
        if not self.layers:
            return
        told = sorted(self.layers.values(), key=lambda each: each["layer"])
        terminalreporter.section("layers of modules", sep="=")
        for each in told:
            if each["state"] == UNCHECKED or (each["state"] == GUESSED and terminalreporter.verbosity > 0):
                reason = f", {each['reason']}" if each["reason"] else ""
                terminalreporter.write(f"{each['layer']}  ")
                terminalreporter.write(each["state"], **{_COLOUR[each["state"]]: True})
                terminalreporter.line(reason)
        count = Counter(each["state"] for each in told)
        pieces = [f"{count[state]} {state}" for state in (CHECKED, GUESSED, UNCHECKED, FAILED) if count[state]]
        terminalreporter.line(f"{counted(len(told), 'layer', 'layers')}: {', '.join(pieces)}")
