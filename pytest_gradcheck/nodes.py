"""Nodes: of a graph of the engine whose gradient is wrong, the operation that is wrong by itself.

A wrong rule inside a graph shows at the graph's inputs, mixed with everything that lies between. Checked alone, at the
values that reach it, it shows as what it is: so the cause is named there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import GradCheckError
from .target import Array, Target
from .verdict import Finding, Report

if TYPE_CHECKING:
    from .engine import Graph, Node

#: Of larger graphs the operations are not tried one by one.
MOST_OPERATIONS = 300

Checked = Callable[[Any, Sequence[Array]], Report]


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a graph with the values that reach it; place: how it is called, "node 3 (tanh)"."""

    place: str
    node: Node
    layer: Any
    operands: tuple[Array, ...]


def steps(graph: Graph, inputs: Sequence[Any] = ()) -> Iterator[Step]:
    """The operations between a graph's inputs and its output, operands before results; at its own values without any.

    inputs: one for each of `graph.inputs`.
    """
    values = graph.run(dict(zip(graph.inputs, inputs, strict=True)) if inputs else None).values
    for place, node in enumerate(graph.nodes):
        if node.operation is None or node in graph.cut or node not in graph.varying:
            continue
        operands = tuple(np.array(values[operand]) for operand in node.operands)
        title = f"node {place} ({node.name or node.operation.name})"
        yield Step(title, node, node.operation.as_layer(**node.parameters), operands)


def located(report: Report, target: Target, checked: Checked) -> Report:
    """The report of a graph that fails, with the cause that its first wrong operation has; any other as it is.

    checked: the report of one operation. Where every operation is right by itself the report stays as it is.
    """
    engine: Any = sys.modules.get("pytest_gradcheck.engine")
    graph = target.layer
    numeric = any(finding.clause == "gradient" for finding in report.findings)
    if engine is None or not isinstance(graph, engine.Graph) or not numeric or len(graph.nodes) > MOST_OPERATIONS:
        return report
    # Of a target that `wrt` has narrowed, the arguments that were left out have values too.
    values = {argument.name: argument.value for argument in getattr(target, "all", target.arguments)}
    given = [values.get(name, node.value) for name, node in zip(graph.argument_names, graph.inputs, strict=True)]
    wrong: list[tuple[Step, Finding]] = []
    right = 0
    for step in steps(graph, given):
        try:
            told = checked(step.layer, step.operands)
        except GradCheckError:
            continue  # it takes nothing that could be differentiated
        if told.verdict == "fail":
            wrong.append((step, told.findings[0]))
        right += told.verdict == "pass"
    if not wrong:
        return report
    before = _before(wrong[0][0].node)
    behind = {name for name, node in zip(graph.argument_names, graph.inputs, strict=True) if node in before}
    return replace(report, findings=tuple(_named(report.findings, wrong, right, behind)))


def _before(node: Node) -> set[Node]:
    """The nodes that a node is computed from."""
    found: set[Node] = set()
    pending = list(node.operands)
    while pending:
        if (operand := pending.pop()) not in found:
            found.add(operand)
            pending += operand.operands
    return found


def _named(
    findings: Sequence[Finding], wrong: Sequence[tuple[Step, Finding]], right: int, behind: set[str]
) -> Iterator[Finding]:
    """The findings, those of arguments behind the first wrong operation with its cause and without runners-up."""
    (step, cause), *others = wrong
    more = f", so {'is' if len(others) == 1 else 'are'} {', '.join(s.place for s, _ in others[:3])}" if others else ""
    rest = f"; the other {right} {'is' if right == 1 else 'are'} right" if right else ""
    alone = f"{step.place} is wrong when checked alone, at the values that reach it{more}{rest}"
    told: set[str | None] = set()
    for finding in findings:
        if finding.clause != "gradient" or finding.argument not in behind:
            yield finding
        elif finding.argument not in told:
            message = f"wrong too, behind {step.place}" if told else f"{step.place}: {cause.message}"
            evidence = () if told else (alone, *cause.evidence)
            told.add(finding.argument)
            yield replace(finding, kind=cause.kind, message=message, evidence=evidence, confidence=cause.confidence)
