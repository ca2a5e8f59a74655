"""Each figure of the bars of speed and scale beside its bar.

    python -m benchmarks.speed.bars
    python -m benchmarks.speed.bars --only memory
    python -m benchmarks.speed.bars --huge         10^8 entries as well: minutes, and some ten arrays of 0.8 GB

Times are medians of what was timed in turns. They mean something on a quiet machine only.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from benchmarks.corpus.scale import Line
from benchmarks.speed import bars_check, bars_elsewhere, bars_pytest, bars_torch

PARTS: dict[str, Callable[[], Iterator[Line]]] = {
    "memory": bars_check.memory,
    "every-entry": bars_check.every_entry,
    "small": bars_check.small,
    "thousand": bars_pytest.thousand,
    "start-up": bars_pytest.start_up,
    "evaluations": bars_check.evaluations,
    "torch-slow": bars_torch.slow,
    "torch-fast": bars_torch.fast,
    "two-workers": bars_pytest.two_workers,
    "dask": bars_elsewhere.dask,
    "device": bars_elsewhere.device,
    "huge": bars_check.huge,
}


def main(argv: Sequence[str]) -> int:
    """Print a line for each figure of the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help=f"parts that contain this word, of {', '.join(PARTS)}")
    parser.add_argument("--huge", action="store_true", help="10^8 entries as well")
    args = parser.parse_args(argv)
    chosen = [part for name, part in PARTS.items() if args.only in name and (name != "huge" or args.huge)]
    with np.errstate(all="ignore"):
        for what, measured, bar, met in (line for part in chosen for line in part()):
            print(f"{what:52} {measured:26} {bar:28} {'met' if met else 'NOT MET'}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
