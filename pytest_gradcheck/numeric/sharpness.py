"""Sharpness: the smallest error in one entry that the probes made so far would have caught."""

from __future__ import annotations

from collections.abc import Sequence

#: Probability of missing an error larger than the stated sharpness: half of it because two errors may cancel in every
#: draw, half because the entry may be one of the few that are still smaller than the size the sharpness refers to.
MISS = 1e-3


def detection_limit(reaches: Sequence[float], miss: float = MISS / 2) -> float:
    """The smallest |gradient error x step| of one entry, or of each of two, that is missed at most that often.

    reaches: what each independent draw of directions could not tell from zero.

    Directions have magnitudes from [1, 2], so one error of size a shows as at least a in every draw. Two equal or
    opposite errors cancel to below r with probability a - a^2/2 at ratio a = r / size, half of the signs being
    opposite; draws are independent, so the probabilities multiply.
    """
    known = sorted(r for r in reaches if r < float("inf"))
    if not known:
        return float("inf")
    low, high = known[0], known[0] / miss + 1e-300
    for _ in range(60):
        middle = low * (high / low) ** 0.5 if low > 0 else high / 2
        product = 1.0
        for reach in known:
            ratio = reach / middle if reach < middle else 1.0
            product *= ratio - ratio * ratio / 2
        low, high = (low, middle) if product <= miss else (middle, high)
        if high <= 1.01 * low:
            break
    return high
