"""Single: one entry measured alone, and whether it is right, wrong, on a kink, or not to be decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .appeal import Appeal
from .ladder import Estimate
from .probe import SHARP, SINGLE, Prober
from .scales import Floats
from .stencil import Block, Claim, Index
from .untied import Excuses, tied

State = Literal["right", "wrong", "kink", "undecided"]

#: A gap of so many bars needs no second look before the second opinion.
BLATANT = 1e4
#: A declared gradient of this part of the largest one may be the rounding of terms that cancel.
RESIDUE = 2.0**-46
#: A forward that trembles by so many roundings of its outputs does more than round them.
UNUSUAL = 30.0


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


class Single:
    """Measures entries one by one.

    least: relative error below which an entry is not accused; it refers to the entry, or to `floor` (of
    |gradient x step|) where that is larger.
    claim_of: from an upstream to what backward declares for it, to look again at outputs that moved.
    """

    def __init__(
        self,
        prober: Prober,
        pilot: Estimate,
        least: float = 0.0,
        floor: float = 0.0,
        claim_of: Callable[[list[Floats]], Claim] | None = None,
    ) -> None:
        self.prober, self.pilot, self.least, self.floor = prober, pilot, least, floor
        self.claim_of = claim_of

    def announce(self, i: int, positions: Index) -> None:
        """Say that these entries of argument i are measured next."""
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
        estimate, least = self._estimate(block, claim)
        size = self._size(block, unit)
        claimed = estimate.declared * size if stencil.is_structured(i) else declared
        if estimate.finite and self.prober.kinked(estimate):
            return self._at_kink(block, claim, position, claimed, estimate, size)
        state = self._state(block, claim, estimate, least, max(abs(claimed), abs(estimate.gap * size)))
        if state == "wrong" and self._is_tied(i, position, claim, estimate, abs(size)):
            state = "kink"
        return Measured(position, claimed, estimate.value * size, estimate.bar * abs(size), state)

    def _estimate(self, block: Block, claim: Claim) -> tuple[Estimate, float]:
        """The best estimate of one entry, and the gap below which it is not accused."""
        estimate = self.prober.sharp(block, claim, 0, self.pilot, SINGLE)
        least = self.least * max(self.floor, abs(estimate.value))
        close = least < estimate.gap < BLATANT * estimate.bar and estimate.bar < 20 * estimate.gap
        # A forward that cancels trembles by another amount in each output: the block's noise is not the entry's.
        trembling = self.prober.noise.factor > UNUSUAL and estimate.gap > max(estimate.bar, least)
        if close or trembling:
            # Too close to call: the entry's own curvature gives a better step than the block's did.
            estimate = self._once_more(block, claim, estimate)
        if estimate.finite and estimate.gap > max(estimate.bar, least) and not self.prober.kinked(estimate):
            estimate = self._appeal(block, claim, estimate).beyond_last_digits()
        return estimate, least

    def _state(self, block: Block, claim: Claim, estimate: Estimate, least: float, size: float) -> State:
        """size: of the gradient and its gap, whichever is larger, in the entry's own units."""
        if not estimate.finite:
            return "undecided"
        if estimate.gap <= max(estimate.bar, least):
            return "right"
        appeal = self._appeal(block, claim, estimate)
        if (_is_residue(size, claim) and appeal.hardly_moves()) or appeal.hidden_by_rounding():
            return "right"
        told = self.prober.converged(estimate) or estimate.gap > 3 * estimate.bar
        return "wrong" if told and not appeal.only_rests_move() else "undecided"

    def _is_tied(self, i: int, position: int, claim: Claim, estimate: Estimate, size: float) -> bool:
        """Whether the entry equals others, and what is declared lies between the slopes where it does not."""
        if self.claim_of is None or not tied(self.prober.stencil, ((i, position),)):
            return False
        rng = np.random.default_rng([self.prober.seed & 0xFFFFFFFF, 79, i, position])
        excuses = Excuses(self.prober.stencil, self.prober.noise, self.claim_of, rng)
        weight = np.concatenate(claim.upstream)
        return excuses.excused(((i, position),), estimate.step / size, weight, estimate.gap * size)

    def _once_more(self, block: Block, claim: Claim, first: Estimate) -> Estimate:
        """One entry at the step that its own curvature suggests; where two looks differ, that is in the bar."""
        if self.prober.kinked(first):
            return first
        again = self.prober.sharp(block, claim, 0, self.prober.pilot(block, claim), SHARP)
        apart = abs(again.value - first.value)
        if not again.finite or not first.finite or apart <= again.bar + first.bar:
            return again
        return again._replace(truncation=again.truncation + apart)

    def refuted(self, i: int, position: int, claim: Claim, rests: Sequence[Floats]) -> bool:
        """Whether an entry that seems wrong is right after all: off by no more than `rests`, or right at other steps.

        rests: by how much each output changes where the inputs change in their last digits.
        """
        block = Block(i, (position, position + 1))
        appeal = self._appeal(block, claim, self.prober.sharp(block, claim, 0, self.pilot, SINGLE))
        return appeal.within(rests) or (appeal.farther() if appeal.still else appeal.nearer())

    def _appeal(self, block: Block, claim: Claim, estimate: Estimate) -> Appeal:
        return Appeal(self.prober, self.pilot, block, claim, estimate, self.claim_of)

    def _size(self, block: Block, unit: float) -> float:
        """From an estimate's units to the entry's own."""
        d = float(self.prober.direction(block, 0).over(*block.index)[0]) if isinstance(block.index, tuple) else 1.0
        return 1.0 / (d * unit)

    def _at_kink(
        self, block: Block, claim: Claim, position: int, declared: float, estimate: Estimate, size: float
    ) -> Measured:
        """The rule |g . v - centre| <= 1/2 sum |u (y+ + y- - 2 y0)| / k at the smallest step of the ladder."""
        stencil, step = self.prober.stencil, estimate.step / 2 ** (estimate.rungs - 1)
        plus, minus = stencil.pair(block, self.prober.direction(block, 0), step)
        room = 0.0
        for p, m, y, u in zip(plus, minus, stencil.center, claim.upstream, strict=True):
            room += float(np.abs(u * (p + m - 2 * y))[u != 0.0].sum())
        centre, half = estimate.value * size, abs(size) * (0.5 * room / step + estimate.bar)
        appeal = self._appeal(block, claim, estimate)
        inside = abs(declared - centre) <= half or appeal.hidden_by_rounding()
        state: State = "kink" if inside else "undecided" if appeal.only_rests_move() else "wrong"
        return Measured(position, declared, centre, abs(size) * estimate.bar, state, centre - half, centre + half)


def _is_residue(size: float, claim: Claim) -> bool:
    """Whether a gradient and its error are what rounding leaves where terms cancel: minute beside the largest one."""
    sizes = (np.abs(g[np.isfinite(g)]).max(initial=0.0) for g in claim.gradients if g is not None)
    return size <= RESIDUE * float(max(sizes, default=0.0))
