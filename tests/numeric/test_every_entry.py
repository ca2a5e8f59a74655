"""The lecture's manual check: right to the accuracy the lecture states, for any shape, and nothing left moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import numeric_gradient, numeric_jacobian
from pytest_gradcheck.errors import InvalidInput, LayerError

Array = np.ndarray[Any, np.dtype[Any]]
Function = Callable[[Any], Any]

SHAPES: list[tuple[int, ...]] = [(), (1,), (4,), (2, 3), (2, 1, 3), (0,), (2, 0)]


def numbers(shape: tuple[int, ...], seed: int = 0) -> Array:
    return np.asarray(np.random.default_rng(seed).uniform(-1.5, 1.5, shape))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_gradient_has_the_shape_of_its_input(shape: tuple[int, ...]) -> None:
    x = numbers(shape)
    found = numeric_gradient(lambda x: float(np.sin(x).sum()), x)
    assert found.shape == shape
    assert found.dtype == np.float64
    assert np.abs(found - np.cos(x)).max(initial=0.0) < 1e-8
    twin = numeric_gradient(lambda x: float(np.sin(1.001 * x).sum()), x)
    assert not x.size or np.abs(twin - np.cos(x)).max() > 1e-4


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_jacobian_is_outputs_by_inputs(shape: tuple[int, ...]) -> None:
    x = numbers(shape)
    A = numbers((3, 2, max(1, x.size)), seed=1)
    found = numeric_jacobian(lambda x: A[..., : x.size] @ np.exp(x).reshape(-1), x)
    assert found.shape == (6, x.size)
    expected = A[..., : x.size].reshape(6, x.size) * np.exp(x).reshape(-1)
    assert np.abs(found - expected).max(initial=0.0) < 5e-8


def test_an_identity_that_returns_its_own_argument_is_not_overtaken() -> None:
    x = numbers((2, 2))
    assert np.abs(numeric_jacobian(lambda x: x, x) - np.eye(4)).max() < 1e-12


@pytest.mark.parametrize(
    ("f", "slope", "third"),
    [
        (np.exp, np.exp, np.exp),
        (np.sin, np.cos, lambda x: -np.cos(x)),
        (lambda x: x**3, lambda x: 3 * x**2, lambda x: 6.0 + 0 * x),
    ],
    ids=["exp", "sin", "cube"],
)
def test_the_error_is_the_lectures_h_squared_over_six(f: Function, slope: Function, third: Function) -> None:
    for x in (0.3, 1.1):
        for h in (1e-2, 1e-3):
            assert numeric_gradient(f, x, h) - slope(x) == pytest.approx(h * h / 6 * third(x), rel=1e-3)


def test_at_the_lectures_h_a_right_gradient_agrees_and_a_wrong_one_does_not() -> None:
    W, x, u = numbers((3, 4)), numbers((4,), 1), numbers((3,), 2)
    numeric = numeric_gradient(lambda W: u @ np.tanh(W @ x), W)
    delta = u * (1 - np.tanh(W @ x) ** 2)
    assert np.abs(numeric - np.outer(delta, x)).max() < 1e-8
    forgotten = np.outer(u, x)
    assert np.abs(numeric - forgotten).max() > 1e-2


def test_a_linear_function_is_exact_to_rounding() -> None:
    a, x = numbers((5,)), numbers((5,), 1)
    assert np.abs(numeric_gradient(lambda x: a @ x, x) - a).max() < 1e-11


def test_the_array_itself_is_moved_so_that_a_closure_sees_it() -> None:
    W = numbers((2, 3))
    kept = W.copy()
    assert np.abs(numeric_gradient(lambda _: (W**2).sum(), W) - 2 * W).max() < 1e-10
    assert W.tobytes() == kept.tobytes()
    # A twin that is handed a copy sees no change at all.
    assert not numeric_gradient(lambda _: (W**2).sum(), W.tolist()).any()


@pytest.mark.parametrize("view", ["transposed", "strided", "reversed"])
def test_views_are_moved_in_place_and_restored(view: str) -> None:
    base = numbers((4, 6))
    kept = base.copy()
    x = {"transposed": base.T, "strided": base[::2, 1::2], "reversed": base[::-1]}[view]
    assert np.abs(numeric_gradient(lambda x: (x**3).sum(), x) - 3 * x**2).max() < 5e-8
    assert base.tobytes() == kept.tobytes()


@pytest.mark.parametrize("call", [1, 2, 3, 8])
@pytest.mark.parametrize("numeric", [numeric_gradient, numeric_jacobian])
def test_the_array_is_restored_exactly_when_f_raises(numeric: Any, call: int) -> None:
    x = np.array([0.1, 1e-300, -1e3, 7e-5])
    kept, seen = x.copy(), list[Array]()

    def f(x: Array) -> float:
        seen.append(x.copy())
        if len(seen) == call:
            raise KeyError("in the middle")
        return float(np.tanh(x).sum())

    with pytest.raises(KeyError):
        numeric(f, x)
    assert x.tobytes() == kept.tobytes()
    assert seen[-1].tobytes() != kept.tobytes(), "at the moment of the error an entry was moved"


def test_f_is_called_twice_an_entry_with_one_entry_moved_by_h() -> None:
    x, seen = numbers((2, 2)), list[Array]()

    def f(x: Array) -> float:
        seen.append(x.copy())
        return 0.0

    numeric_gradient(f, x, h=1e-3)
    assert len(seen) == 2 * x.size
    moves = [np.round((point - x) / 1e-3, 6).reshape(-1).tolist() for point in seen]
    assert moves == [[s * float(i == k) for i in range(4)] for k in range(4) for s in (1.0, -1.0)]


def test_the_step_that_was_really_made_is_what_divides() -> None:
    # At 1e10 a step of 1e-4 is rounded by one part in a hundred: 2h in its place would be off by that much.
    x = np.array([1.23456789e10])
    assert numeric_gradient(lambda x: float(x[0] - 1.23456789e10), x) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(
    "given", [np.array([1.0, 2.0], np.float32), [1.0, 2.0], (1.0, 2.0)], ids=["float32", "list", "tuple"]
)
def test_what_is_no_float64_array_is_differentiated_as_one(given: Any) -> None:
    found = numeric_gradient(lambda x: (x**2).sum(), given)
    assert found.dtype == np.float64
    assert np.abs(found - [2.0, 4.0]).max() < 1e-9


def test_a_read_only_array_is_differentiated_and_left_alone() -> None:
    x = numbers((3,))
    x.setflags(write=False)
    assert np.abs(numeric_gradient(lambda x: (x**2).sum(), x) - 2 * x).max() < 1e-10


@pytest.mark.parametrize("numeric", [numeric_gradient, numeric_jacobian])
@pytest.mark.parametrize(
    ("x", "h", "sentence"),
    [
        ([1.0], 0, "h is 0: give a step larger than zero"),
        ([1.0], -1e-4, "h is -0.0001: give a step larger than zero"),
        ([1.0], float("nan"), "h is nan: give a step larger than zero"),
        ([1.0], float("inf"), "h is inf: give a step larger than zero"),
        ([1, 2], 1e-4, "x has dtype int64: a gradient needs floating point numbers, cast it to float"),
        ([True], 1e-4, "x has dtype bool: a gradient needs floating point numbers, cast it to float"),
        ([1j], 1e-4, "x has dtype complex128: a gradient needs floating point numbers, cast it to float"),
        ([[1.0, np.nan]], 1e-4, "x holds nan at index (0, 1): give finite numbers"),
        ([-np.inf], 1e-4, "x holds -inf at index (0,): give finite numbers"),
        ([1.0], "1e-4", "h is '1e-4': give a step larger than zero"),
        ([1.0], None, "h is None: give a step larger than zero"),
        ([1.0], True, "h is True: give a step larger than zero"),
        ([1.0], 1j, "h is 1j: give a step larger than zero"),
        ([[1.0], [1.0, 2.0]], 1e-4, "x has rows of unequal lengths: give an array of floats"),
        (
            np.ma.masked_less([1.0, -1.0], 0.0),
            1e-4,
            "x is a masked array, of which some entries are hidden: give x.filled() or x.compressed()",
        ),
    ],
)
def test_unusable_input_is_one_sentence(numeric: Any, x: Any, h: float, sentence: str) -> None:
    calls: list[Any] = []
    with pytest.raises(InvalidInput) as caught:
        numeric(calls.append, x, h)
    assert str(caught.value) == sentence
    assert calls == []


@pytest.mark.parametrize("numeric", [numeric_gradient, numeric_jacobian])
def test_a_step_that_vanishes_beside_its_entry_is_said(numeric: Any) -> None:
    x = np.array([1.0, 1e16])
    with pytest.raises(InvalidInput, match=r"h is 0.0001: too small beside the entry .*1e\+16.* at index \(1,\)"):
        numeric(lambda x: x.sum(), x)
    assert x.tolist() == [1.0, 1e16]
    assert np.allclose(numeric(lambda x: x.sum(), x, h=1024.0), 1.0)


@pytest.mark.parametrize("numeric", [numeric_gradient, numeric_jacobian])
@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        (lambda x: None, "f returned None: let it return real numbers"),
        (lambda x: "a", "f returned an array of dtype <U1: let it return real numbers"),
        (lambda x: 1j, "f returned an array of dtype complex128: let it return real numbers"),
        (lambda x: [[1.0], [1.0, 2.0]], "f returned rows of unequal lengths: let it return an array of real numbers"),
        (
            lambda x: np.log(x[1]) if x[1] <= 2 else np.nan,
            "f returned nan with the entry at index (1,) at 2.0001: give an x around which f is finite, or a smaller h",
        ),
        (
            lambda x: 0.0 if x[0] >= 1 else -np.inf,
            "f returned -inf with the entry at index (0,) at 0.9999: "
            "give an x around which f is finite, or a smaller h",
        ),
    ],
    ids=["None", "text", "complex", "ragged", "NaN", "infinity"],
)
def test_what_f_may_not_return_is_one_sentence(numeric: Any, returned: Any, sentence: str) -> None:
    x = np.array([1.0, 2.0])
    with pytest.raises(LayerError) as caught:
        numeric(returned, x)
    assert str(caught.value) == sentence
    assert x.tolist() == [1.0, 2.0]


def test_outputs_whose_number_changes_are_one_sentence() -> None:
    with pytest.raises(LayerError, match=r"^f returned 2 numbers, then 1: let their number depend on x.shape alone$"):
        numeric_jacobian(lambda x: x[x >= 1.0], np.array([1.0, 2.0]))


@pytest.mark.parametrize("numeric", [numeric_gradient, numeric_jacobian])
def test_an_array_that_f_writes_into_is_restored_and_f_is_blamed(numeric: Any) -> None:
    def f(x: Any) -> Any:
        x[-1] *= 2
        return x.sum()

    x = np.array([1.0, 2.0, 3.0])
    with pytest.raises(LayerError) as caught:
        numeric(f, x)
    assert str(caught.value).startswith("f writes into x")
    assert x.tolist() == [1.0, 2.0, 3.0]


def test_a_function_of_many_outputs_has_no_gradient() -> None:
    with pytest.raises(LayerError) as caught:
        numeric_gradient(lambda x: 2 * x, np.ones(3))
    assert str(caught.value) == "f returned 3 numbers: numeric_gradient needs one, numeric_jacobian takes many"
