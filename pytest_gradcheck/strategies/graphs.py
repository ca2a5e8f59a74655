"""Random computation graphs of the engine's operations, of any fan-out, with their inputs.

A graph grows by one operation at a time, on operands that are already there: the newest first when Hypothesis
shrinks, and the same node as often as it likes. Values keep a distance from kinks, jumps and poles, because at a
composite kink (relu(x) - relu(-x) at 0) the rules of the parts do not add up to a slope of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st

from pytest_gradcheck.engine import OPERATIONS, Graph, Node, Operation, source
from pytest_gradcheck.errors import InvalidInput
from pytest_gradcheck.target import Array

from .arrays import arrays_for

#: How far values stay from kinks, poles and ties: some hundred steps of a difference.
MARGIN = 0.05

#: Larger values and larger arrays are not built upon.
LARGEST, MOST_ENTRIES = 1e3, 48

#: Operations that only decide; they come along with `where`.
COMPARISONS = ("greater", "greater_equal", "less", "less_equal")

Draw = Any
Call = tuple[tuple[Any, ...], dict[str, Any]]


class GraphExample(NamedTuple):
    """A graph, which is a layer, and the values of its inputs: `check(graph, *inputs)`."""

    graph: Graph
    inputs: tuple[Array, ...]

    def __repr__(self) -> str:
        return written(self.graph)


def graphs(
    *,
    operations: Iterable[str] | Mapping[str, Operation] | None = None,
    max_operations: int = 8,
    max_sources: int = 3,
) -> st.SearchStrategy[GraphExample]:
    """A strategy for `GraphExample(graph, inputs)`.

    operations: names to choose from (all of `OPERATIONS` where None), or name -> a twin to be used in its place.
    max_operations, max_sources: how large a graph may be.
    Raises InvalidInput for a name that the engine does not have.
    """
    return _grown_graphs(_table(operations), max_operations, max_sources)


@st.composite
def _grown_graphs(draw: Draw, table: Mapping[str, Operation], max_operations: int, max_sources: int) -> GraphExample:
    names = [name for name in table if name not in COMPARISONS]
    nodes = [draw(_sources(n)) for n in range(draw(st.integers(1, max_sources)))]
    for _ in range(draw(st.integers(1, max_operations))):
        name = draw(st.sampled_from(names))
        node = _grown(draw, table, name, nodes)
        if node is not None:
            nodes.append(node)
    if nodes[-1].operation is None:
        reject()
    graph = Graph(nodes[-1])
    return GraphExample(graph, tuple(np.array(node.value) for node in graph.inputs))


def written(graph: Graph) -> str:
    """The graph as lines of Python that build its output from the engine's names."""
    names: dict[Node, str] = {}
    lines = []
    for node in graph.nodes:
        names[node] = name = node.name or f"n{len(names)}"
        if node.operation is None or node in graph.cut:
            maker = "constant" if node.is_constant else "source"
            lines.append(f"{name} = {maker}({node.value.tolist()!r})")
            continue
        operands = [names[operand] for operand in node.operands]
        settings = [f"{key}={_spelled(value)}" for key, value in node.parameters.items()]
        lines.append(f"{name} = {node.operation.name}({', '.join(operands + settings)})")
    return "\n".join(lines)


def _spelled(value: Any) -> str:
    return f"np.array({value.tolist()!r})" if isinstance(value, np.ndarray) else repr(value)


def _table(operations: Iterable[str] | Mapping[str, Operation] | None) -> dict[str, Operation]:
    if operations is None:
        return dict(OPERATIONS)
    if isinstance(operations, str):
        raise InvalidInput(f"operations is {operations!r}: give a list of names")
    for name in operations:
        if name not in OPERATIONS:
            raise InvalidInput(f"operations has {name!r}, which the engine lacks: it has {', '.join(OPERATIONS)}")
    if isinstance(operations, Mapping):
        return dict(operations)
    return {name: OPERATIONS[name] for name in operations}


@st.composite
def _sources(draw: Draw, number: int) -> Node:
    # Few different lengths, so that shapes often fit each other.
    shape = draw(st.sampled_from(("2", "", "2 2", "3", "2 3", "1", "3 2", "2 1")))
    box = draw(st.sampled_from(((-3, 3), (0.1, 3))))
    value = draw(arrays_for(shape, domain=box, values=("simple", "ordinary"), layouts="contiguous"))
    return source(value, f"x{number}")


def _grown(draw: Draw, table: Mapping[str, Operation], name: str, nodes: Sequence[Node]) -> Node | None:
    """A node that applies this operation to some of the others, or None where nothing fits."""
    newest_first = tuple(reversed(nodes))
    builder = _BUILDERS.get(name, _entrywise)
    call = builder(draw, table, name, newest_first)
    if call is None:
        return None
    with np.errstate(all="ignore"):
        node = table[name](*call[0], **call[1])
    fits = 0 < node.size <= MOST_ENTRIES and bool((np.abs(node.value) < LARGEST).all())
    return node if fits else None


def _choose(draw: Draw, candidates: Iterable[Any]) -> Any:
    listed = list(candidates)
    return draw(st.sampled_from(listed)) if listed else None


def _entrywise(draw: Draw, table: Mapping[str, Operation], name: str, nodes: Sequence[Node]) -> Call | None:
    """Operands of an operation that works entry by entry: any whose shapes meet, inside its domains."""
    operation = table[name]
    sets = [[n for n in nodes if _inside(n.value, domain, name)] for domain in operation.domain]
    chosen = _choose(draw, (call for call in product(*sets) if _meet(call) and _steady(name, call)))
    return None if chosen is None else (chosen, {})


def _inside(value: Array, domain: Any, name: str) -> bool:
    if name == "exp" and (value > 5).any():
        return False
    away = all((np.abs(value - kink) >= MARGIN).all() for kink in domain.kinks)
    return bool(away and (value >= domain.low + MARGIN).all() and (value <= domain.high - MARGIN).all())


def _steady(name: str, call: Sequence[Node]) -> bool:
    """Whether operands that meet are far enough from where the operation changes its mind."""
    if name in ("maximum", "minimum", *COMPARISONS):
        return bool((np.abs(call[0].value - call[1].value) >= MARGIN).all())
    return name != "power" or bool((np.abs(call[1].value) <= 3).all())


def _meet(call: Sequence[Node]) -> bool:
    try:
        np.broadcast_shapes(*(n.shape for n in call))
    except ValueError:
        return False
    return True


def _matmul(draw: Draw, table: Mapping[str, Operation], name: str, nodes: Sequence[Node]) -> Call | None:
    matrices = [n for n in nodes if n.ndim]
    pairs = product(matrices, matrices)
    chosen = _choose(draw, ((a, b) for a, b in pairs if a.shape[-1] == b.shape[max(b.ndim - 2, 0)]))
    return None if chosen is None else (chosen, {})


def _affine(draw: Draw, table: Mapping[str, Operation], name: str, nodes: Sequence[Node]) -> Call | None:
    maps = ((W, x) for W, x in product(nodes, nodes) if W.ndim == 2 and x.ndim and x.shape[-1] == W.shape[1])
    chosen = _choose(draw, ((W, x, b) for (W, x), b in product(maps, nodes) if b.shape in ((), (W.shape[0],))))
    return None if chosen is None else (chosen, {})


def _dot(draw: Draw, table: Mapping[str, Operation], name: str, nodes: Sequence[Node]) -> Call | None:
    pairs = ((u, h) for u, h in product(nodes, nodes) if u.ndim == 1 and h.ndim and h.shape[-1] == u.shape[0])
    chosen = _choose(draw, pairs)
    return None if chosen is None else (chosen, {})


def _where(draw: Draw, table: Mapping[str, Operation], name: str, nodes: Sequence[Node]) -> Call | None:
    comparison = _choose(draw, (c for c in COMPARISONS if c in table or len(table) == 1))
    if comparison is None:
        return None
    decided = _entrywise(draw, {**OPERATIONS, **table}, comparison, nodes)
    if decided is None:
        return None
    condition = {**OPERATIONS, **table}[comparison](*decided[0])
    chosen = _choose(draw, (call for call in product(nodes, nodes) if _meet((condition, *call))))
    return None if chosen is None else ((condition, *chosen), {})


def _along_axis(draw: Draw, table: Mapping[str, Operation], name: str, nodes: Sequence[Node]) -> Call | None:
    node = _choose(draw, (n for n in nodes if n.ndim))
    if node is None:
        return None
    if name in ("softmax", "log_softmax"):
        return (node,), {"axis": draw(st.integers(0, node.ndim - 1))}
    axis = draw(st.sampled_from((None, *range(node.ndim))))
    if name in ("max", "min"):
        ordered = np.sort(node.value, axis=axis)
        ends = np.diff(ordered, axis=-1 if axis is None else axis)
        best = ends.take(-1 if name == "max" else 0, axis=-1 if axis is None else axis) if ends.size else ends
        if (best < MARGIN).any():
            return None
    return (node,), {"axis": axis, "keepdims": draw(st.booleans())}


def _cross_entropy(draw: Draw, table: Mapping[str, Operation], name: str, nodes: Sequence[Node]) -> Call | None:
    scores = _choose(draw, (n for n in nodes if n.ndim))
    if scores is None:
        return None
    classes = st.integers(0, scores.shape[-1] - 1)
    labels = [draw(classes) for _ in range(int(np.prod(scores.shape[:-1])))]
    return (scores,), {"labels": np.array(labels, dtype=np.int64).reshape(scores.shape[:-1])}


def _reshape(draw: Draw, table: Mapping[str, Operation], name: str, nodes: Sequence[Node]) -> Call | None:
    node = draw(st.sampled_from(nodes))
    shapes = [(node.size,), (1, node.size), (node.size, 1), node.shape[::-1], (*node.shape, 1)]
    return (node,), {"shape": draw(st.sampled_from(shapes))}


def _broadcast(draw: Draw, table: Mapping[str, Operation], name: str, nodes: Sequence[Node]) -> Call | None:
    node = draw(st.sampled_from(nodes))
    return (node,), {"shape": (draw(st.integers(1, 3)), *node.shape)}


def _transpose(draw: Draw, table: Mapping[str, Operation], name: str, nodes: Sequence[Node]) -> Call | None:
    node = draw(st.sampled_from(nodes))
    return (node,), {"axes": draw(st.sampled_from((None, tuple(range(node.ndim))[1:] + tuple(range(node.ndim))[:1])))}


def _concatenate(draw: Draw, table: Mapping[str, Operation], name: str, nodes: Sequence[Node]) -> Call | None:
    first = _choose(draw, (n for n in nodes if n.ndim))
    if first is None:
        return None
    axis = draw(st.integers(0, first.ndim - 1))
    others = [n for n in nodes if n.ndim == first.ndim and _without(n, axis) == _without(first, axis)]
    return (first, *draw(st.lists(st.sampled_from(others), min_size=1, max_size=2))), {"axis": axis}


def _without(node: Node, axis: int) -> tuple[int, ...]:
    return node.shape[:axis] + node.shape[axis + 1 :]


def _index(draw: Draw, table: Mapping[str, Operation], name: str, nodes: Sequence[Node]) -> Call | None:
    node = _choose(draw, (n for n in nodes if n.ndim))
    if node is None:
        return None
    place = st.integers(0, node.shape[0] - 1)
    # An array of places may name one twice: then its gradients must add up.
    places = st.lists(place, min_size=1, max_size=3).map(lambda listed: np.array(listed, dtype=np.int64))
    return (node,), {"key": draw(st.one_of(place, places, st.sampled_from((slice(None, None, -1), slice(0, 1)))))}


Builder = Callable[[Draw, Mapping[str, Operation], str, Sequence[Node]], Call | None]

#: How operands and parameters are found, for operations that do not work entry by entry.
_BUILDERS: dict[str, Builder] = {
    "matmul": _matmul,
    "affine": _affine,
    "dot": _dot,
    "where": _where,
    "sum": _along_axis,
    "mean": _along_axis,
    "max": _along_axis,
    "min": _along_axis,
    "softmax": _along_axis,
    "log_softmax": _along_axis,
    "cross_entropy": _cross_entropy,
    "reshape": _reshape,
    "broadcast": _broadcast,
    "transpose": _transpose,
    "concatenate": _concatenate,
    "index": _index,
}
