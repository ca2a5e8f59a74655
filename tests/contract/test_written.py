"""What the layer writes: inputs, parameters and upstream, each named with the first changed index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check
from pytest_gradcheck.target import Argument, Array, Target
from tests.contract.trial import DENSE, Dense, Square, X, normal, trial


class ClippedInPlace(Square):
    def forward(self, x: Array) -> Any:
        x[x < 0] = 0
        return super().forward(x)


class UsedUp(Square):
    def backward(self, upstream: Array) -> Any:
        self.x *= 2 * upstream
        return (self.x.copy(),)


class OverUpstream(Square):
    def backward(self, upstream: Array) -> Any:
        upstream *= 2 * self.x
        return (upstream,)


class Reshaping(Square):
    def forward(self, x: Array) -> Any:
        x.shape = (x.size,)
        return super().forward(x.reshape(-1, 3))


def test_an_input_changed_by_forward() -> None:
    x = np.array([[1.0, 2.0], [-0.5, -3.0]])
    seen = trial(ClippedInPlace(), x)
    assert seen.kinds == [("mutation", "x")]
    assert seen.findings[0].indices == ((1, 0), (1, 1))
    assert seen.message == (
        "forward of ClippedInPlace writes into x, first at index [1, 0]: -0.5 became 0 (2 of 4 entries): work on a copy"
    )


def test_an_input_changed_by_backward() -> None:
    seen = trial(UsedUp(), X)
    assert seen.kinds[0] == ("mutation", "x")
    assert seen.message.startswith("backward of UsedUp writes into x, first at index [0, 0]:")


def test_an_input_reshaped_in_place() -> None:
    seen = trial(Reshaping(), X, contract="values")
    assert ("mutation", "x") in seen.kinds
    assert "writes into x: its shape (4, 3) became (12,): work on a copy" in seen.message


class Rows:
    """Picks rows by their indices, which `forward` or `backward` may write into."""

    def __init__(self, stage: str, factor: float = 1.0) -> None:
        self.stage, self.factor = stage, factor

    def forward(self, x: Array, rows: Array) -> Any:
        self.shape, self.given, self.rows = x.shape, rows, rows.copy()
        self._spoil("forward")
        return x[self.rows]

    def backward(self, upstream: Array) -> Any:
        gradient = np.zeros(self.shape)
        np.add.at(gradient, self.rows, self.factor * upstream)
        self._spoil("backward")
        return gradient, None

    def _spoil(self, stage: str) -> None:
        if stage == self.stage:
            self.given -= 1


@pytest.mark.parametrize("stage", ["forward", "backward"])
def test_an_input_that_is_passed_through(stage: str) -> None:
    rows = np.array([3, 1, 1])
    report = check(Rows(stage), X, rows)
    assert [(f.kind, f.argument) for f in report.findings] == [("mutation", "rows")]
    assert report.findings[0].message == (
        f"{stage} of Rows writes into rows, first at index [0]: 3 became 2 (3 of 3 entries): work on a copy"
    )
    assert rows.tolist() == [3, 1, 1]
    # The numbers are judged all the same, each forward with the rows that were given.
    assert {f.argument for f in check(Rows(stage, 1.01), X, rows).findings} == {"rows", "x"}
    assert check(Rows("never"), X, rows).passed


def test_the_upstream_changed_by_backward() -> None:
    seen = trial(OverUpstream(), X)
    assert seen.kinds == [("mutation", "upstream")]
    assert seen.message.startswith("backward of OverUpstream writes into upstream, first at index [0, 0]:")


def test_a_write_that_changes_nothing_shows_at_a_read_only_upstream() -> None:
    class Masking(Square):
        def backward(self, upstream: Array) -> Any:
            upstream[self.x > 1e3] = 0
            return super().backward(upstream)

    seen = trial(Masking(), X)
    assert seen.kinds == [("mutation", "upstream")]
    assert seen.message == (
        "backward of Masking changes upstream in place: a read-only or strided one raised ValueError "
        "(assignment destination is read-only): work on a copy"
    )


def test_an_upstream_reshaped_in_place_and_back() -> None:
    class Flattening(Square):
        def backward(self, upstream: Array) -> Any:
            shape = upstream.shape
            upstream.shape = (upstream.size,)
            flat = upstream.copy()
            upstream.shape = shape
            return super().backward(flat.reshape(shape))

    seen = trial(Flattening(), X)
    assert seen.kinds == [("mutation", "upstream")]
    assert "Incompatible shape for in-place modification" in seen.message


def test_the_second_of_two_inputs() -> None:
    class Shifting(Dense):
        def forward(self, x: Array, W: Array, b: Array) -> Any:
            W += 1
            return super().forward(x, W, b)

    assert trial(Shifting(), *DENSE).kinds == [("mutation", "W")]


class Held(Target):
    """A target whose layer holds a weight that is no argument."""

    name = "Held"

    def __init__(self, weight: Array, x: Array, step: float) -> None:
        self.layer = self
        self.weight, self.step = weight, step
        self.arguments = (Argument("x", x),)

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        return (values[0] @ self.weight,)

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        gradient = upstream[0] @ self.weight.T
        self.weight -= self.step * gradient.sum()
        return (gradient,)

    def fresh(self) -> Target | None:
        return Held(self.weight.copy(), self.arguments[0].value, self.step)

    def parameters(self) -> tuple[Array, ...]:
        return (self.weight,)


def test_a_parameter_trained_on_the_way() -> None:
    x, weight = normal((4, 3), (3, 2))
    assert not trial(None, target=Held(weight.copy(), x, 0.0)).findings
    seen = trial(None, target=Held(weight.copy(), x, 0.1), contract="values")
    assert seen.findings[0].kind == "mutation"
    assert seen.message.startswith("a call of Held writes into parameter 0 of shape (3, 2), first at index [0, 0]:")


def test_the_callers_arrays_are_as_they_were() -> None:
    x = X.copy()
    for layer in (ClippedInPlace(), UsedUp(), OverUpstream(), Reshaping()):
        trial(layer, x, contract="values")
        assert x.shape == X.shape
        assert (x == X).all()


class DoubledInPlace:
    """Writes into x; its numbers are right, and those of W off by a factor where it is told so."""

    def __init__(self, of_w: float) -> None:
        self.of_w = of_w

    def forward(self, x: Array, W: Array) -> Any:
        x *= 2
        self.x, self.W = x.copy(), W.copy()
        return np.tanh(self.x @ self.W)

    def backward(self, upstream: Array) -> Any:
        inner = upstream * (1 - np.tanh(self.x @ self.W) ** 2)
        return 2 * inner @ self.W.T, self.of_w * (self.x.T @ inner)


def test_the_numbers_of_a_layer_that_writes_into_its_inputs_are_measured_all_the_same() -> None:
    inputs = normal((2, 3), (3, 2))
    report = check(DoubledInPlace(1.0), *inputs)
    assert [f.kind for f in report.findings] == ["mutation"]
    # Had forward been given the arrays that are moved, each call would have doubled them again.
    assert report.notes == ()
    assert all(a.verdict == "pass" and a.error < 1 for a in report.arguments)
    wrong = check(DoubledInPlace(1.5), *inputs)
    assert [(f.kind, f.argument) for f in wrong.findings] == [("mutation", "x"), ("factor", "W")]
    assert wrong.findings[1].evidence[0].startswith("declared / numeric = 1.5000 +- ")
