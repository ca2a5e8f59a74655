"""What a session wants to know of a check besides its report: pictures, a map in text, the point to repeat it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from .progress import Line, terminal_of
from .repeat import command

if TYPE_CHECKING:
    from pytest_gradcheck.checking import Check
    from pytest_gradcheck.replay import Replay
    from pytest_gradcheck.target import Target
    from pytest_gradcheck.verdict import Report

    from .running import Running

#: Checks of one process of which exhibits are collected, right ones and others: pictures of more are too many.
MOST_SHOWN = 200
#: How many there are so far, of each of the two.
SHOWN = pytest.StashKey[dict[bool, int]]()
#: The replay that this session was asked for; see `replaying`.
REPLAY = pytest.StashKey["Replay"]()


def watched(
    running: Running, number: int, make: Callable[..., Report], things: Sequence[Any], words: Mapping[str, Any]
) -> Report:
    """The report of `make(*things, **words)`, with what belongs to this session in its `extra`.

    things: the layer and its inputs. A check that is replayed gets the saved inputs, upstream, seed and settings.
    """
    from pytest_gradcheck.observer import watching

    watch = running.watches[number] = Watch(running, number, things, words)
    with watching(watch):
        made = make(*watch.things, **watch.words)
    where = {"nodeid": running.nodeid, "repeat": command(running.item, running.nodeid, made.seed)}
    told: Report = replace(made, extra={**made.extra, **where, **watch.extra(made)})
    return told


class Watch:
    """The observer of one call: see `pytest_gradcheck.observer.Observer`."""

    def __init__(self, running: Running, number: int, things: Sequence[Any], words: Mapping[str, Any]) -> None:
        self.nodeid, self.number = running.nodeid, number
        self.things, self.words = tuple(things), dict(words)
        self._config = running.item.config
        option, self._stash = self._config.getoption, self._config.stash
        self._folder = option("gradcheck_report", None)
        self._every = bool(option("gradcheck_report_all", None))
        self._in_text = running.item.config.get_verbosity() > 1
        self._targets: list[Target] = []
        self._upstream: Sequence[Any] = ()
        self._seen: tuple[str, dict[str, Any], list[str]] | None = None
        self._line: Line | None = None
        replayed = running.item.config.stash.get(REPLAY, None)
        # An example of Hypothesis is judged more than once, and every time it is the same one.
        anyway = hasattr(getattr(running.item, "obj", None), "gradcheck_tally")
        mine = replayed is not None and replayed.nodeid == self.nodeid and (anyway or replayed.call == number)
        self._replay = replayed if mine else None
        if self._replay is not None:
            self._repeat(self._replay)

    def _repeat(self, replay: Replay) -> None:
        layer, *inputs = self.things
        self.things = (layer, *(replay.inputs.get(i, given) for i, given in enumerate(inputs)))
        self.words |= {**replay.settings, "seed": replay.seed}
        if replay.upstream:
            self.words["upstream"] = replay.upstream[0] if len(replay.upstream) == 1 else tuple(replay.upstream)

    def of(self, running: Running, number: int) -> Watch:
        """The same as seen from another test that shares the check."""
        twin = copy.copy(self)
        twin.nodeid, twin.number = running.nodeid, number
        return twin

    def adapted(self, target: Target) -> None:
        """Remember the point; where a check is replayed, go to the saved one."""
        self._targets.append(target)
        if self._replay is not None and len(self._targets) == 1:
            from .replaying import placed

            target.arguments = placed(target.arguments, self._replay)

    def begun(self, check: Check) -> None:
        """Show how far a long check is, where somebody looks."""
        if (terminal := terminal_of(self._config)) is not None:
            check.meter.watch = self._line = terminal.line(check, self.nodeid)

    def told(self, check: Check, report: Report) -> None:
        """Look closer at the first check of this call that is not right, or at any where all are wanted."""
        if self._line is not None:
            self._line.erase()
            check.meter.watch = self._line = None
        if check.meter.interrupted:
            return
        first = self._seen is None or (self._seen[0] == "pass" and not report.passed)
        if not first or (report.passed and not self._every):
            return
        if check.sitting is not None:
            self._upstream = check.sitting.first.upstream
        exhibits: dict[str, Any] = {}
        lines: list[str] = []
        if self._in_text and not report.passed:
            from pytest_gradcheck.exhibits.maps import text_of

            lines = text_of(check)
        if self._folder is not None:
            exhibits = self._exhibits(check, report.passed)
        self._seen = report.verdict, exhibits, lines

    def _exhibits(self, check: Check, passed: bool) -> dict[str, Any]:
        from pytest_gradcheck.exhibits import collect
        from pytest_gradcheck.verdict import plain

        shown = self._stash.setdefault(SHOWN, {})
        shown[passed] = shown.get(passed, 0) + 1
        # Right ones may come first, and must not take the place of the wrong ones.
        if shown[passed] > MOST_SHOWN:
            why = f"pictures: they are made of the first {MOST_SHOWN} checks that are not right"
            return {} if passed else {"arguments": [], "graph": None, "missing": [why]}
        found: dict[str, Any] = plain(collect(check))
        return found

    def extra(self, report: Report) -> dict[str, Any]:
        """What goes into the report's `extra`: `exhibits`, `map`, and `page`, the place of the check on the page."""
        found: dict[str, Any] = {}
        if self._seen is not None:
            _, exhibits, lines = self._seen
            found |= {"exhibits": exhibits} if exhibits else {}
            found |= {"map": lines} if lines else {}
        if self._folder is not None and not report.passed:
            from pytest_gradcheck.report.places import shown_page

            found["page"] = shown_page(self._folder, self.nodeid, self.number)
        return found

    def point(self, layer: str, seed: int) -> Replay:
        """What repeats this call: where it made one check its whole point, else the inputs alone."""
        from .replaying import point_of

        alone = self._targets[0] if len(self._targets) == 1 else None
        return point_of(self, layer, seed, alone, self._upstream)
