"""What backward returned: number, None, shape, dtype, device, finiteness, each with a right twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check
from pytest_gradcheck.errors import InvalidInput
from pytest_gradcheck.target import Array
from tests.contract.trial import DENSE, Dense, Square, X, normal, trial


class Returning(Dense):
    """Dense, with what its backward returns changed by a function."""

    def __init__(self, change: Any) -> None:
        self.change = change

    def backward(self, upstream: Array) -> Any:
        return self.change(*super().backward(upstream))


def test_a_right_layer_keeps_every_clause_on_the_first_call() -> None:
    seen = trial(Dense(), *DENSE)
    assert not seen.findings
    assert {seen.states[name] for name in ("count", "missing", "shape", "dtype", "device", "finite")} == {"kept"}


@pytest.mark.parametrize(
    ("change", "kind", "argument", "message"),
    [
        (lambda x, W, b: (x, W), "shape", None,
         "backward of Returning returned 2 gradients for 3 arguments (x, W, b): "
         "return one per argument, in the order of forward"),
        (lambda x, W, b: (x, W, b, b), "shape", None,
         "backward of Returning returned 4 gradients for 3 arguments (x, W, b): "
         "return one per argument, in the order of forward"),
        (lambda x, W, b: (x, W.T, b), "shape", "W",
         "the gradient of W that Returning returns has shape (3, 4), W has (4, 3): transpose it"),
        (lambda x, W, b: (x, W.ravel(), b), "shape", "W",
         "the gradient of W that Returning returns has shape (12,), W has (4, 3): reshape it to (4, 3)"),
        (lambda x, W, b: (x, W, np.tile(b, (5, 1))), "shape", "b",
         "the gradient of b that Returning returns has shape (5, 3), b has (3,): sum it over its first axis"),
        (lambda x, W, b: (x, W, b.sum()), "shape", "b",
         "the gradient of b that Returning returns has shape (), b has (3,): return it in the argument's shape"),
        (lambda x, W, b: (x, W, "none"), "shape", "b",
         "the gradient of b that Returning returns is a str, not an array: return an array of numbers of shape (3,)"),
        (lambda x, W, b: (x.astype(np.float32), W, b), "dtype", "x",
         "the gradient of x that Returning returns is float32, x is float64: "
         "compute it without the detour through float32"),
        (lambda x, W, b: (x > 0, W, b), "dtype", "x",
         "the gradient of x that Returning returns is bool, x is float64: compute it without the detour through bool"),
        (lambda x, W, b: (x + 0j, W, b), "dtype", "x",
         "the gradient of x that Returning returns is complex128, x is float64: cast it back from complex128"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_named_in_one_sentence(change: Any, kind: str, argument: str | None, message: str) -> None:
    seen = trial(Returning(change), *DENSE, contract="values")
    assert [(f.kind, f.argument, f.message) for f in seen.findings] == [(kind, argument, message)]


def _ragged(b: Array) -> Any:
    return [b.tolist(), b.tolist()[:1]]


#: What is no array of numbers, and how the message calls it.
GARBAGE: dict[str, tuple[Any, str]] = {
    "str": (lambda b: "none", "a str, not an array"),
    "ragged": (_ragged, "a list, not an array"),
    "generator": (lambda b: (entry for entry in b), "a generator, not an array"),
    "type": (lambda b: np.ndarray, "a type, not an array"),
    "NotImplemented": (lambda b: NotImplemented, "a NotImplementedType, not an array"),
    "objects": (lambda b: b.astype(object), "an array of dtype object, not of numbers"),
    "arrays in an array": (lambda b: np.array([b, b[:1]], dtype=object), "an array of dtype object, not of numbers"),
    "dates": (lambda b: b.astype("M8[s]"), "an array of dtype datetime64[s], not of numbers"),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_what_is_no_array_of_numbers_is_told_once_and_the_other_arguments_are_judged(name: str) -> None:
    spoil, words = GARBAGE[name]
    report = check(Returning(lambda x, W, b: (x, W, spoil(b))), *DENSE)
    assert [(f.kind, f.argument) for f in report.findings] == [("shape", "b")]
    assert report.findings[0].message == (
        f"the gradient of b that Returning returns is {words}: return an array of numbers of shape (3,)"
    )
    assert {c.detail for c in report.clauses if c.name in ("zero", "linear")} == {
        "the gradient of b is no array of numbers"
    }
    wrong = check(Returning(lambda x, W, b: (x, 1.01 * W, spoil(b))), *DENSE)
    assert ("shape", "b") in [(f.kind, f.argument) for f in wrong.findings]
    assert "W" in [f.argument for f in wrong.findings]


@pytest.mark.parametrize("call", range(1, 9))
@pytest.mark.parametrize("name", [*GARBAGE, "another shape"])
def test_what_only_a_later_call_returns_is_told_as_well(name: str, call: int) -> None:
    spoil = GARBAGE[name][0] if name in GARBAGE else lambda b: np.append(b, b)
    calls = iter(range(10**6))
    layer = Returning(lambda x, W, b: (x, W, b if next(calls) < call else spoil(b)))
    seen = trial(layer, *DENSE, copy=False)
    assert "b" in [f.argument for f in seen.findings]


def test_one_finding_for_each_argument_of_a_wrong_shape() -> None:
    seen = trial(Returning(lambda x, W, b: (x.T, W.T, b)), *DENSE, contract="values")
    assert seen.kinds == [("shape", "x"), ("shape", "W")]


def test_none_is_left_to_the_comparison_as_zero() -> None:
    seen = trial(Returning(lambda x, W, b: (x, None, b)), *DENSE)
    assert not seen.findings
    assert seen.details["missing"] == "None for W is compared as zero"


@pytest.mark.parametrize(
    "change",
    [
        lambda x, W, b: [x, W, b],
        lambda x, W, b: [x.tolist(), W, b.tolist()],
        lambda x, W, b: (np.asfortranarray(x), W[::1], b),
        lambda x, W, b: (x.astype(">f8"), W, b),
    ],
    ids=["a list", "lists of numbers", "other layouts", "other byte order"],
)
def test_unusual_containers_are_no_breach(change: Any) -> None:
    assert not trial(Returning(change), *DENSE).findings


def test_a_float_is_a_gradient_of_a_scalar() -> None:
    class Plain(Square):
        def backward(self, upstream: Array) -> Any:
            return (float(2 * self.x * upstream),)

    assert not trial(Plain(), np.array(1.5)).findings


def test_float32_layers_return_float32() -> None:
    x = X.astype(np.float32)
    assert not trial(Square(), x).findings

    class Promoting(Square):
        def backward(self, upstream: Array) -> Any:
            return (super().backward(upstream)[0].astype(np.float64),)

    assert trial(Promoting(), x).kinds == [("dtype", "x")]
    assert trial(Promoting(), x).message.endswith("x is float32: cast it back from float64")


def test_a_declared_precision_is_no_breach_of_dtype() -> None:
    class Inside(Square):
        def backward(self, upstream: Array) -> Any:
            return (super().backward(upstream)[0].astype(np.float32),)

    assert trial(Inside(), X).kinds == [("dtype", "x")]
    assert not trial(Inside(), X, precision="float32").findings


def test_a_gradient_on_another_device_is_named() -> None:
    class Elsewhere:
        device = "gpu:0"

        def __init__(self, value: Array) -> None:
            self.value = value

        def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
            return self.value

    seen = trial(Returning(lambda x, W, b: (Elsewhere(x), W, b)), *DENSE, contract="values")
    assert seen.message == "the gradient of x lies on gpu:0, x on cpu: return it on cpu"


class Root:
    """y = sqrt(max(x, 0)); the gradient of a negative entry is 0 * inf unless guarded."""

    guarded = True

    def forward(self, x: Array) -> Any:
        self.x, self.y = x, np.sqrt(np.maximum(x, 0))
        return self.y

    def backward(self, upstream: Array) -> Any:
        if self.guarded:
            return (np.where(self.x > 0, upstream * 0.5 / np.where(self.x > 0, self.y, 1), 0),)
        return (upstream * (self.x > 0) * 0.5 / self.y,)


class BareRoot(Root):
    guarded = False


def test_nan_beside_a_finite_slope_is_found_with_its_place() -> None:
    x = np.array([0.5, -1.0, 2.0, -0.3])
    assert not trial(Root(), x).findings
    seen = trial(BareRoot(), x, contract="values")
    assert (seen.findings[0].kind, seen.findings[0].argument) == ("nonfinite", "x")
    assert (seen.findings[0].indices, seen.findings[0].count) == (((1,), (3,)), 2)
    assert seen.message == (
        "the gradient of x that BareRoot returns is NaN at x[1] (2 of 4 entries), where the forward is finite and has "
        "a finite slope: guard the division, the logarithm or the 0 * inf there"
    )


def test_an_infinite_gradient_is_right_where_the_slope_is_infinite() -> None:
    class PlainRoot:
        def forward(self, x: Array) -> Any:
            self.y = np.sqrt(np.abs(x))
            self.sign = np.where(x < 0, -1.0, 1.0)
            return self.y

        def backward(self, upstream: Array) -> Any:
            return (upstream * self.sign * 0.5 / self.y,)

    seen = trial(PlainRoot(), np.array([0.0, 1.0, 4.0]), contract="values")
    assert not seen.findings
    assert seen.first.notes == ("the gradient of x is infinite where the forward's own slope is",)


def test_an_infinite_gradient_is_right_where_its_dtype_holds_no_more() -> None:
    class Exp:
        def __init__(self, slope: float) -> None:
            self.slope = np.float16(slope)

        def forward(self, x: Array) -> Any:
            self.y = np.exp(x)
            return self.y

        def backward(self, upstream: Array) -> Any:
            return (upstream * self.y * self.slope,)

    x = np.array([0.0, 5.859375], np.float16)
    upstream = np.array([1.0, 196.5], np.float16)
    right = check(Exp(1.0), x, upstream=upstream, contract="values")
    told = "the gradient of x is infinite where the forward's own slope is (or is more than float16 holds)"
    assert right.passed
    assert told in right.notes
    assert check(Exp(-1.0), x, upstream=upstream, contract="values").verdict == "fail"
    # A tenth of that upstream fits: what is infinite then is the layer's own.
    wrong = check(Exp(100.0), x, upstream=upstream / np.float16(10.0), contract="values")
    assert wrong.findings[0].kind == "nonfinite"


def test_switched_off_clauses_carry_their_reason() -> None:
    layer = Returning(lambda x, W, b: (x.astype(np.float32), W, b))
    seen = trial(layer, *DENSE, skip={"dtype": "half precision on the wire"})
    assert not seen.findings
    assert (seen.states["dtype"], seen.details["dtype"]) == ("skipped", "left out: half precision on the wire")


def test_an_unknown_clause_in_skip_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="skip names 'layouts': the clauses are count, missing, shape"):
        trial(Dense(), *DENSE, skip={"layouts": "no time"})


@pytest.mark.parametrize(("contract", "forwards"), [("values", 1), ("off", 1)])
def test_values_and_off_call_the_layer_once(contract: str, forwards: int) -> None:
    seen = trial(Dense(), *DENSE, contract=contract)
    assert (seen.meter.forward_evaluations, seen.meter.backward_calls) == (forwards, 1)
    assert not seen.further.clauses


def test_off_still_counts_and_compares_shapes() -> None:
    assert trial(Returning(lambda x, W, b: (x, W)), *DENSE, contract="off").kinds == [("shape", None)]
    assert trial(Returning(lambda x, W, b: (x.T, W, b)), *DENSE, contract="off").kinds == [("shape", "x")]
    assert not trial(Returning(lambda x, W, b: (x.astype("f4"), W, b)), *DENSE, contract="off").findings


def test_empty_and_scalar_inputs_are_legal() -> None:
    assert not trial(Square(), np.empty((0, 3))).findings
    assert not trial(Square(), np.array(0.3)).findings
    assert not trial(Square(), *normal((1, 1))).findings


@pytest.mark.parametrize(
    ("gradient", "words"),
    [
        ("none", "is a str, not an array: return an array of numbers of shape (3,)"),
        (object(), "is a object, not an array: return an array of numbers of shape (3,)"),
        (np.array([None] * 3), "is an array of dtype object, not of numbers: return an array of numbers of shape (3,)"),
        ({"b": 1}, "is a dict, not an array: return an array of numbers of shape (3,)"),
    ],
)
def test_what_is_no_number_ends_the_examination_in_words(gradient: Any, words: str) -> None:
    """The clauses after it would compute with it."""
    report = check(Returning(lambda x, W, b: (x, W, gradient)), *DENSE)
    assert [f.message for f in report.findings] == [f"the gradient of b that Returning returns {words}"]
    assert [(a.name, a.verdict) for a in report.arguments] == [("x", "pass"), ("W", "pass")]
