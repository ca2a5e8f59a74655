"""The trace as a picture: DOT text, and SVG where graphviz is installed.

Along each edge stands a small table of two rows whose dividing rule continues the line of the edge: the value going
right above it, the gradient coming left below.
"""

from __future__ import annotations

import shutil
import subprocess
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .trace import Trace, TraceNode

VALUE_COLOR, GRADIENT_COLOR = "#1a6b3c", "#b3261e"

HEAD = """digraph trace {
  rankdir=LR; nodesep=0.3; ranksep=0.25;
  node [fontname="Helvetica", fontsize=12]; edge [arrowsize=0.7];"""


class DrawingUnavailable(RuntimeError):  # noqa: N818 - it says what is the case
    """Graphviz's program `dot` is not installed, or refused the text."""


def to_dot(trace: Trace) -> str:
    """The graph of a trace in graphviz's language: values above and gradients below each edge."""
    from .trace import show

    place = {traced.node: f"n{i}" for i, traced in enumerate(trace.nodes)}
    lines = [HEAD]
    lines += [_node(place[traced.node], traced) for traced in trace.nodes]
    for i, edge in enumerate(trace.edges):
        gradient = "" if edge.downstream is None else show(edge.downstream)
        lines.append(_edge(f"e{i}", place[edge.start], place[edge.end], show(edge.value), gradient))
    last = trace.nodes[-1]
    lines.append('  out [shape=point, width=0.01, label=""];')
    lines.append(_edge("e_out", place[last.node], "out", show(last.value), show(last.gradient)))
    return "\n".join([*lines, "}"]) + "\n"


def render_svg(dot: str) -> str:
    """DOT text drawn by graphviz as SVG; `DrawingUnavailable` where `dot` is missing or fails."""
    program = shutil.which("dot")
    if program is None:
        raise DrawingUnavailable(
            "graphviz's program `dot` was not found: install graphviz, or draw the text of to_dot() elsewhere"
        )
    drawn = subprocess.run([program, "-Tsvg"], input=dot, capture_output=True, text=True, encoding="utf-8", check=False)
    if drawn.returncode != 0:
        raise DrawingUnavailable(f"graphviz refused the text: {drawn.stderr.strip()}")
    return drawn.stdout


def _node(place: str, traced: TraceNode) -> str:
    operation = traced.node.operation
    if operation is None:
        return f'  {place} [shape=plaintext, width=0.3, label="{_quoted(traced.label)}"];'
    name = operation.sign or operation.name
    shape = "circle, width=0.5, fixedsize=true" if len(name) <= 3 else "box, style=rounded"
    given = f'<BR/><FONT POINT-SIZE="9" COLOR="gray40">{escape(traced.node.name)}</FONT>' if traced.node.name else ""
    return f"  {place} [shape={shape}, label=<{escape(name)}{given}>];"


def _edge(name: str, start: str, end: str, value: str, gradient: str) -> str:
    table = (
        '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">'
        f'<TR><TD><FONT COLOR="{VALUE_COLOR}">{_cell(value)}</FONT></TD></TR><HR/>'
        f'<TR><TD><FONT COLOR="{GRADIENT_COLOR}">{_cell(gradient)}</FONT></TD></TR></TABLE>'
    )
    return (
        f"  {name} [shape=plain, fontsize=11, label=<{table}>];\n  {start} -> {name}:w [dir=none]; {name}:e -> {end};"
    )


def _cell(text: str) -> str:
    # Graphviz takes an empty FONT for a syntax error.
    return escape(text) or " "


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
