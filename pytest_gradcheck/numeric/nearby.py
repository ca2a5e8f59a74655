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
#: How many times farther the two are in float32 and lower: where numbers are rounded by more than this.
COARSE, LOW = (4.0, 16.0), 1e-12
#: So many slopes are formed, before nothing more is decided here.
BUDGET = 4000
#: By how many powers of ten one argument may be moved less than another, and a next point be nearer to the best.
POWERS, NEARER = 1.0, 1.0
#: After so many points, where such a part of them has the one or the other slope of the centre, and the others one
#: between them, it is one kink.
EARLY, ONE, NEARLY = 45, 0.75, 0.02
#: Several kinks meet where slopes nearby lie outside of those at the centre, by such a part of their distance. So far
#: outside of all, as a part of how wide they range, is too close to accuse: of kinks that one thing moves no point
#: nearby has each side.
MIXED, CLOSE = 0.01, 0.5
#: The part of a slope by which a gradient may lie outside.
EXACT = 1e-6

#: What is moved: of each argument flat positions, and how far these move along a unit of the line.
Line = Sequence[tuple[int, Index, Floats]]


class Nearby:
    """Looks at points near the centre.

    relative: the step of the slopes at the centre, in units. rng: where the points come from. finest: the step where
    the forward trembles no more than float64 does; that of the slopes where none is given.
    """

    def __init__(
        self, stencil: Stencil, noise: Noise, relative: float, rng: np.random.Generator, finest: float | None = None
    ) -> None:
        self.stencil, self.noise, self.rng = stencil, noise, rng
        self.coarse = finest is not None and relative > finest
        low = self.coarse and max(noise.eps) > LOW
        # What trembles by more than its dtype rounds may be a wave: it is looked at no farther off than others are.
        shrunk = finest / relative if finest is not None and self.coarse and not low else 1.0
        farther, wide = COARSE if low else (shrunk, shrunk)
        self.far, self.over = FAR * farther * relative, OVER * wide
        #: How much nearer a point is looked at as well, as parts of its steps.
        self.scales = (1.0, 1 / 2) if low else (1.0, 1 / 8, 1 / 64)
        self._whole = not any(map(stencil.is_structured, range(len(stencil.flat))))
        #: Arguments of which something was excused that is not certain.
        self.vague: set[int] = set()
        self._looks = 0
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
        moved, over = tuple(sorted({i for i, _, _ in line})), self.over * step
        if self._refused >= ENOUGH:
            return False
        if self._looks > BUDGET or (self._unsure[moved] >= ENOUGH and breach.size <= breach.high - breach.low):
            self.vague |= set() if mixed else set(moved)
            return True
        told = self._whole and self._rounding(weight) / (self.scales[-1] * over) < breach.size / 8
        kinked = mixed or any(high - low > 4 * doubt for low, high, doubt in (seen or breach.known, breach.known))
        # In float32 a kink may be no larger than what its slopes are in doubt by, and those nearby may be in more.
        unknown = not kinked and breach.doubt > FINE * max(abs(breach.low), abs(breach.high))
        found = self._around(breach, line, over, weight, mixed) if told and (kinked or unknown) else False
        if (unknown and found) or (self.coarse and self._whole and not told):
            found, told = None, True
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

        None where what is declared is so close to them that other points may show it. Those at the centre count, so
        that one side is looked for. Of several outputs each has its own farthest slope: none is asked to have it where
        another has.
        """
        seen, side = np.flatnonzero(weight), 1.0 if breach.declared > breach.high else -1.0
        part, hull, end = weight[seen], breach.high - breach.low, max(side * breach.low, side * breach.high)
        wanted, farthest = side * breach.declared, np.full(seen.size, -np.inf)
        room = self._rounding(weight) / (self.scales[-1] * over)
        room += EXACT * max(map(abs, (breach.declared, breach.low, breach.high)))
        near = room + breach.doubt + NEARLY * hull
        best, most, ends = self._somewhere(), -np.inf, 0
        for there in range(2 * len(self.stencil.flat) + FIRST + POINTS):
            point = self._point(there, best)
            slopes = side * self._slopes(point, line, over, seen)
            total = side * float(part @ slopes)
            ends += bool(min(abs(total - breach.low), abs(total - breach.high)) <= near)
            if (slopes > farthest).any():
                held = self._held(slopes, side, point, line, over, seen)
                farthest = np.maximum(farthest, held)
                if part @ held >= most:
                    best, most = point, float(part @ held)
            reached = max(end, float(part @ farthest))
            if wanted <= reached + room:
                return True
            if there == EARLY and reached <= end + near and ends > ONE * EARLY:
                return False
        mixed = mixed or reached - end > MIXED * hull
        return None if mixed and wanted - reached <= CLOSE * (hull + reached - end) else False

    def _slopes(self, point: list[Floats], line: Line, over: float, seen: Index, scale: float = 1.0) -> Floats:
        self._looks += 1
        there = [scale * step for step in point]
        change = self._at(there, line, scale * over) - self._at(there, line, 0.0)
        return np.asarray(change[seen] / (scale * over))

    def _held(self, slopes: Floats, side: float, point: list[Floats], line: Line, over: float, seen: Index) -> Floats:
        """The least that slopes at a point are, times `side`, as it comes nearer, and where they seem to lead.

        Those of kinks stay what they are. Those of what is curved fall to the slope at the centre.
        """
        found = [slopes, *(side * self._slopes(point, line, over, seen, scale) for scale in self.scales[1:])]
        before, last = self.scales[-2:]
        found.append(found[-1] + (found[-1] - found[-2]) * last / (before - last))
        return np.asarray(np.minimum.reduce(found))

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
        others = [step + near * rms(step) * self.rng.standard_normal(step.size) for step in best]
        # As far as the best: else steps would lead farther and farther.
        return [o * (rms(step) / (rms(o) or 1.0)) for o, step in zip(others, best, strict=True)]

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
