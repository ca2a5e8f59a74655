"""An operation: one kind of node, as a forward on arrays and a table with one backward rule per argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from .broadcasting import Array, unbroadcast
from .domain import REAL, Domain

if TYPE_CHECKING:
    from .node import Node

#: rule(upstream, output, *inputs, **parameters) -> downstream: upstream times the local gradient of one argument.
Rule = Callable[..., Any]

#: In the table of parameters: this one has no default.
REQUIRED: Any = inspect.Parameter.empty

_REGISTERED: dict[str, Operation] = {}

#: Every kind of node by its name, in the order of the files that define them.
OPERATIONS: Mapping[str, Operation] = MappingProxyType(_REGISTERED)


@dataclass(frozen=True, eq=False)
class Operation:
    """One kind of node. Called on nodes, arrays or numbers it makes a node; `as_layer` makes it a layer of its own.

    name: as in `OPERATIONS`.
    forward: forward(*inputs, **parameters) -> array, on plain arrays, without state.
    rules: argument name -> rule, in the order of `forward`; None for an argument without a gradient (a condition).
    sign: how it is written and drawn ("+", "max"); its name where there is none.
    habit: what it does to the upstream, in the lecture's words.
    domains: argument name -> `Domain` where a gradient may be asked; a name left out is real.
    broadcasts: whether it works entry by entry with numpy's broadcasting, so that rules may return the output's shape.
    variadic: whether it takes any number of operands; its one rule then takes `position` as a keyword.
    """

    name: str
    forward: Callable[..., Any]
    rules: Mapping[str, Rule | None]
    sign: str | None = None
    habit: str = ""
    domains: Mapping[str, Domain] = field(default_factory=dict)
    broadcasts: bool = False
    variadic: bool = False
    #: Names of the parameters with their defaults (`REQUIRED` where there is none).
    parameters: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", _parameters(self))

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, in order; parameters (an axis, a shape) are not among them."""
        return tuple(self.rules)

    @property
    def arity(self) -> int | None:
        """How many operands it takes; None where any number will do."""
        return None if self.variadic else len(self.rules)

    @property
    def domain(self) -> tuple[Domain, ...]:
        """Where a gradient may be asked, one `Domain` per argument."""
        return tuple(self.domains.get(name, REAL) for name in self.rules)

    def __call__(self, *operands: Any, **parameters: Any) -> Node:
        """A node that applies this operation; parameters may also follow the operands by position."""
        from .node import build

        operands, bound = self.bind(operands, parameters)
        return build(self, operands, bound)

    def bind(self, operands: Sequence[Any], parameters: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Operands and complete parameters of a call; TypeError says which are missing or too many."""
        if not self.parameters and not parameters and len(operands) == self.arity:
            return tuple(operands), {}
        if self.variadic and len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = operands[0]
        known = self.parameters
        arity = len(operands) if self.arity is None else self.arity
        given = dict(zip(known, operands[arity:], strict=False)) | dict(parameters)
        spare = len(operands) - arity - len(known)
        unknown = sorted(set(given) - set(known))
        missing = [n for n, default in known.items() if default is REQUIRED and n not in given]
        if len(operands) < arity or spare > 0 or unknown or missing or not operands:
            raise TypeError(f"{self.name} takes {self.usage()}: got {_got(operands, parameters)}")
        defaults = {n: default for n, default in known.items() if n not in given}
        bound = {n: (defaults | given)[n] for n in known}
        return tuple(operands[:arity]), {n: _frozen(self.name, v) for n, v in bound.items()}

    def usage(self) -> str:
        """The arguments and parameters in words, for messages: "(x, axis=None)"."""
        arguments = [f"*{n}" if self.variadic else n for n in self.rules]
        settings = [n if d is REQUIRED else f"{n}={d}" for n, d in self.parameters.items()]
        return f"({', '.join(arguments + settings)})"

    def differentiable(self, position: int) -> bool:
        """Whether the operand at this position gets a gradient."""
        return self._rule(position)[1] is not None

    def downstream(
        self, position: int, upstream: Array, output: Array, inputs: Sequence[Array], parameters: Mapping[str, Any]
    ) -> Array | None:
        """Upstream times local gradient for one operand, of the operand's shape and dtype.

        upstream, output: of the output's shape. Axes along which the operand was broadcast are summed. None where the
        operand has no gradient.
        """
        raw = self._apply(position, upstream, output, inputs, parameters)
        if raw is None:
            return None
        operand = inputs[position]
        raw = unbroadcast(np.asarray(raw), operand.shape) if self.broadcasts else np.asarray(raw)
        return raw.astype(operand.dtype, copy=False) if operand.dtype.kind == "f" else raw

    def local(self, position: int, output: Array, inputs: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
        """The local gradient of one operand: entry by entry (output's shape) where it broadcasts, else its Jacobian.

        A Jacobian has the shape (output.size, operand.size), both in C order. The operand must be differentiable.
        """
        if self.broadcasts:
            ones = np.ones(output.shape, dtype=output.dtype)
            slopes = np.asarray(self._apply(position, ones, output, inputs, parameters))
            return np.broadcast_to(slopes, output.shape)
        rows = np.zeros((output.size, inputs[position].size), dtype=output.dtype)
        for i in range(output.size):
            unit = np.zeros(output.shape, dtype=output.dtype)
            unit.flat[i] = 1
            rows[i] = np.ravel(self._apply(position, unit, output, inputs, parameters))
        return rows

    def as_layer(self, **parameters: Any) -> OperationLayer:
        """This operation as a layer: `forward(*inputs)`, then `backward(upstream)` with one gradient per input."""
        return OperationLayer(self, parameters)

    def with_rule(self, argument: str, rule: Rule) -> Operation:
        """A twin with one rule exchanged, for testing a checker; it is not in `OPERATIONS`."""
        if argument not in self.rules:
            raise KeyError(f"{self.name} has no argument {argument!r}: its arguments are {', '.join(self.rules)}")
        return replace(self, rules={**self.rules, argument: rule})

    def _rule(self, position: int) -> tuple[str, Rule | None]:
        names = self.arguments
        name = names[0 if self.variadic else position]
        return name, self.rules[name]

    def _apply(
        self, position: int, upstream: Array, output: Array, inputs: Sequence[Array], parameters: Mapping[str, Any]
    ) -> Any:
        rule = self._rule(position)[1]
        if rule is None:
            return None
        extra = {"position": position} if self.variadic else {}
        return rule(upstream, output, *inputs, **parameters, **extra)

    def __reduce__(self) -> str | tuple[Any, ...]:
        # Rules are lambdas, which do not pickle: a known operation travels by name, so graphs can go to workers.
        if _REGISTERED.get(self.name) is self:
            return _known, (self.name,)
        values = (self.name, self.forward, dict(self.rules), self.sign, self.habit, dict(self.domains))
        return Operation, (*values, self.broadcasts, self.variadic)

    def __repr__(self) -> str:
        return f"<operation {self.name}{self.usage()}>"


class OperationLayer:
    """One operation with its parameters, as any checker drives a layer: `forward(*inputs)`, `backward(upstream)`."""

    def __init__(self, operation: Operation, parameters: Mapping[str, Any]) -> None:
        # Bound with stand-ins for the operands, so that a wrong parameter is refused here and not at the first call.
        stand_ins = (0.0,) * (operation.arity or 1)
        self.operation = operation
        self.parameters = operation.bind(stand_ins, parameters)[1]
        self._last: tuple[tuple[Array, ...], Array] | None = None

    @property
    def argument_names(self) -> tuple[str, ...] | None:
        """Names of forward's inputs; None where the operation takes any number."""
        return None if self.operation.variadic else self.operation.arguments

    def forward(self, *inputs: Any) -> Array:
        """The output, a fresh array. inputs: arrays or numbers; they are copied, so later changes do no harm.

        Whole numbers become float64 wherever a gradient is due. TypeError where their number is wrong.
        """
        arity = self.operation.arity
        if not inputs or (arity is not None and len(inputs) != arity):
            raise TypeError(f"{self.operation.name} takes {self.operation.usage()}: got {len(inputs)} inputs")
        arrays = tuple(self._copied(i, x) for i, x in enumerate(inputs))
        output = np.asarray(self.operation.forward(*arrays, **self.parameters))
        self._last = arrays, output
        return output.copy()

    def backward(self, upstream: Any) -> tuple[Array | None, ...]:
        """One gradient per input of the last forward, of its shape; None for an input without one (a condition).

        upstream: of the output's shape, else ValueError. RuntimeError before the first forward.
        """
        if self._last is None:
            raise RuntimeError(f"{self.operation.name}: backward needs a forward before it")
        inputs, output = self._last
        given = as_upstream(upstream, output, self.operation.name)
        found = (self.operation.downstream(i, given, output, inputs, self.parameters) for i in range(len(inputs)))
        return tuple(None if g is None else np.array(g) for g in found)

    def _copied(self, position: int, value: Any) -> Array:
        array = np.array(value)
        whole = array.dtype.kind in "iub" and self.operation.differentiable(position)
        return array.astype(np.float64) if whole else array

    def __repr__(self) -> str:
        settings = [f"{n}={v}" for n, v in self.parameters.items()]
        return f"<layer {self.operation.name}({', '.join([*self.operation.arguments, *settings])})>"


def operation(
    name: str,
    forward: Callable[..., Any],
    rules: Mapping[str, Rule | None],
    *,
    sign: str | None = None,
    habit: str = "",
    domains: Mapping[str, Domain] | None = None,
    broadcasts: bool = False,
    variadic: bool = False,
) -> Operation:
    """A new kind of node, entered in `OPERATIONS`; the fields are those of `Operation`.

    Raises ValueError where the name is taken or a domain names no argument.
    """
    if name in _REGISTERED:
        raise ValueError(f"there is an operation {name!r} already: choose another name")
    stray = sorted(set(domains or {}) - set(rules))
    if stray:
        raise ValueError(f"{name}: the domain of {stray[0]!r} is given, but the arguments are {', '.join(rules)}")
    made = Operation(name, forward, dict(rules), sign, habit, dict(domains or {}), broadcasts, variadic)
    _REGISTERED[name] = made
    return made


def as_upstream(upstream: Any, output: Array, name: str) -> Array:
    """The upstream as an array of the output's shape and dtype; ValueError names both shapes where they differ."""
    given = np.asarray(upstream)
    if given.shape != output.shape:
        raise ValueError(
            f"{name}: the upstream has shape {given.shape}, the output {output.shape}: give one number per output"
        )
    return given.astype(np.result_type(given, output), copy=False)


def _known(name: str) -> Operation:
    return OPERATIONS[name]


def _parameters(op: Operation) -> Mapping[str, Any]:
    # ufuncs have no signature worth reading, and no parameters of ours.
    if isinstance(op.forward, np.ufunc):
        return {}
    listed = inspect.signature(op.forward).parameters.values()
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    named = [p for p in listed if p.kind not in kinds and p.name not in op.rules]
    return {p.name: p.default for p in named}


def _frozen(name: str, value: Any) -> Any:
    """A parameter that its caller can no longer change: lists and arrays are copied."""
    if isinstance(value, (list, tuple)):
        parts = [_frozen(name, v) for v in value]
        # A list among the indices means an array of them, as in numpy; an empty one holds no floats.
        return tuple(parts) if isinstance(value, tuple) else np.array(parts, dtype=None if parts else np.intp)
    if isinstance(value, np.ndarray):
        copy = value.copy()
        copy.setflags(write=False)
        return copy
    if hasattr(value, "operation") and hasattr(value, "operands"):
        raise TypeError(f"{name}: a node stands where a fixed parameter is needed: give its .value")
    return value


def _got(operands: Sequence[Any], parameters: Mapping[str, Any]) -> str:
    words = [f"{len(operands)} positional"] + [f"{n}={v!r}" for n, v in parameters.items()]
    return ", ".join(words)
