"""The sweep: the error of a central difference against its step, over many decades.

Too large a step is off by the curvature (truncation, growing as h squared), too small a one by rounding (growing as
1 / h). Between the two a right gradient is met and a wrong one is not: the picture shows which it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_gradcheck.numeric.stencil import Block
from pytest_gradcheck.numeric.sums import rounding, sums

from .entries import Witness

#: Steps, in units of the entries' own size.
SMALLEST, LARGEST, PER_DECADE = 1e-13, 0.5, 3
#: A step is governed by truncation where its error is so many times what rounding explains.
CLEAR = 10.0


def sweep_of(witness: Witness) -> dict[str, Any] | None:
    """Differences of the worst entry, or of all entries along one direction where none is wrong.

    h: the steps; difference: what the central difference gives; rounding: how far rounding may have moved it;
    declared: what backward says; best, bar: what the check measured, and how well; truncation: c where the error grows
    as c h**2, else None; position: of the entry, None for all of them.
    """
    stencil, prober, claim = witness.sitting.stencil, witness.sitting.prober, witness.claim
    worst, i = witness.worst, witness.argument
    gradient = claim.gradients[i]
    if gradient is None or not witness.size:
        return None
    single = worst is not None and not stencil.is_structured(i)
    at = worst.position if worst is not None and single else 0
    block = Block(i, (at, at + 1) if single else (0, witness.size))
    direction = prober.direction(block, 0)
    unit = float(direction.over(at, at + 1)[0]) * stencil.unit_of(i, at) if single else 1.0
    if worst is not None and single:
        best, bar = worst.numeric, worst.bar
    else:
        estimate = prober.sharp(block, claim, 0, prober.pilot(block, claim))
        best, bar = estimate.value, estimate.bar
    steps = np.geomspace(SMALLEST, LARGEST, round(PER_DECADE * np.log10(LARGEST / SMALLEST)) + 1)
    rows = []
    for t in steps.tolist():
        plus, minus = stencil.pair(block, direction, t)
        slope = sums(plus, minus, stencil.center, claim).slope / (2 * t)
        tremble = prober.noise.factor * rounding(plus, minus, stencil.center, claim, prober.noise.eps)
        rows.append((abs(unit) * t, slope / unit, tremble / (2**0.5 * t * abs(unit))))
    h, difference, trembles = (np.array(column) for column in zip(*rows, strict=True))
    return {
        "position": at if single else None,
        "h": h.tolist(), "difference": difference.tolist(), "rounding": trembles.tolist(),
        "declared": stencil.declared(block, direction, gradient) / unit, "best": best, "bar": bar,
        "truncation": curvature(h, np.abs(difference - best), trembles + bar),
    }  # fmt: skip


def curvature(h: np.ndarray, error: np.ndarray, explained: np.ndarray) -> float | None:
    """c where error = c h**2 over at least half a decade of steps, else None."""
    clear = np.isfinite(error) & (error > CLEAR * explained)
    ratios = error[clear] / h[clear] ** 2
    # From the smallest clear steps on: at the largest ones higher powers of h take part.
    first = ratios[: max(2, len(ratios) // 2)]
    if len(first) < 2 or first.min() <= 0 or first.max() > 2 * first.min():
        return None
    return float(np.median(first))
