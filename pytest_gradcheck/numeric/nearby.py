"""Nearby: what a gradient lies between where several kinks meet within one output.

Let w . max(z, 0) have two z of zero. Along a direction that moves one of them up and the other down, its slopes to
either side may both be larger than zero. A backward that takes zero for the slope of each max declares zero all the
same, and so it should: that is the slope nearby, where both z are below zero. What is declared along a direction is
right where it lies between the slopes at points nearby (Clarke's generalized gradient, 1975), to which all arguments
are moved: a bias is what puts every z to one side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from .jumps import PATHS, breaks
from .noise import Noise
from .scales import Floats, rms
from .slopes import FINE, Breach, Known
from .stencil import Index, Stencil

#: Points that are looked at anywhere nearby, and so many around the best of those.
FIRST, POINTS = 120, 80
#: Breaches that are not excused before no more are looked at; and those of the same arguments that are not surely.
ENOUGH = 4
#: How far the points are, and how far the slopes there reach, as multiples of the step of the slopes at the centre.
FAR, OVER = 16.0, 0.25
#: How many times farther both are where the forward is coarse.
COARSE = 16.0
#: By how many powers of ten one argument may be moved less than another, and a next point be nearer to the best.
POWERS, NEARER = 1.0, 1.0
#: After so many points, where such a part of them has the one or the other slope of the centre, and the others one
#: between them, it is one kink.
EARLY, ONE, NEARLY = 45, 0.75, 0.02
#: Several kinks meet where slopes nearby range so much wider than those at the centre. So far outside of them, as a
#: part of how wide they range, is too close to accuse: of kinks that one thing moves no point nearby has each side.
MIXED, CLOSE = 1.01, 0.5
#: The part of a slope by which a gradient may lie outside.
EXACT = 1e-6

#: What is moved: of each argument flat positions, and how far these move along a unit of the line.
Line = Sequence[tuple[int, Index, Floats]]


class Nearby:
    """Looks at points near the centre.

    relative: the step of the slopes at the centre, in units. rng: where the points come from. coarse: whether rounding
    would be a good part of slopes over so small steps.
    """

    def __init__(
        self, stencil: Stencil, noise: Noise, relative: float, rng: np.random.Generator, coarse: bool = False
    ) -> None:
        self.stencil, self.noise, self.rng, self.wide = stencil, noise, rng, COARSE if coarse else 1.0
        self.far = FAR * self.wide * relative
        self._whole = not any(map(stencil.is_structured, range(len(stencil.flat))))
        #: Arguments of which something was excused that is not certain.
        self.vague: set[int] = set()
        self._refused, self._unsure = 0, Counter[tuple[int, ...]]()

    def excused(
        self, breach: Breach, line: Line, step: float, weight: Floats, seen: Known | None = None, mixed: bool = False
    ) -> bool:
        """Whether slopes nearby along a line lie around what is declared for it, and no output jumps there.

        Nothing is excused where there is no kink along the line, or where rounding hides a good part of the breach.
        What is too close to tell is excused, and its arguments are `vague`.

        step: how far along the line its slopes at the centre were formed. weight: of each output (flat) in the sum
        whose slopes these are, not negative. seen: these slopes; those of the breach may be of a nearer step.
        mixed: whether the line moves so much that kinks may cancel along it; a breach is believed then where it is
        plain, and what is too close to tell is passed over.
        """
        moved, over = tuple(sorted({i for i, _, _ in line})), OVER * self.wide * step
        if self._refused >= ENOUGH or self._unsure[moved] >= ENOUGH:
            return self._refused < ENOUGH
        told = self._whole and self._rounding(weight) / over < breach.size / 8
        kinked = mixed or any(high - low > 4 * doubt for low, high, doubt in (seen or breach.known, breach.known))
        # In float32 a kink may be no larger than what its slopes are in doubt by.
        unknown = not kinked and breach.doubt > FINE * max(abs(breach.low), abs(breach.high))
        found = self._around(breach, line, over, weight, mixed) if told and (kinked or unknown) else False
        if unknown and found:
            found = None
        told = told and not (found is not False and self._jumps)
        if mixed and not told:
            return True
        if found is False or not told:
            self._refused += 1
            return False
        if found is None:
            self._unsure[moved] += 1
            self.vague |= set() if mixed else set(moved)
        return True

    def _around(self, breach: Breach, line: Line, over: float, weight: Floats, mixed: bool) -> bool | None:
        """Whether slopes lie around what is declared, each over a small part of the line from a point nearby.

        None where what is declared is so close to them that other points may show it. Of several outputs each has its
        own lowest and highest slope: none is asked to have it where another has.
        """
        seen = np.flatnonzero(weight)
        declared, part = breach.declared, weight[seen]
        low, high = np.full(seen.size, np.inf), np.full(seen.size, -np.inf)
        room = self._rounding(weight) / over + EXACT * max(abs(declared), abs(breach.low), abs(breach.high))
        near = room + breach.doubt + NEARLY * (breach.high - breach.low)
        best, ends, most, side = self._somewhere(), 0, -np.inf, 1.0 if declared > breach.high else -1.0
        for there in range(2 * len(self.stencil.flat) + FIRST + POINTS):
            point = self._point(there, best)
            slopes = (self._at(point, line, over)[seen] - self._at(point, line, 0.0)[seen]) / over
            low, high = np.minimum(low, slopes), np.maximum(high, slopes)
            if part @ low - room <= declared <= part @ high + room:
                return True
            ends += bool(min(abs(part @ slopes - breach.low), abs(part @ slopes - breach.high)) <= near)
            between = breach.low - near <= part @ low and part @ high <= breach.high + near
            if there == EARLY and between and ends > ONE * EARLY:
                return False
            if side * float(part @ slopes) >= most:
                best, most = point, side * float(part @ slopes)
        mixed = mixed or part @ (high - low) > MIXED * (breach.high - breach.low)
        lowest, highest = min(breach.low, float(part @ low)), max(breach.high, float(part @ high))
        off = max(declared - highest, lowest - declared)
        return None if mixed and off <= CLOSE * (highest - lowest) else False

    @cached_property
    def _jumps(self) -> bool:
        """Whether some output jumps nearby, on some path: then slopes lie around anything, and nothing is excused."""
        return any(breaks(self._path(self._somewhere(), self._somewhere()), self.noise) for _ in range(PATHS))

    def _path(self, start: list[Floats], end: list[Floats]) -> Callable[[float], Floats]:
        return lambda s: self._at([(1 - s) * a + s * b for a, b in zip(start, end, strict=True)], (), 0.0)

    def _rounding(self, weight: Floats) -> float:
        """What rounding may make of the change of a weighted sum of the outputs."""
        each = [np.abs(y) * e for y, e in zip(self.stencil.center, self.noise.eps, strict=True)]
        return 8 * self.noise.factor * float(np.concatenate(each) @ weight)

    def _point(self, number: int, best: list[Floats]) -> list[Floats]:
        """A point: first one argument to one side (of a bias all kinks at once), then any, then one near the best."""
        arguments = len(self.stencil.flat)
        if number < 2 * arguments:
            steps, i = [np.zeros(flat.size) for flat in self.stencil.flat], number // 2
            steps[i] += (-1.0) ** number * self.far * self.rng.uniform(0.5, 1.0, steps[i].size) * self.stencil.units[i]
            return steps
        if number < 2 * arguments + FIRST:
            return self._somewhere()
        near = 10.0 ** -self.rng.uniform(0.0, NEARER)
        return [step + near * rms(step) * self.rng.standard_normal(step.size) for step in best]

    def _somewhere(self) -> list[Floats]:
        """Steps of all entries, in their own numbers; those of one argument may be far smaller than another's."""
        return [
            self.far * 10.0 ** -self.rng.uniform(0.0, POWERS) * self.rng.standard_normal(flat.size) * unit
            for flat, unit in zip(self.stencil.flat, self.stencil.units, strict=True)
        ]

    def _at(self, steps: list[Floats], line: Line, t: float) -> Floats:
        moved = []
        for i, (flat, step) in enumerate(zip(self.stencil.flat, steps, strict=True)):
            there = flat + step
            for held in self.stencil.edges[i].values():
                there[held] = flat[held]  # to one side it would leave its domain
            for j, at, along in line:
                if j == i:
                    there[at] += t * along
            moved.append((i, np.arange(flat.size), there))
        return self.stencil.placed(moved)
