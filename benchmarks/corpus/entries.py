"""Are exactly the wrong entries named? Every wrong case is measured entry by entry by the verifier's own differences.

    python -m benchmarks.corpus.entries
    python -m benchmarks.corpus.entries --cases new --only 'softmax|norm' --seeds 3

Of a case in which at most twenty entries are wrong, the check must name those and no other. The reference knows
nothing of the package; an entry that it cannot call right or wrong for certain counts as neither.
"""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

import pytest_gradcheck
from benchmarks.corpus import SETS, load
from benchmarks.corpus.base import Case
from benchmarks.corpus.outcome import layer_of, settings_of
from benchmarks.corpus.reference import MOST_ENTRIES, Point, coordinate, jumps, one_sided, structures
from benchmarks.corpus.run import series
from benchmarks.corpus.verify import point_of
from pytest_gradcheck.verdict import MOST_INDICES

Place = tuple[int, tuple[int, ...]]

#: An entry is wrong where it is off by so many times what the reference may be off, and by as much of its size.
CLEAR, VISIBLE = 10.0, 1e-8
#: It is right where the two agree to so much of its size, or of the largest beside it, and the reference is as good.
AGREES, AGREES_BESIDE = 1e-10, 1e-13


@dataclass(frozen=True)
class Compared:
    """One case: what is wrong, what may be, what was named."""

    name: str
    wrong: frozenset[Place]
    unclear: frozenset[Place]
    named: frozenset[Place]

    @property
    def missed(self) -> frozenset[Place]:
        """Wrong entries that were not named."""
        return self.wrong - self.named

    @property
    def accused(self) -> frozenset[Place]:
        """Right entries that were named."""
        return self.named - self.wrong - self.unclear


def compared(case: Case, seed: int) -> Compared | None:
    """The case at one draw; None where nothing can be compared: many wrong entries, a kink, a gradient of no shape."""
    xs = case.inputs(np.random.default_rng(seed))
    if sum(x.size for x in xs) > MOST_ENTRIES or any(structures(case, len(xs))):
        return None
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            point = point_of(case, xs, np.random.default_rng([seed, 7]))
            sorted_out = _sorted_out(point)
        except (TypeError, ValueError, AttributeError, ArithmeticError):
            return None
        if sorted_out is None or not 0 < len(sorted_out[0]) <= MOST_INDICES:
            return None
        report = pytest_gradcheck.check(layer_of(case), *xs, seed=seed, upstream=point.upstream, **settings_of(case))
    names = [a.name for a in report.arguments]
    told = [f for f in report.findings if f.argument in names and f.clause in ("gradient", "kinks")]
    if not told:
        return None  # a breach of the contract has the word
    named = {(names.index(str(f.argument)), i) for f in told for i in f.indices}
    return Compared(case.name, frozenset(sorted_out[0]), frozenset(sorted_out[1]), frozenset(named))


def _sorted_out(point: Point) -> tuple[set[Place], set[Place]] | None:
    """The entries that are wrong, and those that are neither wrong nor right for certain; None at a kink."""
    wrong: set[Place] = set()
    unclear: set[Place] = set()
    for m in _measured(point):
        if m.kink:
            return None
        if m.clear:
            wrong.add((m.argument, m.index))
        elif not m.right:
            unclear.add((m.argument, m.index))
    return wrong, unclear


@dataclass(frozen=True)
class Entry:
    """One entry by the reference: how far declared is off, what the reference may be off, the gradient's own size.

    beside: the largest gradient of the same input. kink: whether the slopes on its two sides differ.
    """

    argument: int
    index: tuple[int, ...]
    off: float
    noise: float
    size: float
    beside: float
    kink: bool = False

    @property
    def clear(self) -> bool:
        """Whether it is wrong beyond doubt."""
        return self.off > max(CLEAR * self.noise, VISIBLE * self.size)

    @property
    def right(self) -> bool:
        """Whether it is right beyond doubt."""
        beside = AGREES_BESIDE * self.beside
        return max(self.off, self.noise) <= (beside if self.size <= beside else AGREES * self.size)


def _measured(point: Point) -> Iterator[Entry]:
    for k, x in enumerate(point.xs):
        rows = []
        for i in np.ndindex(x.shape):
            dirs, scale = coordinate(point.xs, k, i)
            want, noise = point.slope(dirs)
            rows.append((i, want / scale, noise / scale, float(point.says(dirs)) / scale, dirs, scale))
        beside = max((abs(want) for _, want, *_ in rows), default=0.0)
        for i, want, noise, got, dirs, scale in rows:
            entry = Entry(k, i, abs(got - want), noise, abs(want), beside)
            if entry.clear:
                low, high = one_sided(point.along(dirs))
                kink = jumps(point.along(dirs)) or high - low > 1e-3 * scale * (max(abs(want), 1e-3 * beside) + 1e-9)
                entry = replace(entry, kink=kink)
            yield entry


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.corpus.entries",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cases", default=",".join(SETS), help="sets of cases, with commas between")
    parser.add_argument("--only", default="", metavar="REGEX", help="only cases whose name matches")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="draw each case with seeds 0 to N-1")
    args = parser.parse_args(argv)
    cases = [c for c in load(args.cases.split(",")) if c.bug and not series(c.name) and re.search(args.only, c.name)]
    found = [one for case in cases for seed in range(args.seeds) if (one := compared(case, seed)) is not None]
    exact = [one for one in found if not one.missed and not one.accused]
    for one in found:
        if one not in exact:
            print(f"  {one.name:44} of {len(one.wrong)} missed {_listed(one.missed)}, accused {_listed(one.accused)}")
    what = f"wrong layers with 1 to {MOST_INDICES} wrong entries"
    print(f"{len(found)} {what}: exactly those named in {len(exact)}")
    return int(len(exact) < len(found))


def _listed(places: frozenset[Place]) -> str:
    return ", ".join(f"input{k}{list(i)}" for k, i in sorted(places)[:6]) or "none"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
