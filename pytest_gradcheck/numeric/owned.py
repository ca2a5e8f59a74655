"""Owned: outputs on a kink that answer to entries of their own are judged all at once.

A row's maximum, a relu or a window of a pooling layer answers to a few entries that no other output on a kink
answers to. Who owns what is read from two backward passes: where an entry feeds one output j alone, its gradient
is u_j times a number, so its gradients for two random upstreams have the ratio of the two u_j. The owned entries
of all outputs are then moved together, and each output is held against the rule by itself: a million kinks cost
what one does. That no output answers to another's entries is tried, by moving those of a random half.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .ladder import LARGEST
from .nearby import Line
from .scales import Floats, rms
from .sharpness import detection_limit
from .slopes import Breach, Entries, Slopes, between, doubts, outside, persisting, settled, sizes

if TYPE_CHECKING:
    from .kinks import KinkJudgement, KinkRule

Index = npt.NDArray[np.intp]

#: How far the ratio of two gradients may be off that of their upstreams, where rounding alone is no more.
RATIO = 1e-11
#: So many breaches of one move are told.
SHOWN = 500
#: Of so many outputs at most a breach is looked at again at larger steps, or at points nearby.
FEW = 8
NOBODY = -1


@dataclass(frozen=True, slots=True)
class Owners:
    """For each entry of one argument the output it feeds (`NOBODY` where unknown), and d output / d entry declared.

    shared: whether an entry has a gradient and feeds no single output.
    """

    argument: int
    owner: Index
    local: Floats
    shared: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """Entries that are moved together: positions by argument, the outputs they belong to, and steps by output.

    together: one step for all entries, `NOBODY`'s included; 0 where each moves by the step of its output.
    along: what each entry's step is multiplied by, per argument; 1 where there is none.
    """

    positions: dict[int, Index]
    owner: dict[int, Index]
    steps: Floats
    together: float = 0.0
    along: dict[int, Floats] = field(default_factory=dict)

    def by(self, i: int) -> Floats | float:
        """How far the entries of argument i move."""
        return (self.together or self.steps[self.owner[i]]) * self.along.get(i, 1.0)

    def line(self, output: int) -> Line:
        """What moves an output: its own entries, or all where all move by one step."""
        found = []
        for i, at in self.positions.items():
            mine = np.ones(at.size, bool) if self.together else self.owner[i] == output
            found.append((i, at[mine], np.broadcast_to(self.along.get(i, 1.0), at.shape)[mine]))
        return found

    def of(self, output: int) -> Entries:
        """Entries that belong to one output, or to nobody, a few of them."""
        mine = {i: at[self.owner[i] == output][:20] for i, at in self.positions.items()}
        return tuple((i, int(p)) for i, at in mine.items() for p in at)


class OwnedRule:
    """The kink rule for all outputs at once, where it can be asked so.

    rule: gives the stencil, the noise, the claims and the closer look. rough: flat positions of outputs on a kink.
    """

    def __init__(self, rule: KinkRule, rough: Index) -> None:
        self.rule, self.rough, self.stencil = rule, rough, rule.stencil
        self.y0 = np.concatenate(self.stencil.center)
        self.kinked = np.zeros(self.y0.size, bool)
        self.on_kink = np.zeros(self.y0.size, bool)
        self.on_kink[rough] = True

    def judge(self, arguments: Sequence[int], result: KinkJudgement) -> bool:
        """Put breaches into the result; False where outputs share entries, so that nothing was learnt."""
        owners = self._owners(arguments)
        if not owners or not all(self._apart(o) for o in owners):
            return False
        owned, several = np.zeros(self.y0.size, bool), []
        for o in owners:
            one, known = self._first_of_each(o), np.flatnonzero(o.owner != NOBODY)
            owned[o.owner[known]] = True
            result.reach = max(result.reach, self._ask(one, owners, result, counts=True))
            if known.size > one.positions[o.argument].size:
                several.append((o, known))
        for o in owners:
            self._ask(self._everything([o]), owners, result)
        if len(owners) > 1:
            self._ask(self._everything(owners), owners, result)
        for o, known in several if not result.breaches else []:
            # Two random directions tell all entries of an output, but for errors that cancel in both.
            doubts = [self._ask(self._any_way(o, known), owners, result) for _ in range(2)]
            result.reach = max(result.reach, detection_limit(doubts))
        result.count = int(self.kinked.sum())
        return bool(owned[self.rough].all())

    # ---------------------------------------------------------------- who owns what

    def _owners(self, arguments: Sequence[int]) -> list[Owners]:
        upstreams = [np.where(self.on_kink, self.rule.rng.uniform(1.0, 2.0, self.y0.size), 0.0) for _ in range(2)]
        claims = [self.rule.claim_of(self.rule.unflatten(u)).gradients for u in upstreams]
        ratios = upstreams[0][self.rough] / upstreams[1][self.rough]
        order = np.argsort(ratios)
        found = []
        for i in arguments:
            g, h = claims[0][i], claims[1][i]
            if g is None or h is None:
                continue
            owner = np.full(g.size, NOBODY, np.intp)
            some = np.flatnonzero((g != 0.0) & (h != 0.0))
            near, off = _nearest(g[some] / h[some], ratios[order])
            owner[some] = np.where(off <= max(RATIO, 4 * max(self.rule.noise.eps)), self.rough[order[near]], NOBODY)
            if g.size == self.y0.size:
                # A zero tells no owner; in a layer that works entry by entry it is the output of the same place.
                still = (g == 0.0) & (h == 0.0) & self.on_kink
                owner[still] = np.flatnonzero(still)
            known = owner != NOBODY
            local = np.zeros(g.size)
            local[known] = g[known] / upstreams[0][owner[known]]
            shared = bool((((g != 0.0) | (h != 0.0)) & ~known).any())
            found.append(Owners(i, owner, local, shared))
        return found

    def _first_of_each(self, o: Owners) -> Moved:
        """One entry of each output: the one with the largest declared gradient."""
        known = np.flatnonzero(o.owner != NOBODY)
        order = known[np.lexsort((-np.abs(o.local[known]), o.owner[known]))]
        _, first = np.unique(o.owner[order], return_index=True)
        return self._moved(o, np.sort(order[first]))

    def _moved(self, o: Owners, at: Index) -> Moved:
        unit, steps = self.stencil.units[o.argument], np.full(self.y0.size, np.inf)
        size = unit[at] if isinstance(unit, np.ndarray) else np.full(at.size, unit)
        np.minimum.at(steps, o.owner[at], np.where(size > 0.0, size, 1.0))
        steps = np.where(np.isfinite(steps), steps * self.rule.relative, 0.0)
        return Moved({o.argument: at}, {o.argument: o.owner[at]}, steps)

    def _any_way(self, o: Owners, known: Index) -> Moved:
        rng = self.rule.rng
        along = rng.uniform(1.0, 2.0, known.size) * rng.choice([-1.0, 1.0], known.size)
        return replace(self._moved(o, known), along={o.argument: along})

    def _everything(self, owners: Sequence[Owners]) -> Moved:
        """All entries by the same step: along this diagonal a tie that is given twice, or to nobody, shows."""
        steps, together = np.zeros(self.y0.size), np.inf
        for o in owners:
            of_each = self._moved(o, np.flatnonzero(o.owner != NOBODY)).steps
            steps = np.maximum(steps, of_each)
            together = min(together, float(of_each[of_each > 0.0].min(initial=np.inf)))
        positions = {o.argument: np.arange(o.owner.size) for o in owners}
        return Moved(positions, {o.argument: o.owner for o in owners}, steps, together)

    def _apart(self, o: Owners) -> bool:
        """Whether entries feed one output on a kink each, as far as declared and as far as outputs move."""
        known = np.flatnonzero(o.owner != NOBODY)
        if o.shared or not known.size:
            return False
        for _ in range(2):
            half = self.rule.rng.random(self.y0.size) < 0.5
            for chosen in (half, ~half):
                y = self._at(self._moved(o, known[chosen[o.owner[known]]]), 1.0)
                if (y != self.y0)[self.on_kink & ~chosen].any():
                    return False
        return True

    # ---------------------------------------------------------------- the rule

    def _at(self, moved: Moved, t: float) -> Floats:
        base = self.stencil.flat
        return self.stencil.placed([(i, at, base[i][at] + t * moved.by(i)) for i, at in moved.positions.items()])

    def _ask(self, moved: Moved, owners: Sequence[Owners], result: KinkJudgement, counts: bool = False) -> float:
        """Breaches go into the result; returns the largest relative error of a slope that would have passed."""
        judged = np.flatnonzero((moved.steps > 0.0) & self.on_kink)
        if not judged.size:
            return 0.0
        declared, look, minute = self._declared(moved, owners), self._looks(moved), self.rule.minute(moved.positions)
        slopes, left = settled(look, self._slopes(moved), declared, judged, minute, self.rule.coarse)
        if left.size:
            result.vague |= set(moved.positions)
        result.asked += judged.size
        bad = judged[outside(slopes, declared)[judged]]
        if bad.size:
            told = {e for b in result.breaches for e in b.entries}
            found = self._persisting(moved, bad[:SHOWN].tolist(), declared, slopes, look)
            found = {j: b for j, b in found.items() if not told & set(b.entries)}
            result.breaches += self._not_nearby(found, moved, slopes)
        if counts:
            self.kinked[judged] |= (np.abs(slopes.right - slopes.left) > slopes.doubt)[judged]
        size, doubt = sizes(slopes)[judged], doubts(slopes)[judged]
        floor = max(1e-3 * rms(size[np.isfinite(size)]), minute)
        part = doubt / np.maximum(size, floor or 1.0)
        return float(part[np.isfinite(part)].max(initial=0.0))

    def _persisting(
        self, moved: Moved, outputs: Sequence[int], declared: Floats, seen: Slopes, look: Callable[[float], Slopes]
    ) -> dict[int, Breach]:
        """The breaches of these outputs that are breaches at other steps as well; one look serves all of them."""
        found: dict[int, Breach] = {}
        for j in outputs:
            step = moved.together or float(moved.steps[j])
            reach = step, step / self.rule.relative * LARGEST if len(outputs) <= FEW else 0.0
            breach = persisting(
                look, j, moved.of(j), float(declared[j]), reach, float(self.y0[j]), seen, self.rule.coarse
            )
            if breach is not None:
                found[j] = breach
        return found

    def _not_nearby(self, found: dict[int, Breach], moved: Moved, seen: Slopes) -> list[Breach]:
        """Breaches, less those that slopes nearby excuse before the first that they do not; none if a few all are."""
        excused = set()
        for j in map(int, self.rule.rng.permutation(sorted(found))[:FEW]):
            step = moved.together or float(moved.steps[j])
            if not self.rule.is_nearby(found[j], j, moved.line(j), step, between(seen, j)):
                return [breach for k, breach in found.items() if k not in excused]
            excused.add(j)
        return []

    def _looks(self, moved: Moved) -> Callable[[float], Slopes]:
        """The slopes along the same move at multiples of its steps, each formed once."""

        @cache
        def look(by: float) -> Slopes:
            return self._slopes(replace(moved, steps=moved.steps * by, together=moved.together * by))

        return look

    def _declared(self, moved: Moved, owners: Sequence[Owners]) -> Floats:
        """What is declared along the move, per output."""
        declared = np.zeros(self.y0.size)
        for o in owners:
            if o.argument in moved.positions:
                at, owner = moved.positions[o.argument], moved.owner[o.argument]
                known = owner != NOBODY
                along = np.broadcast_to(moved.along.get(o.argument, np.ones(1)), at.shape)
                np.add.at(declared, owner[known], o.local[at[known]] * along[known])
        return declared

    def _slopes(self, moved: Moved) -> Slopes:
        step = np.where(moved.steps > 0.0, moved.together or moved.steps, 1.0)
        largest = np.zeros(self.y0.size)
        for i, at in moved.positions.items():
            known = moved.owner[i] != NOBODY
            np.maximum.at(largest, moved.owner[i][known], np.abs(self.stencil.flat[i][at[known]]))
        return self.rule.slopes_of(lambda t: self._at(moved, t), step, largest)


def _nearest(values: Floats, known: Floats) -> tuple[Index, Floats]:
    """For each value the position of the nearest known one (ascending), and how far off it is, relatively."""
    right = np.clip(np.searchsorted(known, values), 1, max(1, known.size - 1))
    left = right - 1
    right = np.minimum(right, known.size - 1)
    near = np.where(np.abs(known[left] - values) <= np.abs(known[right] - values), left, right)
    return near, np.abs(known[near] / values - 1.0)
