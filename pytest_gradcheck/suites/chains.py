"""Layers in a chain: every member is checked at the values that really reach it, and the first wrong one is named."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from pytest_gradcheck.adapters import adapt_any, foreign, tree
from pytest_gradcheck.adapters.wrapped import Wrapped
from pytest_gradcheck.calls import quiet
from pytest_gradcheck.checking import check
from pytest_gradcheck.errors import GradCheckError, InvalidInput, LayerError
from pytest_gradcheck.nodes import steps
from pytest_gradcheck.verdict import Finding, Report, Verdict

from .signatures import layer_name


@dataclass(frozen=True, slots=True)
class ChainReport(Report):
    """One overall report of a chain, with the report of each member in order.

    Findings are those of the members, the first wrong one's first; their arguments read `layers[1].W`. Members that
    have nothing to differentiate have no report, and a note.
    """

    members: tuple[Report, ...] = ()

    @property
    def first_wrong(self) -> Report | None:
        """The first member, in the order of forward, whose backward is wrong; None where none is."""
        return next((member for member in self.members if member.verdict == "fail"), None)


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its place (`layers[1]`, or a node's name), the layer, and the values that reach it."""

    place: str
    layer: Any
    inputs: tuple[Any, ...]
    named: bool = True


def check_chain(layers: Any, *inputs: Any, **settings: Any) -> ChainReport:
    """Whether every backward of a chain is right, each checked at the values that the layers before it make.

    layers: a list of layers, an `nn.Sequential` or anything else that yields its members in order, or a graph of the
        engine, whose members are its operations.
    inputs: of the first member; of several outputs each becomes one input of the next, but a Sequential hands a tuple
        on as it is. A graph has its own.
    settings: as `check` takes them, for every member.

    `first_wrong` of the report is the first member whose backward is wrong. Raises InvalidInput for an empty chain,
    LayerError that names the member where one raises.

    >>> from pytest_gradcheck.engine import OPERATIONS
    >>> check_chain([OPERATIONS["exp"], OPERATIONS["tanh"]], np.array([0.5, -1.0])).passed
    True
    """
    began = time.perf_counter()
    reports: list[tuple[Member, Report]] = []
    notes = []
    number = 0
    for member in _members(layers, inputs):
        number += 1
        report = _checked(member, settings)
        if report is None:
            notes.append(f"{member.place} has nothing to differentiate, its output goes on")
        else:
            reports.append((member, report))
    if not reports:
        raise InvalidInput(
            "no member of the chain was checked: give at least one layer with a float input or parameter"
        )
    return _told(reports, notes, number, time.perf_counter() - began)


def _members(layers: Any, inputs: tuple[Any, ...]) -> Iterator[Member]:
    from pytest_gradcheck.engine import Graph, Node

    if isinstance(layers, Node):
        layers = Graph(layers)
    if isinstance(layers, Graph):
        return _of_graph(layers, inputs)
    if not isinstance(layers, Iterable) or isinstance(layers, (str, bytes, np.ndarray, Mapping)):
        raise InvalidInput(f"check_chain got {type(layers).__name__}: give a list of layers, a Sequential or a graph")
    return _of_list(layers if is_sequential(layers) else list(layers), inputs)


def _of_list(layers: Any, inputs: tuple[Any, ...]) -> Iterator[Member]:
    """The members of a list; each is yielded before its forward makes the values of the next."""
    # A Sequential hands a tuple on as one value, a list of layers each of its items.
    whole = is_sequential(layers)
    placed = list(_flat(layers, "layers"))
    for i, (place, layer) in enumerate(placed):
        member = Member(place, layer, inputs)
        yield member
        if i + 1 < len(placed):
            inputs = _guarded(member, partial(_outputs, member, whole))


def _flat(layers: Iterable[Any], place: str) -> Iterator[tuple[str, Any]]:
    """The members with their places, those of a Sequential among them one by one."""
    for i, layer in enumerate(layers):
        if is_sequential(layer):
            yield from _flat(layer, f"{place}[{i}]")
        else:
            yield f"{place}[{i}]", layer


def is_sequential(layers: Any) -> bool:
    """Whether this is torch's chain, with torch's own forward; torch is not imported for it."""
    kind: Any = getattr(getattr(sys.modules.get("torch"), "nn", None), "Sequential", None)
    return kind is not None and isinstance(layers, kind) and type(layers).forward is kind.forward


def _of_graph(graph: Any, inputs: tuple[Any, ...]) -> Iterator[Member]:
    """The operations of a graph, operands before results, at the values of one forward pass."""
    for step in steps(graph, inputs):
        yield Member(step.place, step.layer, step.operands, named=False)


def _outputs(member: Member, whole: bool) -> tuple[Any, ...]:
    """What the next member is given: the outputs of a forward on a copy, for its own state belongs to the caller."""
    target = adapt_any(member.layer, member.inputs, {})
    while isinstance(target, Wrapped):
        # Of a surrogate the next layer gets what the layer itself makes.
        target = target.inner
    target = target.fresh() or target
    target.keeps = True
    with quiet():
        arrays = target.forward([argument.value.copy() for argument in target.arguments])
    if target.returned is None:
        return tuple(np.array(y) for y in arrays)
    out = tree.mapped(partial(_handed_on, _homes(member.inputs)), target.returned)
    several = isinstance(out, (tuple, list)) and tree.is_container(out) and not whole
    return tuple(out) if several else (out,)


def _homes(inputs: tuple[Any, ...]) -> set[str]:
    return {foreign.home(leaf) for _, leaf in tree.leaves(inputs)}


def _handed_on(homes: set[str], leaf: Any) -> Any:
    """One output, apart from what made it: a tensor where tensors were given, or where numpy has no such type."""
    where = foreign.home(leaf)
    if where and where not in homes and "bfloat16" not in str(leaf.dtype):
        leaf = foreign.plain(leaf)
    if foreign.home(leaf) == "torch":
        return leaf.detach().clone()
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def _checked(member: Member, settings: Mapping[str, Any]) -> Report | None:
    def report() -> Report | None:
        if not adapt_any(member.layer, member.inputs, {}).arguments:
            return None
        return check(member.layer, *member.inputs, **settings)

    made: Report | None = _guarded(member, report)
    return made


def _guarded(member: Member, action: Callable[[], Any]) -> Any:
    """What the action returns; an error says which member it is about."""
    try:
        return action()
    except InvalidInput as error:
        raise InvalidInput(f"{_title(member)}: {error}") from error.__cause__
    except GradCheckError as error:
        raise type(error)(f"{_title(member)}: {error}") from error.__cause__
    except Exception as cause:
        raised = f"{type(cause).__name__} ({' '.join(str(cause).split())[:200]})"
        raise LayerError(f"{_title(member)}: its forward raised {raised}") from cause


def _title(member: Member) -> str:
    return f"{member.place} ({layer_name(member.layer)})" if member.named else member.place


def _told(reports: Sequence[tuple[Member, Report]], notes: Sequence[str], number: int, seconds: float) -> ChainReport:
    """The reports of all members as one."""
    each = [report for _, report in reports]
    verdicts = {report.verdict for report in each}
    verdict: Verdict = "fail" if "fail" in verdicts else "inconclusive" if "inconclusive" in verdicts else "pass"
    return ChainReport(
        layer=f"chain of {number} layers" if reports[0][0].named else f"graph of {number} operations",
        verdict=verdict,
        findings=tuple(_findings(reports)),
        notes=(*notes, *(f"{member.place}: {note}" for member, report in reports for note in report.notes)),
        arguments=tuple(
            replace(a, name=f"{member.place}.{a.name}") for member, report in reports for a in report.arguments
        ),
        clauses=tuple(clause for report in each for clause in report.clauses),
        forward_evaluations=sum(report.forward_evaluations for report in each),
        backward_calls=sum(report.backward_calls for report in each),
        seconds=seconds,
        seed=each[0].seed,
        h=each[0].h,
        method=each[0].method,
        members=tuple(replace(report, layer=_title(member)) for member, report in reports),
    )


def _findings(reports: Sequence[tuple[Member, Report]]) -> Iterator[Finding]:
    first = True
    for member, report in reports:
        for finding in report.findings:
            lead = f"the first wrong member is {_title(member)}: " if first else f"{_title(member)}: "
            place = f"{member.place}.{finding.argument}" if finding.argument else None
            yield replace(finding, message=lead + finding.message, argument=place)
            first = False
