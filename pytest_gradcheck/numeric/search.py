"""Search: from a block that disagrees to the single entries that are wrong.

A block that disagrees is halved and each half probed again: k wrong entries among n cost about k log2(n)
probes. Where blocks disagree everywhere a sample tells whether nearly every entry is wrong; where errors are too
many to follow each, some are followed, the largest among them, and the others are counted by their blocks.
A block that disagrees and whose parts do not is not forgiven: it is counted as unresolved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .ladder import Estimate
from .probe import PILOT, Prober
from .scales import Floats
from .single import BLATANT, Measured, Single
from .slopes import NEARER
from .stencil import Block, Claim
from .untied import divided

#: An argument of at most so many entries is measured entry by entry: the diagnosis then sees all of it.
EVERY = 200
#: Blocks of one level that must be seen, and the share of them that disagrees, for the error to be dense perhaps.
DENSE_BLOCKS, DENSE_SHARE = 24, 0.75
#: Entries sampled where the error may be dense, and the share of them that must be wrong.
SAMPLE, DENSE_ENTRIES = 64, 0.1
#: Where there are too many errors to follow each, so many blocks of a level are followed.
FOLLOWED = 16
#: A gap of this part of what moves is none that entries by themselves could hide.
PLAIN = 0.1
#: Forward evaluations that a search may take where nothing else is said.
LIMIT = 12_000
#: Rungs of the ladder at a block, and forward evaluations of it.
RUNGS = PILOT + 1
COST = 2 * RUNGS


@dataclass(slots=True)
class Finds:
    """What a search brought.

    measured: entries that were measured alone. dense: whether they are a sample of an error nearly everywhere.
    unseen: how many more entries are wrong: by the sample; else at least, one in each block that was not followed.
    unresolved: blocks that disagree though no part of them does. reach: what the blocks that agree could not tell
    from zero, in units of the step. complete: whether every block that disagrees was followed to its entries.
    """

    measured: list[Measured] = field(default_factory=list)
    dense: bool = False
    covered: int = 0
    complete: bool = True
    unseen: int = 0
    unresolved: int = 0
    reach: float = 0.0

    @property
    def wrong(self) -> list[Measured]:
        """The entries that are wrong, worst first; one that was measured for several upstreams counts once."""
        found: dict[int, Measured] = {}
        for m in self.measured:
            if m.state == "wrong":
                found.setdefault(m.position, m)
        return sorted(found.values(), key=lambda m: -abs(m.declared - m.numeric))

    def add(self, other: Finds) -> None:
        """Take over what was found in another group of the same argument."""
        self.measured += other.measured
        self.dense |= other.dense
        self.covered += other.covered
        self.complete &= other.complete
        self.unseen += other.unseen
        self.unresolved += other.unresolved
        self.reach = max(self.reach, other.reach)


class Search:
    """Finds the wrong entries of a block.

    least, floor, claim_of: of `Single`, which measures them.
    limit: forward evaluations that the search may take; it then says that it is not complete.
    """

    def __init__(
        self,
        prober: Prober,
        pilot: Estimate,
        least: float,
        floor: float,
        claim_of: Callable[[list[Floats]], Claim] | None = None,
        limit: int | None = None,
    ) -> None:
        self.prober, self.pilot, self.least, self.floor = prober, pilot, least, floor
        self.single = Single(prober, pilot, least, floor, claim_of)
        self.meter = prober.stencil.calls.meter
        self.limit = self.meter.forward_evaluations + (LIMIT if limit is None else limit)

    def run(self, block: Block, claim: Claim) -> Finds:
        """Measure what has to be measured to name the wrong entries of the block."""
        if block.size <= EVERY:
            return self._every(block, claim)
        finds, level, depth = Finds(covered=block.size), [block], 0
        sampled = False
        while level:
            halves = 2 * len(level)
            for half in (half for parent in level for half in parent.halves()):
                self.prober.announce_sharp(half, 100 + depth, self.pilot, RUNGS, alone=True)
            following = [pair for parent in level for pair in self._worse_halves(parent, claim, depth, finds)]
            depth += 1
            if not sampled and halves >= DENSE_BLOCKS and len(following) >= DENSE_SHARE * halves:
                sampled = True
                sample = self._sample(block, claim)
                if len(sample.wrong) >= DENSE_ENTRIES * SAMPLE:
                    return sample
            level = []
            for _, part in self._within_limit(following, finds):
                if part.size == 1:
                    finds.measured.append(self.single.entry(part.argument, int(part.positions()[0]), claim))
                else:
                    level.append(part)
        return finds

    def _every(self, block: Block, claim: Claim) -> Finds:
        """Each entry alone; where all of them are right and the block still is not, it is unresolved.

        Along each entry the median of three equal numbers stands still, along all of them together it does not. Of
        these no block tells anything that holds only some: they are moved together where kinks are judged.
        """
        positions = block.positions()
        self.single.announce(block.argument, positions)
        finds = Finds([self.single.entry(block.argument, int(p), claim) for p in positions], covered=block.size)
        if block.size > 1 and all(m.state == "right" for m in finds.measured):
            unit = self.prober.stencil.unit_of
            excused = sum(abs(m.declared - m.numeric) * unit(block.argument, m.position) for m in finds.measured)
            plain = any(self._is_plain(block, claim, draw, excused) for draw in (100, 200))
            finds.unresolved = int(plain and not divided(self.prober.stencil, block.argument, positions))
        return finds

    def _is_plain(self, block: Block, claim: Claim, draw: int, excused: float) -> bool:
        """Whether a block disagrees by a good part of what moves, however small the step; not where noise hides that.

        excused: by how much its entries together are off themselves, each for a reason of its own.
        """
        first, told = self._probe(block, claim, draw), 0
        if not first.finite or not self._disagrees(first):
            return False
        for by in NEARER:
            closer = self.prober.pilot(block, claim, draw, step=first.step * by)
            if not closer.finite or 4 * closer.bar > first.gap:
                break
            if closer.gap <= max(closer.bar, PLAIN * closer.scale, 4 * excused):
                return False
            told += 1
        return told >= 2

    def _worse_halves(self, parent: Block, claim: Claim, depth: int, finds: Finds) -> list[tuple[float, Block]]:
        """The halves of a block that disagree, with their gaps; where none does, the block itself is asked again."""
        for draw in (100 + depth, 200 + depth):
            seen = [(self._probe(half, claim, draw), half) for half in parent.halves()]
            worse = [(e.gap if e.finite else np.inf, half) for e, half in seen if self._disagrees(e)]
            if worse or not self._disagrees(self._probe(parent, claim, 200 + depth)):
                break
        else:
            finds.unresolved += 1
        agreeing = [e.reach for e, _ in seen if not self._disagrees(e)]
        finds.reach = max([finds.reach, *agreeing])
        return worse

    def _within_limit(self, following: list[tuple[float, Block]], finds: Finds) -> list[tuple[float, Block]]:
        """All blocks of a level, if following each to its entry is granted; else the largest gaps and some others."""
        if not following:
            return following
        left = self.limit - self.meter.forward_evaluations
        if len(following) * (2 * COST * following[0][1].size.bit_length() + COST) <= left:
            return following
        following = sorted(following, key=lambda pair: (-pair[0], pair[1].key))
        largest, others = following[: FOLLOWED // 2], following[FOLLOWED // 2 :]
        rng = np.random.default_rng([self.prober.seed & 0xFFFFFFFF, 78, len(following)])
        picked = rng.choice(len(others), min(len(others), FOLLOWED - len(largest)), replace=False)
        kept = [*largest, *(others[int(k)] for k in np.sort(picked))]
        if left <= 0:
            kept = []
        if len(kept) < len(following):
            finds.complete = False
            finds.unseen += len(following) - len(kept)
        return kept

    def _probe(self, block: Block, claim: Claim, draw: int) -> Estimate:
        estimate = self.prober.sharp(block, claim, draw, self.pilot, RUNGS)
        noise, bar = self.prober.noise, estimate.bar
        if bar < estimate.gap < BLATANT * bar and self._disagrees(estimate) and not noise.measured(block.key):
            # The outputs that this block moves may tremble more, for their size, than all outputs together.
            self.prober.pilot(block, claim, draw)
            estimate = self.prober.sharp(block, claim, draw, self.pilot, RUNGS)
        return estimate

    def _disagrees(self, estimate: Estimate) -> bool:
        return (
            not estimate.finite
            or self.prober.kinked(estimate)
            or estimate.gap > max(estimate.bar, 0.25 * self.least * self.floor)
        )

    def _sample(self, block: Block, claim: Claim) -> Finds:
        rng = np.random.default_rng([self.prober.seed & 0xFFFFFFFF, 77, block.argument])
        picked = np.sort(rng.choice(block.size, SAMPLE, replace=False))
        positions = block.positions(picked.astype(np.intp))
        self.single.announce(block.argument, positions)
        measured = [self.single.entry(block.argument, int(p), claim) for p in positions]
        finds = Finds(measured, dense=True, covered=SAMPLE)
        wrong = len(finds.wrong)
        finds.unseen = round(wrong / SAMPLE * block.size) - wrong
        return finds
