"""One-sided slopes at a kink: what the output does on either side, and which gradients the two sides allow."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_gradcheck.numeric.kinks import NEAREST

from .entries import Witness

#: Points of the curve, and how far it goes to each side, in units of the entry's own size.
POINTS, REACH = 41, 0.1
#: Kinks that are drawn.
MOST_KINKS = 2


def slopes_of(witness: Witness) -> list[dict[str, Any]]:
    """The curve through some entries that stand on a kink, those first whose gradient is outside the slopes."""
    breached = [
        entry[1]
        for breach in witness.outcome.kinks.breaches
        for entry in breach.entries
        if len(breach.entries) == 1 and entry[0] == witness.argument and entry[1] >= 0
    ]
    kinked = [m.position for m in witness.measured if m.state == "kink"]
    return [_slopes_at(witness, p) for p in list(dict.fromkeys([*breached, *kinked]))[:MOST_KINKS]]


def _slopes_at(witness: Witness, position: int) -> dict[str, Any]:
    """Curve of upstream . output (less its value at the entry) against the entry's change, and the slopes' range.

    low, high: what a gradient may be, each output taking the smaller or the larger of its one-sided slopes.
    """
    stencil, i = witness.sitting.stencil, witness.argument
    gradient = witness.claim.gradients[i]
    unit = stencil.unit_of(i, position) or 1.0
    reach, near = REACH * unit, max(1e-6, 100 * NEAREST) * unit
    upstream = np.concatenate([u.reshape(-1) for u in witness.claim.upstream])
    centre = np.concatenate(stencil.center)

    def change(t: float) -> Any:
        return stencil.placed([(i, position, stencil.flat[i][position] + t)]) - centre

    steps = np.linspace(-reach, reach, POINTS)
    right, left = upstream * change(near) / near, upstream * change(-near) / -near
    return {
        "position": position,
        "t": steps.tolist(),
        "change": [float(upstream @ change(t)) for t in steps.tolist()],
        "left": float(left.sum()), "right": float(right.sum()),
        "low": float(np.minimum(left, right).sum()), "high": float(np.maximum(left, right).sum()),
        "declared": 0.0 if gradient is None else float(gradient[position]),
    }  # fmt: skip
