"""Noise: how much the forward itself trembles, measured from fourth differences and never below its dtype's rounding.

A smooth function has no fourth difference to speak of at a small step: what is left there is rounding
(Hamming's difference table; More and Wild, Estimating Computational Noise, 2011). It is measured at the
probe's own spacing, since a float32 core inside float64 does not notice 64 units in the last place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .directions import CHUNK
from .scales import Floats, norm
from .stencil import Claim

#: Argument, first position and number of entries of a block.
Key = tuple[int, int, int]
#: A slope of this share of the outputs is zero: whatever is meant by it, no float64 output can tell.
DUST = 1e-30
#: A change of the outputs below this may be the last digit of numbers of the size of one.
STAIR = 2.0**-50
#: What moves an output by so many last digits of numbers near one is seen.
DIGITS = 8.0
#: The fourth differences of so many outputs may all be zero by chance.
FEW = 16
#: sum of squares of the weights 1, -4, 6, -4, 1
_FOURTH = 70.0


class Noise:
    """The rounding of one forward, as a multiple of the rounding of its output's dtype.

    inside: unit roundoff of the dtype in which the layer declares to compute, where that is coarser than its outputs'.
    """

    def __init__(
        self, center: Sequence[Floats], dtypes: Sequence[np.dtype[Any]], accuracy: float | None, inside: float = 0.0
    ) -> None:
        self.center = center
        self.eps = [max(_unit_roundoff(d), inside) for d in dtypes]
        self.accuracy = accuracy or 0.0
        self.dust = 0.0
        #: Below which size a slope counts as zero where all outputs are zero and none of them moves.
        self.still = 0.0
        self._outputs = sum(y.size for y in center)
        self._seen: dict[Key, dict[int, float]] = {}
        self._sure: dict[Key, float] = {}
        self._absolute: dict[Key, dict[int, float]] = {}
        #: By argument, the smallest change of the outputs that was seen, where it is below `STAIR`.
        self._stairs: dict[int, float] = {}

    def settle_dust(self, claim: Claim) -> None:
        """Fix below which size a slope counts as zero, from the upstream of the whole check."""
        sizes = zip(claim.upstream, self.center, strict=True)
        self.dust = DUST * math.hypot(*(norm(part * y[a : a + CHUNK]) for u, y in sizes for a, part in _parts(u)))
        # An output of zero has no size of its own: that of one is taken, where it does not even move.
        self.still = 0.0 if self.dust else DUST * math.hypot(*map(norm, claim.upstream))

    def approximate(self, claim: Claim, scale: float = 0.0) -> float:
        """By how much the slope of upstream . y, per unit, may be off where the forward declares an accuracy.

        What an unfinished iteration leaves is smooth in the inputs: over a unit it changes by about its size. Where
        the outputs are zero it is that of the outputs beside them, as large as the slope. scale: of the slope.
        """
        if not self.accuracy:
            return 0.0
        sizes = zip(claim.upstream, self.center, strict=True)
        return 4.0 * self.accuracy * max(scale, sum(float(np.abs(u * y).sum()) for u, y in sizes))

    @property
    def factor(self) -> float:
        """The largest multiple seen for any block, at least 1 where none was seen."""
        return max((self.of(key) for key in self._seen), default=1.0)

    def of(self, key: Key) -> float:
        """The multiple for one block: of the outputs that it moves. Where it was not measured, the largest seen."""
        seen = self._seen.get(key)
        if not seen:
            return max((self.of(k) for k in self._seen), default=1.0)
        # Half a unit in the last place is the most that one rounding does, and a third of it its deviation.
        return max(0.4 if self._sure[key] > 256 else 1.0, min(seen.values()))

    def measured(self, key: Key) -> bool:
        """Whether a block was looked at by itself."""
        return bool(self._seen.get(key))

    def absolute(self, key: Key) -> float:
        """The tremble of upstream . y in one block as it was seen, whatever the size of the outputs; zero where not.

        A forward that cancels (log(cosh(x)) near 0) trembles by the rounding of what it takes the difference of.
        """
        return min(self._absolute.get(key, {}).values(), default=0.0)

    def note_moves(self, key: Key, spreads: Sequence[float]) -> None:
        """Remember the smallest change that was seen along a block, where it may be a stair."""
        for spread in spreads:
            if 0.0 < spread < min(STAIR, self._stairs.get(key[0], np.inf)):
                self._stairs[key[0]] = spread

    def stair(self, key: Key) -> float:
        """By how much outputs may change unseen where they do not move, though at larger steps they do; else zero.

        A forward that takes the difference of two numbers of the size of one moves in stairs of their rounding.
        """
        return self._stairs.get(key[0], 0.0)

    def observe(self, key: Key, fourth: tuple[float, float], rounding: float, step: float, moved: bool = True) -> None:
        """Take in the fourth differences (already times the upstream) of one pair of steps along a block.

        fourth: the sums of their squares and of their fourth powers (`sums.powers`).
        rounding: what they would be if each output were rounded once. moved: whether any output moved at all.

        A curved function shows more at large steps than at small ones, noise the same at all: of several steps the
        smallest observation counts, of several observations at one step the largest.
        """
        square, quartic = fourth
        if not np.isfinite(square) or rounding <= 0.0:
            return
        if not moved and self._seen.get(key):
            return  # below the quantum of a coarse output nothing can be learnt
        if square == 0.0 and self._outputs <= FEW and any(self._seen.get(key, {}).values()):
            return  # by chance the few digits that were left agree
        samples = square * square / quartic if quartic > 0 else 1.0
        seen = np.sqrt(square / _FOURTH) * (1.0 + 4.0 / samples) / rounding
        order, mine = int(np.floor(np.log2(step))), self._seen.setdefault(key, {})
        mine[order] = max(mine.get(order, 0.0), float(seen))
        plain = self._absolute.setdefault(key, {})
        plain[order] = max(plain.get(order, 0.0), float(np.sqrt(square / _FOURTH)))
        self._sure[key] = max(self._sure.get(key, 0.0), samples)

    def sure(self, key: Key) -> bool:
        """Whether many outputs were seen at the probe's own spacing, none of it curvature."""
        return self._sure.get(key, 0.0) > 256 and len(self._seen[key]) == 1

    def doubtful(self, key: Key) -> bool:
        """Whether what was measured is far above rounding, so that a smaller step must tell tremble from curvature."""
        return self.of(key) > 30.0 and len(self._seen.get(key, {})) < 3


def _parts(x: Floats) -> Iterator[tuple[int, Floats]]:
    """Pieces of an array, each with where it begins: products of whole arrays would take as much memory again."""
    return ((a, x[a : a + CHUNK]) for a in range(0, x.size, CHUNK))


def _unit_roundoff(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).eps) / 2 if dtype.kind in "fc" else 2.0**-53
