"""The lecture's check on a layer: every entry, two evaluations each, h absolute; more only where they disagree."""

from __future__ import annotations

import numpy as np

from .findings import Sitting
from .numeric.examine import ArgumentOutcome
from .numeric.ladder import SIGMAS
from .numeric.search import Finds, Measured, Search
from .numeric.stencil import Block, Claim, rounding

#: What an entry may differ by, relative to its kind, before a second step decides: the truncation at h = 1e-4.
NEAR = 1e-7


class EveryEntry(Sitting):
    """Judges by moving one entry after the other, as in the lecture."""

    def examined(self, claim: Claim) -> list[ArgumentOutcome]:
        """One outcome per argument, all of its entries measured."""
        return [self._argument(i, claim) for i in self.comparable]

    def _argument(self, i: int, claim: Claim) -> ArgumentOutcome:
        gradient, size = claim.gradients[i], self.stencil.flat[i].size
        if gradient is None:
            return ArgumentOutcome(i)
        h = self.settings.h
        numeric = self._differences(i, claim, h)
        typical = float(np.sqrt(np.dot(gradient, gradient) / size))
        floor = np.maximum(np.abs(gradient), 1e-3 * typical)
        tremble = self.noise.factor * rounding(
            self.stencil.center, [0 * y - 1 for y in self.stencil.center], self.stencil.center, claim, self.noise.eps
        )
        sigma = SIGMAS * tremble * 2**0.5 / (2 * h)
        gap = np.abs(gradient - numeric)
        near = gap <= np.maximum(NEAR * floor, sigma)
        finds = Finds(covered=size)
        for position in np.flatnonzero(~near):
            finds.measured.append(self._closer(i, int(position), claim))
        reach = np.where(near, gap + sigma, [0.0])
        absolute = float(reach.max(initial=0.0))
        relative = float((reach / np.where(floor > 0, floor, 1.0)).max(initial=0.0)) if typical > 0 else 0.0
        kinks = sum(m.state == "kink" for m in finds.measured)
        still = not numeric.any() and not gradient.any()
        return ArgumentOutcome(
            i, relative=relative, absolute=absolute, worst=0.0, finds=finds, rough=kinks, covered=size, still=still
        )

    def _differences(self, i: int, claim: Claim, h: float) -> np.ndarray:
        work, upstream, calls = self.stencil.flat_work[i], claim.upstream, self.stencil.calls
        numeric = np.empty(work.size)
        values = self.stencil.work
        for p in range(work.size):
            kept = work[p]
            try:
                work[p] = kept + h
                plus = calls.forward(values)
                work[p] = kept - h
                minus = calls.forward(values)
            finally:
                work[p] = kept
            numeric[p] = sum(
                float(np.dot(u, (a - b).reshape(-1))) for u, a, b in zip(upstream, plus, minus, strict=True)
            ) / (2 * h)
        return numeric

    def _closer(self, i: int, position: int, claim: Claim) -> Measured:
        block = Block(i, (position, position + 1))
        pilot = self.prober.pilot(block, claim)
        return Search(self.prober, pilot, 0.0, 0.0).entry(i, position, claim)
