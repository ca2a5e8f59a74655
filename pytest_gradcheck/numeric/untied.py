"""Untied: what a right gradient lies between where three entries or more are equal, and no entry alone shows it.

Of three equal numbers the middle one stays what it is, whichever of them moves: along each entry the slope of their
median is zero to both sides. Yet its gradient is one, given to one of them or shared. It lies between the gradients at
points nearby, where the numbers are no longer equal (Clarke's generalized gradient, 1975), and what is declared for all
equal entries together is the slope where they stay equal.
"""

from __future__ import annotations

import numpy as np

from .noise import Noise
from .scales import Floats
from .slopes import Entries
from .stencil import Stencil

#: At so many entries of one value no single one need move anything; of two each is moved by one of its sides.
EQUAL = 3
#: How near the points are, as a part of the step, and over which part of that slopes are formed at the least.
NEAR, OVER = 2.0**-6, 2.0**-10
#: Lines that are looked along; at so many points of each first, and where it is steepest or flattest at points between.
LINES, POINTS, ROUNDS, PARTS = 4, 33, 6, 4
#: So much nearer points tell whether outputs jump between a point and the centre.
NEARER = 2.0**-4
#: The part of a gradient by which it may lie outside.
EXACT = 1e-6


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
        eps = zip(stencil.center, noise.eps, strict=True)
        rounding = np.concatenate([np.full(y.size, e) for y, e in eps])[self.seen] * np.abs(self.y)
        #: What rounding does to the sum.
        self.rounding = 8 * noise.factor * float(np.abs(self.weight) @ rounding)
        #: All entries that are equal to one of these, where there are enough of them; otherwise none.
        self.equals = self._equals()

    def _equals(self) -> Entries:
        flat = self.stencil.flat
        if any(map(self.stencil.is_structured, range(len(flat)))):
            return ()
        found = {(i, float(flat[i][p])): np.flatnonzero(flat[i] == flat[i][p]) for i, p in self.entries}
        return tuple((i, int(p)) for (i, _), at in found.items() if at.size >= EQUAL for p in at)

    def excused(self, declared: float, gap: float, together: float) -> bool:
        """Whether slopes nearby lie around what is declared, and along all equal entries the declared one is right.

        gap: by how much the declared slope seems wrong; nothing is said where rounding hides a part of it.
        together: what is declared for all of `equals`.
        """
        if not self.rounding / (OVER * self.reach) <= gap / 4 or not self._straight(gap):
            return False
        return self._together(together) and any(self._around(declared) for _ in range(LINES))

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

    def _jumps(self, steps: list[Floats], values: Floats) -> bool:
        """Whether outputs along a line do not come nearer to those at the centre as the line does."""
        steps = [NEARER * step for step in steps]
        near = [abs(self._at(steps, self.entries, NEARER * t * self.reach)) for t in (-2.0, -1.0, 0.0, 1.0, 2.0)]
        return not max(near) <= 0.25 * np.abs(values).max() + self.rounding

    def _around(self, declared: float) -> bool:
        """Whether slopes along one line, on which the entries come between any others, lie around what is declared.

        The mean slope between two points of a line is itself between those nearby.
        """
        steps = self._somewhere()
        at = np.linspace(-2.0, 2.0, POINTS) * self.reach
        values = np.array([self._at(steps, self.entries, t) for t in at])
        for _ in range(ROUNDS):
            width = np.diff(at)
            slopes, rooms = np.diff(values) / width, 2 * self.rounding / width + EXACT * abs(declared)
            if not np.isfinite(slopes).all():
                return False
            low, high = (slopes - rooms).min(), (slopes + rooms).max()
            if low <= declared <= high:
                return not self._jumps(steps, values)
            # Where it is steepest, or flattest, a nearer look tells how much.
            k = int(np.argmax(slopes) if declared > high else np.argmin(slopes))
            if width[k] < 2 * OVER * self.reach:
                return False
            between = np.linspace(at[k], at[k + 1], PARTS + 1)[1:-1]
            more = [self._at(steps, self.entries, t) for t in between]
            at, values = np.insert(at, k + 1, between), np.insert(values, k + 1, more)
        return False

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
        moved = []
        for i, (flat, step) in enumerate(zip(self.stencil.flat, steps, strict=True)):
            there = flat + self.share * step * self.stencil.units[i]
            there[[p for j, p in entries if j == i]] += t
            moved.append((i, np.arange(flat.size), there))
        return float(self.weight @ (self.stencil.placed(moved)[self.seen] - self.y))
