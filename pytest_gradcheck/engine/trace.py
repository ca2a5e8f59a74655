"""What the lecture draws: for every node and edge the value going right and the gradients coming left.

`print(trace(output))` shows it as text. Each node stands on a line of its own with its value and the gradient of the
output by it; below it, one line per incoming edge: the value that came, then upstream x local = downstream.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .broadcasting import Array
from .drawing import render_svg, to_dot
from .graph import Graph
from .node import Node

#: An array with more entries is shown by its shape alone; the same for the Jacobian of a local gradient.
MOST_ENTRIES = 6


@dataclass(frozen=True, slots=True, eq=False)
class TraceEdge:
    """One edge: what a node got from one of its operands, and what it sends back.

    value: of the operand, going right. upstream: at the node. local: entry by entry, or a Jacobian (output.size,
    operand.size), None where it has too many entries to be shown. downstream: going left, of the operand's shape.
    All three are None where the operand gets no gradient.
    """

    start: Node
    end: Node
    position: int
    value: Array
    upstream: Array | None
    local: Array | None
    downstream: Array | None


@dataclass(frozen=True, slots=True, eq=False)
class TraceNode:
    """One node: its label, its formula in the labels of its operands, its value, and the output's gradient by it.

    parts: the downstream gradients that arrive from the right, whose sum is `gradient`; empty at the output.
    """

    node: Node
    label: str
    formula: str
    value: Array
    gradient: Array | None
    parts: tuple[Array, ...]
    incoming: tuple[TraceEdge, ...]

    @property
    def habit(self) -> str:
        """What the operation does to the upstream, in words; empty for a source."""
        return self.node.operation.habit if self.node.operation else ""


class Trace:
    """A forward and a backward pass over every node: `nodes` and `edges` in order, text, DOT and SVG."""

    def __init__(self, graph: Graph, upstream: Any = None) -> None:
        self.graph = graph
        self.labels = _labels(graph.nodes)
        self.nodes = tuple(_traced(graph, self.labels, upstream))

    @property
    def edges(self) -> Iterator[TraceEdge]:
        """All edges, from left to right."""
        return (edge for node in self.nodes for edge in node.incoming)

    def __str__(self) -> str:
        rows = [("", "value →", "← upstream x local = downstream", "")]
        for traced in self.nodes:
            rows.append((traced.formula, show(traced.value), _gradient_words(traced), traced.habit))
            rows += [self._edge_row(edge) for edge in traced.incoming]
        widths = [max(len(row[i]) for row in rows) for i in range(2)]
        # The last column stands behind nodes alone, so edges do not push it to the right.
        widths.append(max([len(row[2]) for row in rows[1:] if row[3]] + [len(rows[0][2])]))
        return "\n".join("  ".join([*map(str.ljust, row, widths), row[3]]).rstrip() for row in rows)

    def _edge_row(self, edge: TraceEdge) -> tuple[str, str, str, str]:
        name = f"  {self.labels[edge.start]} → {self.labels[edge.end]}"
        if edge.downstream is None:
            return name, show(edge.value), "no gradient", ""
        jacobian = f"{edge.end.size}x{edge.start.size} Jacobian"
        local = jacobian if edge.local is None else show(edge.local)
        words = f"  {show(edge.upstream)} x {local} = {show(edge.downstream)}"
        return name, show(edge.value), words, ""

    def to_dot(self) -> str:
        """The graph in graphviz's language: along each edge the value above and the gradient below."""
        return to_dot(self)

    def to_svg(self) -> str:
        """The graph drawn as SVG; `DrawingUnavailable` where graphviz's program `dot` is not installed."""
        return render_svg(self.to_dot())


def trace(output: Node, upstream: Any = None) -> Trace:
    """What goes right and what comes left at every node that the output depends on.

    upstream: of the output's shape; 1 where the output is a single number and none is given, else ValueError.

    >>> from pytest_gradcheck.engine import source, trace
    >>> x = source(3.0, "x")
    >>> print(trace((x * x).named("f")))
               value →  ← upstream x local = downstream
    x          3        6 = 3 + 3
    f = x * x  9        1                                * switches: each gets the upstream times the other
      x → f    3          1 x 3 = 3
      x → f    3          1 x 3 = 3
    """
    return Trace(Graph(output), upstream)


def show(array: Array | None, digits: int = 4) -> str:
    """An array in a few characters: its entries where they are few, else its shape."""
    if array is None:
        return "-"
    if array.size > MOST_ENTRIES or array.size == 0:
        return "x".join(map(str, array.shape)) + " array"
    if array.ndim > 0:
        return "[" + " ".join(show(part, digits=3) for part in array) + "]"
    value = array.item()
    # Adding zero turns -0 into 0.
    return str(value) if isinstance(value, bool) else f"{value + 0.0:.{digits}g}"


def _traced(graph: Graph, labels: Mapping[Node, str], upstream: Any) -> Iterator[TraceNode]:
    seen: dict[tuple[Node, int], tuple[Array, Array]] = {}
    parts: dict[Node, list[Array]] = {node: [] for node in graph.nodes}

    def watch(node: Node, position: int, upward: Array, downward: Array) -> None:
        seen[node, position] = upward, downward
        parts[node.operands[position]].append(downward)

    forward = graph.run()
    gradients = forward.backward(upstream, watch)
    for node in graph.nodes:
        incoming = tuple(
            _edge(node, position, forward.values, *seen.get((node, position), (None, None)))
            for position in range(len(node.operands))
        )
        gradient = gradients[node] if node in graph.varying else None
        value = forward.values[node]
        # Edges are met from right to left; the sum is written in the order of the picture.
        arrived = tuple(reversed(parts[node]))
        yield TraceNode(node, labels[node], _formula(node, labels), value, gradient, arrived, incoming)


def _edge(
    node: Node, position: int, values: Mapping[Node, Array], upward: Array | None, downward: Array | None
) -> TraceEdge:
    operand = node.operands[position]
    local = None if downward is None else _small_local(node, position, values)
    return TraceEdge(operand, node, position, values[operand], upward, local, downward)


def _small_local(node: Node, position: int, values: Mapping[Node, Array]) -> Array | None:
    operation, output = node.operation, values[node]
    inputs = [values[o] for o in node.operands]
    # A large Jacobian costs a backward pass per row, and nobody reads it.
    if operation is None or (not operation.broadcasts and output.size * inputs[position].size > MOST_ENTRIES):
        return None
    return operation.local(position, output, inputs, node.parameters)


def _gradient_words(traced: TraceNode) -> str:
    if traced.gradient is None:
        return "constant" if traced.node.is_constant else "no gradient"
    total = show(traced.gradient)
    if len(traced.parts) > 1 and all(part.size <= MOST_ENTRIES for part in traced.parts):
        return f"{total} = {' + '.join(map(show, traced.parts))}"
    return total


def _labels(nodes: Sequence[Node]) -> dict[Node, str]:
    """One label per node: its own name, the number for a constant, else v1, v2, ... where that is not taken."""
    labels: dict[Node, str] = {}
    taken = {node.name for node in nodes}
    free = (f"v{i}" for i in range(1, 2 * len(nodes) + 2) if f"v{i}" not in taken)
    for node in nodes:
        is_number = node.is_constant and node.ndim == 0
        labels[node] = node.name or (show(node.value) if is_number else next(free))
    return labels


def _formula(node: Node, labels: Mapping[Node, str]) -> str:
    if node.operation is None:
        return labels[node]
    names = [labels[o] for o in node.operands]
    operation = node.operation
    if operation.sign is not None and not operation.sign.isalpha():
        return f"{labels[node]} = {names[0]} {operation.sign} {names[1]}"
    defaults = operation.parameters
    # By identity: a key or labels are arrays, which `!=` would compare entry by entry.
    changed = [n for n, v in node.parameters.items() if v is not defaults[n]]
    settings = [f"{n}={_parameter(node.parameters[n])}" for n in changed]
    return f"{labels[node]} = {operation.sign or operation.name}({', '.join([*names, *settings])})"


def _parameter(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return show(value)
    if isinstance(value, slice):
        return ":".join("" if part is None else str(part) for part in (value.start, value.stop, value.step))
    if isinstance(value, tuple):
        return f"({', '.join(map(_parameter, value))})"
    return str(value)
