"""Kinks: points where the one-sided slopes differ, found and judged output by output.

At relu(0) the central difference is 1/2, and both 0 and 1 are right. The rule: along every direction v the
declared gradient of an output lies between its one-sided slopes,
|g . v - centre| <= 1/2 |y(+) + y(-) - 2 y(0)| / k. It is asked for single entries, and jointly along directions
that move tied entries together: a tie that is given to both arguments passes entry by entry and fails on the
diagonal. At a jump the slopes grow as the step falls, and the rule does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .directions import Direction
from .ladder import LARGEST
from .nearby import Line, Nearby
from .noise import Noise
from .owned import OwnedRule
from .scales import Floats
from .shared import SharedRule
from .slopes import MINOR, Breach, Entries, Known, Mask, Slopes, between, breach_of, grows, persisting, settled, unseen
from .stencil import Block, Claim, Stencil, both_sides
from .untied import Excuses, tied

#: Step, in units, below which a kink cannot be told from one at the centre itself.
NEAREST = 2e-8
#: The largest step, in units, that is taken for the sake of better known slopes.
NEAR = 1e-3
#: So many outputs on a kink are asked one by one; so many entries of an argument likewise.
OUTPUTS, ENTRIES = 12, 64
#: How many times farther equal entries are moved apart where the forward is coarse.
APART = 256.0
#: A step below this part of an entry is lost in its rounding.
LOST = 2.0**-44
#: What declared slopes of several entries that cancel may leave, as a part of them all.
SUMMED = 2.0**-46
#: And so many of each where the layer is larger than that.
FEW = 3


@dataclass(slots=True)
class KinkJudgement:
    """What the rule says: how many outputs are on a kink, where it is broken, whether each of them was asked.

    reach: the largest relative error of a slope that would have passed; where only some were asked, also what fits
    into the room that all together leave. vague: arguments along which some slope tells nothing at any step.
    """

    count: int = 0
    breaches: list[Breach] = field(default_factory=list)
    all_asked: bool = False
    asked: int = 0
    reach: float = 0.0
    vague: set[int] = field(default_factory=set)


def rough_outputs(stencil: Stencil, noise: Noise, block: Block, direction: Direction, step: float) -> list[Mask]:
    """Per output array, which outputs are not smooth (or not finite) within `step` along a direction."""
    stencil.announce(move for t in (step, step / 2) for move in both_sides(block, direction, t))
    pairs = [stencil.pair(block, direction, t) for t in (step, step / 2)]
    masks = []
    for j, (y0, eps) in enumerate(zip(stencil.center, noise.eps, strict=True)):
        (p1, m1), (p2, m2) = ((plus[j], minus[j]) for plus, minus in pairs)
        bend, half = np.abs(p1 + m1 - 2 * y0), np.abs(p2 + m2 - 2 * y0)
        skew = np.abs(2 * (p2 - m2) - (p1 - m1))
        level = 24 * noise.factor * eps * np.maximum(np.abs(y0), np.maximum(np.abs(p1), np.abs(m1)))
        size = np.maximum(np.abs(p1 - m1), bend)
        kinked = (bend > level) & (half > 0.36 * bend) & (half > 0.5 * level)
        crossed = (skew > level) & (skew > 0.02 * size)
        masks.append(kinked | crossed | ~np.isfinite(p1 + m1 + p2 + m2))
    return masks


def split(claim: Claim, masks: Sequence[Mask]) -> tuple[list[Floats], list[Floats]]:
    """The upstream on the smooth outputs, and on the others."""
    smooth = [np.where(m, 0.0, u) for u, m in zip(claim.upstream, masks, strict=True)]
    rough = [np.where(m, u, 0.0) for u, m in zip(claim.upstream, masks, strict=True)]
    return smooth, rough


class KinkRule:
    """Asks the rule for outputs that stand on a kink.

    claim_of: from an upstream (flat, per output) to what backward declares for it.
    typical: how large the slopes of an output are along an entry, by argument, where that is known.
    """

    def __init__(
        self,
        stencil: Stencil,
        noise: Noise,
        claim_of: Callable[[list[Floats]], Claim],
        seed: int,
        typical: dict[int, float] | None = None,
    ) -> None:
        self.stencil, self.noise, self.claim_of = stencil, noise, claim_of
        self.rng = np.random.default_rng([seed, 31])
        # Slopes of one, of outputs of one, are then known to a part of thirty-two; where that takes large steps, to a
        # quarter. A forward that is rough everywhere seems to tremble so much that steps would cross whole kinks.
        rounding = noise.factor * max(noise.eps)
        self.relative = max(NEAREST, 64 * rounding, min(512 * rounding, NEAR))
        self.coarse = NEAREST < self.relative <= NEAR
        self._typical = typical or {}
        self.excuses = Excuses(stencil, noise, claim_of, self.rng)
        self.nearby = Nearby(stencil, noise, self.relative, self.rng, NEAREST if self.coarse else None)

    def all_at_once(self, masks: Sequence[Mask], arguments: Sequence[int]) -> KinkJudgement | None:
        """The rule for the outputs in the masks, on a kink or near one; None where it cannot be asked of all at once.

        Of a small layer every entry is asked by itself instead: that needs nothing to be assumed.
        """
        rough = np.flatnonzero(np.concatenate([m.reshape(-1) for m in masks]))
        if len(rough) <= OUTPUTS and not self._large(arguments):
            return None
        result = KinkJudgement()
        result.all_asked = OwnedRule(self, rough).judge(arguments, result)
        result.vague |= self.nearby.vague
        return result if result.all_asked or result.breaches else None

    def judge(self, masks: Sequence[Mask], arguments: Sequence[int]) -> KinkJudgement:
        """The rule for the outputs in the masks, along single entries and jointly across the arguments."""
        rough = np.flatnonzero(np.concatenate([m.reshape(-1) for m in masks]))
        result = KinkJudgement(count=len(rough))
        self._one_by_one(rough, FEW if self._large(arguments) else OUTPUTS, arguments, result)
        result.vague |= self.nearby.vague
        return result

    def minute(self, arguments: Collection[int]) -> float:
        """The size of a slope that is nothing beside those of others, along entries of some arguments."""
        return MINOR * max((self._typical.get(i, 0.0) for i in arguments), default=0.0)

    def _large(self, arguments: Sequence[int]) -> bool:
        return any(self.stencil.flat[i].size > ENTRIES for i in arguments)

    def _one_by_one(
        self, rough: npt.NDArray[np.intp], most: int, arguments: Sequence[int], result: KinkJudgement
    ) -> None:
        """Some outputs each by itself, along every entry that may matter; what is left all together."""
        picked = rough if len(rough) <= most else np.sort(self.rng.choice(rough, most, replace=False))
        gradients = {int(j): self.claim_for(int(j)) for j in picked}
        asked: dict[tuple[tuple[int, int], ...], Slopes] = {}
        for i in arguments:
            for position in self._candidates(i, picked, gradients):
                entries: Entries = ((i, int(position)),)
                asked[entries] = self._settled(entries, picked, gradients, result)
        for entries, slopes in asked.items():
            self._ask(entries, slopes, gradients, result)
        for joint in self._joint(arguments, asked):
            slopes = self._settled(joint, picked, gradients, result)
            self._ask(joint, slopes, gradients, result, [asked[(e,)] for e in joint if (e,) in asked])
        if len(rough) > most:
            SharedRule(self, rough, result).judge(arguments)
        else:
            result.all_asked = True

    def claim_for(self, output: int) -> list[Floats | None]:
        """What backward declares for one output alone, by argument."""
        return self.claim_of(self.unflatten(self.alone(output))).gradients

    def alone(self, output: int) -> Floats:
        """A flat upstream over all outputs: one for this output, zero for the others."""
        flat = np.zeros(sum(y.size for y in self.stencil.center))
        flat[output] = 1.0
        return flat

    def unflatten(self, flat: Floats) -> list[Floats]:
        """A flat upstream over all outputs, one array per output."""
        ends = np.cumsum([y.size for y in self.stencil.center])[:-1]
        return list(np.split(flat, ends))

    def _candidates(
        self, i: int, outputs: npt.NDArray[np.intp], gradients: dict[int, list[Floats | None]]
    ) -> Sequence[int]:
        size = self.stencil.flat[i].size
        if size <= ENTRIES:
            return range(size)
        found: dict[int, None] = {}
        for j, gradient in gradients.items():
            g = gradient[i]
            # A layer that works entry by entry has its kinks where its inputs are: a guess that costs little.
            if sum(y.size for y in self.stencil.center) == size:
                found[j] = None
            elif g is not None:
                found.update(dict.fromkeys(np.flatnonzero(g)[:2].tolist()))
        return sorted(list(found)[: 2 * FEW])

    def _joint(
        self, arguments: Sequence[int], asked: dict[tuple[tuple[int, int], ...], Slopes]
    ) -> list[tuple[tuple[int, int], ...]]:
        """Sets of entries to move by the same amount: everything that was asked singly, per argument and together."""
        sets = [tuple(e[0] for e in asked if e[0][0] == i) for i in arguments]
        # Equal ones by their own step, which among others of another size may be none of theirs.
        values = {(i, float(self.stencil.flat[i][p])) for ((i, p),) in asked}
        sets += [tuple(e for (e,) in asked if e[0] == i and self.stencil.flat[i][e[1]] == v) for i, v in sorted(values)]
        if len(arguments) > 1:
            sets.append(tuple(e[0] for e in asked))
            sizes = {i: self.stencil.flat[i].size for i in arguments}
            for position in sorted({e[0][1] for e in asked})[:8]:
                tied = tuple((i, position) for i in arguments if position < sizes[i])
                sets.append(tied)
        return [s for s in dict.fromkeys(sets) if len(s) > 1]

    def _settled(
        self,
        entries: Entries,
        outputs: npt.NDArray[np.intp],
        gradients: dict[int, list[Floats | None]],
        result: KinkJudgement,
    ) -> Slopes:
        """The slopes along some entries, at steps at which they tell something of these outputs."""
        declared = np.zeros(sum(y.size for y in self.stencil.center))
        for j, gradient in gradients.items():
            declared[j] = sum(float(g[p]) for i, p in entries if (g := gradient[i]) is not None)
        first = self._slopes(entries)
        minute = self.minute({i for i, _ in entries})
        slopes, left = settled(lambda by: self._slopes(entries, by), first, declared, outputs, minute, self.coarse)
        if left.size:
            result.vague |= {i for i, _ in entries}
        return slopes

    def _slopes(self, entries: Sequence[tuple[int, int]], by: float = 1.0) -> Slopes:
        step = np.full(1, self._step(entries) * by)
        largest = np.full(1, max(abs(self.stencil.flat[i][p]) for i, p in entries))
        return self.slopes_of(lambda t: self._moved(entries, t * float(step[0])), step, largest)

    def _step(self, entries: Sequence[tuple[int, int]]) -> float:
        """How far these entries are moved at first, all by the same."""
        return self.relative * (min(self.stencil.unit_of(i, p) for i, p in entries) or 1.0)

    def slopes_of(self, moved: Callable[[float], Floats], step: Floats, largest: Floats) -> Slopes:
        """One-sided slopes per output, of the outputs `moved(t)` after t steps.

        step, largest: per output or one for all, how far entries move at t = 1 and their largest size.
        """
        y0 = np.concatenate(self.stencil.center)
        r1, r2, l1, l2 = ((moved(t) - y0) / (t * step) for t in (1.0, 0.5, -1.0, -0.5))
        rounding = np.concatenate([np.abs(y) * e for y, e in zip(self.stencil.center, self.noise.eps, strict=True)])
        noise = 16 * self.noise.factor * rounding / step
        noise += 2.0**-50 * largest / step * np.maximum(np.abs(r2), np.abs(l2))
        # Entries of very different size that move by one amount: the largest may not have moved at all.
        noise = np.where(step < LOST * largest, np.inf, noise)
        # Half the step halves what a slope is off by: what that changed is what is left, but for the next order.
        doubt = noise + 1.5 * np.maximum(np.abs(r2 - r1), np.abs(l2 - l1))
        # What is declared is rounded as well, where an output of zero is not.
        doubt += max(2.0**-48, 8 * max(self.noise.eps)) * np.maximum(np.abs(r2), np.abs(l2))
        return Slopes(l2, r2, doubt, noise, grows(l1, l2, noise), grows(r1, r2, noise))

    def looked_closer(self, entries: Entries, output: int, declared: float, seen: Slopes) -> Breach | None:
        """The breach, if it is one at other steps as well."""
        step = self._step(entries)
        reach, y = (step, step / self.relative * LARGEST), float(np.concatenate(self.stencil.center)[output])
        breach = persisting(
            lambda by: self._slopes(entries, by), output, entries, declared, reach, y, seen, self.coarse
        )
        if breach is None or self._is_tied(breach, output):
            return None
        ones = [(i, np.array([p]), np.ones(1)) for i, p in entries]
        return None if self.is_nearby(breach, output, ones, step, between(seen, output)) else breach

    def is_nearby(self, breach: Breach, output: int, line: Line, step: float, seen: Known | None) -> bool:
        """Whether what is declared along a line is what the slope of an output is nearby, where it has a kink there."""
        return self.nearby.excused(breach, line, step, self.alone(output), seen)

    def _is_tied(self, breach: Breach, output: int) -> bool:
        """Whether a breach of an output is one of entries that equal others, where that is no error."""
        if not tied(self.stencil, breach.entries):
            return False
        step = self._step(breach.entries) * (APART if self.coarse else 1.0)
        return self.excuses.excused(breach.entries, step, self.alone(output), breach.size)

    def _moved(self, entries: Sequence[tuple[int, int]], t: float) -> Floats:
        return self.stencil.placed([(i, p, self.stencil.flat[i][p] + t) for i, p in entries])

    def _ask(
        self,
        entries: tuple[tuple[int, int], ...],
        slopes: Slopes,
        gradients: dict[int, list[Floats | None]],
        result: KinkJudgement,
        alone: Sequence[Slopes] = (),
    ) -> None:
        """alone: the slopes of each of several entries. What each may be off by, their sum may be off by as well."""
        for j, gradient in gradients.items():
            parts = [float(g[p]) for i, p in entries if (g := gradient[i]) is not None]
            declared, rounding = sum(parts), SUMMED * sum(map(abs, parts))
            rounding += sum(known[2] for each in alone if (known := between(each, j)) is not None)
            result.asked += 1
            result.reach = max(result.reach, min(1.0, unseen(slopes, j, self.minute({i for i, _ in entries}))))
            breach = breach_of(slopes, j, entries, declared)
            if breach is None:
                continue
            breach = self.looked_closer(entries, j, declared, slopes)
            if (
                breach is not None
                and breach.size > rounding
                and (not alone or not _explained(entries, result.breaches))
            ):
                result.breaches.append(breach)


def _explained(entries: Sequence[tuple[int, int]], breaches: Sequence[Breach]) -> bool:
    single = {b.entries[0] for b in breaches if len(b.entries) == 1}
    return any(e in single for e in entries)
