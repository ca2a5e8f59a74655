"""Ladder: each rung removes one power of the step, what is left is bounded, rounding grows as predicted."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from pytest_gradcheck.numeric.ladder import (
    SIGMAS,
    Estimate,
    amplification,
    best_step,
    extrapolate,
    length_scale,
)

Function = Callable[[float], float]


def central(f: Function, x: float, k: float, rungs: int) -> list[float]:
    steps = [k / 2**i for i in range(rungs)]
    return [(f(x + t) - f(x - t)) / (2 * t) for t in steps]


def forward(f: Function, x: float, k: float, rungs: int) -> list[float]:
    return [(f(x + t) - f(x)) / t for t in (k / 2**i for i in range(rungs))]


def polynomial(degree: int) -> Function:
    weights = np.random.default_rng(degree).uniform(0.5, 1.5, degree + 1)
    return lambda t: float(np.polyval(weights, t))


def slope(degree: int, x: float) -> float:
    weights = np.random.default_rng(degree).uniform(0.5, 1.5, degree + 1)
    return float(np.polyval(np.polyder(weights), x))


@pytest.mark.parametrize("rungs", [2, 3, 4, 5])
def test_central_ladders_are_exact_up_to_twice_their_rungs(rungs: int) -> None:
    """r rungs remove k^2 ... k^(2r-2): a polynomial of degree 2r is differentiated exactly, one of 2r+1 is not."""
    exact, _ = extrapolate(central(polynomial(2 * rungs), 0.3, 0.5, rungs))
    assert exact == pytest.approx(slope(2 * rungs, 0.3), rel=1e-12)
    beyond, truncation = extrapolate(central(polynomial(2 * rungs + 1), 0.3, 0.5, rungs))
    error = abs(beyond - slope(2 * rungs + 1, 0.3))
    assert 1e-10 < error <= truncation


@pytest.mark.parametrize("rungs", [2, 3, 4, 5])
def test_one_sided_ladders_remove_one_power_a_rung(rungs: int) -> None:
    exact, _ = extrapolate(forward(polynomial(rungs), 0.3, 0.25, rungs), power=1)
    assert exact == pytest.approx(slope(rungs, 0.3), rel=1e-12)
    beyond, _ = extrapolate(forward(polynomial(rungs + 1), 0.3, 0.25, rungs), power=1)
    assert abs(beyond - slope(rungs + 1, 0.3)) > 1e-7
    # The wrong power is a wrong answer, also for what it should differentiate exactly.
    mistaken, _ = extrapolate(forward(polynomial(rungs), 0.3, 0.25, rungs), power=2)
    assert abs(mistaken - slope(rungs, 0.3)) > 1e-4


SMOOTH: dict[str, tuple[Function, Function]] = {
    "exp": (lambda t: float(np.exp(3 * t)), lambda t: float(3 * np.exp(3 * t))),
    "sin": (lambda t: float(np.sin(5 * t)), lambda t: float(5 * np.cos(5 * t))),
    "tanh": (lambda t: float(np.tanh(2 * t)), lambda t: float(2 - 2 * np.tanh(2 * t) ** 2)),
    "pole": (lambda t: 1 / (1.5 - t), lambda t: 1 / (1.5 - t) ** 2),
    "wide": (lambda t: float(np.exp(-(t**2))), lambda t: float(-2 * t * np.exp(-(t**2)))),
}


@pytest.mark.parametrize("rungs", [2, 3, 4])
@pytest.mark.parametrize("name", SMOOTH)
def test_at_the_step_that_is_chosen_the_bar_holds_and_is_narrow(name: str, rungs: int) -> None:
    f, exact = SMOOTH[name]
    ratios, bars = [], []
    for x in map(float, np.linspace(-0.8, 0.8, 101)):
        first = central(f, x, 1e-4, 2)
        once = 2.0**-53 * abs(f(x))
        _, truncation = extrapolate(first)
        length = length_scale(truncation, abs(first[1]), 1e-4, amplification(2) * once / (2**0.5 * 1e-4))
        k = best_step(length, once, abs(first[1]), rungs)
        value, truncation = extrapolate(central(f, x, k, rungs))
        once = 2.0**-53 * max(abs(f(x)), abs(f(x + k)))
        inputs = 2.0**-54 * abs(x * exact(x)) * 2 ** (rungs - 1) / k
        bar = truncation + SIGMAS * float(np.hypot(amplification(rungs) * once / (2**0.5 * k), inputs))
        ratios.append(abs(value - exact(x)) / bar)
        bars.append(bar)
    assert max(ratios) < 1.2
    assert np.median(bars) < (1e-9 if rungs == 2 else 1e-11), "a bar that holds because it is wide is none"


def test_a_correction_that_vanishes_by_chance_is_no_proof() -> None:
    """The remainder follows the decay of the earlier corrections, so a lucky zero does not make a bar of zero."""
    # Slopes whose third difference cancels: 1, 1 + e, and the next such that the last tip repeats the one before.
    e = 1e-2
    slopes = [1.0 + 16 * e, 1.0 + 4 * e + 1e-3, 1.0 + e]
    _, truncation = extrapolate(slopes)
    assert truncation > 0.0
    even, left = extrapolate([1.0, 1.0, 1.0])
    assert (even, left) == (1.0, 0.0), "an exact linear function has no truncation"


def test_a_step_across_a_kink_drops_out() -> None:
    """|t| within half a step of a kink: the longest tips use the rung that crosses it and are left out."""
    slopes = central(lambda t: abs(t - 0.6) + t**3, 0.0, 1.0, 4)
    value, truncation = extrapolate(slopes)
    assert abs(value - (-1.0)) <= truncation + 1e-12
    assert truncation < 0.5


def test_at_a_kink_itself_extrapolation_sees_nothing() -> None:
    """relu at 0: one half with a truncation of zero. Why the second difference is looked at as well."""
    assert extrapolate(central(lambda t: max(t, 0.0), 0.0, 0.1, 4)) == (0.5, 0.0)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("rungs", [2, 3, 4, 5])
def test_amplification_is_what_a_trial_shows(rungs: int, power: int) -> None:
    """Noise of deviation 1 at the largest step, doubled from rung to rung, as differences over halved steps have."""
    rng = np.random.default_rng(rungs)
    n = 40_000
    row = [rng.standard_normal(n) * 2.0**i for i in range(rungs)]
    for order in range(1, rungs):
        gain = 2.0 ** (power * order)
        row = [(gain * b - a) / (gain - 1) for a, b in pairwise(row)]
    assert np.std(row[0]) == pytest.approx(amplification(rungs, power), rel=0.02)


def test_amplification_of_one_rung_is_one_and_grows() -> None:
    assert amplification(1) == 1.0
    grown = [amplification(r) for r in range(1, 7)]
    assert grown == sorted(grown)
    assert amplification(3, 1) > amplification(3, 2), "removing single powers costs more"


@pytest.mark.parametrize("length", [0.01, 0.1, 1.0])
def test_the_length_scale_is_read_off_the_truncation(length: float) -> None:
    f: Function = lambda t: float(np.sin(t / length))  # noqa: E731 - a formula, not a function with a name
    step = length / 50
    slopes = central(f, 0.3 * length, step, 2)
    _, truncation = extrapolate(slopes)
    found = length_scale(truncation, abs(slopes[1]), step, 0.0)
    assert length / 3 < found <= min(1.0, 3 * length)


@pytest.mark.parametrize(("truncation", "scale", "noise"), [(0.0, 1.0, 0.0), (1e-9, 1.0, 1e-9), (1e-3, 0.0, 0.0)])
def test_below_the_noise_the_length_is_one_unit(truncation: float, scale: float, noise: float) -> None:
    assert length_scale(truncation, scale, 1e-4, noise) == 1.0


@pytest.mark.parametrize("rungs", [2, 3, 4])
@pytest.mark.parametrize("noise", [1e-16, 1e-12, 1e-8, 1e-5])
def test_the_best_step_is_near_the_best_of_all(rungs: int, noise: float) -> None:
    """Of sin with a tremble of the given size: the bar there is within a factor 20 of the narrowest on a fine grid."""
    rng = np.random.default_rng(0)

    def bar(k: float) -> float:
        trials = []
        for x in np.linspace(0.2, 1.2, 20):
            moves = [np.sin(x + t) - np.sin(x - t) for t in (k / 2**i for i in range(rungs))]
            shaken = [m + noise * (rng.standard_normal() - rng.standard_normal()) for m in moves]
            _, truncation = extrapolate([m / (2 * k / 2**i) for i, m in enumerate(shaken)])
            trials.append(truncation + amplification(rungs) * noise / (2**0.5 * k))
        return float(np.mean(trials))

    chosen = best_step(1.0, noise, 1.0, rungs)
    best = min(bar(k) for k in np.logspace(-6, 0, 25))
    assert bar(chosen) < 20 * best
    assert bar(chosen * 1e-3) > 2 * bar(chosen), "a much smaller step drowns in the noise"


def test_the_best_step_follows_length_and_noise_and_stays_in_range() -> None:
    assert best_step(1.0, 1e-8, 1.0, 3) > best_step(1.0, 1e-14, 1.0, 3)
    assert best_step(0.01, 1e-14, 1.0, 3) < best_step(1.0, 1e-14, 1.0, 3)
    assert best_step(1.0, 1.0, 1.0, 4) == 0.3
    assert 0 < best_step(1.0, 0.0, 0.0, 3) <= 0.3


def test_an_estimate_agrees_within_its_bar_only() -> None:
    def made(declared: float, finite: bool = True) -> Estimate:
        return Estimate(declared, 1.0, 1e-3, 1e-4, 0.1, 3, 1.0, (), finite=finite)

    assert made(1.0).bar == pytest.approx(1e-3 + SIGMAS * 1e-4)
    assert made(1.0 + 1.39e-3).agrees
    assert not made(1.0 + 1.41e-3).agrees
    assert not made(1.0, finite=False).agrees
    assert not made(float("nan")).agrees
    assert made(1.0).reach == pytest.approx(1.4e-3)
    assert made(1.0005).reach == pytest.approx(1.9e-3), "the gap that was tolerated might hide as much again"
    assert made(5.0).reach == pytest.approx(2.8e-3)
    assert made(1.0, finite=False).reach == np.inf
