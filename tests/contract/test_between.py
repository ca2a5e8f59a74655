"""Calls in between: other values, a fresh copy, other sizes, a batch of one and none, each with a right twin."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from pytest_gradcheck.target import Array
from tests.contract.trial import DENSE, BatchNorm, Dense, Square, X, normal, trial


class KeepsFirst(Square):
    """The cache of the first call is kept for ever."""

    slope: Any = None

    def forward(self, x: Array) -> Any:
        if self.slope is None:
            self.slope = 2 * x
        return x**2

    def backward(self, upstream: Array) -> Any:
        return (self.slope * upstream,)


def test_the_cache_of_the_first_call() -> None:
    seen = trial(KeepsFirst(), X)
    assert seen.kinds == [("stale", "x")]
    assert seen.findings[0].clause == "fresh-copy"
    assert seen.message.startswith(
        "KeepsFirst: used before, at other values where a fresh copy of the layer gives another gradient, "
        "the gradient changes at x[0, 0]:"
    )


def test_a_kept_norm_shows_although_reversing_would_not_change_it() -> None:
    class Norm:
        norm: Any = None
        keep = False

        def forward(self, x: Array) -> Any:
            if self.norm is None or not self.keep:
                self.norm = np.sqrt((x * x).sum())
            self.x = x
            return np.asarray(np.sqrt((x * x).sum()))

        def backward(self, upstream: Array) -> Any:
            return (upstream * self.x / self.norm,)

    class Kept(Norm):
        keep = True

    assert not trial(Norm(), X).findings
    assert trial(Kept(), X).kinds == [("stale", "x")]


class Remembers(Square):
    """A cache by shape; the wrong one keeps what another call left there when the first entry is the one it knows."""

    knows: float | None = None

    def __init__(self) -> None:
        self.slopes: dict[tuple[int, ...], Array] = {}

    def forward(self, x: Array) -> Any:
        if x[0, 0] != self.knows or x.shape not in self.slopes:
            self.slopes[x.shape] = 2 * x
        self.shape = x.shape
        return x**2

    def backward(self, upstream: Array) -> Any:
        return (self.slopes[self.shape] * upstream,)


class RemembersWrongly(Remembers):
    knows = float(X[0, 0])


def test_what_another_call_of_the_same_shape_left() -> None:
    assert not trial(Remembers(), X).findings
    for copy in (True, False):
        seen = trial(RemembersWrongly(), X, copy=copy)
        assert seen.kinds == [("stale", "x")]
        assert seen.findings[0].clause == "other-calls"
        assert "after a call with other values of the same shapes, the gradient changes at x[0, 0]:" in seen.message


class Table:
    """The last entry of a table; the buffer of its gradient is larger than most tables."""

    clearing = True

    def __init__(self) -> None:
        self.buffer = np.zeros(64)

    def forward(self, table: Array) -> Any:
        self.n = len(table)
        return table[-1:].copy()

    def backward(self, upstream: Array) -> Any:
        if self.clearing:
            self.buffer[:] = 0
        self.buffer[self.n - 1] = upstream[0]
        return (self.buffer[: self.n],)


class DirtyTable(Table):
    clearing = False


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
def test_a_buffer_that_is_not_cleared(n: int) -> None:
    assert not trial(Table(), *normal((n,))).findings
    seen = trial(DirtyTable(), *normal((n,)))
    assert seen.kinds == [("stale", "table")]
    assert seen.findings[0].clause == "other-sizes"


def test_zero_gradients_hide_nothing() -> None:
    class Relu(Square):
        total: Any = 0.0
        adds = False

        def forward(self, x: Array) -> Any:
            self.x = x
            return np.maximum(x, 0)

        def backward(self, upstream: Array) -> Any:
            self.total = (self.total if self.adds else 0) + upstream * (self.x > 0)
            return (self.total,)

    class Adding(Relu):
        adds = True

    x = -np.abs(X)
    assert not trial(Relu(), x).findings
    assert trial(Adding(), x).kinds == [("stale", "x")]


def test_values_stay_in_a_declared_domain() -> None:
    class Acosh:
        def forward(self, x: Array) -> Any:
            if (x < 1).any():
                raise ValueError("x must be at least 1")
            self.x = x
            return np.arccosh(x)

        def backward(self, upstream: Array) -> Any:
            return (upstream / np.sqrt(self.x**2 - 1),)

    x = np.array([1.1, 1.2, 5.0])
    seen = trial(Acosh(), x, domain={"x": (1.0, np.inf)})
    assert not seen.findings
    assert seen.meter.forward_evaluations == trial(Acosh(), x).meter.forward_evaluations - 1
    assert seen.states["other-calls"] == "kept"


def test_a_layer_that_takes_no_other_values_is_skipped() -> None:
    class Fixed(Square):
        def forward(self, x: Array) -> Any:
            if not np.array_equal(x, X):
                raise ValueError("not the values I know")
            return super().forward(x)

    seen = trial(Fixed(), X)
    assert not seen.findings
    assert seen.details["other-calls"] == "other values of the same shapes raised ValueError"
    assert seen.details["fresh-copy"] == "there was no call at other values to compare with"
    assert seen.states["other-sizes"] == "skipped"


def test_sizes_are_tried_smaller_first_then_larger_then_the_original() -> None:
    visited: list[int] = []

    class Recording(Square):
        def forward(self, x: Array) -> Any:
            visited.append(len(x))
            return super().forward(x)

    x = normal((8, 2))[0]
    seen = trial(Recording(), x)
    # The last one is that of another fresh copy, whose first call is at a smaller size.
    assert visited[-6:] == [4, 1, 0, 10, 8, 4]
    assert seen.details["other-sizes"] == "called a copy with 4, 10 along the batch axis in between"
    visited.clear()
    trial(Recording(), x, skip={"empty-batch": "has none", "batch-of-one": "has none"})
    assert visited[-4:] == [4, 10, 8, 4]


def test_inputs_of_one_length_change_together_parameters_of_another_do_not() -> None:
    seen = trial(Dense(), *DENSE)
    assert not seen.findings
    assert seen.details["other-sizes"] == "called a copy with 3, 6 along the batch axis in between"


def test_the_first_input_changes_alone_where_together_does_not_go() -> None:
    seen = trial(Dense(), *normal((3, 4), (4, 3), (3,)))
    assert not seen.findings
    assert seen.states["other-sizes"] == seen.states["batch-of-one"] == "kept"


class FiveRows(Dense):
    """The gradient of x has five rows whatever x has."""

    def backward(self, upstream: Array) -> Any:
        x, W, b = super().backward(upstream)
        return np.resize(x, (5, x.shape[1])), W, b


def test_the_batch_of_the_first_call_kept_as_a_divisor() -> None:
    class Mean(Square):
        rows = 0

        def forward(self, x: Array) -> Any:
            self.x, self.rows = x, self.count(x)
            return (x**2).sum(0) / len(x)

        def count(self, x: Array) -> int:
            return len(x)

        def backward(self, upstream: Array) -> Any:
            return (2 * self.x * upstream / self.rows,)

    class FirstMean(Mean):
        def count(self, x: Array) -> int:
            return self.rows or len(x)

    assert not trial(Mean(), X).findings
    seen = trial(FirstMean(), X)
    assert seen.kinds == [("stale", "x")]
    assert "at a length of 2 after one of 4, where a fresh copy gives another gradient" in seen.message


class Shared(Square):
    """A cache that belongs to the class."""

    cache: ClassVar[dict[str, Array]] = {}

    def __init__(self, own: bool) -> None:
        if own:
            self.cache = {}  # type: ignore[misc] # of the class and of the object

    def forward(self, x: Array) -> Any:
        self.cache["x"] = x
        return x**2

    def backward(self, upstream: Array) -> Any:
        return (2 * self.cache["x"] * upstream,)


class Alias(Shared):
    """The same under the name of the instance."""

    def __init__(self, own: bool) -> None:
        self.cache = {} if own else type(self).cache  # type: ignore[misc] # of the class and of the object


@pytest.mark.parametrize("kind", [Shared, Alias])
def test_a_cache_shared_by_all_instances(kind: type[Shared]) -> None:
    assert not trial(kind(own=True), X).findings
    seen = trial(kind(own=False), X)
    assert seen.kinds == [("stale", "x")]
    assert "when a copy of the layer is called between forward and backward" in seen.message


def test_shapes_at_other_sizes_are_judged_where_the_batch_axis_is_declared() -> None:
    seen = trial(FiveRows(), *DENSE, batch_axis=0)
    assert seen.kinds == [("shape", "x")]
    assert seen.message == (
        "FiveRows: given x of shape (3, 4), its gradient has shape (5, 4): "
        "take the size from the input, not from an earlier call"
    )
    assert not trial(Dense(), *DENSE, batch_axis=0).findings


def test_a_batch_of_one_that_divides_by_n_minus_one() -> None:
    class Spread:
        def forward(self, x: Array) -> Any:
            self.x = x
            return x - x.mean(0)

        def backward(self, upstream: Array) -> Any:
            return ((upstream - upstream.mean(0)) * (len(self.x) - 1) / (len(self.x) - 1),)

    class Guarded(Spread):
        def backward(self, upstream: Array) -> Any:
            return (upstream - upstream.mean(0),)

    assert not trial(Spread(), X).findings
    assert trial(Spread(), X, batch_axis=0).kinds == [("nonfinite", "x")]
    assert not trial(Guarded(), X, batch_axis=0).findings
    assert not trial(BatchNorm(), X, batch_axis=0).findings


def test_an_empty_batch_that_writes_a_gradient_of_one_row() -> None:
    class AtLeastOne(Square):
        def backward(self, upstream: Array) -> Any:
            gradient = super().backward(upstream)[0]
            return (gradient if len(gradient) else np.zeros((1, *gradient.shape[1:])),)

    seen = trial(AtLeastOne(), X, batch_axis=0)
    assert seen.states["empty-batch"] == "broken"
    assert [f.clause for f in seen.findings] == ["empty-batch"]


def test_another_batch_axis() -> None:
    class Columns(Square):
        def forward(self, x: Array) -> Any:
            if len(x) != 4:
                raise ValueError("four features")
            return super().forward(x)

    seen = trial(Columns(), X, batch_axis=1)
    assert seen.details["other-sizes"] == "called a copy with 2, 4 along the batch axis in between"
    assert trial(Columns(), X).details["other-sizes"] == "a batch of 2 raised ValueError"


def test_a_layer_that_cannot_be_copied() -> None:
    seen = trial(Square(), X, copy=False)
    assert not seen.findings
    assert {seen.details[n] for n in ("fresh-copy", "other-sizes", "batch-of-one")} == {"the layer cannot be copied"}
    assert seen.states["other-calls"] == "kept"


def test_weights_drawn_at_first_use_are_no_breach() -> None:
    class Lazy:
        weight: Any = None

        def forward(self, x: Array) -> Any:
            if self.weight is None:
                self.weight = np.random.default_rng().standard_normal(x.shape[1:])
            return x * self.weight

        def backward(self, upstream: Array) -> Any:
            return (upstream * self.weight,)

    seen = trial(Lazy(), X)
    assert not seen.findings
    assert seen.details["fresh-copy"].startswith("a fresh copy gives other outputs")
