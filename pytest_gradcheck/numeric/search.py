"""Search: from a block that disagrees to the single entries that are wrong.

A block that disagrees is halved and each half probed again: k wrong entries among n cost about k log2(n)
probes. Where blocks disagree everywhere a sample tells whether nearly every entry is wrong; where errors are too
many to follow each, some are followed, the largest among them, and the others are counted by their blocks.
A block that disagrees and whose parts do not is not forgiven: it is counted as unresolved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from .directions import Direction
from .ladder import LARGEST, SIGMAS, Estimate
from .noise import DIGITS, STAIR
from .probe import PILOT, SHARP, SINGLE, Prober
from .scales import Floats
from .stencil import Block, Claim, Index

State = Literal["right", "wrong", "kink", "undecided"]

#: An argument of at most so many entries is measured entry by entry: the diagnosis then sees all of it.
EVERY = 200
#: Blocks of one level that must be seen, and the share of them that disagrees, for the error to be dense perhaps.
DENSE_BLOCKS, DENSE_SHARE = 24, 0.75
#: Entries sampled where the error may be dense, and the share of them that must be wrong.
SAMPLE, DENSE_ENTRIES = 64, 0.1
#: A gap of so many bars needs no second look before the second opinion.
BLATANT = 1e4
#: A declared gradient of this part of the largest one may be the rounding of terms that cancel.
RESIDUE = 2.0**-46
#: From one step to the next smaller one at which an entry must still be wrong.
CLOSER = 64.0
#: Larger steps at which an entry is looked at whose step moves nothing.
LOOKS = 16
#: A forward that trembles by so many roundings of its outputs does more than round them.
UNUSUAL = 30.0
#: Where there are too many errors to follow each, so many blocks of a level are followed.
FOLLOWED = 16
#: Forward evaluations that a search may take where nothing else is said.
LIMIT = 12_000
#: Rungs of the ladder at a block, and forward evaluations of it.
RUNGS = PILOT + 1
COST = 2 * RUNGS


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

    least: relative error below which an entry is not accused; it refers to the entry, or to `floor` (of
    |gradient x step|) where that is larger.
    claim_of: from an upstream to what backward declares for it, to look again at outputs that moved.
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
        self.claim_of = claim_of
        self.meter = prober.stencil.calls.meter
        self.limit = self.meter.forward_evaluations + (LIMIT if limit is None else limit)

    def run(self, block: Block, claim: Claim) -> Finds:
        """Measure what has to be measured to name the wrong entries of the block."""
        if block.size <= EVERY:
            positions = block.positions()
            self._announce_entries(block.argument, positions)
            return Finds([self.entry(block.argument, int(p), claim) for p in positions], covered=block.size)
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
                    finds.measured.append(self.entry(part.argument, int(part.positions()[0]), claim))
                else:
                    level.append(part)
        return finds

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
        self._announce_entries(block.argument, positions)
        measured = [self.entry(block.argument, int(p), claim) for p in positions]
        finds = Finds(measured, dense=True, covered=SAMPLE)
        wrong = len(finds.wrong)
        finds.unseen = round(wrong / SAMPLE * block.size) - wrong
        return finds

    def _announce_entries(self, i: int, positions: Index) -> None:
        for p in positions.tolist():
            self.prober.announce_sharp(Block(i, (p, p + 1)), 0, self.pilot, SINGLE, alone=True)

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
        close = least < estimate.gap < BLATANT * estimate.bar and estimate.bar < 20 * estimate.gap
        # A forward that cancels trembles by another amount in each output: the block's noise is not the entry's.
        trembling = self.prober.noise.factor > UNUSUAL and estimate.gap > max(estimate.bar, least)
        if close or trembling:
            # Too close to call: the entry's own curvature gives a better step than the block's did.
            estimate = self._once_more(block, claim, estimate)
        if estimate.finite and estimate.gap > max(estimate.bar, least) and not self.prober.kinked(estimate):
            estimate = self._above_last_digits(block, claim, estimate)
        size = self._size(block, estimate, unit)
        numeric, bar = estimate.value * size, estimate.bar * abs(size)
        claimed = estimate.declared * size if stencil.is_structured(i) else declared
        state: State
        if not estimate.finite:
            state = "undecided"
        elif self.prober.kinked(estimate):
            return self._at_kink(block, claim, position, claimed, estimate, size)
        elif (
            estimate.gap <= max(estimate.bar, least)
            or (_is_residue(claimed, estimate.gap * size, claim) and self._hardly_moves(block, estimate))
            or self._below_rounding(block, claim, estimate)
        ):
            state = "right"
        else:
            told = self.prober.converged(estimate) or estimate.gap > 3 * estimate.bar
            state = "wrong" if told and not self._among_last_digits(block, estimate) else "undecided"
        return Measured(position, claimed, numeric, bar, state)

    def _once_more(self, block: Block, claim: Claim, first: Estimate) -> Estimate:
        """One entry at the step that its own curvature suggests; where two looks differ, that is in the bar."""
        if self.prober.kinked(first):
            return first
        again = self.prober.sharp(block, claim, 0, self.prober.pilot(block, claim), SHARP)
        apart = abs(again.value - first.value)
        if not again.finite or not first.finite or apart <= again.bar + first.bar:
            return again
        return replace(again, truncation=again.truncation + apart)

    def refuted(self, i: int, position: int, claim: Claim, rests: Sequence[Floats]) -> bool:
        """Whether an entry that seems wrong is right at smaller steps, where its slope is what a derivative is.

        At a step far beyond the function's own scale what is measured may seem to converge, by chance or because the
        function is smooth there. It is looked at down to where the rounding would hide the gap. Slopes that grow as the
        step falls are no slopes yet: outputs oscillate within it, and what seems to be rounding is more of that.

        rests: by how much each output changes where the inputs change in their last digits. A gap that is no more than
        that, in the outputs that the entry moves (in all where it moves none), is none: they are the rest of larger
        numbers that cancel.
        """
        block = Block(i, (position, position + 1))
        first = self.prober.sharp(block, claim, 0, self.pilot, SINGLE)
        step, direction = first.step / CLOSER, self.prober.direction(block, 0)
        plus, minus = self.prober.stencil.pair(block, direction, first.step)
        still = all(map(np.array_equal, plus, minus))
        trembles = (
            np.abs(u) * r * (still | (p != m)) for p, m, u, r in zip(plus, minus, claim.upstream, rests, strict=True)
        )
        if first.gap * first.step <= SIGMAS * sum(float(t.sum()) for t in trembles):
            return True
        if still:
            return self._moves_farther(block, claim, direction, first)
        while step > 1e-14:
            closer = self.prober.pilot(block, claim, step=step)
            growing = closer.seen > DIGITS * first.seen
            if not closer.finite or (SIGMAS * closer.noise > first.gap / 4 and not growing):
                return False
            if closer.seen > 0.0 and closer.gap <= closer.bar <= first.gap / 4:
                return True
            step /= DIGITS if growing else CLOSER
        return False

    def _moves_farther(self, block: Block, claim: Claim, direction: Direction, first: Estimate) -> bool:
        """Whether an entry that moves nothing does so at a larger step, by about what is declared.

        What a sum of 1e10 loses of it is no error. A rounded output, too, moves by about as much in the end: to be told
        from that, two steps must agree closely, but where the gap is no more than last digits of one.
        """
        upstream = max((float(np.abs(u).max(initial=0.0)) for u in claim.upstream), default=0.0)
        minute = first.gap * first.step <= DIGITS * STAIR * upstream
        # An entry of 1e-9 is moved by parts of one as well.
        step, unit = 8 * first.step, self.prober.stencil.unit_of(block.argument, int(block.positions()[0]))
        largest, agreed = LARGEST * max(1.0, 1.0 / unit), 0
        wider = max(8.0, (8 * largest / step) ** (1 / LOOKS))
        while step <= 8 * largest and agreed < 2:
            farther = self.prober.ladder(block, claim, direction, min(step, largest), SINGLE)
            size = abs(farther.declared)
            close = farther.gap <= max(min(farther.bar, size / DIGITS), size / (DIGITS * DIGITS))
            if farther.finite and farther.seen > 0.0:
                agreed += 2 if minute and farther.gap <= farther.bar else int(close)
            step *= wider
        return agreed >= 2

    def _above_last_digits(self, block: Block, claim: Claim, estimate: Estimate) -> Estimate:
        """The entry at a larger step, where the gap is so small that it may be the last digits of numbers near one.

        x (1 + tanh(x)) of a large negative x moves in slopes of 2^-53, each of them smooth: only a step across many
        of them shows what they follow. Where that agrees, the gap is no error.
        """
        largest = max((float(np.abs(u).max(initial=0.0)) for u in claim.upstream), default=0.0)
        step, direction = DIGITS * STAIR * largest / estimate.gap, self.prober.direction(block, 0)
        while estimate.step < step <= LARGEST:
            far = self.prober.ladder(block, claim, direction, step, SINGLE)
            if far.finite and far.bar <= estimate.gap / 4 and far.gap <= far.bar + estimate.gap / DIGITS:
                return replace(far, truncation=far.truncation + estimate.gap / DIGITS)
            step *= 4
        return estimate

    def _hardly_moves(self, block: Block, estimate: Estimate) -> bool:
        """Whether no output moves by more than a few of its last digits, or entries move within a structure only."""
        stencil, eps = self.prober.stencil, self.prober.noise.eps
        if estimate.seen == 0.0 or stencil.is_structured(block.argument):
            return True
        plus, minus = stencil.pair(block, self.prober.direction(block, 0), estimate.step)
        return all(bool((np.abs(p - m) <= 8 * e * np.abs(p)).all()) for p, m, e in zip(plus, minus, eps, strict=True))

    def _among_last_digits(self, block: Block, estimate: Estimate) -> bool:
        """Whether all that moves are rests: outputs that are about zero, and move by less than the last digit of one.

        Of a divergence between equal distributions a step may show one term and not the other, which is lost in the
        rounding of a logarithm. An output that is as small itself has digits of its own.
        """
        plus, minus = self.prober.stencil.pair(block, self.prober.direction(block, 0), estimate.step)
        moved = False
        for p, m, y in zip(plus, minus, self.prober.stencil.center, strict=True):
            moves = np.abs(p - m)
            if ((moves > 0.0) & ((moves > STAIR) | (np.abs(y) > moves))).any():
                return False
            moved |= bool(moves.any())
        return moved

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
        # What is left may tremble more than it shows, and a larger step makes less of that.
        sharp = self.prober.sharp(block, masked, 0, self.pilot, SINGLE)
        far = self.prober.ladder(block, masked, self.prober.direction(block, 0), self.prober.ceiling / 3, SINGLE)
        return any(e.finite and e.gap <= max(e.bar, 1e-3 * abs(e.value)) for e in (sharp, far) if e.bar < estimate.gap)

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
        inside = abs(declared - centre) <= half or self._below_rounding(block, claim, estimate)
        state: State = "kink" if inside else "undecided" if self._among_last_digits(block, estimate) else "wrong"
        return Measured(position, declared, centre, abs(size) * estimate.bar, state, centre - half, centre + half)


def _is_residue(declared: float, gap: float, claim: Claim) -> bool:
    """Whether a gradient and its error are what rounding leaves where terms cancel: minute beside the largest one."""
    sizes = (np.abs(g[np.isfinite(g)]).max(initial=0.0) for g in claim.gradients if g is not None)
    return max(abs(declared), abs(gap)) <= RESIDUE * float(max(sizes, default=0.0))
