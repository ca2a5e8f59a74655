"""For each word a layer that nearly has this cause: the word must not be the first, and mostly not be said at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.diagnosis.naming import PLAUSIBLE

from .made import named, normal, scattered, sigmoid, softmax, uniform

ROWS = np.array([0, 2, 0, 1, 0])
SHUFFLE = np.random.default_rng(4).permutation(20)
SCATTER = np.random.default_rng(2).random((5, 6)) < 0.4


def shares_of_uses(u: Any, y: Any, E: Any) -> Any:
    right = scattered(u, ROWS, E.shape, add=True)
    right[0] = 0.6 * u[2] + 0.3 * u[0]
    return right


def one_entry_more(u: Any, y: Any, x: Any) -> Any:
    g = u.copy()
    g[1, 2] += 0.7
    return g


def nearly_rank_one(u: Any, y: Any, x: Any) -> Any:
    g = u * softmax(x, 1)
    g[1, 1] *= 1.01
    return g


NEAR: dict[str, tuple[Callable[..., Any], Callable[..., Any], tuple[Any, ...]]] = {
    "factor": (np.tanh, lambda u, y, x: u * (1 - y), (normal(8),)),
    "sign": (np.tanh, lambda u, y, x: -u * (1 - y * y) * 1.001, (normal(8),)),
    "small": (np.tanh, lambda u, y, x: u * (1 - y * y) * (1 + 0.2 * np.sin(7 * x)), (normal(8),)),
    "dtype": (np.tanh, lambda u, y, x: u * (1 - y * y) * (1 + 4e-4 * np.sin(7 * x)), (normal(8),)),
    "zero": (np.tanh, lambda u, y, x: 1e-3 * u, (normal(8),)),
    "transpose": (np.tanh, lambda u, y, x: (u * (1 - y * y)).ravel()[SHUFFLE].reshape(4, 5), (normal(4, 5),)),
    "upstream": (np.tanh, lambda u, y, x: u * 0.3 * np.cos(x), (normal(8),)),
    "swap": (
        lambda a, b: a * np.exp(b),
        lambda u, y, a, b: (np.where(np.arange(6) < 3, u * y, u * np.cos(b)), u * y),
        (normal(6), normal(6, seed=2)),
    ),
    "reduction": (lambda x: np.log(np.exp(x).sum(0)), nearly_rank_one, (normal(4, 4),)),
    "accumulate": (lambda E: E[ROWS], shares_of_uses, (normal(4, 2),)),
    "route": (lambda x: softmax(x), lambda u, y, x: y * (u - u.mean()) * 0 + y * (1 - 4 * y), (normal(1, 4),)),
    "region": (np.tanh, lambda u, y, x: u * np.where(SCATTER, 1 - y, 1 - y * y), (normal(5, 6),)),
    "term": (lambda x: x - x.mean(1, keepdims=True), one_entry_more, (normal(4, 5),)),
    "random": (
        lambda x: np.where(x > 0.2, x, 0.1 * x * x),
        lambda u, y, x: u * np.where(x > 0.9, 1.0, 0.0),
        (normal(5, 6),),
    ),
    "stale": (
        lambda x: x * np.arange(1, 5)[:, None],
        lambda u, y, x: u * np.arange(1, 5)[:, None] * np.sign(u),
        (normal(4, 3),),
    ),
}


@pytest.mark.parametrize("word", NEAR)
def test_a_near_miss_is_another_word(word: str) -> None:
    run, back, inputs = NEAR[word]
    findings = named(run, back, *inputs)
    assert findings
    assert word not in [f.kind for f in findings if f.confidence >= PLAUSIBLE]


def test_a_small_error_beside_a_large_one_is_not_small() -> None:
    def back(u: Any, y: Any, a: Any, b: Any) -> Any:
        return u * b * 1.0001, u * np.cos(a)

    first = named(lambda a, b: a * b, back, normal(5), normal(5, seed=2))[0]
    assert (first.kind, first.argument) != ("small", "a")


def test_a_constant_slope_is_no_derivative_at_another_point() -> None:
    first = named(lambda x: np.where(x > 0, x, 0.0), lambda u, y, x: u.copy(), normal(8))[0]
    assert first.kind == "region"
    assert "another" not in first.message


def test_two_entries_wrong_where_the_value_is_zero_are_no_tie() -> None:
    x = np.array([0.0, 0.5, 2.0, 0.0, 1.0])
    first = named(lambda x: x * 3 + x * x, lambda u, y, x: np.where(x == 0, 0, u * (3 + 2 * x)), x)[0]
    assert first.kind == "region"
    assert first.message == "the declared gradient of x is wrong only where it is exactly 0"


def test_a_sum_that_is_zero_for_every_function_of_a_difference_is_no_route() -> None:
    def back(u: Any, y: Any, a: Any, b: Any) -> Any:
        return u * (1 - y), -u * (1 - y)

    kinds = [f.kind for f in named(lambda a, b: np.tanh(a - b), back, normal(6), normal(6, seed=2))]
    assert kinds and "route" not in kinds


def swish_third(u: Any, y: Any, x: Any) -> Any:
    return u * sigmoid(x) ** 1.1


NOTHING: list[tuple[Callable[..., Any], Callable[..., Any], tuple[Any, ...]]] = [
    (lambda x: x * sigmoid(x), swish_third, (normal(7),)),
    (lambda x: np.sqrt(x), lambda u, y, x: u * 0.4 / x**0.7, (uniform(7),)),
    (lambda x: np.linalg.inv(x), lambda u, y, x: -y @ u @ y.T, (normal(3, 3) + 3 * np.eye(3),)),
]


@pytest.mark.parametrize("run, back, inputs", NOTHING)
def test_where_nothing_fits_it_says_so(run: Any, back: Any, inputs: Any) -> None:
    first = named(run, back, *inputs)[0]
    assert first.kind == "local"
    assert "no known cause fits" in first.message
    assert first.confidence < 0.5
