"""The complex step: Im f(x + i t d) / t, exact to rounding where forward is analytic all the way.

It is asked for, never chosen: abs, norm, casts and conjugates drop the imaginary part in silence. So it supports a
verdict and never accuses: where it disagrees, differences of real values decide (Squire and Trapp, 1998).
"""

from __future__ import annotations

import numpy as np

from .errors import LayerError
from .findings import Sitting
from .numeric.scales import groups
from .numeric.sharpness import detection_limit
from .numeric.standing import ArgumentOutcome
from .numeric.stencil import Block, Claim
from .target import Array

#: Imaginary step in units: its square is below every rounding.
TINY = 2.0**-100
DRAWS = 3


class ComplexStep(Sitting):
    """Judges by imaginary steps where they agree with backward, and by real ones where they do not."""

    def examined(self, claim: Claim) -> list[ArgumentOutcome]:
        """One outcome per argument."""
        found, rest = [], []
        for i in self.comparable:
            outcome = self._argument(i, claim)
            if outcome is None:
                rest.append(i)
            else:
                found.append(outcome)
        if rest:
            names = ", ".join(self.arguments[i].name for i in rest)
            self.result.notes.append(f"the complex step does not support {names}: real differences decided")
        kept, self.comparable = self.comparable, rest
        try:
            found += super().examined(claim) if rest else []
        finally:
            self.comparable = kept
        return sorted(found, key=lambda o: o.argument)

    def _argument(self, i: int, claim: Claim) -> ArgumentOutcome | None:
        gradient = claim.gradients[i]
        if gradient is None or not np.isfinite(gradient).all() or self.stencil.is_structured(i):
            return None
        outcome = ArgumentOutcome(i, covered=gradient.size, still=not gradient.any())
        for group in groups(self.stencil.weight(i, gradient)):
            block = Block(i, (0, gradient.size) if group.index is None else group.index)
            reaches = []
            for draw in range(DRAWS):
                reach = self._reach(block, draw, claim)
                if reach is None:
                    return None
                reaches.append(reach)
            limit, floor = detection_limit(reaches), max(group.smallest, 1e-3 * group.typical)
            outcome.absolute = max(outcome.absolute, limit)
            outcome.relative = max(outcome.relative, limit / floor if floor > 0 else 0.0)
        return outcome

    def _reach(self, block: Block, draw: int, claim: Claim) -> float | None:
        """What one imaginary direction cannot tell from zero; None where it does not agree with backward."""
        i, direction = block.argument, self.prober.direction(block, draw)
        values: list[Array] = [np.array(v) for v in self.stencil.values]
        moved = np.array(self.stencil.values[i], np.complex128)
        flat, unit = moved.reshape(-1), self.stencil.units[i]
        for piece in block.pieces():
            d = direction.over(piece.start, piece.stop) if isinstance(piece, slice) else direction.at(piece)
            flat.imag[piece] = TINY * d * (unit[piece] if isinstance(unit, np.ndarray) else unit)
        values[i] = moved
        try:
            outputs = self.stencil.calls.forward(values)
        except LayerError:
            return None
        value = size = 0.0
        for y, u, shape in zip(outputs, claim.upstream, self.claimant.shapes, strict=True):
            if y.shape != (*shape, 2):
                return None  # a complex output is shown as pairs of its real and imaginary part
            slope = u * (y[..., 1].reshape(-1) / TINY)
            value += float(slope.sum())
            size += float(np.abs(slope).sum())
        gradient = claim.gradients[i]
        declared = 0.0 if gradient is None else self.stencil.declared(block, direction, gradient)
        bar = 64 * 2.0**-52 * size
        gap = abs(declared - value)
        return gap + bar if gap <= bar else None
