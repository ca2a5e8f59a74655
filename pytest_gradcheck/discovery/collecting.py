"""`--gradcheck-modules`: the layers of whole modules as tests, collected beside those of pytest.

A module's tests live in a file node of its own path, whatever folder it is in; the module is imported by its dotted
name, as its users do, when its node is collected. Ids that are pasted back are taken out of pytest's arguments, which
would look for a test file.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .finding import Place, places
from .items import LayerItem, ProblemItem
from .listing import Listing, guessing
from .recognise import layers_of

OPTION = "--gradcheck-modules"


def register(config: pytest.Config, value: Sequence[str]) -> None:
    """Collect the layers of these modules in this session; names may also be joined by commas."""
    asked = config.getoption("gradcheck_modules") is not None
    names = [name.strip() for text in value for name in text.split(",") if name.strip()]
    if not names:
        return
    found = places(OPTION if asked else "gradcheck_modules in the ini file", names)
    words = [f"{OPTION}={name}" for name in names] if asked else []
    config.pluginmanager.register(Collecting(found, asked, words), "gradcheck-modules")
    config.pluginmanager.register(Listing(), "gradcheck-modules-listing")


class Collecting:
    """Adds the modules' nodes to what the session collects.

    asked: whether the modules were named on the command line; those of the ini file are collected where the whole
    project is.
    """

    def __init__(self, found: Sequence[Place], asked: bool, words: Sequence[str]) -> None:
        self.found, self.asked, self.words = found, asked, words
        #: Of each module to collect the names that are wanted; all where there are none.
        self.chosen: dict[Path, set[str]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Decide what to collect before pytest looks at its arguments."""
        config = session.config
        own, others = self._sorted(config)
        if own:
            self.chosen = own
            # In place: others hold the same list.
            config.args[:] = others
        elif self.asked or config.args_source is not pytest.Config.ArgsSource.ARGS:
            self.chosen = {place.path: set() for place in self.found}
        else:
            folders = {_path(config, argument) for argument in config.args}
            self.chosen = {p.path: set() for p in self.found if folders & {p.path, *p.path.parents}}

    def _sorted(self, config: pytest.Config) -> tuple[dict[Path, set[str]], list[str]]:
        """The arguments that name one of the modules' files, or a layer in it, and all others."""
        known = {os.path.realpath(place.path): place.path for place in self.found}
        own: dict[Path, set[str]] = {}
        others = []
        explicit = config.args_source is pytest.Config.ArgsSource.ARGS
        for argument in config.args:
            file, _, name = argument.partition("::")
            tries = (config.invocation_params.dir / file, config.rootpath / file)
            path = next((known[real] for real in map(os.path.realpath, tries) if real in known), None)
            if path is None or not explicit:
                others.append(argument)
            elif name or path not in own:
                own.setdefault(path, set()).update({name} - {""})
        return own, others

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Put the modules' nodes beside what the session itself has found."""
        report = yield
        if isinstance(collector, pytest.Session) and report.passed:
            nodes = [self._node(collector, place) for place in self.found if place.path in self.chosen]
            report.result = [*report.result, *nodes]
        return report

    def _node(self, session: pytest.Session, place: Place) -> LayersFile:
        # Outside the rootdir a relative id would not be found again.
        inside = place.path.is_relative_to(session.config.rootpath)
        where: dict[str, Any] = {} if inside else {"nodeid": place.path.as_posix()}
        node: LayersFile = LayersFile.from_parent(session, path=place.path, **where)
        node.module_name, node.chosen, node.words = place.name, self.chosen[place.path], self.words
        return node


def _path(config: pytest.Config, argument: str) -> Path:
    return Path(os.path.normpath(config.invocation_params.dir / argument.partition("::")[0]))


class LayersFile(pytest.File):
    """The layers of one module."""

    module_name: str
    chosen: set[str]
    words: Sequence[str]

    def collect(self) -> Iterable[pytest.Item]:
        """One item per layer; a module that cannot be imported is one item that fails, and the run goes on."""
        strict, guess = guessing(self.config)
        try:
            module = imported(self.module_name)
            found = [each for each in layers_of(module) if not self.chosen or each.name in self.chosen]
        except Exception as error:
            item: ProblemItem = ProblemItem.from_parent(self, name="import")
            item.problem, item.cause = f"{self.module_name} could not be imported", error
            return [item]
        items: list[pytest.Item] = []
        for each in found:
            layer: LayerItem = LayerItem.from_parent(self, name=each.name)
            layer.found, layer.strict, layer.guess, layer.gradcheck_words = each, strict, guess, self.words
            items.append(layer)
        for name in sorted(self.chosen - {each.name for each in found}):
            item = ProblemItem.from_parent(self, name=name)
            item.problem = f"{self.module_name} has no layer {name!r}: its layers are {_listed(module)}"
            items.append(item)
        return items


def imported(name: str) -> ModuleType:
    """The module; SystemExit at its import is an ordinary error, or it would end the whole run."""
    try:
        return importlib.import_module(name)
    except SystemExit as end:
        raise ImportError(f"importing it ended the program with {end.code!r}") from end


def _listed(module: ModuleType) -> str:
    return ", ".join(found.name for found in layers_of(module)) or "none"
