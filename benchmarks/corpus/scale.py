"""What a check costs against the size of the layer, in evaluations and in time.

    python -m benchmarks.corpus.scale
    python -m benchmarks.corpus.scale --only time

Each line prints a figure beside its bar. Times are medians over several runs in one process, with one thread; they
mean something on a quiet machine only.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from statistics import median
from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Case, Gradients
from benchmarks.corpus.book import Pair
from benchmarks.corpus.made.series import blocks
from benchmarks.corpus.outcome import layer_of, settings_of
from benchmarks.corpus.run import series

Line = tuple[str, str, str, bool]


def check(layer: Any, *inputs: Array, **settings: Any) -> Any:
    import pytest_gradcheck

    return pytest_gradcheck.check(layer, *inputs, **settings)


def drawn(n: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(n)


# ---------------------------------------------------------------- evaluations


def evaluations() -> Iterator[Line]:
    """A right smooth layer at 10^2 and at 10^6 entries."""
    small, large = (check(Pair(*blocks(n)[:2]), drawn(n)) for n in (10**2, 10**6))
    few, many = small.forward_evaluations, large.forward_evaluations
    yield "right, 10^2 entries", f"{few} evaluations, {small.verdict}", "at most 44", few <= 44 and small.passed
    yield "right, 10^6 entries", f"{many} evaluations, {large.verdict}", "at most 44", many <= 44 and large.passed
    yield "the two apart", str(abs(many - few)), "at most 2", abs(many - few) <= 2
    stated = max(large.sharpness.values(), default=np.inf)
    yield "sharpness at 10^6", f"{stated:.1e}", "at most 1e-6", stated <= 1e-6


def half_zeros() -> Iterator[Line]:
    """relu where half of 10^6 inputs are exactly zero."""
    x = np.maximum(drawn(10**6), 0)
    report = check(Pair(lambda x: (np.maximum(x, 0), x), lambda d, x: (d * (x > 0),)), x)
    spent = report.forward_evaluations
    yield (
        "relu, half zeros, 10^6",
        f"{spent} evaluations, {report.verdict}",
        "at most 80",
        spent <= 80 and report.passed,
    )


def magnitudes() -> Iterator[Line]:
    """Gradients from 1e-8 to 1e8 in one argument, the smallest with its sign flipped, 200 seeds."""
    scales = np.logspace(-8, 8, 100)
    signs = np.where(np.arange(100) == 0, -1, 1)
    layer = Pair(lambda x: (scales * np.tanh(x), x), lambda d, x: (d * signs * scales * (1 - np.tanh(x) ** 2),))
    caught = sum(check(layer, drawn(100, seed), seed=seed).verdict == "fail" for seed in range(200))
    yield "smallest of 16 decades flipped", f"{caught} of 200 seeds", "200", caught == 200


def dense_error() -> Iterator[Line]:
    """Factor 1.01 on 10^6 entries."""
    fwd, bwd, _ = blocks(10**6)
    report = check(Pair(fwd, lambda d, c: (1.01 * bwd(d, c)[0],)), drawn(10**6))
    spent = report.forward_evaluations
    fine = report.verdict == "fail" and spent <= 1200
    yield "factor 1.01 on 10^6", f"{spent} evaluations, {report.verdict}", "at most 1200", fine


def scattered(count: int, most: int) -> Iterator[Line]:
    """Some wrong entries among 10^6: all of them named, and no other."""
    n = 10**6
    fwd, bwd, _ = blocks(n)
    where = np.sort(np.random.default_rng(5).choice(n, count, replace=False))

    def wrong(d: Array, t: Array) -> Gradients:
        g = bwd(d, t)[0]
        g[where] *= 1.5
        return (g,)

    report = check(Pair(fwd, wrong), drawn(n))
    named = {i[0] for f in report.findings for i in f.indices}
    found, spent = len(named & set(where.tolist())), report.forward_evaluations
    fine = named == set(where.tolist()) and spent <= most
    yield f"{count} wrong among 10^6", f"{found} named, {spent} evaluations", f"{count}, at most {most}", fine


# ---------------------------------------------------------------- time


def spent(action: Callable[[], Any], repeats: int = 3) -> float:
    """Median seconds of an action, after one run that is not counted."""
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return median(times)


def smooth_cases() -> list[Case]:
    """Right cases that every checker can be put to: float64, nothing to tell, not empty."""
    from benchmarks.corpus import load

    def plain(case: Case) -> bool:
        xs = case.inputs(np.random.default_rng(0))
        sizes = [x.size for x in xs]
        return all(x.dtype == np.float64 for x in xs) and min(sizes) > 0 and sum(sizes) <= 500

    cases = [c for c in load() if c.bug is None and not c.settings and not c.derivative_of and not series(c.name)]
    return [c for c in cases if plain(c)]


def over_torch() -> Iterator[Line]:
    """The default check over torch's slow gradcheck, on the same numpy layers, median over the corpus."""
    from benchmarks.corpus.peers import PEERS
    from benchmarks.corpus.peers.common import Counted

    try:
        import torch
    except ImportError:
        yield "time over torch's gradcheck", "torch is not installed", "at most 1", False
        return
    torch.set_num_threads(1)
    ratios = []
    for case in smooth_cases():
        xs = case.inputs(np.random.default_rng(0))

        def theirs(case: Case = case, xs: tuple[Array, ...] = xs) -> None:
            # A refusal, or a layer that raises at the second backward, ends torch's run early, in its favour.
            with suppress(Exception):
                PEERS["torch"].adapter(Counted(case.make()), xs, np.random.default_rng(0))

        def ours(case: Case = case, xs: tuple[Array, ...] = xs) -> None:
            check(layer_of(case), *xs, **settings_of(case))

        ratios.append(spent(ours) / spent(theirs))
    yield (
        f"time over torch's gradcheck, {len(ratios)} layers",
        f"{median(ratios):.2f}",
        "at most 1",
        median(ratios) <= 1,
    )


def over_bare_loop() -> Iterator[Line]:
    """The check over a loop that makes the same forward and backward calls and nothing else."""
    for name, n, most in (("cheap, 10^3", 10**3, 3.0), ("10^5", 10**5, 3.0), ("10^6", 10**6, 3.0)):
        yield bare(f"{name} entries", Pair(*blocks(n)[:2]), drawn(n), most)
    yield bare("10 ns an entry, 10^5 entries", Pair(*costly()), drawn(10**5), 1.5)


def costly() -> tuple[Callable[[Array], Any], Callable[[Array, Any], Gradients]]:
    """A forward of some 10 ns an entry and more."""
    return (lambda x: (np.tanh(np.sin(x) * np.exp(-x * x)), x)), (
        lambda d, x: (
            d * (1 - np.tanh(np.sin(x) * np.exp(-x * x)) ** 2) * np.exp(-x * x) * (np.cos(x) - 2 * x * np.sin(x)),
        )
    )


def bare(name: str, layer: Pair, x: Array, most: float) -> Line:
    """One ratio of the check to its own calls."""
    report = check(layer, x)
    upstream = np.random.default_rng(1).standard_normal(np.shape(layer.forward(x)))

    def loop() -> None:
        for _ in range(report.forward_evaluations):
            layer.forward(x)
        for _ in range(report.backward_calls):
            layer.backward(upstream)

    ratio = spent(lambda: check(layer, x)) / spent(loop)
    per_entry = 1e9 * spent(lambda: layer.forward(x)) / x.size
    return (
        f"time over bare calls, {name}",
        f"{ratio:.2f} ({per_entry:.0f} ns an entry)",
        f"at most {most}",
        ratio <= most,
    )


PARTS: dict[str, Callable[[], Iterator[Line]]] = {
    "evaluations": evaluations,
    "half-zeros": half_zeros,
    "magnitudes": magnitudes,
    "dense": dense_error,
    "one": lambda: scattered(1, 1000),
    "twenty": lambda: scattered(20, 12_000),
    "time-torch": over_torch,
    "time-loop": over_bare_loop,
}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help=f"parts that contain this word, of {', '.join(PARTS)}")
    args = parser.parse_args(argv)
    chosen = [part for name, part in PARTS.items() if args.only in name]
    with np.errstate(all="ignore"):
        for what, measured, bar, met in (line for part in chosen for line in part()):
            print(f"{what:48} {measured:32} {bar:20} {'met' if met else 'NOT MET'}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
