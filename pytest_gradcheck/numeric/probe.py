"""Probe: one block, one direction, one estimate with an error bar; other steps before anything else is tried."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .directions import Direction
from .ladder import LARGEST, SIGMAS, Estimate, amplification, best_step, extrapolate, length_scale
from .noise import Noise
from .scales import norm
from .stencil import Block, Claim, Move, Stencil, both_sides
from .sums import Sums

#: Rungs of the first look at a block, of the sharp one, and of the one at a single entry.
PILOT, SHARP, SINGLE = 2, 4, 3
#: Relative truncation below which a ladder counts as converged.
CONVERGED = 1e-7


class Prober:
    """Measures directional derivatives around one centre.

    seed: of the directions. h: first step, in units. ceiling: largest step, where kinks are known beyond it.
    """

    def __init__(self, stencil: Stencil, noise: Noise, seed: int, h: float, ceiling: float = LARGEST) -> None:
        self.stencil, self.noise, self.seed, self.h, self.ceiling = stencil, noise, seed, h, ceiling
        #: The last block and claim whose sizes were asked for, and the sizes: each draw asks again.
        self._sized: tuple[Block, Claim, tuple[float, float, float]] | None = None

    def direction(self, block: Block, draw: int) -> Direction:
        """The draw-th direction of an argument."""
        return Direction(self.seed, block.argument, draw)

    def pilot(
        self, block: Block, claim: Claim, draw: int = 0, step: float | None = None, coarse: bool = False
    ) -> Estimate:
        """First look: two rungs at the step h, and from their fourth differences the noise.

        coarse: whether outputs are known to move in stairs, whose height then is the noise.
        """
        step = step or self.h
        direction = self.direction(block, draw)
        results, once = self._look(block, claim, direction, step, coarse)
        at = step
        while not coarse and self.noise.doubtful(block.key) and at > 1e-4 * step:
            at /= 16
            self._look(block, claim, direction, at)
        return self._estimate(block, direction, claim, step, results, once)

    def ladder(self, block: Block, claim: Claim, direction: Direction, step: float, rungs: int) -> Estimate:
        """Differences at step, step/2, ... extrapolated; where truncation rules, one more in place of the first."""
        stencil = self.stencil
        tally = stencil.tally(claim, self.noise.eps)
        if stencil.looks_ahead:
            stencil.announce(rung for i in range(rungs) for rung in both_sides(block, direction, step / 2**i))
        try:
            for i in range(rungs):
                pair = stencil.pair_moved(block, direction, step / 2**i)
                # Only the last two rungs are asked whether they bend like a kink.
                tally.add(*pair, bent=i >= rungs - 2, rounded=i == 0)
                del pair
            estimate = self._estimate(block, direction, claim, step, tally.sums, tally.once)
            if rungs < SHARP or not estimate.finite or estimate.truncation <= 8 * SIGMAS * estimate.noise:
                return estimate
            tally.add(*stencil.pair_moved(block, direction, step / 2**rungs))
            return self._estimate(block, direction, claim, step / 2, tally.sums[1:], tally.once)
        finally:
            stencil.restore(block)

    def sharp(self, block: Block, claim: Claim, draw: int, pilot: Estimate, rungs: int = SHARP) -> Estimate:
        """The best estimate for this block: the step follows the pilot, and falls where that does not converge."""
        direction = self.direction(block, draw)
        step = self.step_for(pilot, rungs)
        estimate = self.ladder(block, claim, direction, step, rungs)
        tries = 0
        while tries < 3 and not self.converged(estimate):
            step = min(step / 16, self.h) if tries == 0 else step / 64
            if step < 1e-9:
                break
            again = self.ladder(block, claim, direction, step, PILOT if step < self.h / 4 else rungs)
            if not again.finite or (estimate.finite and again.bar > 4 * estimate.bar):
                break
            estimate, tries = again, tries + 1
        return estimate

    def announce_pilots(self, blocks: Sequence[Block]) -> None:
        """Say that the first look at these blocks comes next."""
        for block in blocks if self.stencil.looks_ahead else ():
            self.stencil.announce(self._pilot_moves(block, self.direction(block, 0), self.h))

    def announce_sharp(self, block: Block, draw: int, pilot: Estimate, rungs: int = SHARP, alone: bool = False) -> None:
        """Say that a sharp estimate comes next; alone: others come beside it, which other workers can make."""
        if not self.stencil.looks_ahead:
            return
        step, direction = self.step_for(pilot, rungs), self.direction(block, draw)
        moves = (rung for i in range(rungs) for rung in both_sides(block, direction, step / 2**i))
        self.stencil.announce(moves, together=alone)

    def _pilot_moves(self, block: Block, direction: Direction, step: float) -> list[Move]:
        return [*both_sides(block, direction, step), *both_sides(block, direction, step / 2)]

    def step_for(self, pilot: Estimate, rungs: int) -> float:
        """The step at which this many rungs are predicted to be sharpest."""
        length = length_scale(pilot.truncation, pilot.scale, pilot.step, pilot.noise)
        return min(self.ceiling, best_step(length, pilot.tremble, pilot.scale, rungs))

    def converged(self, estimate: Estimate) -> bool:
        """Whether the truncation is small beside the derivative or beside the noise, and no kink is in sight."""
        if not estimate.finite:
            return False
        nothing = self.noise.dust + self.noise.still
        small = max(CONVERGED * estimate.scale, 3 * SIGMAS * estimate.noise, nothing)
        return estimate.truncation <= small and not self.kinked(estimate)

    def kinked(self, estimate: Estimate) -> bool:
        """Whether the second difference halves with the step, as at a kink; a smooth function's falls to a quarter."""
        if len(estimate.bends) < 2 or not estimate.finite:
            return False
        first, second = estimate.bends[-2:]
        return second > 0.36 * first and second > 12 * SIGMAS * estimate.tremble

    def _look(
        self, block: Block, claim: Claim, direction: Direction, step: float, coarse: bool = False
    ) -> tuple[list[Sums], float]:
        tally = self.stencil.tally(claim, self.noise.eps)
        if self.stencil.looks_ahead:
            self.stencil.announce(self._pilot_moves(block, direction, step))
        try:
            for t in (step, step / 2):
                pair = self.stencil.pair_moved(block, direction, t)
                tally.add(*pair, rounded=True, kept=True)
                del pair  # they may be as large as the layer: the next ones come after they are gone
        finally:
            self.stencil.restore(block)
        results, once = tally.sums, tally.once
        smooth = results[1].bend <= 0.36 * results[0].bend or results[0].bend < 1e-2 * results[0].spread
        # A kink that is crossed between the two steps is no noise either.
        crossed = abs(results[0].slope - 2 * results[1].slope) > 0.05 * results[0].spread
        smooth = coarse or (smooth and not crossed)
        if all(s.finite for s in results) and smooth:
            self.noise.observe(block.key, tally.fourth(), once, step, moved=results[-1].spread > 0.0)
        return results, once

    def _estimate(
        self, block: Block, direction: Direction, claim: Claim, step: float, results: Sequence[Sums], once: float
    ) -> Estimate:
        gradient, rungs = claim.gradients[block.argument], len(results)
        declared = 0.0 if gradient is None else self.stencil.declared(block, direction, gradient)
        slopes, spreads, bends, width = [], [], [], 2 * step
        for s in results:
            if not s.finite:
                return Estimate(declared, np.nan, np.inf, np.inf, step, rungs, np.nan, (), finite=False)
            slopes.append(s.slope / width)
            spreads.append(s.spread)
            bends.append(s.bend)
            width /= 2
        value, truncation = extrapolate(slopes)
        size, moved, shaken = self._sizes(block, claim)
        seen, key = spreads[-1] / (2 * step / 2 ** (rungs - 1)), block.key
        scale = max(seen, size)
        tremble = self.noise.of(key) * once
        if not claim.masked:
            # What was seen is the tremble of all outputs together; a few of them may have none of it.
            tremble = max(tremble, self.noise.absolute(key))
        self.noise.note_moves(key, spreads)
        if spreads[-1] == 0.0:
            tremble = max(tremble, self.noise.stair(key))
            truncation += self.noise.still
        if not self.noise.sure(key):
            # A few samples may tremble less than they could; no forward is more exact than its condition allows.
            tremble = max(tremble, min(self.noise.eps) * scale)
        # x + t d is itself rounded, by up to half a unit in the last place of x, and seen through the gradient.
        inputs = moved * self.stencil.input_rounding * 2 ** (rungs - 1) / step
        outputs = amplification(rungs) * tremble / (2**0.5 * step)
        noise = math.hypot(outputs, inputs, shaken)
        truncation, forgiven = truncation + self.noise.dust, self.noise.approximate(claim, scale)
        if not all(map(math.isfinite, (value, truncation, noise, scale))):
            return Estimate(declared, np.nan, np.inf, np.inf, step, rungs, np.nan, (), finite=False)
        return Estimate(
            declared, value, truncation, noise, step, rungs, scale, tuple(bends), tremble, seen=seen, forgiven=forgiven
        )

    def _sizes(self, block: Block, claim: Claim) -> tuple[float, float, float]:
        """Norms over the block of gradient x unit, of gradient x entry, and of the rounding of the gradient x unit."""
        if self._sized is None or self._sized[0] is not block or self._sized[1] is not claim:
            self._sized = block, claim, self._measured(block, claim)
        return self._sized[2]

    def _measured(self, block: Block, claim: Claim) -> tuple[float, float, float]:
        i = block.argument
        gradient = claim.gradients[i]
        if gradient is None:
            return 0.0, 0.0, 0.0
        x, unit, trembles = self.stencil.flat[i], self.stencil.units[i], claim.trembles[i] if claim.trembles else None
        steps = moves = shakes = 0.0
        for piece in block.pieces():
            g, s = gradient[piece], unit[piece] if isinstance(unit, np.ndarray) else unit
            gs, gx = g * s, g * x[piece]
            steps = math.hypot(steps, norm(gs))
            moves = math.hypot(moves, norm(gx))
            if trembles is not None:
                shakes = math.hypot(shakes, norm(trembles[piece] * s))
        return steps, moves, 2.0 * shakes + 2.0**-52 * steps
