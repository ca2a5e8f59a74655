"""Right layers at the values that Hypothesis tries: none is accused, and a wrong twin still is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check, domain
from pytest_gradcheck.claims import shifted
from tests.check.layers import Array, Unary, normal


class Made:
    """A layer of two functions; backward takes upstream and the inputs."""

    def __init__(self, run: Callable[..., Any], back: Callable[..., Any]) -> None:
        self.run, self.back = run, back

    def forward(self, *inputs: Array) -> Any:
        self.inputs = inputs
        with np.errstate(all="ignore"):
            return self.run(*inputs)

    def backward(self, upstream: Array) -> Any:
        with np.errstate(all="ignore"):
            return self.back(upstream, *self.inputs)


def kinds(layer: Any, *inputs: Array, **settings: Any) -> list[str]:
    report = check(layer, *inputs, **settings)
    return [finding.kind for finding in report.findings]


def log_cosh(factor: float = 1.0) -> Unary:
    return Unary(lambda x: np.abs(x) + np.log1p(np.exp(-2 * np.abs(x))) - np.log(2), lambda x: factor * np.tanh(x))


def test_a_forward_that_cancels_is_not_taken_for_one_of_lower_precision() -> None:
    x = np.array([0.0, 0.0, 0.001])
    assert kinds(log_cosh(), x) == []
    assert "dtype" not in kinds(log_cosh(1.1), x)


@pytest.mark.parametrize("at", [[0.0, 0.0, 0.0, 100.0], [30.0, 40.0, 50.0, 60.0]])
def test_nor_is_one_that_does_not_move_at_all(at: list[float]) -> None:
    narrow = Unary(lambda x: np.exp(-((x / 1e-3) ** 2)), lambda x: -2e6 * x * np.exp(-((x / 1e-3) ** 2)))
    assert kinds(narrow, np.array(at)) == []


def test_nor_the_square_of_a_difference_of_equals() -> None:
    x = np.array([[3.0, 2.5], [0.0, 0.0], [1.5, 1.5]])
    square = Made(lambda a, b: ((a - b) ** 2).sum(), lambda u, a, b: (2 * u * (a - b), -2 * u * (a - b)))
    assert kinds(square, x, x.copy()) == []


class Single:
    """Computes in float32 inside."""

    def forward(self, x: Array) -> Array:
        self.x = x
        return np.tanh(x.astype(np.float32)).astype(np.float64)

    def backward(self, upstream: Array) -> Array:
        return np.asarray(upstream * (1 - np.tanh(self.x) ** 2))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 5.0])
def test_one_that_does_compute_in_single_precision_is(scale: float) -> None:
    assert "dtype" in kinds(Single(), scale * normal(6))


ROOT = Made(np.sqrt, lambda u, x: u / (2 * np.sqrt(x)))


def test_zero_times_an_infinite_slope_is_no_number_and_no_error() -> None:
    x = np.array([0.0, 0.5, 1.0])
    assert kinds(ROOT, x, upstream=np.array([0.0, 1.0, 0.0])) == []
    assert kinds(ROOT, x) == []


@pytest.mark.parametrize("power", [0.5, 0.85, 0.93])
def test_a_slope_that_grows_slowly_without_end_is_infinite(power: float) -> None:
    layer = Made(lambda x: x**power, lambda u, x: u * power * x ** (power - 1))
    assert kinds(layer, np.array([0.0, 0.0, 1.0])) == []


def test_no_number_where_the_slope_is_finite_is_an_error() -> None:
    sinc = Made(lambda x: np.sinc(x), lambda u, x: u * (np.cos(np.pi * x) - np.sinc(x)) / x)
    assert "nonfinite" in kinds(sinc, np.array([0.0, 0.5]))
    assert "nonfinite" in kinds(sinc, np.array([0.0, 0.5]), upstream=np.array([0.0, 1.0]))


@pytest.mark.parametrize("power", [1.05, 1.3, 1.5, 1.622, 1.9, 1.99, 2, 2.5, 2.9, 3, 3.5])
def test_at_an_edge_without_a_taylor_series(power: float) -> None:
    def layer(extra: float) -> Made:
        return Made(lambda x: x**power, lambda u, x: u * (power * x ** (power - 1) + extra))

    x = np.array([0.0, 0.0, 1.0])
    assert kinds(layer(0.0), x, domain={"input0": domain.nonnegative}) == []
    assert kinds(layer(0.3), x, domain={"input0": domain.nonnegative}) != []


def batch_norm(x: Array, gamma: Array, beta: Array) -> Any:
    centred = x - x.mean(0)
    return gamma * centred / np.sqrt((centred**2).mean(0) + np.asarray(1e-5, x.dtype)) + beta


def batch_norm_back(u: Array, x: Array, gamma: Array, beta: Array) -> Any:
    centred = x - x.mean(0)
    width = np.sqrt((centred**2).mean(0) + np.asarray(1e-5, x.dtype))
    h = centred / width
    return gamma / width * (u - u.mean(0) - h * (u * h).mean(0)), (u * h).sum(0), u.sum(0)


def test_the_rounding_of_float32_where_a_gradient_is_zero() -> None:
    x = np.tile(np.array([0.0, 0.0, 0.012], np.float32), (6, 1))
    zeros = np.zeros(3, np.float32)
    assert kinds(Made(batch_norm, batch_norm_back), x, zeros, zeros) == []

    def off(u: Array, *inputs: Array) -> Any:
        x_, gamma, beta = batch_norm_back(u, *inputs)
        return x_, gamma + np.asarray(1e-3, np.float32), beta

    assert kinds(Made(batch_norm, off), x, zeros, zeros) != []


def early(x: Array) -> Any:
    """x = y + 0.3 tanh y, solved by a few steps."""
    y = np.zeros_like(x)
    for _ in range(12):
        y = x - 0.3 * np.tanh(y)
    return y


def early_back(factor: float) -> Callable[..., Any]:
    return lambda u, x: factor * u / (1 + 0.3 * (1 - np.tanh(early(x)) ** 2))


def test_a_declared_accuracy_counts_where_the_outputs_are_zero() -> None:
    assert kinds(Made(early, early_back(1.0)), np.zeros(4), accuracy=1e-4) == []
    assert kinds(Made(early, early_back(1.01)), np.zeros(4), accuracy=1e-4) != []


def test_entries_of_very_different_size_that_share_a_kink() -> None:
    wave = Unary(lambda x: np.abs(x - np.round(x)), lambda x: np.sign(x - np.round(x)))
    x = np.full(30, 1e-9)
    x[-1] = 1 - 1e-9
    assert kinds(wave, x) == []
    wrong = Unary(wave.f, lambda x: 3 * np.sign(x - np.round(x)))
    assert kinds(wrong, x) != []


def softmax(x: Array) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_what_is_all_rounding_is_left_open() -> None:
    def divergence(x: Array, target: Array) -> Any:
        q = softmax(target)
        return (q * (np.log(q) - np.log(softmax(x)))).sum(-1)

    def back(u: Array, x: Array, target: Array) -> Any:
        p, q = softmax(x), softmax(target)
        ratio = np.log(q) - np.log(p)
        return u[:, None] * (p - q), u[:, None] * q * (ratio - (q * ratio).sum(-1, keepdims=True))

    x = np.zeros((3, 4))
    assert kinds(Made(divergence, back), x, x.copy()) == []
    assert kinds(Made(divergence, back), x, normal(3, 4)) == []
    twice = Made(divergence, lambda u, *inputs: tuple(2 * g for g in back(u, *inputs)))
    assert kinds(twice, x, normal(3, 4)) != []


def triplet(a: Array, p: Array, n: Array) -> Any:
    return np.maximum(((a - p) ** 2).sum(1) - ((a - n) ** 2).sum(1) + 1, 0)


def triplet_back(factor: float) -> Callable[..., Any]:
    def back(u: Array, a: Array, p: Array, n: Array) -> Any:
        on = (u * (triplet(a, p, n) > 0))[:, None]
        return 2 * on * (n - p), -2 * on * (a - p), factor * 2 * on * (a - n)

    return back


def test_large_terms_that_cancel_tremble_by_their_own_rounding() -> None:
    a = np.array([[0.0, 0.0, 0.0], [-100.0, 10.0, 0.244], [0.0, 0.0, 10.0]])
    p = np.array([[0.0, 0.0, 0.0], [0.5, -1.0, -3.0], [0.0, 0.0, 0.0]])
    n = np.array([[1.0, -0.063, -0.25], [0.194, 0.068, 0.327], [-0.25, -0.25, -0.25]])
    for seed in range(20):
        assert kinds(Made(triplet, triplet_back(1.0)), a, p, n, seed=seed) == []
    assert kinds(Made(triplet, triplet_back(1.0001)), a, p, n) != []


def entropy(p: Array) -> Any:
    if (p < 0).any():
        raise ValueError("no distribution")
    return -(p * np.log(p)).sum()


@pytest.mark.parametrize("least", [1e-3, 1e-5, 1e-8])
def test_a_structure_with_bounds_is_not_left_by_its_smallest_entry(least: float) -> None:
    p = np.array([0.2, 0.8 - 2 * least, least, least])
    for factor, found in ((1.0, False), (1.2, True)):
        layer = Made(entropy, lambda u, p, factor=factor: -factor * u * (np.log(p) + 1))
        report = check(layer, p, domain={"input0": domain.simplex})
        assert (report.verdict == "fail") == found


class CrossEntropy:
    """-log softmax(z)[label] of each row; `factor` is what its gradient is multiplied by."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def forward(self, z: Array, labels: Array) -> Any:
        e = np.exp(z - z.max(axis=1, keepdims=True))
        self.p, self.labels = e / e.sum(axis=1, keepdims=True), labels
        return -np.log(self.p[np.arange(len(z)), labels])

    def backward(self, upstream: Array) -> Any:
        g = self.p.copy()
        g[np.arange(len(g)), self.labels] -= 1.0
        return self.factor * upstream[:, None] * g, None


def test_a_loss_that_is_zero_to_the_last_digit_hides_a_minute_slope() -> None:
    z, labels = np.array([[100.0, 0.0]]), np.array([0])
    assert check(CrossEntropy(), z, labels).verdict != "fail"
    z = np.array([[3.0, 0.0]])
    assert check(CrossEntropy(), z, labels).passed
    assert check(CrossEntropy(1.1), z, labels).verdict == "fail"


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, lambda x: np.broadcast_to(x[:1], x.shape)])
def test_every_layout_is_shifted(layout: Callable[[Array], Array]) -> None:
    value = layout(np.ones((5, 3)))
    moved = shifted(value, 0, 2.0**-50)
    assert np.count_nonzero(moved != value) == value.size
    assert sorted(set((moved.reshape(-1) > 1.0).tolist())) == [False, True]
