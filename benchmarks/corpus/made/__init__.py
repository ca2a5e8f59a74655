"""Cases made for the comparison of checkers: textbook layers with wrong twins, hard layers, and two series.

A layer here is a pair of pure functions, `fwd(*inputs) -> (output, cache)` and `bwd(upstream, cache) -> gradients`;
a wrong twin replaces one of the two.
"""

from __future__ import annotations

from benchmarks.corpus.base import Case

from . import affine, convolution, elementwise, hard, linear_algebra, norms, quiet, recurrent, series, state

CASES: list[Case] = [
    *affine.CASES,
    *elementwise.CASES,
    *norms.CASES,
    *convolution.CASES,
    *recurrent.CASES,
    *linear_algebra.CASES,
    *state.CASES,
    *hard.CASES,
    *quiet.CASES,
    *series.CASES,
]
