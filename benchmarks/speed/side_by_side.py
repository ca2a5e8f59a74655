"""Every checker on the same layers, in turns with ours: evaluations, time, sharpness, memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.corpus.outcome import Outcome
from benchmarks.corpus.run import US
from benchmarks.speed.results import Memory, Sharp, Size
from benchmarks.speed.rounds import ROUNDS, paired, ratio
from benchmarks.speed.worker import Worker

#: The layer of the sizes and the errors (few outputs) and the one of the memory (as many outputs as inputs).
LAYER, LARGE = "blocks", "elementwise"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    limit: seconds that a checker is given at one size; after one that it does not manage it is not put to larger ones.
    powers: of ten, the numbers of entries. ours: the largest power that only ours is put to.
    planted: at these numbers of entries the smallest error that is caught is looked for.
    memory: at these numbers of entries peak memory is measured.
    """

    checkers: tuple[str, ...]
    limit: float = 20.0
    rounds: int = ROUNDS
    powers: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    ours: int = 6
    planted: tuple[int, ...] = (100, 10_000)
    memory: tuple[int, ...] = (3_000, 1_000_000)


@contextmanager
def worker(checker: str) -> Iterator[Worker]:
    """A checker's process, ended afterwards."""
    there = Worker(checker)
    try:
        there.start()
        yield there
    finally:
        there.stop()


def sizes(plan: Plan, checker: str, ours: Worker, say: Say) -> Iterator[Size]:
    """A checker at every size, in turns with ours, until it is too slow."""
    with worker(checker) as theirs:
        for power in plan.powers:
            n = 10**power
            first = theirs.check(LAYER, n, plan.limit)
            if first.verdict == "timeout":
                say(f"{checker}, 10^{power} entries: stopped after {plan.limit:g} s")
                yield Size(checker, n, "timeout", 0, None)
                return
            pairs = timings(plan, theirs, ours, n)
            say(f"{checker}, 10^{power} entries: {first.verdict}, {first.forward_evaluations} evaluations")
            yield Size(checker, n, first.verdict, first.forward_evaluations, ratio(pairs) if pairs else None)


#: Small checks follow each other for so long in each turn, as in a suite.
ENOUGH = 0.1


def timings(plan: Plan, theirs: Worker, ours: Worker, n: int) -> list[tuple[float, float]]:
    """Seconds of theirs and ours, in turns; none where one of them is stopped on the way."""
    ours.check(LAYER, n, 10 * plan.limit)

    def seconds(of: Worker) -> float:
        done = of.check(LAYER, n, 10 * plan.limit, enough=ENOUGH)
        return float("nan") if done.verdict == "timeout" else done.seconds

    pairs = paired(lambda: seconds(theirs), lambda: seconds(ours), plan.rounds, plan.limit)
    return [(a, b) for a, b in pairs if a == a and b == b]


def our_sizes(plan: Plan, say: Say) -> Iterator[tuple[Size, float]]:
    """Ours at every size and beyond, with its time over that of the same calls alone."""
    with worker(US) as ours:
        for power in (*plan.powers, *range(plan.powers[-1] + 1, plan.ours + 1)):
            n = 10**power
            first = ours.check(LAYER, n, 100 * plan.limit)
            say(f"{US}, 10^{power} entries: {first.verdict}, {first.forward_evaluations} evaluations")
            yield Size(US, n, first.verdict, first.forward_evaluations, 1.0), over_bare(plan, ours, n, first)


def over_bare(plan: Plan, ours: Worker, n: int, first: Outcome) -> float:
    """Our time over that of the layer's own calls, as many as we make."""
    pairs = paired(
        lambda: ours.check(LAYER, n, 100 * plan.limit).seconds,
        lambda: ours.bare(LAYER, n, first),
        plan.rounds,
        plan.limit / 4,
    )
    return ratio(pairs)


#: Errors that are planted, from the largest down, two a decade.
ERRORS = tuple(float(f"{digit}e-{power}") for power in range(1, 13) for digit in (3, 1))
SEEDS = 3


def sharpness(plan: Plan, checker: str, entries: int) -> Sharp:
    """The smallest error of one entry that a checker rejects with every seed, and with it all larger ones."""
    with worker(checker) as there:

        def verdicts(error: float) -> list[str]:
            return [there.check(LAYER, entries, plan.limit, error, seed).verdict for seed in range(SEEDS)]

        right = verdicts(0.0)
        if "timeout" in right:
            return Sharp(checker, entries, None, f"over {plan.limit:g} s")
        if set(right) != {"pass"}:
            return Sharp(checker, entries, None, "refuses the right layer")
        return Sharp(checker, entries, smallest(ERRORS, lambda error: set(verdicts(error)) == {"fail"}))


def smallest(errors: Sequence[float], caught: Callable[[float], bool]) -> float | None:
    """The last of falling errors that is caught, by halving; None where not even the first is."""
    low, high = -1, len(errors)
    while high - low > 1:
        middle = (low + high) // 2
        if caught(errors[middle]):
            low = middle
        else:
            high = middle
    return errors[low] if low >= 0 else None


def memory(plan: Plan, checker: str, entries: int) -> Memory:
    """Peak memory of one check, in a process that has made no other."""
    with worker(checker) as there:
        found = there.memory(LARGE, entries, plan.limit)
        return Memory(checker, entries, found and found[0])
