"""Noise: what a forward trembles is measured, curvature is not taken for it, and it is never below rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.numeric.noise import Noise
from pytest_gradcheck.numeric.stencil import Claim
from pytest_gradcheck.numeric.sums import powers
from tests.numeric.bench import Array, Bench, normal

EPS = 2.0**-53
#: A block and another one.
KEY, OTHER = (0, 0, 100), (0, 100, 100)


def trembling(size: float) -> Any:
    """tanh with a relative error of the given deviation, another one for each number."""

    def f(x: Array) -> Any:
        # A hash of the bits: a generator would be found and put back before each forward.
        bits = (np.ascontiguousarray(x).view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(11)
        return np.tanh(x) * (1 + size * 12**0.5 * (bits / 2.0**53 - 0.5))

    return f


@pytest.mark.parametrize(
    ("n", "size"), [(n, size) for n in (1, 10, 1000) for size in (1e-13, 1e-11, 1e-9, 1e-7) if n > 1 or size < 1e-8]
)
def test_a_known_tremble_is_found(n: int, size: float) -> None:
    bench = Bench(trembling(size), normal(n, seed=1))
    for draw in range(3):
        bench.prober.pilot(bench.whole(), bench.claim, draw)
    found = bench.noise.factor * EPS / size
    # One sample of one number may be small by chance; what is stated for few numbers errs to the large side.
    assert (0.5 if n >= 10 else 0.05) < found < (2.0 if n == 1000 else 60.0)


@pytest.mark.parametrize(
    "f",
    [np.tanh, np.exp, lambda x: np.sin(30 * x), lambda x: x**9, lambda x: 1 / (3 + x), lambda x: np.exp(-50 * x * x)],
    ids=["tanh", "exp", "fast", "power", "pole", "bump"],
)
def test_curvature_is_not_taken_for_noise(f: Any) -> None:
    bench = Bench(f, np.random.default_rng(2).uniform(-1, 1, 200))
    bench.prober.pilot(bench.whole(), bench.claim)
    assert bench.noise.factor < 30
    assert bench.noise.factor >= 0.4


def test_a_core_in_float32_is_noise_of_float32() -> None:
    bench = Bench(lambda x: np.tanh(x.astype(np.float32)).astype(np.float64), normal(500))
    bench.prober.pilot(bench.whole(), bench.claim)
    assert 0.05 < bench.noise.factor * EPS / 2.0**-24 < 3


def test_a_float32_output_is_measured_in_its_own_rounding() -> None:
    bench = Bench(lambda x: np.tanh(x).astype(np.float32), normal(500))
    assert bench.noise.eps == [2.0**-24]
    bench.prober.pilot(bench.whole(), bench.claim)
    assert 0.1 < bench.noise.factor < 4


def test_before_anything_was_seen_one_rounding_is_assumed() -> None:
    assert Noise([np.ones(3)], [np.dtype(np.float64)], None).factor == 1.0


def noise(n: int = 1000) -> Noise:
    return Noise([np.ones(n)], [np.dtype(np.float64)], None)


def sample(n: int, size: float, seed: int = 0) -> list[Array]:
    """Fourth differences of independent numbers of the given deviation."""
    return [size * np.sqrt(70.0) * normal(n, seed=seed)]


def test_of_several_steps_the_smallest_counts_of_one_step_the_largest() -> None:
    it = noise()
    for size, step in ((9.0, 1e-3), (4.0, 1e-5), (6.0, 1e-5)):
        it.observe(KEY, powers(sample(1000, size)), np.sqrt(1000.0), step)
    assert it.factor == pytest.approx(6.0, rel=0.2)


def test_noise_below_rounding_is_believed_of_many_numbers_only() -> None:
    few, many = noise(10), noise()
    few.observe(KEY, powers(sample(10, 0.1)), np.sqrt(10.0), 1e-4)
    assert few.factor == 1.0
    many.observe(KEY, powers(sample(1000, 0.6)), np.sqrt(1000.0), 1e-4)
    assert many.factor == pytest.approx(0.6, rel=0.2)
    many.observe(KEY, powers(sample(1000, 0.01)), np.sqrt(1000.0), 1e-6)
    assert many.factor == 0.4, "half a unit in the last place is a third of it in deviation"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_no_observation(bad: float) -> None:
    it = noise()
    it.observe(KEY, powers([np.array([1.0, bad])]), 1.0, 1e-4)
    it.observe(KEY, powers(sample(10, 1e6)), 0.0, 1e-4)
    assert it.factor == 1.0


def test_each_block_has_its_own_noise_and_one_that_was_not_seen_the_largest() -> None:
    it = noise()
    it.observe(KEY, powers(sample(1000, 50.0)), np.sqrt(1000.0), 1e-4)
    it.observe(OTHER, powers(sample(1000, 2.0, seed=1)), np.sqrt(1000.0), 1e-4)
    assert it.of(KEY) == pytest.approx(50.0, rel=0.2)
    assert it.of(OTHER) == pytest.approx(2.0, rel=0.2)
    assert it.of((1, 0, 7)) == it.factor == it.of(KEY)


def test_it_is_sure_of_many_numbers_seen_at_one_step() -> None:
    it = noise()
    assert not it.sure(KEY)
    it.observe(KEY, powers(sample(100, 1.0)), 10.0, 1e-4)
    assert not it.sure(KEY)
    it.observe(KEY, powers(sample(1000, 1.0)), np.sqrt(1000.0), 1e-4)
    assert it.sure(KEY)
    it.observe(KEY, powers(sample(1000, 1.0)), np.sqrt(1000.0), 1e-6)
    assert not it.sure(KEY)


def test_it_is_doubtful_when_far_above_rounding_until_three_steps_were_seen() -> None:
    it = noise()
    states = []
    for step in (1e-3, 1e-4, 1e-5):
        it.observe(KEY, powers(sample(1000, 100.0)), np.sqrt(1000.0), step)
        states.append(it.doubtful(KEY))
    assert states == [True, True, False]
    calm = noise()
    calm.observe(KEY, powers(sample(1000, 1.0)), np.sqrt(1000.0), 1e-3)
    assert not calm.doubtful(KEY)


def test_a_pilot_that_doubts_looks_at_smaller_steps_and_one_that_does_not_costs_four() -> None:
    calm = Bench(np.tanh, normal(100))
    calm.prober.pilot(calm.whole(), calm.claim)
    assert calm.spent == 1 + 4
    doubting = Bench(trembling(1e-9), normal(100))
    doubting.prober.pilot(doubting.whole(), doubting.claim)
    assert doubting.spent == 1 + 12


@pytest.mark.parametrize("accuracy", [None, 1e-6])
def test_a_declared_accuracy_widens_every_bar(accuracy: float | None) -> None:
    bench = Bench(np.tanh, normal(20), accuracy=accuracy, pull=lambda u, x: [u * (1 - np.tanh(x) ** 2)])
    pilot = bench.prober.pilot(bench.whole(), bench.claim)
    estimate = bench.prober.sharp(bench.whole(), bench.claim, 1, pilot)
    size = float(np.abs(bench.claim.upstream[0] * bench.stencil.center[0]).sum())
    expected = 4e-6 * size if accuracy else 0.0
    assert bench.noise.approximate(bench.claim) == pytest.approx(expected)
    assert (estimate.bar > 1e-6) == (accuracy is not None)


def test_masked_outputs_have_no_part_in_the_declared_accuracy() -> None:
    it = Noise([np.array([1.0, 100.0])], [np.dtype(np.float64)], 1e-3)
    assert it.approximate(Claim([np.array([1.0, 0.0])], [])) == pytest.approx(4e-3)
