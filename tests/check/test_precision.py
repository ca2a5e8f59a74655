"""Low precision: the formula is judged in float64 where that can be had, the digits by what the dtype allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check
from pytest_gradcheck.calls import Calls
from pytest_gradcheck.claims import NUDGE, Claimant, shifted
from pytest_gradcheck.contract import begin
from pytest_gradcheck.precision import Narrow, choose
from pytest_gradcheck.settings import Settings
from pytest_gradcheck.target import Argument, FunctionTarget
from tests.check.layers import Array, Dense, Function, Unary, dense_inputs, normal, tanh

EXACT = "the formula was differentiated in float64; its {} gradients are exact: x to "
INSIDE = "its forward does not move when its inputs change by a relative 2^-40"


def sech(x: Array) -> Any:
    return 1 - np.tanh(x) ** 2


def within(dtype: Any, factor: float = 1.0) -> Unary:
    """tanh, computed in the given dtype whatever comes in, and returned in the dtype that came in."""
    return Unary(
        lambda x: np.tanh(x.astype(dtype)).astype(x.dtype),
        lambda x: (factor * sech(x.astype(dtype))).astype(x.dtype),
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_right_layer_of_low_precision_gets_both_answers(dtype: Any) -> None:
    report = check(tanh(), normal(3, 4).astype(dtype))
    assert report.passed
    assert any(note.startswith(EXACT.format(np.dtype(dtype))) for note in report.notes)
    assert report.sharpness["x"] < 1e-7, "the formula is judged as sharply as in float64"
    assert report.arguments[0].dtype == np.dtype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("factor", [1.01, 1 + 1e-4, 1 + 1e-6])
def test_a_wrong_formula_is_found_below_the_rounding_of_the_dtype(dtype: Any, factor: float) -> None:
    report = check(tanh(factor), normal(3, 4).astype(dtype))
    assert report.verdict == "fail"
    assert report.findings[0].argument == "x"


def test_a_right_formula_with_digits_lost_on_the_way_is_the_other_answer() -> None:
    """In float64 it computes as it should; given float32 it takes a detour through float16."""

    def slope(x: Array) -> Any:
        return sech(x.astype(np.float16)).astype(np.float32) if x.dtype == np.float32 else sech(x)

    report = check(Unary(np.tanh, slope), normal(3, 4).astype(np.float32))
    assert report.verdict == "fail"
    (finding,) = report.findings
    assert (finding.kind, finding.clause, finding.argument) == ("dtype", "precision", "x")
    assert "more than float32 rounding explains: look for a lower precision on the way" in finding.message
    assert check(Unary(np.tanh, slope), normal(3, 4)).passed


def test_a_layer_that_has_no_float64_is_measured_in_its_own_dtype() -> None:
    def only(factor: float) -> Unary:
        return Unary(lambda x: np.tanh(x.astype(np.float32)), lambda x: np.float32(factor) * sech(x.astype(np.float32)))

    x = normal(3, 4).astype(np.float32)
    report = check(only(1.0), x)
    assert report.passed
    assert "Unary computes in float32 only: steps and error bars are those of float32" in report.notes
    assert 1e-7 < report.sharpness["x"] < 0.1
    assert check(only(1.1), x).verdict == "fail"


@pytest.mark.parametrize("factor", [1.1, 300.0, 1000.0])
def test_in_float32_what_is_lost_beside_larger_entries_is_asked_by_itself(factor: float) -> None:
    """A gradient of 5e-5 (times its unit), declared as 0.05: beside slopes of 40 the noise of float32 hides both."""

    def only(wrong: Any) -> Unary:
        return Unary(lambda x: np.tanh(x.astype(np.float32)), lambda x: wrong * sech(x.astype(np.float32)))

    x = np.array(
        [[55.9, -3.61, 14.95, 4.1e-4], [-1.88e-4, -2.58, -1.68e-4, -4.02e-5], [70.5, -0.142, 1.41, 5.38e-5]], np.float32
    )
    one = np.ones((3, 4), np.float32)
    one[2, 3] = factor
    for seed in range(6):
        right = check(only(np.float32(1.0)), x, seed=seed)
        assert right.passed
        assert right.sharpness["x"] < 10.0, "a hundred, where they were not parted"
        assert check(only(one), x, seed=seed).verdict == "fail"


class Affine:
    """a x + 1 in float32, with one slope of b times what it is."""

    def __init__(self, a: Any, b: float) -> None:
        self.a, self.b = a.astype(np.float32), np.ones(a.size, np.float32)
        self.b[15] = b

    def forward(self, x: Array) -> Any:
        return self.a * x.astype(np.float32) + np.float32(1)

    def backward(self, upstream: Array) -> Any:
        return upstream.astype(np.float32) * self.a * self.b


@pytest.mark.parametrize("factor", [3.0, -1.0])
def test_what_stays_untold_is_no_pass_where_a_sharpness_is_asked_for(factor: float) -> None:
    """Slopes of 3e-6 beside others of 1e-3, in outputs of the size of one: alone they are not told either."""
    a = np.repeat([1e-3, 3e-6], 10)
    x = np.random.default_rng(0).uniform(0.5, 1.0, 20).astype(np.float32)
    for seed in range(4):
        asked = check(Affine(a, factor), x, seed=seed, sharpness=0.5)
        assert asked.verdict != "pass"
        unasked = check(Affine(a, factor), x, seed=seed)
        assert unasked.verdict != "pass" or "entries of x too small beside the others" in " ".join(unasked.notes)
        assert check(Affine(np.full(20, 1e-3), 1.0), x, seed=seed, sharpness=0.5).passed
        assert check(Affine(np.full(20, 1e-3), factor), x, seed=seed, sharpness=0.5).verdict == "fail"


@pytest.mark.parametrize("inputs", [1, 12, 500])
def test_float64_outside_and_float32_inside_is_a_finding_of_its_own(inputs: int) -> None:
    report = check(within(np.float32), normal(inputs))
    assert report.verdict == "fail"
    (finding,) = report.findings
    assert (finding.kind, finding.argument, finding.clause) == ("dtype", None, "precision")
    assert finding.message == (
        f"Unary takes and returns float64 but computes in a lower precision: {INSIDE}; "
        "compute in float64, or declare precision='float32'"
    )


@pytest.mark.parametrize("inputs", [12, 200])
def test_declared_it_passes_with_its_noise_for_a_bar(inputs: int) -> None:
    x = normal(inputs)
    report = check(within(np.float32), x, precision="float32")
    assert report.passed
    assert f"declared precision float32: {INSIDE}; its noise is in the error bar" in report.notes
    assert report.sharpness["x"] > 1e-7
    wrong = check(within(np.float32, 1.3), x, precision="float32")
    assert wrong.verdict == "fail"
    assert {f.kind for f in wrong.findings} != {"dtype"}


def test_a_declared_precision_does_no_harm_where_it_is_not_needed() -> None:
    assert check(tanh(), normal(4), precision="float32").passed
    assert check(tanh(1.0001), normal(4), precision="float32").verdict == "fail"


def test_a_steep_or_noisy_layer_is_not_taken_for_float32() -> None:
    rng = np.random.default_rng(0)
    noisy = Unary(lambda x: np.sin(x) * (1 + 1e-9 * rng.standard_normal(x.shape)), np.cos)
    for layer in (Unary(lambda x: np.sin(300 * x), lambda x: 300 * np.cos(300 * x)), noisy):
        assert "dtype" not in {f.kind for f in check(layer, normal(30), contract="off").findings}


def test_arguments_of_different_precision() -> None:
    class Mixed(Dense):
        def backward(self, upstream: Array) -> list[Array]:
            return [
                g.astype(a.dtype) for g, a in zip(super().backward(upstream), (self.x, self.W, self.b), strict=True)
            ]

        def forward(self, x: Array, W: Array, b: Array) -> Any:
            self.b = b
            return super().forward(x, W, b)

    x, W, b = dense_inputs()
    assert check(Mixed(), x.astype(np.float32), W, b).passed
    assert check(Mixed(W=1e-5), x.astype(np.float32), W, b).verdict == "fail"


def rounded(x: Any, bits: int = 8) -> Any:
    """float64 numbers rounded to so many bits of mantissa, as bfloat16 has 8."""
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.round(mantissa * 2**bits) / 2**bits, exponent)


class Coarse(FunctionTarget):
    """tanh whose arithmetic is bfloat16's, shown as float32: numpy has no such type."""

    rounding = 2.0**-9

    def widened(self) -> None:
        return None


def coarse(slope: Function) -> Coarse:
    kept: dict[str, Array] = {}

    def run(x: Array) -> Any:
        kept["x"] = x
        return rounded(np.tanh(rounded(x))).astype(np.float32)

    def pull(upstream: Sequence[Array]) -> list[Any]:
        return [(upstream[0] * rounded(slope(rounded(kept["x"])))).astype(np.float32)]

    return Coarse("Coarse", (Argument("x", normal(3, 4).astype(np.float32)),), run, pull)


def test_a_target_that_declares_its_rounding_is_measured_with_it() -> None:
    target = coarse(sech)
    calls = Calls(target)
    first = begin(calls, [target.arguments[0].value], lambda outputs: [np.ones_like(y) for y in outputs], None)
    chosen = choose(first, Settings())
    assert chosen.eps == 2.0**-9
    assert chosen.cast
    assert isinstance(chosen.calls.target, Narrow)
    assert [v.dtype for v in chosen.values] == [np.dtype(np.float64)]


def test_a_narrow_target_gives_the_layer_its_own_dtype() -> None:
    seen: list[Any] = []

    def run(x: Array) -> Any:
        seen.append(x.dtype)
        return x

    inner = FunctionTarget("f", (Argument("x", np.ones(2, np.float32)),), run, lambda u: list(u))
    narrow = Narrow(inner)
    assert narrow.forward([np.ones(2)])[0].dtype == np.float32
    assert seen == [np.float32]
    assert narrow.backward([np.ones(2)])[0] is not None


def claimant(f: Function, slope: Function, x: Array) -> Claimant:
    layer = Unary(f, slope)
    target = FunctionTarget("f", (Argument("x", x),), layer.forward, lambda u: [layer.backward(u[0])])
    made = Claimant(Calls(target), [x], [0])
    made.describe([f(x)])
    return made


def test_a_claim_is_for_the_upstream_as_the_layer_got_it() -> None:
    made = claimant(lambda x: np.sin(x).astype(np.float32), np.cos, normal(4))
    claim = made.of([np.full(4, 1 / 3)])
    assert np.array_equal(claim.upstream[0], np.full(4, np.float64(np.float32(1 / 3))))


def test_a_missing_gradient_is_a_claim_of_zero_and_one_of_another_size_none() -> None:
    made = claimant(np.sin, np.cos, normal(4))
    (zero,) = made.flat([None])
    assert zero is not None
    assert not zero.any()
    assert made.flat([np.ones(3)]) == [None]
    assert made.flat([])[0] is not None


def test_the_rounding_of_a_gradient_is_seen_and_a_kink_is_not_taken_for_it() -> None:
    x = normal(50)
    smooth = claimant(np.sin, np.cos, x)
    (tremble,) = smooth.trembling(smooth.of([np.ones(50)]))
    assert tremble is not None
    assert 0 < np.abs(tremble).max() < 1e-13
    cancelling = claimant(
        np.sin, lambda x: (1e6 + np.cos(x)) - 1e6 + 1e-4 * (np.spacing(x) > 0) * (x % 2.0**-45 > 2.0**-46), x
    )
    (larger,) = cancelling.trembling(cancelling.of([np.ones(50)]))
    assert larger is not None
    assert np.abs(larger).max() > 1e-11
    kinked = claimant(np.abs, lambda x: np.where(x % 2.0**-45 > 2.0**-46, 1.0, -1.0), x)
    (left,) = kinked.trembling(kinked.of([np.ones(50)]))
    assert left is not None
    assert not left.any()


def test_a_shift_moves_neighbours_to_opposite_sides() -> None:
    x = np.arange(1.0, 7.0).reshape(2, 3)
    moved = shifted(x, 0, NUDGE) / x - 1
    assert np.allclose(moved.reshape(-1), NUDGE * np.array([1, -1, 1, -1, 1, -1]), rtol=1e-3)
    assert np.allclose(shifted(x, 1, NUDGE) / x - 1, -moved, rtol=1e-3)
    assert x.sum() == 21


def test_moves_tells_float64_from_float32() -> None:
    x = normal(20)
    assert claimant(np.tanh, sech, x).moves([np.tanh(x)])
    low: Function = lambda x: np.tanh(x.astype(np.float32)).astype(np.float64)  # noqa: E731 - a formula
    assert not claimant(low, sech, x).moves([low(x)])
    mean: Function = lambda x: x / x.sum()  # noqa: E731 - a formula
    assert claimant(mean, sech, x).moves([mean(x)]), "a common factor would leave a normalised output where it is"


class Shelf:
    """max(tanh(x), 0) + 1 in float32, of which the slopes of some entries are declared with the wrong sign."""

    def __init__(self, wrong: slice) -> None:
        self.wrong = wrong

    def forward(self, x: Array) -> Any:
        self.x = x.astype(np.float32)
        return np.maximum(np.tanh(self.x), np.float32(0)) + np.float32(1)

    def backward(self, upstream: Array) -> Any:
        gradient = (upstream * sech(self.x) * (self.x > 0)).astype(np.float32)
        gradient[self.wrong] *= -1
        return gradient


def on_the_shelf(seed: int, small: float) -> Any:
    """Twenty entries on the kink, twenty of the size of one, ten small ones."""
    rng = np.random.default_rng(seed)
    parts = np.zeros(20), rng.uniform(0.3, 1.5, 20), small * rng.uniform(0.5, 1.5, 10)
    return np.concatenate(parts).astype(np.float32)


class Threshold(Shelf):
    """The same with a slope of its own where it stands on the kink: at all such entries, or at one of them."""

    def __init__(self, there: float, where: slice = slice(0, 20)) -> None:
        super().__init__(slice(0, 0))
        self.there, self.where = there, where

    def backward(self, upstream: Array) -> Any:
        gradient = super().backward(upstream)
        gradient[self.where] = np.float32(self.there) * upstream[self.where]
        return gradient


@pytest.mark.parametrize("where", [slice(0, 20), slice(3, 4)], ids=["all", "one"])
def test_in_float32_slopes_at_kinks_are_taken_where_rounding_does_not_hide_them(where: slice) -> None:
    """Beside one a step of 1e-8 moves no digit of float32: any slope would do."""
    for seed in range(4):
        x = on_the_shelf(seed, 1e-3)
        for right in (0.0, 0.5, 1.0):
            report = check(Threshold(right, where), x, seed=seed)
            assert report.verdict != "fail"
            assert not report.passed or report.sharpness["x"] < 0.5
        assert check(Threshold(0.0, where), x, seed=seed).passed
        for wrong in (-1.0, 2.0, 30.0):
            assert check(Threshold(wrong, where), x, seed=seed).verdict == "fail"


@pytest.mark.parametrize("seed", range(4))
def test_in_float32_kinks_do_not_hide_what_is_smooth_in_a_wider_neighbourhood(seed: int) -> None:
    x = on_the_shelf(seed, 1e-3)
    right = check(Shelf(slice(0, 0)), x, seed=seed)
    assert right.passed, str(right)
    assert not any("too small" in note for note in right.notes)
    assert check(Shelf(slice(40, 50)), x, seed=seed).verdict == "fail"
    assert check(Shelf(slice(25, 26)), x, seed=seed).verdict == "fail"


@pytest.mark.parametrize("seed", range(4))
def test_in_float32_few_kinks_among_small_entries_are_told_at_larger_steps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.concatenate([np.zeros(3), rng.uniform(0.3, 1.5, 3), rng.uniform(0.5e-3, 1.5e-3, 2)]).astype(np.float32)
    assert check(Shelf(slice(0, 0)), x, seed=seed).passed
    assert check(Threshold(30.0, slice(1, 2)), x, seed=seed).verdict == "fail"


def test_in_float32_what_no_step_shows_is_counted_once() -> None:
    """Beside ones in float32 a slope along 1e-7 is nothing: it is said of these ten entries, and of no other."""
    report = check(Shelf(slice(0, 0)), on_the_shelf(0, 1e-7))
    assert "10 entries of x too small beside the others to be told from zero" in report.notes


@pytest.mark.parametrize("small", [1e-4, 1e-5])
def test_in_float32_a_wrong_sign_beside_kinks_never_passes(small: float) -> None:
    for seed in range(4):
        assert check(Shelf(slice(40, 50)), on_the_shelf(seed, small), seed=seed).verdict != "pass"
