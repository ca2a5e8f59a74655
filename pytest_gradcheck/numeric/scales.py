"""Scales: by how much an entry is moved, and which entries are alike enough to be moved together."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: A block mixes at most about three decades of |gradient x step| (ten binary orders).
GROUP_SPAN = 10
#: Empty binary orders between two populations of sizes.
GAP = 7
#: How many times rarer than chance a small number must be before it counts as of another population.
RARE = 1.0 / 128
#: Below this a number counts as zero: its square and its steps are no normal numbers.
NOTHING = 1e-150
#: The unit of a zero is at most this: the lecture's step is then a tenth of one.
MOST = 1e3
#: And at least this part of the other entries.
NOTICED = 1e-10
#: So many numbers are sorted by their order at once: what that takes is a few times their own memory.
AT_ONCE = 1 << 16
#: One number in so many may be smaller than the size to which a relative sharpness refers.
TINY_SHARE = 2000


def norm(x: Floats) -> float:
    """The Euclidean norm of flat numbers, also where their squares are no normal numbers (beyond 1e154)."""
    square = float(x.dot(x))
    if NOTHING < square < np.inf:
        return math.sqrt(square)
    top = float(np.abs(x).max(initial=0.0))
    if not 0.0 < top < np.inf:
        return top
    scaled = x / top
    return top * math.sqrt(float(scaled.dot(scaled)))


def rms(x: Floats) -> float:
    """The root mean square of flat numbers."""
    return norm(x) / math.sqrt(x.size) if x.size else 0.0


class Spectrum(NamedTuple):
    """How many numbers there are of each binary order, zeros apart; the orders ascend, and there are few of them."""

    orders: list[int]
    counts: list[int]
    zeros: int

    @classmethod
    def of(cls, x: Floats) -> Spectrum:
        """The spectrum of |x|; x is flat."""
        if x.size <= AT_ONCE:
            return cls._of_all(x)
        counts: Counter[int] = Counter()
        zeros = 0
        for a in range(0, x.size, AT_ONCE):
            part = cls._of_all(x[a : a + AT_ONCE])
            counts.update(dict(zip(part.orders, part.counts, strict=True)))
            zeros += part.zeros
        orders = sorted(counts)
        return cls(orders, [counts[k] for k in orders], zeros)

    @classmethod
    def _of_all(cls, x: Floats) -> Spectrum:
        nonzero = np.abs(x) > NOTHING
        zeros = int(x.size - np.count_nonzero(nonzero))
        exponents = np.frexp(x if zeros == 0 else x[nonzero])[1]
        if exponents.size == 0:
            return cls([], [], zeros)
        low = int(exponents.min())
        known = [(low + k, n) for k, n in enumerate(np.bincount(exponents - low).tolist()) if n]
        return cls([order for order, _ in known], [n for _, n in known], zeros)

    def typical(self) -> float:
        """Root mean square, from the orders alone (to within a factor of 1.4)."""
        top = self.orders[-1]
        weights = [n * 2.0 ** (2 * (order - top) - 0.83) for order, n in zip(self.orders, self.counts, strict=True)]
        return math.ldexp(math.sqrt(sum(weights) / sum(self.counts)), top)

    def small(self, x: Floats) -> float:
        """A size that all but one in 2,000 of the nonzero numbers have; x: the numbers themselves, none negative."""
        rank, first = sum(self.counts) // TINY_SHARE, 0
        while rank >= self.counts[first]:
            rank, first = rank - self.counts[first], first + 1
        # The order is known; which of its numbers it is, only they can tell. The largest order ends at infinity.
        low = math.ldexp(0.5, self.orders[first])
        alike = x[(x >= low) & (x < 2.0 * low)]
        alike.partition(rank)
        return float(alike[rank])

    def one_population(self, typical: float) -> bool:
        """Whether the small numbers are no more than a density that is smooth at zero would give.

        Of n numbers of size R about n t / R are smaller than t. Where there are a hundred times as many, the
        array mixes populations of different size (weights and their squares, say).
        """
        size, total = math.log2(typical), sum(self.counts)
        below = accumulate(self.counts)
        return all(math.log2(n * RARE / total) <= k - size for k, n in zip(self.orders, below, strict=True))

    def populations(self) -> list[Spectrum]:
        """The parts between which orders are empty, `GAP` of them at the least, the smallest numbers first."""
        starts = [0, *(i for i, (a, b) in enumerate(pairwise(self.orders), 1) if b - a > GAP), len(self.orders)]
        return [Spectrum(self.orders[a:b], self.counts[a:b], 0) for a, b in pairwise(starts)]


def units(x: Floats) -> float | Floats:
    """The size of each entry within its group of like magnitude: the unit of its step.

    One number where all entries are of one population, an array otherwise; 1 where everything is zero.
    """
    spectrum = Spectrum.of(x)
    if not spectrum.orders:
        return 1.0
    typical = spectrum.typical()
    if spectrum.one_population(typical):
        zero = unit_of_zero(typical)
        return typical if zero == typical or not spectrum.zeros else np.where(np.abs(x) <= NOTHING, zero, typical)
    out = np.abs(x)
    exponents = np.frexp(x)[1]
    for own in spectrum.populations():
        low, high = own.orders[0], own.orders[-1]
        if high - low <= 2 * GAP:
            out[(exponents >= low) & (exponents <= high) & (x != 0.0)] = own.typical()
    # Nothing tells the scale of a zero among numbers of very different size: the one nearest to one is taken.
    nearest = min(spectrum.orders, key=abs)
    out[np.abs(x) <= NOTHING] = unit_of_zero(math.ldexp(0.5, nearest))
    return out


def unit_of_zero(typical: float) -> float:
    """The unit of a zero among numbers of a size: theirs, but no more than `MOST`, nor less than outputs may notice.

    At zero most functions change within one, whatever the other entries are. A first step that leaves that behind
    measures the slope of another place, and finds it smooth: of 6 x + tanh(x) it is 6.
    """
    return min(typical, max(MOST, NOTICED * typical))


@dataclass(frozen=True, slots=True)
class Group:
    """Entries whose |declared gradient x step| is alike.

    index: flat positions, or None for all entries.
    typical, smallest: root mean square of |gradient x step| over the group, and a size that all but one in 2,000 of
    them have; zero for declared zeros.
    """

    index: npt.NDArray[np.intp] | None
    size: int
    typical: float
    smallest: float


def groups(weight: Floats) -> list[Group]:
    """Groups of entries by weight = |declared gradient x step|, largest first, declared zeros last."""
    spectrum = Spectrum.of(weight)
    if not spectrum.orders:
        return [Group(None, weight.size, 0.0, 0.0)]
    zeros = []
    if spectrum.zeros:
        zeros = [Group(np.flatnonzero(weight == 0.0), spectrum.zeros, 0.0, 0.0)]
    typical = spectrum.typical()
    if spectrum.one_population(typical):
        index = None if not zeros else np.flatnonzero(weight)
        return [Group(index, weight.size - spectrum.zeros, typical, spectrum.small(weight)), *zeros]
    found = []
    exponents = np.where(weight == 0.0, -(1 << 20), np.frexp(weight)[1])
    rest = list(zip(spectrum.orders, spectrum.counts, strict=True))[::-1]
    while rest:
        top = rest[0][0]
        taken = [pair for pair in rest if pair[0] > top - GROUP_SPAN]
        rest = rest[len(taken) :]
        low = taken[-1][0]
        own = Spectrum([order for order, _ in taken[::-1]], [n for _, n in taken[::-1]], 0)
        index = np.flatnonzero((exponents >= low) & (exponents <= top))
        found.append(Group(index, index.size, own.typical(), own.small(weight)))
    return [*found, *zeros]
