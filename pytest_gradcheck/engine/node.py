"""A node of the computation graph: a source, a constant, or an operation applied to other nodes.

Ordinary Python expressions make nodes: `f = (x + y) * maximum(y, z)`. A node knows its operands and its value and
never a gradient: gradients are returned by a backward pass, so two passes cannot add up.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .broadcasting import Array, Axis
from .operation import OPERATIONS, Operation


class Node:
    """One node; made by `source`, `constant`, an operation, or an expression of nodes.

    operation: None for sources and constants.
    operands: the nodes it is computed from, in order; one node may stand there twice.
    parameters: settings of the operation that are not differentiated (an axis, a shape, labels).
    value: a read-only array.
    name: for the trace; None where it was given none.
    is_constant: whether no gradient is ever asked of it.
    """

    __slots__ = ("__weakref__", "is_constant", "name", "operands", "operation", "parameters", "value")

    # Makes numpy leave `array * node` to the node, instead of trying it entry by entry.
    __array_ufunc__ = None

    def __init__(
        self,
        value: Array,
        operation: Operation | None = None,
        operands: tuple[Node, ...] = (),
        parameters: Mapping[str, Any] | None = None,
        name: str | None = None,
        is_constant: bool = False,
    ) -> None:
        value.setflags(write=False)
        self.value = value
        self.operation = operation
        self.operands = operands
        self.parameters = parameters or {}
        self.name = name
        self.is_constant = is_constant

    def __deepcopy__(self, memo: dict[int, Any]) -> Node:
        # A node never changes, and a copy of its operands would recurse as deep as the graph is long.
        return self

    def named(self, name: str) -> Node:
        """The same node, under this name in every trace."""
        self.name = name
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """Number of axes of the value."""
        return self.value.ndim

    @property
    def size(self) -> int:
        """Number of entries of the value."""
        return self.value.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the value's entries."""
        return self.value.dtype

    @property
    def T(self) -> Node:  # noqa: N802 - numpy's name for it
        """The node with its axes reversed."""
        return OPERATIONS["transpose"](self)

    def __add__(self, other: Any) -> Node:
        return OPERATIONS["add"](self, other)

    def __radd__(self, other: Any) -> Node:
        return OPERATIONS["add"](other, self)

    def __sub__(self, other: Any) -> Node:
        return OPERATIONS["subtract"](self, other)

    def __rsub__(self, other: Any) -> Node:
        return OPERATIONS["subtract"](other, self)

    def __mul__(self, other: Any) -> Node:
        return OPERATIONS["multiply"](self, other)

    def __rmul__(self, other: Any) -> Node:
        return OPERATIONS["multiply"](other, self)

    def __truediv__(self, other: Any) -> Node:
        return OPERATIONS["divide"](self, other)

    def __rtruediv__(self, other: Any) -> Node:
        return OPERATIONS["divide"](other, self)

    def __pow__(self, other: Any) -> Node:
        return OPERATIONS["power"](self, other)

    def __rpow__(self, other: Any) -> Node:
        return OPERATIONS["power"](other, self)

    def __matmul__(self, other: Any) -> Node:
        return OPERATIONS["matmul"](self, other)

    def __rmatmul__(self, other: Any) -> Node:
        return OPERATIONS["matmul"](other, self)

    def __neg__(self) -> Node:
        return OPERATIONS["negate"](self)

    def __pos__(self) -> Node:
        return self

    def __abs__(self) -> Node:
        return OPERATIONS["abs"](self)

    # Comparisons are nodes too, so that `where(x > 0, ...)` chooses anew when the graph is replayed. `==` stays
    # Python's own: nodes are keys of dictionaries.
    def __lt__(self, other: Any) -> Node:
        return OPERATIONS["less"](self, other)

    def __le__(self, other: Any) -> Node:
        return OPERATIONS["less_equal"](self, other)

    def __gt__(self, other: Any) -> Node:
        return OPERATIONS["greater"](self, other)

    def __ge__(self, other: Any) -> Node:
        return OPERATIONS["greater_equal"](self, other)

    def __bool__(self) -> bool:
        raise TypeError(
            "a node has no truth value, since its value may change: "
            "use where(condition, a, b), and maximum(a, b) for max(a, b)"
        )

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        raise TypeError("a node is no array: use the operations of pytest_gradcheck.engine, or its .value")

    def __getitem__(self, key: Any) -> Node:
        return OPERATIONS["index"](self, key=key)

    def __iter__(self) -> Iterator[Node]:
        if self.ndim == 0:
            raise TypeError("a node of a single number has no parts to iterate over")
        return (self[i] for i in range(self.shape[0]))

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Node:
        """Sum over an axis, several, or all."""
        return OPERATIONS["sum"](self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Node:
        """Mean over an axis, several, or all."""
        return OPERATIONS["mean"](self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape: Any) -> Node:
        """The same entries in another shape, given as numbers or as one tuple."""
        wanted = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return OPERATIONS["reshape"](self, shape=tuple(wanted))

    def __repr__(self) -> str:
        kind = "constant" if self.is_constant else "source" if self.operation is None else self.operation.name
        value = f"{self.value.item():g}" if self.size == 1 and self.ndim == 0 else f"shape {self.shape}"
        return f"<{kind}{f' {self.name}' if self.name else ''}: {value}>"


def source(value: Any, name: str | None = None) -> Node:
    """An input of a graph. value: a number or an array; it is copied. Whole numbers become float64.

    Raises TypeError where the value is not made of real numbers.
    """
    array = _array(value, name or "a source")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"a source is made of real numbers: got {array.dtype} for {name or 'a source'}")
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    return Node(array, name=name)


def sources(**values: Any) -> tuple[Node, ...]:
    """Several sources named as the keywords: `x, y, z = sources(x=1, y=2, z=0)`."""
    return tuple(source(value, name) for name, value in values.items())


def constant(value: Any, name: str | None = None) -> Node:
    """A value without a gradient: labels, a mask, a fixed number. Numbers and arrays in expressions become such."""
    return Node(_array(value, name or "a constant"), name=name, is_constant=True)


def _array(value: Any, what: str) -> Array:
    masked: Any = sys.modules.get("numpy.ma")
    if masked is not None and isinstance(value, masked.MaskedArray) and masked.is_masked(value):
        raise TypeError(f"{what} is a masked array, of which some entries are hidden: fill or compress it")
    try:
        return np.array(value)
    except ValueError:
        raise TypeError(f"{what} has rows of unequal lengths: give an array") from None


def build(operation: Operation, operands: Sequence[Any], parameters: Mapping[str, Any]) -> Node:
    """The node that applies an operation to operands (nodes, arrays or numbers), with its value computed."""
    nodes = _as_nodes(operands)
    try:
        value = np.asarray(operation.forward(*(n.value for n in nodes), **parameters))
    except Exception as error:
        error.add_note(f"in {operation.name} of operands with shapes {', '.join(str(n.shape) for n in nodes)}")
        raise
    return Node(value, operation, nodes, parameters)


def _as_nodes(operands: Sequence[Any]) -> tuple[Node, ...]:
    if all(isinstance(o, Node) for o in operands):
        return tuple(operands)
    known = [o.dtype for o in operands if isinstance(o, (Node, np.ndarray, np.generic))]
    floats = [d for d in known if d.kind == "f"]
    # A bare number takes the type of what it meets: 2 * x stays float32 where x is.
    number = np.result_type(*floats) if floats else np.dtype(np.float64)
    return tuple(_as_node(o, number) for o in operands)


def _as_node(operand: Any, number: np.dtype[Any]) -> Node:
    if isinstance(operand, Node):
        return operand
    if isinstance(operand, (int, float)) and not isinstance(operand, bool):
        return Node(np.array(operand, dtype=number), is_constant=True)
    array = _array(operand, "an operand")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"an operand is a node, an array of real numbers or a number: got {type(operand).__name__}")
    return Node(array, is_constant=True)
