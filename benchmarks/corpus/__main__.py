"""Runs the check, and other checkers beside it, on the corpus.

    python -m benchmarks.corpus
    python -m benchmarks.corpus --seeds 20 --jobs 2
    python -m benchmarks.corpus --cases made --only 'softmax|norm' --kinds
    python -m benchmarks.corpus --peers torch,jax,autograd,scipy,cs231n,lecture

Each of the others runs in an environment of its own, $PEERS_HOME/NAME (see benchmarks/corpus/peers), or in this
one where it is installed here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.corpus import SETS, tables
from benchmarks.corpus.outcome import Row
from benchmarks.corpus.run import all_rows, chosen, series


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.corpus", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", default=",".join(SETS), help="sets of cases, with commas between")
    parser.add_argument("--only", default="", metavar="REGEX", help="only cases whose name matches")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="run each case with seeds 0 to N-1")
    parser.add_argument("--peers", default="", help="other checkers beside ours, with commas between")
    parser.add_argument("--kinds", action="store_true", help="how often the corpus's word for a bug was named")
    parser.add_argument("--jobs", type=int, default=1, help="processes at the same time")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds a case may take")
    parser.add_argument("--json", type=Path, help="write every row to this file")
    args = parser.parse_args(argv)
    args.cases = [s for s in args.cases.split(",") if s]
    args.peers = [p for p in args.peers.split(",") if p]
    for name in args.cases:
        if name not in SETS:
            parser.error(f"no set of cases is called {name!r}: the sets are {', '.join(SETS)}")
    known_peers(parser, args.peers)
    return args


def known_peers(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """One sentence, before anything runs, where a checker is unknown or has no environment."""
    if not names:
        return
    from benchmarks.corpus.peers import PEERS
    from benchmarks.corpus.peers.server import MissingPeerError, python_of

    for name in names:
        if name not in PEERS:
            parser.error(f"no checker is called {name!r}: the known ones are {', '.join(PEERS)}")
        try:
            python_of(PEERS[name])
        except MissingPeerError as e:
            parser.error(str(e))


def show(rows: Sequence[Row], seeds: int, peers: Sequence[str], with_kinds: bool) -> None:
    """Print every table that the rows fill."""
    cases = {r.case: r.bug for r in rows}
    wrong = sum(bug is not None for bug in cases.values())
    print(f"{wrong} wrong and {len(cases) - wrong} right layers, {seeds} seed{'s' if seeds > 1 else ''}\n")
    print(tables.rates(rows))
    print("\nverdicts that are not as they should be:\n" + tables.mistakes(rows))
    if seeds > 1:
        print("\nverdicts that changed with the seed:\n" + tables.unsteady(rows))
    if any(map(series, cases)):
        print("\n" + tables.the_series(rows))
    if peers:
        print("\nside by side (x: wrong in every run, ~: in some):\n" + tables.peers_side_by_side(rows))
    if with_kinds:
        print("\n" + tables.kinds(rows))
        print("\n" + tables.diagnosed(rows))
        print("\nanother word was named first:\n" + tables.misnamed(rows))


def main(argv: Sequence[str]) -> int:
    args = parsed(argv)
    names = chosen(args.cases, args.only)
    if not names:
        print(f"no case matches {args.only!r}")
        return 2
    rows = all_rows(names, range(args.seeds), args.peers, args.jobs, args.timeout)
    show(rows, args.seeds, args.peers, args.kinds)
    if args.json:
        args.json.write_text(json.dumps([asdict(r) for r in rows]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
