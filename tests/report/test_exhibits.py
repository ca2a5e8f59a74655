"""The numbers behind the pictures: they show what is planted, they are small and plain, and they break nothing."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check
from pytest_gradcheck.checking import Check
from pytest_gradcheck.exhibits import collect
from pytest_gradcheck.exhibits.maps import Grid, sign, text_of
from pytest_gradcheck.exhibits.sweep import curvature
from pytest_gradcheck.observer import watching
from pytest_gradcheck.target import Target
from pytest_gradcheck.verdict import Report, plain


class Cube:
    """x**3, whose backward multiplies the gradient by `planted`."""

    def __init__(self, planted: Any = 1.0, breaks_after: int | None = None) -> None:
        self.planted, self.breaks_after, self.calls = planted, breaks_after, [0]

    def __deepcopy__(self, memo: dict[int, Any]) -> Cube:
        twin = Cube(self.planted, self.breaks_after)
        # Copies count together.
        twin.calls = self.calls
        return twin

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.calls[0] += 1
        if self.breaks_after is not None and self.calls[0] > self.breaks_after:
            raise RuntimeError("no more")
        self.x = x
        return np.asarray(x**3)

    def backward(self, upstream: np.ndarray) -> np.ndarray:
        return np.asarray(3 * self.x**2 * upstream * self.planted)


class Watching:
    """Collects when the check is told; the report must not change by it."""

    exhibits: dict[str, Any]
    text: list[str]

    def adapted(self, target: Target) -> None:
        pass

    def begun(self, made: Check) -> None:
        pass

    def told(self, made: Check, report: Report) -> None:
        self.text = text_of(made)
        self.exhibits = collect(made)


def seen(layer: Any, *inputs: Any, **settings: Any) -> tuple[Watching, Report]:
    watching_it = Watching()
    with watching(watching_it):
        report = check(layer, *inputs, contract="off", **settings)
    return watching_it, report


X = np.random.default_rng(3).uniform(0.5, 1.5, size=(6, 8))


def planted(*places: tuple[int, ...], by: float = 1.1, shape: tuple[int, ...] = X.shape) -> np.ndarray:
    factor = np.ones(shape)
    for place in places:
        factor[place] = by
    return factor


def test_the_map_marks_exactly_the_wrong_entries() -> None:
    watched, _ = seen(Cube(planted((0, 1), (5, 7))), X)
    drawn = watched.exhibits["arguments"][0]["map"]
    assert (drawn["rows"], drawn["columns"]) == (6, 8)
    assert [divmod(i, 8) for i, state in enumerate(drawn["states"]) if state == "w"] == [(0, 1), (5, 7)]
    assert set(drawn["states"]) == {"r", "w"}


def test_one_wrong_entry_is_still_seen_where_a_place_holds_many() -> None:
    shape = (300, 500)
    watched, report = seen(Cube(planted((123, 456), shape=shape)), np.full(shape, 1.25))
    drawn = watched.exhibits["arguments"][0]["map"]
    assert (drawn["rows"], drawn["columns"]) == (64, 64)
    (cell,) = (i for i, state in enumerate(drawn["states"]) if state == "w")
    assert divmod(cell, 64) == (123 * 64 // 300, 456 * 64 // 500)
    assert report.findings[0].indices == ((123, 456),)


@pytest.mark.parametrize(
    ("shape", "rows", "columns"),
    [((), 1, 1), ((5,), 1, 5), ((100,), 2, 64), ((2, 3, 4), 6, 4), ((0,), 0, 0), ((3, 0), 0, 0)],
)
def test_the_layout_of_a_map(shape: tuple[int, ...], rows: int, columns: int) -> None:
    grid = Grid.of(shape, 64, 64)
    assert (grid.rows, grid.columns) == (rows, columns)
    size = int(np.prod(shape))
    cells = grid.cells(np.arange(size))
    assert len(set(cells.tolist())) == size


def test_the_sweep_meets_the_measured_gradient_and_stays_away_from_the_declared() -> None:
    watched, _ = seen(Cube(planted((2, 3))), X)
    sweep = watched.exhibits["arguments"][0]["sweep"]
    assert sweep["position"] == 2 * 8 + 3
    off = np.abs(np.array(sweep["difference"]) - sweep["best"])
    gap = np.abs(np.array(sweep["difference"]) - sweep["declared"])
    assert off.min() < 1e-8 * abs(sweep["best"]) < 1e-2 * abs(sweep["best"]) < gap.min()
    # (x + h)**3 - (x - h)**3 = 2 h (3 x**2 + h**2): truncation is upstream x h**2.
    upstream = sweep["best"] / (3 * X[2, 3] ** 2)
    assert sweep["truncation"] == pytest.approx(abs(upstream), rel=0.05)
    # What rounding explains covers the differences at the smallest steps.
    assert np.median(off[:6] / np.array(sweep["rounding"])[:6]) < 3


def test_a_right_argument_is_swept_as_a_whole() -> None:
    watched, report = seen(Cube(), X)
    sweep = watched.exhibits["arguments"][0]["sweep"]
    assert report.passed
    assert sweep["position"] is None
    assert sweep["declared"] == pytest.approx(sweep["best"], rel=1e-9)


def test_truncation_is_fitted_only_where_it_is_one() -> None:
    h = np.geomspace(1e-12, 1, 37)
    rounding = 1e-16 / h
    assert curvature(h, 7 * h**2 + rounding, rounding) == pytest.approx(7, rel=0.1)
    assert curvature(h, rounding, rounding) is None
    assert curvature(h, h + rounding, rounding) is None


class Relu:
    """max(x, 0) with a slope of `at_zero` at 0."""

    def __init__(self, at_zero: float) -> None:
        self.at_zero = at_zero

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.x = x
        return np.asarray(np.maximum(x, 0))

    def backward(self, upstream: np.ndarray) -> np.ndarray:
        return np.asarray(upstream * np.where(self.x == 0, self.at_zero, self.x > 0))


@pytest.mark.parametrize(("at_zero", "inside"), [(0.25, True), (-0.5, False), (1.5, False)])
def test_the_slopes_at_a_kink_say_what_is_allowed(at_zero: float, inside: bool) -> None:
    watched, report = seen(Relu(at_zero), np.array([0.0, 1.0, -1.0]), upstream=np.array([2.0, 1.0, 1.0]))
    (slopes,) = watched.exhibits["arguments"][0]["slopes"]
    assert report.passed is inside
    assert slopes["position"] == 0
    assert (slopes["left"], slopes["right"]) == pytest.approx((0.0, 2.0))
    assert (slopes["low"] <= slopes["declared"] <= slopes["high"]) is inside
    assert slopes["change"][0] == 0.0 < slopes["change"][-1]


def test_a_smooth_argument_has_no_slopes() -> None:
    assert seen(Cube(), X)[0].exhibits["arguments"][0]["slopes"] == []


def test_a_graph_of_the_engine_has_its_values_and_gradients() -> None:
    from pytest_gradcheck.engine import source

    x, w = source(3.0, "x"), source(2.0, "w")
    graph = seen((x * w).named("f"))[0].exhibits["graph"]
    assert graph["nodes"] == 3
    assert graph["note"] == ""
    assert "x → f    3          1 x 2 = 2" in graph["text"]
    assert graph["dot"].startswith("digraph")
    assert seen(Cube(), X)[0].exhibits["graph"] is None


def test_exhibits_are_plain_and_small_at_any_size() -> None:
    x = np.random.default_rng(0).uniform(0.5, 1.5, size=200_000)
    exhibits = seen(Cube(1.1), x)[0].exhibits
    assert json.loads(json.dumps(plain(exhibits))) == plain(exhibits)
    assert len(json.dumps(plain(exhibits))) < 60_000


def test_collecting_changes_neither_the_report_nor_the_verdict() -> None:
    watched, report = seen(Cube(planted((1, 1))), X)
    assert watched.exhibits["arguments"]
    assert report.forward_evaluations == check(Cube(planted((1, 1))), X, contract="off").forward_evaluations


def test_a_layer_that_breaks_later_leaves_a_reason() -> None:
    whole = Cube(1.1)
    check(whole, X, contract="off")
    watched, report = seen(Cube(1.1, breaks_after=whole.calls[0]), X)
    assert report.verdict == "fail"
    (missing,) = watched.exhibits["missing"]
    assert missing.startswith("sweep of x: LayerError: forward of Cube raised RuntimeError (no more)")
    (argument,) = watched.exhibits["arguments"]
    assert argument["sweep"] is None
    assert set(argument["map"]["states"]) == {"w"}


def test_the_map_in_text() -> None:
    x = np.full((3, 4), 1.0)
    factor = planted((0, 1), by=2.0, shape=(3, 4))
    factor[2, 3] = 1 + 1e-4
    watched, _ = seen(Cube(factor), x, upstream=np.ones((3, 4)))
    assert watched.text == [
        "error map of x [3, 4]:",
        "  .#..",
        "  ....",
        "  ...4",
        "  # wrong by 10 % of the largest or more, 1 to 9 wrong by 1e-1 to 1e-9 of it, . right",
    ]


@pytest.mark.parametrize(
    ("state", "error", "shown"),
    [("r", 0.0, "."), (".", None, "."), ("k", 0.1, "k"), ("?", None, "?"), ("w", 0.5, "#"), ("w", 0.05, "1"),
     ("w", 2e-9, "9"), ("w", 3e-8, "8"), ("w", 1e-15, "9"), ("w", float("nan"), "#"),
     ("w", float("inf"), "#"), (" ", None, " ")],
)  # fmt: skip
def test_the_signs_of_a_map(state: str, error: float | None, shown: str) -> None:
    assert sign(state, error, 1.0) == shown
