"""What a layer's author may declare: a forward that is a solver, and a backward that is meant to be another's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check, declare
from pytest_gradcheck.errors import InvalidInput, LayerError
from tests.check.layers import Array, Unary, normal

ROOTS = np.array([2.0, 3.0, 5.0, 7.0])


def heron(steps: int, factor: float = 1.0) -> Unary:
    """The square root after so many of Heron's steps; the declared slope is that of the true root."""

    def f(a: Array) -> Any:
        y = np.array(a)
        for _ in range(steps):
            y = (y + a / y) / 2
        return y

    return Unary(f, lambda a: factor * 0.5 / np.sqrt(a))


def asks_for_accuracy(report: Any) -> list[str]:
    return [line for f in report.findings for line in f.evidence if "is this a solver's tolerance?" in line]


def test_an_unfinished_iteration_undeclared_is_asked_about() -> None:
    report = check(heron(4), ROOTS)
    assert report.verdict == "fail"
    (question, *_) = asks_for_accuracy(report)
    assert question.startswith("is this a solver's tolerance? then declare accuracy=")
    asked = float(question.rpartition("=")[2])
    assert 1e-5 < asked < 1e-3
    assert question in str(report)


def test_what_the_question_proposes_is_enough() -> None:
    (question, *_) = asks_for_accuracy(check(heron(4), ROOTS))
    assert check(heron(4), ROOTS, accuracy=float(question.rpartition("=")[2])).passed


def test_a_large_error_and_one_in_few_entries_are_no_solvers() -> None:
    assert asks_for_accuracy(check(heron(20, 1.1), ROOTS)) == []
    few = Unary(np.sqrt, lambda a: 0.5 / np.sqrt(a) * np.where(np.arange(40) == 3, 1 + 1e-5, 1.0))
    report = check(few, 2 + np.abs(normal(40)))
    assert report.verdict == "fail"
    assert asks_for_accuracy(report) == []


@pytest.mark.parametrize("steps", [3, 4, 5, 20])
def test_a_declared_accuracy_covers_what_the_iteration_leaves(steps: int) -> None:
    left = float(np.abs(heron(steps).f(ROOTS) / np.sqrt(ROOTS) - 1).max())
    assert check(heron(steps), ROOTS, accuracy=max(10 * left, 1e-12), contract="off").verdict != "fail"


@pytest.mark.parametrize("accuracy", [1e-6, 1e-5, 1e-4])
def test_and_nothing_beyond_it(accuracy: float) -> None:
    report = check(heron(6, 1.1), ROOTS, accuracy=accuracy)
    assert report.verdict == "fail"
    assert check(heron(6, 1.0), ROOTS, accuracy=accuracy).passed


def test_a_declared_accuracy_is_in_every_report() -> None:
    for factor in (1.0, 1.1):
        report = check(heron(20, factor), ROOTS, accuracy=1e-6)
        assert "forward is declared accurate to 1e-06: every error bar is wider" in report.notes
        assert "1e-06" in str(report)
    assert "accurate" not in str(check(heron(20), ROOTS))


def test_a_declared_accuracy_is_a_coarser_sharpness() -> None:
    assert check(heron(20), ROOTS).sharpness["x"] < 1e-8
    assert check(heron(20), ROOTS, accuracy=1e-5).sharpness["x"] > 1e-5


@pytest.mark.parametrize(
    "wrong", [0.0, 2.0, -1.0, np.array([1, 1, 1, 1, 1.5, 0.5])], ids=["zero", "two", "sign", "few"]
)
@pytest.mark.parametrize("size", [1e-4, 1e-3, 1e-2, 1.0])
def test_what_a_declared_accuracy_hides_is_not_said_to_be_right(size: float, wrong: Any) -> None:
    """exp beside zero moves by a part of what its accuracy leaves: a slope of zero would be as good as any."""
    x, seeds = size * normal(6), range(5)
    verdicts = [check(Unary(np.exp, lambda x: wrong * np.exp(x)), x, accuracy=1e-5, seed=s).verdict for s in seeds]
    assert "pass" not in verdicts
    assert size < 1e-2 or set(verdicts) == {"fail"}
    right = [check(Unary(np.exp, np.exp), x, accuracy=1e-5, seed=s).verdict for s in seeds]
    assert "fail" not in right
    assert size < 1e-2 or set(right) == {"pass"}


def test_zero_is_right_where_nothing_moves_though_an_accuracy_is_declared() -> None:
    x = normal(6)
    assert check(Unary(lambda x: 0 * x + 1, lambda x: 0 * x), x, accuracy=1e-5).passed
    assert check(Unary(np.floor, lambda x: 0 * x), x, accuracy=1e-5).passed


class Rounded:
    """A quantiser with the straight-through estimator: its backward passes on what comes, times `factor`."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def forward(self, x: Array) -> Any:
        return np.round(x)

    def backward(self, upstream: Array) -> Any:
        return self.factor * upstream


def identity(x: Array) -> Any:
    return 1.0 * x


def test_a_straight_through_estimator_is_wrong_as_long_as_it_is_not_declared() -> None:
    assert check(Rounded(), normal(5)).verdict == "fail"


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "pass"), (1.01, "fail"), (0.0, "fail"), (-1.0, "fail")])
def test_declared_it_is_checked_against_the_other_forward(factor: float, verdict: str) -> None:
    report = check(declare.surrogate(Rounded(factor), forward=identity, reason="straight-through"), normal(5))
    assert report.verdict == verdict
    assert "checked against the surrogate identity: straight-through" in report.notes
    assert "checked against the surrogate identity: straight-through" in str(report)
    assert "checked against the surrogate identity: straight-through" in report.to_plain()["notes"]


def test_a_spiking_layer_has_the_slope_of_a_soft_threshold() -> None:
    def soft(x: Array) -> Any:
        return np.arctan(3 * x) / 3

    right = Unary(lambda x: (x > 0) * 1.0, lambda x: 1 / (1 + 9 * x * x))
    wrong = Unary(lambda x: (x > 0) * 1.0, lambda x: 1 / (1 + 3 * x * x))
    for layer, verdict in ((right, "pass"), (wrong, "fail")):
        report = check(declare.surrogate(layer, forward=soft, reason="spikes"), normal(20))
        assert report.verdict == verdict


@pytest.mark.parametrize("reason", ["", None, 3])
def test_a_surrogate_needs_a_reason(reason: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        declare.surrogate(Rounded(), forward=identity, reason=reason)
    assert str(caught.value) == f"surrogate needs a reason in words, got {reason!r}: say why the backward is another's"


def test_the_other_forward_must_give_the_same_shape() -> None:
    with pytest.raises(LayerError, match="the output of the surrogate sums has shapes"):
        check(declare.surrogate(Rounded(), forward=sums, reason="none"), normal(5))


def sums(x: Array) -> Any:
    return x.sum(keepdims=True)
