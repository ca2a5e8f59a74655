"""A graph that is wrong: the operation that is wrong by itself is named, with its own cause."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_gradcheck import check, nodes
from pytest_gradcheck.engine import OPERATIONS, Graph, Node, exp, log, source
from pytest_gradcheck.verdict import Report

DOUBLED = OPERATIONS["exp"].with_rule("x", lambda u, out, x: 2 * u * out)
HALVED = OPERATIONS["tanh"].with_rule("x", lambda u, out, x: 0.5 * u * (1 - out**2))


def sources() -> tuple[Node, Node, Node]:
    return source([0.3, 0.9], "x"), source([1.0, 2.0], "y"), source([1.5, 0.5], "z")


def test_the_node_leads_the_message() -> None:
    x, y, z = sources()
    report = check(Graph(log(1.0 + DOUBLED(x * z)) + x * y))
    lines = str(report).splitlines()
    assert lines[1:4] == [
        "  likely factor: node 4 (exp): the declared gradient of x is 2 times the true one",
        "    node 4 (exp) is wrong when checked alone, at the values that reach it; the other 5 are right",
        "    declared / numeric = 2.0000 +- 1e-11 on all 2 entries of x",
    ]
    assert "  or factor: wrong too, behind node 4 (exp)" in lines
    assert [(f.argument, f.kind) for f in report.findings] == [("z", "factor"), ("x", "factor")]
    # Declared and numeric numbers are those of the graph's own arguments.
    assert report.findings[0].entries[0].index in ((0,), (1,))


def test_of_two_the_first_leads_and_what_does_not_reach_it_keeps_its_own_cause() -> None:
    x, y, _ = sources()
    report = check(Graph(HALVED(x) * DOUBLED(y)))
    found = {finding.argument: finding for finding in report.findings if finding.confidence > 0.9}
    assert found["x"].message == "node 1 (tanh): the declared gradient of x is 1/2 times the true one"
    assert found["x"].evidence[0] == (
        "node 1 (tanh) is wrong when checked alone, at the values that reach it, so is node 3 (exp); "
        "the other 1 is right"
    )
    assert found["y"].message == "the declared gradient of y is 2 times the true one"


def test_the_node_is_found_at_the_values_given_and_with_an_argument_left_out() -> None:
    x, y, z = sources()
    graph = Graph(OPERATIONS["relu"](x) * HALVED(y) + z)
    report = check(graph, np.array([2.0, 3.0, 4.0]), np.ones(3), np.zeros(3), wrt=["y", "z"])
    assert report.findings[0].message.startswith("node 3 (tanh): ")
    assert report.findings[0].total == 3


def test_a_right_graph_and_a_layer_that_is_none_are_not_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, _ = sources()
    right, wrong = Graph(exp(x) * y), OPERATIONS["tanh"].with_rule("x", lambda u, out, x: u)

    def never(*_: object) -> Report:
        raise AssertionError

    monkeypatch.setattr(nodes, "steps", never)
    assert check(right).passed
    assert check(wrong, np.array([0.5, 1.0])).verdict == "fail"
    with pytest.raises(AssertionError):
        check(Graph(DOUBLED(x)))
