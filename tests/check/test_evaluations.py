"""What a check costs, counted in forward evaluations, and that a budget is kept and never turned into a pass."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import GradientInconclusive, assert_gradients, check
from tests.check.layers import Array, Dense, Entries, Unary, dense_inputs, normal, tanh


class Counted(Dense):
    """Dense that counts its own calls; copies of it count into the same list."""

    def __init__(self, calls: list[str], **wrong: Any) -> None:
        super().__init__(**wrong)
        self.calls = calls

    def __deepcopy__(self, memo: dict[int, Any]) -> Counted:
        return Counted(self.calls, **self.wrong)

    def forward(self, x: Array, W: Array, b: Array) -> Any:
        self.calls.append("forward")
        return super().forward(x, W, b)

    def backward(self, upstream: Array) -> list[Array]:
        self.calls.append("backward")
        return super().backward(upstream)


@pytest.mark.parametrize("settings", [{}, {"contract": "values"}, {"contract": "off"}, {"method": "every-entry"}])
@pytest.mark.parametrize("wrong", [{}, {"W": 0.1}])
def test_the_report_counts_every_call(settings: dict[str, Any], wrong: dict[str, float]) -> None:
    calls: list[str] = []
    report = check(Counted(calls, **wrong), *dense_inputs(), **settings)
    assert report.verdict == ("fail" if wrong else "pass")
    assert report.forward_evaluations == calls.count("forward")
    assert report.backward_calls == calls.count("backward")


LAYERS: dict[str, tuple[Any, int]] = {
    "tanh": (tanh(), 1),
    "exp": (Unary(np.exp, np.exp), 1),
    "sin 20x": (Unary(lambda x: np.sin(20 * x), lambda x: 20 * np.cos(20 * x)), 1),
    "square": (Unary(np.square, lambda x: 2 * x), 1),
    "identity": (Unary(lambda x: 1.0 * x, lambda x: 1.0), 1),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("n", [1, 100, 100_000])
def test_a_right_smooth_layer_costs_at_most_32_and_12_an_argument(name: str, n: int) -> None:
    report = check(LAYERS[name][0], normal(n))
    assert report.passed
    assert report.forward_evaluations <= 32 + 12


@pytest.mark.parametrize("rows", [1, 5, 200])
def test_so_does_one_of_three_arguments(rows: int) -> None:
    report = check(Dense(), *dense_inputs(rows))
    assert report.passed
    assert report.forward_evaluations <= 32 + 12 * 3


@pytest.mark.parametrize("name", LAYERS)
def test_the_size_makes_no_difference_of_more_than_two(name: str) -> None:
    layer, _ = LAYERS[name]
    spent = [check(layer, normal(n)).forward_evaluations for n in (100, 100_000)]
    assert abs(spent[0] - spent[1]) <= 2


def test_half_the_inputs_of_a_relu_may_be_exactly_zero() -> None:
    x = normal(100_000)
    x[::2] = 0.0
    right = check(Unary(lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(float)), x)
    assert right.passed
    wrong = check(Unary(lambda x: np.maximum(x, 0), lambda x: np.where(x == 0, 1.5, x > 0)), x[:10_000])
    assert wrong.verdict == "fail"


def test_one_wrong_entry_among_ten_thousand_is_named_in_few() -> None:
    report = check(Entries(np.ones(10_000), {4321: 0.01}), normal(10_000))
    assert report.findings[0].indices == ((4321,),)
    assert report.forward_evaluations <= 1000


def test_twenty_wrong_entries_among_ten_thousand_are_all_named() -> None:
    places = np.sort(np.random.default_rng(3).choice(10_000, 20, replace=False))
    report = check(Entries(np.ones(10_000), {int(p): 0.01 for p in places}), normal(10_000))
    assert report.findings[0].indices == tuple((int(p),) for p in places)
    assert report.findings[0].count == 20
    assert report.forward_evaluations <= 12_000


def test_a_dense_error_is_sampled() -> None:
    report = check(tanh(1.01), normal(20_000))
    assert report.verdict == "fail"
    assert report.findings[0].count == 20_000
    assert report.forward_evaluations <= 1200


@pytest.mark.parametrize("inputs", [1, 3])
def test_values_only_spend_eight_forwards_and_one_backward(inputs: int) -> None:
    layer: Any = tanh() if inputs == 1 else Dense()
    report = check(layer, *(dense_inputs()[:inputs]), contract="values")
    assert report.passed
    assert report.forward_evaluations <= 8
    assert report.backward_calls == 1
    assert max(report.sharpness.values()) < 1e-3


@pytest.mark.parametrize("name", ["x", "W", "b"])
def test_values_only_catch_a_wrong_gradient_all_the_same(name: str) -> None:
    report = check(Dense(**{name: 1e-3}), *dense_inputs(), contract="values")
    assert report.verdict == "fail"
    assert report.findings[0].argument == name


def test_each_stage_is_reported() -> None:
    full = check(Dense(), *dense_inputs())
    stages = full.extra["forward_evaluations_by_stage"]
    assert set(stages) == {"values", "contract"}
    assert sum(stages.values()) == full.forward_evaluations
    assert min(stages.values()) > 0
    assert set(check(Dense(), *dense_inputs(), contract="off").extra["forward_evaluations_by_stage"]) == {"values"}


def test_looking_for_a_cause_is_a_stage_of_its_own_where_something_is_wrong() -> None:
    report = check(Dense(W=0.3), *dense_inputs())
    stages = report.extra["forward_evaluations_by_stage"]
    assert set(stages) == {"values", "diagnosis", "contract"}
    assert sum(stages.values()) == report.forward_evaluations
    assert 0 < stages["diagnosis"] <= 200


class Rootless:
    """Wrong in a way that no hypothesis knows, so that all of them are asked."""

    def forward(self, x: Array, y: Array) -> Array:
        self.x, self.y = x, y
        return np.asarray(np.sin(x * y + x[::-1]))

    def backward(self, upstream: Array) -> tuple[Array, Array]:
        slope = upstream * np.cos(self.x * self.y + self.x[::-1])
        return slope * np.tanh(self.y) + slope[::-1] ** 3, slope * self.x


def test_the_search_for_a_cause_keeps_to_what_was_granted() -> None:
    inputs = normal(8), normal(8)
    free = check(Rootless(), *inputs, contract="off")
    asked = free.extra["forward_evaluations_by_stage"]["diagnosis"]
    assert 20 < asked <= 200
    granted = free.forward_evaluations - asked + 5
    bound = check(Rootless(), *inputs, contract="off", max_evaluations=granted)
    assert bound.verdict == "fail"
    assert bound.forward_evaluations <= granted


@pytest.mark.parametrize("granted", range(1, 41, 3))
def test_a_budget_of_evaluations_is_kept_and_never_a_pass(granted: int) -> None:
    calls: list[str] = []
    report = check(Counted(calls), *dense_inputs(), max_evaluations=granted)
    assert calls.count("forward") <= granted
    assert report.verdict == "inconclusive"
    assert not report.passed
    assert report.notes[0] == f"the {granted} forward evaluations granted are spent"


def test_a_budget_that_is_enough_changes_nothing() -> None:
    free = check(Dense(), *dense_inputs())
    enough = check(Dense(), *dense_inputs(), max_evaluations=free.forward_evaluations)
    assert enough.passed
    assert check(Dense(), *dense_inputs(), max_evaluations=free.forward_evaluations - 1).verdict == "inconclusive"


def test_what_was_found_before_the_end_is_told() -> None:
    verdicts = {check(Dense(x=0.5), *dense_inputs(), max_evaluations=n).verdict for n in (2, 400)}
    assert verdicts == {"inconclusive", "fail"}


class Ticking:
    """A clock that advances by a hundredth of a second whenever it is looked at."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        self.now += 0.01
        return self.now


@pytest.mark.parametrize("seconds", [0.1, 0.2, 0.4])
def test_seconds_that_are_over_leave_it_open(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_gradcheck.calls.time", Ticking())
    report = check(Dense(), *dense_inputs(), max_seconds=seconds)
    assert report.verdict == "inconclusive"
    assert report.notes[0] == "the seconds granted are spent"
    assert report.forward_evaluations <= 100 * seconds
    assert check(Dense(), *dense_inputs(), max_seconds=600).passed


def test_even_before_the_first_call_is_through() -> None:
    for words in ({"max_seconds": 1e-9}, {"max_evaluations": 1}):
        report = check(Dense(), *dense_inputs(), **words)
        assert report.verdict == "inconclusive"
        assert report.sharpness == {}, "nothing was measured, so nothing is promised"


def test_an_open_check_raises_its_own_error() -> None:
    with pytest.raises(GradientInconclusive, match="Dense: no verdict") as caught:
        assert_gradients(Dense(), *dense_inputs(), max_evaluations=5)
    assert caught.value.report.verdict == "inconclusive"  # type: ignore[attr-defined] # it carries its report


def test_when_the_budget_ends_what_was_not_covered_is_not_said_to_pass() -> None:
    free = check(Dense(), *dense_inputs())
    for granted in range(2, free.forward_evaluations):
        report = check(Dense(), *dense_inputs(), max_evaluations=granted)
        assert report.verdict == "inconclusive"
        for argument in report.arguments:
            assert (argument.verdict == "pass") == (argument.covered == argument.size)
            assert (argument.sharpness is None) == (argument.covered < argument.size)


@pytest.mark.parametrize("factor", [1.0, 1.5], ids=["right", "wrong"])
def test_nothing_large_outlives_a_check(factor: float) -> None:
    x, layer = normal(20_000), tanh(factor)
    check(layer, x)
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        check(layer, x)
        left = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.enable()
    # What the layer itself keeps is its own input; the last one may be another than the first.
    assert left < 1.5 * x.nbytes, "a cycle keeps arrays until the collector comes by"


class BentAndMinute:
    """x + sin(60 x) / 120, and w times a small number: of the two all at once tells the first only."""

    def __init__(self, small: float, wrong: float = 1.0) -> None:
        self.small, self.wrong = small, wrong

    def forward(self, x: Array, w: Array) -> Any:
        self.x = x
        return np.concatenate([x + np.sin(60 * x) / 120, self.small * w])

    def backward(self, upstream: Array) -> Any:
        u, v = np.split(upstream, [self.x.size])
        return u * (1 + 0.5 * np.cos(60 * self.x)), self.wrong * self.small * v


@pytest.mark.parametrize("small", [1e-6, 1e-7])
def test_what_all_at_once_does_not_tell_leaves_nothing_behind(small: float) -> None:
    """The usual way is gone instead, and states what it has seen: not what the one probe had for the first argument."""
    x, w = np.random.default_rng(0).uniform(0.5, 1.0, (2, 30))
    for asked in (None, 1e-7):
        report = check(BentAndMinute(small), x, w, contract="values", sharpness=asked)
        assert report.passed, asked
        assert max(report.sharpness.values()) < 1e-7, asked
    assert check(BentAndMinute(small, -1.0), x, w, contract="values").verdict == "fail"
