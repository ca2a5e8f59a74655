"""The graph behind a node: forward from left to right, backward from right to left.

Downstream is upstream times local gradient, summed where a node is used more than once. Both passes are loops over
the nodes in topological order, so the length of a chain is limited by memory alone. A pass is a record of its own:
nothing is stored in the nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np

from .broadcasting import Array
from .node import Node, constant, source
from .operation import Operation, as_upstream


def topological_order(output: Node, stop: Iterable[Node] = ()) -> tuple[Node, ...]:
    """Every node that the output depends on, operands before results, the output last.

    Operands are visited in their order, so the same expression always gives the same order. Nodes in `stop` are
    listed, and what lies behind them is not.
    """
    if not isinstance(output, Node):
        raise TypeError(f"an output is a node, made of sources by operations: got {type(output).__name__}")
    cut = set(stop)
    order: dict[Node, None] = {}
    # Each node is met twice: once to see its operands, once to be listed behind them.
    pending = [(output, False)]
    while pending:
        node, ready = pending.pop()
        if node in order:
            continue
        if ready or node in cut or not node.operands:
            order[node] = None
        else:
            pending.append((node, True))
            pending.extend((operand, False) for operand in reversed(node.operands) if operand not in order)
    return tuple(order)


class Gradients(Mapping[Node, Array]):
    """The gradient of the output, summed over its entries with the upstream as weights, for every node of a pass.

    `gradients[x]` is a fresh array of x's shape; zeros for a node on which the output does not depend. Iterating gives
    the nodes that the output does depend on.
    """

    def __init__(self, values: Mapping[Node, Array], found: Mapping[Node, Array]) -> None:
        self._values = values
        self._found = found

    def __getitem__(self, node: Node) -> Array:
        if not isinstance(node, Node):
            raise KeyError(f"gradients are looked up by node: got {type(node).__name__}")
        gradient = self._found.get(node)
        if gradient is not None:
            return np.array(gradient)
        value = self._values.get(node, node.value)
        return np.zeros(value.shape, dtype=value.dtype if value.dtype.kind == "f" else np.float64)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __contains__(self, node: object) -> bool:
        return node in self._found


#: Called for every edge of a backward pass: node, position of the operand, upstream, downstream.
Watch = Callable[[Node, int, Array, Array], None]


class Pass:
    """One forward pass: `values[node]` for every node, `output`, and as many backward passes as wanted."""

    def __init__(self, graph: Graph, values: Mapping[Node, Array]) -> None:
        self.graph = graph
        self.values = values
        self.output = values[graph.output]

    def backward(self, upstream: Any = None, watch: Watch | None = None) -> Gradients:
        """The gradient at every node; nothing is remembered, so a second call gives the same.

        upstream: of the output's shape; 1 where the output is a single number and none is given.
        watch: told of every edge, from right to left. Raises ValueError where the upstream is missing or misshapen.
        """
        found = {self.graph.output: self._start(upstream)}
        for node in reversed(self.graph.nodes):
            if node in found and node.operation is not None and node not in self.graph.cut:
                self._step(node, node.operation, found, watch)
        return Gradients(self.values, found)

    def _step(self, node: Node, operation: Operation, found: dict[Node, Array], watch: Watch | None) -> None:
        inputs = [self.values[operand] for operand in node.operands]
        for position, operand in enumerate(node.operands):
            if operand not in self.graph.varying:
                continue
            down = operation.downstream(position, found[node], self.values[node], inputs, node.parameters)
            if down is None:
                continue
            # Never +=: the array may be the upstream itself, handed on by an addition.
            found[operand] = found[operand] + down if operand in found else down
            if watch is not None:
                watch(node, position, found[node], down)

    def _start(self, upstream: Any) -> Array:
        if upstream is not None:
            return as_upstream(upstream, self.output, "backward")
        if self.output.size != 1:
            raise ValueError(
                f"the output has shape {self.output.shape}: give an upstream of that shape, or ask for the jacobian"
            )
        return np.ones_like(self.output)


class Graph:
    """A node as a function of some others, and a layer: `forward(*inputs)`, then `backward(upstream)`.

    output: the node to compute. inputs: what is differentiated, in the order of `forward`; all sources where none are
    given. An input may be an interior node: the graph is cut there, and inputs vary independently of each other.
    Everything else keeps the value that it was built with. ValueError for a constant, or an input listed twice.
    """

    def __init__(self, output: Node, inputs: Sequence[Node] | None = None) -> None:
        for node in inputs or ():
            _refuse_constant(node)
        self.output = output
        self.cut = frozenset(inputs or ())
        if len(self.cut) < len(inputs or ()):
            raise ValueError("an input is listed twice: name each node once")
        #: Operands before results, the output last.
        self.nodes = topological_order(output, self.cut)
        if inputs is None:
            inputs = [n for n in self.nodes if n.operation is None and not n.is_constant]
        self.inputs = tuple(inputs)
        #: Nodes that depend on an input: a gradient flows through these alone.
        self.varying = _varying(self.nodes, self.inputs)
        self._last: Pass | None = None

    @property
    def sources(self) -> tuple[Node, ...]:
        """Nodes without operands that are no constants, in topological order."""
        return tuple(n for n in self.nodes if n.operation is None and not n.is_constant)

    @property
    def argument_names(self) -> tuple[str, ...]:
        """Names of the inputs; `input0` and so on where a node has none, or one that is taken."""
        names = [n.name for n in self.inputs]
        return tuple(n if n and n not in names[:i] else f"input{i}" for i, n in enumerate(names))

    def run(self, changes: Mapping[Node, Any] | None = None) -> Pass:
        """A forward pass, with other values for some nodes (of any shape that the operations take).

        What does not depend on a change is not computed again. Raises KeyError for a node that is not in the graph.
        """
        changed = {node: _array(value, node) for node, value in (changes or {}).items()}
        values: dict[Node, Array] = {}
        for node in self.nodes:
            if node in changed:
                values[node] = changed.pop(node)
            elif node.operation is None or all(values.get(o, o.value) is o.value for o in node.operands):
                values[node] = node.value
            else:
                values[node] = _replayed(node, [values[o] for o in node.operands])
        for node, value in changed.items():
            if node not in self.cut:
                raise KeyError(f"{node!r} is no node of this graph: change one that the output depends on")
            values[node] = value
        return Pass(self, values)

    def evaluate(self, changes: Mapping[Node, Any] | None = None) -> Array:
        """The output's value with other values for some nodes: `graph.evaluate({x: 3.0})`."""
        return np.array(self.run(changes).output)

    def forward(self, *inputs: Any) -> Array:
        """The output at these values of the inputs, a fresh array. TypeError where their number is wrong."""
        if len(inputs) != len(self.inputs):
            raise TypeError(f"this graph takes {len(self.inputs)} inputs: got {len(inputs)}")
        self._last = self.run(dict(zip(self.inputs, inputs, strict=True)))
        return np.array(self._last.output)

    def backward(self, upstream: Any) -> tuple[Array, ...]:
        """One gradient per input of the last forward, of its shape. RuntimeError before the first forward."""
        if self._last is None:
            raise RuntimeError("backward needs a forward before it")
        gradients = self._last.backward(upstream)
        return tuple(gradients[node] for node in self.inputs)

    def __reduce__(self) -> tuple[Any, ...]:
        # Node by node and not by nested references, which would recurse as deep as the graph is long.
        reached = set(self.nodes)
        unused = [n for n in self.inputs if n not in reached]
        place = {node: i for i, node in enumerate([*self.nodes, *unused])}
        return _rebuilt, (_flat(list(place)), [place[n] for n in (self.output, *self.inputs)])

    def __deepcopy__(self, memo: dict[int, Any]) -> Graph:
        # Nodes never change, so that copies share them; only the last forward is the copy's own.
        twin = Graph(self.output, self.inputs)
        twin._last = self._last
        return twin

    def __repr__(self) -> str:
        return f"<graph of {len(self.nodes)} nodes: {', '.join(self.argument_names)} -> shape {self.output.shape}>"


def backward(output: Node, upstream: Any = None) -> Gradients:
    """The gradient at every node that the output depends on.

    upstream: of the output's shape; 1 where the output is a single number and none is given, else ValueError.
    """
    return Graph(output).run().backward(upstream)


@overload
def gradient(output: Node, inputs: Node, upstream: Any = None) -> Array: ...
@overload
def gradient(output: Node, inputs: Sequence[Node], upstream: Any = None) -> tuple[Array, ...]: ...
def gradient(output: Node, inputs: Node | Sequence[Node], upstream: Any = None) -> Array | tuple[Array, ...]:
    """The gradient of the output with respect to one node, or to each of several; of the nodes' shapes.

    upstream: of the output's shape; 1 where the output is a single number and none is given, else ValueError.

    >>> from pytest_gradcheck.engine import gradient, maximum, sources
    >>> x, y, z = sources(x=1, y=2, z=0)
    >>> [float(g) for g in gradient((x + y) * maximum(y, z), [x, y, z])]
    [2.0, 5.0, 0.0]
    """
    for node in [inputs] if isinstance(inputs, Node) else inputs:
        _refuse_constant(node)
    found = backward(output, upstream)
    if isinstance(inputs, Node):
        return found[inputs]
    return tuple(found[node] for node in inputs)


def _refuse_constant(node: Node) -> None:
    if not isinstance(node, Node):
        raise TypeError(f"gradients are taken by nodes: got {type(node).__name__}")
    if node.is_constant:
        raise ValueError(f"{node!r} has no gradient: make it a source to differentiate by it")


def _varying(nodes: Sequence[Node], inputs: Sequence[Node]) -> frozenset[Node]:
    varying = set(inputs)
    for node in nodes:
        # A comparison of a source does not vary with it: no gradient comes through.
        if node.operation and any(
            o in varying and node.operation.differentiable(i) for i, o in enumerate(node.operands)
        ):
            varying.add(node)
    return frozenset(varying)


def _array(value: Any, node: Node) -> Array:
    array = np.array(value)
    if array.dtype.kind in "iub" and node.dtype.kind == "f":
        array = array.astype(node.dtype)
    return array


def _replayed(node: Node, inputs: Sequence[Array]) -> Array:
    if node.operation is None:
        return node.value
    return np.asarray(node.operation.forward(*inputs, **node.parameters))


#: A node without its references: operation, places of the operands, parameters, name, value of a leaf, constant or not.
FlatNode = tuple[Operation | None, tuple[int, ...], dict[str, Any], str | None, Array | None, bool]


def _flat(nodes: Sequence[Node]) -> list[FlatNode]:
    place = {node: i for i, node in enumerate(nodes)}
    # Behind a cut the operands are not in the graph: such a node travels as a leaf.
    return [
        (n.operation, tuple(place[o] for o in n.operands), dict(n.parameters), n.name, None, False)
        if n.operation is not None and all(o in place for o in n.operands)
        else (None, (), {}, n.name, n.value, n.is_constant)
        for n in nodes
    ]


def _rebuilt(listed: Sequence[FlatNode], places: Sequence[int]) -> Graph:
    nodes: list[Node] = []
    for operation, operands, parameters, name, value, is_constant in listed:
        if operation is None:
            node = constant(value, name) if is_constant else source(value, name)
        else:
            node = operation(*(nodes[i] for i in operands), **parameters)
            node.name = name
        nodes.append(node)
    return Graph(nodes[places[0]], [nodes[i] for i in places[1:]])
