"""Every entry of a layer that takes many points at once: the same verdict, a call where there were hundreds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check, declare

Array = np.ndarray[Any, np.dtype[Any]]
X = np.random.default_rng(0).normal(size=(6, 7))


class Tanh:
    """tanh; `calls` are counted, and the declared gradient of entry (0, 5) is `factor` times the true one."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor, self.calls = factor, 0

    def forward(self, x: Array) -> Any:
        self.calls += 1
        self.y = np.tanh(x)
        return self.y

    def backward(self, upstream: Array) -> Any:
        g = upstream * (1 - self.y**2)
        g[0, 5] *= self.factor
        return g


class Coupled(Tanh):
    """Each point of what seems a batch changes the others."""

    def forward(self, x: Array) -> Any:
        self.calls += 1
        self.x = x
        return x + np.sin(x).sum()

    def backward(self, upstream: Array) -> Any:
        return upstream + np.cos(self.x) * upstream.sum()


class Writes(Tanh):
    """One buffer for all outputs of a shape."""

    buffers: dict[tuple[int, ...], Array]

    def forward(self, x: Array) -> Any:
        self.calls += 1
        self.buffers = getattr(self, "buffers", {})
        out = self.buffers.setdefault(x.shape, np.empty_like(x))
        self.y = np.tanh(x, out=out)
        return out


@pytest.mark.parametrize("make", [Tanh, Writes])
@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "pass"), (1.01, "fail"), (-1.0, "fail")])
def test_one_by_one_and_at_once_say_the_same(make: type[Tanh], factor: float, verdict: str) -> None:
    one, many = make(factor), make(factor)
    first = check(one, X, method="every-entry", contract="off")
    other = check(declare.batched(many), X, method="every-entry", contract="off")
    assert first.verdict == other.verdict == verdict
    assert [f.indices for f in first.findings] == [f.indices for f in other.findings]
    assert all(f.indices == ((0, 5),) for f in other.findings)
    assert one.calls >= 2 * X.size
    assert many.calls < one.calls - X.size
    assert other.forward_evaluations > 2 * X.size, "each point counts as an evaluation"


def test_what_is_no_batch_is_seen_and_measured_one_by_one() -> None:
    layer = Coupled()
    report = check(declare.batched(layer), X, method="every-entry", contract="off")
    assert report.passed
    assert layer.calls > 2 * X.size


def test_other_arguments_stay_where_they_are() -> None:
    w = np.random.default_rng(1).normal(size=(6, 7))
    pair = declare.batched((lambda x, y: (x * y, (x, y)), lambda u, c: (u * c[1], u * c[0])))
    wrong = declare.batched((lambda x, y: (x * y, (x, y)), lambda u, c: (u * c[1], 2 * u * c[0])))
    assert check(pair, X, w, method="every-entry", contract="off").passed
    report = check(wrong, X, w, method="every-entry", contract="off")
    assert [f.argument for f in report.findings][:1] == ["y"]
