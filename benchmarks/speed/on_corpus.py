"""Bugs caught and false alarms: every checker on the same cases of the corpus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks.corpus.outcome import Row
from benchmarks.corpus.run import US, chosen, named, our_rows, peer_rows, series
from benchmarks.speed.results import Caught


def common(sets: Sequence[str], only: str = "") -> list[str]:
    """Cases that every checker can be put to: nothing has to be said about them, and they are of no series."""
    names = (name for name in chosen(sets, only) if not series(name))
    return [n for n in names if not named()[n][1].settings and not named()[n][1].derivative_of]


def counted(rows: Sequence[Row], ours: Sequence[Row]) -> Caught:
    """What one checker made of the cases; of those rightly accepted the median evaluations, and time over ours.

    An exception in the place of a verdict counts as a rejection, in favour of the others.
    """
    wrong, right = [r for r in rows if r.bug], [r for r in rows if not r.bug]
    seconds = {(r.case, r.seed): r.outcome.seconds for r in ours}
    accepted = [r for r in right if r.accepted]
    return Caught(
        rows[0].checker,
        sum(r.caught for r in wrong),
        len(wrong),
        sum(r.caught for r in right),
        len(right),
        round(median(r.outcome.forward_evaluations for r in accepted)) if accepted else 0,
        median(r.outcome.seconds / seconds[r.case, r.seed] for r in accepted) if accepted else None,
    )


def on_corpus(checkers: Sequence[str], names: Sequence[str], limit: float) -> Iterator[Caught]:
    """Ours first, then each of the others."""
    ours = our_rows(names, [0], 1, limit)
    yield counted(ours, ours)
    for checker in checkers:
        if checker != US:
            yield counted(peer_rows(checker, names, [0], limit), ours)
