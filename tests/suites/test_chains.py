"""`check_chain`: every member at the values that reach it, and the first wrong one by name."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import ChainReport, InvalidInput, LayerError, check_chain, declare
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

    class Wrong(torch.autograd.Function):  # type: ignore[misc, name-defined] # torch may be absent
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            return upstream * 3

    class Layer(torch.nn.Module):  # type: ignore[misc, name-defined] # torch may be absent
        def forward(self, x: Any) -> Any:
            return Wrong.apply(x)

    right = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh())
    assert check_chain(right, X).passed
    report = check_chain(torch.nn.Sequential(torch.nn.Linear(3, 2), Layer(), torch.nn.Tanh()), X)
    assert [member.passed for member in report.members] == [True, False, True]


class Squared:
    """Of a tensor, an array or a complex one; it needs what it is given to be of the type that it was told."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def forward(self, x: Any) -> Any:
        assert isinstance(x, self.kind), type(x)
        self.x = x
        return x * x

    def backward(self, upstream: Any) -> Any:
        return 2 * self.x * upstream


def test_tensors_go_on_as_tensors_where_tensors_were_given() -> None:
    torch = pytest.importorskip("torch")
    layers = [torch.nn.Linear(3, 2).double(), Squared(torch.Tensor), torch.nn.Tanh()]
    assert check_chain(layers, torch.from_numpy(X)).passed
    layers[1] = Squared(np.ndarray)
    assert check_chain(layers, X).passed


def test_a_sequential_of_torch_in_bfloat16_and_with_tuples_between() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class First(nn.Module):  # type: ignore[misc, name-defined] # torch may be absent
        def forward(self, state: Any) -> Any:
            return state[0]

    torch.manual_seed(0)
    low = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).bfloat16()
    assert check_chain(low, torch.from_numpy(X).bfloat16()).passed
    # A recurrent layer gives (output, state); a Sequential hands it on as one value.
    recurrent = nn.Sequential(nn.RNN(3, 4), First(), nn.Linear(4, 2)).double()
    report = check_chain(recurrent, torch.from_numpy(X)[:, None])
    assert (report.passed, len(report.members)) == (True, 3)


def test_the_members_of_a_sequential_inside_another_are_checked_one_by_one() -> None:
    torch = pytest.importorskip("torch")

    class Half(torch.autograd.Function):  # type: ignore[misc, name-defined] # torch may be absent
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            return upstream

    class Wrong(torch.nn.Module):  # type: ignore[misc, name-defined] # torch may be absent
        def forward(self, x: Any) -> Any:
            return Half.apply(x)

    inner = torch.nn.Sequential(torch.nn.Tanh(), Wrong())
    report = check_chain(torch.nn.Sequential(torch.nn.Linear(3, 2), inner, torch.nn.Tanh()), X)
    assert report.first_wrong is not None
    assert report.first_wrong.layer == "layers[1][1] (Wrong)"
    assert [member.passed for member in report.members] == [True, True, False, True]


class Turned:
    """x + i x."""

    def forward(self, x: Any) -> Any:
        return x + 1j * x

    def backward(self, upstream: Any) -> Any:
        return upstream.real + upstream.imag


class Length:
    """|z|², whose gradient is 2 z in the convention of real and imaginary parts."""

    factor = 2.0

    def forward(self, z: Any) -> Any:
        assert z.dtype.kind == "c"
        self.z = z
        return (z * z.conj()).real

    def backward(self, upstream: Any) -> Any:
        return self.factor * upstream * self.z


class Largest:
    """x, and where its largest entries are: the second output is no array of floats."""

    def forward(self, x: Any) -> Any:
        return 2 * x, x.argmax(1)

    def backward(self, upstream: Any, of_places: Any = None) -> Any:
        return 2 * upstream


class Pick:
    def forward(self, x: Any, places: Any) -> Any:
        self.x, self.places = x, places
        return x[np.arange(len(x)), places]

    def backward(self, upstream: Any) -> Any:
        gradient = np.zeros_like(self.x)
        gradient[np.arange(len(self.x)), self.places] = upstream
        return gradient


class Named:
    def forward(self, x: Any) -> Any:
        return {"once": x, "twice": 2 * x}

    def backward(self, upstream: Any) -> Any:
        return upstream["once"] + 2 * upstream["twice"]


class Joined:
    factor = 1.0

    def forward(self, pair: Any) -> Any:
        self.pair = pair
        return pair["once"] * pair["twice"]

    def backward(self, upstream: Any) -> Any:
        once, twice = self.pair["once"], self.pair["twice"]
        return {"once": upstream * twice, "twice": self.factor * upstream * once}


@pytest.mark.parametrize("layers", [[Turned(), Length()], [Largest(), Pick()], [Named(), Joined()]])
def test_what_is_no_plain_array_goes_on_as_it_is(layers: Any) -> None:
    assert check_chain(layers, X).passed


def test_a_wrong_member_after_such_a_value_is_seen() -> None:
    for first, last in ((Turned(), Length()), (Named(), Joined())):
        last.factor *= 1.1
        report = check_chain([first, last], X)
        assert [member.passed for member in report.members] == [True, False]


def test_after_a_surrogate_goes_on_what_the_layer_itself_makes() -> None:
    class Rounded:
        def forward(self, x: Any) -> Any:
            return np.round(x)

        def backward(self, upstream: Any) -> Any:
            return np.array(upstream)

    class Whole(Squared):
        def forward(self, x: Any) -> Any:
            if not hasattr(self, "x"):
                assert np.array_equal(x, np.round(x))
            return super().forward(x)

    surrogate = declare.surrogate(Rounded(), forward=lambda x: x, reason="trained through it")
    assert check_chain([surrogate, Whole(np.ndarray)], X + 0.3).passed


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
