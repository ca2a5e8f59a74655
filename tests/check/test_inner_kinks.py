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


SIZES = [(4, 3, 5, 2), (3, 4, 50, 1), (8, 30, 20, 10)]


@pytest.mark.parametrize("there", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_any_slope_that_is_taken_for_each_kink_is_right(sizes: tuple[int, int, int, int], there: float) -> None:
    for seed in range(3):
        report = check(TwoLayers(there), *padded(*sizes, seed=10 * seed), seed=seed)
        assert report.passed, str(report)


@pytest.mark.parametrize("there", [-1.0, 2.0])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_one_that_no_kink_has_is_wrong(sizes: tuple[int, int, int, int], there: float) -> None:
    for seed in range(3):
        assert check(TwoLayers(there), *padded(*sizes, seed=10 * seed), seed=seed).verdict == "fail"


@pytest.mark.parametrize("there", [0.0, 1.0])
def test_in_float32_as_well(there: float) -> None:
    for seed in range(3):
        inputs = [a.astype(np.float32) for a in padded(4, 3, 5, 2, seed=10 * seed)]
        assert check(TwoLayers(there, np.float32), *inputs, seed=seed).passed
        assert check(TwoLayers(there + 2, np.float32), *inputs, seed=seed).verdict == "fail"


@pytest.mark.parametrize("sizes", [(20, 4, 6, 1), (60, 8, 12, 3)], ids=str)
def test_many_outputs_with_kinks_of_their_own_inside(sizes: tuple[int, int, int, int]) -> None:
    x = padded(*sizes)[0]
    for seed in range(3):
        right = check(Frozen(0.0, *sizes[1:]), x, seed=seed)
        assert right.passed, str(right)
        assert check(Frozen(-1.0, *sizes[1:]), x, seed=seed).verdict != "pass"
    assert any(check(Frozen(-1.0, *sizes[1:]), x, seed=seed).verdict == "fail" for seed in range(3))


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
