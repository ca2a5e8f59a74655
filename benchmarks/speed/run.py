"""One run of everything that is side by side, into one `Results`."""

from __future__ import annotations

from typing import Any

from benchmarks.corpus.peers.server import MissingPeerError
from benchmarks.corpus.run import US
from benchmarks.speed.on_corpus import common, on_corpus
from benchmarks.speed.results import Results, versions
from benchmarks.speed.side_by_side import Plan, Say, memory, our_sizes, sharpness, sizes, worker
from benchmarks.speed.worker import CHECKERS, Worker

#: Ours and what it is put beside.
BESIDE = ("torch", "torch-fast", "jax", "autograd", "scipy", "lecture")
#: A run of about a minute: nobody gets more than a few seconds, and not the whole corpus.
QUICK = {"limit": 3.0, "rounds": 3, "powers": (1, 2, 3, 4), "ours": 4, "planted": (100,), "memory": (1_000_000,)}
PARTS = ("sizes", "corpus", "sharpness", "memory")


def plan_of(
    checkers: tuple[str, ...] = BESIDE, quick: bool = False, largest: int = 6, limit: float | None = None
) -> Plan:
    """The plan that the command line asks for."""
    words: dict[str, Any] = dict(QUICK) if quick else {"ours": max(6, largest)}
    if limit is not None:
        words["limit"] = limit
    return Plan(checkers, **words)


def missing(checkers: tuple[str, ...]) -> dict[str, str]:
    """What to install for each checker that is not there."""
    found = {}
    for checker in checkers:
        try:
            Worker(checker)
        except MissingPeerError as e:
            found[checker] = str(e)
    return found


def measured(plan: Plan, parts: tuple[str, ...], sets: tuple[str, ...], only: str, say: Say) -> Results:
    """Every part that is asked for; a checker that is not installed is named, the others go on."""
    results = Results(limit=plan.limit, versions=versions(), missing=missing(plan.checkers))
    there = [c for c in plan.checkers if c not in results.missing]
    if "sizes" in parts:
        for size, over in our_sizes(plan, say):
            results.sizes.append(size)
            results.bare[str(size.entries)] = over
        for checker in there:
            with worker(US) as ours:
                results.sizes += sizes(plan, checker, ours, say)
    if "corpus" in parts:
        names = common(sets, only)
        for row in on_corpus(there, names, plan.limit):
            say(f"{row.checker}: {len(names)} cases of the corpus")
            results.caught.append(row)
    for checker in (US, *there):
        if "sharpness" in parts:
            results.sharp += [sharpness(plan, checker, n) for n in plan.planted]
            say(f"{checker}: sharpness")
        if "memory" in parts:
            results.memory += [memory(plan, checker, n) for n in plan.memory]
            say(f"{checker}: memory")
    return results


__all__ = ["BESIDE", "CHECKERS", "PARTS", "measured", "plan_of"]
