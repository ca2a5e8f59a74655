"""Runs checkers over cases: ours in this process or in a few, each other one in a process of its own."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache, partial
from itertools import chain
from multiprocessing import get_context
from typing import Any

import numpy as np

from benchmarks.corpus import SETS, load
from benchmarks.corpus.base import Case
from benchmarks.corpus.outcome import Outcome, Row, ours

#: The name under which this project's rows stand.
US = "pytest-gradcheck"
#: A case of the scale series is not run again with other seeds where one run takes longer than this, in seconds.
SLOW = 1.0


@cache
def named() -> dict[str, tuple[str, Case]]:
    """Every case and its set, by name."""
    return {case.name: (group, case) for group in SETS for case in load([group])}


def chosen(sets: Sequence[str], only: str = "") -> list[str]:
    """Names of the cases of some sets that match a regular expression."""
    return [case.name for case in load(sets) if re.search(only, case.name)]


def series(name: str) -> bool:
    """Whether a case belongs to the sharpness or the scale series, which are reported apart."""
    return re.match(r"(sharp|scale)-(right|(right-)?1e)", name) is not None


def row(checker: str, name: str, seed: int, outcome: Outcome) -> Row:
    group, case = named()[name]
    return Row(checker, name, group, case.bug, case.words, seed, outcome)


def our_row(job: tuple[str, int], seconds: float = 60.0, more: Any = None) -> Row:
    """One run of our check; a function of the module, so that a process pool can send it."""
    name, seed = job
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return row(US, name, seed, ours(named()[name][1], seed, seconds, **(more or {})))


def our_rows(
    names: Sequence[str], seeds: Sequence[int], jobs: int = 1, seconds: float = 60.0, **more: Any
) -> list[Row]:
    """Our check on every case with every seed, in the order of the cases."""
    work = [(name, seed) for name in names for seed in seeds]
    one = partial(our_row, seconds=seconds, more=more)
    if jobs == 1:
        return [one(job) for job in work]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        return list(pool.map(one, work, chunksize=max(1, len(work) // (8 * jobs))))


def peer_rows(peer: str, names: Sequence[str], seeds: Sequence[int], seconds: float) -> list[Row]:
    """Another checker on the same cases; those that need a setting are left out, it has none."""
    from benchmarks.corpus.peers.server import Server

    server = Server(peer)
    rows = []
    try:
        for name in names:
            _, case = named()[name]
            if case.settings or case.derivative_of:
                continue
            for seed in seeds:
                rows.append(row(peer, name, seed, server.ask(name, seed, seconds)))
                if series(name) and rows[-1].outcome.seconds > SLOW:
                    break
    finally:
        server.stop()
    return rows


def all_rows(
    names: Sequence[str], seeds: Sequence[int], peers: Sequence[str] = (), jobs: int = 1, seconds: float = 60.0
) -> list[Row]:
    """Ours and the named others; `jobs` of them at the same time."""
    rows = our_rows(names, seeds, jobs, seconds)
    with ThreadPoolExecutor(jobs) as pool:
        others = pool.map(lambda peer: peer_rows(peer, names, seeds, seconds), peers)
        return rows + list(chain.from_iterable(others))
