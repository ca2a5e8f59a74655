"""Kinks inside of a layer: several meet in one output where a row is zero, as padding is, and so is the bias."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check
from tests.check.layers import Array, Unary, normal


class TwoLayers:
    """max(x W + b, 0) V, as every network has it; an inner number of zero gives `there` of what it gets."""

    def __init__(self, there: float, dtype: Any = np.float64) -> None:
        self.there, self.dtype = there, dtype

    def forward(self, x: Array, W: Array, b: Array, V: Array) -> Any:
        self.x, self.W, self.V = (a.astype(self.dtype) for a in (x, W, V))
        self.z = self.x @ self.W + b.astype(self.dtype)
        return np.maximum(self.z, 0) @ self.V

    def backward(self, upstream: Array) -> tuple[Any, ...]:
        upstream = upstream.astype(self.dtype)
        g = (upstream @ self.V.T) * np.where(self.z == 0, self.dtype(self.there), self.z > 0)
        return g @ self.W.T, self.x.T @ g, g.sum(axis=0), np.maximum(self.z, 0).T @ upstream


class Frozen:
    """The same without a bias and with weights of its own: no sides of all kinks at once need be anywhere."""

    def __init__(self, there: float, *sizes: int) -> None:
        self.there = there
        self.W, self.V = normal(*sizes[:2], seed=3), normal(*sizes[1:], seed=4)

    def forward(self, x: Array) -> Any:
        self.z = x @ self.W
        return np.maximum(self.z, 0) @ self.V

    def backward(self, upstream: Array) -> Any:
        return ((upstream @ self.V.T) * np.where(self.z == 0, self.there, self.z > 0)) @ self.W.T


def padded(rows: int, inputs: int, inner: int, outputs: int, seed: int = 0) -> tuple[Array, Array, Array, Array]:
    x = normal(rows, inputs, seed=seed)
    x[rows // 2 :] = 0.0
    W, V = normal(inputs, inner, seed=seed + 1) / inputs**0.5, normal(inner, outputs, seed=seed + 2)
    return x, W, np.zeros(inner), V


SIZES = [(4, 3, 5, 2), (3, 4, 20, 1), (8, 20, 12, 6)]


@pytest.mark.parametrize("there", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_any_slope_that_is_taken_for_each_kink_is_right(sizes: tuple[int, int, int, int], there: float) -> None:
    for seed in range(2):
        report = check(TwoLayers(there), *padded(*sizes, seed=10 * seed), seed=seed)
        assert report.passed, str(report)


@pytest.mark.parametrize("there", [-1.0, 2.0])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_one_that_no_kink_has_is_wrong(sizes: tuple[int, int, int, int], there: float) -> None:
    for seed in range(2):
        assert check(TwoLayers(there), *padded(*sizes, seed=10 * seed), seed=seed).verdict == "fail"


@pytest.mark.parametrize("there", [0.0, 1.0])
def test_in_float32_as_well(there: float) -> None:
    for seed in range(2):
        inputs = [a.astype(np.float32) for a in padded(4, 3, 5, 2, seed=10 * seed)]
        assert check(TwoLayers(there, np.float32), *inputs, seed=seed).passed
        assert check(TwoLayers(there + 2, np.float32), *inputs, seed=seed).verdict == "fail"


@pytest.mark.parametrize("sizes", [(20, 4, 6, 1), (60, 8, 12, 3)], ids=str)
def test_many_outputs_with_kinks_of_their_own_inside(sizes: tuple[int, int, int, int]) -> None:
    x = padded(*sizes)[0]
    for seed in range(2):
        right = check(Frozen(0.0, *sizes[1:]), x, seed=seed)
        assert right.passed, str(right)
        assert check(Frozen(-1.0, *sizes[1:]), x, seed=seed).verdict != "pass"
    assert any(check(Frozen(-1.0, *sizes[1:]), x, seed=seed).verdict == "fail" for seed in range(2))


def test_kinks_that_leave_no_kink_excuse_nothing() -> None:
    """max(x, 0) - max(-x, 0) is x: who takes zero for the slope of each max declares zero where it is one."""
    wrong = Unary(lambda x: np.maximum(x, 0) - np.maximum(-x, 0), lambda x: (x != 0).astype(float))
    x = np.array([0.0, 1.0, -2.0])
    assert check(wrong, x).verdict == "fail"
    assert check(Unary(wrong.forward, np.ones_like), x).passed


@pytest.mark.parametrize("there", [1.5, -0.5, 1.02])
def test_of_one_kink_the_slopes_nearby_are_its_own(there: float) -> None:
    relu = Unary(lambda x: np.maximum(x, 0), lambda x: np.where(x == 0, there, x > 0))
    assert check(relu, np.array([0.0, 1.0, -2.0])).verdict == "fail"


class Gated:
    """max(x W, 0) times what `other` makes of x V: near zero rows its slopes are as small as the step."""

    def __init__(self, squared: bool, wrong: float = 0.0) -> None:
        self.squared, self.wrong = squared, wrong

    def forward(self, x: Array, W: Array, V: Array) -> Any:
        self.x, self.W, self.V = x, W, W if self.squared else V
        self.a, self.b = x @ W, x @ self.V
        self.gate = np.maximum(self.a, 0)
        return self.gate * (self.gate if self.squared else self.b)

    def backward(self, upstream: Array) -> tuple[Any, Any, Any]:
        on = self.a > 0
        to_a = upstream * on * (2 * self.gate if self.squared else self.b)
        to_b = np.zeros_like(to_a) if self.squared else upstream * self.gate
        to_x = to_a @ self.W.T + to_b @ self.V.T
        to_x[-1] += self.wrong
        return to_x, self.x.T @ to_a, self.x.T @ to_b


@pytest.mark.parametrize("squared", [True, False], ids=["squared", "gated"])
def test_slopes_that_vanish_with_the_step_are_zero(squared: bool) -> None:
    x, W, _, V = padded(6, 5, 4, 3)
    V = normal(5, 4, seed=7)
    for seed in range(2):
        report = check(Gated(squared), x, W, V, seed=seed)
        assert report.passed, str(report)
        assert check(Gated(squared, wrong=0.1), x, W, V, seed=seed).verdict == "fail"


class Clipped:
    """What is cut off at 0 and at 6, times V, and the slope at the two ends."""

    def __init__(self, there: float) -> None:
        self.there = there

    def forward(self, x: Array, V: Array) -> Any:
        self.x, self.V = x, V
        return np.clip(x, 0, 6) @ V

    def backward(self, upstream: Array) -> tuple[Any, Any]:
        inside = np.where((self.x == 0) | (self.x == 6), self.there, (self.x > 0) & (self.x < 6))
        return (upstream @ self.V.T) * inside, np.clip(self.x, 0, 6).T @ upstream


def test_where_a_nearer_look_is_in_doubt_the_first_shows_the_kink() -> None:
    x, V = np.array([[0.0, 6, 3, -1, 6, 0], [0, 0, 0, 6, 6, 6]]), normal(6, 3, seed=2)
    for seed in range(2):
        assert check(Clipped(0.0), x, V, seed=seed).passed
        assert check(Clipped(1.0), x, V, seed=seed).passed
        assert check(Clipped(2.0), x, V, seed=seed).verdict == "fail"


class Ranked:
    """Sorted rows in float32, times W."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def forward(self, x: Array, W: Array) -> Any:
        self.x, self.W = x.astype(np.float32), W.astype(np.float32)
        self.order = np.argsort(self.x, axis=1, kind="stable")
        return np.take_along_axis(self.x, self.order, 1) @ self.W

    def backward(self, upstream: Array) -> tuple[Any, Any]:
        upstream = upstream.astype(np.float32)
        to_x = np.zeros_like(self.x)
        np.put_along_axis(to_x, self.order, np.float32(self.factor) * (upstream @ self.W.T), 1)
        return to_x, np.take_along_axis(self.x, self.order, 1).T @ upstream


def test_in_float32_what_is_declared_is_rounded_also_where_an_output_of_zero_is_not() -> None:
    x, W, _, _ = (a.astype(np.float32) for a in padded(4, 5, 3, 1))
    for seed in range(2):
        report = check(Ranked(1.0), x, W, seed=seed)
        assert report.passed, str(report)
        assert check(Ranked(1.1), x, W, seed=seed).verdict == "fail"


class Scaled:
    """max(x, 0) times a curved function of g; the slope at the kink is declared `there` times the one of its right."""

    def __init__(self, there: float, f: Any, slope: Any, dtype: Any = np.float64) -> None:
        self.there, self.f, self.slope, self.dtype = there, f, slope, dtype

    def forward(self, x: Array, g: Array) -> Any:
        self.x, self.g = x.astype(self.dtype), g.astype(self.dtype)
        return np.maximum(self.x, 0) * self.f(self.g)

    def backward(self, upstream: Array) -> tuple[Any, Any]:
        u = upstream.astype(self.dtype)
        to_x = u * np.where(self.x == 0, self.dtype(self.there), self.x > 0) * self.f(self.g)
        return to_x, u * np.maximum(self.x, 0) * self.slope(self.g)


CURVED = {
    "float32": (lambda g: g * g, lambda g: 2 * g, np.float32),
    "a wave": (lambda g: 2 + np.sin(1e6 * g), lambda g: 1e6 * np.cos(1e6 * g), np.float64),
    "a short wave": (lambda g: 2 + np.sin(2e7 * g), lambda g: 2e7 * np.cos(2e7 * g), np.float64),
}


@pytest.mark.parametrize("there", [1.05, 2.0])
@pytest.mark.parametrize("name", CURVED)
def test_what_is_curved_nearby_excuses_nothing(name: str, there: float) -> None:
    """A point that comes nearer has the slope of the centre again, but where kinks meet."""
    f, slope, dtype = CURVED[name]
    for seed in range(8):
        x, g = normal(2, 6, seed=seed)
        x[::2] = 0.0
        inputs = x.astype(dtype), g.astype(dtype)
        assert check(Scaled(there, f, slope, dtype), *inputs, seed=seed).verdict != "pass"


class OneRow(TwoLayers):
    """One row of padding has a slope of its own at its kinks, among many that are excused."""

    def __init__(self, row: int) -> None:
        super().__init__(0.0)
        self.row = row

    def backward(self, upstream: Array) -> tuple[Any, ...]:
        g = (upstream @ self.V.T) * (self.z > 0)
        g[self.row] = 30 * (upstream @ self.V.T)[self.row]
        return g @ self.W.T, self.x.T @ g, g.sum(axis=0), np.maximum(self.z, 0).T @ upstream


@pytest.mark.parametrize("row", [10, 15, 19])
def test_of_many_breaches_the_plainest_are_looked_at(row: int) -> None:
    for seed in range(2):
        assert check(OneRow(row), *padded(20, 5, 9, 6), seed=seed).verdict == "fail"
