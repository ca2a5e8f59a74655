"""`check_chain`: every member at the values that reach it, and the first wrong one by name."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import ChainReport, InvalidInput, LayerError, check_chain
from pytest_gradcheck.engine import OPERATIONS, Graph, source
from pytest_gradcheck.target import Array

from .conftest import Run

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.5]])


class Scale:
    """Right where factor is one, wrong elsewhere; remembers what has reached it."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def forward(self, x: Array) -> Array:
        self.x = x
        return np.asarray(2 * x)

    def backward(self, upstream: Array) -> Array:
        return np.asarray(2 * self.factor * upstream)


class Squeeze(Scale):
    """Right: tanh."""

    def forward(self, x: Array) -> Array:
        self.y = np.tanh(x)
        return self.y

    def backward(self, upstream: Array) -> Array:
        return np.asarray(upstream * (1 - self.y**2))


class OnlyBelowOne(Scale):
    """Its backward is right for inputs below one only: that is all that it is ever given in the chain."""

    def forward(self, x: Array) -> Array:
        self.x = x
        return np.asarray(x**2)

    def backward(self, upstream: Array) -> Array:
        return np.asarray(upstream * 2 * self.x * np.where(np.abs(self.x) < 1, 1, 3))


class Embedding:
    """Integers go in, rows of W come out."""

    def __init__(self) -> None:
        self.W = np.linspace(-1, 1, 12).reshape(4, 3)

    def forward(self, rows: Array) -> Array:
        self.rows = rows
        return np.asarray(self.W[rows])

    def backward(self, upstream: Array) -> None:
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.rows, upstream)


class Split:
    """Two outputs, which are the two inputs of the next."""

    def forward(self, x: Array) -> tuple[Array, Array]:
        return x * 2, x * 3

    def backward(self, upstream: tuple[Array, Array]) -> Array:
        return np.asarray(2 * upstream[0] + 3 * upstream[1])


class Product:
    def forward(self, a: Array, b: Array) -> Array:
        self.a, self.b = a, b
        return np.asarray(a * b)

    def backward(self, upstream: Array) -> tuple[Array, Array]:
        return upstream * self.b, upstream * self.a


def test_a_right_chain_passes_with_a_report_of_each_member() -> None:
    report = check_chain([Scale(), Squeeze(), Scale()], X)
    assert report.passed
    assert report.first_wrong is None
    assert [member.layer for member in report.members] == [
        "layers[0] (Scale)",
        "layers[1] (Squeeze)",
        "layers[2] (Scale)",
    ]
    assert [argument.name for argument in report.arguments] == ["layers[0].x", "layers[1].x", "layers[2].x"]


def test_the_first_wrong_member_is_named_and_leads() -> None:
    report = check_chain([Scale(), Scale(3.0), Squeeze(), Scale(5.0)], X)
    assert report.verdict == "fail"
    assert report.first_wrong is report.members[1]
    assert [member.passed for member in report.members] == [True, False, True, False]
    assert report.findings[0].argument == "layers[1].x"
    assert report.findings[0].message.startswith("the first wrong member is layers[1] (Scale): ")
    assert str(report).startswith("chain of 4 layers: the declared backward is wrong: layers[1].x in 6 of 6 entries")


def test_members_are_checked_at_the_values_that_reach_them() -> None:
    assert not check_chain([OnlyBelowOne()], X).passed
    assert check_chain([Squeeze(), OnlyBelowOne()], X).passed


def test_integers_go_in_and_parameters_are_checked() -> None:
    report = check_chain([Embedding(), Squeeze()], np.array([0, 2, 2]))
    assert report.passed
    assert "layers[0].W" in [argument.name for argument in report.arguments]


def test_several_outputs_are_the_inputs_of_the_next() -> None:
    report = check_chain([Split(), Product()], X)
    assert report.passed
    assert [a.name for a in report.arguments] == ["layers[0].x", "layers[1].a", "layers[1].b"]


class Rounds:
    """Whole numbers come in and floats go out: nothing to differentiate."""

    def forward(self, x: Array) -> Array:
        return x.astype(np.float64)

    def backward(self, upstream: Array) -> None:
        return None


def test_a_member_with_nothing_to_differentiate_is_noted() -> None:
    report = check_chain([Rounds(), Scale()], np.arange(3))
    assert report.passed
    assert len(report.members) == 1
    assert report.notes[0] == "layers[0] has nothing to differentiate, its output goes on"


def test_a_graph_of_the_engine() -> None:
    x, y = source(X, "x"), source(X + 3, "y")
    graph = Graph((x * y).named("product") + OPERATIONS["tanh"](x))
    report = check_chain(graph)
    assert report.passed
    assert [m.layer.split("(")[1] for m in report.members] == ["product)", "tanh)", "add)"]
    wrong = OPERATIONS["tanh"].with_rule("x", lambda upstream, output, x: upstream * (1 - output))
    report = check_chain(Graph(wrong(x * y) * y))
    assert report.first_wrong is not None
    assert "(tanh)" in report.first_wrong.layer


def test_a_graph_at_other_values_of_its_inputs() -> None:
    x = source(X, "x")
    report = check_chain(Graph(OPERATIONS["exp"](x)), np.zeros((1, 2)))
    assert report.arguments[0].shape == (1, 2)


def test_of_a_graph_only_what_lies_between_input_and_output_is_checked() -> None:
    x = source(X, "x")
    middle = OPERATIONS["exp"](x)
    side = OPERATIONS["sqrt"](source(X + 3, "side"))
    report = check_chain(Graph(OPERATIONS["tanh"](middle) * side, [middle]))
    assert [m.layer.split("(")[1] for m in report.members] == ["tanh)", "multiply)"]


def test_a_sequential_of_torch() -> None:
    torch = pytest.importorskip("torch")

    class Wrong(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            return upstream * 3

    class Layer(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return Wrong.apply(x)

    right = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh())
    assert check_chain(right, X).passed
    report = check_chain(torch.nn.Sequential(torch.nn.Linear(3, 2), Layer(), torch.nn.Tanh()), X)
    assert [member.passed for member in report.members] == [True, False, True]


class Raises(Scale):
    def forward(self, x: Array) -> Array:
        raise KeyError("no such weight")


@pytest.mark.parametrize(
    ("layers", "kind", "sentence"),
    [
        ([], InvalidInput, "no member of the chain was checked"),
        (Scale(), InvalidInput, "check_chain got Scale: give a list of layers, a Sequential or a graph"),
        ([Scale(), Raises()], LayerError, r"layers\[1\] \(Raises\): "),
        ([Raises(), Scale()], LayerError, r"layers\[0\] \(Raises\): "),
        ([Scale(), object()], Exception, r"layers\[1\] \(object\): object is not understood as a layer"),
    ],
)
def test_what_is_no_chain_is_refused(layers: Any, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind, match=sentence):
        check_chain(layers, X)


def test_a_chain_report_is_plain_enough_to_travel() -> None:
    plain = check_chain([Scale(), Scale(2.0)], X).to_plain()
    assert plain["members"][1]["verdict"] == "fail"
    assert isinstance(check_chain([Scale()], X), ChainReport)


def test_the_fixture_checks_a_chain(run: Run) -> None:
    source = (
        "def test_right(gradcheck):\n"
        "    assert len(gradcheck.chain([Square(), Cube()], X).members) == 2\n"
        "def test_wrong(gradcheck):\n"
        "    gradcheck.chain([Square(), Wrong(), Cube()], X, seed=3)\n"
    )
    result = run(source)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*GradientMismatch: chain of 3 layers: the declared backward is wrong: layers[[]1[]].x in 6 of 6 entries",
            "E*the first wrong member is layers[[]1[]] (Wrong): *",
        ]
    )
    assert re.search(r"repeat: pytest .*--gradcheck-seed=3", result.stdout.str())
