"""Where modules are, without importing any: not even the packages that they are in."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

import pytest

#: Modules of a package that are run or tested, not used: they are left out, unless named themselves.
LEFT_OUT = re.compile(r"(^|\.)(__main__|conftest|tests?|test_\w+|\w+_test)(\.|$)")


@dataclass(frozen=True, slots=True)
class Place:
    """A module by its dotted name, and its file."""

    name: str
    path: Path


def places(option: str, names: Iterable[str]) -> list[Place]:
    """The modules of these names, and of a package all modules in it, each once.

    Raises UsageError, which begins with the option, for a name that is no module with a file.
    """
    importlib.invalidate_caches()
    found: dict[Path, Place] = {}
    for name in names:
        for place in _places(option, name):
            found.setdefault(place.path, place)
    return list(found.values())


def _places(option: str, name: str) -> Iterator[Place]:
    spec = spec_of(name) if re.fullmatch(r"\w+(\.\w+)*", name) else None
    if spec is None:
        raise pytest.UsageError(
            f"{option} is {name!r}: no module of that name is found; give its dotted name, and add its folder to "
            "`pythonpath` in the ini file where it is not installed"
        )
    if spec.submodule_search_locations is None and not spec.has_location:
        raise pytest.UsageError(f"{option} is {name!r}: {name} has no file; give a module that is written in Python")
    yield from _below(name, spec)


def _below(name: str, spec: ModuleSpec) -> Iterator[Place]:
    if spec.has_location and spec.origin is not None:
        yield Place(name, Path(spec.origin).absolute())
    for part in pkgutil.iter_modules(spec.submodule_search_locations):
        inner = f"{name}.{part.name}"
        below = None if LEFT_OUT.search(f".{part.name}") else _part(inner, spec.submodule_search_locations)
        if below is not None:
            yield from _below(inner, below)


def spec_of(name: str) -> ModuleSpec | None:
    """The spec of a module; None where there is none. Parents are located, not imported."""
    first, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(first)
    except (ImportError, ValueError):
        return None
    for word in rest:
        if spec is None:
            return None
        spec = _part(f"{spec.name}.{word}", spec.submodule_search_locations)
    return spec


def _part(name: str, locations: Sequence[str] | None) -> ModuleSpec | None:
    if name in sys.modules and sys.modules[name].__spec__ is not None:
        return sys.modules[name].__spec__
    return PathFinder.find_spec(name, locations) if locations is not None else None
