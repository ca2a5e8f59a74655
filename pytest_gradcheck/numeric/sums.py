"""Sums: the few numbers over the outputs of a pair of points that all estimates are made of.

Changes are formed per output before they are summed, `sum(u * (y+ - y-))`: outputs that did not move
contribute exactly nothing, and an output near 1e8 costs no digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .directions import CHUNK
from .scales import Floats, norm

if TYPE_CHECKING:
    from .stencil import Claim


class Sums(NamedTuple):
    """Sums over outputs of one pair of points x + t d and x - t d.

    slope: sum u (y+ - y-); spread: square root of the sum of its squared terms;
    bend: square root of sum (u (y+ + y- - 2 y0))^2.
    """

    slope: float
    spread: float
    bend: float

    @property
    def finite(self) -> bool:
        """Whether no output left the numbers, nor any square of one."""
        return all(map(math.isfinite, self))


def slope(plus: Sequence[Floats], minus: Sequence[Floats], claim: Claim) -> Sums:
    """The slope alone of one pair of outputs, where its curvature is not looked at."""
    total = 0.0
    for whole in zip(plus, minus, claim.upstream, strict=True):
        for _, (p, m, u) in _pieces(whole):
            change = p - m
            if claim.masked:
                change[u == 0.0] = 0.0
            total += float(change.dot(u))
    return Sums(total, 0.0, 0.0)


def sums(
    plus: Sequence[Floats],
    minus: Sequence[Floats],
    center: Sequence[Floats],
    claim: Claim,
    keep: list[Floats] | None = None,
) -> Sums:
    """Slope, spread and bend of one pair of outputs.

    Where `keep` is given, u times the second differences go there; where it holds those of the pair at twice the
    distance, they become u times the fourth differences.
    """
    slope = spread = bend = 0.0
    fourth = bool(keep)
    if keep is not None and not fourth:
        keep += [np.empty(p.size) for p in plus]
    for j, whole in enumerate(zip(plus, minus, center, claim.upstream, strict=True)):
        for a, (p, m, c, u) in _pieces(whole):
            change, second = p - m, p + m
            second -= c
            second -= c
            if claim.masked:
                off = u == 0.0
                change[off] = second[off] = 0.0
            change *= u
            second *= u
            slope += float(np.add.reduce(change))
            spread = math.hypot(spread, norm(change))
            bend = math.hypot(bend, norm(second))
            if keep is not None and fourth:
                second *= -4.0
                keep[j][a : a + CHUNK] += second
            elif keep is not None:
                keep[j][a : a + CHUNK] = second
    return Sums(slope, spread, bend)


def _pieces(arrays: Sequence[Floats]) -> Iterable[tuple[int, Sequence[Floats]]]:
    """Arrays of one length, in pieces that fit the cache, each with where it begins."""
    size = arrays[0].size
    if size <= CHUNK:
        return ((0, arrays),)
    return ((a, tuple(x[a : a + CHUNK] for x in arrays)) for a in range(0, size, CHUNK))


def rounding(
    plus: Sequence[Floats], minus: Sequence[Floats], center: Sequence[Floats], claim: Claim, eps: Sequence[float]
) -> float:
    """Standard deviation of upstream . y if each output that moved were rounded once; the others cancel exactly.

    Where none moved, the true change may be anything below the rounding of the largest one.
    """
    total = 0.0
    for e, *whole in zip(eps, plus, minus, center, claim.upstream, strict=True):
        for _, (p, m, c, u) in _pieces(whole):
            size = np.maximum(np.abs(c), np.abs(p))
            size *= u
            size *= p != m
            if claim.masked:
                size[u == 0.0] = 0.0  # what is masked may be infinite
            total = math.hypot(total, e * norm(size))
    return unmoved(center, claim, eps) if total == 0.0 else total


def unmoved(center: Sequence[Floats], claim: Claim, eps: Sequence[float]) -> float:
    """What `rounding` says where no output moved."""
    return max(
        (e * float(np.abs(u * c).max(initial=0.0)) for c, u, e in zip(center, claim.upstream, eps, strict=True)),
        default=0.0,
    )


def powers(differences: Sequence[Floats]) -> tuple[float, float]:
    """Sums of squares and of fourth powers; the second only where the first is a number that tells something."""
    square = sum([float(f.dot(f)) for f in differences])
    if not 0.0 < square < np.inf:
        return square, 0.0
    quartic = 0.0
    for f in differences:
        for a in range(0, f.size, CHUNK):
            part = f[a : a + CHUNK]
            part = part * part
            quartic += float(part.dot(part))
    return square, quartic


class Tally:
    """What a few pairs of outputs add up to under one claim; the pairs themselves are not kept.

    eps: unit roundoff of each output.
    """

    def __init__(self, center: Sequence[Floats], claim: Claim, eps: Sequence[float]) -> None:
        self.center, self.claim, self.eps = center, claim, eps
        self._sums: list[Sums] = []
        self._once = 0.0
        #: Second differences of the first pair that is kept, fourth ones with the second.
        self._kept: list[Floats] = []

    def add(self, plus: Any, minus: Any, bent: bool = True, rounded: bool = False, kept: bool = False) -> None:
        """Take in one pair, as the stencil gave it.

        bent: whether its spread and its bend are asked for; rounded: whether it may say what rounding does.
        kept: whether it is one of the two of which fourth differences are formed.
        """
        keep = self._kept if kept else None
        self._sums.append(sums(plus, minus, self.center, self.claim, keep) if bent else slope(plus, minus, self.claim))
        if rounded:
            self._once = self._once or rounding(plus, minus, self.center, self.claim, self.eps)

    @property
    def sums(self) -> list[Sums]:
        """One for each pair, in order."""
        return self._sums

    @property
    def once(self) -> float:
        """What `rounding` says of the first pair that it was asked of and that moved."""
        return self._once

    def fourth(self) -> tuple[float, float]:
        """Sums of squares and of fourth powers of the fourth differences of the two pairs that were kept."""
        return powers(self._kept)
