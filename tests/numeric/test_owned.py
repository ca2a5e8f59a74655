"""Outputs on a kink that answer to entries of their own: all judged at once, and every wrong twin is caught."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.numeric.directions import Direction
from pytest_gradcheck.numeric.kinks import KinkJudgement, KinkRule, rough_outputs
from tests.numeric.bench import Array, Bench, normal

Pull = Callable[..., list[Array]]


def judged(bench: Bench, arguments: tuple[int, ...] = (0,), near: Sequence[int] = ()) -> KinkJudgement | None:
    """The rule for the outputs that are rough within 1e-6, and those at the positions `near`."""
    masks = [np.zeros(y.size, bool) for y in bench.stencil.center]
    masks[0][list(near)] = True
    for i in arguments:
        seen = rough_outputs(bench.stencil, bench.noise, bench.whole(i), Direction(5, i), 1e-6)
        masks = [a | b for a, b in zip(masks, seen, strict=True)]
    before = [v.copy() for v in bench.stencil.flat]
    found = KinkRule(bench.stencil, bench.noise, bench.claim_of, 7).all_at_once(masks, list(arguments))
    for was, base, work in zip(before, bench.stencil.flat, bench.stencil.flat_work, strict=True):
        assert np.array_equal(was, base)
        assert np.array_equal(was, work)
    return found


def zeros_in(n: int, every: int = 2) -> Array:
    x = normal(n)
    x[::every] = 0.0
    return x


@pytest.mark.parametrize("n", [100, 10_000])
@pytest.mark.parametrize("there", [0.0, 0.5, 1.0])
def test_half_of_a_relu_on_its_kink_costs_a_few_evaluations(n: int, there: float) -> None:
    bench = Bench(lambda x: np.maximum(x, 0), zeros_in(n), pull=lambda u, x: [u * np.where(x == 0, there, x > 0)])
    before = bench.spent
    found = judged(bench)
    assert found is not None
    assert found.all_asked
    assert found.count == n // 2
    assert not found.breaches
    assert found.reach < 1e-5
    assert bench.spent - before < 20


@pytest.mark.parametrize("wrong", [1.01, -0.01, 3.0])
@pytest.mark.parametrize("place", [0, 500, 9_998])
def test_one_wrong_entry_among_thousands_on_a_kink_is_named(wrong: float, place: int) -> None:
    def pull(u: Array, x: Array) -> list[Array]:
        g = u * (x > 0)
        g[place] = wrong * u[place]
        return [g]

    found = judged(Bench(lambda x: np.maximum(x, 0), zeros_in(10_000), pull=pull))
    assert found is not None
    (breach,) = found.breaches
    assert breach.entries == ((0, place),)
    assert breach.declared == pytest.approx(wrong)
    assert (breach.low, breach.high) == pytest.approx((0.0, 1.0), abs=1e-6)


def test_a_slope_near_a_kink_is_told_from_the_one_beyond_it() -> None:
    x = normal(1000)
    near = (10, 500, 900)
    x[list(near)] = 5e-7
    for wrong in (False, True):

        def pull(u: Array, x: Array, wrong: bool = wrong) -> list[Array]:
            g = u * (x > 0)
            g[10] *= 1 - 0.5 * wrong
            return [g]

        found = judged(Bench(lambda x: np.maximum(x, 0), x, pull=pull), near=near)
        assert found is not None
        assert found.count == 0, "beside a kink is not on it"
        assert [b.entries for b in found.breaches] == ([((0, 10),)] if wrong else [])


def rows(x: Array) -> Array:
    return np.asarray(x.max(axis=-1))


def to_first(u: Array, x: Array) -> list[Array]:
    g = np.zeros_like(x)
    np.put_along_axis(g, x.argmax(-1)[:, None], u[:, None], -1)
    return [g]


def shared(u: Array, x: Array) -> list[Array]:
    at = x == x.max(-1, keepdims=True)
    return [at * u[:, None] / at.sum(-1, keepdims=True)]


def to_each(u: Array, x: Array) -> list[Array]:
    return [(x == x.max(-1, keepdims=True)) * u[:, None]]


def flipped(u: Array, x: Array) -> list[Array]:
    (g,) = to_first(u, x)
    g[5] *= -1
    return [g]


def unevenly(u: Array, x: Array) -> list[Array]:
    """Shares that add up to one, two of which are no shares."""
    (g,) = shared(u, x)
    at = np.flatnonzero(g[5])
    g[5, at[0]] += 2 * u[5]
    g[5, at[1]] -= 2 * u[5]
    return [g]


TIED = np.random.default_rng(3).integers(-2, 3, (40, 30)).astype(float)


@pytest.mark.parametrize("pull", [to_first, shared])
def test_ties_may_be_given_to_one_or_shared(pull: Pull) -> None:
    found = judged(Bench(rows, TIED, pull=pull))
    assert found is not None
    assert found.all_asked
    tied = (TIED.max(-1, keepdims=True) == TIED).sum(-1) > 1
    assert found.count == tied.sum()
    assert not found.breaches


@pytest.mark.parametrize("pull", [to_each, flipped, unevenly])
def test_ties_given_twice_to_the_wrong_side_or_unevenly_are_caught(pull: Pull) -> None:
    found = judged(Bench(rows, TIED, pull=pull))
    assert found is not None
    assert found.breaches


def test_a_tie_of_two_arguments_given_to_both_fails_along_the_diagonal() -> None:
    a, b = (np.random.default_rng(s).integers(-2, 3, 200).astype(float) for s in (1, 2))

    def pull(u: Array, a: Array, b: Array) -> list[Array]:
        return [u * (a >= b), u * (a < b)]

    def twice(u: Array, a: Array, b: Array) -> list[Array]:
        return [u * (a >= b), u * (a <= b)]

    right, wrong = (judged(Bench(np.maximum, a, b, pull=p), (0, 1)) for p in (pull, twice))
    assert right is not None
    assert wrong is not None
    assert not right.breaches
    assert {len(breach.entries) for breach in wrong.breaches} == {2}
    assert len(wrong.breaches) == int((a == b).sum())


def test_outputs_that_share_entries_are_not_judged_so() -> None:
    def f(x: Array) -> Any:
        return np.maximum(x, 0) + np.maximum(np.roll(x, 1), 0)

    def pull(u: Array, x: Array) -> list[Array]:
        return [(u + np.roll(u, -1)) * (x > 0)]

    assert judged(Bench(f, zeros_in(200), pull=pull)) is None


def test_what_moves_against_the_declared_owner_is_seen() -> None:
    """Declared entry by entry, while each output also answers to its neighbour."""

    def f(x: Array) -> Any:
        return np.maximum(x, 0) + np.maximum(np.roll(x, 1), 0)

    assert judged(Bench(f, zeros_in(200), pull=lambda u, x: [u * (x > 0)])) is None


def test_a_small_layer_is_asked_entry_by_entry_instead() -> None:
    x = np.array([0.0, 1.0, 0.0])
    assert judged(Bench(lambda x: np.maximum(x, 0), x, pull=lambda u, x: [u * (x > 0)])) is None
