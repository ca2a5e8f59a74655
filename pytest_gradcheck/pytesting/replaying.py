"""Replays: every failure saves the smallest file that repeats it, and `--gradcheck-replay=FILE` runs that.

Files go to `replays/` below `--gradcheck-report=DIR`, else into pytest's cache; a session without either saves none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gradcheck.errors import InvalidInput

from .records import Record
from .watch import REPLAY

if TYPE_CHECKING:
    from pytest_gradcheck.replay import Replay
    from pytest_gradcheck.target import Argument, Target

    from .running import Running
    from .watch import Watch

#: Folder in pytest's cache.
CACHED = "gradcheck-replays"


def register(config: pytest.Config, value: str) -> None:
    """Run exactly the test that the file names; a file that cannot be used ends the session with one line."""
    from pytest_gradcheck.replay import BadReplay, load

    path = config.invocation_params.dir / Path(value).expanduser()
    try:
        replay = load(path)
    except BadReplay as error:
        raise pytest.UsageError(f"--gradcheck-replay: {error}") from None
    file, _, name = replay.nodeid.partition("::")
    test = (config.rootpath / file).resolve()
    if not test.is_relative_to(config.rootpath.resolve()):
        raise pytest.UsageError(f"--gradcheck-replay: {path} names a test outside {config.rootpath}: run it from there")
    if not test.is_file():
        raise pytest.UsageError(
            f"--gradcheck-replay: {path} names a test in {file!r}, which is not in {config.rootpath}"
        )
    config.stash[REPLAY] = replay
    config.option.gradcheck_replay = str(path)
    config.args = [f"{test}::{name}"]
    config.pluginmanager.register(Replaying(replay), "gradcheck-replay")


class Replaying:
    """Leaves nothing of the session but the one test."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect every other test; one that Hypothesis would feed is fed the saved example."""
        others = [item for item in items if item.nodeid != self._replay.nodeid]
        items[:] = [item for item in items if item.nodeid == self._replay.nodeid]
        if others:
            config.hook.pytest_deselected(items=others)
        for item in items:
            run = getattr(getattr(item, "obj", None), "gradcheck_run", None)
            if run is not None:
                setattr(item, "obj", _alone(item, partial(_one_example, run, self._replay)))  # noqa: B010 - no Function


def _alone(item: Any, body: Any) -> Any:
    # What marks the function as one that Hypothesis accepted stays: the marker's set-up asks for it.
    vars_of = vars(item.obj)

    def alone(**fixtures: Any) -> None:
        __tracebackhide__ = True
        body(fixtures)

    alone.gradcheck_tally = vars_of["gradcheck_tally"]  # type: ignore[attr-defined] # functions take attributes
    return alone


def _one_example(run: Any, replay: Replay, fixtures: dict[str, Any]) -> None:
    __tracebackhide__ = True
    from pytest_gradcheck.strategies.episode import Example

    names = list(run.plan.specs)
    if sorted(replay.inputs) != list(range(len(names))):
        raise InvalidInput(
            f"the replay has {len(replay.inputs)} inputs and given= names {len(names)}: the test has changed"
        )
    run(Example({name: replay.inputs[i] for i, name in enumerate(names)}), (), fixtures)


def placed(arguments: Sequence[Argument], replay: Replay) -> tuple[Argument, ...]:
    """The arguments at their saved values; raises InvalidInput where the test has changed since."""
    if not replay.arguments:
        return tuple(arguments)
    now = [(a.name, a.value.shape) for a in arguments]
    then = [(name, value.shape) for name, value in replay.arguments]
    if now != then:
        raise InvalidInput(
            f"the replay was saved for {_listed(then)}, the test now has {_listed(now)}: it has changed since"
        )
    return tuple(replace(a, value=value) for a, (_, value) in zip(arguments, replay.arguments, strict=True))


def _listed(arguments: Sequence[tuple[str, tuple[int, ...]]]) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in arguments) or "no arguments"


def point_of(watch: Watch, layer: str, seed: int, target: Target | None, upstream: Sequence[Any]) -> Replay:
    """What was checked in one call, as a record that can be saved."""
    from pytest_gradcheck.replay import Replay, can_be_saved, chosen_settings

    inputs = {i: x for i, x in enumerate(watch.things[1:]) if can_be_saved(x)}
    arguments = [(a.name, a.value) for a in target.arguments] if target is not None else []
    settings = chosen_settings(watch.words)
    chosen = list(upstream) if target is not None else []
    return Replay(watch.nodeid, watch.number, layer, seed, settings, inputs, arguments, chosen)


def keep(running: Running, records: Sequence[Record]) -> None:
    """Save the checks that made their test fail; each record says where."""
    from pytest_gradcheck.replay import save

    folder = folder_of(running.item.config)
    if folder is None:
        return
    for record in records:
        watch = running.watches.get(record["call"])
        if watch is None:
            continue
        try:
            path = save(watch.point(str(record["layer"]), int(record["seed"])), folder, running.item.config.rootpath)
        except OSError:
            # A disk that is full must not turn a wrong gradient into an internal error.
            continue
        record["replay"] = str(path) if path is not None else ""


def folder_of(config: pytest.Config) -> Path | None:
    """Where replays of this session go, None where it has no place for files."""
    report = config.getoption("gradcheck_report", None)
    if report is not None:
        return Path(report) / "replays"
    cache = getattr(config, "cache", None)
    return None if cache is None else Path(cache.mkdir(CACHED))
