"""Is the stated sharpness true? Errors a little above it are planted and counted.

    python -m benchmarks.corpus.sharpness
    python -m benchmarks.corpus.sharpness --draws 1000 --jobs 2

A passing report says the smallest relative error in one entry that it would have caught. Here each draw makes a
right layer, asks for that number, plants errors at 1.01 times it (in one entry, in two equal or two opposite ones,
in one entry of an argument whose gradients span many decades), and looks whether the check then fails.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.tables import table

#: How far above the stated sharpness an error is planted, and the share of draws that must catch it.
ABOVE, BAR = 1.01, 0.999
#: Entries whose gradient is below this part of the root mean square are measured against that part instead.
FLOOR = 1e-3


class Planted:
    """Ten outputs, each the sum of the scaled tanh of its share of the inputs; errors are added to the gradient."""

    def __init__(self, n: int, scales: Array) -> None:
        self.n, self.scales = n, scales
        self.errors: dict[int, float] = {}

    def forward(self, x: Array) -> Array:
        self.t = np.tanh(x)
        y: Array = (self.scales * self.t).reshape(10, -1).sum(axis=1)
        return y

    def backward(self, upstream: Array) -> Gradients:
        g = np.repeat(upstream, self.n // 10) * self.scales * (1 - self.t**2)
        size = np.maximum(np.abs(g), FLOOR * np.sqrt((g * g).mean()))
        for i, relative in self.errors.items():
            g[i] += relative * size[i]
        return (g,)


@dataclass(frozen=True)
class Trial:
    """One way of planting errors in a layer of n entries."""

    name: str
    n: int
    decades: float = 0.0
    signs: tuple[int, ...] = (1,)

    def layer(self, rng: np.random.Generator) -> Planted:
        return Planted(self.n, 10.0 ** rng.uniform(-self.decades / 2, self.decades / 2, self.n))


def trials() -> list[Trial]:
    """Every way at 50 and at 100,000 entries."""
    ways = [
        ("one entry", 0.0, (1,)),
        ("two equal", 0.0, (1, 1)),
        ("two opposite", 0.0, (1, -1)),
        ("six decades", 6.0, (1,)),
    ]
    return [Trial(name, n, decades, signs) for n in (50, 100_000) for name, decades, signs in ways]


def caught(trial: Trial, seed: int) -> tuple[bool, bool, float]:
    """Whether the planted error was caught, whether the right layer passed, and the sharpness it stated."""
    import pytest_gradcheck

    rng = np.random.default_rng(seed)
    layer, x = trial.layer(rng), rng.standard_normal(trial.n)
    right = pytest_gradcheck.check(layer, x, seed=seed)
    stated = max(right.sharpness.values(), default=float("nan"))
    if not right.passed:
        return False, False, stated
    chosen = rng.choice(trial.n, len(trial.signs), replace=False)
    layer.errors = {int(i): ABOVE * stated * s for i, s in zip(chosen, trial.signs, strict=True)}
    wrong = pytest_gradcheck.check(layer, x, seed=seed)
    return wrong.verdict == "fail", True, stated


def run(trial: Trial, draws: int, jobs: int) -> list[object]:
    """One line of the table."""
    one = partial(caught, trial)
    if jobs == 1:
        results = [one(seed) for seed in range(draws)]
    else:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            results = list(pool.map(one, range(draws), chunksize=max(1, draws // (8 * jobs))))
    hits = sum(hit for hit, _, _ in results)
    passed = sum(right for _, right, _ in results)
    worst = max(stated for _, _, stated in results)
    verdict = "met" if hits >= BAR * draws and passed == draws else "NOT MET"
    return [trial.name, trial.n, f"{worst:.1e}", f"{passed}/{draws}", f"{hits}/{draws}", verdict]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--large-draws", type=int, help="draws at 100,000 entries (default: the same)")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args(argv)
    lines = []
    for trial in trials():
        draws = args.draws if trial.n <= 1000 or args.large_draws is None else args.large_draws
        lines.append(run(trial, draws, args.jobs))
    head = ["planted", "entries", "largest stated", "right passed", "caught", f"bar {BAR:.1%}"]
    print(f"errors planted at {ABOVE} times the stated sharpness\n")
    print(table(head, lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
