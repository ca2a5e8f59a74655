"""Search: the wrong entries and no others, few probes for few of them, a sample where nearly all are wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.numeric.examine import Examination
from pytest_gradcheck.numeric.search import EVERY, SAMPLE, Finds, Search
from pytest_gradcheck.numeric.stencil import Block
from tests.numeric.bench import Array, Bench, normal


def sech(x: Array) -> Any:
    return 1 - np.tanh(x) ** 2


def wrong(n: int, errors: dict[int, float], factor: float = 1.0, outputs: int = 10) -> Bench:
    """Sums of tanh of n entries; `errors` are added to the declared gradient."""

    def f(x: Array) -> Any:
        return np.tanh(x).reshape(outputs, -1).sum(axis=1)

    def pull(u: Array, x: Array) -> list[Array]:
        g = factor * np.repeat(u, n // outputs) * sech(x)
        for i, error in errors.items():
            g[i] += error
        return [g]

    return Bench(f, normal(n), pull=pull)


def found(bench: Bench, block: Block | None = None, least: float = 1e-9) -> Finds:
    block = block or bench.whole()
    pilot = bench.prober.pilot(block, bench.claim)
    return Search(bench.prober, pilot, least, 1.0).run(block, bench.claim)


@pytest.mark.parametrize("place", [0, 1, 4999, 5000, 9999])
@pytest.mark.parametrize("error", [1.0, 1e-3, -1e-5])
def test_one_among_ten_thousand_is_found_in_a_few_hundred_evaluations(place: int, error: float) -> None:
    bench = wrong(10_000, {place: error})
    finds = found(bench)
    (entry,) = finds.wrong
    assert entry.position == place
    assert entry.declared - entry.numeric == pytest.approx(error, rel=1e-3)
    assert abs(error) > entry.bar
    assert finds.complete
    assert not finds.dense
    assert finds.covered == 10_000
    assert bench.spent < 400


@pytest.mark.parametrize("seed", range(3))
def test_twenty_among_ten_thousand_are_all_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    places = sorted(int(p) for p in rng.choice(10_000, 20, replace=False))
    bench = wrong(10_000, {p: float(rng.choice([-1, 1]) * 10.0 ** rng.uniform(-4, 0)) for p in places})
    finds = found(bench)
    assert sorted(m.position for m in finds.wrong) == places
    assert bench.spent < 6000


def test_neighbours_and_cancelling_errors_are_told_apart() -> None:
    finds = found(wrong(1000, {500: 0.1, 501: -0.1, 502: 0.1}))
    assert sorted(m.position for m in finds.wrong) == [500, 501, 502]


@pytest.mark.parametrize("n", [300, 10_000])
def test_where_all_are_wrong_a_sample_is_measured(n: int) -> None:
    bench = wrong(n, {}, factor=1.01)
    finds = found(bench)
    assert finds.dense
    assert len(finds.measured) == len(finds.wrong) == SAMPLE
    assert len({m.position for m in finds.measured}) == SAMPLE
    assert finds.covered == SAMPLE
    assert bench.spent < 1200
    for m in finds.wrong:
        assert m.declared / m.numeric == pytest.approx(1.01, rel=1e-6)


@pytest.mark.parametrize("n", [10, EVERY])
def test_a_small_argument_is_measured_entry_by_entry(n: int) -> None:
    finds = found(wrong(n, {3: 0.1, 7: -1e-4}))
    assert [m.position for m in finds.measured] == list(range(n))
    assert sorted(m.position for m in finds.wrong) == [3, 7]
    assert {m.state for m in finds.measured} == {"right", "wrong"}
    assert [m.position for m in finds.wrong] == [3, 7], "the worst comes first"


def test_above_that_it_is_not() -> None:
    finds = found(wrong(EVERY + 10, {3: 0.1}))
    assert len(finds.measured) < EVERY / 2


def test_a_right_block_holds_nothing() -> None:
    assert found(wrong(10_000, {})).measured == []
    assert found(wrong(50, {})).wrong == []


def test_only_the_block_is_searched() -> None:
    bench = wrong(1000, {10: 0.1, 990: 0.1})
    assert [m.position for m in found(bench, Block(0, (0, 500))).wrong] == [10]
    assert [m.position for m in found(bench, Block(0, np.arange(900, 1000))).wrong] == [990]


@pytest.mark.parametrize(("least", "caught"), [(1e-9, True), (1e-4, False)])
def test_what_is_smaller_than_the_least_error_is_not_accused(least: float, caught: bool) -> None:
    assert bool(found(wrong(50, {5: 1e-6}), least=least).wrong) == caught


def test_the_limit_ends_it_and_is_said() -> None:
    bench = wrong(10_000, dict.fromkeys(range(0, 10_000, 100), 0.1))
    pilot = bench.prober.pilot(bench.whole(), bench.claim)
    finds = Search(bench.prober, pilot, 1e-9, 1.0, limit=50).run(bench.whole(), bench.claim)
    assert not finds.complete


@pytest.mark.parametrize(
    ("there", "state"), [(0.0, "kink"), (0.5, "kink"), (1.0, "kink"), (1.01, "wrong"), (-0.5, "wrong")]
)
def test_a_single_entry_on_a_kink_is_judged_by_its_slopes(there: float, state: str) -> None:
    x = np.array([0.0, 1.0, -1.0])
    bench = Bench(lambda x: np.maximum(x, 0), x, pull=lambda u, x: [u * np.where(x == 0, there, x > 0)])
    finds = found(bench)
    assert [m.state for m in finds.measured] == [state, "right", "right"]
    low, high = sorted((finds.measured[0].low, finds.measured[0].high))
    u = bench.claim.upstream[0][0]
    assert (low, high) == pytest.approx((0.0, u), abs=1e-6)


def test_a_zero_gradient_at_an_entry_that_does_not_move_is_right_and_any_other_is_not() -> None:
    for declared, state in ((0.0, "right"), (1e-6, "wrong")):
        bench = Bench(lambda x: x[:2], np.ones(3), pull=lambda u, x, d=declared: [np.append(u, d)])
        assert found(bench).measured[2].state == state


def examined(bench: Bench, sharpness: float | None = None) -> Any:
    examination = Examination(bench.stencil, bench.prober, bench.claim_of, sharpness, 0)
    (outcome,) = examination.run(bench.claim, [0])
    return outcome


@pytest.mark.parametrize("errors", [{}, {77: 1e-3}], ids=["right", "wrong"])
def test_an_examination_covers_everything_and_names_what_is_wrong(errors: dict[int, float]) -> None:
    outcome = examined(wrong(1000, errors))
    assert outcome.covered == 1000
    assert [m.position for m in outcome.finds.wrong] == list(errors)
    if not errors:
        assert 0 < outcome.relative < 1e-6
        assert 0 < outcome.absolute < 1e-6


def test_an_examination_that_is_asked_for_more_goes_on() -> None:
    usual, fine = wrong(1000, {}), wrong(1000, {})
    coarse = examined(usual).relative
    assert examined(fine, sharpness=coarse / 3).relative <= coarse / 3
    assert fine.spent > usual.spent
