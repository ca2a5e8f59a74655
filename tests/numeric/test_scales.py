"""Scales: the unit of each entry's step, and which entries are alike enough to be moved together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.numeric.scales import GROUP_SPAN, Spectrum, groups, norm, rms, units

Array = np.ndarray[Any, np.dtype[np.float64]]


def normal(n: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(n)


def logspace(low: float, high: float, n: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).permutation(np.logspace(low, high, n))


@pytest.mark.parametrize("size", [1.0, 1e-100, 1e-200, 1e-300, 1e160, 1e300])
def test_a_norm_of_numbers_whose_squares_are_no_numbers(size: float) -> None:
    with np.errstate(over="ignore"):
        assert norm(np.array([3.0, -4.0, 0.0, 0.0]) * size) == pytest.approx(5.0 * size)
        assert rms(np.array([3.0, -4.0, 0.0, 0.0]) * size) == pytest.approx(2.5 * size)


def test_a_norm_at_the_edges() -> None:
    assert norm(np.zeros(0)) == rms(np.zeros(0)) == norm(np.zeros(3)) == 0.0
    assert norm(np.array([1.0, -np.inf])) == np.inf
    assert np.isnan(norm(np.array([1.0, np.nan])))


@pytest.mark.parametrize("n", [1, 2, 10, 1000, 100_000])
@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_normal_numbers_are_one_population(n: int, scale: float) -> None:
    for seed in range(5):
        x = scale * normal(n, seed)
        unit = units(x)
        assert isinstance(unit, float)
        assert 0.5 < unit / np.sqrt((x * x).mean()) < 2.0
        (group,) = groups(np.abs(x))
        assert group.index is None
        assert group.size == n


def test_uniform_numbers_and_products_of_normal_ones_are_one_population_too() -> None:
    assert isinstance(units(np.random.default_rng(0).uniform(-1, 1, 10_000)), float)
    assert len(groups(np.abs(normal(10_000) * normal(10_000, 1)))) == 1


def test_a_large_neighbour_does_not_set_the_step_of_a_small_entry() -> None:
    unit = units(np.array([1e8, 1e-3]))
    assert isinstance(unit, np.ndarray)
    assert unit == pytest.approx([1e8, 1e-3], rel=0.5)


def test_two_populations_far_apart_have_each_their_own_unit() -> None:
    x = np.concatenate([1e6 * normal(500), 1e-3 * normal(500, 1)])
    unit = units(x)
    assert isinstance(unit, np.ndarray)
    for part, size in ((unit[:500], 1e6), (unit[500:], 1e-3)):
        assert np.median(part) == pytest.approx(size, rel=0.5)
    assert (unit <= 4e6).all()


def test_entries_that_fill_many_decades_evenly_are_each_their_own_unit() -> None:
    x = logspace(-8, 8, 400) * np.sign(normal(400))
    unit = units(x)
    assert isinstance(unit, np.ndarray)
    assert np.array_equal(unit, np.abs(x))


def test_zeros_have_the_unit_of_the_others_and_alone_have_one() -> None:
    assert units(np.zeros(4)) == 1.0
    assert units(np.empty(0)) == 1.0
    half = normal(1000)
    half[::2] = 0.0
    assert isinstance(units(half), float)
    mixed = np.array([1e8, 0.0, 1e-3])
    unit = units(mixed)
    assert isinstance(unit, np.ndarray)
    assert unit[1] > 0.0


@pytest.mark.parametrize("n", [17, 1000])
def test_logspace_is_split_into_groups_of_three_decades(n: int) -> None:
    weight = logspace(-8, 8, n)
    found = groups(weight)
    assert len(found) == int(np.ceil(16 * np.log2(10) / GROUP_SPAN))
    for group in found:
        assert group.index is not None
        inside = weight[group.index]
        assert inside.max() / inside.min() < 2.0**GROUP_SPAN
        assert inside.min() / 2 < group.smallest <= inside.min()
        assert inside.min() <= group.typical <= inside.max()
    sizes = [g.typical for g in found]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("zeros", [0, 1, 40])
@pytest.mark.parametrize("decades", [0.0, 2.0, 16.0])
def test_each_entry_is_in_exactly_one_group_and_zeros_stand_apart(zeros: int, decades: float) -> None:
    weight = np.concatenate([logspace(-decades / 2, decades / 2, 200), np.zeros(zeros)])
    weight = np.random.default_rng(1).permutation(weight)
    found = groups(weight)
    indices = [np.arange(weight.size) if g.index is None else g.index for g in found]
    assert sorted(np.concatenate(indices).tolist()) == list(range(weight.size))
    assert [g.size for g in found] == [len(i) for i in indices]
    for group, index in zip(found, indices, strict=True):
        assert (weight[index] == 0).all() == (group.typical == 0.0)
        assert (np.diff(index) > 0).all(), "positions are sorted"
    assert sum(g.typical == 0.0 for g in found) == (zeros > 0)
    assert found[-1].typical == 0.0 or zeros == 0


def test_all_zeros_are_one_group() -> None:
    (group,) = groups(np.zeros(5))
    assert (group.index, group.size, group.typical, group.smallest) == (None, 5, 0.0, 0.0)


def test_a_small_population_behind_a_large_one_is_a_group_of_its_own() -> None:
    """The twin that mixes them would pass a flipped sign of the small ones: their share is below the rounding."""
    weight = np.concatenate([1e8 * np.abs(normal(500)), 1e-8 * np.abs(normal(500, 1))])
    found = groups(weight)
    assert len(found) >= 2
    small = [g for g in found if g.typical < 1.0]
    assert sum(g.size for g in small) == 500


def test_one_tiny_entry_among_a_thousand_ordinary_ones_is_told_apart() -> None:
    weight = np.abs(normal(1000))
    weight[7] = 1e-12
    found = groups(weight)
    assert any(g.index is not None and g.index.tolist() == [7] for g in found)


def test_smallest_is_what_nearly_all_have() -> None:
    weight = np.abs(normal(100_000))
    (group,) = groups(weight)
    below = (weight < group.smallest).mean()
    assert below <= 1 / 2000
    assert (weight < 4 * group.smallest).mean() > 1 / 4000, "and not needlessly small"


@pytest.mark.parametrize("exponent", [-140, -1, 0, 140])
def test_the_typical_size_is_the_root_mean_square(exponent: int) -> None:
    x = normal(5000) * 10.0**exponent
    exact = 10.0**exponent * np.sqrt((normal(5000) ** 2).mean())
    assert Spectrum.of(x).typical() == pytest.approx(exact, rel=0.4)


def test_a_spectrum_counts_binary_orders() -> None:
    spectrum = Spectrum.of(np.array([0.0, 1.0, -1.5, 4.0, 0.0, 0.25]))
    assert spectrum.zeros == 2
    assert dict(zip(spectrum.orders, spectrum.counts, strict=True)) == {-1: 1, 1: 2, 3: 1}
