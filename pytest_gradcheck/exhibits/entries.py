"""Entries measured one by one: those that the check looked at, and a sample of the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_gradcheck.numeric.single import Measured, Single
from pytest_gradcheck.numeric.standing import ArgumentOutcome
from pytest_gradcheck.numeric.stencil import Block, Claim

if TYPE_CHECKING:
    from pytest_gradcheck.checking import Check
    from pytest_gradcheck.findings import Sitting

#: Entries that are measured for the picture where the check had no reason to measure them.
SAMPLE = 40
#: Entries that a picture shows, the wrong ones first.
MOST_ENTRIES = 600


@dataclass(slots=True)
class Witness:
    """One argument of a check, with everything that is needed to look at it again.

    measured: entries measured alone. known: whether the entries that were not are right (blocks of them agreed).
    """

    sitting: Sitting
    claim: Claim
    outcome: ArgumentOutcome
    name: str
    shape: tuple[int, ...]
    verdict: str
    known: bool
    measured: list[Measured] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many entries the argument has."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def argument(self) -> int:
        """The argument's position."""
        return self.outcome.argument

    @property
    def worst(self) -> Measured | None:
        """The entry that is most wrong, if one is."""
        wrong = [m for m in self.measured if m.state == "wrong"]
        return max(wrong, key=lambda m: abs(m.declared - m.numeric), default=None)

    def measure(self, positions: list[int]) -> None:
        """Measure entries alone, at the check's own step, until time is up."""
        if not positions:
            return
        block = Block(self.argument, (0, self.size))
        single = Single(self.sitting.prober, self.sitting.prober.pilot(block, self.claim))
        for position in positions:
            self.measured.append(single.entry(self.argument, position, self.claim))

    def plain(self) -> dict[str, Any]:
        """Position (counted in C order), declared, numeric, bar and state of the measured entries, as columns."""
        shown = sorted(self.measured, key=lambda m: (m.state == "right", m.position))[:MOST_ENTRIES]
        columns = ("position", "declared", "numeric", "bar", "state")
        return {"measured": len(self.measured), **{c: [getattr(m, c) for m in shown] for c in columns}}


def witnesses(check: Check) -> list[Witness]:
    """The arguments that were measured, the wrong ones first; none where the contract left nothing to measure."""
    sitting = check.sitting
    if sitting is None or sitting.seen is None:
        return []
    claim, outcomes = sitting.seen
    verdicts = {result.name: result.verdict for result in sitting.result.arguments}
    found = []
    for outcome in outcomes:
        if claim.gradients[outcome.argument] is None:
            continue
        argument, finds = sitting.arguments[outcome.argument], outcome.finds
        verdict = verdicts.get(argument.name, "inconclusive")
        known = verdict == "pass" or (verdict == "fail" and not finds.dense and finds.complete)
        found.append(
            Witness(sitting, claim, outcome, argument.name, argument.value.shape, verdict, known, list(finds.measured))
        )
    for witness in found:
        try:
            witness.measure(_unmeasured(witness))
        except Exception:
            # Out of time, or a layer that raises now: what the check itself measured is shown.
            break
    return sorted(found, key=lambda witness: witness.verdict == "pass")


def _unmeasured(witness: Witness) -> list[int]:
    """A sample of the entries that nobody has measured alone; where kinks are, the entries asked about them too."""
    asked = [p for b in witness.outcome.kinks.breaches for i, p in b.entries if i == witness.argument and p >= 0]
    rng = np.random.default_rng([witness.sitting.settings.seed & 0xFFFFFFFF, 41, witness.argument])
    many = min(witness.size, SAMPLE)
    sample = np.sort(rng.choice(witness.size, many, replace=False)) if witness.size else np.empty(0, int)
    there = {m.position for m in witness.measured}
    return [p for p in dict.fromkeys([*asked[:8], *sample.tolist()]) if p not in there]
