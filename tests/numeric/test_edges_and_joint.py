"""Edges, where only one side exists, and the joint look at all arguments when evaluations are few."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.calls import quiet
from pytest_gradcheck.numeric.edges import one_sided, unbounded
from pytest_gradcheck.numeric.joint import joint_estimate
from pytest_gradcheck.numeric.stencil import Block
from pytest_gradcheck.numeric.sums import powers
from tests.numeric.bench import Array, Bench, normal

SMOOTH: dict[str, tuple[Any, Any]] = {
    "exp": (np.exp, np.exp),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "cube": (lambda x: x**3, lambda x: 3 * x**2),
    "fast": (lambda x: np.sin(20 * x), lambda x: 20 * np.cos(20 * x)),
}


def estimate(f: Any, slope: Any, x: Array, side: int, step: float = 1e-2, block: Block | None = None) -> Any:
    bench = Bench(f, x, pull=lambda u, x: [u * slope(x)])
    bench.noise.observe((0, 0, x.size), powers([normal(400)]), 1.0, 1e-4)
    return one_sided(bench.stencil, bench.noise, block or bench.whole(), bench.claim, 3, side, step)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("n", [1, 30])
def test_one_sided_slopes_agree_with_a_right_gradient_and_not_with_a_wrong_one(name: str, side: int, n: int) -> None:
    f, slope = SMOOTH[name]
    x = normal(n, seed=4)
    right = estimate(f, slope, x, side)
    assert right.agrees
    assert right.bar < 1e-5 * right.scale
    assert not estimate(f, lambda x: 1.001 * slope(x), x, side).agrees
    assert not unbounded(right)


@pytest.mark.parametrize("side", [1, -1])
def test_only_that_side_is_ever_seen(side: int) -> None:
    def f(x: Array) -> Any:
        return np.where(side * x < 0, np.nan, np.exp(x))

    there = estimate(f, np.exp, np.zeros(3), side)
    assert there.finite
    assert there.agrees
    assert not estimate(f, np.exp, np.zeros(3), -side).finite


def test_at_a_kink_each_side_has_its_own_slope() -> None:
    for side in (1, -1):
        for declared in (1.0, -1.0):
            found = estimate(np.abs, lambda x, d=declared: np.full_like(x, d), np.zeros(2), side)
            assert found.agrees == (declared == side)


def test_an_infinite_slope_grows_with_every_halved_step() -> None:
    assert unbounded(estimate(np.sqrt, np.zeros_like, np.zeros(1), 1))
    assert unbounded(estimate(lambda x: x**0.3, np.zeros_like, np.zeros(1), 1))
    assert not unbounded(estimate(lambda x: x**1.5, np.zeros_like, np.zeros(1), 1))
    assert not unbounded(estimate(np.exp, np.exp, np.zeros(1), 1))
    assert not unbounded(estimate(np.zeros_like, np.zeros_like, np.zeros(1), 1))


def test_without_a_taylor_series_the_bar_still_holds() -> None:
    """x^1.5 at 0: slopes go like the root of the step, and the bar covers what they have left to go."""
    found = estimate(lambda x: x**1.5, np.zeros_like, np.zeros(1), 1)
    assert found.agrees
    assert not estimate(lambda x: x**1.5, lambda x: 1.0 + 0 * x, np.zeros(1), 1).agrees


def test_everything_is_restored_after_a_one_sided_look() -> None:
    x = normal(7)
    bench = Bench(np.exp, x)
    one_sided(bench.stencil, bench.noise, Block(0, np.array([1, 5])), bench.claim, 0, 1)
    assert bench.stencil.work[0].tobytes() == x.tobytes()
    assert bench.spent == 1 + 5


def affine(wrong: dict[int, float]) -> Bench:
    """tanh(x W + b); `wrong` is added to the gradient of the argument of that number."""

    def f(x: Array, W: Array, b: Array) -> Any:
        return np.tanh(x @ W + b)

    def pull(u: Array, x: Array, W: Array, b: Array) -> list[Array]:
        delta = u * (1 - np.tanh(x @ W + b) ** 2)
        return [g + wrong.get(i, 0.0) for i, g in enumerate([delta @ W.T, x.T @ delta, delta.sum(0)])]

    return Bench(f, normal(5, 4), normal(4, 3, seed=1), normal(3, seed=2), pull=pull)


def test_all_arguments_at_once_cost_six_evaluations() -> None:
    bench = affine({})
    found = joint_estimate(bench.prober, bench.claim, [0, 1, 2])
    assert bench.spent == 1 + 6
    assert found.agrees
    assert found.bar < 1e-7 * found.scale
    assert [w.tobytes() for w in bench.stencil.work] == [x.tobytes() for x in bench.x]


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("error", [1e-2, -1e-5])
def test_one_wrong_argument_shows(which: int, error: float) -> None:
    bench = affine({which: error})
    assert not joint_estimate(bench.prober, bench.claim, [0, 1, 2]).agrees


def test_arguments_that_are_left_out_do_not_move_and_are_not_declared() -> None:
    bench = affine({1: 0.5})
    assert joint_estimate(bench.prober, bench.claim, [0, 2]).agrees


def test_a_kink_among_them_is_seen() -> None:
    bench = Bench(lambda x: np.maximum(x, 0), np.array([0.0, 1.0, -1.0]), pull=lambda u, x: [u * (x > 0)])
    assert bench.prober.kinked(joint_estimate(bench.prober, bench.claim, [0]))
    smooth = affine({})
    assert not smooth.prober.kinked(joint_estimate(smooth.prober, smooth.claim, [0, 1, 2]))


def test_a_step_that_leaves_the_numbers_is_no_estimate() -> None:
    bench = Bench(np.log, np.array([1e-9, 1.0, 2.0] + [1.0] * 400), pull=lambda u, x: [u / x])
    bench.stencil.units = [1.0]
    with quiet():
        assert not joint_estimate(bench.prober, bench.claim, [0]).finite
