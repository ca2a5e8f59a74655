"""The graph of a layer of the engine: values going right, gradients coming left."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from pytest_gradcheck.target import Target

#: Larger graphs cannot be read; `pytest_gradcheck.shrink` finds their part that is wrong.
MOST_NODES = 60


def graph_of(target: Target) -> dict[str, Any] | None:
    """`dot` (graphviz's language), `text` (the trace as lines), `nodes` and `note` of an engine graph, else None."""
    engine: Any = sys.modules.get("pytest_gradcheck.engine")
    graph = target.layer
    if engine is None or not isinstance(graph, engine.Graph):
        return None
    note = "" if _as_built(graph, target) else "at the values that the graph was built with"
    if len(graph.nodes) > MOST_NODES:
        return {
            "dot": "",
            "text": "",
            "nodes": len(graph.nodes),
            "note": f"too large to be drawn: {MOST_NODES} nodes fit",
        }
    output = graph.output
    upstream = None if output.size == 1 else np.ones(output.shape)
    traced = engine.Trace(graph, upstream)
    if upstream is not None:
        note = "; ".join(filter(None, [note, "for an upstream of ones"]))
    return {"dot": traced.to_dot(), "text": str(traced), "nodes": len(graph.nodes), "note": note}


def _as_built(graph: Any, target: Target) -> bool:
    values = [argument.value for argument in target.arguments]
    built = [node.value for node in graph.inputs]
    return len(values) == len(built) and all(map(np.array_equal, values, built))
