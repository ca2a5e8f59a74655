"""Search: from a block that disagrees to the single entries that are wrong.

A block that disagrees is halved and each half probed again: k wrong entries among n cost about k log2(n)
probes. Where nearly everything is wrong, halving finds nothing that a sample would not, and a sample is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from .directions import Direction
from .ladder import Estimate
from .probe import PILOT, SHARP, SINGLE, Prober
from .scales import Floats
from .stencil import Block, Claim

State = Literal["right", "wrong", "kink", "undecided"]

#: An argument of at most so many entries is measured entry by entry: the diagnosis then sees all of it.
EVERY = 200
#: Blocks of one level that must be seen, and the share of them that disagrees, for the error to count as dense.
DENSE_BLOCKS, DENSE_SHARE = 24, 0.75
#: Entries sampled where the error is dense.
SAMPLE = 64


@dataclass(frozen=True, slots=True)
class Measured:
    """One entry measured alone, in the entry's own units (not the step's)."""

    position: int
    declared: float
    numeric: float
    bar: float
    state: State
    low: float = 0.0
    high: float = 0.0


@dataclass(slots=True)
class Finds:
    """What a search brought: entries that were measured; whether they are a sample of a dense error."""

    measured: list[Measured] = field(default_factory=list)
    dense: bool = False
    covered: int = 0
    complete: bool = True

    @property
    def wrong(self) -> list[Measured]:
        """The entries that are wrong, worst first."""
        found = [m for m in self.measured if m.state == "wrong"]
        return sorted(found, key=lambda m: -abs(m.declared - m.numeric))


class Search:
    """Finds the wrong entries of a block.

    least: relative error below which an entry is not accused; it refers to the entry, or to `floor` (of
    |gradient x step|) where that is larger.
    claim_of: from an upstream to what backward declares for it, to look again at outputs that moved.
    limit: forward evaluations after which the search stops and says that it is not complete.
    """

    def __init__(
        self,
        prober: Prober,
        pilot: Estimate,
        least: float,
        floor: float,
        claim_of: Callable[[list[Floats]], Claim] | None = None,
        limit: int = 12_000,
    ) -> None:
        self.prober, self.pilot, self.least, self.floor = prober, pilot, least, floor
        self.claim_of = claim_of
        self.meter = prober.stencil.calls.meter
        self.limit = self.meter.forward_evaluations + limit

    def run(self, block: Block, claim: Claim) -> Finds:
        """Measure what has to be measured to name the wrong entries of the block."""
        if block.size <= EVERY:
            positions = block.positions()
            return Finds([self.entry(block.argument, int(p), claim) for p in positions], covered=block.size)
        finds, level, depth = Finds(), [block], 0
        while level:
            following: list[Block] = []
            seen = 0
            for parent in level:
                for half in parent.halves() if parent.size > 1 else ():
                    seen += 1
                    finds.covered += 0
                    if self._disagrees(half, claim, depth):
                        following.append(half)
            depth += 1
            if seen >= DENSE_BLOCKS and len(following) >= DENSE_SHARE * seen and following[0].size > 1:
                return self._sample(block, claim)
            for single in [b for b in following if b.size == 1]:
                finds.measured.append(self.entry(single.argument, int(single.positions()[0]), claim))
            level = [b for b in following if b.size > 1]
            if self.meter.forward_evaluations > self.limit:
                finds.complete = False
                break
        finds.covered = block.size
        return finds

    def _disagrees(self, block: Block, claim: Claim, depth: int) -> bool:
        estimate = self.prober.sharp(block, claim, 100 + depth, self.pilot, PILOT + 1)
        return (
            not estimate.finite
            or self.prober.kinked(estimate)
            or estimate.gap > max(estimate.bar, 0.25 * self.least * self.floor)
        )

    def _sample(self, block: Block, claim: Claim) -> Finds:
        rng = np.random.default_rng([self.prober.seed & 0xFFFFFFFF, 77, block.argument])
        picked = np.sort(rng.choice(block.size, SAMPLE, replace=False))
        positions = block.positions(picked.astype(np.intp))
        measured = [self.entry(block.argument, int(p), claim) for p in positions]
        return Finds(measured, dense=True, covered=SAMPLE)

    def entry(self, i: int, position: int, claim: Claim) -> Measured:
        """One entry alone: right, wrong, on a kink, or not decidable."""
        stencil = self.prober.stencil
        block, unit = Block(i, (position, position + 1)), stencil.unit_of(i, position)
        gradient = claim.gradients[i]
        declared = 0.0 if gradient is None else float(stencil.projected(i, gradient)[position])
        if unit == 0.0:
            return Measured(position, declared, float("nan"), float("inf"), "undecided")
        estimate = self.prober.sharp(block, claim, 0, self.pilot, SINGLE)
        least = self.least * max(self.floor, abs(estimate.value))
        if least < estimate.gap < estimate.bar < 20 * estimate.gap:
            # Too close to call: the entry's own curvature gives a better step than the block's did.
            estimate = self.prober.sharp(block, claim, 0, self.prober.pilot(block, claim), SHARP)
        size = self._size(block, estimate, unit)
        numeric, bar = estimate.value * size, estimate.bar * abs(size)
        claimed = estimate.declared * size if stencil.is_structured(i) else declared
        state: State
        if not estimate.finite:
            state = "undecided"
        elif self.prober.kinked(estimate):
            return self._at_kink(block, claim, position, claimed, estimate, size)
        elif estimate.gap <= max(estimate.bar, least) or self._below_rounding(block, claim, estimate):
            state = "right"
        else:
            state = "wrong" if self.prober.converged(estimate) or estimate.gap > 3 * estimate.bar else "undecided"
        return Measured(position, claimed, numeric, bar, state)

    def _below_rounding(self, block: Block, claim: Claim, estimate: Estimate) -> bool:
        """Whether a gap this small may be what outputs would have moved by, had their rounding let them.

        A saturated softmax has gradients of 1e-16 that leave its largest output where it is. Such outputs are masked
        out: what is left is compared again, and must agree.
        """
        stencil = self.prober.stencil
        sizes = zip(claim.upstream, stencil.center, self.prober.noise.eps, strict=True)
        unseen = max(e * float(np.abs(u * y).max(initial=0.0)) for u, y, e in sizes) / estimate.step
        if self.claim_of is None or estimate.gap > unseen * 2**estimate.rungs:
            return False
        plus, minus = stencil.pair(block, self.prober.direction(block, 0), estimate.step)
        moved = [np.where(p != m, u, 0.0) for p, m, u in zip(plus, minus, claim.upstream, strict=True)]
        if all(np.array_equal(a, u) for a, u in zip(moved, claim.upstream, strict=True)):
            return False
        masked = self.claim_of(moved)
        masked.masked = True
        again = self.prober.sharp(block, masked, 0, self.pilot, SINGLE)
        return again.finite and again.gap <= max(again.bar, 1e-3 * abs(again.value))

    def _size(self, block: Block, estimate: Estimate, unit: float) -> float:
        d = float(self.prober.direction(block, 0).over(*block.index)[0]) if isinstance(block.index, tuple) else 1.0
        return 1.0 / (d * unit)

    def _at_kink(
        self, block: Block, claim: Claim, position: int, declared: float, estimate: Estimate, size: float
    ) -> Measured:
        """The rule |g . v - centre| <= 1/2 sum |u (y+ + y- - 2 y0)| / k at the smallest step of the ladder."""
        stencil, step = self.prober.stencil, estimate.step / 2 ** (estimate.rungs - 1)
        direction: Direction = self.prober.direction(block, 0)
        plus, minus = stencil.pair(block, direction, step)
        room = 0.0
        for p, m, y, u in zip(plus, minus, stencil.center, claim.upstream, strict=True):
            room += float(np.abs(u * (p + m - 2 * y))[u != 0.0].sum())
        centre, half = estimate.value * size, abs(size) * (0.5 * room / step + estimate.bar)
        inside = abs(declared - centre) <= half
        bar = abs(size) * estimate.bar
        return Measured(position, declared, centre, bar, "kink" if inside else "wrong", centre - half, centre + half)
