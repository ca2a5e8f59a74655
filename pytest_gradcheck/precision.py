"""Precision: in which dtype a layer is differentiated, and what its own dtype may cost it.

Differences of float32 outputs keep two digits. Where a float32 layer also computes in float64 it is
differentiated there, and its float32 gradient is judged against its float64 one: two separate answers, whether
the formula is right and whether the low-precision gradient is as exact as its dtype allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .calls import Calls
from .claims import shifted
from .contract import FirstCall
from .contract.compare import largest, numbers
from .errors import GradCheckError, LayerError
from .numeric.scales import Floats
from .settings import Settings
from .target import Array, Target
from .verdict import Entry, Finding

#: Low-precision gradients may be off by so many roundings of their largest entry, or trembles under a shift by one.
ROUNDINGS, TREMBLES = 64.0, 16.0
#: Relative distance of the neighbours at which the tremble of a gradient in float64 is looked at.
BESIDE = 2.0**-20


@dataclass(slots=True)
class Precision:
    """Where the differentiation happens.

    calls, values: the layer and its inputs there (float64 arrays). outputs: of the first forward there.
    low: whether the caller's own dtype is coarser. cast: whether the layer has no float64 of its own and is given
    its own dtype after all. upstream: flat float64.
    """

    calls: Calls
    values: list[Array]
    outputs: tuple[Array, ...]
    upstream: list[Floats]
    low: bool = False
    cast: bool = False
    eps: float = 2.0**-53
    notes: list[str] = field(default_factory=list)


class Narrow(Target):
    """A target that is given float64 values and casts them to the layer's own dtypes."""

    def __init__(self, target: Target) -> None:
        self.inner, self.layer, self.name = target, target.layer, target.name
        self.arguments, self.convention = target.arguments, target.convention

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The inner forward at the values, rounded to its dtypes."""
        return self.inner.forward([np.asarray(v, a.value.dtype) for v, a in zip(values, self.arguments, strict=True)])

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """The inner backward."""
        return self.inner.backward(upstream)


def choose(first: FirstCall, settings: Settings) -> Precision:
    """Where to differentiate the layer of this first call."""
    target = first.calls.target
    flat = [np.asarray(u, np.float64).reshape(-1) for u in first.upstream]
    low = [v.dtype for v in first.values if v.dtype.itemsize < 8]
    if not low and target.rounding is None:
        return Precision(first.calls, list(first.values), first.outputs, flat)
    eps = max([float(np.finfo(d).eps) / 2 for d in low] + [target.rounding or 0.0])
    values = [np.array(v, np.float64) for v in first.values]
    wide = _in_double(first, target.widened(), values)
    if wide is not None:
        calls, outputs = wide
        return Precision(calls, values, outputs, flat, low=True, eps=eps)
    name = "bfloat16" if not low else str(min(low, key=lambda d: d.itemsize))
    note = f"{target.name} computes in {name} only: steps and error bars are those of {name}"
    return Precision(first.calls.on(Narrow(target)), values, first.outputs, flat, True, True, eps, [note])


def _in_double(first: FirstCall, wide: Target | None, values: list[Array]) -> tuple[Calls, tuple[Array, ...]] | None:
    """The layer in float64 with its outputs there; None where it does not really compute in float64."""
    if wide is None:
        return None
    calls = first.calls.on(wide)
    try:
        outputs = calls.forward([np.array(v) for v in values])
    except LayerError:
        return None
    same = len(outputs) == len(first.outputs) and all(
        y.shape == z.shape for y, z in zip(outputs, first.outputs, strict=True)
    )
    wide_enough = all(y.dtype.kind != "f" or y.dtype.itemsize >= 8 for y in outputs)
    finite = all(np.isfinite(y).all() for y in outputs)
    return (calls, outputs) if same and wide_enough and finite else None


def judge_low(
    first: FirstCall, precision: Precision, double: Sequence[Floats | None]
) -> tuple[list[Finding], list[str]]:
    """Whether the caller's low-precision gradients are as exact as their dtype allows, against the float64 ones."""
    first.calls.forward([_next(v, i) for i, v in enumerate(first.values)])
    again = first.calls.backward([np.array(u) for u in first.upstream])
    findings, exact = [], []
    # Where a gradient is zero, what is left in a narrow type is the rounding of numbers as large as the others'.
    beside = max((float(np.abs(w).max(initial=0.0)) for w in double if w is not None), default=0.0)
    for i, argument in enumerate(first.calls.target.arguments):
        wide = double[i]
        if wide is None or i >= len(first.gradients) or first.gradients[i] is None or wide.size == 0:
            continue
        given = _held(first.gradients[i], wide)
        moved = _held(again[i], wide) if i < len(again) and again[i] is not None else given
        if given.size != wide.size or moved.size != wide.size:
            continue
        gap, size = np.abs(given - wide), max(beside, _share(first, i))
        trembles = np.abs(moved - given)
        # What crosses a kink under a shift by one unit is no measure of rounding.
        trembles[trembles > 0.05 * size] = 0.0
        bar = ROUNDINGS * precision.eps * size + TREMBLES * float(trembles.max())
        worst = int(gap.argmax())
        # What is below the square of the rounding, beside an upstream of one, no difference of that type can show.
        bar = max(bar, precision.eps**2 * max(map(largest, first.upstream), default=0.0))
        if gap[worst] > bar:
            bar = max(bar, ROUNDINGS * precision.eps * _roundings(precision, i, size))
        if gap[worst] <= bar or _at_kink(given, wide, size, precision.eps):
            exact.append(f"{argument.name} to {gap[worst] / size if size else 0.0:.1e}")
            continue
        index = tuple(int(k) for k in np.unravel_index(worst, argument.value.shape))
        entry = Entry(index, float(given[worst]), float(wide[worst]), bar)
        bad = int((gap > bar).sum())
        message = (
            f"the {argument.value.dtype} gradient of {argument.name} is off by {gap[worst] / size:.1e} of its largest "
            f"entry, more than {argument.value.dtype} rounding explains: look for a lower precision on the way"
        )
        findings.append(
            Finding("dtype", message, argument.name, (index,), bad, wide.size, (entry,), clause="precision")
        )
    notes = [
        f"the formula was differentiated in float64; its {first.values[0].dtype} gradients are exact: "
        f"{', '.join(exact)}"
    ]
    return findings, notes if exact else []


def _held(gradient: Any, wide: Floats) -> Floats:
    """A gradient in float64; infinite entries as they are there, where its own dtype does not hold so much."""
    low = np.asarray(gradient)
    given = np.asarray(low, np.float64).reshape(-1)
    if low.dtype.kind != "f" or given.size != wide.size:
        return given
    # A hundredth is more than a product of three roundings of float16.
    most = 0.99 * float(np.finfo(low.dtype).max)
    return np.where(np.isinf(given) & (np.copysign(wide, given) == wide) & (np.abs(wide) >= most), wide, given)


def _share(first: FirstCall, i: int) -> float:
    """The gradient at which an argument would move upstream . output by as much as there is of it."""
    whole = max((float(np.abs(u * y).max(initial=0.0)) for u, y in zip(first.upstream, first.outputs, strict=True)))
    largest = float(np.abs(first.values[i]).max(initial=0.0))
    return whole / (largest or 1.0)


def _roundings(precision: Precision, i: int, size: float) -> float:
    """How large the numbers are whose rounding shows in the gradient by argument i, as its tremble in float64 tells.

    A saturated layer subtracts numbers that no gradient here shows the size of: sigmoid(10) - 1 is 5e-5, and off by
    the rounding of one. In float64 it is so as well; fourth differences over neighbours tell (see `numeric.noise`).
    """
    shaped = [u.reshape(y.shape) for u, y in zip(precision.upstream, precision.outputs, strict=True)]
    rows = []
    for times in range(-3, 4):
        try:
            precision.calls.forward([shifted(v, j, times * BESIDE) for j, v in enumerate(precision.values)])
            gradient = numbers(precision.calls.backward([np.array(u) for u in shaped])[i])
        except (GradCheckError, IndexError):
            return 0.0
        if gradient is None:
            return 0.0
        rows.append(gradient.reshape(-1))
    tremble = largest(np.diff(np.array(rows, np.float64), 4, axis=0)) / 70**0.5
    # What trembles by more is computed in a lower precision there as well: that is no rounding of float64.
    upstream = max((largest(u) for u in precision.upstream), default=0.0)
    return tremble * 2.0**53 if tremble < max(1e-9 * size, 1e-15 * upstream) else 0.0


def _at_kink(given: Floats, wide: Floats, size: float, eps: float) -> bool:
    # Rounding may put a value on the other side of a kink: a few entries jump, the others agree to rounding.
    far = np.abs(given - wide) > 1e3 * eps * size
    return bool(far.sum() <= max(1, given.size // 500) and given.size >= 500)


def _next(value: Array, i: int) -> Array:
    return shifted(value, i, float(np.finfo(value.dtype).eps)).astype(value.dtype)
