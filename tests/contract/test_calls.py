"""Calls: counted, limited, warnings recorded, errors in words, and answers that no later call can change."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.adapters.objects import ObjectTarget
from pytest_gradcheck.calls import BudgetSpent, Calls, Meter, quiet
from pytest_gradcheck.errors import InvalidInput, LayerError
from pytest_gradcheck.target import Argument, Array, FunctionTarget, Target
from tests.contract.trial import DENSE, Dense, Square, X, trial


def calls_of(layer: Any, *inputs: Array, meter: Meter | None = None) -> Calls:
    return Calls(ObjectTarget(layer, inputs, {}), meter=meter)


def test_calls_are_counted_and_copies_count_on_the_same_meter() -> None:
    calls = calls_of(Square(), X)
    (y,) = calls.forward([X])
    calls.backward([np.ones_like(y)])
    twin = calls.target.fresh()
    assert twin is not None
    calls.on(twin).forward([X])
    assert (calls.meter.forward_evaluations, calls.meter.backward_calls) == (2, 1)


def test_the_evaluations_granted_end_before_one_too_many() -> None:
    calls = calls_of(Square(), X, meter=Meter.granted(2))
    calls.forward([X])
    calls.forward([X])
    with pytest.raises(BudgetSpent, match="the 2 forward evaluations granted are spent"):
        calls.forward([X])
    assert calls.meter.forward_evaluations == 2


def test_the_seconds_granted_end_forward_and_backward() -> None:
    calls = calls_of(Square(), X, meter=Meter(deadline=time.perf_counter() - 1))
    for call in (lambda: calls.forward([X]), lambda: calls.backward([X])):
        with pytest.raises(BudgetSpent, match="the seconds granted are spent"):
            call()
    assert calls_of(Square(), X, meter=Meter.granted(max_seconds=1000)).forward([X])


def test_a_budget_that_ends_within_the_contract_cannot_pass() -> None:
    with pytest.raises(BudgetSpent):
        trial(Square(), X, max_evaluations=4)

    class Deaf(Square):
        def backward(self, upstream: Array) -> Any:
            return (2 * self.x,)

    seen = trial(Deaf(), X, max_evaluations=2)
    assert seen.kinds == [("upstream", "x")]
    assert not seen.further.complete
    assert seen.further.notes == ("the contract is not finished: the 2 forward evaluations granted are spent",)


class Reusing:
    """Writes each output and each gradient into the same two buffers."""

    def __init__(self, whole: bool) -> None:
        self.whole = whole
        self.out, self.gradient = np.empty(8), np.empty(8)

    def forward(self, x: Array) -> Any:
        self.x = x
        np.multiply(x, x, out=self.out[: len(x)])
        return self.out if self.whole else self.out[: len(x)]

    def backward(self, upstream: Array) -> Any:
        np.multiply(2 * self.x, upstream, out=self.gradient[: len(self.x)])
        return (self.gradient if self.whole else self.gradient[: len(self.x)],)


@pytest.mark.parametrize("whole", [True, False])
def test_buffers_that_are_used_again_change_no_earlier_answer(whole: bool) -> None:
    x = np.arange(8.0)
    calls = calls_of(Reusing(whole), x)
    (y,) = calls.forward([x])
    (g,) = calls.backward([np.ones(8)])
    calls.forward([x + 1])
    calls.backward([np.ones(8)])
    assert (y == x**2).all()
    assert (g == 2 * x).all()


def test_an_output_that_nobody_holds_is_not_copied() -> None:
    made: list[int] = []

    def run(x: Array) -> Array:
        y = x + 1
        made.append(y.__array_interface__["data"][0])
        return y

    target = FunctionTarget("plus", (Argument("x", X),), run, lambda u: u)
    (y,) = Calls(target).forward([X])
    assert y.__array_interface__["data"][0] == made[0]


def test_a_gradient_that_nobody_holds_is_not_copied() -> None:
    made: list[int] = []

    def pull(upstream: Sequence[Array]) -> list[Array]:
        gradient = upstream[0] + 1
        made.append(gradient.__array_interface__["data"][0])
        return [gradient]

    target = FunctionTarget("plus", (Argument("x", X),), lambda x: x + 1, pull)
    calls = Calls(target)
    calls.forward([X])
    (gradient,) = calls.backward([X])
    assert gradient.__array_interface__["data"][0] == made[0]


def test_an_input_returned_as_output_is_copied() -> None:
    class Identity:
        def forward(self, x: Array) -> Any:
            return x

        def backward(self, upstream: Array) -> Any:
            return (upstream,)

    x, u = X.copy(), X.copy()
    calls = calls_of(Identity(), x)
    (y,) = calls.forward([x])
    (g,) = calls.backward([u])
    x[...] = u[...] = 7
    assert (y == X).all()
    assert (g == X).all()
    assert not trial(Identity(), X).findings


def test_an_exception_of_the_layer_is_told_with_its_name_shapes_and_cause() -> None:
    calls = calls_of(Dense(), *DENSE)
    with pytest.raises(LayerError) as caught:
        calls.forward([DENSE[0], DENSE[1].T, DENSE[2]])
    assert isinstance(caught.value.__cause__, ValueError)
    text = str(caught.value)
    assert text.startswith("forward of Dense raised ValueError (matmul: ")
    assert text.endswith("given x (5, 4), W (3, 4), b (3,): call it once by hand on these arrays")
    calls.forward(DENSE)
    with pytest.raises(
        LayerError, match=r"^backward of Dense raised ValueError .* given an upstream of shape \(2, 3\)"
    ):
        calls.backward([np.ones((2, 3))])


@pytest.mark.parametrize(("returned", "words"), [(None, "None"), ("text", "str 'text'"), ([object()], "object")])
def test_an_output_that_is_no_number_is_refused(returned: Any, words: str) -> None:
    class Nothing(Target):
        name = "Nothing"
        arguments = (Argument("x", X),)

        def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
            return returned  # type: ignore[no-any-return] # anything may be returned

    with pytest.raises(LayerError) as caught:
        Calls(Nothing()).forward([X])
    assert str(caught.value).startswith(f"forward of Nothing returned {words}")
    assert str(caught.value).endswith(": return an array of numbers, or a tuple of them")


def test_errors_of_this_package_pass_unchanged() -> None:
    class Refusing(Square):
        def forward(self, x: Array) -> Any:
            raise InvalidInput("x is not for me")

    with pytest.raises(InvalidInput, match=r"^x is not for me$"):
        calls_of(Refusing(), X).forward([X])


@pytest.mark.parametrize(
    ("returned", "expected"), [(None, [None, None, None]), (1.5, [1.5]), ((1.5, None), [1.5, None]), ([2.0], [2.0])]
)
def test_gradients_come_as_a_list(returned: Any, expected: list[Any]) -> None:
    target = FunctionTarget("plain", tuple(Argument(n, X) for n in "abc"), lambda *v: v[0], lambda u: returned)
    calls = Calls(target)
    calls.forward([X, X, X])
    assert calls.backward([X]) == expected


def test_warnings_are_recorded_once_per_place_and_floating_point_errors_ignored() -> None:
    class Warned(Square):
        def forward(self, x: Array) -> Any:
            warnings.warn("slow path", RuntimeWarning, stacklevel=1)
            np.log(-np.abs(x))
            return super().forward(x)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with quiet() as caught:
            calls = calls_of(Warned(), X)
            for _ in range(5):
                calls.forward([X])
        assert [str(w.message) for w in caught] == ["slow path"]
        with pytest.raises(RuntimeWarning):
            np.log(-(X[0, 0] ** 2))


def test_a_keyboard_interrupt_is_not_caught() -> None:
    class Stopped(Square):
        def forward(self, x: Array) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trial(Stopped(), X)
