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

from .directions import Direction
from .nearby import Line
from .scales import Floats, norm, rms
from .slopes import Breach, Slopes, outside, persisting, settled
from .stencil import Block, Index

if TYPE_CHECKING:
    from .kinks import KinkJudgement, KinkRule

#: So many outputs have a backward each, fewer of a layer with an argument of more than so many entries, and are asked
#: along so many directions per argument.
EACH, FEWER, LARGE, WAYS = 100, 32, 10_000, 2
#: So many breaches of a direction are looked at nearer, and at points nearby.
SHOWN = 8


class SharedRule:
    """The kink rule for outputs that share their entries.

    rule: gives the stencil, the noise, the claims and the closer look. rough: flat positions of outputs on a kink.
    """

    def __init__(self, rule: KinkRule, rough: Index, result: KinkJudgement) -> None:
        self.rule, self.rough, self.result, self.stencil = rule, rough, result, rule.stencil

    def judge(self, arguments: Sequence[int]) -> None:
        """Put breaches into the result, and what might hide."""
        self._each(arguments)
        self._together(arguments)

    # ---------------------------------------------------------------- some, each by its own backward

    def _each(self, arguments: Sequence[int]) -> None:
        rng, rough = self.rule.rng, self.rough
        most = FEWER if max(flat.size for flat in self.stencil.flat) > LARGE else EACH
        picked = rough if rough.size <= most else np.sort(rng.choice(rough, most, replace=False))
        ways = [
            (self._movable(i), Direction(int(rng.integers(1 << 62)), i))
            for i in arguments
            for _ in range(0 if self.stencil.is_structured(i) else WAYS)
        ]
        declared = np.zeros((len(ways), picked.size))
        for n, j in enumerate(picked):
            # As large as the layer each: none is kept.
            gradients = self.rule.claim_for(int(j))
            for way, (block, direction) in zip(declared, ways, strict=True):
                gradient = gradients[block.argument]
                way[n] = 0.0 if gradient is None else self.stencil.declared(block, direction, gradient)
        for way, (block, direction) in zip(declared, ways, strict=True):
            self._along(block, direction, picked, way)

    def _movable(self, i: int) -> Block:
        """All entries of an argument that can be moved to both sides."""
        size, edges = self.stencil.flat[i].size, [*self.stencil.edges[i].values()]
        return Block(i, np.setdiff1d(np.arange(size), np.concatenate(edges)) if edges else (0, size))

    def _along(self, block: Block, direction: Direction, picked: Index, declared: Floats) -> None:
        """Some outputs along one direction of the entries of an argument."""
        if not block.size:
            return
        rule, i, y = self.rule, block.argument, np.concatenate(self.stencil.center)
        every, unit = np.zeros(y.size), np.asarray(self.stencil.units[i])
        every[picked] = declared
        largest = np.full(1, float((np.abs(self.stencil.flat[i]) / np.where(unit > 0.0, unit, np.inf)).max()))

        @cache
        def look(by: float) -> Slopes:
            step = rule.relative * by
            return rule.slopes_of(
                lambda t: np.concatenate(self.stencil.at((block, direction, t * step))), np.full(1, step), largest
            )

        minute = rule.minute([i]) * float(np.mean(unit))
        slopes, left = settled(look, look(1.0), every, picked, minute, rule.coarse)
        if left.size:
            self.result.vague.add(i)
        self.result.asked += picked.size
        reach = rule.relative, 0.0
        bad = picked[outside(slopes, every)[picked]]
        low, high = np.minimum(slopes.left, slopes.right)[bad], np.maximum(slopes.left, slopes.right)[bad]
        # The plainest first: those that are excused are outside as well.
        plain = np.maximum(low - every[bad], every[bad] - high) / (high - low + slopes.doubt[bad])
        for j in bad[np.argsort(-plain)][:SHOWN].tolist():
            breach = persisting(look, j, ((i, -1),), float(every[j]), reach, float(y[j]), slopes, rule.coarse)
            if breach is not None:
                self._unless_nearby(breach, self._line(block, direction), rule.alone(j))

    def _line(self, block: Block, direction: Direction) -> Line:
        """How far each entry of a block moves along a direction."""
        at = block.positions()
        unit = self.stencil.units[block.argument]
        return [(block.argument, at, direction.at(at) * (unit[at] if isinstance(unit, np.ndarray) else unit))]

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
                self._unless_nearby(breach, self._line(block, direction), flat)
