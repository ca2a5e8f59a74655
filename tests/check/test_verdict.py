"""The verdict: what is wrong is found in every way of being wrong, what is right is left alone, in every seed."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import GradientMismatch, assert_gradients, check, numeric_gradient
from pytest_gradcheck.verdict import KINDS, MOST_INDICES
from tests.check.layers import Array, Dense, Function, Unary, dense_inputs, normal, tanh


def gelu(x: Array) -> Any:
    return 0.5 * x * (1 + np.tanh(0.8 * (x + 0.04 * x**3)))


def gelu_slope(x: Array) -> Any:
    t = np.tanh(0.8 * (x + 0.04 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * 0.8 * (1 + 0.12 * x**2)


#: Functions of every sort of size and curvature, with the slope, and where they are looked at.
RIGHT: dict[str, tuple[Function, Function, Array]] = {
    "identity": (lambda x: 1.0 * x, np.ones_like, normal(20)),
    "gelu": (gelu, gelu_slope, normal(20)),
    "exp of 20 x": (lambda x: np.exp(20 * x), lambda x: 20 * np.exp(20 * x), 0.5 * normal(20)),
    "sin of 200 x": (lambda x: np.sin(200 * x), lambda x: 200 * np.cos(200 * x), normal(20)),
    "near 1e8": (lambda x: 1e8 + np.sin(x), np.cos, normal(20)),
    "tiny": (lambda x: 1e-12 * np.sin(x), lambda x: 1e-12 * np.cos(x), normal(20)),
    "huge": (lambda x: 1e12 * np.sin(x), lambda x: 1e12 * np.cos(x), normal(20)),
    # Their squares are no numbers.
    "beyond 1e154": (lambda x: 1e200 * np.sin(x), lambda x: 1e200 * np.cos(x), normal(20)),
    "below 1e-154": (lambda x: 1e-200 * np.sin(x), lambda x: 1e-200 * np.cos(x), normal(20)),
    "inputs beyond 1e154": (lambda x: 3.0 * x, lambda x: np.full_like(x, 3.0), 1e200 * normal(20)),
    "large inputs": (lambda x: np.log1p(x * x), lambda x: 2 * x / (1 + x * x), 1e6 * normal(20)),
    "small inputs": (lambda x: np.sin(1e6 * x), lambda x: 1e6 * np.cos(1e6 * x), 1e-6 * normal(20)),
    "cube": (lambda x: x**3, lambda x: 3 * x**2, normal(20)),
    "reciprocal": (lambda x: 1 / x, lambda x: -1 / x**2, 1 + normal(20) ** 2),
    "saturated": (np.tanh, lambda x: 1 / np.cosh(x) ** 2, 8 * normal(20)),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", RIGHT)
def test_right_is_right_for_every_seed(name: str, seed: int) -> None:
    f, slope, x = RIGHT[name]
    report = check(Unary(f, slope), x, seed=seed)
    assert report.passed, str(report)
    assert report.findings == ()
    assert report.arguments[0].covered == x.size
    assert report.largest_error <= 1.0
    assert math.isfinite(report.sharpness["x"])


@pytest.mark.parametrize("factor", [0.0, -1.0, 2.0, 1.01, 1 + 1e-5, 1e90])
@pytest.mark.parametrize("name", RIGHT)
def test_and_its_wrong_twins_are_wrong(name: str, factor: float) -> None:
    f, slope, x = RIGHT[name]
    report = check(Unary(f, lambda x: factor * slope(x)), x)
    assert report.verdict == "fail"
    assert report.findings[0].argument == "x"


@pytest.mark.parametrize("factor", [1e160, -1e200, 1e300])
def test_a_gradient_too_large_to_be_squared_is_wrong_all_the_same(factor: float) -> None:
    report = check(tanh(factor), normal(6))
    assert report.verdict == "fail"
    assert report.findings[0].argument == "x"
    json.dumps(report.to_plain(), allow_nan=False)


@pytest.mark.parametrize("place", [0, 7, 19])
@pytest.mark.parametrize("name", sorted(set(RIGHT) - {"saturated", "exp of 20 x"}))
def test_one_entry_that_is_wrong_is_the_one_that_is_named(name: str, place: int) -> None:
    f, slope, x = RIGHT[name]
    factors = np.where(np.arange(x.size) == place, 1.001, 1.0)
    report = check(Unary(f, lambda x: factors * slope(x)), x)
    assert report.verdict == "fail"
    finding = report.findings[0]
    assert (finding.indices, finding.count, finding.total) == (((place,),), 1, x.size)
    (entry,) = finding.entries
    assert entry.index == (place,)
    assert entry.declared / entry.numeric == pytest.approx(1.001, rel=1e-4)
    assert abs(entry.error) > entry.bar > 0


@pytest.mark.parametrize("name", ["x", "W", "b"])
@pytest.mark.parametrize("error", [1.0, 1e-3, 1e-6])
def test_the_argument_that_is_wrong_is_the_one_that_is_named(name: str, error: float) -> None:
    report = check(Dense(**{name: error}), *dense_inputs(), contract="off")
    assert report.verdict == "fail"
    assert {f.argument for f in report.findings} == {name}
    assert {a.name: a.verdict for a in report.arguments} == {n: "fail" if n == name else "pass" for n in "xWb"}
    assert set(report.sharpness) == set("xWb") - {name}


def test_two_wrong_arguments_are_two_findings() -> None:
    report = check(Dense(x=0.1, b=0.2), *dense_inputs(), contract="off")
    assert {f.argument for f in report.findings} == {"x", "b"}


def test_kinds_are_words_of_the_list_and_indices_few() -> None:
    report = check(tanh(1.01), normal(100))
    for finding in report.findings:
        assert finding.kind in KINDS
        assert len(finding.indices) <= MOST_INDICES
        assert finding.count == finding.total == 100


def test_mixed_magnitudes_do_not_hide_each_other() -> None:
    class Mixed:
        """One argument's gradient is near 1e4, the other's near 1e-3."""

        def __init__(self, sign: float = 1.0) -> None:
            self.sign = sign

        def forward(self, x: Array, b: Array) -> Any:
            self.x = x
            return 1e4 * np.tanh(x) + 1e-3 * b

        def backward(self, upstream: Array) -> tuple[Any, Any]:
            return 1e4 * upstream * (1 - np.tanh(self.x) ** 2), self.sign * 1e-3 * upstream

    inputs = normal(8), normal(8, seed=1)
    assert check(Mixed(), *inputs).passed
    report = check(Mixed(-1.0), *inputs)
    assert {f.argument for f in report.findings} == {"b"}


def test_errors_that_cancel_are_found() -> None:
    """Equal and opposite errors leave the sum, the norm and every symmetric direction as they were."""
    for errors in ({3: 0.1, 8: -0.1}, {3: 0.1, 8: 0.1}, {i: 0.1 * (-1.0) ** i for i in range(20)}):
        vector = np.array([errors.get(i, 0.0) for i in range(20)])
        layer = Unary(np.sin, lambda x, v=vector: np.cos(x) + v)  # type: ignore[misc] # mypy infers no lambda with a default
        for seed in range(10):
            assert check(layer, normal(20), seed=seed).findings[0].count == len(errors)


def test_a_backward_of_zeros_is_not_accepted_for_a_softmax() -> None:
    """Its sum is constant, so that an upstream of ones has a gradient of zero: a random one has not."""

    def softmax(x: Array) -> Any:
        e = np.exp(x - x.max())
        return e / e.sum()

    x = normal(6)
    assert np.abs(numeric_gradient(lambda x: softmax(x).sum(), x)).max() < 1e-10
    for words in ({}, {"upstream": np.ones(6)}):
        assert check(Unary(softmax, np.zeros_like), x, **words).verdict == "fail"  # type: ignore[arg-type] # words of any setting


@pytest.mark.parametrize("h", [1e-2, 1e-3, 1e-5, 1e-6])
def test_any_sensible_h_gives_the_same_verdict(h: float) -> None:
    assert check(Dense(), *dense_inputs(), h=h).passed
    assert check(Dense(W=1e-4), *dense_inputs(), h=h).verdict == "fail"


def test_right_gradients_return_the_report_and_wrong_ones_raise_it() -> None:
    assert assert_gradients(Dense(), *dense_inputs()).passed
    with pytest.raises(GradientMismatch) as caught:
        assert_gradients(Dense(W=0.1), *dense_inputs())
    assert isinstance(caught.value, AssertionError)
    report: Any = caught.value.report
    assert report.verdict == "fail"
    assert str(caught.value) == str(report)


@pytest.mark.parametrize(
    ("wrt", "names"),
    [("x", ["x"]), (["x", "b"], ["x", "b"]), (2, ["b"]), ([0, "W"], ["x", "W"]), (("W",), ["W"])],
    ids=str,
)
def test_what_is_not_asked_for_is_not_judged(wrt: Any, names: list[str]) -> None:
    report = check(Dense(W=0.1), *dense_inputs(), wrt=wrt, contract="off")
    assert [a.name for a in report.arguments] == names
    assert report.passed == ("W" not in names)


class Doubtful(Unary):
    """A forward with a tremble that differs from call to call, as of threads that add in any order."""

    def __init__(self, size: float, factor: float = 1.0) -> None:
        self.size, self.calls, self.factor = size, 0, factor
        super().__init__(self.shaken, lambda x: factor * np.cos(x))

    def __deepcopy__(self, memo: dict[int, Any]) -> Doubtful:
        return Doubtful(self.size, self.factor)

    def shaken(self, x: Array) -> Any:
        self.calls += 1
        return np.sin(x) * (1 + self.size * np.sin(1e6 * self.calls + 12.9898 * np.arange(x.size)))


@pytest.mark.parametrize("size", [1e-13, 1e-11, 1e-9])
def test_a_forward_that_trembles_is_no_wrong_gradient(size: float) -> None:
    """The second opinion: an accusation needs another step and another upstream that agree."""
    for seed in range(5):
        report = check(Doubtful(size), normal(30), seed=seed, contract="off")
        assert report.verdict == "pass", str(report)
        assert check(Doubtful(size, 1.05), normal(30), seed=seed, contract="off").verdict == "fail"
