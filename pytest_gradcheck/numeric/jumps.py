"""Jumps: whether some output jumps along a path, however little. Beside a jump there are slopes without end."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from .noise import Noise
from .scales import Floats

#: Paths on which jumps are looked for.
PATHS = 8
#: Points of a path, how many of its steepest parts are looked at, and how often these are halved.
POINTS, STEEP, HALVED = 33, 3, 6


def breaks(outputs: Callable[[float], Floats], noise: Noise) -> bool:
    """Whether the change over the steepest parts of a path does not fall as they are halved.

    outputs: those in question, flat, at a part of the path from 0 to 1.
    """
    at = np.linspace(0.0, 1.0, POINTS)
    found = [outputs(s) for s in at]
    changes = [_change(a, b) for a, b in pairwise(found)]
    least = 16 * noise.factor * max(noise.eps) * float(np.abs(found[0]).max(initial=0.0))
    for k in np.argsort(changes)[::-1][:STEEP]:
        (low, high), (before, after) = at[k : k + 2], found[k : k + 2]
        for _ in range(HALVED):
            middle = 0.5 * (low + high)
            between = outputs(middle)
            if _change(before, between) >= _change(between, after):
                high, after = middle, between
            else:
                low, before = middle, between
        if _change(before, after) > max(0.25 * changes[k], least):
            return True
    return False


def _change(one: Floats, other: Floats) -> float:
    return float(np.abs(one - other).max(initial=0.0))
