"""Points near a tie: what their slopes lie around is excused, and neither jumps nor waves excuse anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.domain import symmetric
from pytest_gradcheck.numeric.slopes import Entries
from pytest_gradcheck.numeric.untied import Untied, divided
from tests.numeric.bench import Bench

TIED = np.array([0.7, 0.2, 0.7, 0.7, -0.3])


def untied(f: Any, entries: Entries = ((0, 2),), x: Any = TIED, step: float = 1e-2) -> Untied:
    bench = Bench(f, x)
    weight = np.ones(sum(y.size for y in bench.stencil.center))
    return Untied(bench.stencil, bench.noise, np.random.default_rng(0), entries, step, weight)


def second(x: Any) -> Any:
    """The second largest entry."""
    return np.sort(x)[-2:-1]


def test_equal_entries_are_those_of_the_same_value_where_there_are_three() -> None:
    assert untied(second).equals == ((0, 0), (0, 2), (0, 3))
    assert untied(second, ((0, 1),)).equals == ()
    assert untied(second, x=np.array([1.0, 2.0, 2.0])).equals == ()


@pytest.mark.parametrize("declared", [0.0, 0.2, 1.0])
def test_what_lies_between_the_slopes_nearby_is_excused(declared: float) -> None:
    it = untied(second)
    assert it.excused(declared, 1.0, 1.0)


@pytest.mark.parametrize("declared", [-0.1, 1.1, 3.0])
def test_what_lies_outside_is_not(declared: float) -> None:
    it = untied(second)
    assert not it.excused(declared, 1.0, 1.0)


@pytest.mark.parametrize("together", [0.0, 0.9, 2.0, 3.0])
def test_what_is_declared_for_all_of_them_must_be_right(together: float) -> None:
    it = untied(second)
    assert not it.excused(1.0, 1.0, together)


def test_a_tie_is_divided_where_some_of_it_are_elsewhere() -> None:
    stencil = Bench(second, TIED).stencil
    assert divided(stencil, 0, np.array([0, 1, 2]))
    assert not divided(stencil, 0, np.array([0, 2, 3]))
    assert not divided(stencil, 0, np.array([1, 4]))
    assert not divided(Bench(second, np.array([1.0, 2.0, 2.0])).stencil, 0, np.array([1])), "two are no such tie"


def test_beside_a_jump_slopes_tell_nothing() -> None:
    """The third entry where the first is not below the last but one: on at the centre, half of the time nearby."""
    it = untied(lambda x: x[2:3] * (x[0] >= x[3]))
    assert not it.excused(0.0, 1.0, 1.0)


def test_what_oscillates_within_them_tells_nothing() -> None:
    it = untied(lambda x: np.sin(1e5 * x[2:3]))
    assert not it.excused(3e4, 1e4, 1e5 * float(np.cos(7e4)))


def test_where_rounding_hides_the_gap_nothing_is_excused() -> None:
    it = untied(lambda x: 1e9 + second(x), step=1e-5)
    assert not it.excused(0.5, 1.0, 1.0)


def test_entries_of_a_structure_cannot_be_moved_by_themselves() -> None:
    bench = Bench(lambda x: x.reshape(-1)[:1], np.ones((2, 2)), domains=[symmetric])
    it = Untied(bench.stencil, bench.noise, np.random.default_rng(0), ((0, 0),), 1e-2, np.ones(1))
    assert it.equals == ()
