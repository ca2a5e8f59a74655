"""A breach of the kink rule is one at every step at which it could be seen; here of functions of one number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pytest_gradcheck.numeric.slopes import FINE, Slopes, between, breach_of, grows, outside, persisting, settled

STEP, LARGEST = 2e-8, 0.3
#: So that what is only some 1e-11 wide moves by more than last digits of numbers near one.
GAIN = 1e6


def looks(f: Callable[[float], float], noise: float = 0.0) -> Callable[[float], Slopes]:
    """The slopes of f at zero after a multiple of `STEP`, as the kink rule forms them; noise: of one value of f."""

    def look(by: float) -> Slopes:
        h = STEP * by
        r1, r2, l1, l2 = (np.array([(f(t * h) - f(0.0)) / (t * h)]) for t in (1.0, 0.5, -1.0, -0.5))
        rounding = np.array([noise / h])
        doubt = rounding + 1.5 * np.maximum(abs(r2 - r1), abs(l2 - l1))
        return Slopes(l2, r2, doubt, rounding, grows(l1, l2, rounding), grows(r1, r2, rounding))

    return look


def persists(f: Callable[[float], float], declared: float, noise: float = 0.0, largest: float = LARGEST) -> bool:
    found = persisting(looks(f, noise), 0, ((0, 0),), declared, (STEP, largest), f(0.0))
    return found is not None


def relu(t: float) -> float:
    return max(t, 0.0)


@pytest.mark.parametrize("largest", [0.0, LARGEST])
@pytest.mark.parametrize("noise", [0.0, 1e-17, 1e-9])
def test_a_slope_outside_those_of_a_kink_persists(noise: float, largest: float) -> None:
    assert persists(relu, 2.0, noise, largest) == (noise < 1e-12)
    assert persists(relu, -0.5, noise, largest) == (noise < 1e-12)
    assert not persists(relu, 0.3, noise, largest)


def test_what_rounding_makes_of_slopes_that_were_sharp_and_alike_excuses_nothing() -> None:
    """At a millionth of the step a rounded output has slopes of 0 and 1, and 0.9 lies between; it is 0.78 before."""

    def rounded(t: float) -> float:
        return float(np.floor(0.78 * t / 1e-14 + 0.1) * 1e-14)

    nearest = looks(rounded, 1e-14)(1e-6)
    assert min(nearest.left[0], nearest.right[0]) < 0.9 < max(nearest.left[0], nearest.right[0])
    assert persists(rounded, 0.9, 1e-14)
    assert not persists(rounded, 0.78, 1e-14)


def test_a_bend_below_the_step_is_gone_nearer() -> None:
    """tanh(t / 1e-10) looks like a jump at 2e-8, and has the slope that is declared."""
    assert not persists(lambda t: 1e-10 * np.tanh(t / 1e-10), 1.0)
    assert persists(lambda t: 1e-10 * np.tanh(t / 1e-10), 1.5)


def test_at_a_jump_the_side_that_has_a_slope_decides() -> None:
    assert persists(lambda t: float(t >= 0.0), 0.1)
    assert not persists(lambda t: float(t >= 0.0), 0.0)


def stairs(t: float) -> float:
    """3 t, rounded down to whole multiples of 2^-18: nothing moves at the steps of the rule."""
    return float(np.floor(0.5 + 3.0 * t * 2.0**18) / 2.0**18) if abs(t) < 0.5 else 3.0 * t


def test_where_nothing_moves_a_larger_step_tells() -> None:
    nothing = looks(stairs)(1.0)
    assert nothing.left[0] == nothing.right[0] == 0.0
    assert not persists(stairs, 3.0)
    assert persists(stairs, 6.0)
    assert persists(lambda t: 0.0 * t, 3.0), "and where nothing moves at any step, nothing excuses it"


def test_a_slope_that_no_output_could_show_is_no_breach() -> None:
    assert not persists(lambda t: 0.0 * t, 1e-40)
    assert persists(lambda t: 1e-20 + 0.0 * t, 1e-25)


@pytest.mark.parametrize("scale", [1e-12, 1e-20, 1e-28])
def test_minute_outputs_have_kinks_of_their_own(scale: float) -> None:
    assert persists(lambda t: scale * relu(t), 2.0 * scale)
    assert not persists(lambda t: scale * relu(t), 0.5 * scale)


def test_last_digits_that_were_seen_much_nearer_are_gone_at_a_step_below_the_first() -> None:
    """Of a large first step nothing larger is left to be looked at, but what was seen at its 1e-12th part has room."""

    def rest(t: float) -> float:
        return float(np.round(1e-10 * t / 2e-18) * 2e-18) + (2e-18 if t > 0.0 else 0.0)

    step, by = 0.2, 1e-12
    look = looks(rest)
    seen = replace(look(step * by / STEP), by=np.array([by]))
    assert seen.right[0] > 4e-6
    for declared, told in ((1e-10, False), (1.0, True)):
        found = persisting(lambda b: look(step * b / STEP), 0, ((0, 0),), declared, (step, 0.15), 0.0, seen)
        assert (found is not None) == told


def test_one_last_digit_on_either_side_is_a_rest_though_both_sides_seem_to_jump() -> None:
    """2^-53 at 1e-13 and twice that at 1e-11: a slope of 1e-3 that is one of 1e-5 sixty-four times as far."""

    def rest(t: float) -> float:
        return float(np.sign(t) * 2.0**-53 * (1 + (abs(t) > 1e-12)))

    step, by = 0.088, 1e-12
    look = looks(rest)
    near, far = look(step * by / STEP), look(step * 64e-12 / STEP)
    assert far.left_jumps[0] and far.right_jumps[0]
    seen = replace(near, by=np.array([by]), left_jumps=np.array([False]), right_jumps=np.array([False]))
    for declared, told in ((0.0, False), (1.0, True)):
        found = persisting(lambda b: look(step * b / STEP), 0, ((0, 0),), declared, (step, 2.5), 0.0, seen)
        assert (found is not None) == told


def test_the_rest_of_what_cancels_is_gone_at_a_larger_step() -> None:
    def rest(t: float) -> float:
        return 1e-22 * (t * t) + (1e-30 if t > 0.0 else -1e-30 if t < 0.0 else 0.0)

    assert not persists(rest, 1e-25)


@pytest.mark.parametrize("largest", [5e-8, LARGEST])
def test_a_small_entry_is_moved_by_more_than_its_size_where_that_could_not_be_seen(largest: float) -> None:
    def hidden(t: float) -> float:
        """-1e-9 t + 0.1 t^2, of which a sum of one shows the last digits alone."""
        return (1.0 + (0.1 * t * t - 1e-9 * t)) - 1.0

    assert not persists(hidden, -1e-9, largest=largest)
    assert persists(hidden, -1e-3, largest=largest)
    # What an entry of this size moves would be seen: that there is a kink farther out excuses nothing.
    assert persists(lambda t: relu(t - 1e-7), 1.0, largest=5e-8)


def at(f: Callable[[float], float], declared: float, noise: float = 0.0) -> tuple[Slopes, int]:
    """The slopes of f at zero where they settle, and how many outputs (of one) they tell nothing of."""
    look = looks(f, noise)
    slopes, left = settled(look, look(1.0), np.array([declared]), np.array([0]))
    return slopes, left.size


def test_what_oscillates_within_the_step_has_slopes_nearer() -> None:
    def wave(t: float) -> float:
        return 1e-9 * float(np.sin(t / 1e-9))

    assert looks(wave)(1.0).doubt[0] > 0.05
    slopes, left = at(wave, 1.3)
    assert slopes.left[0] == pytest.approx(1.0, rel=1e-2)
    assert slopes.right[0] == pytest.approx(1.0, rel=1e-2)
    assert (left, slopes.nearness(0) < 1.0) == (0, True)
    for declared, told in ((1.3, True), (1.0, False)):
        seen, _ = at(wave, declared)
        found = persisting(looks(wave), 0, ((0, 0),), declared, (STEP, LARGEST), 0.0, seen)
        assert (found is not None) == told


def test_slopes_that_agree_by_chance_do_not_settle() -> None:
    """At a hundredth of the step, and at half of that, whole periods have passed: a slope of almost nothing."""
    width, slope = STEP * 1e-2 / (4 * np.pi + 0.02), 0.03 * GAIN
    phase = np.arccos(0.03)

    def wave(t: float) -> float:
        return GAIN * width * float(np.sin(phase + t / width) - np.sin(phase))

    first, aliased = looks(wave)(1.0), looks(wave)(1e-2)
    assert first.doubt[0] > FINE * slope > aliased.doubt[0]
    assert abs(aliased.left[0]) < 0.01 * slope > abs(aliased.right[0])
    slopes, left = at(wave, slope)
    assert (slopes.right[0], left) == (pytest.approx(slope, rel=FINE), 0)
    for declared, told in ((slope, False), (2 * slope, True), (-slope, True)):
        seen, _ = at(wave, declared)
        found = persisting(looks(wave), 0, ((0, 0),), declared, (STEP, LARGEST), 0.0, seen)
        assert (found is not None) == told, declared


@pytest.mark.parametrize(("factor", "told"), [(1.0, False), (1.1, True), (0.9, True), (-1.0, True)])
def test_a_breach_that_a_vague_look_hides_is_seen_by_a_sharper_one(factor: float, told: bool) -> None:
    """At a ten thousandth of the step the slope is in doubt by a tenth: a declared one within is not right for that."""
    width, phase = STEP * 1e-4 / 0.2, 0.8

    def wave(t: float) -> float:
        return GAIN * width * float(np.sin(phase + t / width) - np.sin(phase))

    slope = GAIN * float(np.cos(phase))
    first, vague = looks(wave)(1.0), looks(wave)(1e-4)
    assert first.doubt[0] < FINE * slope, "so that it seems to have settled"
    assert vague.left[0] + vague.doubt[0] > 1.1 * slope > vague.left[0]
    assert persists(wave, factor * slope) == told


def test_a_kink_keeps_the_step_of_the_rule() -> None:
    slopes, left = at(relu, 0.5)
    assert (slopes.left[0], slopes.right[0], left, slopes.nearness(0)) == (0.0, 1.0, 0, 1.0)


def test_what_settles_at_no_step_tells_nothing() -> None:
    def rough(t: float) -> float:
        return float(np.sqrt(abs(t)) * np.sin(np.log(abs(t) + 1e-300) * 9.0)) if t else 0.0

    assert at(rough, 1.0)[1] == 1
    assert at(lambda t: 1.0 + t, 1.0, noise=1e-6)[1] == 1, "hidden by noise at every step"
    assert at(lambda t: 0.0 * t, 0.0, noise=1e-6)[1] == 0, "nothing is declared and nothing moves"


def accused(slopes: Slopes, declared: float) -> bool:
    """Whether one look says that a slope is wrong; both ways of asking must answer the same."""
    found = breach_of(slopes, 0, ((0, 0),), declared) is not None
    assert found == outside(slopes, np.array([declared]))[0]
    return found


def test_a_side_that_grows_is_a_jump_only_where_it_is_steeper_by_far() -> None:
    def bend(t: float) -> float:
        """A slope of 1 on the left, and of 3 on the right, which has bent away within the step."""
        return t if t < 0.0 else 3.0 * 0.5 * STEP * (1.0 - float(np.exp(-t / (0.5 * STEP))))

    slopes = looks(bend)(1.0)
    assert (slopes.left_jumps[0], slopes.right_jumps[0]) == (False, True)
    assert 1.0 < slopes.right[0] < 2.0
    assert between(slopes, 0) == (1.0, 1.0, slopes.doubt[0]), "what the right does is a doubt about the left"
    assert not accused(slopes, 1.5)
    assert not persists(bend, 1.5)
    assert persists(bend, 3.5)

    def jump(t: float) -> float:
        """A slope of 1 on either side of a jump by a few steps."""
        return t if t <= 0.0 else t + 5.0 * STEP

    slopes = looks(jump)(1.0)
    assert (slopes.left_jumps[0], slopes.right_jumps[0]) == (False, True)
    assert slopes.doubt[0] > 1.0
    assert accused(slopes, 1.2), "what the jump does is none"
    assert not accused(slopes, 1.0)
    assert persists(jump, 1.2)
    assert not persists(jump, 1.0)
