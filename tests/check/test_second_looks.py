"""What speaks for a right layer where one look would accuse it; beside each a wrong one that still is accused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import Report, check, domain
from pytest_gradcheck.claims import shifted
from tests.check.layers import Array, Unary, normal
from tests.check.test_hard_values import Made

F = np.float32


def verdict(layer: Any, *inputs: Array, **settings: Any) -> str:
    return check(layer, *inputs, **{"contract": "off", **settings}).verdict


def gelu(factor: float = 1.0) -> Unary:
    """x Phi(x): far out 1 - 1 is all that is left of Phi, in stairs of 2^-53."""
    phi = np.vectorize(math.erf)

    def cdf(x: Array) -> Any:
        return 0.5 * (1 + phi(x / 2**0.5))

    return Unary(lambda x: x * cdf(x), lambda x: factor * (cdf(x) + x * np.exp(-x * x / 2) / (2 * np.pi) ** 0.5))


def test_slopes_of_last_digits_are_none() -> None:
    x = np.zeros((3, 4))
    x[2, 3] = -7.7
    assert verdict(gelu(), x) != "fail"
    assert verdict(gelu(2.0), x) == "fail"


@pytest.mark.parametrize("large", [1e4, 1e8, 1e12])
def test_a_zero_among_large_numbers_is_moved_by_little(large: float) -> None:
    """A first step of 1e4 finds 6 x + tanh(3 x) smooth, with a slope of 6: the twin that forgets the tanh passed."""

    def diamond(branch: float) -> Unary:
        return Unary(lambda x: 6 * x + np.tanh(3 * x), lambda x: 6 + branch * 3 * (1 - np.tanh(3 * x) ** 2))

    x = np.array([0.0, 0.0, 0.0, large])
    assert verdict(diamond(1.0), x) == "pass"
    assert verdict(diamond(0.0), x) == "fail"


class Softmax:
    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def forward(self, x: Array) -> Any:
        e = np.exp(0.5 * (x - x.max(axis=-1, keepdims=True)))
        self.p = e / e.sum(axis=-1, keepdims=True)
        return self.p.copy()

    def backward(self, g: Array) -> Any:
        return 0.5 * self.factor * self.p * (g - (g * self.p).sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("at", [1, 2])
def test_what_a_saturated_output_hides_is_no_error(at: int) -> None:
    x = np.zeros((3, 4))
    x[2, at], x[2, 3] = 100.0, -1e-6
    assert verdict(Softmax(), x) != "fail"
    assert verdict(Softmax(1.1), x) == "fail"


def test_a_bend_below_the_step_is_no_kink_of_another_slope() -> None:
    def elu(slope: float) -> Unary:
        return Unary(
            lambda x: np.where(x > 0, x, -2 * np.expm1(np.minimum(x, 0))),
            lambda x: np.where(x > 0, 1, slope * np.exp(np.minimum(x, 0))),
        )

    x = np.array([0.0] * 7 + [1e6])
    assert verdict(elu(-2.0), x) == "pass"
    assert verdict(elu(-3.0), x) == "fail"


def test_an_oscillation_that_no_step_resolves_is_not_accused() -> None:
    def wave(factor: float) -> Unary:
        return Unary(lambda x: np.sin(200 * x), lambda x: factor * 200 * np.cos(200 * x))

    for x in (
        np.array([[0.0, 0.0, 0.0, 0.0], [0.0, 2e8, 0.0, 0.0]]),
        np.array([[0.0, 2e8, 0.0, 0.0], [-18800000.0, -2500000.0, 0.0, 0.0], [0.0, 1e8, 0.0, -25000000.0]]),
    ):
        assert verdict(wave(1.0), x) != "fail"
        assert verdict(wave(1.5), x) == "fail"
    # Here the first looks oscillate so far that it seems to be rounding, which would hide the slope from nearer ones.
    x = np.array([0.0, 0.0, -3800000.0, 1e8, 1e8])
    for seed in range(12):
        assert verdict(wave(1.0), x, seed=seed) != "fail", seed
        assert verdict(wave(1.5), x, seed=seed) == "fail", seed


@pytest.mark.parametrize("seed", [5, 7])
def test_a_sawtooth_far_out_is_not_taken_for_its_noise(seed: int) -> None:
    """x modulo 1 at 1e7: until the step is below a period, what it jumps by seems to be rounding."""

    def modulo(factor: float) -> Unary:
        return Unary(lambda x: np.mod(x, 1.0), lambda x: factor * np.ones_like(x))

    rng = np.random.default_rng(seed)
    x = 1e7 + rng.integers(-2, 3, 5) + 0.3 * rng.standard_normal(5)
    assert verdict(modulo(1.0), x, seed=seed) != "fail"
    for factor in (1.1, -1.0, 0.0):
        assert verdict(modulo(factor), x, seed=seed) == "fail", factor


@pytest.mark.parametrize(
    "x", [[100.0, 100.0, 5.599999904632568], [1000.0, 1000.0, -9.0], [10.0, -1000.0, -1000.0, 10.0]]
)
def test_a_float32_gradient_is_off_by_the_rounding_of_what_it_is_the_difference_of(x: list[float]) -> None:
    """tanh(5.6) is one but for 3e-5, and 1 - tanh^2 in float32 off by the rounding of one; in float16 it is zero."""

    at = np.array(x, F)
    assert verdict(Unary(np.tanh, lambda x: 1 - np.tanh(x) ** 2), at) == "pass"
    assert verdict(Unary(np.tanh, lambda x: 1.001 - np.tanh(x) ** 2), at) == "fail"


def test_a_float32_gradient_may_be_zero_where_the_square_of_its_rounding_is_all_there_is() -> None:
    t = np.array([1.0, 0.0, 0.0, 1.0, 1.0], F)

    def loss(factor: float) -> Made:
        def back(u: Array, x: Array) -> Any:
            return ((factor * u * (1 / (1 + np.exp(-x)) - t.astype(x.dtype)) / 5).astype(x.dtype),)

        return Made(lambda x: np.asarray((np.logaddexp(x.dtype.type(0), x) - t.astype(x.dtype) * x).mean()), back)

    for x in ([100.0, -24.3, -26.7, 100.0, 33.1], [18.6, -24.3, -26.7, 100.0, 100.0]):
        assert verdict(loss(1.0), np.array(x, F)) != "fail"
    assert verdict(loss(1.0), np.array([1.0, -2.0, -0.5, 0.7, 3.0], F)) == "pass"
    assert verdict(loss(1.1), np.array([1.0, -2.0, -0.5, 0.7, 3.0], F)) == "fail"


def test_half_precision_inside_a_float32_layer_is_still_told() -> None:
    half = Unary(np.tanh, lambda x: (1 - np.tanh(x).astype(np.float16) ** 2).astype(x.dtype))
    assert verdict(half, np.array([0.3, 0.7, -1.1, 2.0], F)) == "fail"


def power(factor: float = 1.0, limit: float = 0.0) -> Made:
    def by_x(x: Array, y: Array) -> Any:
        return np.where((x == 0) & (y > 1), limit, factor * y * x ** (y - 1))

    def by_y(x: Array, y: Array) -> Any:
        return np.where(x == 0, 0.0, x**y * np.log(np.where(x == 0, 1.0, x)))

    return Made(lambda x, y: x**y, lambda u, x, y: (u * by_x(x, y), u * by_y(x, y)))


@pytest.mark.parametrize("y", [0.5, 0.944, 0.999])
def test_a_slope_that_grows_slowly_without_limit_is_infinite(y: float) -> None:
    x, bounds = np.zeros(4), {"x0": domain.nonnegative, "y": domain.positive}
    given: dict[str, Any] = {"domain": {"input0": bounds["x0"], "input1": bounds["y"]}, "contract": "values"}
    assert verdict(power(), x, np.array([1.0, 1.0, 1.0, y]), **given) == "pass"
    # A finite slope is not to be called infinite: that of x^1.5 is the twin.
    assert verdict(power(limit=np.inf), x, np.full(4, 1.5), **given) == "fail"


@pytest.mark.parametrize(("y", "told"), [(1.001, False), (1.000001, False), (1.999999, True), (1.5, True)])
def test_a_slope_that_falls_too_slowly_for_any_step_is_not_judged(y: float, told: bool) -> None:
    x, given = np.zeros(4), {"input0": domain.nonnegative, "input1": domain.positive}
    assert verdict(power(), x, np.full(4, y), domain=given) == ("pass" if told else "inconclusive")
    assert verdict(power(limit=3.0), x, np.full(4, y), domain=given) == ("fail" if told else "inconclusive")


class Attention:
    """Scores, softmax, values: where all values are equal, the gradients of the scores are rests."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def forward(self, q: Array, k: Array, v: Array) -> Any:
        self.q, self.k, self.v = q, k, v
        s = q @ k.T / 2
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        self.p = e / e.sum(axis=-1, keepdims=True)
        return self.p @ v

    def backward(self, g: Array) -> Any:
        dp = g @ self.v.T
        ds = self.factor * self.p * (dp - (dp * self.p).sum(axis=-1, keepdims=True)) / 2
        return ds @ self.k, ds.T @ self.q, self.p.T @ g


@pytest.mark.parametrize(
    "k", [[[0, 0, 10, 0.113], [0, 0, 0, 0], [0, -1000, 0, 5.164]], [[0, 0, 0, -10], [0, 0, 0, -40], [-1000, 0, 0, 10]]]
)
def test_gradients_that_are_rests_of_what_cancels_are_not_accused(k: list[list[float]]) -> None:
    q = np.array([[0.0, 0.0, 0.0, 2.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, -1.0, 2.0]])
    for value in (0.073, -0.054):
        assert verdict(Attention(), q, np.array(k, float), np.full((3, 4), value)) != "fail"
    v = np.array([[1.0, 0.5, 0.0, 0.0], [0.0, 0.0, 2.0, 1.0], [0.5, 0.0, 0.0, 0.0]])
    assert verdict(Attention(), q / 9, np.array(k, float) / 99, v) == "pass"
    assert verdict(Attention(1.1), q / 9, np.array(k, float) / 99, v) == "fail"


def test_a_rotation_leaves_rests_where_it_projects() -> None:
    def rotation(factor: float) -> Made:
        return Made(lambda r, v: r @ v, lambda u, r, v: (factor * np.outer(u, v), r.T @ u))

    r, _ = np.linalg.qr(np.array([[1.0, 2.0, 1.0], [-1.0, 1.0, 2.0], [-1.0, 1.0, -3.0]]))
    given = {"input0": domain.orthogonal}
    assert verdict(rotation(1.0), r, np.array([0.0, 0.0, 1.0]), domain=given) == "pass"
    assert verdict(rotation(1.2), r, np.array([0.0, 0.0, 1.0]), domain=given) == "fail"


def test_a_term_that_a_larger_one_hides_is_a_rest() -> None:
    """log(1 + exp(33)) - 33 is 5e-15, of which the rounding of 33 leaves nothing."""
    t = np.array([1.0, 0.0, 0.0, 1.0, 1.0])

    def loss(factor: float) -> Made:
        return Made(
            lambda x: np.asarray((np.logaddexp(0, x) - t * x).mean()),
            lambda u, x: (factor * u * (1 / (1 + np.exp(-x)) - t) / 5,),
        )

    assert verdict(loss(1.0), np.array([100.0, -6.0, -10.899999618530273, 100.0, 33.099998474121094])) != "fail"
    assert verdict(loss(1.0), np.array([1.0, -6.0, -1.0, 2.0, 3.0])) == "pass"
    assert verdict(loss(1.1), np.array([1.0, -6.0, -1.0, 2.0, 3.0])) == "fail"


def test_a_step_that_a_large_sum_loses_accuses_no_kink() -> None:
    """The hinge of two squared distances of 1e10: what 2e-8 moves is lost in them."""

    def triplet(factor: float, last: float = 1.0) -> Made:
        def run(a: Array, p: Array, n: Array) -> Any:
            return np.maximum(((a - p) ** 2).sum(-1) - ((a - n) ** 2).sum(-1) + 1, 0)

        def back(u: Array, a: Array, p: Array, n: Array) -> Any:
            on = (u * (run(a, p, n) > 0))[:, None]
            return 2 * on * (n - p) * factor, -2 * on * (a - p), 2 * on * (a - n) * last

        return Made(run, back)

    a, p, n = np.zeros((4, 3)), np.zeros((4, 3)), np.zeros((4, 3))
    p[0], n[0] = (0.0, 10.0, 1e5), (0.0, 0.0, 1e5)
    assert verdict(triplet(1.0), a, p, n) != "fail"
    near = np.zeros((4, 3))
    near[3] = 0.0, 1e3, 1e-9
    assert verdict(triplet(1.0), near, n * 0 - 0.001, a) != "fail"
    assert verdict(triplet(1.0), a, p / 1e5, n / 1e5) == "pass"
    assert verdict(triplet(1.5), a, p / 1e5 + 0.1, n / 1e5) == "fail"
    # Equal distances: what their rounding leaves is a multiple of 2^-19, which no shift of last digits moves.
    a, p, n = np.zeros((4, 3)), np.zeros((4, 3)), np.zeros((4, 3))
    a[0], p[0, 2], n[0, 2], n[3, 2] = (10.0, 0.0, 1e5), 1.0, 1.0, 2.0
    for seed in range(8):
        assert verdict(triplet(1.0), a, p, n, seed=seed) != "fail", seed
        assert verdict(triplet(1.0, last=1.1), a, p, n, seed=seed) == "fail", seed


class NormThenRelu:
    """Entries less their mean, over their deviation, then a relu."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def forward(self, x: Array) -> Any:
        self.deviation = x.std()
        self.n = (x - x.mean()) / self.deviation
        return np.maximum(self.n, 0)

    def backward(self, g: Array) -> Any:
        d = g * (self.n > 0)
        return self.factor * (d - d.mean() - self.n * (d * self.n).mean()) / self.deviation


def test_declared_slopes_that_cancel_along_a_diagonal_leave_rounding() -> None:
    """Equal entries less their mean are rests, over a rest: gradients of 1e34 that add up to 1e18 and not to zero."""
    assert verdict(NormThenRelu(), np.full((3, 4), -0.001)) != "fail"
    x = np.cos(np.arange(12.0)).reshape(3, 4)
    assert verdict(NormThenRelu(), x) == "pass"
    assert verdict(NormThenRelu(1.1), x) == "fail"


@pytest.mark.parametrize("factor", [1.3, 1.03, 0.7])
def test_what_bends_within_the_step_of_the_kink_rule_is_looked_at_nearer(factor: float) -> None:
    """A step of 2e-8 among numbers of 1e8 is two, a third of a period: slopes there excuse anything."""

    def sine(wrong: Any) -> Unary:
        return Unary(lambda x: np.sin(x), lambda x: wrong * np.cos(x))

    one, verdicts = np.array([1.0, 1.0, factor, 1.0, 1.0]), []
    for seed in range(4):
        x = 1e8 + normal(5, seed=seed)
        assert verdict(sine(1.0), x, seed=seed) == "pass"
        verdicts.append(verdict(sine(one), x, seed=seed))
    # A second opinion, with another upstream and step, cannot always confirm it there.
    assert "pass" not in verdicts
    assert verdicts.count("fail") >= 2


def test_a_look_that_is_in_doubt_by_a_tenth_does_not_excuse_a_tenth() -> None:
    def sine(wrong: Any) -> Unary:
        return Unary(lambda x: np.sin(x), lambda x: wrong * np.cos(x))

    x = 1e8 + np.array([2.0, 1.0, -1.0, -1.0, 2.0])
    one, seeds = np.array([1.1, 1.0, 1.0, 1.0, 1.0]), (0, 1, 2, 3, 973327794)
    assert [verdict(sine(1.0), x, seed=seed) for seed in seeds] == ["pass"] * len(seeds)
    wrong = [verdict(sine(one), x, seed=seed) for seed in seeds]
    assert "pass" not in wrong
    assert wrong.count("fail") >= 3


@pytest.mark.parametrize("factor", [1.1, 2.0])
def test_a_small_entry_is_not_lost_among_large_ones_where_outputs_seem_rough(factor: float) -> None:
    """Near zero the focal loss is looked at in a small neighbourhood, there too each entry beside its kind."""

    def sigmoid(x: Array) -> Any:
        return 1 / (1 + np.exp(-x))

    def focal(wrong: Any) -> Made:
        def back(u: Array, x: Array) -> Any:
            p = sigmoid(x)
            return (wrong * u * (2 * (1 - p) ** 2 * p * np.log(p) - (1 - p) ** 3),)

        return Made(lambda x: -((1 - sigmoid(x)) ** 2) * np.log(sigmoid(x)), back)

    x = np.array([-17.9192394, -1.533e-4, 5.7766e-5, 1.78397202, 23.8148639, -2.03166e-4, 2.32132e-4, 0.893332386])
    one = np.array([1, 1, 1, 1, 1, 1, factor, 1])
    seeds = 102853245, 0, 1, 2, 3, 4
    assert [verdict(focal(1.0), x, seed=seed) for seed in seeds] == ["pass"] * len(seeds)
    wrong = [verdict(focal(one), x, seed=seed) for seed in seeds]
    assert "pass" not in wrong
    assert wrong.count("fail") >= 2


@pytest.mark.parametrize("factor", [1.3, 1.06])
def test_a_chaotic_recurrence_has_its_slopes_below_that_step(factor: float) -> None:
    def steps(x: Array) -> list[Array]:
        found = [x]
        for _ in range(12):
            found.append(3.7 * found[-1] * (1 - found[-1]))
        return found

    def chaos(wrong: Any) -> Made:
        def back(u: Array, x: Array) -> Any:
            for at in reversed(steps(x)[:-1]):
                u = u * 3.7 * (1 - 2 * at)
            return (wrong * u,)

        return Made(lambda x: steps(x)[-1], back)

    one = np.array([1.0, 1.0, 1.0, factor])
    for seed in range(6):
        x = np.array([1.0, 0.0, 1.0, 1.0])
        assert verdict(chaos(1.0), x, seed=seed) == "pass"
        assert verdict(chaos(one), x, seed=seed) == "fail"


def divergence(factor: float) -> Made:
    """Of a softmax from another, row by row; of its two gradients the first is multiplied by the factor."""

    def softmax(x: Array) -> Any:
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def run(x: Array, t: Array) -> Any:
        p, q = softmax(x), softmax(t)
        return (q * (np.log(q) - np.log(p))).sum(axis=-1)

    def back(u: Array, x: Array, t: Array) -> Any:
        p, q = softmax(x), softmax(t)
        ratio = np.log(q) - np.log(p)
        return factor * u[:, None] * (p - q), u[:, None] * q * (ratio - (q * ratio).sum(axis=-1, keepdims=True))

    return Made(run, back)


@pytest.mark.parametrize("entries", [{(2, 3): 2e-8}, {(0, 3): 1e-8, (2, 2): 2e-8}], ids=["together", "alone"])
def test_nearly_equal_distributions_have_a_divergence_of_last_digits(entries: dict[tuple[int, int], float]) -> None:
    """Gradients of 1e-9 and a sum of them of 1e-17 lie within what numbers near one leave of them."""
    x, t = np.zeros((3, 4)), np.zeros((3, 4))
    for at, value in entries.items():
        t[at] = value
    assert verdict(divergence(1.0), x, t) != "fail"
    t[0] = [0.3, -0.2, 0.1, 0.4]
    wrong = [verdict(divergence(1.1), x, t, seed=seed) for seed in range(4)]
    assert "fail" in wrong
    assert "pass" not in wrong


@pytest.mark.parametrize("x", [[5.44e-309, 0.5, 1.0, 1.5], [1e-320, 2.0, 3.0, 4.0]])
def test_gradients_of_the_largest_binary_order_are_grouped(x: list[float]) -> None:
    def root(factor: float) -> Unary:
        return Unary(np.sqrt, lambda x: factor * 0.5 / np.sqrt(x))

    assert verdict(root(1.0), np.array(x), domain={"x": domain.sorted_}) != "fail"
    assert verdict(root(1.1), np.array(x), domain={"x": domain.sorted_}) == "fail"


def test_kinks_of_minute_gradients_have_a_sharpness_all_the_same() -> None:
    """A product of the gradient and the step that is no number was divided by."""
    x = np.array([[0.0, 0.0, 0.0], [1e-320, 0.0, -1e-320], [0.0, 5e-324, 0.0]] * 8)
    report: Report = check(Unary(lambda x: np.where(x > 0, x, 0.25 * x), lambda x: np.where(x > 0, 1, 0.25)), x)
    assert report.verdict != "fail"


def test_shifts_are_of_another_pattern_in_each_row_and_in_each_draw() -> None:
    rows = shifted(np.ones((4, 4)), 0, 2.0**-50)
    assert len({row.tobytes() for row in rows}) > 2
    assert shifted(np.ones(64), 0, 1e-3, draw=1).tobytes() != shifted(np.ones(64), 0, 1e-3).tobytes()
    assert sorted(set((shifted(np.ones(64), 0, 0.5)).tolist())) == [0.5, 1.5]


@pytest.mark.parametrize("least", [1e-2, 1e-6, 1e-9])
def test_a_matrix_stays_positive_definite_wherever_it_is_moved(least: float) -> None:
    def log_determinant(factor: float) -> Made:
        def run(a: Array) -> Any:
            return np.asarray(2 * np.log(np.diagonal(np.linalg.cholesky(a))).sum())

        return Made(run, lambda u, a: (factor * u * np.linalg.inv(a),))

    a = np.array([[1e3, 10.0, 0.0], [10.0, 1.0, 0.0], [0.0, 0.0, least]])
    assert verdict(log_determinant(1.0), a, domain={"input0": domain.positive_definite}) != "fail"
    assert verdict(log_determinant(1.1), a, domain={"input0": domain.positive_definite}) == "fail"
