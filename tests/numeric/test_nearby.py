"""Points near kinks that meet: what slopes lie around there is excused; one kink, jumps and rounding excuse nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.domain import interval, symmetric
from pytest_gradcheck.numeric.nearby import Nearby
from pytest_gradcheck.numeric.slopes import Breach
from tests.numeric.bench import Bench

RELATIVE = 1e-6
X = np.array([0.0, 0.0, 0.7])
ALONG = [(0, np.array([0, 1]), np.array([1.0, -1.0]))]


def opposed(x: Any) -> Any:
    """2 max(a, 0) - 3 max(b, 0): along (1, -1) 2 to the right and 3 to the left, nearby 0 and 5 as well."""
    return 2 * np.maximum(x[:1], 0) - 3 * np.maximum(x[1:2], 0)


def nearby(f: Any = opposed, x: Any = X, relative: float = RELATIVE, **more: Any) -> Nearby:
    bench = Bench(f, x, **more)
    return Nearby(bench.stencil, bench.noise, relative, np.random.default_rng(0))


def breach(declared: float, low: float = 2.0, high: float = 3.0) -> Breach:
    return Breach(((0, 0), (0, 1)), declared, low, high, 1e-6)


def excused(it: Nearby, declared: float, low: float = 2.0, high: float = 3.0, **more: Any) -> bool:
    return it.excused(breach(declared, low, high), ALONG, RELATIVE, np.ones(1), **more)


@pytest.mark.parametrize("declared", [0.0, 1.0, 4.0, 5.0])
def test_what_lies_between_slopes_nearby_is_excused(declared: float) -> None:
    it = nearby()
    assert excused(it, declared)
    assert not it.vague


@pytest.mark.parametrize("declared", [-3.0, 8.0, 100.0])
def test_what_lies_far_outside_is_not(declared: float) -> None:
    it = nearby()
    assert not excused(it, declared)
    assert not it.vague


@pytest.mark.parametrize("declared", [-1.0, 6.0])
def test_what_is_close_to_them_is_not_decided(declared: float) -> None:
    it = nearby()
    assert excused(it, declared)
    assert it.vague == {0}


def test_along_a_line_that_moves_everything_it_is_passed_over() -> None:
    it = nearby()
    assert excused(it, 6.0, mixed=True)
    assert not it.vague
    assert not excused(it, 100.0, mixed=True)


def test_one_kink_has_its_own_slopes_nearby() -> None:
    it = nearby(lambda x: 2 * np.maximum(x[:1], 0))
    before = it.stencil.calls.meter.forward_evaluations
    assert not excused(it, 2.2, 0.0, 2.0)
    assert it.stencil.calls.meter.forward_evaluations - before < 120, "seen after some forty points"


def test_where_there_is_no_kink_nothing_is_excused() -> None:
    assert not excused(nearby(), 0.0, 2.5, 2.5)
    assert excused(nearby(), 0.0, 2.5, 2.5, mixed=True)


def test_where_a_kink_may_hide_in_the_doubt_it_is_not_decided() -> None:
    it = nearby()
    assert it.excused(Breach(((0, 0), (0, 1)), 1.0, 2.5, 2.6, 0.1), ALONG, RELATIVE, np.ones(1))
    assert it.vague == {0}


def test_beside_a_jump_slopes_tell_nothing() -> None:
    def jumping(x: Any) -> Any:
        return opposed(x) + (x[2:3] > 0.7)

    assert not excused(nearby(jumping), 0.0)
    assert excused(nearby(jumping), 100.0, mixed=True) is False
    assert excused(nearby(jumping), 0.0, mixed=True), "who cannot tell does not accuse"


def test_where_rounding_hides_the_breach_nothing_is_excused() -> None:
    it = nearby(lambda x: 1e9 + opposed(x))
    assert not excused(it, 0.0)
    assert excused(it, 0.0, mixed=True)


def test_after_a_few_that_are_not_excused_none_is_looked_at() -> None:
    it = nearby()
    for _ in range(4):
        assert not excused(it, 100.0)
    before = it.stencil.calls.meter.forward_evaluations
    assert not excused(it, 0.0)
    assert it.stencil.calls.meter.forward_evaluations == before


def test_what_was_not_certain_a_few_times_is_not_looked_at_again_unless_it_is_plain() -> None:
    it = nearby()
    for _ in range(4):
        assert excused(it, 5.6)
    before = it.stencil.calls.meter.forward_evaluations
    assert excused(it, 3.9)
    assert it.stencil.calls.meter.forward_evaluations == before
    assert not excused(it, 100.0)


def test_after_many_looks_nothing_more_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    it = nearby()
    monkeypatch.setattr("pytest_gradcheck.numeric.nearby.BUDGET", 3)
    assert not excused(it, 100.0)
    assert excused(it, 100.0)
    assert it.vague == {0}


def test_of_several_outputs_each_has_its_own_slopes() -> None:
    """Where the one has its largest the other need not have it."""

    def both(x: Any) -> Any:
        return np.concatenate([opposed(x), -opposed(x)])

    it = nearby(both)
    assert it.excused(breach(4.9, -1.0, 1.0), ALONG, RELATIVE, np.ones(2))
    assert not it.excused(breach(100.0, -1.0, 1.0), ALONG, RELATIVE, np.ones(2))


def test_what_stands_on_a_bound_stays_there() -> None:
    """To the left of zero there is no number: other entries are moved without it."""
    domains = [None, interval(0.0, None, ends=True)]
    bench = Bench(
        lambda x, z: 2 * np.maximum(x[:1], 0) - 3 * np.maximum(-x[1:2], 0) + np.sqrt(z), X, np.zeros(1), domains=domains
    )
    it = Nearby(bench.stencil, bench.noise, RELATIVE, np.random.default_rng(0))
    assert it.excused(breach(0.0), [(0, np.array([0, 1]), np.ones(2))], RELATIVE, np.ones(1))
    assert not it.vague


def test_entries_of_a_structure_cannot_be_moved_by_themselves() -> None:
    bench = Bench(lambda x: x.reshape(-1)[:1], np.ones((2, 2)), domains=[symmetric])
    it = Nearby(bench.stencil, bench.noise, RELATIVE, np.random.default_rng(0))
    assert not it.excused(breach(0.0), ALONG, RELATIVE, np.ones(1))
