"""Checks the layers of one package in this process, and prints one line of JSON before and after each.

    python -m benchmarks.real_packages.worker numpy_ml [--seeds 1] [--only REGEX]

A layer that ends the process (a segmentation fault in a framework's own backward) is known by the line before it. The
labels of layers to leave out are read from standard input, one to a line.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any

from benchmarks.real_packages.base import load
from benchmarks.real_packages.outcome import judged


def say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    done = set(sys.stdin.read().split("\n"))
    package = load(args.package)
    checks = package.checks()
    found = list(dict.fromkeys(package.found()))
    say(title=package.title, version=package.version, found=found, unchecked=package.left_out())
    for check in checks:
        for seed in range(args.seeds):
            label = f"{check.label} #{seed}"
            if label in done or not re.search(args.only, check.label):
                continue
            say(begin=label, name=check.name, variant=check.variant, theirs=check.theirs, seed=seed)
            say(row=judged(args.package, check, seed).to_plain())


if __name__ == "__main__":
    main()
