"""Two answers compared: whatever their size and layout, one entry that differs is seen, and rounding is not."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from pytest_gradcheck.contract.compare import Allowance, difference, equal

SHAPES = [(), (3,), (40, 50), (200_001,), (300, 700)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_one_entry_tells_two_arrays_apart_at_any_size(shape: tuple[int, ...], order: Literal["C", "F"]) -> None:
    was = np.asarray(np.random.default_rng(0).standard_normal(shape), order=order)
    now = was.copy(order="K")
    assert equal(now, was)
    now[tuple(n - 1 for n in shape)] += 1e-12
    assert not equal(now, was)
    apart = difference(now, was)
    assert apart is not None
    assert apart.index == tuple(n - 1 for n in shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_zero_is_a_zero_whatever_its_sign_and_nan_is_nothing(shape: tuple[int, ...]) -> None:
    assert equal(np.zeros(shape), -np.zeros(shape))
    assert equal(np.full(shape, np.nan), np.zeros(shape)) is False


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_what_is_no_number_differs_from_a_number_however_much_is_allowed(value: float) -> None:
    was = np.ones(100)
    now = was.copy()
    now[7] = value
    for terms in (0.0, 1e300, np.inf):
        apart = difference(now, was, Allowance(0.5, 0.5, terms))
        assert apart is not None, terms
        assert apart.index == (7,)


def test_what_an_allowance_grants_is_no_difference() -> None:
    was, allowed = np.linspace(1.0, 2.0, 100), Allowance.rearranged(2.0**-52, 1.0)
    assert difference(was + 1e-9, was, allowed) is None
    assert difference(was + 1e-3, was, allowed) is not None
