"""What the engine shows to the outside, and what it imports: numpy, the standard library, itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_gradcheck import engine

FILES = sorted(Path(engine.__file__).parent.glob("*.py"))


def foreign_imports(text: str) -> list[str]:
    """Modules imported anywhere in the text that are neither the standard library, numpy, nor of the same folder."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append("." * node.level + (node.module or ""))
    allowed = {*sys.stdlib_module_names, "numpy"}
    return [f for f in found if not (f.startswith(".") and not f.startswith("..")) and f.split(".")[0] not in allowed]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_numpy_and_nothing_else(path: Path) -> None:
    assert foreign_imports(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("line", ["import scipy", "from ..target import Array", "from pytest_gradcheck import check"])
def test_a_foreign_import_would_be_seen(line: str) -> None:
    assert len(foreign_imports(f"import numpy\nfrom .node import Node\ndef f():\n    {line}")) == 1


def test_a_fresh_process_loads_no_other_room() -> None:
    code = "import sys, pytest_gradcheck.engine; print([m for m in sys.modules if m.startswith('pytest_gradcheck')])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = ast.literal_eval(out)
    assert [m for m in loaded if not m.startswith("pytest_gradcheck.engine")] == ["pytest_gradcheck"]


def test_every_public_name_is_there_and_documented() -> None:
    for name in engine.__all__:
        shown = getattr(engine, name)
        assert name in ("OPERATIONS", "REQUIRED") or shown.__doc__, name
    assert set(engine.OPERATIONS) <= set(engine.__all__)
    assert all(getattr(engine, name) is op for name, op in engine.OPERATIONS.items())


def test_every_operation_says_what_it_does_to_the_upstream() -> None:
    for name, op in engine.OPERATIONS.items():
        assert bool(op.habit) == any(rule is not None for rule in op.rules.values()), name
        assert op.arity == (None if op.variadic else len(op.arguments)) and len(op.domain) == len(op.arguments)
