"""Checks the corpus itself: every right case is right, every wrong case is wrong somewhere.

    python -m benchmarks.corpus.verify [made real new] [--only NAME]

A wrong case must differ from the numeric reference by more than `TOL`, or break a clause of the protocol. None of
this uses the package, so that a mistake in its mathematics cannot hide here.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass

import numpy as np

from benchmarks.corpus import SETS, load
from benchmarks.corpus.base import TAXONOMY, Array, Case
from benchmarks.corpus.protocol import NO_GRADIENT, breach
from benchmarks.corpus.reference import (
    EPS32,
    MOST_ENTRIES,
    Point,
    between_one_sided,
    coarse,
    coordinate,
    copies,
    forward,
    gradients,
    jumps,
    one_sided,
    structures,
    suspects,
    widened,
    wobble_of,
)

#: The largest relative error of a right case, by the precision it computes in.
TOL = {"float64": 1e-7, "float32": 2e-5, "float16": 2e-2}
#: A wrong case may be wrong by as little as this.
SMALL_TOL = 5e-11
DRAWS = 4
#: Larger layers are left out: they are the same code as a smaller case of their series.
LARGEST = 20_000


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether a case is what it says, how that was seen, and its largest relative error."""

    ok: bool
    how: str
    error: float


def tolerance(case: Case, xs: tuple[Array, ...]) -> float:
    """How far a right gradient may be from the reference."""
    if "accuracy" in case.settings:
        return float(10 * case.settings["accuracy"])
    if coarse(case, xs):
        # Differences of a float32 forward are good to three digits only.
        return 5e-3
    return max((TOL[str(x.dtype)] for x in xs), default=TOL["float64"])


def point_of(case: Case, xs: tuple[Array, ...], rng: np.random.Generator) -> Point:
    """Where to differentiate: wide inputs, a random upstream, what a fresh layer declares for the inputs as given."""
    wide = widened(case, xs)
    y = np.asarray(forward(case, copies(xs)))
    up = np.asarray(np.asarray(rng.standard_normal(y.shape)).astype(y.dtype))
    with np.errstate(all="ignore"):
        declared = gradients(case, xs, up.copy())
    eps = EPS32 if coarse(case, xs) else float(np.finfo(wide[0].dtype).eps)
    with np.errstate(all="ignore"):
        # Points of a structure cannot be shifted entry by entry; a wrong case gets no allowance.
        still = case.bug is not None or any(structures(case, len(xs)))
        wobble = [np.zeros(x.shape) for x in xs] if still else wobble_of(case, xs, up, declared)
    return Point(case, wide, up, declared, eps, wobble)


def entries(point: Point, rng: np.random.Generator, room: float) -> list[tuple[int, tuple[int, ...]]]:
    """Which entries to measure: all of a small layer, those under suspicion of a large one."""
    if sum(x.size for x in point.xs) > MOST_ENTRIES:
        return suspects(point, rng, room / 100)
    return [(k, i) for k, x in enumerate(point.xs) for i in np.ndindex(x.shape)]


def draw_error(point: Point, rng: np.random.Generator, room: float) -> tuple[float, bool]:
    """Largest relative error at one point, and whether a kink was met."""
    worst, kink = 0.0, False
    chosen = entries(point, rng, room)
    measured = {}
    for k, i in chosen:
        dirs, scale = coordinate(point.xs, k, i)
        want, noise = point.slope(dirs)
        measured[k, i] = want / scale, noise / scale, point.wobble[k][i], point.says(dirs) / scale, dirs, scale
    for k in range(len(point.xs)):
        mine = {i: m for (kk, i), m in measured.items() if kk == k}
        largest = max((abs(m[0]) for m in mine.values()), default=0.0)
        for want, noise, own, got, dirs, scale in mine.values():
            top = max(abs(want), 1e-3 * largest) + 1e-9
            error = abs(got - want)
            if (error < 10 * noise and noise < 1e-7 * largest) or error <= 4 * own:
                continue
            if error / top > room:
                if jumps(point.along(dirs)):
                    return np.inf, True
                low, high = one_sided(point.along(dirs))
                if high - low > 1e-3 * scale * top:
                    kink = True
                    continue
            # A small entry with the wrong sign is wrong, however large its neighbours are.
            alone = error / abs(want) if error > 0.1 * abs(want) > 0 and error > 100 * noise else 0.0
            worst = max(worst, error / top, alone if point.case.bug else 0.0)
    return worst, kink


def gradient_error(
    case: Case, draws: list[tuple[Array, ...]], rng: np.random.Generator, room: float
) -> tuple[float, bool]:
    """Largest relative error over two draws, and whether a kink was met."""
    worst, kinks = 0.0, False
    for xs in draws[:2]:
        point = point_of(case, xs, rng)
        error, kink = draw_error(point, rng, room)
        if kink and not between_one_sided(case, point.xs, rng):
            return np.inf, True
        worst, kinks = max(worst, error), kinks or kink
    return worst, kinks


def judge(case: Case) -> Judged:
    """Whether a case is what its `bug` says."""
    rng = np.random.default_rng(11)
    draws = [case.inputs(np.random.default_rng(s)) for s in range(DRAWS)]
    if sum(x.size for x in draws[0]) > LARGEST:
        return Judged(True, "too large, not verified", np.nan)
    broken = breach(case, draws, rng)
    if broken in NO_GRADIENT:
        return Judged(case.bug is not None, broken or "", np.inf)
    room = tolerance(case, draws[0])
    error, kink = gradient_error(case, draws, rng, room)
    if case.bug is None:
        return Judged(broken is None and error <= room, broken or ("kink" if kink else ""), error)
    if error > room:
        return Judged(True, "gradient" + (f", {broken}" if broken else ""), error)
    if broken is None and error > SMALL_TOL and room <= TOL["float64"]:
        return Judged(True, "gradient, barely", error)
    return Judged(broken is not None, broken or "NOT WRONG", error)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--only", default="", help="regular expression on the names of cases")
    args = parser.parse_args(argv)
    failed, seen = [], set()
    totals: dict[str, list[int]] = {}
    for case in load(args.sets):
        if not re.search(args.only, case.name):
            continue
        judged = judge(case)
        known = all(w in TAXONOMY for w in case.words) and case.name not in seen
        seen.add(case.name)
        ok = judged.ok and known
        right, wrong = totals.setdefault(case.bug or "right", [0, 0])
        totals[case.bug or "right"] = [right + ok, wrong + (not ok)]
        print(f"{'ok' if ok else 'FAIL':4} {case.bug or 'right':10} {case.name:52} {judged.error:8.1e}  {judged.how}")
        if not ok:
            failed.append(case.name)
    print()
    for word, (good, bad) in sorted(totals.items()):
        print(f"{word:12} {good:4} {f'{bad} failed' if bad else ''}")
    print("failed: " + ", ".join(failed) if failed else "all pass")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
