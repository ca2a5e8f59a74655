"""Constants that factors are compared with, and how numbers are written."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from pytest_gradcheck.diagnosis.guess import constants, counted, fraction, indices, number, recognise
from pytest_gradcheck.diagnosis.precision import rounded

KNOWN = constants({"x": (6, 3), "the output": (6,)})


@pytest.mark.parametrize(
    "value, words, meaning",
    [
        (2.0, "2", ""),
        (1 / 6, "1/6", "one over the length of axis 0 of x"),
        (18.0, "18", "the number of entries of x"),
        (1 / sqrt(3), "1/sqrt(3)", "one over the root of the length of axis 1 of x"),
        (5 / 6, "5/6", "6 is the length of axis 0 of x"),
        (np.log(2), "ln 2", ""),
    ],
)
def test_a_factor_is_recognised_with_its_meaning(value: float, words: str, meaning: str) -> None:
    known = recognise(value * (1 + 1e-9), KNOWN, 1e-6)
    assert known is not None
    assert (known.words, known.meaning) == (words, meaning)


@pytest.mark.parametrize("value", [2.001, 1 / 6.01, 7.0, 1.0])
def test_a_factor_beside_a_constant_is_not_recognised(value: float) -> None:
    assert recognise(value, KNOWN, 1e-6) is None


def test_fractions() -> None:
    assert fraction(7 / 6, 1e-9) == (7, 6)
    assert fraction(-0.75, 1e-9) == (-3, 4)
    assert fraction(0.123456, 1e-9) is None


def test_numbers_in_words() -> None:
    assert [number(v) for v in (2.0, 0.5, 1.23456789, 3.14e-9, float("inf"))] == [
        "2",
        "0.5",
        "1.2346",
        "3.14e-09",
        "inf",
    ]
    assert indices([(0,), (3,)]) == "(0,), (3,)"
    assert indices([(i, i) for i in range(6)]) == "(0, 0), (1, 1), (2, 2), (3, 3) and 2 more"
    assert [counted(12, 12, "W"), counted(1, 1, "b"), counted(3, 12, "W")] == [
        "all 12 entries of W", "the one entry of b", "3 of 12 entries of W",
    ]  # fmt: skip


def test_rounding_to_a_narrow_mantissa_is_that_of_the_type() -> None:
    values = np.random.default_rng(1).standard_normal(100)
    assert np.array_equal(rounded(values, 24), values.astype(np.float32).astype(np.float64))
    assert np.array_equal(rounded(values, 11), values.astype(np.float16).astype(np.float64))
    assert not np.array_equal(rounded(values, 10), values.astype(np.float16).astype(np.float64))
