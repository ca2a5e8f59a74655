"""Edges: entries that can move to one side only, because the other is outside the domain.

There the lecture's two-sided difference does not exist. The one-sided one, (f(x+k) - f(x)) / k, is off by
c k + c' k^2 + ...; the same table of halved steps removes one power per rung.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .directions import Direction
from .ladder import Estimate, amplification, extrapolate
from .noise import Noise
from .scales import Floats, norm, rms
from .sharpness import detection_limit
from .single import Measured
from .stencil import Block, Claim, Stencil

if TYPE_CHECKING:
    from .examine import Examination
    from .standing import Standing

#: Rungs and largest step, in units, of a one-sided ladder.
RUNGS, STEP = 5, 1e-2
#: From one halved step to the next the slope of a Taylor series changes half as much, or less; of x^1.6 two thirds.
SERIES = 0.57
#: A ratio that is nearer than this to one of a series is taken for that one.
NEARLY = 1e-4
#: A truncation of so many slopes leaves nothing of them: x^1.001 at 0 has a slope of 0 that no step shows.
UNSETTLED = 3.0


def one_sided(
    stencil: Stencil, noise: Noise, block: Block, claim: Claim, seed: int, side: int, step: float = STEP
) -> Estimate:
    """The derivative along a direction that moves every entry of the block to one side (+1 or -1)."""
    direction = Direction(seed, block.argument, 90, one_signed=side)
    gradient = claim.gradients[block.argument]
    declared = 0.0 if gradient is None else stencil.declared(block, direction, gradient)
    slopes, once, spread = [], 0.0, 0.0
    stencil.announce((block, direction, step / 2**i) for i in range(RUNGS))
    for i in range(RUNGS):
        t = step / 2**i
        moved = stencil.at((block, direction, t))
        total, square, rounded = _change(moved, stencil.center, claim, noise.eps)
        slopes.append(total / t)
        once, spread = max(once, rounded), square / t
    if not np.isfinite([*slopes, spread]).all():
        return Estimate(declared, np.nan, np.inf, np.inf, step, RUNGS, np.nan, (), finite=False)
    value, truncation = extrapolate(slopes, power=1)
    changes = np.abs(np.diff(slopes))
    steady = bool((np.diff(slopes) > 0.0).all() or (np.diff(slopes) < 0.0).all())
    off = _off_series(changes)
    if off < NEARLY:
        # Of x^1.999999 the table takes away one part in a million too little.
        truncation += 8 * off * float(changes[-1])
    else:
        # No Taylor series at this edge (x^1.5 at 0): the last slope, and what is left where changes go on as they do.
        decay = min(0.9999, float(changes[-1] / changes[-2])) if changes[-2] > 0 else 0.98
        value, truncation = slopes[-1], max(4.0, 2.0 * decay / (1.0 - decay)) * float(changes[-1])
        if steady and decay > 0.98 and changes[-1] > 8 * noise.factor * once / step:
            # Changes that hardly get smaller may go on for ever: nothing is known of where they end.
            truncation = max(truncation, 4 * abs(value))
    tremble = noise.factor * once
    sigma = amplification(RUNGS, 1) * 2**0.5 * tremble / step
    growing = tuple(abs(s) for s in slopes)
    if not np.isfinite((value, truncation, sigma)).all():
        return Estimate(declared, np.nan, np.inf, np.inf, step, RUNGS, np.nan, (), finite=False)
    return Estimate(declared, value, truncation, sigma, step, RUNGS, max(spread, abs(value)), growing, tremble)


def _off_series(changes: Floats) -> float:
    """By how much slopes change otherwise than those of a Taylor series from one halved step to the next; 0 if not.

    The ratios of a series are 1/2, 1/4, ... or come nearer to one of them with every step; those of a broken power
    stand still somewhere else.
    """
    if len(changes) < 3 or changes[-2] == 0.0 or changes[-3] == 0.0:
        return 0.0
    before, now = changes[-2] / changes[-3], changes[-1] / changes[-2]
    away = float(min(abs(now - ratio) for ratio in (0.5, 0.25, 0.125)))
    if now > SERIES:
        return np.inf
    return 0.0 if abs(now - before) > 0.5 * away else away


def unbounded(estimate: Estimate) -> bool:
    """Whether the one-sided slopes grow with every halved step: the derivative there is infinite, or there is none."""
    return all(b > 1.3 * a > 0.0 for a, b in zip(estimate.bends, estimate.bends[1:], strict=False))


def _change(
    moved: Sequence[Floats], center: Sequence[Floats], claim: Claim, eps: Sequence[float]
) -> tuple[float, float, float]:
    total = spread = rounded = 0.0
    for y, c, u, e in zip(moved, center, claim.upstream, eps, strict=True):
        change = (y - c) * u
        if claim.masked:
            change[u == 0.0] = 0.0
        total += float(change.sum())
        spread = math.hypot(spread, norm(change))
        size = np.where(change != 0.0, u * np.maximum(np.abs(y), np.abs(c)), 0.0)
        rounded = math.hypot(rounded, e * norm(size))
    return total, spread, rounded


class OneSided:
    """Judges the entries of one examination that can move to one side only."""

    def __init__(self, examination: Examination) -> None:
        self.whole = examination
        self.stencil, self.noise, self.seed = examination.stencil, examination.noise, examination.prober.seed

    def on_edges(self, i: int, claim: Claim) -> None:
        """Entries that stand on a bound of their domain."""
        gradient = claim.gradients[i]
        if gradient is None:
            return
        for side, positions in self.stencil.edges[i].items():
            positions = positions[np.isfinite(gradient[positions])]
            if positions.size:
                self._count(i, positions.size)
                self._judge(Block(i, positions), claim, side)

    def outside(self, s: Standing, claim: Claim) -> None:
        """A group whose two-sided stencil leaves the numbers at every step: one side may stay inside."""
        i = s.block.argument
        self.whole.outcomes[i].left_domain = True
        for side in (1, -1):
            if one_sided(self.stencil, self.noise, s.block, claim, self.seed, side).finite:
                self._count(i, s.block.size)
                self._judge(s.block, claim, side)
                return
        if s.block.size == 1:
            self.whole.outcomes[i].blind = "its stencil left the domain of the layer on both sides: declare domain="
            return
        for half in s.block.halves():
            self.outside(self.whole.standing_at(half, s), claim)

    def _count(self, i: int, size: int) -> None:
        outcome = self.whole.outcomes[i]
        outcome.covered += size
        outcome.one_sided += size
        outcome.still = False

    def _judge(self, block: Block, claim: Claim, side: int) -> None:
        """One block to one side; halved until the entries to blame are single."""
        outcome = self.whole.outcomes[block.argument]
        estimate = one_sided(self.stencil, self.noise, block, claim, self.seed, side)
        if not estimate.finite:
            outcome.blind = "its stencil left the domain of the layer: declare domain="
        elif unbounded(estimate) and block.size == 1:
            outcome.infinite += 1
        elif estimate.agrees and estimate.truncation <= UNSETTLED * estimate.scale:
            self._state(block, claim, estimate)
        elif block.size > 1:
            for half in block.halves():
                self._judge(half, claim, side)
        elif (
            estimate.agrees or one_sided(self.stencil, self.noise, block, claim, self.seed, side, step=STEP / 5).agrees
        ):
            outcome.blind = "the one-sided slopes at a bound do not settle"
        else:
            self._accuse(block, claim, estimate)

    def _state(self, block: Block, claim: Claim, estimate: Estimate) -> None:
        """The sharpness of a block that agrees: one draw, so two errors of this size may cancel once in a thousand."""
        i, positions = block.argument, block.positions()
        outcome, gradient = self.whole.outcomes[i], claim.gradients[i]
        weight = np.zeros(1) if gradient is None else self.stencil.weight(i, gradient)
        typical = rms(weight)
        floor = max(float(weight[positions].min(initial=np.inf)), 1e-3 * typical)
        limit = detection_limit([estimate.reach])
        unit = min(self.stencil.unit_of(i, int(p)) for p in positions[:64]) or 1.0
        outcome.absolute = max(outcome.absolute, limit / unit)
        outcome.relative = max(outcome.relative, limit / floor if floor > 0 else 0.0)

    def _accuse(self, block: Block, claim: Claim, estimate: Estimate) -> None:
        i, position = block.argument, int(block.positions()[0])
        outcome, gradient = self.whole.outcomes[i], claim.gradients[i]
        declared = 0.0 if gradient is None else float(gradient[position])
        size = declared / estimate.declared if estimate.declared else 1.0 / self.stencil.unit_of(i, position)
        outcome.settled = True
        bar = abs(size) * estimate.bar
        outcome.finds.measured.append(Measured(position, declared, estimate.value * size, bar, "wrong"))
