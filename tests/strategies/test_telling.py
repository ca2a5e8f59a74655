"""Bugs that show at particular inputs are found from shapes alone, and shrunk as far as can be."""

from __future__ import annotations

import pytest

from benchmarks.telling import BUGS, Telling
from benchmarks.telling.search import search

#: One of each sort, in seconds; all of them in a long run.
FEW = {
    "even-batch", "empty-batch", "two-classes", "squeezed-batch", "power-of-negative", "larger-tie", "embedding-repeat",
    "upstream-in-memory", "longer-second-call", "single-precision",
}  # fmt: skip


def test_the_set_is_large_and_covers_every_sort() -> None:
    assert len(BUGS) >= 25
    assert len({case.name for case in BUGS}) == len(BUGS)
    assert {case.name for case in BUGS} >= FEW


@pytest.mark.parametrize("case", [case for case in BUGS if case.name in FEW], ids=lambda case: case.name)
def test_a_bug_is_found_and_shrunk(case: Telling) -> None:
    found = search(case, wrong=True, seed=1, examples=200)
    assert 0 < found.at <= 200, found.tally
    assert found.entries <= max(4, case.entries), found.message


@pytest.mark.slow
def test_nearly_all_bugs_are_found_and_shrunk() -> None:
    rows = [(case, search(case, wrong=True, seed=seed, examples=200)) for case in BUGS for seed in range(2)]
    found = [(case, row) for case, row in rows if row.at]
    assert len(found) >= 0.95 * len(rows), [case.name for case, row in rows if not row.at]
    large = [case.name for case, row in found if row.entries > max(4, case.entries)]
    assert len(large) <= 0.05 * len(found), large
