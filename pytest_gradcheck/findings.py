"""Findings: from what was measured to what is said of it; an accusation needs a second opinion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .calls import INTERRUPTED, Unfinished
from .claims import Claimant
from .contract import FirstCall
from .diagnosis import diagnose
from .domain import Domain, as_domain
from .errors import InvalidInput
from .evidence import ArgumentEvidence, Evidence
from .numeric.directions import mix
from .numeric.examine import Examination
from .numeric.ladder import SIGMAS
from .numeric.noise import Noise
from .numeric.probe import SINGLE, Prober
from .numeric.search import EVERY, Finds
from .numeric.sharpness import MISS
from .numeric.single import Measured, Single
from .numeric.standing import ArgumentOutcome
from .numeric.stencil import Block, Claim, ShapeChanged, Stencil
from .precision import Precision, judge_low
from .settings import PRECISIONS, Settings
from .target import Argument
from .verdict import MOST_INDICES, ArgumentResult, Entry, Finding, Verdict

#: Where all arguments are empty, each of them has its own note.
EMPTY = "nothing was compared: every argument is empty"
#: Forward evaluations that the contract may still need of the usual number.
RESERVE = 12


@dataclass(slots=True)
class Judged:
    """What measuring brought: results by argument, findings, notes, and why it could not be decided (or nothing).

    explained: forward evaluations that the diagnosis took; none where nothing is wrong.
    """

    arguments: list[ArgumentResult] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    undecided: str = ""
    vacuous: bool = False
    explained: int = 0


class Sitting:
    """One judgement: arguments whose gradients can be compared are measured, and what was found is put into words."""

    def __init__(
        self,
        first: FirstCall,
        claimant: Claimant,
        precision: Precision,
        settings: Settings,
        comparable: Sequence[int],
        stencil_of: Callable[[Sequence[Domain | None]], Stencil],
    ) -> None:
        self.first, self.claimant, self.precision, self.settings = first, claimant, precision, settings
        self.arguments = first.calls.target.arguments
        self.comparable = [i for i in comparable if precision.values[i].size]
        self.result = Judged()
        #: What was measured, for whoever wants to look closer: the claim, and one outcome per argument.
        self.seen: tuple[Claim, list[ArgumentOutcome]] | None = None
        self.examination: Examination | None = None
        claimant.describe(precision.outputs)
        domains = domains_of(self.arguments, settings)
        self.stencil = stencil_of(domains)
        self.stencil.writes = bool(first.changed_by_forward)
        self.stencil.take(precision.outputs)
        inside = PRECISIONS.get(settings.precision or "", 0.0) / 2
        if precision.cast or inside:
            self.stencil.input_rounding = (precision.eps if precision.cast else inside) / 2
        dtypes = [y.dtype for y in precision.outputs]
        self.noise = Noise(self.stencil.center, dtypes, settings.accuracy, inside)
        seed = mix(settings.seed, 2)
        self.prober = Prober(self.stencil, self.noise, seed, settings.h)

    def judged(self) -> Judged:
        """The judgement; `Unfinished` passes through, and what was judged until then is in `result`."""
        try:
            self._judge()
        except ShapeChanged as change:
            shapes = ", ".join(map(str, change.args[0]))
            self.result.undecided = f"the outputs change their shape to {shapes} at or near the inputs"
        return self.result

    def _judge(self) -> None:
        claim = self._claim()
        if not self.precision.cast and self.comparable and self.settings.contract != "values":
            claim.trembles = self.claimant.trembling(claim)
        if self.settings.accuracy is not None:
            self.result.notes.append(
                f"forward is declared accurate to {self.settings.accuracy:g}: every error bar is wider"
            )
        outcomes = self.examined(claim)
        self.seen = claim, outcomes
        self._float32_inside()
        for outcome in outcomes:
            self._tell(outcome, claim)
        self._empty()
        if self.result.findings:
            self._explain(claim, outcomes)
        if self.precision.low and not self.precision.cast:
            findings, notes = judge_low(self.first, self.precision, claim.gradients)
            self.result.findings += findings
            self.result.notes += notes
        self._vacuous(outcomes, claim)
        self.stencil.rest()
        if not self.result.findings:
            # As large as the arguments; who looks closer at a check that passed does without.
            claim.trembles = None

    def _claim(self) -> Claim:
        if self.precision.low:
            return self.claimant.of(self.precision.upstream)
        return Claim(self.precision.upstream, self.claimant.flat(self.first.gradients))

    def _float32_inside(self) -> None:
        """A float64 layer whose outputs tremble as in float32 and do not notice 2^-40 computes in less than it says."""
        if (
            self.precision.low
            or self.settings.accuracy
            or (self.noise.factor < 1e4 and self.settings.precision is None)
            or self.claimant.moves(self.stencil.units)
        ):
            return
        told = "its forward does not move when its inputs change by a relative 2^-40"
        if self.settings.precision is not None:
            self.result.notes.append(
                f"declared precision {self.settings.precision}: {told}; its noise is in the error bar"
            )
            return
        name = self.first.calls.target.name
        message = (
            f"{name} takes and returns float64 but computes in a lower precision: {told}; "
            "compute in float64, or declare precision='float32'"
        )
        self.result.findings.append(Finding("dtype", message, clause="precision"))

    def examined(self, claim: Claim) -> list[ArgumentOutcome]:
        """One outcome per argument, by block probes."""
        self.examination = examination = Examination(
            self.stencil, self.prober, self.claimant.of, self.settings.sharpness,
            RESERVE if self.settings.contract == "full" else 0, brief=self.settings.contract == "values",
        )  # fmt: skip
        try:
            return examination.run(claim, self.comparable)
        except (Unfinished, KeyboardInterrupt) as end:
            why = str(end)
            if isinstance(end, KeyboardInterrupt):
                # What was found is told; whoever would ask the layer for more of it is refused.
                self.first.calls.meter.interrupted, why = True, INTERRUPTED
            self.result.undecided = why
            for outcome in examination.outcomes.values():
                if outcome.covered < self.stencil.flat[outcome.argument].size:
                    outcome.blind = outcome.blind or why
            return list(examination.outcomes.values())

    def progress(self) -> tuple[int, int]:
        """Entries that are decided so far, and how many evaluations they all take if nothing is wrong."""
        if self.examination is None:
            return 0, 0
        covered = sum(outcome.covered for outcome in self.examination.outcomes.values())
        return covered, self.examination.allowance + self.examination.reserve

    def _tell(self, outcome: ArgumentOutcome, claim: Claim) -> None:
        argument, result = self.arguments[outcome.argument], self.result
        verdict: Verdict = "pass"
        if outcome.finds.wrong and self._confirmed(outcome, claim):
            verdict = "fail"
            result.findings.append(self._finding(argument, outcome))
        elif outcome.kinks.breaches:
            verdict = "fail"
            result.findings.append(self._kink_finding(argument, outcome))
        elif outcome.blind or outcome.finds.wrong:
            verdict = "inconclusive"
            why = outcome.blind or "a second opinion did not confirm the entries that seemed wrong"
            result.undecided = result.undecided or f"{argument.name}: {why}"
        elif self.settings.sharpness is not None and outcome.relative > self.settings.sharpness:
            verdict = "inconclusive"
            result.undecided = result.undecided or (
                f"{argument.name}: sharpness {self.settings.sharpness:.1e} was asked and {outcome.relative:.1e} reached"
            )
        if outcome.hidden:
            hidden = f"{_many(outcome.hidden)} of {argument.name}"
            result.notes.append(f"{hidden} too small beside the others to be told from zero")
        if outcome.infinite:
            result.notes.append(f"the slope at {_many(outcome.infinite)} of {argument.name} is infinite: left out")
        if outcome.one_sided:
            result.notes.append(
                f"{_many(outcome.one_sided)} of {argument.name} can move to one side only: one-sided differences"
            )
        elif outcome.left_domain:
            result.notes.append(
                f"steps along {argument.name} left the domain of the layer and were made smaller: declare domain="
            )
        kinks = max(outcome.rough, outcome.kinks.count)
        if kinks:
            told = "1 entry or output" if kinks == 1 else f"{kinks:,} entries or outputs"
            result.notes.append(f"{told} of {argument.name} on or near a kink, judged by the one-sided slopes")
            if self.settings.nonsmooth == "fail" and outcome.kinks.count and verdict == "pass":
                verdict = "fail"
                many = _many(outcome.kinks.count, "output", "outputs")
                message = f"{argument.name} stands on a kink at {many}, and nonsmooth is 'fail'"
                result.findings.append(Finding("region", message, argument.name, clause="smooth"))
        result.arguments.append(self._result(argument, outcome, verdict, kinks))

    def _result(self, argument: Argument, outcome: ArgumentOutcome, verdict: Verdict, kinks: int) -> ArgumentResult:
        failed = verdict == "fail" or bool(outcome.blind) or outcome.covered <= outcome.hidden
        return ArgumentResult(
            argument.name, argument.value.shape, str(argument.value.dtype), argument.value.size, verdict,
            error=self._worst(outcome), sharpness=None if failed else outcome.relative,
            absolute=None if failed else outcome.absolute, miss=None if failed else MISS, kinks=kinks,
            covered=min(outcome.covered, argument.value.size),
        )  # fmt: skip

    def _worst(self, outcome: ArgumentOutcome) -> float:
        ratios = [abs(m.declared - m.numeric) / m.bar for m in outcome.finds.wrong if m.bar > 0]
        return max([outcome.worst, *ratios])

    def _confirmed(self, outcome: ArgumentOutcome, claim: Claim) -> bool:
        """The second opinion: the worst entries again with another step, and with other upstreams."""
        if outcome.settled:
            return True
        i, worst = outcome.argument, outcome.finds.wrong[:3]
        if not any(self._wrong(i, m, claim, claim) and not self._refuted(i, m, claim) for m in worst):
            return False
        for turn in range(3):
            rng = np.random.default_rng([self.settings.seed & 0xFFFFFFFF, turn, 5])
            other = [
                np.where(u == 0, 0.0, rng.permutation(np.abs(u)) * rng.choice([-1.0, 1.0], u.size))
                for u in claim.upstream
            ]
            theirs = self.claimant.of(other)
            if any(self._wrong(i, m, theirs, claim) for m in worst):
                return True
        # Wrong for this upstream alone: no derivative depends on the sign of the upstream, so it is wrong all the same.
        return any(abs(m.declared - m.numeric) > 100 * m.bar for m in worst)

    def _block(self, i: int) -> Block:
        return Block(i, (0, self.stencil.flat[i].size))

    def _wrong(self, i: int, m: Measured, claim: Claim, first: Claim) -> bool:
        """Whether an entry is wrong at a third of the step that suits it best, in another direction.

        Where the claim is the first one, both looks must have measured much the same: noise is never twice alike.
        """
        pilot = self.prober.pilot(Block(i, (m.position, m.position + 1)), claim, draw=7)
        step = self.prober.step_for(pilot, SINGLE) / 3
        second = Prober(self.stencil, self.noise, mix(self.prober.seed, 3), self.settings.h / 3, step)
        again = Single(second, pilot, claim_of=self.claimant.of).entry(i, m.position, claim)
        apart = abs(again.numeric - m.numeric)
        return again.state == "wrong" and (claim is not first or apart <= 0.5 * abs(m.declared - m.numeric))

    def _refuted(self, i: int, m: Measured, claim: Claim) -> bool:
        """Whether an entry that seems wrong is what smaller steps measure, or is off by no more than rests tremble."""
        rests = [np.zeros(c.size) for c in self.stencil.center]
        if claim.trembles is not None:
            off = abs(m.declared - m.numeric)
            for draw in (1, 2):
                # One shift of the last digits may leave by chance what another one changes.
                outputs, trembles = self.claimant.shaken(claim, draw)
                tremble = trembles[i]
                if tremble is not None and off <= 2 * SIGMAS * abs(float(tremble[m.position])):
                    return True
                rests = [
                    np.maximum(r, np.abs(y - c)) for r, y, c in zip(rests, outputs, self.stencil.center, strict=True)
                ]
        pilot = self.prober.pilot(Block(i, (m.position, m.position + 1)), claim, draw=7)
        return Single(self.prober, pilot).refuted(i, m.position, claim, rests)

    def _finding(self, argument: Argument, outcome: ArgumentOutcome) -> Finding:
        wrong, finds, size = outcome.finds.wrong, outcome.finds, argument.value.size
        shape = argument.value.shape
        positions = sorted(m.position for m in wrong)[:MOST_INDICES]
        entries = tuple(Entry(_index(m.position, shape), m.declared, m.numeric, m.bar) for m in wrong[:5])
        count, about = _how_many(finds, size)
        message = f"the gradient of {argument.name} is wrong in {about}"
        return Finding(
            "local", message, argument.name, tuple(_index(p, shape) for p in positions), count, size, entries,
            bound="about" if finds.dense else "" if finds.complete else "at least",
        )  # fmt: skip

    def _kink_finding(self, argument: Argument, outcome: ArgumentOutcome) -> Finding:
        breaches = outcome.kinks.breaches
        single = [b for b in breaches if len(b.entries) == 1]
        worst = (single or breaches)[0]
        mine = [(i, p) for b in (single or breaches) for i, p in b.entries if i == outcome.argument and p >= 0]
        positions = sorted({p for _, p in mine})
        shape = argument.value.shape
        where = "where it stands on a kink" if single else "when the entries that share a kink move together"
        message = (
            f"the gradient of {argument.name} is outside the one-sided slopes {where}: "
            f"declared {worst.declared:.6g}, allowed {worst.low + 0.0:.6g} to {worst.high + 0.0:.6g}"
        )
        entries = tuple(
            Entry(_index(b.entries[0][1], shape), b.declared, (b.low + b.high) / 2, (b.high - b.low) / 2 + b.doubt)
            for b in single[:5]
            if b.entries[0][1] >= 0
        )
        indices = tuple(_index(p, shape) for p in positions[:MOST_INDICES])
        return Finding(
            "route", message, argument.name, indices, len(positions), argument.value.size, entries, clause="kinks"
        )

    def _explain(self, claim: Claim, outcomes: Sequence[ArgumentOutcome]) -> None:
        by_argument = {o.argument: o for o in outcomes}
        arguments = tuple(
            self._evidence(i, by_argument[i], claim) if i in by_argument else None for i in range(len(self.arguments))
        )
        shapes, meter = self.claimant.shapes, self.first.calls.meter
        evidence = Evidence(
            target=self.precision.calls.target,
            values=tuple(self.precision.values),
            upstream=tuple(u.reshape(s) for u, s in zip(claim.upstream, shapes, strict=True)),
            outputs=tuple(c.reshape(s) for c, s in zip(self.stencil.center, shapes, strict=True)),
            arguments=arguments,
            deadline=meter.deadline,
        )
        if meter.max_evaluations is not None:
            evidence.left = min(evidence.left, max(0, meter.max_evaluations - meter.forward_evaluations))
        numeric = [f for f in self.result.findings if f.clause == "gradient"]
        others = [f for f in self.result.findings if f.clause != "gradient"]
        self.result.findings = [*map(_asked_for_solver, diagnose(evidence, numeric)), *others]
        self.result.explained += evidence.forward_evaluations
        meter.forward_evaluations += evidence.forward_evaluations
        meter.backward_calls += evidence.backward_calls

    def _evidence(self, i: int, outcome: ArgumentOutcome, claim: Claim) -> ArgumentEvidence | None:
        gradient, value = claim.gradients[i], self.precision.values[i]
        if gradient is None:
            return None
        gradient = self.stencil.projected(i, gradient)
        finds: Finds = outcome.finds
        agreed = not finds.wrong
        numeric = np.array(gradient) if agreed else np.full(value.size, np.nan)
        bar = np.full(value.size, outcome.absolute if agreed else np.inf)
        wrong = np.zeros(value.size, bool)
        sampled = finds.dense or not finds.complete
        if not agreed and value.size > EVERY and not sampled:
            numeric[:], bar[:] = gradient, outcome.absolute
        for m in finds.measured:
            if abs(m.declared - gradient[m.position]) > m.bar + 1e-12 * abs(gradient[m.position]):
                # It was measured with some outputs masked out; the evidence is about all of them.
                m = Single(self.prober, self.prober.pilot(self._block(i), claim, draw=8)).entry(i, m.position, claim)
            numeric[m.position], bar[m.position] = m.numeric, m.bar
            wrong[m.position] = m.state == "wrong"
        shape = value.shape
        return ArgumentEvidence(
            self.arguments[i].name, value, gradient.reshape(shape), numeric.reshape(shape), bar.reshape(shape),
            wrong.reshape(shape),
            about=f"{_how_many(finds, value.size)[1]} of {self.arguments[i].name}" if sampled and not agreed else "",
        )  # fmt: skip

    def _empty(self) -> None:
        for a in self.arguments:
            if a.value.size == 0:
                self.result.arguments.append(ArgumentResult(a.name, a.value.shape, str(a.value.dtype), 0, "pass"))
                self.result.notes.append(f"{a.name} is empty: nothing was compared")
        order = {a.name: k for k, a in enumerate(self.arguments)}
        self.result.arguments.sort(key=lambda r: order[r.name])

    def _vacuous(self, outcomes: Sequence[ArgumentOutcome], claim: Claim) -> None:
        """Say where nothing was really compared: no output moves, and no gradient is declared."""
        if self.result.findings:
            return
        still = []
        for o in outcomes:
            g = claim.gradients[o.argument]
            if o.still and g is not None and not g.any():
                still.append(self.arguments[o.argument].name)
        if still and len(still) == len(outcomes):
            text = "nothing was compared: declared and numeric gradients are zero everywhere"
        elif still:
            text = f"the gradient of {', '.join(still)} is zero everywhere, declared and measured"
        elif not outcomes:
            text = "nothing was compared: no gradient could be" if any(a.value.size for a in self.arguments) else EMPTY
        else:
            return
        self.result.vacuous = not outcomes or len(still) == len(outcomes)
        if text != EMPTY:
            self.result.notes.append(text)
        if self.settings.vacuous == "fail":
            self.result.findings.append(Finding("zero", text, still[0] if still else None, clause="vacuous"))


def _many(count: int, one: str = "entry", many: str = "entries") -> str:
    return f"{count:,} {one if count == 1 else many}"


def _how_many(finds: Finds, size: int) -> tuple[int, str]:
    """How many entries are wrong, as a number and in words that say whether it was counted."""
    count = len(finds.wrong) + finds.unseen
    if finds.dense or not finds.complete:
        many = "all of" if count == size else f"{count:,} of"
        return count, f"{'about' if finds.dense else 'at least'} {many} {size:,} entries"
    return count, f"{count:,} of {size:,} entries" if size != 1 else "its only entry"


def _asked_for_solver(finding: Finding) -> Finding:
    """A small error in a great part of the entries is what an unfinished iteration in forward leaves, too."""
    errors = [abs(e.error) / abs(e.numeric) for e in finding.entries if e.numeric]
    if not errors or max(errors) > 1e-3 or 4 * finding.count < finding.total:
        return finding
    asks = f"is this a solver's tolerance? then declare accuracy={max(errors):.0e}"
    return replace(finding, evidence=(asks, *finding.evidence))


def domains_of(arguments: Sequence[Argument], settings: Settings) -> list[Domain | None]:
    """The declared domain of each argument; raises InvalidInput for a name that is no argument or a value outside."""
    given = dict(settings.domain or {})
    found: list[Domain | None] = []
    for a in arguments:
        domain = as_domain(given.pop(a.name, None))
        if domain is not None:
            domain.require(a.value, a.name)
        found.append(domain)
    if given:
        known = ", ".join(a.name for a in arguments)
        raise InvalidInput(f"domain names {next(iter(given))!r}, which is no argument: the arguments are {known}")
    return found


def _index(position: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(k) for k in np.unravel_index(position, shape)) if shape else ()
