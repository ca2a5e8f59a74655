"""The engine's graphs, nodes, operations and network as layers, each kind with a wrong twin."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_gradcheck.adapters import adapt
from pytest_gradcheck.engine import (
    OPERATIONS,
    Graph,
    LectureNetwork,
    Node,
    maximum,
    multiply,
    relu,
    softmax,
    sources,
    tanh,
    where,
)
from tests.adapters.differences import normal, wrong

BAD_TANH = tanh.with_rule("z" if "z" in tanh.rules else next(iter(tanh.rules)), lambda u, y, *_: u * (1 - y))


def expression(f: object = tanh) -> Node:
    x, W = sources(x=normal(3), W=normal(2, 3))
    return multiply(f(x), x).named("xfx") if f is not tanh else (tanh(W @ x)).named("score")  # type: ignore[operator] # any function of nodes


def test_a_node_is_checked_at_the_values_of_its_sources() -> None:
    node = expression()
    target = adapt(node, (), {})
    assert (target.name, sorted(a.name for a in target.arguments)) == ("score", ["W", "x"])
    assert wrong(node) == []
    assert wrong(expression(BAD_TANH)) == ["x"]


def test_a_graph_with_inputs_of_its_own_and_given_ones() -> None:
    x, y, z = sources(x=1.0, y=2.0, z=0.0)
    f = (x + y) * maximum(y, z)
    graph = Graph(f, [y, x])
    assert [a.name for a in adapt(graph, (), {}).arguments] == ["y", "x"]
    assert wrong(graph) == []
    assert wrong(graph, np.float64(3.0), np.float64(-1.0)) == []
    assert wrong(f, wrt="z") == []


@pytest.mark.parametrize("f", [tanh, relu])
def test_the_lecture_network(f: object) -> None:
    inputs = (normal(3), normal(2, 3), normal(2), normal(2))
    network = LectureNetwork(f)  # type: ignore[arg-type] # any function of nodes
    target = adapt(network, inputs, {})
    assert (target.name, [a.name for a in target.arguments]) == ("lecture network", ["x", "W", "b", "u"])
    assert wrong(network, *inputs) == []


def test_a_wrong_lecture_network() -> None:
    assert wrong(LectureNetwork(BAD_TANH), normal(3), normal(2, 3), normal(2), normal(2)) == ["x", "W", "b"]


def test_operations_with_their_parameters() -> None:
    target = adapt(softmax, (normal(2, 3),), {"axis": 0})
    assert target.name == "softmax"
    assert wrong(softmax, normal(2, 3), kwargs={"axis": 0}) == []
    assert wrong(softmax.as_layer(axis=0), normal(2, 3)) == []
    assert wrong(OPERATIONS["matmul"], normal(2, 3), normal(3, 2)) == []
    assert wrong(BAD_TANH, normal(3)) == ["z" if "z" in tanh.rules else next(iter(tanh.rules))]


def test_a_condition_is_passed_through() -> None:
    inputs = (np.array([True, False, True]), normal(3), normal(3, seed=1))
    target = adapt(where, inputs, {})
    assert len(target.arguments) == 2
    assert target.passed_through == ((next(iter(where.rules)), "bool array, not differentiated"),)
    assert wrong(where, *inputs) == []
