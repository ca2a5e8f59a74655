"""Layer shrinking: of a graph whose gradient is wrong, the smallest part whose gradient is still wrong.

A part is some of the graph's operations and one of them as its output; what flows in from outside becomes an input,
with the value that it has in the whole. Parts are tried by size, single operations first, so the first that
fails is a smallest one. A wrong rule is found alone; a wrong sum over a fan-out needs the fork and its ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .errors import InvalidInput

if TYPE_CHECKING:
    from .engine import Graph, Node

Fails = Callable[["Graph"], bool]

#: So many parts are tried; after that the best found by leaving out one operation at a time is the answer.
MOST_PARTS = 400


def smallest_failing(graph: Graph, fails: Fails | None = None, *, limit: int = MOST_PARTS) -> Graph:
    """The smallest part of a failing graph that still fails, as a graph of its own.

    fails: tells whether a graph's gradient is wrong; a check at default settings where None. It is given the parts, and
    values are those of their inputs (`node.value`). limit: how many parts to try by size before reducing greedily.
    Raises InvalidInput where the whole graph does not fail.
    """
    fails = fails or check_fails
    if not fails(graph):
        raise InvalidInput(f"{graph!r} does not fail: there is nothing to shrink")
    smallest = _greedy(graph, fails)
    count = len(_operations(smallest))
    for tried, kept in enumerate(_parts(graph, count - 1)):
        if tried >= limit:
            break
        part = _part(kept)
        if part is not None and fails(part):
            return part
    return smallest


def check_fails(graph: Graph) -> bool:
    """Whether a check of the graph as a layer, at the values it was built with, finds its gradient wrong."""
    from .checking import check

    return check(graph, *(node.value for node in graph.inputs)).verdict == "fail"


def _operations(graph: Graph) -> list[Node]:
    return [n for n in graph.nodes if n.operation is not None and n not in graph.cut]


def _parts(graph: Graph, most: int) -> Iterator[tuple[Node, ...]]:
    """Sets of at most so many operations, smallest first: an output, which comes first, and some that lead to it."""
    inside = set(_operations(graph))
    level: list[tuple[Node, ...]] = [(node,) for node in inside]
    level.sort(key=lambda kept: kept[0].size)
    for _ in range(most):
        yield from level
        grown: dict[tuple[Node, frozenset[Node]], tuple[Node, ...]] = {}
        for kept in level:
            for operand in dict.fromkeys(o for node in kept for o in node.operands if o in inside and o not in kept):
                grown.setdefault((kept[0], frozenset((*kept, operand))), (*kept, operand))
        level = list(grown.values())


def _part(kept: tuple[Node, ...]) -> Graph | None:
    """The graph of these operations; None where nothing real flows in, or what comes out is no number."""
    from .engine import Graph

    if kept[0].dtype.kind != "f":
        return None
    inputs: dict[Node, None] = {}
    for node in kept:
        for operand in node.operands:
            if operand not in kept and not operand.is_constant and operand.dtype.kind == "f":
                inputs[operand] = None
    return Graph(kept[0], list(inputs)) if inputs else None


def _greedy(graph: Graph, fails: Fails) -> Graph:
    """A failing part from which no single operation can be left out, be it the output or one inside."""
    smallest, reduced = graph, True
    while reduced:
        reduced = False
        operations = _operations(smallest)
        for gone in reversed(operations):
            rest = [n for n in operations if n is not gone]
            outputs = [smallest.output] if gone is not smallest.output else [o for o in gone.operands if o in rest]
            for output in outputs:
                kept = _reaching(output, rest)
                part = _part(kept)
                if part is not None and fails(part):
                    smallest, reduced = part, True
                    break
            if reduced:
                break
    return smallest


def _reaching(output: Node, allowed: list[Node]) -> tuple[Node, ...]:
    """The output and those of the allowed operations that it depends on through allowed ones."""
    pool, found = set(allowed), {output: None}
    pending = [output]
    while pending:
        for operand in pending.pop().operands:
            if operand in pool and operand not in found:
                found[operand] = None
                pending.append(operand)
    return tuple(found)
