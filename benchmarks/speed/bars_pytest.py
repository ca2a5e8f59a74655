"""Bars of whole sessions of pytest: start-up, a thousand small checks, two workers over none."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks.corpus.scale import Line, check
from benchmarks.speed.layers import Elementwise
from benchmarks.speed.rounds import paired, ratio, timed, timed_ratio
from benchmarks.speed.sites import sites

ROOT = Path(__file__).parents[2]

#: A thousand tests of one layer; what a test does comes last.
SUITE = """
import numpy as np
import pytest
from benchmarks.speed.layers import Blocks, Elementwise

x = np.random.default_rng(0).standard_normal({entries})
layer = {layer}

@pytest.mark.parametrize("i", range({tests}))
"""
EMPTY = "def test_layer(i): pass\n"
CHECKS = "def test_layer(i, gradcheck): gradcheck(layer, x)\n"
CALLS = """def test_layer(i):
    for _ in range({forwards}): y = layer.forward(x)
    for _ in range({backwards}): layer.backward(y)
"""


@contextmanager
def suite(tests: str, count: int = 1000, entries: int = 50, layer: str = "Elementwise()") -> Iterator[Path]:
    """A folder with one file of so many tests."""
    with tempfile.TemporaryDirectory(prefix="suite") as folder:
        head = SUITE.format(entries=entries, layer=layer, tests=count)
        Path(folder, "test_suite.py").write_text(head + tests, encoding="utf-8")
        yield Path(folder)


def session(folder: Path, *words: str) -> None:
    """pytest in a folder, with this plugin and those named, nothing else; an error where a test fails."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    quiet = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_gradcheck.plugin", "-p", "no:cacheprovider", *words]
    done = subprocess.run(command, cwd=folder, env={**clean, **quiet}, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 5):
        raise RuntimeError(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )


def thousand(count: int = 1000, rounds: int = 5) -> Iterator[Line]:
    """A thousand small checks over as many empty tests and the calls that the checks make."""
    import numpy as np

    report = check(Elementwise(), np.random.default_rng(0).standard_normal(50))
    calls = CALLS.format(forwards=report.forward_evaluations, backwards=report.backward_calls)
    with suite(CHECKS, count) as checks, suite(calls, count) as bare, suite(EMPTY, count) as empty:
        found = timed_ratio(partial(session, checks), partial(session, bare), rounds)
        beside = timed_ratio(partial(session, checks), partial(session, empty), rounds)
    yield f"{count:,} checks over empty tests and calls", f"{found:.2f}", "at most 2", found <= 2
    yield f"{count:,} checks over empty tests alone", f"{beside:.2f}", "(no bar)", True


def two_workers(rounds: int = 3) -> Iterator[Line]:
    """`-n 2` over `-n 0`: a thousand empty tests, as many small checks, and checks of some 20 ms.

    Of small checks what the workers cost by themselves decides; it is what they cost an empty suite.
    """
    if find_spec("xdist") is None:
        yield "-n 2 over -n 0", "pytest-xdist is not installed", "at most 0.6", False
        return
    empty = _two_over_none(EMPTY, 50, "Elementwise()", rounds)
    yield "-n 2 over -n 0, 1,000 empty tests", f"{empty:.2f}", "(no bar)", True
    small = _two_over_none(CHECKS, 50, "Elementwise()", rounds)
    word = f"at most 0.6 (decided: {1.1 * empty:.2f})"
    yield "-n 2 over -n 0, 1,000 checks small", f"{small:.2f}", word, small <= max(0.6, 1.1 * empty)
    long = _two_over_none(CHECKS, 20_000, "Blocks(20_000)", rounds)
    yield "-n 2 over -n 0, 1,000 checks of 20 ms", f"{long:.2f}", "at most 0.6 (decided: 0.65)", long <= 0.65


def _two_over_none(tests: str, entries: int, layer: str, rounds: int) -> float:
    with suite(tests, 1000, entries, layer) as folder:
        two, none = (partial(session, folder, "-p", "xdist", "-n", n) for n in ("2", "0"))
        return timed_ratio(two, none, rounds)


def start_up(rounds: int = 30) -> Iterator[Line]:
    """`pytest -q` in an empty folder, in two environments that differ by this plugin alone."""
    with sites() as (with_it, without), tempfile.TemporaryDirectory(prefix="empty") as folder:

        def start(site: Path) -> None:
            code = f"import sys; sys.path[:0] = [{str(site)!r}]; import pytest; sys.exit(pytest.main(['-q']))"
            clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "PYTHON"))}
            command = [sys.executable, "-S", "-c", code]
            done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False)
            if "no tests ran" not in done.stdout:
                raise RuntimeError(f"pytest did not start:\n{done.stdout}{done.stderr}")

        for site in (with_it, without):
            start(site)
        pairs = paired(lambda: timed(lambda: start(with_it)), lambda: timed(lambda: start(without)), rounds, 600.0)
        found = ratio(pairs)
    yield f"start-up with the plugin over without, {rounds} rounds", f"{found:.3f}", "at most 1.02", found <= 1.02
