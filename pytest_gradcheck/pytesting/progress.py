"""Progress: one line in the terminal for a check that takes long, rewritten as it goes on and gone at its end.

Nothing is written where nobody looks: into a file or a pipe, in CI, in a worker of xdist, with `-q`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from pytest_gradcheck.checking import Check

#: Seconds until a check is long, and between two looks at it.
PATIENCE, EVERY = 2.0, 0.5


class Screen(Protocol):
    """Where lines are written: pytest's terminal reporter, or what a test puts in its place."""

    def ensure_newline(self) -> None:
        """Begin a line of its own."""

    def rewrite(self, line: str, **markup: bool) -> None:
        """Write over the present line; with `erase=True` nothing of it stays."""

    def write_fspath_result(self, nodeid: str, res: str) -> None:
        """Begin a line with the path of a test, as pytest does before its results."""


class Terminal:
    """The terminal of one session."""

    def __init__(self, screen: Screen, capture: Any, verbose: bool) -> None:
        self.screen, self._capture, self._verbose = screen, capture, verbose

    def line(self, check: Check, nodeid: str) -> Line:
        """A line for one check of a test."""
        return Line(self, check, nodeid)

    def write(self, text: str, begin: bool) -> None:
        """Write over the present line."""
        with self._past_capture():
            if begin:
                self.screen.ensure_newline()
            self.screen.rewrite(text, erase=True)

    def erase(self, nodeid: str) -> None:
        """Leave an empty line, and the cursor where pytest expects it."""
        with self._past_capture():
            # What is written over is written over with blanks, which leave the cursor behind them.
            self.screen.rewrite("", erase=True)
            self.screen.rewrite("")
            if not self._verbose:
                self.screen.write_fspath_result(nodeid, "")

    def _past_capture(self) -> AbstractContextManager[None]:
        """Past whatever captures the output of the test."""
        if self._capture is None:
            return nullcontext()
        past: AbstractContextManager[None] = self._capture.global_and_fixture_disabled()
        return past


class Line:
    """How far one check is. It is called at every forward, and costs a look at the clock."""

    def __init__(self, terminal: Terminal, check: Check, nodeid: str) -> None:
        self._terminal, self._check, self._nodeid = terminal, check, nodeid
        self._next = time.perf_counter() + PATIENCE
        self._shown = False

    def __call__(self) -> None:
        """Rewrite the line, where it is time to."""
        now = time.perf_counter()
        if now < self._next:
            return
        self._next = now + EVERY
        self._terminal.write(text_of(self._check, now - self._check.began), begin=not self._shown)
        self._shown = True

    def erase(self) -> None:
        """Leave the terminal as if nothing had been written."""
        if self._shown:
            self._terminal.erase(self._nodeid)


def text_of(check: Check, seconds: float) -> str:
    """The line: layer, entries covered, evaluations, and the time left where it can be told."""
    entries = sum(argument.value.size for argument in check.target.arguments)
    covered, expected = check.sitting.progress() if check.sitting is not None else (0, 0)
    done = check.meter.forward_evaluations
    told = f"{check.target.name}: {covered:,} of {entries:,} entries, {done:,}"
    if done > expected > 0:
        return f"{told} evaluations, {seconds:.0f} s: a closer look at what does not agree"
    if not expected:
        return f"{told} evaluations, {seconds:.0f} s"
    return f"{told} of about {expected:,} evaluations, {seconds / done * (expected - done):.0f} s left"


#: The terminal of a session, None where nobody looks.
PROGRESS = pytest.StashKey[Terminal | None]()


def terminal_of(config: pytest.Config, environ: Mapping[str, str] = os.environ) -> Terminal | None:
    """The terminal of this session, if somebody looks at one."""
    if PROGRESS not in config.stash:
        reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        distributed = hasattr(config, "workerinput") or config.getoption("dist", "no") != "no"
        alone = distributed or environ.get("CI") or environ.get("BUILD_NUMBER") or config.get_verbosity() < 0
        seen = reporter is not None and reporter.isatty and not alone
        capture = config.pluginmanager.get_plugin("capturemanager")
        config.stash[PROGRESS] = Terminal(reporter, capture, config.get_verbosity() > 0) if seen else None
    return config.stash[PROGRESS]
