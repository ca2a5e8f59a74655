"""Bars beside torch's gradcheck, slow and fast, on the same numpy layer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.corpus.peers.server import MissingPeerError
from benchmarks.corpus.run import US
from benchmarks.corpus.scale import Line
from benchmarks.speed.rounds import ROUNDS, paired, ratio
from benchmarks.speed.side_by_side import ENOUGH, LAYER, worker
from benchmarks.speed.worker import Worker

#: Powers of ten with their bars, and how they are written.
SLOW = {2: 0.2, 3: 0.05, 4: 0.01}
FAST = {2: 2.0, 3: 10.0, 4: 10.0, 5: 10.0, 6: 10.0}
#: What was decided where the issue says 2.
DECIDED = {2: 4.0}
LIMIT = 120.0


def over(peer: str, bars: dict[int, float], rounds: int = ROUNDS) -> Iterator[tuple[int, float]]:
    """Our time over theirs at each size."""
    with worker(US) as ours, worker(peer) as theirs:
        for power in bars:
            for each in (ours, theirs):
                seconds(each, 10**power)
            mine, other = (partial(seconds, each, 10**power) for each in (ours, theirs))
            pairs = paired(mine, other, rounds)
            yield power, ratio(pairs)


def seconds(checker: Worker, entries: int) -> float:
    return checker.check(LAYER, entries, LIMIT, enough=ENOUGH).seconds


def slow() -> Iterator[Line]:
    """Over gradcheck at its defaults."""
    yield from lines("torch", "torch slow", SLOW)


def fast() -> Iterator[Line]:
    """Over gradcheck(fast_mode=True)."""
    yield from lines("torch-fast", "torch fast", FAST)


def lines(peer: str, name: str, bars: dict[int, float]) -> Iterator[Line]:
    try:
        for power, found in over(peer, bars):
            also = f" (decided: {DECIDED[power]:g})" if bars is FAST and power in DECIDED else ""
            bar = bars[power]
            yield f"time over {name}, 10^{power} entries", f"{found:.3g}", f"at most {bar:g}{also}", found <= bar
    except MissingPeerError as e:
        yield f"time over {name}", "not installed", str(e), False
