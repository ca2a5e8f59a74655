"""Slopes: what outputs do to either side of a point, and when a declared gradient is not between the two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .scales import Floats

#: (argument, position) of entries that are moved together.
Entries = tuple[tuple[int, int], ...]
Mask = npt.NDArray[np.bool_]

#: The second look before a breach is believed, as a share of the first step.
CLOSER = 1e-2


@dataclass(frozen=True, slots=True)
class Slopes:
    """One-sided slopes of all outputs (flat, concatenated) along one direction, and how far they may be off."""

    left: Floats
    right: Floats
    doubt: Floats
    left_jumps: Mask
    right_jumps: Mask


@dataclass(frozen=True, slots=True)
class Breach:
    """A direction in which the declared gradient lies outside the one-sided slopes.

    entries: (argument, position) of what was moved, one for a single entry; declared, low, high: along it.
    """

    entries: tuple[tuple[int, int], ...]
    declared: float
    low: float
    high: float
    doubt: float


def grows(whole: Floats, half: Floats, noise: Floats) -> Mask:
    """Whether a one-sided slope grows as the step falls: there is a jump on that side."""
    return np.asarray((np.abs(half) > 1.3 * np.abs(whole) + 4 * noise) & (np.abs(half - whole) > 0.1 * np.abs(half)))


def breach_of(slopes: Slopes, j: int, entries: Entries, declared: float) -> Breach | None:
    """The breach of the rule by output j along a direction, if there is one.

    At a jump the side that does not jump has a slope of its own, and that alone is right.
    """
    sides = [
        float(s[j])
        for s, jumps in ((slopes.left, slopes.left_jumps), (slopes.right, slopes.right_jumps))
        if not jumps[j]
    ]
    if not sides or not np.isfinite(sides).all():
        return None
    low, high, doubt = min(sides), max(sides), float(slopes.doubt[j])
    if len(sides) == 1:
        doubt = min(doubt, 0.1 * abs(sides[0]) + 1e-6)
    if low - doubt <= declared <= high + doubt:
        return None
    return Breach(entries, declared, low, high, doubt)


def outside(slopes: Slopes, declared: Floats) -> Mask:
    """Where what is declared lies outside the slopes, for all outputs at once; as `breach_of` for one."""
    left = [np.where(slopes.left_jumps, bad, slopes.left) for bad in (np.inf, -np.inf)]
    right = [np.where(slopes.right_jumps, bad, slopes.right) for bad in (np.inf, -np.inf)]
    low, high = np.minimum(left[0], right[0]), np.maximum(left[1], right[1])
    one = slopes.left_jumps ^ slopes.right_jumps
    doubt = np.where(one, np.minimum(slopes.doubt, 0.1 * np.abs(low) + 1e-6), slopes.doubt)
    told = np.isfinite(low) & np.isfinite(high)
    return np.asarray(told & ((declared < low - doubt) | (declared > high + doubt)))
