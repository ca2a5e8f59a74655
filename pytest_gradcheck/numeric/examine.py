"""Examine: every argument of one layer at one point, from a few coarse probes to the single entries that are wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from weakref import proxy

import numpy as np

from .edges import OneSided
from .joint import joint_estimate
from .ladder import LARGEST, Estimate
from .noise import Noise
from .probe import PILOT, SHARP, Prober
from .rough import RoughOutputs
from .scales import Floats, Group, groups, norm, rms
from .search import LIMIT, Finds, Search
from .sharpness import detection_limit
from .standing import BLIND, ArgumentOutcome, Standing
from .stencil import Block, Claim, Index, Stencil

#: Sharp draws of a group of entries, if the evaluations last; and at most, where a sharpness is asked for.
DRAWS, MOST = 3, 12
#: Relative errors below this are rounding for most purposes; a check asked for no sharpness does not accuse them.
UNASKED = 1e-9
#: Units below this have steps that are no normal numbers any more.
SMALLEST = 1e-290
#: A gradient times its unit below this share of the outputs changes them by less than anyone will see.
NEGLIGIBLE = 1e-9
#: A truncation of this share of the slope says that the step is far beyond the function's own scale.
WILD = 0.03


class Examination:
    """All arguments of a layer at one point.

    claim_of: from an upstream to what backward declares for it (one forward at the centre and one backward).
    sharpness: relative error that must be caught, None for what the usual evaluations give.
    reserve: forward evaluations that others (the contract) will still need of the usual ones.
    brief: whether six evaluations for all arguments together are enough where they agree and tell small entries.
    """

    def __init__(
        self,
        stencil: Stencil,
        prober: Prober,
        claim_of: Callable[[list[Floats]], Claim],
        sharpness: float | None,
        reserve: int,
        brief: bool = False,
    ) -> None:
        self.stencil, self.prober, self.claim_of = stencil, prober, claim_of
        self.noise: Noise = prober.noise
        self.asked = sharpness
        self.reserve = reserve
        self.brief = brief
        self.outcomes: dict[int, ArgumentOutcome] = {}
        #: Forward evaluations after which no second draw is begun, where none is asked for.
        self.allowance = 0
        self.meter = stencil.calls.meter
        self.began = self.meter.forward_evaluations
        # Weakly: with a cycle, arrays as large as the layer's would outlive the check.
        self.one_sided = OneSided(proxy(self))
        #: By argument, the groups that were not looked at because one before them saw what may be kinks.
        self.left: dict[int, list[tuple[Block, Group]]] = {}

    def run(self, claim: Claim, arguments: Sequence[int]) -> list[ArgumentOutcome]:
        """Examine the given arguments against one claim."""
        self.outcomes = {i: ArgumentOutcome(i) for i in arguments}
        if self.brief and self._brief(claim, arguments):
            return list(self.outcomes.values())
        self.noise.settle_dust(claim)
        self.claim = claim
        standings = {i: self.standings_of(i, claim) for i in arguments}
        everyone = [s for group in standings.values() for s in group]
        allowance = self.allowance = 32 + 12 * max(len(arguments), len(everyone)) - self.reserve
        # Where kinks are in sight already, what is drawn now would be drawn again without them.
        rough = [i for i, group in standings.items() if any(s.suspect for s in group)]
        self._draw([s for i, group in standings.items() if i not in rough for s in group], allowance)
        self.rough = RoughOutputs(proxy(self))
        for i, group in standings.items():
            if not any(s.suspect for s in group) or not self.rough.resolve(i, claim):
                every = [*group, *self._looked_at(self.left.get(i, ()), claim)]
                if i in rough:
                    self._draw(every, allowance)
                for s in every:
                    self.settle(s)
            self.one_sided.on_edges(i, claim)
        self.rough.rule(self.outcomes)
        return list(self.outcomes.values())

    def _brief(self, claim: Claim, arguments: Sequence[int]) -> bool:
        """All arguments at once, for a costly forward; False where that does not settle it."""
        estimate = joint_estimate(self.prober, claim, arguments)
        if not estimate.agrees or self.prober.kinked(estimate):
            return False
        limit, weights = detection_limit([estimate.reach]), {}
        for i in arguments:
            gradient = claim.gradients[i]
            weight = np.zeros(1) if gradient is None else self.stencil.weight(i, gradient)
            weights[i] = typical, floor = rms(weight), max(1e-3 * rms(weight), float(weight.min()))
            asked = min(1.0, self.asked or 1.0)
            if estimate.reach > BLIND * typical > 0 or limit > asked * floor > 0:
                return False
        for i, (_, floor) in weights.items():
            outcome = self.outcomes[i]
            outcome.covered, outcome.still = self.stencil.flat[i].size, estimate.scale == 0.0
            outcome.worst = estimate.gap / estimate.bar if estimate.bar > 0 else 0.0
            outcome.absolute = limit / float(np.min(self.stencil.units[i]))
            outcome.relative = max(self.least, limit / floor) if floor > 0 else 0.0
        return True

    def settle(self, s: Standing, prober: Prober | None = None) -> None:
        """Take what was found for a group into its argument's outcome; look for entries where it is suspect."""
        outcome = self.outcomes[s.block.argument]
        if s.suspect:
            self._look_for_entries(s, outcome, prober or self.prober)
        else:
            self._accept(s, outcome, prober)

    def standings_of(self, i: int, claim: Claim, prober: Prober | None = None) -> list[Standing]:
        """The groups of argument i under a claim, each with its pilot; it ends at the first that may see kinks."""
        gradient, size = claim.gradients[i], self.stencil.flat[i].size
        if gradient is None or size == 0:
            return []
        inside = self._inside(i, gradient)
        weight = self.stencil.weight(i, gradient)
        listed = []
        for group in groups(weight if inside is None else weight[inside]):
            if inside is None:
                block = Block(i, (0, size) if group.index is None else group.index)
            else:
                block = Block(i, inside if group.index is None else inside[group.index])
            if block.size:
                listed.append((block, group))
        del weight  # as large as the argument: the pilots need the room
        (prober or self.prober).announce_pilots([block for block, _ in listed])
        found: list[Standing] = []
        for number, pair in enumerate(listed):
            found += self._looked_at([pair], claim, prober)
            pilot = found[-1].pilot if found else None
            if prober is None and pilot is not None and not pilot.agrees and self._bent(pilot):
                # The outputs that have kinks are taken out first, for all entries of the argument at once.
                found[-1].suspect = True
                self.left[i] = listed[number + 1 :]
                break
        return found

    def _bent(self, pilot: Estimate) -> bool:
        return self.prober.kinked(pilot) or pilot.truncation > 1e-6 * pilot.scale

    def _looked_at(
        self, listed: Sequence[tuple[Block, Group]], claim: Claim, prober: Prober | None = None
    ) -> list[Standing]:
        """Groups with their pilots; those from which a step leads out of the numbers are asked on one side."""
        found = []
        for block, group in listed:
            standing = self.standing(block, claim, prober, group)
            if standing.pilot.finite:
                found.append(standing)
            else:
                self.one_sided.outside(standing, claim)
        return found

    def _inside(self, i: int, gradient: Floats) -> Index | None:
        """Positions that have a two-sided finite difference to compare; None where all have."""
        out = ~np.isfinite(gradient)
        self.outcomes[i].infinite = int(out.sum())
        for positions in self.stencil.edges[i].values():
            out[positions] = True
        unit = self.stencil.units[i]
        if isinstance(unit, np.ndarray):
            out |= unit < SMALLEST
        return np.flatnonzero(~out) if out.any() else None

    def standing(
        self, block: Block, claim: Claim, prober: Prober | None = None, group: Group | None = None
    ) -> Standing:
        """A group with its first look; where the stencil left the numbers, at smaller and smaller steps."""
        prober = prober or self.prober
        if group is None:
            gradient = claim.gradients[block.argument]
            weight = np.zeros(1) if gradient is None else self.stencil.weight(block.argument, gradient)
            typical = norm(weight) / max(1, int(np.count_nonzero(weight))) ** 0.5
            group = Group(None, block.size, typical, 0.0)
        step = prober.h
        estimate = prober.pilot(block, claim)
        while not estimate.finite and step > 1e-9:
            step /= 30
            estimate = prober.pilot(block, claim, step=step)
            self.outcomes[block.argument].left_domain = True
        if estimate.finite and estimate.seen == 0.0 and estimate.declared != 0.0 and prober.ceiling >= LARGEST:
            # Nothing moves although it should: the outputs may be coarse (bfloat16), the step below their quantum.
            for step in (32 * prober.h, 1024 * prober.h, LARGEST):
                estimate = prober.pilot(block, claim, step=step, coarse=True)
                if estimate.seen > 0.0 and estimate.truncation < 0.2 * estimate.seen:
                    break
        for _ in range(4):
            # What is off by half of itself may agree with anything.
            told = estimate.agrees and not estimate.truncation > 0.5 * estimate.seen > 0.0
            if told or estimate.truncation < WILD * estimate.seen or step < 1e-11:
                break
            # Nothing like a slope at this step: the function lives on a smaller scale than its inputs do.
            step /= 64
            closer = prober.pilot(block, claim, step=step)
            estimate = closer if closer.finite else estimate
        return Standing(block, group, claim, estimate)

    def standing_at(self, block: Block, s: Standing) -> Standing:
        """The same standing for a part of its entries."""
        return Standing(block, s.group, s.claim, s.pilot)

    def _draw(self, standings: Sequence[Standing], allowance: int) -> None:
        self._announce(standings, allowance)
        for draw in range(1, 1 + DRAWS):
            for s in standings:
                if s.settled or s.suspect:
                    continue
                if draw > 1 and self._spent(allowance, SHARP) and self._told(s):
                    continue
                # What is left over at the end buys a longer ladder: its larger step makes less of the rounding.
                longer = draw == DRAWS and not self._spent(allowance, SHARP + 1)
                self.one_draw(s, draw, rungs=SHARP + 1 if longer else SHARP)
        draw = DRAWS
        while draw < MOST and any(self._wanting(s) for s in standings):
            draw += 1
            for s in filter(self._wanting, standings):
                self.one_draw(s, draw)

    def _announce(self, standings: Sequence[Standing], allowance: int) -> None:
        """The draws that will be made if nothing is found, as far as the evaluations last."""
        left = allowance - self.meter.forward_evaluations
        for draw in range(1, 1 + DRAWS):
            for s in standings:
                still = s.pilot.scale == 0.0 and s.pilot.declared == 0.0
                if s.settled or s.suspect or still or (draw > 1 and left < 2 * SHARP):
                    continue
                rungs = SHARP + 1 if draw == DRAWS and left >= 2 * SHARP + 2 else SHARP
                self.prober.announce_sharp(s.block, draw, s.pilot, rungs)
                left -= 2 * rungs

    @property
    def least(self) -> float:
        """Relative error of an entry below which it is not accused."""
        return UNASKED if self.asked is None else min(UNASKED, self.asked / 2)

    def _spent(self, allowance: int, rungs: int) -> bool:
        return self.meter.forward_evaluations + 2 * rungs > allowance

    def _told(self, s: Standing) -> bool:
        """Whether a group was looked at enough: not where any error as large as itself would pass."""
        return self._sharp_enough(s) and (s.limit <= s.size or not self._matters(s))

    def _sharp_enough(self, s: Standing) -> bool:
        return self.asked is None or s.limit <= self.asked * s.floor

    def _wanting(self, s: Standing) -> bool:
        told = self._sharp_enough(s) and not (s.open and self._matters(s))
        return not (s.settled or s.suspect or told)

    def one_draw(self, s: Standing, draw: int, prober: Prober | None = None, rungs: int = SHARP) -> None:
        """One sharp estimate more for a group; it becomes suspect where that disagrees or does not settle."""
        prober = prober or self.prober
        if s.pilot.finite and s.pilot.scale == 0.0 and s.pilot.declared == 0.0:
            # No output moved and none was declared to: another direction and a larger step are all there is to learn.
            s.settled, rungs = True, PILOT
        estimate = prober.sharp(s.block, s.claim, draw, s.pilot, rungs)
        s.draws.append(estimate)
        left = max(e.truncation for e in s.draws)
        if not estimate.finite or estimate.gap > estimate.bar - estimate.truncation + left or prober.kinked(estimate):
            s.suspect = True
        if not prober.converged(estimate) and estimate.bar > BLIND * s.group.typical:
            s.suspect = True

    def _accept(self, s: Standing, outcome: ArgumentOutcome, prober: Prober | None = None) -> None:
        """Take a group whose probes agree for right, and state how sharp they were; what they cannot tell is parted."""
        i, gradient = s.block.argument, s.claim.gradients[s.block.argument]
        limit = s.limit
        floor = s.floor or self._argument_floor(s)
        relative = limit / floor if floor > 0 else 0.0
        if relative > 1.0 and gradient is not None and not s.hidden:
            parts = s.parted(self.stencil.weight(i, gradient))
            if parts is not None:
                # All that is left there is larger than the limit: it is not parted again.
                self._accept(parts[0], outcome)
                self._alone(parts[1], s, outcome, prober)
                return
        outcome.covered += s.count
        outcome.still &= s.size == 0.0
        unit = self.stencil.units[i]
        smallest_unit = float(np.min(unit[unit > 0], initial=np.inf)) if isinstance(unit, np.ndarray) else unit
        outcome.absolute = max(outcome.absolute, limit / smallest_unit)
        if not s.hidden and (relative <= 1.0 or self._matters(s)):
            outcome.relative = max(outcome.relative, relative, self.least)
        else:
            self._untold(s, outcome)
        for e in s.draws:
            if e.finite and e.bar > 0:
                outcome.worst = max(outcome.worst, e.gap / e.bar)

    def _untold(self, s: Standing, outcome: ArgumentOutcome) -> None:
        """A group of which an error as large as itself might pass: nothing is decided, or it is counted and said.

        Counted is what does not matter; and what was parted from larger entries, where no sharpness is asked for.
        """
        if self._matters(s) and (not s.beside or self.asked is not None):
            outcome.blind = outcome.blind or "its gradient is smaller than what the noise of the forward hides"
        elif not (s.claim.masked and s.size == 0.0):
            # Of what is zero because its outputs are masked another claim speaks; others may be counted under each.
            outcome.hidden = min(outcome.hidden + s.count, self.stencil.flat[s.block.argument].size)

    def _alone(self, part: tuple[Block, Group], s: Standing, outcome: ArgumentOutcome, prober: Prober | None) -> None:
        """The entries of a group that are lost beside its larger ones: outputs that these move may tremble less."""
        for looked in self._looked_at([part], s.claim, prober):
            looked.beside, looked.suspect = True, self.prober.kinked(looked.pilot)
            self.drawn(looked, prober)
            self.settle(looked, prober)

    def drawn(self, s: Standing, prober: Prober | None = None, rungs: int = SHARP, least: int = 1) -> None:
        """Draws of a group, so many at least, until it is told and as sharp as is asked; or something is suspect."""
        draw = 0
        while not (s.suspect or s.settled) and (draw < least or (draw < DRAWS and not self._told(s))):
            draw += 1
            self.one_draw(s, draw, prober, rungs)
        while draw < MOST and self._wanting(s):
            draw += 1
            self.one_draw(s, draw, prober, rungs)

    def _argument_floor(self, s: Standing) -> float:
        gradient = s.claim.gradients[s.block.argument]
        if gradient is None:
            return 0.0
        return 1e-3 * rms(self.stencil.weight(s.block.argument, gradient))

    def _matters(self, s: Standing) -> bool:
        """Whether a group is large enough, beside its argument's gradient and the outputs, that it should be told."""
        outputs = zip(s.claim.upstream, self.stencil.center, strict=True)
        size = math.hypot(*(norm(u * y) for u, y in outputs))
        return s.size > max(1e-3 * self._argument_floor(s), NEGLIGIBLE * size)

    def _look_for_entries(self, s: Standing, outcome: ArgumentOutcome, prober: Prober) -> None:
        left = max(0, LIMIT + self.began - self.meter.forward_evaluations)
        finds = Search(prober, s.pilot, self.least, s.floor, self.claim_of, left).run(s.block, s.claim)
        outcome.still = False
        outcome.covered += finds.covered
        outcome.finds.add(finds)
        rough = [m.position for m in finds.measured if m.state == "kink"]
        outcome.rough = max(outcome.rough, len(rough))
        if finds.wrong:
            return
        self.rough.note(s.block.argument, rough)
        undecided = sum(m.state == "undecided" for m in finds.measured)
        if undecided:
            outcome.blind = outcome.blind or f"{undecided} of its entries could not be decided"
        elif finds.unresolved or not finds.complete:
            outcome.blind = outcome.blind or "its probes disagree, and no entry could be found to blame"
        self._accept_measured(s, outcome, finds)

    def _accept_measured(self, s: Standing, outcome: ArgumentOutcome, finds: Finds) -> None:
        """State the sharpness of a group of which every suspect entry was measured alone, and found right."""
        i, floor = s.block.argument, s.floor or self._argument_floor(s)
        # A block that agrees was asked once: two errors in it may cancel. An entry alone has nothing to cancel with.
        limit = detection_limit([finds.reach]) if finds.reach else 0.0
        seen = BLIND * s.size * min(s.group.size, 16) ** 0.5
        vague = finds.reach > seen
        for m in finds.measured:
            if m.state == "right":
                unit = self.stencil.unit_of(i, m.position)
                reach = (m.bar + abs(m.declared - m.numeric)) * unit
                limit, vague = max(limit, reach), vague or reach > seen
                outcome.absolute = max(outcome.absolute, reach / unit)
        unit = self.stencil.unit_of(i, int(s.block.positions()[0])) or 1.0
        outcome.absolute = max(outcome.absolute, limit / unit)
        relative = limit / floor if floor > 0 else 0.0
        if s.size > 0 and (vague or (relative > 1.0 and not self._matters(s))):
            self._untold(s, outcome)
            return
        outcome.relative = max(outcome.relative, relative, self.least)
