"""A failing example as lines of Python that run when pasted."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pytest_gradcheck.domain import Domain
from pytest_gradcheck.target import Array

from .episode import Example
from .layouts import as_source


def snippet(
    function: Callable[..., Any], example: Example, words: Mapping[str, Any], fixtures: Mapping[str, Any]
) -> str:
    """Lines that make the example's arrays, the layer, and the check of one in the other.

    function: the test, as its author wrote it. words: of the check. fixtures: what pytest handed to the test.
    """
    after = example.earlier is not None or any(
        as_source(x) != as_source(np.array(x, order="C")) for x in example.inputs
    )
    after = after or not all(x.flags.writeable for x in example.inputs)
    home = "pytest_gradcheck.strategies" if after else "pytest_gradcheck"
    caller = "check_after" if after else "check"
    lines = ["import numpy as np", f"from {home} import {caller}", *_imports(words), *_source_of(function), ""]
    lines += _assigned(example.arrays)
    arguments = [*example.arrays]
    if example.earlier is not None:
        lines += _assigned(example.earlier, "before_")
        names = ", ".join(f"before_{name}" for name in example.earlier)
        arguments.append(f"earlier=({names},)")
    arguments += [f"{word}={_spelled(value)}" for word, value in words.items()]
    call = f"{function.__name__}({', '.join(f'{name}={value!r}' for name, value in fixtures.items())})"
    maker = f"lambda: {call}" if after else call
    return "\n".join([*lines, f"print({caller}({maker}, {', '.join(arguments)}))"])


def _assigned(arrays: Mapping[str, Array], prefix: str = "") -> list[str]:
    lines = []
    for name, x in arrays.items():
        lines.append(f"{prefix}{name} = {as_source(x)}")
        if not x.flags.writeable and 0 not in x.strides:
            lines.append(f"{prefix}{name}.flags.writeable = False")
    return lines


def _imports(words: Mapping[str, Any]) -> list[str]:
    names: set[str] = set()
    for domain in (words.get("domain") or {}).values():
        if isinstance(domain, Domain):
            names |= {part.partition("(")[0] for part in domain.name.split(" & ")}
    return [f"from pytest_gradcheck.domain import {', '.join(sorted(names))}"] if names else []


def _spelled(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return as_source(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_spelled(item)}" for key, item in value.items()) + "}"
    return repr(value)


def _source_of(function: Callable[..., Any]) -> list[str]:
    """Lines that import the test, from the directory in which pytest was started."""
    module = sys.modules.get(function.__module__)
    name = function.__qualname__
    if module is None or not getattr(module, "__file__", None) or "<locals>" in name:
        return [f"# {function.__name__}: the test itself, which makes the layer"]
    path = Path(str(module.__file__))
    parts = function.__module__.split(".")
    folder = path.parents[len(parts) - 1]
    lines = []
    if path.with_suffix("").parts[-len(parts) :] == tuple(parts):
        if Path.cwd() != folder:
            lines = ["import sys", f"sys.path.insert(0, {_from_here(folder)!r})"]
        first = name.partition(".")[0]
        lines.append(f"from {function.__module__} import {first}")
    else:
        lines.append(f"import runpy; {name.partition('.')[0]} = runpy.run_path({_from_here(path)!r})[{name!r}]")
    if "." in name:
        owner, _, method = name.rpartition(".")
        lines.append(f"{method} = {owner}().{method}")
    return lines


def _from_here(path: Path) -> str:
    try:
        return os.path.relpath(path).replace(os.sep, "/")
    except ValueError:  # another drive
        return str(path)
