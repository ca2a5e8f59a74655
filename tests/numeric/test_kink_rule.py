"""The kink rule on its own: which outputs are rough, what lies between the slopes, and what breaks the rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.numeric.directions import Direction
from pytest_gradcheck.numeric.kinks import KinkJudgement, KinkRule, rough_outputs, split
from tests.numeric.bench import Array, Bench, normal

D = Direction(5)


def relu(there: float, x: Array) -> Bench:
    return Bench(lambda x: np.maximum(x, 0), x, pull=lambda u, x: [u * np.where(x == 0, there, x > 0)])


def judged(bench: Bench, arguments: tuple[int, ...] = (0,), step: float = 1e-6) -> KinkJudgement:
    masks = rough_outputs(bench.stencil, bench.noise, bench.whole(), D, step)
    return KinkRule(bench.stencil, bench.noise, bench.claim_of, 7).judge(masks, list(arguments))


def test_rough_outputs_are_those_with_a_kink_within_the_step() -> None:
    x = np.array([0.0, 1e-4, -1e-4, 0.01, -0.01, 1.0])
    for step, rough in ((1e-6, [0]), (1e-3, [0, 1, 2]), (0.1, [0, 1, 2, 3, 4])):
        bench = relu(0.0, x)
        bench.stencil.units = [1.0]
        (mask,) = rough_outputs(bench.stencil, bench.noise, bench.whole(), D, step)
        assert np.flatnonzero(mask).tolist() == rough


@pytest.mark.parametrize(
    "f",
    [np.tanh, np.exp, lambda x: np.sin(8 * x), lambda x: x**2, lambda x: 1 / (4 + x)],
    ids=["tanh", "exp", "fast", "square", "pole"],
)
@pytest.mark.parametrize("step", [1e-2, 1e-4, 1e-6])
def test_smooth_outputs_are_not_rough(f: Any, step: float) -> None:
    bench = Bench(f, np.random.default_rng(0).uniform(-1, 1, 500))
    (mask,) = rough_outputs(bench.stencil, bench.noise, bench.whole(), D, step)
    assert not mask.any()


def test_outputs_that_leave_the_numbers_are_rough() -> None:
    bench = Bench(lambda x: np.where(x > 1, np.nan, x), np.array([0.5, 1.0]))
    with np.errstate(invalid="ignore"):
        (mask,) = rough_outputs(bench.stencil, bench.noise, bench.whole(), D, 1e-3)
    assert mask.tolist() == [False, True]


def test_split_gives_each_output_to_one_side() -> None:
    bench = relu(0.0, normal(6))
    masks = [np.array([True, False, True, False, False, True])]
    smooth, rough = split(bench.claim, masks)
    assert np.array_equal(smooth[0] + rough[0], bench.claim.upstream[0])
    assert (smooth[0] != 0).tolist() == [False, True, False, True, True, False]


@pytest.mark.parametrize(
    ("there", "right"), [(0.0, True), (0.3, True), (1.0, True), (-0.01, False), (1.01, False), (3.0, False)]
)
@pytest.mark.parametrize("zeros", [1, 5, 40])
def test_between_the_slopes_is_right_and_outside_is_not(there: float, right: bool, zeros: int) -> None:
    x = normal(80)
    x[:zeros] = 0.0
    found = judged(relu(there, x))
    assert found.count == zeros
    assert found.asked > 0
    assert bool(found.breaches) != right
    assert found.all_asked == (zeros == 1), "of a large layer a few are asked one by one"
    for breach in found.breaches:
        if len(breach.entries) == 1 and breach.entries[0][1] >= 0:
            assert x[breach.entries[0][1]] == 0.0
            assert (breach.low, breach.high) == pytest.approx((0.0, 1.0), abs=1e-6)
            assert breach.declared == pytest.approx(there)


@pytest.mark.parametrize(("where", "right"), [("picked", False), ("none", True)])
def test_many_kinks_are_also_asked_together(where: str, right: bool) -> None:
    """Of 2,000 kinks few are asked singly; a slope that is wrong at all others shows in the sum."""
    x = np.zeros(2000)
    slopes = np.full(2000, 1.2 if where == "picked" else 0.5)
    bench = Bench(lambda x: np.maximum(x, 0), x, pull=lambda u, x: [u * slopes])
    assert bool(judged(bench).breaches) != right


def tied(a: float, b: float) -> Bench:
    """max(x, y) with one tie, of which x gets a and y gets b."""

    def pull(u: Array, x: Array, y: Array) -> list[Array]:
        tie = x == y
        return [u * np.where(tie, a, x > y), u * np.where(tie, b, y > x)]

    return Bench(np.maximum, np.array([1.0, 2.0]), np.array([1.0, 0.0]), pull=pull)


@pytest.mark.parametrize(
    ("a", "b", "right"),
    [(1, 0, True), (0, 1, True), (0.5, 0.5, True), (1, 1, False), (0, 0, False), (0.4, 0.4, False)],
)
def test_a_tie_is_asked_along_the_diagonal(a: float, b: float, right: bool) -> None:
    found = judged(tied(a, b), (0, 1))
    assert bool(found.breaches) != right
    # Entry by entry each share is between 0 and 1, so only a joint direction can tell.
    assert all(len(breach.entries) > 1 for breach in found.breaches)
    assert all({i for i, _ in breach.entries} == {0, 1} for breach in found.breaches)


def test_one_argument_alone_cannot_tell_a_tie() -> None:
    assert not judged(tied(1, 1), (0,)).breaches


@pytest.mark.parametrize("height", [1.0, 1e-3])
def test_a_jump_is_no_kink(height: float) -> None:
    """The slope towards a jump grows as the step falls; nothing between it and the other side is thereby allowed."""

    def f(x: Array) -> Any:
        return 0.5 * x + height * (x >= 0)

    bench = Bench(f, np.array([0.0, 1.0]), pull=lambda u, x: [u * np.where(x == 0, 300.0, 0.5)])
    found = judged(bench)
    assert found.breaches
    right = Bench(f, np.array([0.0, 1.0]), pull=lambda u, x: [u * 0.5])
    assert not judged(right).breaches


def test_everything_is_restored_after_the_rule_was_asked() -> None:
    x = normal(30)
    x[::3] = 0.0
    bench = relu(0.5, x)
    judged(bench)
    assert bench.stencil.work[0].tobytes() == x.tobytes()
