"""One checker in a process of its own, asked about layers of any size.

python -m benchmarks.speed.worker NAME    one JSON request a line in, one answer a line out

A process for each, ours included, so that nobody pays for what another has imported, and a checker that takes too
long can be ended.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.corpus.outcome import Outcome
from benchmarks.corpus.peers import PEERS, Peer
from benchmarks.corpus.peers.server import Server
from benchmarks.corpus.run import US
from benchmarks.speed.layers import case
from benchmarks.speed.measure import FOREVER, bare, beyond, outcome, repeated, turns

#: Our own line among the others: it needs nothing that is not here.
OURS = Peer(US, lambda layer, inputs, rng: None, "main", (), (), "this plugin, defaults")
CHECKERS = {US: OURS, **PEERS}


class Worker(Server):
    """The asking end; raises `MissingPeerError` where the checker is not installed."""

    def __init__(self, checker: str) -> None:
        super().__init__(CHECKERS[checker])

    def command(self) -> list[str]:
        return [self.python, "-m", "benchmarks.speed.worker", self.peer.name]

    def check(
        self, layer: str, entries: int, seconds: float, error: float = 0.0, seed: int = 0, enough: float = 0.0
    ) -> Outcome:
        """The checker's word on a layer, "timeout" where it takes longer than so many seconds.

        enough: it is asked again and again until so many seconds have passed, and its time is their median.
        """
        asked = {"layer": layer, "entries": entries, "error": error, "seed": seed, "enough": enough}
        answer = self.answer(asked, seconds)
        return Outcome(**answer) if answer else Outcome("timeout", f"over {seconds:g} s", seconds=seconds)

    def bare(self, layer: str, entries: int, done: Outcome) -> float:
        """Seconds of as many forward and backward calls of the layer as a check has made, and nothing else."""
        calls = [done.forward_evaluations, done.backward_calls]
        return float(self.answer({"layer": layer, "entries": entries, "bare": calls}, FOREVER))

    def turns(self, layer: str, entries: int, rounds: int) -> list[tuple[float, float]]:
        """Seconds of our check and of its own calls alone, in turns within the process."""
        return [(a, b) for a, b in self.answer({"layer": layer, "entries": entries, "turns": rounds}, FOREVER)]

    def memory(
        self, layer: str, entries: int, seconds: float = FOREVER, how: str = "resident"
    ) -> tuple[float, Outcome] | None:
        """Peak memory of a check beyond the layer's own, in arrays of its size; None where it takes longer.

        Only the first answer of a process counts: the peak of a process never falls.
        """
        answer = self.answer({"layer": layer, "entries": entries, "memory": how}, seconds)
        return None if answer is None else (float(answer[0]), Outcome(**answer[1]))


def answer(checker: str, asked: dict[str, Any]) -> Any:
    """The answer to one request."""
    one = case(asked["layer"], asked["entries"], asked.get("error", 0.0))
    if "bare" in asked:
        return bare(one, *asked["bare"])
    if "turns" in asked:
        return turns(one, asked["turns"])
    if "memory" in asked:
        arrays, done = beyond(checker, one, asked["memory"])
        return arrays, asdict(done)
    return asdict(repeated(checker, one, asked["seed"], asked["enough"]))


def serve(checker: str) -> None:
    """Answer requests until the end of the input."""
    # Whatever a layer or a framework prints must not get between the answers.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    if checker.startswith("torch"):
        import torch

        torch.set_num_threads(1)
    for _ in range(2):
        outcome(checker, case("blocks", 10))
    print(json.dumps("ready"), file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(checker, json.loads(line))), file=replies, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
