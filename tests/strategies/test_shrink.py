"""Layer shrinking: the smallest part of a failing graph is found, and no right graph is shrunk."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import engine
from pytest_gradcheck.engine import OPERATIONS, Graph, source
from pytest_gradcheck.errors import InvalidInput
from pytest_gradcheck.shrink import smallest_failing


def numerically_wrong(graph: Graph) -> bool:
    """An independent judge: central differences, entry by entry."""
    inputs = [np.array(n.value) for n in graph.inputs]
    upstream = np.linspace(0.5, 1.5, graph.output.size).reshape(graph.output.shape)
    graph.forward(*inputs)
    for x, declared in zip(inputs, graph.backward(upstream), strict=True):
        for index in np.ndindex(x.shape):
            was, h = x[index], 1e-5
            x[index] = was + h
            up = graph.forward(*inputs)
            x[index] = was - h
            numeric = (upstream * (up - graph.forward(*inputs))).sum() / (2 * h)
            x[index] = was
            if abs(numeric - declared[index]) > 1e-4 * (1 + abs(numeric)):
                return True
    return False


def wrong(name: str) -> engine.Operation:
    argument = OPERATIONS[name].arguments[0]
    right = OPERATIONS[name].rules[argument]
    assert right is not None
    return OPERATIONS[name].with_rule(argument, lambda *a, **k: 1.1 * right(*a, **k))


def names(graph: Graph) -> list[str]:
    return [n.operation.name for n in graph.nodes if n.operation is not None and n not in graph.cut]


@pytest.mark.parametrize("name", ["tanh", "multiply", "softmax", "sum", "matmul"])
def test_a_wrong_rule_is_found_alone(name: str) -> None:
    op = {**OPERATIONS, name: wrong(name)}
    x, w = source([[0.3, -0.7], [1.1, 0.4]], "x"), source([[0.5, 0.2], [-0.3, 0.8]], "w")
    h = op["tanh"](op["matmul"](x, w) + x)
    p = op["softmax"](op["multiply"](h, h) - w)
    loss = op["sum"](op["matmul"](p, h) * x)
    part = smallest_failing(Graph(loss), numerically_wrong)
    assert names(part) == [name]
    assert numerically_wrong(part)


class Forgetful(Graph):
    """A graph whose backward keeps the last downstream at a fork, instead of their sum."""

    def backward(self, upstream: Any) -> tuple[Any, ...]:
        run = self.run()
        last: dict[Any, Any] = {self.output: np.asarray(upstream)}
        for node in reversed(self.nodes):
            if node in last and node.operation is not None and node not in self.cut:
                inputs = [run.values[o] for o in node.operands]
                for position, operand in enumerate(node.operands):
                    if operand in self.varying:
                        last[operand] = node.operation.downstream(
                            position, last[node], run.values[node], inputs, node.parameters
                        )
        return tuple(last.get(n, np.zeros(n.shape)) for n in self.inputs)


def test_a_wrong_fork_is_found_with_its_ends() -> None:
    # x has two users: a part with one of them alone has no fork, and is right.
    x, y = source([0.3, 0.9], "x"), source([1.5, -0.5], "y")
    a = engine.tanh(x)
    output = (a + engine.exp(y)) * engine.sigmoid(x)
    part = smallest_failing(Graph(output), lambda g: numerically_wrong(Forgetful(g.output, g.inputs)))
    assert sorted(names(part)) in (["add", "multiply", "sigmoid", "tanh"], ["add", "multiply", "tanh", "sigmoid"])
    assert part.inputs.count(x) == 1


def test_a_fork_at_one_operation_needs_that_operation_alone() -> None:
    x = source([0.3, 0.9], "x")
    output = engine.exp(engine.tanh(x) * engine.tanh(x)) + x
    part = smallest_failing(Graph(x * x + output), lambda g: numerically_wrong(Forgetful(g.output, g.inputs)))
    assert names(part) == ["multiply"]


def test_with_no_parts_tried_the_greedy_answer_still_cannot_lose_an_operation() -> None:
    bad = wrong("tanh")
    x = source([0.3, 0.9], "x")
    output = engine.exp(bad(engine.sigmoid(x) + x)) * x
    part = smallest_failing(Graph(output), numerically_wrong, limit=0)
    assert names(part) == ["tanh"]


def test_inputs_of_a_part_have_the_values_of_the_whole() -> None:
    bad = wrong("tanh")
    x = source([0.3, 0.9], "x")
    part = smallest_failing(Graph(engine.exp(bad(engine.sigmoid(x)))), numerically_wrong)
    assert np.array_equal(part.inputs[0].value, engine.sigmoid(x).value)


def test_a_right_graph_has_nothing_to_shrink() -> None:
    x = source([0.3, 0.9], "x")
    with pytest.raises(InvalidInput, match="does not fail: there is nothing to shrink"):
        smallest_failing(Graph(engine.tanh(x)), numerically_wrong)


def test_a_decision_counts_no_gradient() -> None:
    bad = wrong("tanh")
    x, y = source([0.3, 0.9], "x"), source([1.0, 0.2], "y")
    output = engine.where(x > y, bad(x), y * y)
    assert names(smallest_failing(Graph(output), numerically_wrong)) == ["tanh"]
