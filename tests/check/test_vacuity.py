"""Where nothing was really compared a pass says so, and looks for a point where something is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check
from pytest_gradcheck.domain import negative
from tests.check.layers import Array, Function, Unary, normal

ZERO = "nothing was compared: declared and numeric gradients are zero everywhere"
MIRRORED = "nothing was compared at the inputs, where all gradients are zero: they were negated instead"

CONSTANT = Unary(np.ones_like, np.zeros_like)


class Ignoring:
    """sin(x), whatever y is; `leak` is the gradient declared for y."""

    def __init__(self, leak: float = 0.0) -> None:
        self.leak = leak

    def forward(self, x: Array, y: Array) -> Any:
        self.x = x
        return np.sin(x) + 0 * y

    def backward(self, upstream: Array) -> tuple[Any, Any]:
        return upstream * np.cos(self.x), self.leak * upstream


def relu(slope: float = 1.0) -> Unary:
    return Unary(lambda x: np.maximum(x, 0), lambda x: slope * (x > 0))


def test_a_layer_whose_output_never_moves_is_noted() -> None:
    report = check(CONSTANT, normal(4))
    assert report.passed
    assert ZERO in report.notes


def test_asked_to_fail_it_fails() -> None:
    report = check(CONSTANT, normal(4), vacuous="fail")
    assert report.verdict == "fail"
    assert [(f.kind, f.clause, f.message) for f in report.findings] == [("zero", "vacuous", ZERO)]


def test_an_input_without_effect_is_named() -> None:
    told = "the gradient of y is zero everywhere, declared and measured"
    report = check(Ignoring(), normal(4), normal(4))
    assert report.passed
    assert told in report.notes
    strict = check(Ignoring(), normal(4), normal(4), vacuous="fail")
    assert [(f.kind, f.argument, f.message) for f in strict.findings] == [("zero", "y", told)]
    assert strict.verdict == "fail"


def test_without_effect_but_declared_otherwise_is_wrong() -> None:
    report = check(Ignoring(leak=1e-3), normal(4), normal(4))
    assert report.verdict == "fail"
    assert {f.argument for f in report.findings} == {"y"}


@pytest.mark.parametrize("vacuous", ["note", "fail"])
def test_what_moves_is_not_vacuous(vacuous: str) -> None:
    for layer in (Unary(np.sin, np.cos), Unary(lambda x: 1e-30 * np.sin(x), lambda x: 1e-30 * np.cos(x))):
        report = check(layer, normal(4), vacuous=vacuous)
        assert report.passed
        assert not any("nothing was compared" in note for note in report.notes)


STATIONARY: dict[str, tuple[Function, Function]] = {
    "cosine": (np.cos, lambda x: -np.sin(x)),
    "square": (np.square, lambda x: 2 * x),
    "cube": (lambda x: x**3, lambda x: 3 * x**2),
}


@pytest.mark.parametrize("name", STATIONARY)
def test_at_zeros_where_every_formula_is_zero_another_point_is_looked_at(name: str) -> None:
    f, slope = STATIONARY[name]
    report = check(Unary(f, slope), np.zeros(4))
    assert report.passed
    assert report.notes[0].startswith("nothing was compared at the inputs, where all gradients are zero")
    for factor in (0.5, 0.0, -1.0):
        assert check(Unary(f, lambda x: factor * slope(x)), np.zeros(4)).verdict == "fail"  # noqa: B023 - called at once
    assert check(Unary(f, lambda x: slope(x) + 1e-3), np.zeros(4)).verdict == "fail"


def test_a_relu_of_negative_numbers_is_looked_at_in_the_mirror() -> None:
    x = -np.abs(normal(5)) - 1
    report = check(relu(), x)
    assert report.passed
    assert report.notes[0] == MIRRORED
    assert check(relu(), -x).notes == ()


@pytest.mark.parametrize("slope", [0.0, 2.0, -1.0, 1.01])
def test_what_is_wrong_on_the_other_side_is_found_there(slope: float) -> None:
    report = check(relu(slope), -np.abs(normal(5)) - 1)
    assert report.verdict == "fail"
    assert report.findings[0].count == 5


def test_a_mirror_outside_the_declared_domain_is_not_looked_into() -> None:
    report = check(relu(2.0), -np.abs(normal(5)) - 1, domain={"x": negative})
    assert report.passed
    assert ZERO in report.notes


def test_a_mirror_where_forward_does_not_work_changes_nothing() -> None:
    def f(x: Array) -> Any:
        if (x > 0).any():
            raise ValueError("negative numbers only")
        return np.maximum(x, 0)

    report = check(Unary(f, lambda x: np.zeros_like(x)), -np.ones(4))
    assert report.passed
    assert ZERO in report.notes


def test_empty_inputs_alone_are_an_error_to_who_asks_for_it() -> None:
    report = check(Unary(np.sin, np.cos), np.zeros(0), vacuous="fail")
    assert report.verdict == "fail"
    assert (report.findings[0].kind, report.findings[0].clause) == ("zero", "vacuous")


def test_the_callers_upstream_is_no_reason_to_look_away() -> None:
    report = check(relu(2.0), -np.abs(normal(5)) - 1, upstream=np.ones(5))
    assert report.verdict == "fail"


def test_outputs_that_are_all_zero_are_looked_at_on_the_other_side() -> None:
    class Clipped:
        """max(x, 0), whose backward lost its gradient altogether."""

        def forward(self, x: Array) -> Any:
            return np.maximum(x, 0)

        def backward(self, upstream: Array) -> Any:
            return 0 * upstream

    for seed in range(6):
        assert check(Clipped(), -abs(normal(6)) - 0.1, seed=seed).verdict == "fail"
