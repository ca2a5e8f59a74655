"""The engine's objects as targets of the check: graphs, operations, the network, each with a wrong twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import assert_gradients, check
from pytest_gradcheck.engine import Graph, LectureNetwork, affine, concatenate, maximum, sources, tanh, where
from tests.engine.test_network import DeltaWithoutSlope, OuterTransposed, WrongB, WrongX, point


def names(report: Any) -> list[str]:
    return [a.name for a in report.arguments]


def test_a_graph_with_the_names_of_its_sources() -> None:
    x, y, z = sources(x=1, y=2, z=0)
    f = ((x + y) * maximum(y, z)).named("f")
    report = assert_gradients(Graph(f), 1.0, 2.0, 0.0)
    assert (report.layer, names(report)) == ("f", ["x", "y", "z"])
    assert names(check(f, 1.0, 2.0, 0.0)) == ["x", "y", "z"]
    same = sources(x=1.0)[0] * x
    assert names(check(same, 1.0, 2.0)) == ["x", "input1"]


def test_a_graph_of_a_wrong_operation_is_caught() -> None:
    wrong = tanh.with_rule("x", lambda u, out, x: u * (1 - out))
    W, x, b = sources(W=np.ones((2, 3)), x=[0.1, 0.2, 0.3], b=[0.4, 0.5])
    graph = Graph(wrong(affine(W, x, b)), [W, x, b])
    assert check(graph, *(n.value for n in (W, x, b))).verdict == "fail"


def test_an_operation_by_itself_and_with_parameters() -> None:
    assert names(assert_gradients(maximum, np.ones(2), np.array([0.0, 1.0]))) == ["x", "y"]
    assert names(assert_gradients(where, np.array([True, False]), np.ones(2), np.zeros(2))) == ["x", "y"]
    parts = np.ones((2, 1)), np.ones((2, 2))
    assert names(assert_gradients(concatenate, *parts, kwargs={"axis": 1})) == ["input0", "input1"]
    assert check(concatenate.as_layer(axis=1), *parts).passed


def test_ties_pass_and_a_tie_given_to_both_does_not() -> None:
    at = np.array([1.0, 2.0]), np.array([1.0, 0.0])
    assert check(maximum, *at).passed
    greedy = maximum.with_rule("x", lambda u, out, x, y: u * (x >= y)).with_rule("y", lambda u, out, x, y: u * (y >= x))
    assert check(greedy, *at).verdict == "fail"


def test_the_lectures_network() -> None:
    report = assert_gradients(LectureNetwork(), *point())
    assert names(report) == ["x", "W", "b", "u"]


@pytest.mark.parametrize("wrong", [DeltaWithoutSlope, OuterTransposed, WrongX, WrongB])
def test_wrong_twins_of_the_network_are_caught(wrong: type[LectureNetwork]) -> None:
    assert check(wrong(), *point()).verdict == "fail"


def test_what_is_no_layer_of_the_engine_is_left_to_others() -> None:
    class Double:
        def forward(self, x: Any) -> Any:
            return 2 * x

        def backward(self, upstream: Any) -> Any:
            return 2 * upstream

    assert check(Double(), np.ones(3)).layer == "Double"
