"""Matrices that are generated as positive definite are so beyond rounding: a factorisation takes all of them."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_gradcheck import domain

HARD = [
    [[1.0, 1.0], [1.0, 1.0]],
    [[1e8, 1.0], [1.0, 1e-8]],
    [[1.0, 1.0 - 1e-16], [1.0 - 1e-16, 1.0]],
    [[0.0, 0.0], [0.0, 0.0]],
    [[1e300, 0.0], [0.0, 1e-300]],
]


@pytest.mark.parametrize("matrix", HARD, ids=map(str, range(len(HARD))))
def test_a_factorisation_takes_what_was_settled(matrix: list[list[float]]) -> None:
    settled = domain.positive_definite.settle(np.array(matrix))
    np.linalg.cholesky(settled)
    assert domain.positive_definite.contains(settled)


def test_what_is_clearly_positive_definite_stays_as_it_is() -> None:
    matrix = np.array([[2.0, 1.0], [1.0, 3.0]])
    assert np.array_equal(domain.positive_definite.settle(matrix), matrix)
