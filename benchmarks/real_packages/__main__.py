"""Checks packages that nobody of this project wrote, as they are installed.

    python -m benchmarks.real_packages
    python -m benchmarks.real_packages --packages numpy_ml,torch --jobs 2
    python -m benchmarks.real_packages --packages jax_nn --only softmax --seeds 5
    python -m benchmarks.real_packages --jobs 2 --page          # and write the tables of docs/real-packages.md
    python -m benchmarks.real_packages.confirm                  # the failures once more, by hand

Each package runs in a process of its own: a layer that ends the process is a failure like any other, and the others
go on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.real_packages import told
from benchmarks.real_packages.base import PACKAGES, TOGETHER
from benchmarks.real_packages.run import results


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.real_packages",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--packages", default=",".join(PACKAGES), help="names of packages, with commas between")
    parser.add_argument("--only", default="", metavar="REGEX", help="only layers whose name and variant match")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="check each with seeds 0 to N-1")
    parser.add_argument("--jobs", type=int, default=1, help="packages at the same time")
    parser.add_argument("--json", type=Path, help="write every row to this file")
    parser.add_argument("--page", action="store_true", help="write the tables of docs/real-packages.md")
    args = parser.parse_args(argv)
    args.packages = [n for word in args.packages.split(",") if word for n in TOGETHER.get(word, (word,))]
    for name in args.packages:
        if name not in PACKAGES:
            parser.error(f"no package is called {name!r}: the packages are {', '.join(PACKAGES)}")
    return args


def main(argv: Sequence[str]) -> int:
    """0 where every failure is known to be the package's own, else 1."""
    args = parsed(argv)
    found = results(args.packages, args.seeds, args.only, args.jobs)
    print(told.text(found))
    if args.json:
        args.json.write_text(json.dumps([row.to_plain() for result in found for row in result.rows]))
    if args.page:
        from benchmarks.real_packages.page import write

        write(found)
    return 1 if told.unexplained(found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
