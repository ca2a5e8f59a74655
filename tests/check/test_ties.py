"""Three entries of one value or more: a right gradient lies between those nearby, and a wrong one does not pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check
from tests.check.layers import Array

X = np.array([0.4, 0.0, 0.0, 0.1, -0.8, 0.0, 1.3, 0.0])
#: Its median is the middle one of three zeros.
M = np.array([0.4, 0.0, 0.0, 0.1, -0.8, 0.0, -1.3])
MANY = np.maximum(np.random.default_rng(0).standard_normal(60), 0.0)


class Sorted:
    """The entries in order, the first `most` of them; what is declared is given to the places in `way`."""

    def __init__(self, way: str, most: int | None = None) -> None:
        self.way, self.most = way, most

    def forward(self, x: Array) -> Any:
        self.x, self.at = x.copy(), np.argsort(x, kind="stable")[: self.most]
        return x[self.at]

    def backward(self, upstream: Array) -> Any:
        gradient = np.zeros(self.x.size)
        gradient[np.roll(self.at, 1) if self.way == "shifted" else self.at] = upstream
        if self.way == "none to ties":
            gradient[self.x == 0.0] = 0.0
        return 2 * gradient if self.way == "twice" else gradient


class Median:
    """The median of an odd number of entries; what is declared for those that are equal to it, and for the others."""

    def __init__(self, way: str) -> None:
        self.way = way

    def forward(self, x: Array) -> Any:
        self.x = x.copy()
        return np.array([np.median(x)])

    def backward(self, upstream: Array) -> Any:
        mine = self.x == np.median(self.x)
        gradient = np.zeros(self.x.size)
        if self.way == "shared":
            gradient[mine] = 1 / mine.sum()
        elif self.way == "to each":
            gradient[mine] = 1.0
        elif self.way != "none":
            place = np.flatnonzero(~mine if self.way == "to another" else mine)[-1]
            gradient[place] = 0.5 if self.way == "half" else 1.0
        return gradient * upstream[0]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most", [None, 5, 3])
def test_an_order_of_equal_entries_is_as_right_as_another(most: int | None, seed: int) -> None:
    report = check(Sorted("in order", most), X, seed=seed)
    assert report.passed, str(report)


@pytest.mark.parametrize("way", ["twice", "shifted", "none to ties"])
@pytest.mark.parametrize("x", [X, MANY], ids=["few", "many"])
def test_what_is_declared_for_equal_entries_must_be_there_once(x: Array, way: str) -> None:
    for seed in range(3):
        assert check(Sorted(way), x, seed=seed).verdict == "fail"


def test_many_equal_entries_are_told_as_well() -> None:
    assert check(Sorted("in order"), MANY).passed


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("way", ["to one", "shared"])
def test_the_middle_one_of_equal_entries_stands_still_and_has_a_gradient(way: str, seed: int) -> None:
    report = check(Median(way), M, seed=seed)
    assert report.passed, str(report)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("way", ["to each", "half", "to another"])
def test_parts_of_a_tie_that_do_not_sum_to_one_are_wrong(way: str, seed: int) -> None:
    assert check(Median(way), M, seed=seed).verdict == "fail"


@pytest.mark.parametrize("seed", range(4))
def test_a_gradient_of_zero_is_right_along_each_entry_and_never_passes(seed: int) -> None:
    report = check(Median("none"), M, seed=seed)
    assert report.verdict == "inconclusive"
    assert "x: its probes disagree, and no entry could be found to blame" in report.notes


class Medians:
    """The median of each row; backward leaves some rows out."""

    def __init__(self, without: tuple[int, ...]) -> None:
        self.without = without

    def forward(self, x: Array) -> Any:
        self.shape, self.middle = x.shape, np.argsort(x, axis=1, kind="stable")[:, x.shape[1] // 2]
        return np.median(x, axis=1)

    def backward(self, upstream: Array) -> Any:
        gradient = np.zeros(self.shape)
        gradient[np.arange(len(upstream)), self.middle] = upstream
        gradient[list(self.without)] = 0.0
        return gradient


def test_medians_of_rows_of_zeros() -> None:
    """Of ten zeros two have a gradient: the others by themselves are no block that must agree."""
    x = np.random.default_rng(0).standard_normal((4, 5))
    x[2:] = 0.0
    for seed in range(6):
        assert check(Medians(()), x, seed=seed).passed
        assert check(Medians((3,)), x, seed=seed).verdict == "fail"
        assert check(Medians((2, 3)), x, seed=seed).verdict == "inconclusive"


class Largest:
    """The maximum of float32 numbers; the gradient is shared among those that are the largest, or given to each."""

    def __init__(self, shared: bool) -> None:
        self.shared = shared

    def forward(self, x: Array) -> Any:
        self.x = x.astype(np.float32)
        return self.x.max(keepdims=True)

    def backward(self, upstream: Array) -> Any:
        top = (self.x == self.x.max()).astype(np.float32)
        return upstream * (top / top.sum() if self.shared else top)


@pytest.mark.parametrize("x", [[1.0, 1.0, 1.0], [0.3, 0.3, 0.3, 0.1], [0.0, 0.0, 0.0]], ids=str)
def test_in_float32_a_tie_that_is_given_to_each_fails_as_well(x: list[float]) -> None:
    """Nearer than the first look rounding hides everything: that is no sign that the breach is gone."""
    for seed in range(3):
        assert check(Largest(shared=True), np.array(x, np.float32), seed=seed).passed
        assert check(Largest(shared=False), np.array(x, np.float32), seed=seed).verdict == "fail"


class Gate:
    """The second half of the entries where the first half is positive; backward may let zero through as well."""

    def __init__(self, zero: bool) -> None:
        self.zero = zero

    def forward(self, x: Array) -> Any:
        self.first = x[: x.size // 2].copy()
        return np.where(self.first > 0, x[x.size // 2 :], 0.0)

    def backward(self, upstream: Array) -> Any:
        through = self.first >= 0 if self.zero else self.first > 0
        return np.concatenate([np.zeros(upstream.size), through * upstream])


def test_a_jump_nearby_excuses_nothing() -> None:
    """Beside the jump the slope is one; at the centre the gate is shut, for three zeros of the same value."""
    x = np.array([0.0, 0.0, 0.0, 0.5, -1.0, 1.0, 2.0, 2.0, 2.0, 0.3])
    for seed in range(4):
        assert check(Gate(zero=False), x, seed=seed).passed
        assert check(Gate(zero=True), x, seed=seed).verdict == "fail"


class Wave:
    """sin(1e5 x), whose slope at a tie of three is declared too large by a part."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def forward(self, x: Array) -> Any:
        self.x = x.copy()
        return np.sin(1e5 * x)

    def backward(self, upstream: Array) -> Any:
        gradient = 1e5 * np.cos(1e5 * self.x) * upstream
        gradient[2] *= self.factor
        return gradient


@pytest.mark.parametrize("factor", [1.3, 0.7, -1.0])
def test_what_oscillates_within_the_points_nearby_excuses_nothing(factor: float) -> None:
    x = np.array([0.7, 0.7, 0.7, 0.2])
    for seed in range(4):
        assert check(Wave(1.0), x, seed=seed).verdict != "fail"
        assert check(Wave(factor), x, seed=seed).verdict != "pass"


class Selected:
    """Of the row with the largest key, its first number, all others; what is declared for them, in one of many ways."""

    def __init__(self, way: str) -> None:
        self.way = way

    def forward(self, x: Array) -> Any:
        self.shape, self.at = x.shape, int(np.argmax(x[:, 0]))
        return x[self.at, 1:].copy()

    def backward(self, upstream: Array) -> Any:
        gradient = np.zeros(self.shape)
        gradient[self.at, 1:] = upstream
        if self.way == "to the key":
            gradient[:] = 0.0
            gradient[self.at, 0] = upstream.sum()
        elif self.way == "to two keys":
            gradient[0, 0] += 0.7 * upstream.sum()
            gradient[1, 0] -= 0.7 * upstream.sum()
        return gradient


@pytest.mark.parametrize("x", [np.zeros((3, 3)), np.full((4, 3), 0.7)], ids=["zeros", "equal"])
def test_what_jumps_as_far_as_it_is_near_excuses_nothing(x: Array) -> None:
    """Between rows that are nearly equal outputs jump by little, and over less still: that is every slope there is."""
    for seed in range(3):
        assert check(Selected("right"), x, seed=seed).passed
        assert check(Selected("to the key"), x, seed=seed).verdict == "fail"
        assert check(Selected("to two keys"), x, seed=seed).verdict == "fail"


def test_a_gate_at_zeros_alone_excuses_nothing() -> None:
    for seed in range(3):
        assert check(Gate(zero=False), np.zeros(6), seed=seed).passed
        assert check(Gate(zero=True), np.zeros(6), seed=seed).verdict == "fail"


class First:
    """A sort that gives what each place of a tie is due to the first of the equal entries."""

    def forward(self, x: Array) -> Any:
        self.x = x.tolist()
        return np.sort(x)

    def backward(self, upstream: Array) -> Any:
        gradient = np.zeros(len(self.x))
        for place, value in enumerate(sorted(self.x)):
            gradient[self.x.index(value)] += upstream[place]
        return gradient


@pytest.mark.parametrize("x", [np.zeros(5), np.array([0.4, 0.0, 0.0, 0.1, 0.0, 1.3])], ids=["all", "three"])
def test_each_place_may_be_given_to_an_entry_and_not_all_to_the_same(x: Array) -> None:
    for seed in range(4):
        assert check(First(), x, seed=seed).verdict != "pass"


@pytest.mark.parametrize("x", [[1.0, 1.0, 1e-7], [1e6, 1e6, -1.0], [1.0, 1.0, 1e-4, 0.5]], ids=str)
def test_a_tie_beside_entries_of_another_size_moves_by_its_own_step(x: list[float]) -> None:
    class Nothing:
        def forward(self, x: Array) -> Any:
            return np.array([x.max()])

        def backward(self, upstream: Array) -> Any:
            return np.zeros(len(x))

    for seed in range(3):
        assert check(Nothing(), np.array(x), seed=seed).verdict == "fail"


class Joined:
    """The entries of two arguments in order; `factor` times what is declared for them."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def forward(self, a: Array, b: Array) -> Any:
        both = np.concatenate([a, b])
        self.at, self.size = np.argsort(both, kind="stable"), a.size
        return both[self.at]

    def backward(self, upstream: Array) -> Any:
        gradient = np.zeros(upstream.size)
        gradient[self.at] = self.factor * upstream
        return gradient[: self.size], gradient[self.size :]


def test_entries_of_several_arguments_may_be_equal() -> None:
    a, b = np.array([0.0, 0.3, 0.4]), np.array([0.0, 0.0, 0.5])
    for seed in range(3):
        assert check(Joined(1.0), a, b, seed=seed).passed
        assert check(Joined(1.5), a, b, seed=seed).verdict == "fail"


class Relu:
    """max(x, 0), whose slope at zero is declared as `there`."""

    def __init__(self, there: float) -> None:
        self.there = there

    def forward(self, x: Array) -> Any:
        self.x = x.copy()
        return np.maximum(x, 0.0)

    def backward(self, upstream: Array) -> Any:
        return upstream * np.where(self.x == 0.0, self.there, self.x > 0.0)


def test_many_wrong_entries_of_one_value_cost_no_more_than_others() -> None:
    """Fifteen hundred zeros on a kink, all wrong: what ties excuse is not asked of each."""
    x = np.maximum(np.random.default_rng(0).standard_normal(3000), 0.0)
    assert check(Relu(0.5), x).passed
    wrong = check(Relu(2.0), x)
    assert wrong.verdict == "fail"
    assert wrong.forward_evaluations < 200
