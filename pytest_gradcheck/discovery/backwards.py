"""Which backwards a module has: read from its source, so that nothing is imported for it.

A backward is a method `backward` of a class with a forward, a function `*_backward` beside its `*_forward`, or what is
given to `defvjp` of a `jax.custom_vjp`. A method that only raises or does nothing is no backward.
"""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_gradcheck.suites.signatures import declared_layer

from .finding import Place


@dataclass(frozen=True, slots=True)
class Backward:
    """One backward by its file and line, which also tell a function at run time, and the name it has for people."""

    path: str
    line: int
    name: str

    @property
    def key(self) -> str:
        """The same for the source and for the function."""
        return f"{self.path}:{self.line}"


def backwards_in(place: Place) -> list[Backward]:
    """The backwards that are written in a module; none where its source cannot be read."""
    try:
        tree = ast.parse(place.path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError, ValueError):
        return []
    path = os.path.realpath(place.path)
    return [Backward(path, first_line(function), f"{place.name}.{name}") for name, function in _written(tree)]


Written = ast.FunctionDef | ast.Lambda


def _written(tree: ast.Module) -> Iterator[tuple[str, Written]]:
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for kind, prefix in _classes(tree.body, ""):
        for node in kind.body:
            if isinstance(node, ast.FunctionDef) and node.name == "backward" and not is_empty(node):
                yield f"{prefix}{kind.name}.backward", node
    given = set()
    for owner, backward in (found for node in ast.walk(tree) for found in _defvjp(node)):
        if isinstance(backward, ast.Name):
            given.add(backward.id)
        elif isinstance(backward, ast.Lambda):
            yield f"{owner}.backward", backward
    for name, node in functions.items():
        forward = name.removesuffix("_backward") + "_forward"
        if name in given or (name.endswith("_backward") and forward in functions):
            yield name, node


def _classes(body: list[ast.stmt], prefix: str) -> Iterator[tuple[ast.ClassDef, str]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield node, prefix
            yield from _classes(node.body, f"{prefix}{node.name}.")


def _defvjp(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The function's name and its backward in `f.defvjp(forward, backward)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "defvjp":
        words = {word.arg: word.value for word in node.keywords}
        backward = node.args[1] if len(node.args) > 1 else words.get("bwd")
        if backward is not None:
            yield ast.unparse(node.func.value), backward


def is_empty(function: ast.FunctionDef) -> bool:
    """Whether a function only raises, passes or says what others should write."""
    return all(
        isinstance(node, (ast.Raise, ast.Pass)) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in function.body
    )


def first_line(function: Written) -> int:
    """The line on which a function begins for Python: that of its first decorator."""
    if isinstance(function, ast.Lambda):
        return function.lineno
    return min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])


def key_of(layer: Any) -> str | None:
    """The key of a layer's own backward; None where it has none in Python."""
    backward = _backward(layer)
    code = getattr(inspect.unwrap(backward), "__code__", None) if callable(backward) else None
    if code is None:
        return None
    return f"{os.path.realpath(Path(code.co_filename))}:{code.co_firstlineno}"


def _backward(layer: Any) -> Any:
    if (declared := declared_layer(layer)) is not None:
        return _backward(declared)
    if isinstance(layer, tuple):
        return layer[1] if len(layer) == 2 else None
    owner = getattr(layer, "__self__", None)
    if isinstance(owner, type) and getattr(layer, "__name__", "") == "apply":
        layer = owner
    found = getattr(layer, "backward", None) or getattr(layer, "bwd", None)
    return getattr(found, "__func__", found)
