"""Two things timed in turns: this machine is never quiet for long, and what disturbs one disturbs the other."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

#: Rounds of the pairs that are timed, and the seconds after which a slow pair is not timed again.
ROUNDS, ENOUGH = 9, 20.0


def timed(action: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    start = perf_counter()
    action()
    return perf_counter() - start


def paired(
    one: Callable[[], float], other: Callable[[], float], rounds: int = ROUNDS, enough: float = ENOUGH
) -> list[tuple[float, float]]:
    """What two actions say in turns, one, other, one, other; at least once each, then until it is enough."""
    start = perf_counter()
    pairs: list[tuple[float, float]] = []
    while not pairs or (len(pairs) < rounds and perf_counter() - start < enough):
        pairs.append((one(), other()))
    return pairs


def ratio(pairs: list[tuple[float, float]]) -> float:
    """The median over rounds of the one over the other."""
    return median(one / other for one, other in pairs)


def timed_ratio(one: Callable[[], object], other: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The time of one action over that of another; each runs once before the first round."""
    one(), other()
    return ratio(paired(lambda: timed(one), lambda: timed(other), rounds))
