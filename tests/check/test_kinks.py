"""Kinks as a user meets them: any slope between the one-sided ones is right, none outside is, ties are joint."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check
from tests.check.layers import Array, Unary, normal

AT_ZERO = np.array([0.0, 1.0, -2.0])


def at_zero(f: Any, slope: Any, there: float) -> Unary:
    return Unary(f, lambda x: np.where(x == 0, there, slope(x)))


def relu(there: float = 0.0) -> Unary:
    return at_zero(lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(float), there)


@pytest.mark.parametrize("size", [5000, 20_000])
@pytest.mark.parametrize("seed", range(5))
def test_a_kink_that_a_first_look_crosses_is_no_noise(size: int, seed: int) -> None:
    # One of so many lies within the first step; its fourth difference is a million times their rounding.
    x = np.random.default_rng(seed).standard_normal(size)
    assert check(relu(), x, seed=seed).passed
    wrong = Unary(lambda x: np.maximum(x, 0), lambda x: np.where(np.arange(size) == 7, 1.2, x > 0))
    x[7] = 1.5
    assert check(wrong, x, seed=seed).findings[0].indices == ((7,),)


class Larger:
    """max(x, y); a tie gives `a` of the upstream to x and `b` to y."""

    def __init__(self, a: float, b: float) -> None:
        self.a, self.b = a, b

    def forward(self, x: Array, y: Array) -> Any:
        self.x, self.y = x, y
        return np.maximum(x, y)

    def backward(self, upstream: Array) -> tuple[Any, Any]:
        tie = self.x == self.y
        return upstream * np.where(tie, self.a, self.x > self.y), upstream * np.where(tie, self.b, self.y > self.x)


TIED = np.array([1.0, 2.0, 3.0]), np.array([1.0, 5.0, 0.0])


@pytest.mark.parametrize("there", [0.0, 0.5, 1.0, 0.123])
def test_every_slope_between_the_one_sided_ones_is_right(there: float) -> None:
    report = check(relu(there), AT_ZERO)
    assert report.passed
    assert report.arguments[0].kinks == 1
    assert any("on or near a kink, judged by the one-sided slopes" in note for note in report.notes)


@pytest.mark.parametrize("there", [-0.01, 1.01, 2.0, -1.0])
def test_no_slope_outside_is(there: float) -> None:
    report = check(relu(there), AT_ZERO)
    assert report.verdict == "fail"
    finding = report.findings[0]
    assert (finding.argument, finding.indices, finding.clause) == ("x", ((0,),), "kinks")
    assert f"where it stands on a kink: declared {there:.6g}, allowed " in finding.message
    assert finding.message.endswith("0 to 1")


@pytest.mark.parametrize(
    ("f", "slope", "low", "high"),
    [
        (np.abs, np.sign, -1.0, 1.0),
        (lambda x: np.where(x > 0, x, 0.1 * x), lambda x: np.where(x > 0, 1.0, 0.1), 0.1, 1.0),
        (lambda x: np.abs(x) + 3 * x, lambda x: np.sign(x) + 3, 2.0, 4.0),
        (lambda x: np.exp(np.maximum(x, 0)), lambda x: np.where(x > 0, np.exp(x), 0.0), 0.0, 1.0),
        (lambda x: -np.abs(x), lambda x: -np.sign(x), -1.0, 1.0),
    ],
    ids=["abs", "leaky", "tilted", "exp of relu", "concave"],
)
def test_other_kinks_have_other_slopes(f: Any, slope: Any, low: float, high: float) -> None:
    for there in (low, (low + high) / 2, high):
        assert check(at_zero(f, slope, there), AT_ZERO).passed
    for there in (low - 0.02, high + 0.02):
        assert check(at_zero(f, slope, there), AT_ZERO).verdict == "fail"


@pytest.mark.parametrize(("a", "b"), [(1, 0), (0, 1), (0.5, 0.5), (0.3, 0.7)])
def test_a_tie_may_be_shared_in_any_way(a: float, b: float) -> None:
    assert check(Larger(a, b), *TIED).passed


@pytest.mark.parametrize(("a", "b"), [(1, 1), (0, 0), (0.3, 0.3), (0.8, 0.8)])
def test_a_tie_given_twice_or_never_fails_along_the_diagonal(a: float, b: float) -> None:
    report = check(Larger(a, b), *TIED)
    assert report.verdict == "fail"
    assert {f.argument for f in report.findings} == {"x", "y"}
    finding = report.findings[0]
    assert (0,) in finding.indices
    assert f"when the entries that share a kink move together: declared {a + b:g}, allowed 1 to 1" in finding.message


@pytest.mark.parametrize("wrong", [False, True])
def test_so_does_a_tie_within_one_argument(wrong: bool) -> None:
    class Top:
        def forward(self, x: Array) -> Any:
            self.x = x
            return x.max(axis=1)

        def backward(self, upstream: Array) -> Any:
            top = (self.x == self.x.max(axis=1, keepdims=True)).astype(float)
            return upstream[:, None] * (top if wrong else top / top.sum(axis=1, keepdims=True))

    report = check(Top(), np.array([[1.0, 3.0, 3.0], [0.0, 1.0, 2.0]]))
    assert report.passed != wrong


def test_a_jump_is_no_kink() -> None:
    """Both sides of a step function have slope 0; only a smooth function's gradient may be declared there."""
    step = Unary(lambda x: (x >= 0) + 0.1 * x, lambda x: np.full_like(x, 0.1))
    assert check(step, AT_ZERO).verdict == "pass"
    wrong = Unary(lambda x: (x >= 0) + 0.1 * x, lambda x: np.full_like(x, 0.2))
    assert check(wrong, AT_ZERO).verdict == "fail"


@pytest.mark.parametrize("share", [0.01, 0.5, 1.0])
@pytest.mark.parametrize("n", [40, 5000])
def test_any_share_of_the_inputs_may_stand_on_a_kink(n: int, share: float) -> None:
    x = normal(n)
    x[: max(1, int(share * n))] = 0.0
    report = check(relu(), x)
    assert report.passed
    # Where all entries are zero and declared so, another point is looked at: it has no kinks.
    assert report.arguments[0].kinks >= int(share * n) or share == 1.0
    assert check(relu(1.5), x).verdict == "fail"


@pytest.mark.parametrize("n", [40, 5000])
def test_a_wrong_slope_beside_many_kinks_is_found(n: int) -> None:
    x = normal(n)
    x[::2] = 0.0
    place = int(np.flatnonzero(x > 0.5)[3])
    wrong = Unary(lambda x: np.maximum(x, 0), lambda x: np.where(np.arange(n) == place, 0.9, x > 0))
    report = check(wrong, x)
    assert report.verdict == "fail"
    assert report.findings[0].indices == ((place,),)


@pytest.mark.parametrize("distance", [1e-3, 1e-5, 1e-7])
def test_near_a_kink_only_the_side_one_stands_on_counts(distance: float) -> None:
    x = np.array([distance, -distance, 1.0, -2.0])
    assert check(relu(), x).passed
    other = Unary(lambda x: np.maximum(x, 0), lambda x: (x > 0.5).astype(float))
    report = check(other, x)
    assert report.verdict == "fail"
    assert (0,) in report.findings[0].indices


def test_what_is_rough_everywhere_is_not_taken_for_coarse() -> None:
    """Each entry stands on a kink, so that the forward seems to tremble by as much as it moves."""
    wave = Unary(lambda x: np.abs(x - np.round(x)), lambda x: np.sign(x - np.round(x)))
    x = np.repeat([0.0, 1.0, 2.0, 0.5, 0.0, 1.0, 2.0, 4.0], [1, 5, 4, 2, 3, 3, 11, 1])
    for seed in range(5):
        assert check(wave, x, seed=seed).passed


def test_who_wants_no_kinks_is_told_of_them() -> None:
    report = check(relu(), AT_ZERO, nonsmooth="fail")
    assert report.verdict == "fail"
    (finding,) = report.findings
    assert (finding.kind, finding.argument, finding.clause) == ("region", "x", "smooth")
    assert finding.message == "x stands on a kink at 1 output, and nonsmooth is 'fail'"
    assert check(relu(), np.array([1.0, -2.0, 0.3]), nonsmooth="fail").passed


def test_a_wrong_gradient_is_not_excused_by_a_kink_elsewhere() -> None:
    wrong = Unary(np.abs, lambda x: np.where(x > 0, 1.01, np.sign(x)))
    report = check(wrong, AT_ZERO)
    assert report.verdict == "fail"
    assert report.findings[0].indices == ((1,),)


class Dense:
    """max(x W + b, 0), and what it gives to an output on the kink: zero to all, or twice the upstream to some."""

    def __init__(self, twice: slice) -> None:
        self.twice = twice

    def forward(self, x: Array, W: Array, b: Array) -> Any:
        self.x, self.W, self.z = x, W, x @ W + b
        return np.maximum(self.z, 0)

    def backward(self, upstream: Array) -> tuple[Any, Any, Any]:
        g = upstream * (self.z > 0)
        at = tuple(np.argwhere(self.z == 0)[self.twice].T)
        g[at] = 2 * upstream[at]
        return g @ self.W.T, self.x.T @ g, g.sum(axis=0)


def padded(rows: int, inputs: int, outputs: int) -> tuple[Array, Array, Array]:
    """Inputs of a dense layer of which the second half of the rows is zero, as padding is, and so is the bias."""
    x = normal(rows, inputs)
    x[rows // 2 :] = 0.0
    return x, normal(inputs, outputs, seed=1) / inputs**0.5, np.zeros(outputs)


@pytest.mark.parametrize("sizes", [(4, 3, 5), (8, 30, 20), (16, 80, 40)], ids=str)
def test_rows_of_zeros_put_outputs_on_kinks_that_share_their_entries(sizes: tuple[int, int, int]) -> None:
    for seed in range(3):
        assert check(Dense(slice(0, 0)), *padded(*sizes), seed=seed).passed
        assert check(Dense(slice(None)), *padded(*sizes), seed=seed).verdict == "fail"


def test_beside_a_jump_the_sharpness_is_that_of_the_other_side() -> None:
    step = Unary(lambda x: (x >= 0) + 0.1 * x, lambda x: np.full_like(x, 0.1))
    assert check(step, AT_ZERO).sharpness["x"] < 0.2
