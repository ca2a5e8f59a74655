"""Joint: all arguments moved at once, for forwards so costly that eight evaluations are what there is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .ladder import SIGMAS, Estimate, amplification, extrapolate
from .probe import Prober
from .stencil import Block, Claim

#: Rungs of the only ladder there is, and its first step in units.
RUNGS, STEP = 3, 2e-3


def joint_estimate(prober: Prober, claim: Claim, arguments: Sequence[int]) -> Estimate:
    """One estimate over all entries of all arguments together: six forward evaluations."""
    stencil, noise = prober.stencil, prober.noise
    blocks = [Block(i, (0, stencil.flat[i].size)) for i in arguments]
    directions = {i: prober.direction(b, 1) for i, b in zip(arguments, blocks, strict=True)}
    tally = stencil.tally(claim, noise.eps)
    for rung in range(RUNGS):
        t = STEP / 2**rung
        plus, minus = (stencil.held_at(*((b, directions[b.argument], side) for b in blocks)) for side in (t, -t))
        tally.add(plus, minus, rounded=True)
    results, once = tally.sums, tally.once
    declared = 0.0
    for i, block in zip(arguments, blocks, strict=True):
        gradient = claim.gradients[i]
        declared += 0.0 if gradient is None else stencil.declared(block, directions[i], gradient)
    if not all(s.finite for s in results) or not np.isfinite(declared):
        return Estimate(declared, np.nan, np.inf, np.inf, STEP, RUNGS, np.nan, (), finite=False)
    value, truncation = extrapolate([s.slope / (2 * STEP / 2**r) for r, s in enumerate(results)])
    # Nothing was spent on measuring the noise: what the last two rungs differ by beyond truncation bounds it.
    tremble = 2.0 * noise.factor * once
    sigma = amplification(RUNGS) * tremble / (2**0.5 * STEP)
    scale = results[-1].spread / (2 * STEP / 2 ** (RUNGS - 1))
    return Estimate(
        declared, value, truncation, sigma, STEP, RUNGS, scale, tuple(s.bend for s in results), tremble / SIGMAS,
        forgiven=noise.approximate(claim, scale),
    )  # fmt: skip
