"""Two answers of the same computation: equal to the bit, equal up to rounding, or different, and where.

Nothing here compares a gradient with a derivative. Two runs of one computation differ by the order of their sums at
most, so an allowance can be wide without being blind: a breach of the contract changes an entry by its own size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pytest_gradcheck.target import Array
from pytest_gradcheck.verdict import MOST_INDICES

_CHUNK = 1 << 16
_SMALL, _LARGE = 1 << 12, 1 << 20
_MOST = float(np.finfo(np.float64).max)


class Allowance(NamedTuple):
    """By how much two answers may differ: a part of the entry, of the array's largest entry, and of all terms.

    The last is there for a gradient that is all rounding, as that of a bias before a normalisation: its own size
    says nothing, the size of the terms that cancelled does.
    """

    entry: float
    array: float
    terms: float

    @classmethod
    def repeated(cls, eps: float, terms: float, slack: float = 0.0) -> Allowance:
        """For the same calls again: exact but for the order in which threads add."""
        root = eps**0.5
        return cls(root + slack, min(2.0**20 * eps, root) + slack, min(2.0**10 * eps, root) * terms)

    @classmethod
    def rearranged(cls, eps: float, terms: float, slack: float = 0.0) -> Allowance:
        """For the same values in another layout or sum: other kernels run, and may be single precision inside."""
        root = max(eps**0.5, 2.0**-20)
        return cls(root + slack, root + slack, min(2.0**10 * eps, root) * terms)


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two arrays differ: the first index, both values there, and how many entries in all.

    indices: at most as many as a finding lists. words: set where the arrays cannot be compared entry by entry.
    """

    index: tuple[int, ...] = ()
    was: float = 0.0
    now: float = 0.0
    count: int = 0
    total: int = 0
    indices: tuple[tuple[int, ...], ...] = ()
    words: str = ""

    def at(self, name: str) -> str:
        """`x[2, 1]: 0.5, then 0.7 (3 of 12 entries)`."""
        if self.words:
            return f"{name}: {self.words}"
        place = f"{name}{list(self.index)}" if self.index else name
        return f"{place}: {self.was:.6g}, then {self.now:.6g} ({self.count} of {self.total} entries)"


def difference(now: Any, was: Any, allowed: Allowance | None = None) -> Difference | None:
    """Where `now` differs from `was` by more than rounding; None where it does not.

    allowed: None compares exactly. Where `was` is NaN or infinite nothing is compared.
    """
    if now is was:
        return None
    if now is None or was is None:
        return Difference(words=f"{_kind(was)}, then {_kind(now)}")
    new, old = numbers(now), numbers(was)
    if new is None or old is None:
        return None if new is old else Difference(words=f"{_kind(was)}, then {_kind(now)}")
    if new.shape != old.shape:
        return Difference(words=f"shape {old.shape}, then {new.shape}")
    if equal(new, old):
        return None
    places, count = _places(new, old, allowed)
    if not count:
        return None
    first = places[0]
    return Difference(first, _plain(old[first]), _plain(new[first]), count, old.size, tuple(places))


def numbers(gradient: Any) -> Array | None:
    """A gradient as an array of numbers; None where it is none."""
    try:
        array: Array = np.asarray(gradient)
    except Exception:  # an array type may refuse with any error of its own, as one on another device does
        return None
    return array if array.dtype.kind in "fciub" else None


def equal(now: Array, was: Array) -> bool:
    """Whether two arrays of one shape hold the same values."""
    # For a small array comparing bytes takes a fifth of the time; it errs only where 0 and -0 must be told equal.
    if now.nbytes <= _SMALL and now.dtype == was.dtype and now.tobytes() == was.tobytes():
        return True
    if now.nbytes > _LARGE and now.flags.c_contiguous and was.flags.c_contiguous:
        # A mask of a large array takes as long to allocate as to fill.
        pairs = ((now.reshape(-1)[a : a + _CHUNK], was.reshape(-1)[a : a + _CHUNK]) for a in range(0, now.size, _CHUNK))
        return all((a == b).all() for a, b in pairs)
    return bool((now == was).all())


def _places(new: Array, old: Array, allowed: Allowance | None) -> tuple[list[tuple[int, ...]], int]:
    floor = 0.0 if allowed is None else allowed.array * largest(old) + allowed.terms
    relative = 0.0 if allowed is None else allowed.entry
    places: list[tuple[int, ...]] = []
    count = 0
    for start, a, b in _chunks(new, old):
        off = _unequal(a, b, relative, floor)
        found = np.flatnonzero(off)
        count += found.size
        for i in found[: MOST_INDICES - len(places)]:
            places.append(tuple(int(k) for k in np.unravel_index(start + int(i), old.shape)))
    return places, count


def _unequal(a: Array, b: Array, relative: float, floor: float) -> Array:
    with np.errstate(all="ignore"):
        gap = np.abs(a - b)
        if (gap <= min(floor, _MOST)).all():
            # So it is in most answers that differ at all, and it leaves out nothing that is not finite.
            return np.zeros(gap.shape, bool)
        close = gap <= relative * np.maximum(np.abs(a), np.abs(b)) + floor
        # Where the old value is not finite another clause has spoken; a new one that is not is close to nothing.
        return np.asarray(~((close & np.isfinite(a)) | (a == b) | ~np.isfinite(b)))


def _chunks(new: Array, old: Array) -> Iterator[tuple[int, Array, Array]]:
    flat_new, flat_old = new.reshape(-1), old.reshape(-1)
    for start in range(0, flat_old.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        yield start, _wide(flat_new[part]), _wide(flat_old[part])


def _wide(array: Array) -> Array:
    return array if array.dtype.kind in "fc" and array.dtype.itemsize >= 8 else array.astype(np.float64)


def largest(array: Any) -> float:
    """The largest finite magnitude in an array, 0 for an empty one or None."""
    values = None if array is None else numbers(array)
    if values is None or values.size == 0:
        return 0.0
    top = (
        float(max(abs(values.max()), abs(values.min()))) if values.dtype.kind in "fiu" else float(np.abs(values).max())
    )
    if top - top == 0:
        return top
    finite = values[np.isfinite(values)]
    return float(np.abs(finite).max(initial=0))


def coarsest(*groups: Sequence[Any]) -> float:
    """The rounding unit of the coarsest floating dtype among some arrays."""
    known = (a.dtype for group in groups for a in group if isinstance(a, (np.ndarray, np.generic)))
    return max((float(np.finfo(kind).eps) for kind in known if kind.kind in "fc"), default=_DOUBLE)


_DOUBLE = float(np.finfo(np.float64).eps)


def _kind(gradient: Any) -> str:
    if gradient is None:
        return "None"
    return "an array" if numbers(gradient) is not None else f"a {type(gradient).__name__}"


def _plain(value: Any) -> float:
    return float(np.abs(value)) if np.imag(value) else float(np.real(value))
