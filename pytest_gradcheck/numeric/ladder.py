"""Ladder: central differences at k, k/2, k/4 ..., extrapolated, with an error bar that was measured.

The central difference (f(x+k) - f(x-k)) / 2k of the lecture is off by c k^2 + c' k^4 + ...; Richardson's
table (1911) removes one power per rung. What one more rung changed is the truncation that is left at most,
so no tolerance is asked for. The rounding is measured too: see `noise`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

#: How many standard deviations of rounding a bar holds.
SIGMAS = 4.0
#: A step of this share of the one at which truncation equals rounding makes their sum least.
BELOW = 0.7
#: The largest step, in units: larger ones leave the neighbourhood that a slope speaks of.
LARGEST = 0.3
#: Two rungs: how much of their correction may be left.
FIRST = 2.1


@cache
def amplification(rungs: int, power: int = 2) -> float:
    """Standard deviation of the extrapolated value over that of the difference at the largest step."""
    weights = _weights(rungs, power)
    return float(np.sqrt(sum((w * 2.0**i) ** 2 for i, w in enumerate(weights))))


@cache
def _weights(rungs: int, power: int) -> tuple[float, ...]:
    table = [np.eye(rungs)[i] for i in range(rungs)]
    for order in range(1, rungs):
        gain = 2.0 ** (power * order)
        table = [(gain * b - a) / (gain - 1.0) for a, b in itertools.pairwise(table)]
    return tuple(float(w) for w in table[0])


class Estimate(NamedTuple):
    """One directional derivative over a block, declared and measured, in units of the step.

    truncation: what the last rung of the extrapolation changed; noise: standard deviation of the rounding.
    bends: sizes of the second difference from the largest to the smallest step: a quarter from one to the next where
    the function is smooth, a half at a kink.
    scale: size of the change per step before signs cancel, measured or declared, whichever is larger; seen: the
    measured one. tremble: standard deviation of one evaluation of upstream . y, over the outputs that moved.
    forgiven: what the slope may be off by besides, where the forward declares how accurate it is.
    """

    declared: float
    value: float
    truncation: float
    noise: float
    step: float
    rungs: int
    scale: float
    bends: tuple[float, ...]
    tremble: float = 0.0
    seen: float = 0.0
    finite: bool = True
    forgiven: float = 0.0

    @property
    def bar(self) -> float:
        """How far the measured value may be off."""
        return self.truncation + self.forgiven + SIGMAS * self.noise

    @property
    def gap(self) -> float:
        """|declared - measured|."""
        return abs(self.declared - self.value)

    @property
    def agrees(self) -> bool:
        """Whether declared and measured are the same within the bar."""
        return self.finite and self.gap <= self.bar

    @property
    def reach(self) -> float:
        """What this estimate cannot tell from zero: the bar, and the gap that was tolerated."""
        return self.bar + min(self.gap, self.bar) if self.finite else np.inf


def extrapolate(slopes: Sequence[float], power: int = 2) -> tuple[float, float]:
    """Value and truncation from differences at k, k/2, k/4 ...

    power: 2 for central differences, 1 for one-sided ones.

    Tips that use the a-th and all smaller steps are compared; the longest tip is taken whose correction is no
    larger than that of the next shorter one, so that a step across a kink drops out by itself.
    """
    if len(slopes) > 2:
        first, second = abs(slopes[-3] - slopes[-2]), abs(slopes[-2] - slopes[-1])
        if second > 0.35 * first * 2.0 ** (2 - power):
            # Not the decay of a Taylor series: rounding, or a second derivative that jumps. The last difference is
            # the best there is, and it may be off by more than it still changes.
            return slopes[-1], 2.0 * second
    row = list(slopes)
    tips = [row[-1]]
    for order in range(1, len(slopes)):
        gain = 2.0 ** (power * order)
        row = [b + (b - a) / (gain - 1.0) for a, b in itertools.pairwise(row)]
        tips.append(row[-1])
    changes = [abs(b - a) for a, b in itertools.pairwise(tips)]
    # A second derivative that jumps makes the first correction two thirds of what it should be, not a quarter.
    best, left = tips[1], FIRST * changes[0]
    for i in range(1, len(changes)):
        if changes[i] > changes[i - 1]:
            break
        best, left = tips[i + 1], _remainder(changes[: i + 1], 2.0**power)
    return best, left


def _remainder(changes: Sequence[float], gain: float) -> float:
    """The truncation left after these corrections, from their decay.

    With rungs that halve, each correction is to the one before as that was to its own predecessor, times `gain`
    and the ratio of two Taylor coefficients. A correction that is small by chance is replaced by what the earlier
    ones predict, and a factor 4 covers the coefficients.
    """
    last, before = changes[-1], changes[-2]
    if len(changes) > 2 and changes[-3] > 0:
        last = max(last, min(before, gain * before * before / changes[-3]))
    if before == 0.0:
        return last
    return min(last, 4.0 * gain * last * last / before)


def length_scale(truncation: float, scale: float, step: float, noise: float) -> float:
    """The distance, in units, over which the slope changes: from the truncation of two rungs at `step`.

    The difference at step/2 is off by scale (step/2)^2 / 6 L^2. Below the noise only a lower limit is known, and
    three units are taken as the largest.
    """
    seen = truncation / FIRST - 2.0 * noise
    if scale <= 0.0 or seen <= 0.0:
        # Below the noise nothing contradicts a function that lives on the scale of its entries.
        return 1.0
    return float(min(1.0, step / np.sqrt(24.0 * seen / scale)))


def best_step(length: float, noise: float, scale: float, rungs: int) -> float:
    """The step at which truncation and rounding of so many rungs are predicted to be least together.

    length: over which the slope changes, in units. noise: standard deviation of upstream . y. scale: size of the
    change per unit step.

    The last correction is scale (k/L)^(2r-2) 2^(-r(r-1)) times a Taylor coefficient, for which 1/64 is taken; what
    is left after it is smaller still, and the ladder itself tells where that is wrong. The sum of a power p of the
    step and of its inverse is least where the first is 1/p of the second, so a little below where they are equal.
    """
    relative = max(noise / scale, 2.0**-56) if scale > 0.0 else 2.0**-53
    predicted = 64.0 * amplification(rungs) * relative / 2**0.5 * 2.0 ** (rungs * (rungs - 1)) / length
    return float(length * min(LARGEST, max(1e-7, BELOW * predicted ** (1.0 / (2 * rungs - 1)))))
