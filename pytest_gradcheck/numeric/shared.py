"""Shared: outputs on kinks that answer to the same entries, where they are too many to be asked along each entry.

Some have a backward each, and are held against the rule along random directions: what is wrong at every kink shows.
All are then held against it at once, with a positive upstream: what single ones may hide in the room that the kinks
leave is what the sharpness says.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .directions import Direction
from .nearby import Line
from .scales import Floats, norm, rms
from .slopes import Breach, Slopes, outside, persisting, settled
from .stencil import Block

if TYPE_CHECKING:
    from .kinks import KinkJudgement, KinkRule

#: So many outputs have a backward each, and are asked along so many directions per argument.
EACH, WAYS = 100, 2
#: So many breaches are looked at nearer, and at points nearby.
SHOWN = 8


class SharedRule:
    """The kink rule for outputs that share their entries.

    rule: gives the stencil, the noise, the claims and the closer look. rough: flat positions of outputs on a kink.
    """

    def __init__(self, rule: KinkRule, rough: npt.NDArray[np.intp], result: KinkJudgement) -> None:
        self.rule, self.rough, self.result, self.stencil = rule, rough, result, rule.stencil

    def judge(self, arguments: Sequence[int]) -> None:
        """Put breaches into the result, and what might hide."""
        self._each(arguments)
        self._together(arguments)

    # ---------------------------------------------------------------- some, each by its own backward

    def _each(self, arguments: Sequence[int]) -> None:
        rng, rough = self.rule.rng, self.rough
        picked = rough if rough.size <= EACH else np.sort(rng.choice(rough, EACH, replace=False))
        gradients = {int(j): self.rule.claim_for(int(j)) for j in picked}
        for i in arguments:
            unit, size = self.stencil.units[i], self.stencil.flat[i].size
            for _ in range(0 if self.stencil.is_structured(i) else WAYS):
                along = rng.uniform(1.0, 2.0, size) * rng.choice([-1.0, 1.0], size) * unit
                declared = np.zeros(sum(y.size for y in self.stencil.center))
                for j, gradient in gradients.items():
                    g = gradient[i]
                    declared[j] = 0.0 if g is None else float(g @ along)
                self._along(i, along, declared, picked)

    def _along(self, i: int, along: Floats, declared: Floats, picked: npt.NDArray[np.intp]) -> None:
        """Some outputs along one line."""
        rule, flat, everything = self.rule, self.stencil.flat[i], np.arange(along.size)
        largest = float((np.abs(flat) / np.where(along == 0.0, np.inf, np.abs(along))).max())

        @cache
        def look(by: float) -> Slopes:
            step = rule.relative * by
            return rule.slopes_of(
                lambda t: self.stencil.placed([(i, everything, flat + t * step * along)]),
                np.full(1, step), np.full(1, largest),
            )  # fmt: skip

        slopes, left = settled(look, look(1.0), declared, picked, rule.minute([i]) * rms(along), rule.coarse)
        if left.size:
            self.result.vague.add(i)
        self.result.asked += picked.size
        bad, y = picked[outside(slopes, declared)[picked]], np.concatenate(self.stencil.center)
        for j in bad[:SHOWN].tolist():
            reach = rule.relative, 0.0
            breach = persisting(look, j, ((i, -1),), float(declared[j]), reach, float(y[j]), slopes, rule.coarse)
            if breach is not None:
                alone = np.zeros(y.size)
                alone[j] = 1.0
                self._unless_nearby(breach, [(i, everything, along)], alone)

    def _unless_nearby(self, breach: Breach, line: Line, weight: Floats) -> None:
        if not self.rule.nearby.excused(breach, line, self.rule.relative, weight, mixed=True):
            self.result.breaches.append(breach)

    # ---------------------------------------------------------------- all at once

    def _together(self, arguments: Sequence[int]) -> None:
        """All outputs on a kink at once, with a positive upstream and entries that move to one side."""
        rule, result, relative = self.rule, self.result, self.rule.relative
        y0 = np.concatenate(self.stencil.center)
        flat = np.zeros(y0.size)
        flat[self.rough] = rule.rng.uniform(1.0, 2.0, len(self.rough))
        claim = rule.claim_of(rule.unflatten(flat))
        rounding = np.concatenate([np.abs(y) * e for y, e in zip(self.stencil.center, rule.noise.eps, strict=True)])
        for i in arguments:
            gradient = claim.gradients[i]
            if gradient is None:
                continue
            block = Block(i, (0, self.stencil.flat[i].size))
            direction = Direction(int(rule.rng.integers(1 << 62)), i, one_signed=1)
            plus, minus = (np.concatenate(p) for p in self.stencil.pair(block, direction, relative))
            right, left = (plus - y0) / relative, (y0 - minus) / relative
            declared = self.stencil.declared(block, direction, gradient)
            low, high = float(flat @ np.minimum(left, right)), float(flat @ np.maximum(left, right))
            doubt = 16 * rule.noise.factor * norm(flat * rounding) / relative
            doubt += 1e-6 * max(abs(low), abs(high))
            result.asked += 1
            # What one entry may be off by and hide in the room that all kinks together leave.
            nonzero = np.abs(gradient[gradient != 0.0])
            if nonzero.size:
                typical = rms(nonzero) * float(np.median(self.stencil.units[i]))
                result.reach = max(result.reach, (0.5 * (high - low) + doubt) / typical if typical > 0.0 else np.inf)
            if np.isfinite(low + high) and not low - doubt <= declared <= high + doubt:
                breach = Breach(((i, -1),), declared, low, high, doubt)
                along = direction.over(0, block.size) * self.stencil.units[i]
                self._unless_nearby(breach, [(i, np.arange(block.size), along)], flat)
