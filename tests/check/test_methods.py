"""The other ways of measuring: the lecture's entry by entry, and the complex step, which supports but never accuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check
from tests.check.layers import Array, Dense, Function, Unary, dense_inputs, normal, tanh

REAL = "the complex step does not support x: real differences decided"


@pytest.mark.parametrize("n", [1, 7, 60])
def test_every_entry_costs_two_evaluations_an_entry(n: int) -> None:
    report = check(tanh(), normal(n), method="every-entry", contract="off")
    assert report.passed
    assert report.method == "every-entry"
    assert 2 * n <= report.forward_evaluations <= 2 * n + 4
    assert report.arguments[0].covered == n
    assert 0 < report.sharpness["x"] < 1e-7


@pytest.mark.parametrize("name", ["x", "W", "b"])
def test_every_entry_finds_the_one_that_is_wrong(name: str) -> None:
    x, W, b = dense_inputs()
    shape = {"x": x.shape, "W": W.shape, "b": b.shape}[name]
    error = np.zeros(shape)
    error[(-1,) * len(shape)] = 1e-5
    report = check(Dense(**{name: error}), x, W, b, method="every-entry", contract="off")
    assert report.verdict == "fail"
    (place,) = report.findings[0].indices
    assert report.findings[0].argument == name
    assert place == tuple(n - 1 for n in shape)


@pytest.mark.parametrize("h", [1e-3, 1e-4, 1e-5])
def test_h_is_the_absolute_step_of_every_entry(h: float) -> None:
    seen: list[Array] = []

    def f(x: Array) -> Any:
        seen.append(x.copy())
        return np.sin(x)

    x = 1000.0 * normal(3)
    assert check(Unary(f, np.cos), x, method="every-entry", h=h, contract="off").passed
    moved = [np.abs(point - x).max() for point in seen if (point != x).sum() == 1]
    assert len(moved) >= 6
    assert np.allclose(moved[:6], h, rtol=1e-3)


def test_truncation_at_the_lectures_h_is_no_accusation() -> None:
    """sin(50 x) is off by 4e-6 at h = 1e-4: a second step decides, and an error of that size is found all the same."""

    def fast(factor: float) -> Unary:
        return Unary(lambda x: np.sin(50 * x), lambda x: factor * 50 * np.cos(50 * x))

    assert check(fast(1.0), normal(6), method="every-entry").passed
    assert check(fast(1 + 4e-6), normal(6), method="every-entry").verdict == "fail"


def test_every_entry_knows_kinks() -> None:
    x = np.array([0.0, 1.0, -2.0])
    for there, verdict in ((0.0, "pass"), (0.7, "pass"), (1.3, "fail")):
        layer = Unary(lambda x: np.maximum(x, 0), lambda x, t=there: np.where(x == 0, t, x > 0))  # type: ignore[misc] # a default binds it now
        assert check(layer, x, method="every-entry").verdict == verdict


ANALYTIC: dict[str, tuple[Function, Function]] = {
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "exp sin": (lambda x: np.exp(np.sin(9 * x)), lambda x: 9 * np.cos(9 * x) * np.exp(np.sin(9 * x))),
    "rational": (lambda x: x / (2 + x * x), lambda x: (2 - x * x) / (2 + x * x) ** 2),
}


@pytest.mark.parametrize("name", ANALYTIC)
def test_the_complex_step_is_sharper_and_cheaper_where_it_agrees(name: str) -> None:
    f, slope = ANALYTIC[name]
    x = normal(40)
    report = check(Unary(f, slope), x, method="complex-step", contract="off")
    assert report.passed
    assert report.notes == ()
    real = check(Unary(f, slope), x, contract="off")
    assert report.sharpness["x"] < real.sharpness["x"]
    assert report.forward_evaluations < real.forward_evaluations


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (np.abs, np.sign),
        (lambda x: np.asarray(x, float) ** 2, lambda x: 2 * x),
        (lambda x: x.real**3, lambda x: 3 * x**2),
        (lambda x: np.sqrt(x * np.conj(x)).real, np.sign),
        (lambda x: np.maximum(np.minimum(np.abs(x), 2.0), 0.0), lambda x: np.sign(x) * (np.abs(x) < 2)),
    ],
    ids=["abs", "cast", "real part", "conjugate", "clip"],
)
def test_where_forward_drops_the_imaginary_part_real_differences_decide(f: Function, slope: Function) -> None:
    x = normal(10)
    report = check(Unary(f, slope), x, method="complex-step")
    assert report.passed, "it never accuses"
    assert REAL in report.notes
    wrong = check(Unary(f, lambda x: 1.001 * slope(x)), x, method="complex-step")
    assert wrong.verdict == "fail"


def test_a_forward_that_refuses_complex_numbers_is_judged_by_real_ones() -> None:
    def f(x: Array) -> Any:
        if x.dtype.kind == "c":
            raise TypeError("real numbers only")
        return np.sin(x)

    report = check(Unary(f, np.cos), normal(4), method="complex-step")
    assert report.passed
    assert REAL in report.notes


@pytest.mark.parametrize("error", [1e-2, 1e-7])
def test_a_wrong_gradient_is_accused_by_real_differences_only(error: float) -> None:
    report = check(tanh(1 + error), normal(10), method="complex-step")
    assert report.verdict == "fail"
    assert REAL in report.notes


def test_each_argument_is_supported_on_its_own() -> None:
    class Half:
        def forward(self, x: Array, y: Array) -> Any:
            self.x, self.y = x, y
            return np.sin(x) + np.abs(y)

        def backward(self, upstream: Array) -> tuple[Any, Any]:
            return upstream * np.cos(self.x), upstream * np.sign(self.y)

    report = check(Half(), normal(5), normal(5, seed=1), method="complex-step")
    assert report.passed
    assert "the complex step does not support y: real differences decided" in report.notes
    assert report.sharpness["x"] < 1e-10 < report.sharpness["y"]
    assert [a.name for a in report.arguments] == ["x", "y"]


@pytest.mark.parametrize("method", ["probes", "every-entry", "complex-step"])
@pytest.mark.parametrize("wrong", [{}, {"W": 1e-3}])
def test_all_methods_agree_on_the_verdict(method: str, wrong: dict[str, float]) -> None:
    report = check(Dense(**wrong), *dense_inputs(), method=method)
    assert report.verdict == ("fail" if wrong else "pass")
    assert {f.argument for f in report.findings} <= {"W"}


def test_truncation_costs_every_entry_one_more_look_and_no_more() -> None:
    """At h = 1e-4 a sin(8 x) is off by 1e-6 of its slope: half the step, extrapolated, settles that."""

    def fast(factor: float) -> Unary:
        return Unary(lambda x: np.sin(20 * x), lambda x: factor * 20 * np.cos(20 * x))

    report = check(fast(1.0), normal(30), method="every-entry", contract="off")
    assert report.passed
    assert 60 < report.forward_evaluations <= 124
    assert report.sharpness["x"] < 2e-6
    assert check(fast(1 + 1e-5), normal(30), method="every-entry", contract="off").verdict == "fail"


def test_a_sharpness_that_is_asked_for_is_asked_of_every_entry() -> None:
    asked = check(tanh(), normal(30), method="every-entry", contract="off", sharpness=1e-8)
    usual = check(tanh(), normal(30), method="every-entry", contract="off")
    assert asked.forward_evaluations > usual.forward_evaluations
    assert asked.sharpness["x"] < 1e-8
