"""Kinks: points where the one-sided slopes differ, found and judged output by output.

At relu(0) the central difference is 1/2, and both 0 and 1 are right. The rule: along every direction v the
declared gradient of an output lies between its one-sided slopes,
|g . v - centre| <= 1/2 |y(+) + y(-) - 2 y(0)| / k. It is asked for single entries, and jointly along directions
that move tied entries together: a tie that is given to both arguments passes entry by entry and fails on the
diagonal. At a jump the slopes grow as the step falls, and the rule does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .directions import Direction
from .noise import Noise
from .scales import Floats
from .stencil import Block, Claim, Stencil

#: (argument, position) of entries that are moved together.
Entries = tuple[tuple[int, int], ...]
Mask = npt.NDArray[np.bool_]

#: Step, in units, below which a kink cannot be told from one at the centre itself.
NEAREST = 2e-8
#: The second look before a breach is believed, as a share of that step.
CLOSER = 1e-2
#: So many outputs on a kink are asked one by one; so many entries of an argument likewise.
OUTPUTS, ENTRIES = 12, 64
#: And so many of each where the layer is larger than that.
FEW = 3


@dataclass(frozen=True, slots=True)
class Slopes:
    """One-sided slopes of all outputs (flat, concatenated) along one direction, and how far they may be off."""

    left: Floats
    right: Floats
    doubt: Floats
    left_jumps: Mask
    right_jumps: Mask


@dataclass(frozen=True, slots=True)
class Breach:
    """A direction in which the declared gradient lies outside the one-sided slopes.

    entries: (argument, position) of what was moved, one for a single entry; declared, low, high: along it.
    """

    entries: tuple[tuple[int, int], ...]
    declared: float
    low: float
    high: float
    doubt: float


@dataclass(slots=True)
class KinkJudgement:
    """What the rule says: how many outputs are on a kink, where it is broken, what could not be asked."""

    count: int = 0
    breaches: list[Breach] = field(default_factory=list)
    undecided: int = 0
    asked: int = 0


def rough_outputs(stencil: Stencil, noise: Noise, block: Block, direction: Direction, step: float) -> list[Mask]:
    """Per output array, which outputs are not smooth (or not finite) within `step` along a direction."""
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
    arguments: positions of the arguments that are differentiated.
    """

    def __init__(self, stencil: Stencil, noise: Noise, claim_of: Callable[[list[Floats]], Claim], seed: int) -> None:
        self.stencil, self.noise, self.claim_of = stencil, noise, claim_of
        self.rng = np.random.default_rng([seed, 31])
        self.relative = max(NEAREST, 64 * noise.factor * max(noise.eps))

    def judge(self, masks: Sequence[Mask], arguments: Sequence[int]) -> KinkJudgement:
        """The rule for the outputs in the masks, along single entries and jointly across the arguments."""
        rough = np.flatnonzero(np.concatenate([m.reshape(-1) for m in masks]))
        result = KinkJudgement(count=len(rough))
        large = any(self.stencil.flat[i].size > ENTRIES for i in arguments)
        most = FEW if large else OUTPUTS
        picked = rough if len(rough) <= most else np.sort(self.rng.choice(rough, most, replace=False))
        gradients = {int(j): self._claim_for(int(j)) for j in picked}
        asked: dict[tuple[tuple[int, int], ...], Slopes] = {}
        for i in arguments:
            for position in self._candidates(i, picked, gradients):
                entries: Entries = ((i, int(position)),)
                asked[entries] = self._slopes(entries)
        for entries, slopes in asked.items():
            self._ask(entries, slopes, gradients, result, single=True)
        for joint in self._joint(arguments, asked):
            self._ask(joint, self._slopes(joint), gradients, result, single=False)
        if len(rough) > most:
            self._ask_together(rough, arguments, result)
        return result

    def _claim_for(self, output: int) -> list[Floats | None]:
        flat = np.zeros(sum(y.size for y in self.stencil.center))
        flat[output] = 1.0
        return self.claim_of(self._unflatten(flat)).gradients

    def _unflatten(self, flat: Floats) -> list[Floats]:
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
        if len(arguments) > 1:
            sets.append(tuple(e[0] for e in asked))
            sizes = {i: self.stencil.flat[i].size for i in arguments}
            for position in sorted({e[0][1] for e in asked})[:8]:
                tied = tuple((i, position) for i in arguments if position < sizes[i])
                sets.append(tied)
        return [s for s in dict.fromkeys(sets) if len(s) > 1]

    def _slopes(self, entries: Sequence[tuple[int, int]], closer: float = 1.0) -> Slopes:
        unit = min(self.stencil.unit_of(i, p) for i, p in entries) or 1.0
        step = self.relative * unit * closer
        y0 = np.concatenate(self.stencil.center)
        sides = []
        for sign in (1.0, -1.0):
            far, near = (self._moved(entries, sign * t) for t in (step, step / 2))
            whole, half = (far - y0) / (sign * step), (near - y0) / (sign * step / 2)
            sides.append((whole, half))
        (r1, r2), (l1, l2) = sides
        rounding = np.concatenate([np.abs(y) * e for y, e in zip(self.stencil.center, self.noise.eps, strict=True)])
        noise = 16 * self.noise.factor * rounding / step
        noise += (
            2.0**-50 * max(abs(self.stencil.flat[i][p]) for i, p in entries) / step * np.maximum(np.abs(r2), np.abs(l2))
        )
        doubt = noise + np.maximum(np.abs(r2 - r1), np.abs(l2 - l1))
        left_jumps, right_jumps = _grows(l1, l2, noise), _grows(r1, r2, noise)
        return Slopes(l2, r2, doubt, left_jumps, right_jumps)

    def _moved(self, entries: Sequence[tuple[int, int]], t: float) -> Floats:
        stencil = self.stencil
        try:
            for i, p in entries:
                stencil.flat_work[i][p] = stencil.flat[i][p] + t
            return np.concatenate(stencil.outputs())
        finally:
            for i, p in entries:
                stencil.flat_work[i][p] = stencil.flat[i][p]

    def _ask(
        self,
        entries: tuple[tuple[int, int], ...],
        slopes: Slopes,
        gradients: dict[int, list[Floats | None]],
        result: KinkJudgement,
        single: bool,
    ) -> None:
        for j, gradient in gradients.items():
            declared = 0.0
            for i, p in entries:
                g = gradient[i]
                declared += 0.0 if g is None else float(g[p])
            result.asked += 1
            breach = _breach(slopes, j, entries, declared)
            if breach is None:
                continue
            # What looks like a kink may be a bend on a scale smaller than the step: look closer before accusing.
            breach = _breach(self._slopes(entries, CLOSER), j, entries, declared)
            if breach is not None and (single or not _explained(entries, result.breaches)):
                result.breaches.append(breach)

    def _ask_together(self, rough: npt.NDArray[np.intp], arguments: Sequence[int], result: KinkJudgement) -> None:
        """All outputs on a kink at once, with a positive upstream and entries that move to one side."""
        flat = np.zeros(sum(y.size for y in self.stencil.center))
        flat[rough] = self.rng.uniform(1.0, 2.0, len(rough))
        claim = self.claim_of(self._unflatten(flat))
        y0 = np.concatenate(self.stencil.center)
        for i in arguments:
            gradient = claim.gradients[i]
            if gradient is None:
                continue
            block = Block(i, (0, self.stencil.flat[i].size))
            direction = Direction(int(self.rng.integers(1 << 62)), i, one_signed=1)
            plus, minus = (np.concatenate(p) for p in self.stencil.pair(block, direction, self.relative))
            right, left = (plus - y0) / self.relative, (y0 - minus) / self.relative
            declared = self.stencil.declared(block, direction, gradient)
            low, high = float(flat @ np.minimum(left, right)), float(flat @ np.maximum(left, right))
            rounding = np.concatenate([np.abs(y) * e for y, e in zip(self.stencil.center, self.noise.eps, strict=True)])
            doubt = 16 * self.noise.factor * float(np.linalg.norm(flat * rounding)) / self.relative
            doubt += 1e-6 * max(abs(low), abs(high))
            result.asked += 1
            if np.isfinite(low + high) and not low - doubt <= declared <= high + doubt:
                result.breaches.append(Breach(((i, -1),), declared, low, high, doubt))


def _grows(whole: Floats, half: Floats, noise: Floats) -> Mask:
    """Whether a one-sided slope grows as the step falls: there is a jump on that side."""
    return np.asarray((np.abs(half) > 1.3 * np.abs(whole) + 4 * noise) & (np.abs(half - whole) > 0.1 * np.abs(half)))


def _breach(slopes: Slopes, j: int, entries: tuple[tuple[int, int], ...], declared: float) -> Breach | None:
    """The breach of the rule by output j along a direction, if there is one.

    At a jump the side that does not jump has a slope of its own, and that alone is right.
    """
    sides = [
        float(s[j])
        for s, jumps in ((slopes.left, slopes.left_jumps), (slopes.right, slopes.right_jumps))
        if not jumps[j]
    ]
    if not sides or not np.isfinite(sides).all():
        return None
    low, high, doubt = min(sides), max(sides), float(slopes.doubt[j])
    if len(sides) == 1:
        doubt = min(doubt, 0.1 * abs(sides[0]) + 1e-6)
    if low - doubt <= declared <= high + doubt:
        return None
    return Breach(entries, declared, low, high, doubt)


def _explained(entries: Sequence[tuple[int, int]], breaches: Sequence[Breach]) -> bool:
    single = {b.entries[0] for b in breaches if len(b.entries) == 1}
    return any(e in single for e in entries)
