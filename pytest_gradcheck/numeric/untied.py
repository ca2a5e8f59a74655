"""Untied: what a right gradient lies between where three entries or more are equal, and no entry alone shows it.

Of three equal numbers the middle one stays what it is, whichever of them moves: along each entry the slope of their
median is zero to both sides. Yet its gradient is one, given to one of them or shared. It lies between the gradients at
points nearby, where the numbers are no longer equal (Clarke's generalized gradient, 1975), and what is declared for all
equal entries together is the slope where they stay equal.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from .jumps import PATHS, breaks
from .noise import Noise
from .scales import Floats
from .slopes import Entries
from .stencil import Claim, Index, Stencil

#: At so many entries of one value no single one need move anything; of two each is moved by one of its sides.
EQUAL = 3
#: Of more than so many equal entries nothing is excused: to move them apart again and again would take too long.
MANY = 1 << 10
#: How near the points are, as a part of the step, and over which part of that slopes are formed at the least.
NEAR, OVER = 2.0**-6, 2.0**-10
#: Lines that are looked along; at so many points of each first, and where it is steepest or flattest at points between.
LINES, POINTS, ROUNDS, PARTS = 12, 33, 6, 4
#: Equals that an entry meets on one line.
MOST = 64
#: How much nearer a second look along all equal entries is.
NEARER = 2.0**-4
#: The part of a gradient by which it may lie outside.
EXACT = 1e-6


def tied(stencil: Stencil, entries: Entries) -> bool:
    """Whether one of the entries is equal to two others at the least, in its own argument or another, and not to many.

    Entries of a structure cannot be moved by themselves.
    """
    if any(map(stencil.is_structured, range(len(stencil.flat)))):
        return False
    return any(_counts(stencil, float(stencil.flat[i][p])) for i, p in entries)


def divided(stencil: Stencil, argument: int, positions: Index) -> bool:
    """Whether some of these entries of an argument equal others that are not among them: three together, or more."""
    values, here = np.unique(stencil.flat[argument][positions], return_counts=True)
    every = [sum(int(np.count_nonzero(flat == value)) for flat in stencil.flat) for value in values]
    return any(n < of >= EQUAL for n, of in zip(here.tolist(), every, strict=True))


def _counts(stencil: Stencil, value: float) -> bool:
    return EQUAL <= sum(int(np.count_nonzero(flat == value)) for flat in stencil.flat) <= MANY


class Untied:
    """Looks at points near the centre where no two entries are equal, for one weighted sum of the outputs.

    entries: moved together, all by the same. step: by which they were moved where the centre's own slopes were formed.
    weight: of each output in the sum, flat.
    """

    def __init__(
        self, stencil: Stencil, noise: Noise, rng: np.random.Generator, entries: Entries, step: float, weight: Floats
    ) -> None:
        self.stencil, self.noise, self.rng, self.entries = stencil, noise, rng, entries
        self.share, self.reach = NEAR * step / (stencil.unit_of(*entries[0]) or 1.0), NEAR * step
        self.seen = weight != 0.0
        self.weight, self.y = weight[self.seen], np.concatenate(stencil.center)[self.seen]
        #: What rounding does to the sum, of the outputs that move at all; known once they have been moved.
        self.rounding = 0.0
        #: All entries that are equal to one of these, where there are enough of them; otherwise none.
        self.equals = self._equals()

    def _equals(self) -> Entries:
        flat = self.stencil.flat
        if not tied(self.stencil, self.entries):
            return ()
        values = [v for v in {float(flat[i][p]) for i, p in self.entries} if _counts(self.stencil, v)]
        return tuple((i, int(p)) for v in values for i, f in enumerate(flat) for p in np.flatnonzero(f == v))

    def excused(self, declared: float, gap: float, together: float) -> bool:
        """Whether slopes nearby lie around what is declared, and along all equal entries the declared one is right.

        gap: by how much the declared slope seems wrong; nothing is said where rounding hides a part of it.
        together: what is declared for all of `equals`.
        """
        self.rounding = self._rounding()
        # Over less than this rounding would make slopes that differ by a part of the gap.
        least = max(OVER * self.reach, 32 * self.rounding / gap)
        if not least <= 4 * self.reach / (POINTS - 1) or not self._straight(gap) or not self._together(together):
            return False
        return any(self._around(declared, least) for _ in range(LINES)) and not self._jumps()

    def _rounding(self) -> float:
        # As far as the entries were moved before: nearer, an output may move by no digit at all.
        steps = [step / NEAR for step in self._somewhere()]
        moves = self._outputs(steps, self.entries, self.reach / NEAR)[self.seen] != self.y
        eps = zip(self.stencil.center, self.noise.eps, strict=True)
        each = np.concatenate([np.full(y.size, e) for y, e in eps])[self.seen] * np.abs(self.weight * self.y)
        return 8 * self.noise.factor * float(each[moves].sum())

    def _straight(self, gap: float) -> bool:
        """Whether slopes are what they are at the centre wherever these entries alone move to: equality bends them.

        What oscillates within the step has all slopes there are, and would excuse any.
        """
        still, room = self._nowhere(), gap / 8 + 2 * self.rounding / self.reach
        for side in (self.reach, -self.reach):
            once, twice = (self._at(still, self.entries, t) / side for t in (side, 2 * side))
            if not abs(twice - 2 * once) <= room:
                return False
        return True

    def _together(self, declared: float) -> bool:
        """Whether what is declared for all of them lies between the slopes to either side where they stay equal."""
        still, steps = self._nowhere(), (self.reach, NEARER * self.reach)
        far, near = ([self._at(still, self.equals, t) / t for t in (step, -step)] for step in steps)
        room = 2 * max(abs(a - b) for a, b in zip(far, near, strict=True))
        room += self.rounding / (NEARER * self.reach) + EXACT * abs(declared)
        return min(near) - room <= declared <= max(near) + room

    def _jumps(self) -> bool:
        """Whether some output jumps nearby: it would have slopes without end, which lie around anything.

        It is the same for all entries that are equal, and asked once.
        """
        known, key = self.stencil.jumps, (self.equals, round(np.log2(self.reach)))
        if key not in known:
            known[key] = any(self._breaks() for _ in range(PATHS))
        return known[key]

    def _breaks(self) -> bool:
        start, end = self._somewhere(), self._somewhere()
        return breaks(
            lambda s: self._outputs([(1 - s) * a + s * b for a, b in zip(start, end, strict=True)], (), 0.0),
            self.noise,
        )

    def _around(self, declared: float, least: float) -> bool:
        """Whether slopes along one line, on which the entries come between any others, lie around what is declared.

        The mean slope between two points of a line is itself between those nearby. least: how far these are apart.
        """
        steps = self._somewhere()
        at = self._along(steps, least)
        values = np.array([self._at(steps, self.entries, t) for t in at])
        for _ in range(ROUNDS):
            width = np.diff(at)
            slopes, rooms = np.diff(values) / width, 2 * self.rounding / width + EXACT * abs(declared)
            if not np.isfinite(slopes).all():
                return False
            low, high = (slopes - rooms).min(), (slopes + rooms).max()
            if low <= declared <= high:
                return True
            # Where it is steepest, or flattest, a nearer look tells how much.
            k = int(np.argmax(slopes) if declared > high else np.argmin(slopes))
            if width[k] < PARTS * least:
                return False
            between = np.linspace(at[k], at[k + 1], PARTS + 1)[1:-1]
            more = [self._at(steps, self.entries, t) for t in between]
            at, values = np.insert(at, k + 1, between), np.insert(values, k + 1, more)
        return False

    def _along(self, steps: list[Floats], least: float) -> Floats:
        """Points of a line: where the entry meets one of its equals, which is where slopes change if they do there."""
        end = 2 * self.reach
        if len(self.entries) > 1:
            return np.linspace(-end, end, POINTS)
        ((i, p),) = self.entries
        own = self.stencil.unit_of(i, p) * steps[i][p]
        met = [self.share * (self.stencil.unit_of(*e) * float(steps[e[0]][e[1]]) - own) for e in self.equals]
        points = [-end]
        for point in sorted(self.rng.permutation([m for m in met if m != 0.0])[:MOST]):
            if point - points[-1] >= least:
                points.append(point)
        return np.array([*points, end])

    def _nowhere(self) -> list[Floats]:
        return [np.zeros(flat.size) for flat in self.stencil.flat]

    def _somewhere(self) -> list[Floats]:
        """Steps of the equal entries, so that they are equal no more."""
        steps = self._nowhere()
        for i, p in self.equals:
            steps[i][p] = self.rng.uniform(-1.0, 1.0)
        return steps

    def _at(self, steps: list[Floats], entries: Entries, t: float) -> float:
        """The change of the sum with each entry moved by its own step, and some by t besides."""
        return float(self.weight @ (self._outputs(steps, entries, t)[self.seen] - self.y))

    def _outputs(self, steps: list[Floats], entries: Entries, t: float) -> Floats:
        moved = []
        for i, (flat, step) in enumerate(zip(self.stencil.flat, steps, strict=True)):
            there = flat + self.share * step * self.stencil.units[i]
            there[[p for j, p in entries if j == i]] += t
            moved.append((i, np.arange(flat.size), there))
        return self.stencil.placed(moved)


class Excuses:
    """What ties excuse around one centre: for the outputs that are asked about, and for all of them at once.

    Each place of a sort may be given to any of the equal entries, but not all of them to the same.

    claim_of: from an upstream to what backward declares for it.
    """

    def __init__(
        self, stencil: Stencil, noise: Noise, claim_of: Callable[[list[Floats]], Claim], rng: np.random.Generator
    ) -> None:
        self.stencil, self.noise, self.claim_of, self.rng = stencil, noise, claim_of, rng
        self._sizes = [y.size for y in stencil.center]
        self._known: dict[Entries, bool] = {}

    @cached_property
    def _every(self) -> Floats:
        """A positive weight of each output."""
        return self.rng.uniform(1.0, 2.0, sum(self._sizes))

    def excused(self, entries: Entries, step: float, weight: Floats, gap: float) -> bool:
        """Whether entries equal others, and what is declared for them lies between the slopes where they do not.

        step, weight: as `Untied` takes them. gap: by how much the declared slope seems wrong.
        """
        if not self._one(entries, step, weight, gap):
            return False
        if entries not in self._known:
            self._known[entries] = self._one(entries, step, self._every, gap)
        return self._known[entries]

    def _one(self, entries: Entries, step: float, weight: Floats, gap: float) -> bool:
        untied = Untied(self.stencil, self.noise, self.rng, entries, step, weight)
        if not untied.equals:
            return False
        gradients = self.claim_of(np.split(weight, np.cumsum(self._sizes)[:-1])).gradients
        declared, together = (
            sum(float(g[p]) for i, p in where if (g := gradients[i]) is not None) for where in (entries, untied.equals)
        )
        return untied.excused(declared, gap, together)
