"""The lecture's check on a layer: every entry, two evaluations each, h absolute; more only where they disagree."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .findings import Sitting
from .numeric.ladder import SIGMAS
from .numeric.scales import Floats, rms
from .numeric.search import Finds
from .numeric.single import Measured, Single
from .numeric.standing import ArgumentOutcome
from .numeric.stencil import Block, Claim
from .numeric.sums import rounding

#: So many numbers are handed at once to a layer that takes a batch.
MOST_AT_ONCE = 1 << 20
#: Forward evaluations besides: the first call, the trembling of the declared gradient, the contract.
OTHERS = 12
#: What an entry may differ by, relative to its kind, before a second step decides: the truncation at h = 1e-4.
NEAR = 1e-6
#: The noise of two differences at h and h/2, extrapolated: 4/3 of twice that of the first, and 1/3 of it.
HALVED = 65**0.5 / 3


class EveryEntry(Sitting):
    """Judges by moving one entry after the other, as in the lecture."""

    def examined(self, claim: Claim) -> list[ArgumentOutcome]:
        """One outcome per argument, all of its entries measured."""
        return [self._argument(i, claim) for i in self.comparable]

    def progress(self) -> tuple[int, int]:
        """Entries that were moved so far, and how many evaluations all of them take."""
        entries = sum(self.stencil.flat[i].size for i in self.comparable)
        return min(entries, self.first.calls.meter.forward_evaluations // 2), 2 * entries + OTHERS

    def _argument(self, i: int, claim: Claim) -> ArgumentOutcome:
        gradient, size = claim.gradients[i], self.stencil.flat[i].size
        if gradient is None:
            return ArgumentOutcome(i)
        h = self.settings.h
        numeric = self._in_batches(i, claim, h) if self.stencil.calls.target.batched else None
        if numeric is None:
            numeric = self.stencil.differences(i, h, claim.upstream)
        typical = rms(gradient)
        floor = np.maximum(np.abs(gradient), 1e-3 * typical)
        sigma = np.full(size, self._tremble(claim) * 2**0.5 / (2 * h))
        # A sharpness that is asked for is measured, and not only what the lecture's step gives.
        asked = min(NEAR, 0.1 * self.settings.sharpness) if self.settings.sharpness is not None else NEAR
        far = np.flatnonzero(~near(gradient, numeric, asked * floor, sigma))
        if far.size:
            again = self.stencil.differences(i, h / 2, claim.upstream, far.tolist())
            numeric[far] = again + (again - numeric[far]) / 3
            sigma[far] *= HALVED
            far = far[~near(gradient[far], numeric[far], asked * floor[far], sigma[far])]
        finds = Finds(covered=size, measured=[self._closer(i, int(position), claim) for position in far])
        reach = np.abs(gradient - numeric) + sigma
        reach[far] = 0.0
        absolute = float(reach.max(initial=0.0))
        relative = float((reach / np.where(floor > 0, floor, 1.0)).max(initial=0.0)) if typical > 0 else 0.0
        kinks = sum(m.state == "kink" for m in finds.measured)
        still = not numeric.any() and not gradient.any()
        return ArgumentOutcome(
            i, relative=relative, absolute=absolute, worst=0.0, finds=finds, rough=kinks, covered=size, still=still
        )

    def _tremble(self, claim: Claim) -> float:
        """By how much upstream . y may be off at a point, within the error bars' multiple of its deviation."""
        center = self.stencil.center
        once = rounding(center, [0 * y - 1 for y in center], center, claim, self.noise.eps)
        return SIGMAS * self.noise.factor * once

    def _in_batches(self, i: int, claim: Claim, h: float) -> Floats | None:
        """The same for a layer that takes many points at once; None where it does not answer as for each alone."""
        stencil, size = self.stencil, self.stencil.flat[i].size
        largest = max(f.size for f in (*stencil.flat, *stencil.center))
        each, numeric = max(1, min(size, MOST_AT_ONCE // (2 * largest or 1))), np.empty(size)
        for start in range(0, size, each):
            stop = min(size, start + each)
            moved = np.arange(stop - start)
            points = [np.repeat(f[None], 2 * moved.size + 1, axis=0) for f in stencil.flat]
            points[i][moved, start + moved] += h
            points[i][moved.size + moved, start + moved] -= h
            shaped = [p.reshape(-1, *v.shape) for p, v in zip(points, stencil.values, strict=True)]
            outputs = stencil.calls.batch(shaped, len(shaped[0]))
            flat = [y.reshape(len(y), -1) if len(y) == len(shaped[0]) else None for y in map(np.asarray, outputs)]
            # The last point is the centre: what another point's presence changes is no batch.
            if not all(
                y is not None and np.allclose(y[-1], c, rtol=1e-12, atol=0.0)
                for y, c in zip(flat, stencil.center, strict=True)
            ):
                return None
            changes = (
                (y[: moved.size] - y[moved.size : -1]) @ u
                for y, u in zip(flat, claim.upstream, strict=True)
                if y is not None
            )
            numeric[start:stop] = sum(changes) / (2 * h)
        return numeric

    def _closer(self, i: int, position: int, claim: Claim) -> Measured:
        block = Block(i, (position, position + 1))
        pilot = self.prober.pilot(block, claim)
        return Single(self.prober, pilot).entry(i, position, claim)


def near(declared: Floats, numeric: Floats, tolerance: Floats, sigma: Floats) -> npt.NDArray[np.bool_]:
    """Which entries agree, as well as truncation and noise let them."""
    return np.asarray(np.abs(declared - numeric) <= np.maximum(tolerance, sigma))
