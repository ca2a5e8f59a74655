"""Errors too many to follow and too few to sample: a check of a large layer never passes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check

Array = np.ndarray[Any, np.dtype[Any]]
X = np.random.default_rng(0).normal(size=(200, 300))


class Tanh:
    """tanh whose backward is off by `size` in `count` scattered entries, and has one sign flipped where asked."""

    def __init__(self, count: int, size: float, flip: bool = False) -> None:
        self.bad = np.random.default_rng(5).choice(X.size, count, replace=False)
        self.size, self.flip = size, flip

    def forward(self, x: Array) -> Any:
        self.x = x
        return np.tanh(x)

    def backward(self, upstream: Array) -> Any:
        g = upstream * (1 - np.tanh(self.x) ** 2)
        flat = g.reshape(-1)
        flat[self.bad] *= 1 + self.size
        if self.flip:
            flat[self.bad[0]] *= -1
        return g


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("count", [3, 120, 1_000, 6_000, 60_000])
def test_no_density_of_errors_passes(count: int, flip: bool) -> None:
    report = check(Tanh(count, 1e-3, flip), X, contract="off")
    assert report.verdict == "fail"
    finding = report.findings[0]
    assert set(finding.indices) <= {
        tuple(int(k) for k in np.unravel_index(p, X.shape)) for p in np.sort(report_bad(count))
    }
    assert finding.total == X.size
    assert report.forward_evaluations < 13_000


def report_bad(count: int) -> Array:
    return np.random.default_rng(5).choice(X.size, count, replace=False)


@pytest.mark.parametrize(("count", "said"), [(3, ""), (120, "at least"), (60_000, "about")])
def test_the_number_of_wrong_entries_is_counted_bounded_or_estimated(count: int, said: str) -> None:
    report = check(Tanh(count, 0.5, flip=True), X, contract="off")
    finding = report.findings[0]
    assert finding.bound == said
    first = str(report).splitlines()[0]
    assert first.endswith(f"x in {said} {finding.count:,} of 60,000 entries" if said else "x in 3 of 60,000 entries")
    if count == 3:
        assert finding.count == 3
    else:
        assert finding.count <= count
        assert finding.count > 0.8 * count


def test_the_right_twin_passes_and_is_sharp() -> None:
    report = check(Tanh(0, 0.0), X, contract="off")
    assert report.passed
    assert report.sharpness["x"] < 1e-5


class Sums:
    """Ten outputs, each a sum of 10^5 terms tanh(w x); one entry of its gradient lacks a factor."""

    def __init__(self) -> None:
        self.w = 1 + 0.1 * np.random.default_rng(5).normal(size=10**6)

    def forward(self, x: Array) -> Any:
        self.t = np.tanh(x * self.w)
        return self.t.reshape(10, -1).sum(1)

    def backward(self, upstream: Array) -> Any:
        g = np.repeat(upstream, 10**5) * (1 - self.t**2) * self.w
        g[666_666] *= 0.5
        return g


def test_a_sum_that_cancels_is_not_searched_for_its_rounding() -> None:
    # At this point one of the sums is small beside its terms, and trembles more than the others do for their size:
    # half of all blocks seemed to disagree, and following them took six thousand evaluations.
    report = check(Sums(), np.random.default_rng(10).normal(size=10**6), seed=10, contract="off")
    assert report.findings[0].indices == ((666_666,),)
    assert report.forward_evaluations < 1000
