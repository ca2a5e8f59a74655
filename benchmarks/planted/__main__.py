"""Looks for a wrong gradient that passes.

    python -m benchmarks.planted [--seconds 120] [--seed 0] [--only REGEX] [--least 0.1] [--jobs 2] [--strict]
    python -m benchmarks.planted --seed 0 --number 17

Each number draws a right layer of the corpus, inputs that may be scaled, rounded or partly zero, and an error of ten
times the stated sharpness (and no less than --least) in one entry of one gradient. What passes all the same is told,
so that it can be repeated; in capitals where the report does not say that some entries are too small to be told. It is
a search, not a bar: the exit status is 0 unless --strict asks for 1.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count, islice, takewhile
from multiprocessing import get_context

from benchmarks.planted.planting import Planting, drawn, planting, right_cases

#: So many plantings are handed to each process at a time.
ROUND = 8


def outcomes(numbers: Iterable[int], one: Callable[[int], Planting | str], jobs: int = 1) -> Iterator[Planting | str]:
    """What became of each number, in their order; `jobs` of them at the same time."""
    if jobs == 1:
        yield from map(one, numbers)
        return
    rest = iter(numbers)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        # A pool takes all numbers before it answers, and these may end with the time only.
        while some := list(islice(rest, ROUND * jobs)):
            yield from pool.map(one, some)


def told(found: Iterable[Planting | str], whole: bool = False) -> int:
    """How many planted errors passed without a word of it; prints each that passed as it comes, at the end the counts.

    whole: prints each, with both reports.
    """
    verdicts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    admitted = 0
    for one in found:
        if isinstance(one, str):
            reasons[one] += 1
            continue
        verdicts[one.wrong.verdict] += 1
        admitted += one.wrong.passed and one.admitted
        if whole or one.wrong.passed:
            print(f"{_word(one)} {one}", flush=True)
        if whole:
            print(f"\nwithout the error:\n{one.right}\n\nwith the error:\n{one.wrong}\n")
    for reason, times in reasons.most_common():
        print(f"{times:6} not planted: {reason}")
    passed = verdicts["pass"] - admitted
    print(
        f"{verdicts.total()} planted, {verdicts['fail']} failed (found), {verdicts['inconclusive']} inconclusive, "
        f"{admitted} passed among entries said to be too small to tell, {passed} PASSED"
    )
    return passed


def _word(one: Planting) -> str:
    if not one.wrong.passed:
        return one.wrong.verdict
    return "passed" if one.admitted else "PASSED"


def numbers_of(seed: int, only: str, seconds: float) -> Iterator[int]:
    """The numbers whose case is asked for, until the time is over."""
    end = time.monotonic() + seconds
    within = takewhile(lambda _: time.monotonic() < end, count())
    return (number for number in within if re.search(only, drawn(seed, number)[0].name))


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.planted", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120.0, help="how long to go on")
    parser.add_argument("--seed", type=int, default=0, help="of the search")
    parser.add_argument("--only", default="", metavar="REGEX", help="only cases whose name matches")
    parser.add_argument("--least", type=float, default=0.1, help="the smallest error, as a part of the entry")
    parser.add_argument("--jobs", type=int, default=1, help="processes at the same time")
    parser.add_argument("--number", type=int, metavar="K", help="planting number K alone, with both reports")
    parser.add_argument("--strict", action="store_true", help="exit status 1 where a planted error passes")
    args = parser.parse_args(argv)
    if not any(re.search(args.only, case.name) for case in right_cases()):
        parser.error(f"no right layer of the corpus has a name that matches {args.only!r}")
    one = partial(planting, args.seed, least=args.least)
    if args.number is not None:
        passed = told([one(args.number)], whole=True)
    else:
        passed = told(outcomes(numbers_of(args.seed, args.only, args.seconds), one, args.jobs))
    return int(args.strict and passed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
