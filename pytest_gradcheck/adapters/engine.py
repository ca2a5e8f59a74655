"""The engine's own: a graph, a node, an operation, the lecture's network.

A graph or a node that is given without inputs is checked at the values that its sources have.
"""

from __future__ import annotations

import sys
from typing import Any

from pytest_gradcheck.target import Target

from .binding import Inputs
from .objects import ObjectTarget


class EngineTarget(ObjectTarget):
    """A layer of the engine, whose arguments have the names of its nodes or rules."""

    convention = "engine"

    def __init__(self, layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> None:
        super().__init__(layer, inputs, kwargs)
        self.name = name
        names = getattr(layer, "argument_names", None)
        if names is not None and len(names) == len(inputs):
            self.inputs = Inputs(inputs, names, owner=name)
            self.arguments, self.positions = self.inputs.arguments, self.inputs.names
            self.passed_through = self.inputs.passed_through


def adapt(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Target | None:
    """A target around a layer of the engine, or None."""
    engine = sys.modules["pytest_gradcheck.engine"]
    if isinstance(layer, engine.Operation):
        return EngineTarget(layer.as_layer(**kwargs), inputs, {}, layer.name)
    if isinstance(layer, engine.OperationLayer):
        return EngineTarget(layer, inputs, kwargs, layer.operation.name)
    if isinstance(layer, engine.Node):
        layer = engine.Graph(layer)
    if isinstance(layer, engine.Graph):
        inputs = inputs or tuple(node.value for node in layer.inputs)
        return EngineTarget(layer, inputs, kwargs, layer.output.name or "graph")
    if isinstance(layer, engine.LectureNetwork):
        return EngineTarget(layer, inputs, kwargs, "lecture network")
    return None
