"""This plugin and other gradient checkers side by side, on the same layers in one run.

    python -m benchmarks                      everything; writes the tables and plots of docs/benchmarks.md
    python -m benchmarks --quick              about a minute; writes nothing
    python -m benchmarks --largest 8          ours up to 10^8 entries (minutes, 8 GB)
    python -m benchmarks --only sizes,memory --beside torch,scipy
    python -m benchmarks --page               the page once more from the results kept, without measuring
    python -m benchmarks.speed.bars           each figure of the project's bars beside its bar

Times are ratios over ours, medians over rounds in turns. A checker that is not installed has a line that says so.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.corpus import SETS
from benchmarks.speed.results import kept
from benchmarks.speed.run import BESIDE, CHECKERS, PARTS, measured, plan_of
from benchmarks.speed.told import text


def words(of: str) -> list[str]:
    return [word for word in of.split(",") if word]


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="about a minute: small sizes, one set, nothing written")
    parser.add_argument("--largest", type=int, default=6, metavar="P", help="ours up to 10^P entries")
    parser.add_argument("--limit", type=float, help="seconds a checker is given at one size (20; quick: 3)")
    parser.add_argument("--beside", default=",".join(BESIDE), help="other checkers, with commas between")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to measure, with commas between")
    parser.add_argument("--cases", default="", help="sets of the corpus (all; quick: made)")
    parser.add_argument("--match", default="", metavar="REGEX", help="only cases of the corpus whose name matches")
    parser.add_argument("--page", action="store_true", help="write the page from the results kept, measure nothing")
    args = parser.parse_args(argv)
    args.beside, args.only = words(args.beside), words(args.only)
    args.cases = words(args.cases) or (["made"] if args.quick else list(SETS))
    for what, given, known in (
        ("checker", args.beside, CHECKERS),
        ("part", args.only, PARTS),
        ("set of cases", args.cases, SETS),
    ):
        for name in given:
            if name not in known:
                parser.error(f"no {what} is called {name!r}: the known ones are {', '.join(known)}")
    return args


def main(argv: Sequence[str]) -> int:
    """Measure, print, and write the page where everything was measured."""
    args = parsed(argv)
    if args.page:
        from benchmarks.speed.page import write

        write(kept())
        return 0
    plan = plan_of(tuple(args.beside), args.quick, args.largest, args.limit)
    results = measured(plan, tuple(args.only), tuple(args.cases), args.match, lambda line: print(line, file=sys.stderr))
    print(text(results))
    whole = args.only == list(PARTS) and args.beside == list(BESIDE) and args.cases == list(SETS) and not args.match
    if whole and not args.quick:
        from benchmarks.speed.page import write

        results.keep()
        write(results)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
