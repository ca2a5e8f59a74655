"""What cannot be checked: one sentence that names the culprit and the way out, and the caller's arrays as they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import assert_gradients, check
from pytest_gradcheck.errors import GradientMismatch, InvalidInput, LayerError, UnknownLayer
from pytest_gradcheck.settings import NAMES
from tests.check.layers import Array, Dense, Unary, dense_inputs, normal, tanh

NAN, INF = float("nan"), float("inf")


def spoilt(which: int, place: tuple[int, ...], value: float) -> tuple[Array, ...]:
    inputs = dense_inputs()
    inputs[which][place] = value
    return inputs


class Product:
    """x times w; `returned` makes what backward returns of the two gradients."""

    def __init__(self, returned: Callable[[Array, Array], Any]) -> None:
        self.returned = returned

    def forward(self, x: Array, w: Array) -> Array:
        self.x, self.w = x, w
        return x * w

    def backward(self, upstream: Array) -> Any:
        return self.returned(upstream * self.w, upstream * self.x)


class OnlyForward:
    def forward(self, x: Array) -> Array:
        return x


def breaks(x: Array) -> Array:
    raise ZeroDivisionError("division\nby zero")


PAIR = (normal(3), normal(3, seed=1))


@pytest.mark.parametrize(
    ("layer", "inputs", "sentence"),
    [
        (Dense(), spoilt(1, (2, 1), NAN), "W[2, 1] of Dense is nan: give finite values to differentiate at"),
        (Dense(), spoilt(2, (0,), -INF), "b[0] of Dense is -inf: give finite values to differentiate at"),
        (tanh(), (np.array(NAN),), "x of Unary is nan: give finite values to differentiate at"),
        (
            Unary(np.log, lambda x: 1 / x),
            (np.array([1.0, -1.0]),),
            "the output of Unary holds nan at index (1,): give inputs at which forward is finite",
        ),
        (
            Unary(np.log, lambda x: 1 / x),
            (np.array([1.0, 0.0]),),
            "the output of Unary holds -inf at index (1,): give inputs at which forward is finite",
        ),
        (
            tanh(),
            (np.arange(3),),
            "no argument of Unary is a float array (x: int64 array, not differentiated): cast x to float",
        ),
        (tanh(), (), "Unary has no inputs and no parameters: give the inputs after the layer"),
    ],
)
def test_an_unusable_input_is_named_with_its_place(layer: Any, inputs: tuple[Array, ...], sentence: str) -> None:
    kept = [x.copy() for x in inputs]
    with pytest.raises(InvalidInput) as caught:
        check(layer, *inputs)
    assert str(caught.value) == sentence
    assert all(np.array_equal(x, k, equal_nan=True) for x, k in zip(inputs, kept, strict=True))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"h": 0}, "h is 0: give a number larger than zero"),
        ({"h": -1e-3}, "h is -0.001: give a number larger than zero"),
        ({"h": NAN}, "h is nan: give a number larger than zero"),
        ({"h": "1e-4"}, "h is '1e-4': give a number larger than zero"),
        (
            {"h": 1.5},
            "h is 1.5: steps are relative to the size of the entries, give one of at most 1, or method='every-entry'",
        ),
        ({"max_evaluations": 2.5}, "max_evaluations is 2.5: give a whole number, larger than zero"),
        ({"max_evaluations": 0}, "max_evaluations is 0: give a number larger than zero"),
        ({"batch_axis": "rows"}, "batch_axis is 'rows': give a whole number, zero or larger"),
        ({"batch_axis": -3}, "batch_axis is -3: give a whole number, zero or larger"),
        ({"precision": "double"}, "precision is 'double': give one of 'float32', 'float16', 'bfloat16'"),
        ({"skip": ["zero"]}, "skip is ['zero']: give a dict from names of clauses to the reasons"),
        ({"skip": "zero"}, "skip is 'zero': give a dict from names of clauses to the reasons"),
        ({"domain": (0, 1)}, "domain is (0, 1): give a dict from names of arguments to domains"),
        ({"kwargs": 3}, "kwargs is 3: give a dict of keyword arguments of forward"),
        ({"wrt": 1.5}, "wrt is 1.5: give names or positions of the arguments 'x', 'W', 'b'"),
        ({"wrt": [None]}, "wrt is [None]: give names or positions of the arguments 'x', 'W', 'b'"),
        ({"wrt": True}, "wrt is True: give names or positions of the arguments 'x', 'W', 'b'"),
        ({"wrt": b"x"}, "wrt is b'x': give names or positions of the arguments 'x', 'W', 'b'"),
        ({"sharpness": 0.0}, "sharpness is 0.0: give a number larger than zero"),
        ({"max_seconds": INF}, "max_seconds is inf: give a number larger than zero"),
        ({"seed": -1}, "seed is -1: give a whole number, zero or larger"),
        ({"method": "magic"}, "method is 'magic': give one of 'probes', 'every-entry', 'complex-step'"),
        ({"rtol": 1e-3}, f"unknown setting 'rtol': the known ones are {', '.join(NAMES)}"),
        ({"wrt": "V"}, "wrt names 'V': Dense has the arguments 'x', 'W', 'b'"),
        ({"wrt": 7}, "wrt is 7: Dense has the arguments 'x', 'W', 'b', counted from 0"),
        ({"wrt": []}, "wrt is empty: name at least one argument of Dense, 'x', 'W', 'b'"),
        ({"domain": {"V": (0, 1)}}, "domain names 'V', which is no argument: the arguments are x, W, b"),
        ({"domain": {"b": (0, 9)}}, "b is not in its domain interval(0, 9): entry (1,) is -0.522748, below 0"),
    ],
)
def test_an_unusable_wish_is_one_sentence(words: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(Dense(), *dense_inputs(), **words)
    assert str(caught.value) == sentence


def test_an_integer_array_where_a_gradient_is_asked() -> None:
    x, W, _ = dense_inputs()
    with pytest.raises(InvalidInput) as caught:
        check(Dense(), x, W, np.arange(3), wrt="b")
    sentence = "wrt asks for 'b' (int64 array, not differentiated): cast b to float or leave it out of wrt"
    assert str(caught.value) == sentence
    report = check(Dense(), x, W, np.arange(3))
    assert report.passed
    assert "b is passed through: int64 array, not differentiated" in report.notes


@pytest.mark.parametrize(
    ("upstream", "words"),
    [
        (np.ones(2), r"the upstream .*has shape \(2,\), .*\(3,\).*: give one of the output's shape"),
        (np.ones((1, 3)), r"the upstream .*has shape \(1, 3\), .*\(3,\).*: give one of the output's shape"),
        ((np.ones(3), np.ones(3)), r"the upstream .*has shape \(2, 3\), .*: give one of the output's shape"),
        ([1.0, NAN, 2.0], "the upstream .*holds NaN or infinity: give finite numbers"),
        ([[1.0], [2.0, 3.0]], r"the upstream is \[\[1.0\], \[2.0, 3.0\]\]: give an array of numbers of shape \(3,\)"),
        (
            np.array([1j, 2j, 3j]),
            r"the upstream is complex of shape \(3,\), the output real of shape \(3,\): give real numbers",
        ),
    ],
)
def test_an_upstream_that_does_not_fit(upstream: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        check(tanh(), normal(3), upstream=upstream)


def test_numbers_of_numpy_are_settings_as_good_as_pythons_own() -> None:
    report = check(tanh(), normal(3), h=np.float32(1e-4), seed=np.int64(3), max_evaluations=np.int32(900))
    assert report.passed
    assert (type(report.h), type(report.seed)) == (float, int)


@pytest.mark.parametrize("h", [1e-320, 1e-30, 1e-12, 1.0])
def test_no_step_lets_a_wrong_gradient_pass(h: float) -> None:
    assert check(tanh(), normal(3), h=h).passed
    assert check(tanh(1.01), normal(3), h=h).verdict == "fail"


@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16"])
def test_every_declared_precision_is_known(precision: str) -> None:
    # Its rounding is granted to a layer that has none: that may hide the answer, and never turns it round.
    assert check(tanh(), normal(3), precision=precision).verdict != "fail"
    assert not check(tanh(1.5), normal(3), precision=precision).passed


def test_a_complex_upstream_of_a_complex_output() -> None:
    class Turn:
        def __init__(self, factor: complex) -> None:
            self.factor = factor

        def forward(self, z: Array) -> Any:
            return z * 2j

        def backward(self, upstream: Array) -> Any:
            return upstream * np.conj(self.factor)

    z, upstream = normal(3) + 1j * normal(3, seed=1), np.array([1.0 + 1j, 2.0, -1j])
    assert check(Turn(2j), z, upstream=upstream).passed
    assert check(Turn(-2j), z, upstream=upstream).verdict == "fail"


def test_an_upstream_that_fits_is_used_as_it_is() -> None:
    for upstream in ([1.0, -2.0, 0.5], np.array([1, 2, 3])):
        assert check(tanh(), normal(3), upstream=upstream).passed
        assert check(tanh(1.01), normal(3), upstream=upstream).verdict == "fail"


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (
            Unary(breaks, np.cos),
            "forward of Unary raised ZeroDivisionError (division by zero) given x (3,): "
            "call it once by hand on these arrays",
        ),
        (
            Unary(np.sin, breaks),
            "backward of Unary raised ZeroDivisionError (division by zero) given an upstream of shape (3,): "
            "call it once by hand on these arrays",
        ),
        (Unary(lambda x: None, np.cos), "forward of Unary returned None: return float arrays"),
        (Unary(lambda x: "a", np.cos), "forward of Unary returned str: return float arrays"),
        (
            Unary(lambda x: np.sign(x).astype(int), np.cos),
            "forward of Unary returned int64, not a float array: it has no gradient",
        ),
    ],
    ids=["forward raises", "backward raises", "None", "text", "integers"],
)
def test_a_layer_that_does_not_work_is_told_with_its_own_words(layer: Any, sentence: str) -> None:
    x = normal(3)
    kept = x.copy()
    with pytest.raises(LayerError) as caught:
        check(layer, x)
    assert str(caught.value) == sentence
    assert np.array_equal(x, kept)


@pytest.mark.parametrize("stage", ["forward", "backward"])
def test_the_layers_own_error_is_chained(stage: str) -> None:
    layer = Unary(breaks, np.cos) if stage == "forward" else Unary(np.sin, breaks)
    with pytest.raises(LayerError) as caught:
        check(layer, normal(3))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("thing", "words"),
    [(OnlyForward(), "has forward, no backward"), (42, "no forward, no backward"), (np.sin, "calling it returned")],
)
def test_what_is_no_layer_is_told_what_was_tried(thing: Any, words: str) -> None:
    with pytest.raises(UnknownLayer) as caught:
        check(thing, normal(3))
    message = str(caught.value)
    assert words in message
    assert message.endswith("declare it with pytest_gradcheck.declare")
    assert "is not understood as a layer; tried an object with forward and backward" in message


@pytest.mark.parametrize(
    ("returned", "kind", "argument", "words"),
    [
        (lambda dx, dw: None, "zero", "x", "the declared gradient of x is zero"),
        (lambda dx, dw: (dx, None), "zero", "w", "the declared gradient of w is zero"),
        (
            lambda dx, dw: (dx,),
            "shape",
            None,
            "backward of Product returned 1 gradient for 2 arguments (x, w): return one per argument",
        ),
        (
            lambda dx, dw: (dx, dw, dx),
            "shape",
            None,
            "backward of Product returned 3 gradients for 2 arguments (x, w): return one per argument",
        ),
        (
            lambda dx, dw: (dx, dw[:2]),
            "shape",
            "w",
            "the gradient of w that Product returns has shape (2,), w has (3,): return it in the argument's shape",
        ),
        (lambda dx, dw: (dx[None], dw), "shape", "x", "has shape (1, 3), x has (3,): sum it over its first axis"),
        (
            lambda dx, dw: (dx, dw.astype(np.float32)),
            "dtype",
            "w",
            "the gradient of w that Product returns is float32, w is float64",
        ),
        (lambda dx, dw: (dx * NAN, dw), "nonfinite", "x", "the gradient of x that Product returns is NaN at x[0]"),
        (lambda dx, dw: (dx, dw + np.array([0, INF, 0])), "nonfinite", "w", "is infinite at w[1] (1 of 3 entries)"),
    ],
    ids=["None", "None for w", "too few", "too many", "short", "extra axis", "float32", "NaN", "infinite"],
)
def test_what_backward_returned_is_a_finding_in_words(
    returned: Callable[[Array, Array], Any], kind: str, argument: str | None, words: str
) -> None:
    report = check(Product(returned), *PAIR)
    assert report.verdict == "fail"
    assert (report.findings[0].kind, report.findings[0].argument) == (kind, argument)
    assert words in report.findings[0].message
    with pytest.raises(GradientMismatch, match="Product: the declared backward is wrong"):
        assert_gradients(Product(returned), *PAIR)
    assert check(Product(lambda dx, dw: (dx, dw)), *PAIR).passed


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_an_empty_array_passes_with_a_note(shape: tuple[int, ...]) -> None:
    report = check(tanh(), np.zeros(shape))
    assert report.passed
    assert "x is empty: nothing was compared" in report.notes
    assert [(a.name, a.size, a.verdict) for a in report.arguments] == [("x", 0, "pass")]


def test_an_empty_argument_does_not_excuse_the_others() -> None:
    class Shifted:
        def __init__(self, factor: float) -> None:
            self.factor = factor

        def forward(self, x: Array, extra: Array) -> Any:
            self.x, self.extra = x, extra
            return np.sin(x) + extra.sum()

        def backward(self, upstream: Array) -> tuple[Array, Array]:
            return self.factor * upstream * np.cos(self.x), np.zeros_like(self.extra)

    inputs = normal(3), np.zeros(0)
    assert check(Shifted(1.0), *inputs).passed
    assert check(Shifted(1.001), *inputs).verdict == "fail"


@pytest.mark.parametrize("x", [0.5, np.float64(0.5), np.array(0.5), np.array([[0.5]])], ids=repr)
def test_scalars_are_legal_inputs(x: Any) -> None:
    assert check(tanh(), x).passed
    wrong = check(tanh(1.001), x)
    assert wrong.verdict == "fail"
    assert wrong.findings[0].indices == (((0,) * np.ndim(x)),)
