"""Claims: what backward declares at the centre for any upstream, as flat float64 arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .calls import Calls
from .contract.compare import numbers
from .errors import GradCheckError, LayerError
from .numeric.directions import CHUNK, Direction
from .numeric.scales import Floats, norm, rms
from .numeric.stencil import Claim, ShapeChanged, flat64
from .target import Array

#: Relative size of the shift that shows the rounding of the declared gradient.
TREMBLE = 2.0**-50
#: Relative size of a shift that moves every float64 computation, and no float32 one.
NUDGE = 2.0**-40
#: A gradient times the size of its entries below this share of the outputs changes nothing that they show.
UNNOTICED = 1e-9
#: The direction whose signs shifts have.
SIGNS = 7
#: One that any precision notices where outputs move at all.
SHOVE = 2.0**-6


class Claimant:
    """Asks backward for its gradients at one point.

    calls: the layer that is differentiated. values: its inputs, never written. comparable: positions of the
    arguments whose gradients can be compared at all.
    """

    def __init__(self, calls: Calls, values: Sequence[Array], comparable: Sequence[int]) -> None:
        self.calls, self.values, self.comparable = calls, list(values), set(comparable)
        self.shapes: list[tuple[int, ...]] = []
        self.dtypes: list[np.dtype[Any]] = []

    def describe(self, outputs: Sequence[Array]) -> None:
        """Take over shapes and dtypes of the outputs, in which upstreams are given."""
        self.shapes = [y.shape for y in outputs]
        self.dtypes = [y.dtype if y.dtype.kind == "f" else np.dtype(np.float64) for y in outputs]

    def of(self, upstream: list[Floats]) -> Claim:
        """The claim for a flat upstream: one forward at the centre and one backward."""
        self._forward([np.array(v) for v in self.values])
        return self.after_forward(upstream)

    def _forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        outputs = self.calls.forward(values)
        shapes = [y.shape for y in outputs]
        if self.shapes and shapes != self.shapes:
            # An upstream of the first output's shape would let backward be blamed for what forward did.
            raise ShapeChanged(shapes)
        return outputs

    def after_forward(self, upstream: list[Floats]) -> Claim:
        """The claim for a flat upstream, for the forward that was just made."""
        shaped = [np.array(u.reshape(s), d) for u, s, d in zip(upstream, self.shapes, self.dtypes, strict=True)]
        # The claim is for the upstream as the layer got it, in its own dtype.
        got = [np.array(u, np.float64).reshape(-1) for u in shaped]
        return Claim(got, self.flat(self.calls.backward(shaped)))

    def flat(self, gradients: Sequence[Any]) -> list[Floats | None]:
        """Gradients as flat float64 arrays of their own, None where there is nothing to compare."""
        found: list[Floats | None] = []
        for i, value in enumerate(self.values):
            g = gradients[i] if i < len(gradients) and i in self.comparable else None
            if g is None:
                found.append(np.zeros(value.size) if i in self.comparable else None)
                continue
            array = numbers(g)
            if array is None:
                raise LayerError(self._no_numbers(i, g))
            flat = np.asarray(array, np.float64).reshape(-1)
            found.append(flat if flat.size == value.size else None)
        return found

    def _no_numbers(self, i: int, gradient: Any) -> str:
        target = self.calls.target
        return (
            f"backward of {target.name} returned a {type(gradient).__name__} for {target.arguments[i].name}, "
            "after numbers for another upstream: return an array of numbers each time"
        )

    def trembling(self, claim: Claim) -> list[Floats | None]:
        """By how much the declared gradient changes when the inputs change in their last digits.

        Entries where it changes by more than a thousandth of their kind have crossed a kink: that is no rounding. But
        a gradient that is nothing else than rounding may change altogether, if no output would notice.
        """
        return self._trembling(claim, 0, None)

    def shaken(self, claim: Claim, draw: int) -> tuple[list[Floats], list[Floats | None]]:
        """Outputs where the inputs differ in their last digits, flat, and how the declared gradient trembles there.

        draw: which of them differ to which side, from 1 on; `trembling` has looked at another.
        """
        kept: list[Floats] = []
        trembles = self._trembling(claim, draw, kept)
        return kept, trembles

    def _trembling(self, claim: Claim, draw: int, kept: list[Floats] | None) -> list[Floats | None]:
        """kept: takes the outputs, where they are asked for: they are as large as the layer's own."""
        outputs = self._forward([shifted(v, i, TREMBLE, draw) for i, v in enumerate(self.values)])
        size = sum(norm(u) * rms(flat64(y)) for u, y in zip(claim.upstream, outputs, strict=True))
        if kept is not None:
            kept += [np.array(flat64(y)) for y in outputs]
        del outputs
        others = self.after_forward(claim.upstream).gradients
        both = zip(claim.gradients, others, self.values, strict=True)
        return [None if g is None or h is None else _tremble(h, g, UNNOTICED * size, flat64(v)) for g, h, v in both]

    def moves(self, units: Sequence[float | Floats]) -> bool:
        """Whether outputs notice a shift that float64 can see and float32 cannot; True as well where nothing can tell.

        It is asked a little beside the centre, which may be a stationary point, and among ordinary numbers of the same
        signs: where a forward cancels or saturates, float64 may not notice either. units: of each argument's steps.
        """
        near = [[_beside(v, u, by) for v, u in zip(self.values, units, strict=True)] for by in (0.0, NUDGE, SHOVE)]
        far = [[shifted(_ordinary(v, i), i, by) for i, v in enumerate(self.values)] for by in (0.0, NUDGE, SHOVE)]
        still = False
        for centre, nudged, shoved in (near, far):
            try:
                if self._differ(centre, nudged):
                    return True
                still |= self._differ(centre, shoved)
            except GradCheckError:  # the layer is not defined there
                continue
        return not still

    def _differ(self, one: list[Array], other: list[Array]) -> bool:
        before, after = self.calls.forward(one), self.calls.forward(other)
        return any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(before, after, strict=True))


def _tremble(h: Floats, g: Floats, unnoticed: float, x: Floats) -> Floats:
    """h - g where that is small beside g, or where h - g times the entry is `unnoticed`, and zero elsewhere.

    A zero counts as of the size of the others, but no more than one. It is done piece by piece, since g may be as large
    as memory allows.
    """
    size, out, least = rms(g), h if h.flags.writeable else np.array(h), min(rms(x) or 1.0, 1.0)
    for a in range(0, g.size, CHUNK):
        there, own, entries = out[a : a + CHUNK], g[a : a + CHUNK], np.abs(x[a : a + CHUNK])
        there -= own
        allowed = unnoticed / np.maximum(entries, least)
        there[~(np.abs(there) <= np.maximum(1e-3 * (np.abs(own) + size), allowed))] = 0.0
    return out


def _beside(value: Array, unit: float | Floats, nudge: float) -> Array:
    signs = np.where(np.arange(value.size) % 2, 1.0, -1.0)
    moved = value.reshape(-1) + signs * (2.0**-9 * (1.0 + 0.37 * np.cos(np.arange(value.size))) + nudge) * unit
    return np.asarray(moved.reshape(value.shape), np.float64)


def _ordinary(value: Array, i: int) -> Array:
    """Numbers between 0.3 and 0.9 with the signs of the values, other ones for each argument."""
    sizes = 0.6 + 0.3 * np.cos(np.arange(value.size) * 1.7 + 0.9 * i).reshape(value.shape)
    return np.asarray(np.where(value < 0, -sizes, sizes))


def shifted(value: Array, i: int, by: float, draw: int = 0) -> Array:
    """The values moved up or down by a relative `by`, each as a fixed table has it.

    A common factor would leave a normalised output where it is, and so would a pattern that repeats from row to row.
    i: of the argument, which has signs of its own; draw: others of them.
    """
    # In an order in which the flat array is the same memory: of a transposed one it would be a copy.
    out = np.array(value, np.float64, order="C")
    flat, signs = out.reshape(-1), Direction(SIGNS, i, draw)
    for a in range(0, flat.size, CHUNK):
        here = flat[a : a + CHUNK]
        here += here * (by * np.copysign(1.0, signs.over(a, a + here.size)))
    return out
