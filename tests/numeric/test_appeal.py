"""What speaks for an entry that seems wrong: of what power of two its outputs are whole multiples."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_gradcheck.numeric.appeal import GRAIN, grain


@pytest.mark.parametrize("power", [-19, -17, -40, -52])
def test_the_difference_of_large_numbers_is_a_multiple_of_their_last_digit(power: int) -> None:
    last = 2.0**power
    plus, minus = np.array([3 * last, 0.0, 7 * last]), np.array([-5 * last, last, 8 * last])
    assert grain(plus, minus).tolist() == [last, last, last]


def test_numbers_with_digits_of_their_own_are_multiples_of_nothing_that_counts() -> None:
    numbers = np.random.default_rng(0).uniform(1.0, 2.0, 100)
    assert grain(numbers, -numbers).max() < 2.0**-38
    assert grain(numbers * 1e-20, numbers * 1e-20).max() < 1e-33


@pytest.mark.parametrize("quantum", [1.0, 0.25, 2.0 * GRAIN])
def test_what_is_rounded_on_purpose_has_no_grain(quantum: float) -> None:
    assert grain(np.array([4 * quantum]), np.array([-quantum])).tolist() == [0.0]
    assert grain(np.array([4 * quantum]), np.array([quantum / 2**20])).tolist() == [quantum / 2**20]


def test_zeros_and_what_is_no_number_have_none() -> None:
    bad = np.array([0.0, np.inf, -np.inf, np.nan])
    assert grain(bad, bad).tolist() == [0.0, 0.0, 0.0, 0.0]
