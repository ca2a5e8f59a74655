"""Rough outputs: where steps cross kinks, the outputs that have them are taken out of the upstream and judged apart.

Half of the inputs of a relu may be exactly zero, and a thousand of a million lie within a step of it; halving
blocks would find each of them. Instead the outputs that are smooth within a step are probed with the others
masked out; those are probed at a smaller step; what is rough at the smallest stands on a kink, and the kink
rule judges it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .kinks import KinkRule, rough_outputs, split
from .ladder import LARGEST
from .probe import SINGLE, Prober
from .scales import Floats, rms
from .slopes import Mask
from .stencil import Block, Claim

if TYPE_CHECKING:
    from .examine import Examination
    from .standing import ArgumentOutcome

#: From one neighbourhood of the centre to the next smaller one.
SHRINK = 24.0
#: Forwards that tremble by more are looked at in wider neighbourhoods first; the rounding for which the first step is.
COARSE, EXACT = 1e-10, 2.0**-53
#: Where fewer of the outputs than this are smooth, a smaller neighbourhood is tried at once.
MOSTLY = 0.1


class RoughOutputs:
    """Handles the arguments of one examination that have rough outputs, and remembers outputs on kinks."""

    def __init__(self, examination: Examination) -> None:
        self.whole = examination
        self.stencil, self.prober, self.noise = examination.stencil, examination.prober, examination.noise
        rounding = self.noise.factor * max(self.noise.eps)
        self.nearest = max(2e-8, 64 * rounding)
        # At the usual steps float32 tells next to nothing: the error of a difference is least where the step follows
        # the third root of the rounding.
        self.widest, self.mostly = 2 * self.prober.h, MOSTLY
        if rounding > COARSE:
            # What a wide neighbourhood tells no smaller one will: each output is looked at where it is smooth.
            self.widest, self.mostly = min(LARGEST, self.widest * (rounding / EXACT) ** (1 / 3)), 0.0
        self.kinks: list[Mask] = [np.zeros(y.size, bool) for y in self.stencil.center]
        #: By argument, the claim for the outputs that are on a kink or near one.
        self.waiting: dict[int, Claim] = {}

    def resolve(self, i: int, claim: Claim) -> bool:
        """Judge argument i with its rough outputs apart; False where it has none, so that entries are to blame."""
        block = Block(i, (0, self.stencil.flat[i].size))
        step, remaining = self.widest, claim
        found = False
        while step > self.nearest:
            masks = self._masks(block, step, remaining)
            rough = sum(int(m.sum()) for m in masks)
            if rough == 0:
                if found:
                    self._probe(i, remaining, step / 2)
                return found
            outcome = self.whole.outcomes[i]
            outcome.rough = max(outcome.rough, rough)
            total = sum(int(np.count_nonzero(u)) for u in remaining.upstream)
            found = True
            if rough < (1 - self.mostly) * total:
                smooth, others = split(remaining, masks)
                self._probe(i, self._masked(smooth), step / 2)
                remaining = self._masked(others)
                if step <= 2 * self.prober.h:
                    break
            step = step / SHRINK if step <= 2 * self.prober.h else max(step / SHRINK, 2 * self.prober.h)
        self.waiting[i] = remaining
        return True

    def _masks(self, block: Block, step: float, claim: Claim) -> list[Mask]:
        direction = self.prober.direction(block, 50)
        masks = rough_outputs(self.stencil, self.noise, block, direction, step)
        return [m & (u != 0.0) for m, u in zip(masks, claim.upstream, strict=True)]

    def _masked(self, upstream: list[Floats]) -> Claim:
        claim = self.whole.claim_of(upstream)
        claim.masked = True
        return claim

    def _probe(self, i: int, claim: Claim, ceiling: float) -> None:
        """The smooth outputs, within the neighbourhood in which they are smooth."""
        if claim.gradients[i] is None or not any(u.any() for u in claim.upstream):
            return
        prober = Prober(self.stencil, self.noise, self.prober.seed, ceiling, ceiling)
        for s in self.whole.standings_of(i, claim, prober):
            s.suspect = not s.pilot.agrees or self.prober.kinked(s.pilot)
            if s.pilot.scale > 0.0 or s.pilot.declared != 0.0:
                self.whole.drawn(s, prober, SINGLE)
            self.whole.settle(s, prober)

    def _nearby(self, i: int, block: Block, claim: Claim) -> None:
        """Outputs that are rough at the usual steps: smooth in the smallest neighbourhood, or on a kink."""
        masks = self._masks(block, self.nearest, claim)
        near, at = split(claim, masks)
        self.kinks = [k | (u != 0.0) for k, u in zip(self.kinks, at, strict=True)]
        if not any(u.any() for u in near):
            return
        claim = claim if not any(u.any() for u in at) else self._masked(near)
        if claim.gradients[i] is None:
            return
        prober = Prober(self.stencil, self.noise, self.prober.seed, self.nearest / 2, self.nearest / 2)
        # By groups: among entries a million times larger nothing would be seen of a small one.
        for s in self.whole.standings_of(i, claim, prober):
            s.suspect = not s.pilot.agrees
            self.whole.drawn(s, prober, SINGLE, least=0)
            self.whole.settle(s, prober)

    def note(self, i: int, positions: Sequence[int]) -> None:
        """Remember the outputs that stand on a kink when one of these entries moves."""
        for position in positions[:8]:
            block = Block(i, (position, position + 1))
            direction = self.prober.direction(block, 0)
            masks = rough_outputs(self.stencil, self.noise, block, direction, self.nearest)
            self.kinks = [a | b for a, b in zip(self.kinks, masks, strict=True)]

    def _typical(self, arguments: Iterable[int]) -> dict[int, float]:
        """How large the slopes of an output are along an entry, by argument: as large as if each output had a part."""
        outputs = max(1, sum(int(np.count_nonzero(u)) for u in self.whole.claim.upstream))
        gradients = {i: g for i in arguments if (g := self.whole.claim.gradients[i]) is not None}
        return {i: rms(g[np.isfinite(g)]) / outputs**0.5 for i, g in gradients.items()}

    def rule(self, outcomes: dict[int, ArgumentOutcome]) -> None:
        """Ask the kink rule for every output that was found on a kink, or near one."""
        rough = list(self.kinks)
        for claim in self.waiting.values():
            rough = [k | (u != 0.0) for k, u in zip(rough, claim.upstream, strict=True)]
        if not any(m.any() for m in rough):
            return
        rule = KinkRule(
            self.stencil, self.noise, self.whole.claim_of, self.prober.seed & 0xFFFFFFFF, self._typical(outcomes)
        )
        judgement = rule.all_at_once(rough, list(outcomes))
        if judgement is None:
            for i, claim in self.waiting.items():
                self._nearby(i, Block(i, (0, self.stencil.flat[i].size)), claim)
            if not any(m.any() for m in self.kinks):
                return
            judgement = rule.judge(self.kinks, list(outcomes))
        # What several arguments declare together is wrong where one of them is: the others are not to blame.
        blamed = {i for i, outcome in outcomes.items() if outcome.finds.wrong}
        for i, outcome in outcomes.items():
            mine = [b for b in judgement.breaches if any(e[0] == i for e in b.entries)]
            mine = [b for b in mine if i in blamed or not blamed & {e[0] for e in b.entries}]
            outcome.kinks = replace(judgement, breaches=mine)
            outcome.relative = max(outcome.relative, judgement.reach)
            if i in judgement.vague:
                outcome.blind = outcome.blind or "the one-sided slopes where it seems to have kinks do not settle"
            if judgement.all_asked and i in self.waiting:
                outcome.covered, outcome.still = self.stencil.flat[i].size, False
