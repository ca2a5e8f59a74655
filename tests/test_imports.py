"""Which file may import which: the table of docs/architecture.md, read from the source of every file."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

import pytest_gradcheck

PACKAGE = "pytest_gradcheck"
ROOT = Path(pytest_gradcheck.__file__).parent
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))


@dataclass(frozen=True)
class Row:
    """One row of the table: files, and which distributions they may import at the top and inside functions.

    light: loaded in sessions that check nothing, so that its imports of ours at the top must be light as well.
    own: the only rooms of ours that it may import at all; None for any.
    """

    files: tuple[str, ...]
    top: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()
    light: bool = False
    own: frozenset[str] | None = None


def row(*files: str, top: str = "", late: str = "", light: bool = False, own: str | None = None) -> Row:
    rooms = None if own is None else frozenset(own.split())
    return Row(files, frozenset(top.split()), frozenset(late.split()), light, rooms)


#: The first row that fits a file is its own.
TABLE = (
    row("__init__.py", light=True),
    row("errors.py", "verdict.py", "protocol.py", light=True, own="report verdict"),
    row("report/__init__.py", "report/terminal.py", "report/places.py", light=True, own="report verdict"),
    row("plugin.py", "hookspecs.py", "hooks.py", "settings.py", top="pytest pluggy", light=True),
    row("pytesting/*.py", top="pytest", light=True),
    row("suites/chains.py", "discovery/making.py", "discovery/guess.py", top="numpy"),
    row("suites/*.py", "discovery/*.py", top="pytest", light=True),
    row("adapters/torch.py", top="numpy", late="torch"),
    row("adapters/jax.py", top="numpy", late="jax"),
    row("adapters/autograd.py", top="numpy", late="autograd"),
    row("adapters/pytensor.py", top="numpy", late="pytensor"),
    row("adapters/*.py", top="numpy"),
    row("strategies/*.py", top="numpy hypothesis"),
    row("engine/*.py", top="numpy", late="graphviz", own="engine"),
    row("report/*.py", late="jinja2 matplotlib"),
    row("*.py", top="numpy"),
)


@dataclass(frozen=True)
class Import:
    """One import: the absolute module, the names taken from it, and whether it runs when the file is loaded."""

    module: str
    at_top: bool
    line: int

    @property
    def distribution(self) -> str:
        return self.module.partition(".")[0]

    @property
    def room(self) -> str:
        """The folder or file of ours that is meant: "engine", "verdict"."""
        return [*self.module.split("."), ""][1]


def row_of(file: str) -> Row:
    return next(row for row in TABLE if any(fnmatch(file, pattern) for pattern in row.files))


def imports(source: str, file: str) -> Iterator[Import]:
    """Every import that runs, wherever it stands; those for type checkers alone do not run."""
    package = [PACKAGE, *Path(file).parent.parts]
    pending: list[tuple[ast.AST, bool]] = [(ast.parse(source), True)]
    while pending:
        node, at_top = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += [(child, at_top) for child in node.orelse]
            continue
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, at_top, node.lineno) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from . import tree` and `from pytest_gradcheck import check` name the module after the import.
            names = [f"{module}.{alias.name}" for alias in node.names]
            yield from (
                Import(name if module in (PACKAGE, ".".join(base)) else module, at_top, node.lineno) for name in names
            )
        inside = at_top and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        pending += [(child, inside) for child in ast.iter_child_nodes(node)]


def violations(source: str, file: str) -> list[str]:
    """What a file imports against its row, one sentence each."""
    mine = row_of(file)
    found = []
    for each in sorted(set(imports(source, file)), key=lambda each: each.line):
        where = f"{file}:{each.line} imports {each.module}"
        if each.distribution in sys.stdlib_module_names:
            continue
        if each.distribution == PACKAGE:
            if mine.own is not None and each.room not in mine.own:
                found.append(f"{where}, a room of which it must know nothing")
            elif mine.light and each.at_top and not is_light(each):
                found.append(f"{where}, which is not light, when it is loaded")
        elif each.distribution not in (mine.top if each.at_top else mine.top | mine.late):
            found.append(f"{where} {'when it is loaded' if each.at_top else 'in a function'}")
    return found


def is_light(each: Import) -> bool:
    path = "/".join(each.module.split(".")[1:])
    files = [file for file in (f"{path}.py", f"{path}/__init__.py", f"{path.rpartition('/')[0]}.py") if file in FILES]
    return bool(files) and row_of(files[0]).light


@pytest.mark.parametrize("file", FILES)
def test_the_table_is_true(file: str) -> None:
    assert violations((ROOT / file).read_text(encoding="utf-8"), file) == []


@pytest.mark.parametrize(
    ("file", "source", "sentence"),
    [
        ("plugin.py", "import numpy as np", "plugin.py:1 imports numpy when it is loaded"),
        ("plugin.py", "class A:\n    import numpy", "plugin.py:2 imports numpy when it is loaded"),
        ("plugin.py", "def f():\n    import numpy", "plugin.py:2 imports numpy in a function"),
        (
            "plugin.py",
            "from .checking import check",
            "plugin.py:1 imports pytest_gradcheck.checking, which is not light",
        ),
        ("pytesting/summary.py", "from ..target import Target", "imports pytest_gradcheck.target, which is not light"),
        ("pytesting/new.py", "from pytest_gradcheck import target", "pytest_gradcheck.target, which is not light"),
        ("verdict.py", "from . import target", "verdict.py:1 imports pytest_gradcheck.target, a room of which"),
        ("engine/graph.py", "from ..verdict import Report", "imports pytest_gradcheck.verdict, a room of which"),
        ("engine/graph.py", "def f():\n    from pytest_gradcheck.settings import h", "a room of which it must know"),
        ("engine/graph.py", "import graphviz", "engine/graph.py:1 imports graphviz when it is loaded"),
        ("numeric/probe.py", "import pytest", "numeric/probe.py:1 imports pytest when it is loaded"),
        ("adapters/torch.py", "try:\n    import torch\nexcept ImportError: pass", "imports torch when it is loaded"),
        ("adapters/jax.py", "def f():\n    import torch", "adapters/jax.py:2 imports torch in a function"),
        ("contract/new.py", "from hypothesis import given", "contract/new.py:1 imports hypothesis when it is loaded"),
    ],
)
def test_a_file_against_its_row_is_named(file: str, source: str, sentence: str) -> None:
    (found,) = violations(source, file)
    assert sentence in found


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("plugin.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import numpy"),
        ("plugin.py", "import pytest\nfrom .settings import SCALARS\ndef f():\n    from .checking import check"),
        ("engine/graph.py", "import numpy\nfrom . import node\nfrom .node import Node\ndef f():\n    import graphviz"),
        ("adapters/torch.py", "def f():\n    import torch\n    from torch import nn"),
    ],
)
def test_what_the_table_allows(file: str, source: str) -> None:
    assert violations(source, file) == []
