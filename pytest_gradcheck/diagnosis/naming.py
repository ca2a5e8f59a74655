"""Naming: hypotheses are tried, cheap ones first, and the findings get the cause that fits best."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from pytest_gradcheck.evidence import ArgumentEvidence, Evidence, OutOfBudget
from pytest_gradcheck.verdict import Finding

from . import (
    accumulate,
    arrangement,
    local,
    precision,
    reduction,
    region,
    route,
    scale,
    simpler,
    state,
    swap,
    term,
    upstream,
)
from .bench import Bench
from .guess import CERTAIN, Guess

Cause = Callable[[Bench], Iterable[Guess]]

#: Hypotheses that look at the numbers at hand.
AT_HAND: tuple[Cause, ...] = (
    scale.zero, scale.factor, scale.small, precision.dtype, swap.exchanged, arrangement.rearranged,
    route.ties, route.sum_kept, route.complement, reduction.averaged, reduction.normalised_along,
    reduction.row_as_column, term.proportional, term.constant_part, term.along_axis,
    term.product_half, term.factor_missing, accumulate.another_path, local.formula, local.behind, route.compared,
    region.region,
)  # fmt: skip

#: Hypotheses that overrule what looks certain from the numbers alone: a few evaluations.
ALWAYS: tuple[Cause, ...] = (upstream.linearity, state.repeated, route.selection)

#: Hypotheses that measure something, cheap ones first; asked while nothing is certain.
MEASURED: tuple[Cause, ...] = (
    scale.unused, reduction.other_statistics, local.forward_again, arrangement.forward_rule,
    swap.backward_arguments, route.lost_or_found, state.clobbered, reduction.contributions,
    upstream.another_upstream, state.other_mask, simpler.alone, local.constant_slope,
    state.only_the_end_is_right, accumulate.single_use, local.another_point, term.left_out,
    arrangement.turned_argument, simpler.at_identity,
)  # fmt: skip

#: Where declared is zero throughout, it fits much that it has nothing to do with: only these are asked.
OF_ZERO: tuple[Cause, ...] = (scale.zero, route.lost_or_found, scale.unused)

#: A runner-up is named where it is at least so likely.
PLAUSIBLE = 0.4


def diagnose(evidence: Evidence, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings with cause, sentence, evidence and confidence; most likely first, each with its runner-up.

    findings: one per argument whose measured gradient is wrong. Findings of other clauses are returned as they are,
    behind. A hypothesis at which the layer raises is left out; an error of a third party's hook passes through.
    """
    ours, rest = _split(evidence, findings)
    share = max(1, evidence.left // max(1, len(ours)))
    named = []
    for finding, position, argument in ours:
        left = evidence.left
        evidence.left = min(left, share)
        spent = evidence.left
        bench = Bench(evidence, position, argument)
        guesses = _ranked([*_asked(bench), *_of_others(bench)])
        evidence.left = left - (spent - evidence.left)
        named.append((finding, guesses))
    together = _shared(evidence, [f.argument for f, _, _ in ours])
    named.sort(key=lambda pair: -pair[1][0].confidence)
    told = [f for finding, guesses in named for f in _told(finding, guesses, together)]
    return (*told, *rest)


def _split(
    evidence: Evidence, findings: Sequence[Finding]
) -> tuple[list[tuple[Finding, int, ArgumentEvidence]], list[Finding]]:
    by_name = {a.name: (i, a) for i, a in enumerate(evidence.arguments) if a is not None}
    ours, rest = [], []
    for finding in findings:
        position, argument = by_name.get(finding.argument or "", (-1, None))
        if (
            argument is not None
            and finding.clause == "gradient"
            and bool((argument.wrong & np.isfinite(argument.numeric)).any())
        ):
            ours.append((finding, position, argument))
        else:
            rest.append(finding)
    return ours, rest


def _asked(bench: Bench) -> list[Guess]:
    guesses: list[Guess] = []
    some = bool(bench.declared[bench.telling].any())
    for cause in AT_HAND + ALWAYS if some else OF_ZERO:
        guesses += _tried(cause, bench)
    for cause in MEASURED if some else ():
        if max((g.confidence for g in guesses), default=0.0) >= CERTAIN:
            break
        guesses += _tried(cause, bench)
    return [*guesses, *region.nothing_fits(bench)]


def _tried(cause: Cause, bench: Bench) -> list[Guess]:
    try:
        with np.errstate(all="ignore"):
            return list(cause(bench))
    except OutOfBudget:
        return []
    except Exception:  # the layer may raise at a point of our choosing: then this hypothesis has nothing to say
        return []


def _of_others(bench: Bench) -> list[Guess]:
    """What the hook `gradcheck_name_cause` of other packages and conftest files says of this argument."""
    from pytest_gradcheck.hooks import manager

    try:
        answers = manager().hook.gradcheck_name_cause(evidence=bench.evidence, argument=bench.argument)
    except OutOfBudget:
        return []
    said = [f for answer in answers for f in ([answer] if isinstance(answer, Finding) else answer)]
    return [Guess(f.kind, f.message, f.evidence, f.confidence) for f in said]


def _ranked(guesses: Iterable[Guess]) -> list[Guess]:
    """One guess per kind, the most confident of each, best first."""
    best: dict[str, Guess] = {}
    for guess in guesses:
        if guess.kind not in best or guess.confidence > best[guess.kind].confidence:
            best[guess.kind] = guess
    return sorted(best.values(), key=lambda g: -g.confidence)


def _shared(evidence: Evidence, wrong: Sequence[str | None]) -> tuple[str, ...]:
    right = [a.name for a in evidence.arguments if a is not None and a.name not in wrong]
    if len(wrong) < 2 and not right:
        return ()
    bad = ", ".join(str(w) for w in wrong)
    if len(wrong) < 2:
        return (f"right: {', '.join(right)}",)
    tail = f", {', '.join(right)} {'is' if len(right) == 1 else 'are'} right" if right else ""
    return (f"{bad} are wrong together{tail}: look first at the step they share",)


def _told(finding: Finding, guesses: Sequence[Guess], together: tuple[str, ...]) -> list[Finding]:
    first = guesses[0]
    told = [
        replace(
            finding,
            kind=first.kind,
            message=first.sentence,
            evidence=(*first.evidence, *together),
            confidence=first.confidence,
        )
    ]
    for second in guesses[1:2]:
        if second.confidence >= PLAUSIBLE or first.kind == "local":
            why = f"named second: {first.kind!r} explains the same entries and is more likely"
            told.append(
                replace(
                    finding,
                    kind=second.kind,
                    message=second.sentence,
                    evidence=(*second.evidence, why),
                    confidence=second.confidence,
                )
            )
    return told
