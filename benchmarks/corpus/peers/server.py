"""A checker in a process of its own: it may hang, crash, or need another numpy than we do.

python -m benchmarks.corpus.peers.server NAME    one JSON request a line in, one outcome a line out
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import warnings
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpus import load
from benchmarks.corpus.outcome import Outcome
from benchmarks.corpus.peers import PEERS, Peer

ROOT = Path(__file__).parents[3]
HOME = Path(os.environ.get("PEERS_HOME") or Path(tempfile.gettempdir()) / "peers")
#: Seconds for imports and compilers to warm up before the first case.
START = 120.0


class MissingPeerError(Exception):
    """A checker's environment is not there; the message says how to make it."""


def python_of(peer: Peer) -> str:
    """The interpreter a checker runs in: its own environment, else this one where it holds the packages."""
    own = HOME / peer.venv / "bin" / "python"
    if own.exists():
        return str(own)
    if all(find_spec(module) for module in peer.modules):
        return sys.executable
    packages = " ".join(f"'{p}'" for p in peer.packages)
    raise MissingPeerError(
        f"{peer.name} is not installed here and has no environment at {own.parents[1]}: "
        f"make one with python -m venv {own.parents[1]} && {own.with_name('pip')} install {packages}"
    )


class Server:
    """The client's end: starts the process, asks, and starts it again after a time-out or a crash."""

    def __init__(self, peer: str | Peer) -> None:
        self.peer = PEERS[peer] if isinstance(peer, str) else peer
        self.python = python_of(self.peer)
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """What is run: a module that says "ready" and answers a line for each line."""
        return [self.python, "-m", "benchmarks.corpus.peers.server", self.peer.name]

    def start(self) -> subprocess.Popen[bytes]:
        quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(
            self.command(),
            cwd=ROOT,
            env={**os.environ, **quiet, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if self.reply(START) != "ready":
            raise MissingPeerError(f"{self.command()[-1]} does not start: try `{' '.join(self.command())}` in {ROOT}")
        return self.process

    def reply(self, seconds: float) -> Any:
        """The next line, None where there is none in time or the process has ended."""
        if self.process is None or self.process.stdout is None:
            return None
        line = b""
        if select.select([self.process.stdout], [], [], seconds)[0]:
            line = self.process.stdout.readline()
        if not line:
            self.stop()
            return None
        return json.loads(line)

    def ask(self, case: str, seed: int, seconds: float) -> Outcome:
        """The checker's word on a case."""
        answer = self.answer({"case": case, "seed": seed}, seconds)
        return Outcome(**answer) if answer else Outcome("timeout", f"no answer in {seconds:g} s", seconds=seconds)

    def answer(self, request: dict[str, Any], seconds: float) -> Any:
        """What the process answers to a request; None where it does not in time, or has ended."""
        process = self.process or self.start()
        if process.stdin is not None:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        return self.reply(seconds)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def serve(name: str) -> None:
    """Answer requests {"case", "seed"} until the end of the input."""
    # Whatever a layer or a framework prints must not get between the answers.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    cases = {case.name: case for case in load()}
    PEERS[name].check(cases["affine"], 0)
    print(json.dumps("ready"), file=replies, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        outcome = PEERS[name].check(cases[asked["case"]], asked["seed"])
        print(json.dumps(asdict(outcome)), file=replies, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
