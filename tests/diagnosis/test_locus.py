"""The shortest rule for which entries are wrong, and its words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from pytest_gradcheck.diagnosis.locus import described, locus, surprise

X = np.random.default_rng(3).standard_normal((5, 5)) + 0.01
ROW, COLUMN = np.indices(X.shape)
Y = np.random.default_rng(8).standard_normal((5, 5))
EVERYWHERE = np.ones(X.shape, dtype=bool)

RULES = {
    "where it is negative": X < 0,
    "where it is positive": X > 0,
    "at the first index of axis 0": ROW == 0,
    "at the last index of axis 1": COLUMN == 4,
    "everywhere but at the last index of axis 0": ROW < 4,
    "at odd indices of axis 1": COLUMN % 2 == 1,
    "at even indices of axis 0": ROW % 2 == 0,
    "on the border": (ROW % 4 == 0) | (COLUMN % 4 == 0),
    "on the diagonal": ROW == COLUMN,
    "off the diagonal": ROW != COLUMN,
    "above the diagonal": ROW < COLUMN,
    "below the diagonal": ROW > COLUMN,
    "at index 2 of axis 0": ROW == 2,
    "at indices 1, 2 of axis 1": (COLUMN == 1) | (COLUMN == 2),
    "at the maximum along axis 1": X.max(1, keepdims=True) == X,
    "everywhere but at the minimum along axis 0": X.min(0, keepdims=True) != X,
    "where it is larger than y": X > Y,
    "where it is smaller than y": X < Y,
}


@pytest.mark.parametrize("words", RULES)
def test_a_rule_is_found_and_said(words: str) -> None:
    rule = locus(X, RULES[words], EVERYWHERE, {"y": Y})
    assert rule is not None
    assert rule.words == words


@pytest.mark.parametrize("words", RULES)
def test_a_rule_with_one_exception_is_not_that_rule(words: str) -> None:
    wrong = RULES[words].copy()
    wrong[2, 3] = not wrong[2, 3]
    rule = locus(X, wrong, EVERYWHERE, {"y": Y})
    assert rule is None or rule.words != words


@pytest.mark.parametrize(
    "wrong, words",
    [
        (X > 0.63, "where it is above"),
        (np.abs(X) > 1.05, "where its size is above"),
        (X < -0.95, "where it is below"),
        (np.abs(X) < 0.3, "where its size is below"),
    ],
)
def test_a_threshold_is_a_round_number_in_the_gap(wrong: npt.NDArray[np.bool_], words: str) -> None:
    rule = locus(X, wrong, EVERYWHERE, {})
    assert rule is not None
    said, edge = rule.words.rsplit(" ", 1)
    assert (rule.family, said) == ("threshold", words)
    assert len(edge.lstrip("-")) <= 4


def test_exact_zeros_ties_and_whole_numbers() -> None:
    zeros = np.array([0.0, 1.5, 0.0, -2.5])
    rule = locus(zeros, zeros == 0, np.ones(4, dtype=bool), {})
    assert rule is not None
    assert rule.words == "where it is exactly 0"
    tied = np.array([[1.5, 2.5, 2.5, 0.5], [3.5, 1.5, 3.5, -1.5]])
    rule = locus(tied, np.array([[0, 1, 1, 0], [1, 0, 1, 0]], dtype=bool), np.ones((2, 4), dtype=bool), {})
    assert rule is not None
    assert rule.words == "where values are tied along axis 1"


def test_entries_that_tell_nothing_do_not_stand_against_a_rule() -> None:
    telling = X < 0.5
    assert locus(X, X < 0, telling, {}) is not None
    assert locus(X, telling, telling, {}) is None


def test_one_of_many_is_little_surprise_and_a_row_is_much() -> None:
    one, row = (ROW == 0) & (COLUMN == 0), ROW == 0
    rule = locus(X, row, EVERYWHERE, {})
    assert rule is not None
    assert surprise(rule, one, EVERYWHERE) < 2 < surprise(rule, row, EVERYWHERE)


def test_descriptions() -> None:
    row = locus(X, ROW == 0, EVERYWHERE, {})
    assert described(row, ROW == 0, 25, "W", "") == (
        "5 of 25 entries of W are wrong, exactly those at the first index of axis 0"
    )
    odd = np.zeros((5, 5), dtype=bool)
    odd[0, 1] = odd[3, 3] = True
    assert described(None, odd, 25, "W", "") == "2 of 25 entries of W are wrong: (0, 1), (3, 3)"
    assert described(None, EVERYWHERE, 25, "W", "") == "all 25 entries of W are wrong"
    assert (
        described(None, EVERYWHERE, 1000, "W", "about 250 of 1,000 entries of W")
        == "about 250 of 1,000 entries of W are wrong, among them "
        + ", ".join(f"({i}, {j})" for i in range(4) for j in range(5))
        + " and 5 more"
    )
