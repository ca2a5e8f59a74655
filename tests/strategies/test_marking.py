"""`as_hypothesis_test` without pytest: what is counted, what is rejected, what an example asks besides a check."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import hypothesis
import numpy as np
import pytest

from pytest_gradcheck.domain import positive, symmetric
from pytest_gradcheck.errors import GradientInconclusive, GradientMismatch
from pytest_gradcheck.strategies import PROFILES, as_hypothesis_test, check_after, load_profile, marking
from pytest_gradcheck.strategies.episode import Example, flushed, upstream_of, usual
from pytest_gradcheck.verdict import ArgumentResult, Report


class Square:
    def forward(self, x: Any) -> Any:
        self.x = x
        return x**2

    def backward(self, upstream: Any) -> Any:
        return 2 * self.x * upstream


class FirstForever(Square):
    """Keeps the input of its first call."""

    def forward(self, x: Any) -> Any:
        if not hasattr(self, "x"):
            self.x = x
        return x**2

    def backward(self, upstream: Any) -> Any:
        return 2 * np.resize(self.x, upstream.shape) * upstream


class InMemory(Square):
    """Keeps the entries in the order in which they lie in memory."""

    def forward(self, x: Any) -> Any:
        self.x = x[::-1].copy() if x.strides[0] < 0 else x
        return x**2


def quietly(test: Any, count: int = 30) -> Any:
    return hypothesis.settings(max_examples=count, database=None, derandomize=True)(test)


X = np.array([[1.0, 2.0], [3.0, 4.0]])


def test_an_earlier_call_is_asked_about() -> None:
    assert check_after(Square, X, earlier=(np.ones((3, 1)),)).passed
    report = check_after(FirstForever, X, earlier=(np.ones((3, 1)),), contract="values")
    assert report.verdict == "fail"
    assert report.findings[0].clause == "earlier-call"
    assert "after an earlier call with other values or sizes" in report.findings[0].message
    kept = check_after(FirstForever, X, earlier=(np.ones((3, 1)),), contract="values", skip={"earlier-call": "known"})
    assert kept.passed


def test_the_memory_layout_of_an_input_is_asked_about() -> None:
    assert check_after(Square, np.asfortranarray(X)).passed
    assert check_after(InMemory, X).passed
    report = check_after(InMemory, X[::-1])
    assert report.findings[0].clause == "input-layout"
    assert report.findings[0].argument in (None, "x")


class Product:
    """(x . w) squared, whose product may be nothing but rounding; factor: how x lies in memory makes a difference."""

    def __init__(self, factor: float = 0.0) -> None:
        self.factor = factor

    def forward(self, x: Any, w: Any) -> Any:
        self.x, self.w = x, w
        # Sums of strided numbers run in another order: here they are off in the last digits.
        self.y = float(x @ w) + (2.0**-52 * abs(float(x[0] * w[0])) if w.strides == (0,) else 0.0)
        return np.array([self.y**2])

    def backward(self, upstream: Any) -> Any:
        off = self.factor * self.x if self.w.strides == (0,) else 0.0
        return 2 * self.y * upstream * self.w, 2 * self.y * upstream * self.x + off


def test_a_forward_that_overflows_as_python_says_it_has_no_finite_output() -> None:
    """math.gamma raises where numpy's functions return infinity."""
    gamma = np.vectorize(math.gamma)

    class Gamma(Square):
        def forward(self, x: Any) -> Any:
            self.x = x
            return gamma(np.abs(x) + 1.0) * 0.0 + x**2

    run: Any = as_hypothesis_test(quietly(lambda: Gamma(), 300), given={"x": "B"})
    run()
    assert run.gradcheck_tally.discarded["the output is not finite"] > 0


def test_what_is_left_where_terms_cancel_may_differ_with_the_layout() -> None:
    x, w = np.array([3.0, -3.0]), np.broadcast_to(np.array([1e-6]), (2,))
    words: dict[str, Any] = {"contract": "off", "skip": {}}
    report = check_after(Product, x, w, **words)
    assert report.verdict != "fail", report
    # The twin's error is as far below the outputs' upstream, and far above what the inputs' last digits change.
    twin = check_after(lambda: Product(1e-17), x, w, **words)
    assert twin.findings[0].clause == "input-layout"


def test_a_layer_that_refuses_the_earlier_call_or_a_layout_is_right() -> None:
    class Picky(Square):
        def forward(self, x: Any) -> Any:
            if x.shape != (2, 2) or x.strides[0] < 0:
                raise ValueError("two by two, please")
            return super().forward(x)

    assert check_after(Picky, X, earlier=(np.ones(3),)).passed
    assert check_after(Picky, X.copy()[::-1]).passed


def test_a_random_layer_is_no_stale_one() -> None:
    class Dropout:
        def __init__(self) -> None:
            self.rng = np.random.default_rng(3)

        def forward(self, x: Any) -> Any:
            self.mask = self.rng.random(x.shape) < 0.5
            return x * self.mask

        def backward(self, upstream: Any) -> Any:
            return upstream * self.mask

    assert check_after(Dropout, X, earlier=(np.ones((3, 3)),)).passed


def test_verdicts_are_counted() -> None:
    run: Any = as_hypothesis_test(quietly(lambda: Square()), given={"x": "B"})
    run()
    assert run.gradcheck_tally.judged >= 20
    first = str(run.gradcheck_tally)
    run()
    assert str(run.gradcheck_tally) == first


def test_where_every_example_is_inconclusive_the_test_fails() -> None:
    run: Any = as_hypothesis_test(
        quietly(lambda: Square(), 5), given={"x": "B"}, sizes={"B": 3}, words={"max_evaluations": 3}
    )
    with pytest.raises(GradientInconclusive, match=r"no example was judged: 0 judged, .* inconclusive"):
        run()


def test_domains_meet_the_arguments_by_position_under_names_of_their_own() -> None:
    class Quadratic:
        def forward(self, A: Any, x: Any) -> Any:
            self.A, self.x = A, x
            return x @ A @ x

        def backward(self, upstream: Any) -> Any:
            # Twice the upper triangle: equal to the truth after both are made symmetric.
            outer = np.outer(self.x, self.x)
            return upstream * (2 * np.triu(outer) - np.diag(np.diag(outer))), upstream * 2 * self.A @ self.x

    seen: list[Any] = []

    class Host:
        def judge(self, layer: Any, inputs: Any, words: Any) -> Any:
            from pytest_gradcheck.checking import check

            seen.append((words["domain"], inputs))
            return check(layer, *inputs, **words)

        def keep(self, report: Any) -> None: ...

        def fail(self, error: Exception, layer: Any) -> Any:
            raise error

    run = as_hypothesis_test(
        quietly(lambda: Quadratic()), given={"matrix": "N N", "v": "N"}, domain={"matrix": symmetric}, host=Host()
    )
    run()
    assert all(words == {"A": symmetric} for words, _ in seen)
    assert all(symmetric.contains(inputs[0]) for _, inputs in seen)


def test_numbers_too_small_to_be_stepped_are_set_to_zero_and_no_others() -> None:
    flat = flushed([np.array([5e-324, -1e-300, 1e-280, 0.0]), np.array([1])])
    assert flat is not None
    assert flat[0].tolist() == [0, 0, 1e-280, 0]
    assert flushed([np.array([1e-280, 0.0]), np.array([1])]) is None


@pytest.mark.parametrize(("below", "judged"), [(1e-5, True), (1e-290, False)])
def test_a_gradient_that_is_not_finite_is_a_failure_where_the_squares_of_the_inputs_are_numbers(
    below: float, judged: bool
) -> None:
    """x / |x| is 0 / 0 where the squares under the root are zero: right layers have such gradients as well."""

    class Divides(Square):
        def backward(self, upstream: Any) -> Any:
            small = (self.x != 0) & (np.abs(self.x) < below)
            return 2 * self.x * upstream + np.where(small, np.inf, 0.0)

    run: Any = as_hypothesis_test(quietly(lambda: Divides(), 2000), given={"x": "B"})
    if judged:
        with pytest.raises(GradientMismatch, match="e-"):
            run()
    else:
        run()
        assert run.gradcheck_tally.inconclusive["numbers too small to be stepped"] > 0


def test_nor_does_a_zero_beside_them_excuse_it() -> None:
    class Divides(Square):
        def backward(self, upstream: Any) -> Any:
            return 2 * self.x * upstream + np.where(np.abs(self.x) < 1e-290, np.inf, 0.0)

    with pytest.raises(GradientMismatch):
        as_hypothesis_test(quietly(lambda: Divides(), 200), given={"x": "B"})()


def test_a_failure_is_the_same_at_every_run() -> None:
    class Negative(Square):
        def backward(self, upstream: Any) -> Any:
            return 2 * np.abs(self.x) * upstream

    messages = []
    for _ in range(2):
        with pytest.raises(GradientMismatch) as caught:
            as_hypothesis_test(quietly(lambda: Negative(), 100), given={"x": "B"})()
        messages.append(str(caught.value).replace("h 0.0001", ""))
    assert messages[0] == messages[1]
    assert "x = np.array([-1.0])" in messages[0]
    assert messages[0].startswith("Hypothesis's smallest example (1 entry), to paste:")


def test_a_positive_domain_spares_what_a_layer_does_not_take() -> None:
    class Root:
        def forward(self, x: Any) -> Any:
            self.y = np.sqrt(x)
            return self.y

        def backward(self, upstream: Any) -> Any:
            return upstream / (2 * self.y)

    as_hypothesis_test(quietly(lambda: Root()), given={"x": "B"}, domain={"x": positive})()


@pytest.mark.parametrize("kind", ["whole", "one-hot", "large", "tiny"])
def test_an_upstream_has_the_outputs_shape(kind: str) -> None:
    half = upstream_of(kind, [np.zeros(4, dtype=np.float16)])
    assert half is not None
    assert np.isfinite(half).all()
    assert (half != 0).any()
    u = upstream_of(kind, [np.zeros((2, 3), dtype=np.float32)])
    assert u is not None
    assert u.shape == (2, 3)
    assert u.dtype == np.float32
    assert np.abs(u).max() > 0
    assert upstream_of(kind, [np.zeros(2), np.zeros(2)]) is None
    assert upstream_of("random", [np.zeros(2)]) is None


def test_an_example_is_written_exactly() -> None:
    example = Example({"x": np.array([0.1 + 0.2])}, {"x": np.array([1.0])}, "large")
    assert repr(example) == "x=np.array([0.30000000000000004]), earlier=dict(x=np.array([1.0])), upstream='large'"
    assert usual(np.zeros(3))
    assert not usual(np.zeros((2, 3)).T)


def test_profiles_build_on_the_users_own() -> None:
    before = hypothesis.settings.default
    assert before is not None
    try:
        hypothesis.settings.register_profile("mine", verbosity=hypothesis.Verbosity.verbose)
        hypothesis.settings.load_profile("mine")
        for name, changes in PROFILES.items():
            load_profile(name)
            loaded = hypothesis.settings.default
            assert loaded is not None
            assert loaded.max_examples == changes["max_examples"]
            assert loaded.verbosity is hypothesis.Verbosity.verbose
    finally:
        hypothesis.settings.register_profile("before", before)
        hypothesis.settings.load_profile("before")


def test_how_near_an_example_came_to_its_bar_is_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    aimed: list[tuple[float, str]] = []
    monkeypatch.setattr(hypothesis, "target", lambda value, label: aimed.append((value, label)))
    for error in (0.0, 0.2, 0.5, 10.0, float("inf")):
        argument = ArgumentResult("x", (3,), "float64", 3, "pass", error=error)
        marking._aim(Report("layer", "pass", arguments=(argument,)))
    # Far below the bar there is rounding alone, and no direction in it.
    label = "error over its bar"
    assert aimed == [(pytest.approx(math.log10(0.5)), label), (1.0, label)]


def test_a_run_without_a_single_example_is_no_pass() -> None:
    def overrun() -> None:
        raise hypothesis.errors.Unsatisfiable

    # What Hypothesis raises where an example takes more numbers than it draws.
    run: Any = SimpleNamespace(tally=marking.Tally())
    overrun._hypothesis_internal_use_settings = None  # type: ignore[attr-defined] # functions take attributes
    concluded: Any = marking._concluding(overrun, run)
    with pytest.raises(GradientInconclusive, match="no example was judged: none was generated"):
        concluded()
