"""The detection limit: errors of its size are missed no more often than it says, one alone, two equal, two opposite."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_gradcheck.numeric.directions import Direction
from pytest_gradcheck.numeric.sharpness import MISS, detection_limit
from tests.numeric.bench import Array

TRIALS = 200_000
REACHES = {
    "one draw": [1.0],
    "two": [1.0, 1.0],
    "three": [1.0, 1.0, 1.0],
    "uneven": [1.0, 3.0, 10.0],
    "one blind": [1.0, float("inf"), 2.0],
    "five": [1.0, 1.2, 1.4, 1.6, 1.8],
}


def drawn(draws: int) -> Array:
    """Directions at two entries: (trials, draws, 2)."""
    rng = np.random.default_rng(7)
    return np.asarray(rng.uniform(1, 2, (TRIALS, draws, 2)) * rng.choice([-1.0, 1.0], (TRIALS, draws, 2)))


def missed(size: float, reaches: list[float], signs: tuple[int, int]) -> float:
    """Share of trials in which errors of this size stay below the reach of every draw."""
    d = drawn(len(reaches))
    shown = np.abs(size * (signs[0] * d[..., 0] + signs[1] * d[..., 1]))
    return float((shown < np.array(reaches)).all(axis=1).mean())


@pytest.mark.parametrize("signs", [(1, 0), (1, 1), (1, -1)], ids=["one", "two equal", "two opposite"])
@pytest.mark.parametrize("name", REACHES)
def test_errors_of_that_size_are_missed_at_most_that_often(name: str, signs: tuple[int, int]) -> None:
    limit = detection_limit(REACHES[name])
    allowed = MISS / 2
    assert missed(limit, REACHES[name], signs) <= allowed + 4 * (allowed / TRIALS) ** 0.5


@pytest.mark.parametrize("name", REACHES)
def test_the_limit_is_not_needlessly_large(name: str) -> None:
    """At a third of it two equal errors are missed more often than promised."""
    assert missed(detection_limit(REACHES[name]) / 3, REACHES[name], (1, 1)) > MISS / 2


def test_a_single_error_is_never_missed_at_the_limit() -> None:
    for reaches in REACHES.values():
        assert missed(detection_limit(reaches), reaches, (1, 0)) == 0.0


def test_the_directions_of_the_core_are_as_good_as_independent_numbers() -> None:
    limit = detection_limit([1.0, 1.0])
    trials = 20_000
    draws = np.array([[Direction(seed, 0, draw).over(5, 7) for draw in (1, 2)] for seed in range(trials)])
    for signs in ((1, 1), (1, -1)):
        hidden = (np.abs(limit * draws @ np.array(signs)) < 1.0).all(axis=1).sum()
        assert hidden <= MISS / 2 * trials + 4 * (MISS / 2 * trials) ** 0.5


def test_more_draws_and_smaller_reaches_make_it_sharper() -> None:
    limits = [detection_limit([1.0] * n) for n in range(1, 7)]
    assert limits == sorted(limits, reverse=True)
    assert limits[0] == pytest.approx(2 / MISS, rel=0.02)
    assert detection_limit([2.0, 2.0]) == pytest.approx(2 * detection_limit([1.0, 1.0]), rel=0.03)
    assert detection_limit([1.0, 1.0], miss=0.1) < detection_limit([1.0, 1.0])


@pytest.mark.parametrize("reaches", [[], [float("inf")], [float("inf"), float("inf")]])
def test_who_saw_nothing_can_promise_nothing(reaches: list[float]) -> None:
    assert detection_limit(reaches) == float("inf")


def test_an_exact_draw_leaves_nothing_to_miss() -> None:
    assert detection_limit([0.0, 1.0]) < 1e-100
