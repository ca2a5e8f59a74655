"""Domains: where an input may live, and in which directions it may move.

    check(layer, A, domain={"A": symmetric})        a structure: directions and gradients are projected
    check(log, x, domain={"x": positive})           open bounds: no stencil leaves them
    check(asin, x, domain={"x": (-1, 1)})           a pair is an open interval
    check(layer, x, domain={"x": positive & sorted_})   both at once

A structured domain is a manifold. Only the part of a gradient that lies in its tangent space is defined
by the values of the function on it, so declared and numeric gradients are compared after `tangent`, and
points move along `move`, which stays inside (Absil, Mahony, Sepulchre, Optimization Algorithms on Matrix
Manifolds, 2008, chapters 3 and 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import InvalidInput
from .target import Array


@dataclass(frozen=True, slots=True)
class Domain:
    """A region of arrays; this class itself is a box, the same bounds for every entry.

    name: as messages print it.
    lower, upper: bounds of each entry, None where there is none.
    ends: whether the bounds themselves belong to the region.
    structured: whether entries depend on each other, so that directions and gradients must be projected.
    matrix: whether the last two axes are one matrix; vector: whether the last axis is one vector.
    """

    name: str
    lower: float | None = None
    upper: float | None = None
    ends: bool = False
    structured: bool = False
    matrix: bool = False
    vector: bool = False

    def tangent(self, x: Array, d: Array) -> Array:
        """The part of a direction (or of a gradient) along which points of the domain can move; x, d: same shape."""
        return np.asarray(d)

    def move(self, x: Array, d: Array, t: float) -> Array:
        """The point reached from x after time t with velocity d, a tangent; a structure is kept, bounds are not."""
        return x + t * self.tangent(x, d)

    def room(self, x: Array) -> float:
        """By how much all entries may change at once without leaving the structure; infinite where moves never do."""
        return np.inf

    def settle(self, x: Array) -> Array:
        """A point of the domain made from any finite array, x itself where it is one already."""
        return _into_box(np.asarray(x), self.lower, self.upper, self.ends)

    def complaint(self, x: Array) -> str:
        """Why x is not in the domain, in a few words; empty where it is."""
        return _outside(np.asarray(x), self.lower, self.upper, self.ends)

    def contains(self, x: Array) -> bool:
        """Whether x lies in the domain, up to the rounding of its dtype."""
        return not self.complaint(x)

    def require(self, x: Array, argument: str) -> None:
        """Raise InvalidInput, with the offending value, where the argument's value x is not in the domain."""
        why = self.complaint(x)
        if why:
            raise InvalidInput(f"{argument} is not in its domain {self.name}: {why}")

    def __and__(self, other: Any) -> Domain:
        return _both(self, as_domain(other))

    def __repr__(self) -> str:
        return self.name


class _Linear(Domain):
    """A structure whose points form an affine space: `_project` is linear, idempotent and symmetric."""

    def _project(self, d: Array) -> Array:
        raise NotImplementedError

    def tangent(self, x: Array, d: Array) -> Array:
        self._check_shape(d)
        return self._project(np.asarray(d))

    def settle(self, x: Array) -> Array:
        return self._project(np.asarray(x))

    def complaint(self, x: Array) -> str:
        wrong = self._shape_complaint(x)
        return wrong or _differs(np.asarray(x), self._project(np.asarray(x)), self.name)

    def _check_shape(self, x: Array) -> None:
        wrong = self._shape_complaint(x)
        if wrong:
            raise InvalidInput(f"domain {self.name}: {wrong}")

    def _shape_complaint(self, x: Array) -> str:
        shape = np.shape(x)
        if len(shape) < 2 or shape[-1] != shape[-2]:
            return f"shape {shape} holds no square matrices in its last two axes"
        return ""


class _Symmetric(_Linear):
    def _project(self, d: Array) -> Array:
        return (d + np.swapaxes(d, -1, -2)) / 2


class _Antisymmetric(_Linear):
    def _project(self, d: Array) -> Array:
        return (d - np.swapaxes(d, -1, -2)) / 2


class _Triangular(_Linear):
    def _project(self, d: Array) -> Array:
        return np.tril(d)


class _PositiveDefinite(_Symmetric):
    def settle(self, x: Array) -> Array:
        symmetric_part = self._project(np.asarray(x))
        if symmetric_part.size == 0 or self._clearly(symmetric_part):
            return symmetric_part
        # Diagonal dominance keeps the entries simple, where a product x x^T would not.
        n = symmetric_part.shape[-1]
        off = np.abs(symmetric_part).sum(axis=-1)
        diagonal = 2 * np.maximum(1.0, np.ceil(off)).astype(symmetric_part.dtype)
        return np.asarray(symmetric_part + diagonal[..., None] * np.eye(n, dtype=symmetric_part.dtype))

    def room(self, x: Array) -> float:
        # Of n x n entries of at most this size the largest eigenvalue is at most the smallest of x.
        smallest = float(np.linalg.eigvalsh(_wide(x)).min(initial=np.inf))
        return max(0.0, smallest) / max(1, int(np.shape(x)[-1]))

    def _clearly(self, x: Array) -> bool:
        """Whether rounding does not decide that a symmetric matrix is positive definite: for a factorisation it may."""
        eigenvalues = np.linalg.eigvalsh(_wide(x))
        return bool((eigenvalues[..., 0] > 1e3 * _eps(x) * eigenvalues[..., -1]).all())

    def complaint(self, x: Array) -> str:
        x = np.asarray(x)
        why = _Symmetric.complaint(self, x)
        if why or x.size == 0:
            return why
        smallest = float(np.linalg.eigvalsh(_wide(x)).min())
        return "" if smallest > 0 else f"its smallest eigenvalue is {smallest:.3g}"


class _Simplex(Domain):
    def tangent(self, x: Array, d: Array) -> Array:
        d = np.asarray(d)
        _needs_axis(d, self.name)
        return d - d.mean(axis=-1, keepdims=True) if d.size else d

    def settle(self, x: Array) -> Array:
        x = np.asarray(x)
        if not self.complaint(x):
            return x
        if x.size == 0:
            return x
        largest = np.abs(x).max(axis=-1, keepdims=True)
        weights = np.where(largest > 0, np.abs(x) / np.where(largest > 0, largest, 1), 1)
        return np.asarray(weights / weights.sum(axis=-1, keepdims=True)).astype(x.dtype)

    def complaint(self, x: Array) -> str:
        x = np.asarray(x)
        if x.ndim == 0 or x.shape[-1] == 0:
            return f"shape {x.shape} has no last axis that could sum to one"
        if x.size == 0:
            return ""
        total = _wide(x).sum(axis=-1)
        far = np.abs(total - 1)
        if far.max() > 8 * x.shape[-1] * _eps(x):
            where = np.unravel_index(int(far.argmax()), total.shape)
            return f"its last axis sums to {total[where]:.12g}, not one"
        return _outside(x, self.lower, self.upper, self.ends)


class _Unit(Domain):
    def tangent(self, x: Array, d: Array) -> Array:
        _needs_axis(np.asarray(d), self.name)
        return np.asarray(d - np.asarray(x) * (x * d).sum(axis=-1, keepdims=True))

    def move(self, x: Array, d: Array, t: float) -> Array:
        there = x + t * self.tangent(x, d)
        return np.asarray(there / np.linalg.norm(there, axis=-1, keepdims=True))

    def settle(self, x: Array) -> Array:
        x = np.asarray(x)
        if x.size == 0 or not self.complaint(x):
            return x
        largest = np.abs(x).max(axis=-1, keepdims=True)
        scaled = np.where(largest > 0, x / np.where(largest > 0, largest, 1), np.ones((), x.dtype))
        return np.asarray(scaled / np.linalg.norm(scaled, axis=-1, keepdims=True)).astype(x.dtype)

    def complaint(self, x: Array) -> str:
        x = np.asarray(x)
        if x.ndim == 0 or x.shape[-1] == 0:
            return f"shape {x.shape} has no last axis that could have length one"
        if x.size == 0:
            return ""
        norm = np.linalg.norm(_wide(x), axis=-1)
        far = np.abs(norm - 1)
        if far.max() <= 8 * x.shape[-1] * _eps(x):
            return ""
        return f"its last axis has length {norm[np.unravel_index(int(far.argmax()), norm.shape)]:.12g}, not one"


class _Orthogonal(Domain):
    """Orthonormal columns (rows, where there are fewer rows than columns): the Stiefel manifold."""

    def tangent(self, x: Array, d: Array) -> Array:
        x, d = _tall(np.asarray(x)), np.asarray(d)
        wide = d.shape[-2] < d.shape[-1]
        d = _tall(d)
        product = np.swapaxes(x, -1, -2) @ d
        along = d - x @ ((product + np.swapaxes(product, -1, -2)) / 2)
        return np.asarray(np.swapaxes(along, -1, -2) if wide else along)

    def move(self, x: Array, d: Array, t: float) -> Array:
        # Cayley's (1 - tW/2)^-1 (1 + tW/2) x of an antisymmetric W with W x = d (Wen and Yin, 2013, section 2).
        wide = x.shape[-2] < x.shape[-1]
        tall, speed = _tall(np.asarray(x)), _tall(self.tangent(x, d))
        identity = np.eye(tall.shape[-2], dtype=tall.dtype)
        inner = speed - tall @ (np.swapaxes(tall, -1, -2) @ speed) / 2
        outer = inner @ np.swapaxes(tall, -1, -2)
        turn = (t / 2) * (outer - np.swapaxes(outer, -1, -2))
        there = np.linalg.solve(identity - turn, (identity + turn) @ tall)
        return np.swapaxes(there, -1, -2) if wide else there

    def settle(self, x: Array) -> Array:
        x = np.asarray(x)
        if x.size == 0 or not self.complaint(x):
            return x
        tall = _wide(_tall(x))
        # The identity on top keeps a rank-deficient matrix from giving arbitrary columns.
        scale = np.maximum(np.abs(tall).max(axis=(-1, -2), keepdims=True), 1.0)
        q, r = np.linalg.qr(tall / scale + 2 * np.eye(tall.shape[-2], tall.shape[-1]))
        q = q * np.where(np.diagonal(r, axis1=-2, axis2=-1) < 0, -1.0, 1.0)[..., None, :]
        return np.asarray(np.swapaxes(q, -1, -2) if x.shape[-2] < x.shape[-1] else q).astype(x.dtype)

    def complaint(self, x: Array) -> str:
        x = np.asarray(x)
        if x.ndim < 2:
            return f"shape {x.shape} holds no matrices in its last two axes"
        if x.size == 0:
            return ""
        tall = _wide(_tall(x))
        off = float(np.abs(np.swapaxes(tall, -1, -2) @ tall - np.eye(tall.shape[-1])).max())
        if off <= 16 * tall.shape[-2] * _eps(x):
            return ""
        return f"its columns are not orthonormal, x^T x is off the identity by {off:.3g}"


class _Sorted(Domain):
    """Strictly increasing along the last axis: an open region, so entries move freely while they keep their order."""

    def settle(self, x: Array) -> Array:
        x = np.asarray(x)
        return x if not self.complaint(x) else _spread(np.sort(x, axis=-1))

    def complaint(self, x: Array) -> str:
        x = np.asarray(x)
        if x.ndim == 0:
            return "a single number has no order"
        back = ~(x[..., 1:] > x[..., :-1])
        if not back.any():
            return ""
        where = tuple(int(i) for i in np.argwhere(back)[0])
        return f"entry {(*where[:-1], where[-1] + 1)} is {x[(*where[:-1], where[-1] + 1)]:.6g}, after {x[where]:.6g}"


class _Distinct(Domain):
    """No two entries of the last axis are equal."""

    def settle(self, x: Array) -> Array:
        x = np.asarray(x)
        if not self.complaint(x):
            return x
        order = np.argsort(x, axis=-1, kind="stable")
        apart = np.empty_like(x)
        np.put_along_axis(apart, order, _spread(np.take_along_axis(x, order, axis=-1)), axis=-1)
        return apart

    def complaint(self, x: Array) -> str:
        x = np.asarray(x)
        if x.ndim == 0:
            return ""
        ordered = np.sort(x, axis=-1)
        same = ordered[..., 1:] == ordered[..., :-1]
        return f"the value {ordered[..., 1:][same].ravel()[0]:.6g} occurs twice in its last axis" if same.any() else ""


@dataclass(frozen=True, slots=True, repr=False)
class _Both(Domain):
    """Two domains at once: the box of both, and the structure of the one that has any."""

    inner: Domain = Domain("anything")

    def room(self, x: Array) -> float:
        return self.inner.room(x)

    def tangent(self, x: Array, d: Array) -> Array:
        return self.inner.tangent(x, d)

    def move(self, x: Array, d: Array, t: float) -> Array:
        return self.inner.move(x, d, t)

    def settle(self, x: Array) -> Array:
        settled = self.inner.settle(_into_box(np.asarray(x), self.lower, self.upper, self.ends))
        # Pulling entries apart can push them over a bound: then only their order is kept.
        return settled if not self.complaint(settled) else _evenly(settled, self.lower, self.upper)

    def complaint(self, x: Array) -> str:
        return self.inner.complaint(x) or _outside(np.asarray(x), self.lower, self.upper, self.ends)


anything = Domain("anything")
positive = Domain("positive", lower=0.0)
negative = Domain("negative", upper=0.0)
nonnegative = Domain("nonnegative", lower=0.0, ends=True)
nonpositive = Domain("nonpositive", upper=0.0, ends=True)
symmetric = _Symmetric("symmetric", structured=True, matrix=True)
antisymmetric = _Antisymmetric("antisymmetric", structured=True, matrix=True)
lower_triangular = _Triangular("lower_triangular", structured=True, matrix=True)
positive_definite = _PositiveDefinite("positive_definite", structured=True, matrix=True)
orthogonal = _Orthogonal("orthogonal", structured=True, matrix=True)
simplex = _Simplex("simplex", lower=0.0, ends=True, structured=True, vector=True)
unit = _Unit("unit", structured=True, vector=True)
sorted_ = _Sorted("sorted_", vector=True)
distinct = _Distinct("distinct", vector=True)


def interval(lo: float | None, hi: float | None, *, ends: bool = False) -> Domain:
    """The box of all arrays whose entries lie between lo and hi; None or an infinity leaves a side open.

    ends: whether lo and hi themselves belong to it. Raises InvalidInput where lo is not below hi.

    >>> interval(-1, 1).contains(np.array([0.0, 0.5]))
    True
    >>> interval(0, None)
    interval(0, None)
    """
    low, high = _bound("lower", lo), _bound("upper", hi)
    if low is not None and high is not None and not low < high:
        raise InvalidInput(f"the bounds ({lo!r}, {hi!r}) hold nothing between them: give the smaller one first")
    tail = ", ends=True" if ends else ""
    return Domain(f"interval({lo!r}, {hi!r}{tail})", lower=low, upper=high, ends=ends)


def as_domain(obj: Any) -> Domain:
    """The domain that obj stands for: a Domain itself, a pair of bounds, or None for no restriction.

    Raises InvalidInput for anything else, and lists the known names.
    """
    if obj is None:
        return anything
    if isinstance(obj, Domain):
        return obj
    if isinstance(obj, (tuple, list)) and len(obj) == 2:
        return interval(*obj)
    if obj is interval:
        raise InvalidInput("domain is interval without its bounds: write interval(lo, hi) or the pair (lo, hi)")
    raise InvalidInput(f"domain is {obj!r}: give a pair of bounds or one of {', '.join(KNOWN)}")


KNOWN = tuple(name for name, value in list(globals().items()) if isinstance(value, Domain))


def _both(one: Domain, other: Domain) -> Domain:
    shaped = [d for d in (one, other) if type(d) is not Domain]
    if len(shaped) == 2:
        raise InvalidInput(f"{one.name} & {other.name}: two structures at once are not supported, only one with bounds")
    inner = shaped[0] if shaped else anything
    # Of two equal bounds the one without its end is the stricter.
    lower = max((d for d in (one, other) if d.lower is not None), key=lambda d: (d.lower, not d.ends), default=None)
    upper = min((d for d in (one, other) if d.upper is not None), key=lambda d: (d.upper, d.ends), default=None)
    ends = all(d.ends for d in (lower, upper) if d is not None)
    low, high = lower.lower if lower else None, upper.upper if upper else None
    if low is not None and high is not None and not low < high:
        raise InvalidInput(f"{one.name} & {other.name}: nothing lies in both")
    name = f"{one.name} & {other.name}"
    return _Both(name, low, high, ends, inner.structured, inner.matrix, inner.vector, inner)


def _bound(side: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, np.floating, np.integer)) or value != value:
        raise InvalidInput(f"the {side} bound is {value!r}: give a number or None")
    return None if np.isinf(float(value)) else float(value)


def _outside(x: Array, lower: float | None, upper: float | None, ends: bool) -> str:
    for bound, word, beyond in ((lower, "below", np.less), (upper, "above", np.greater)):
        if bound is None:
            continue
        out = beyond(x, bound) if ends else ~beyond(bound, x)
        if out.any():
            where = tuple(int(i) for i in np.argwhere(out)[0])
            place = "an end that does not belong" if x[where] == bound else f"{word} {bound:g}"
            return f"entry {where} is {x[where]:.6g}, {place}"
    return ""


def _into_box(x: Array, lower: float | None, upper: float | None, ends: bool) -> Array:
    """Entries outside the box are mirrored at its near end, or put at its middle; those inside stay."""
    if (lower is None and upper is None) or not _outside(x, lower, upper, ends):
        return x
    if lower is not None and upper is not None:
        inside = np.clip(x, lower, upper)
        # A little inside, at halves of halves, so that the numbers stay short.
        at_end = (inside <= lower) | (inside >= upper)
        bent = lower + (upper - lower) * (np.abs(x) % 7 + 0.5) / 8
        return np.where(at_end & ~(ends & (x == inside)), bent, x).astype(x.dtype)
    edge, side = (lower, 1.0) if lower is not None else (upper or 0.0, -1.0)
    out = (side * (x - edge) < 0) | ((x == edge) & (not ends))
    far = np.where(x == edge, 0.5, np.abs(x - edge))
    return np.where(out, edge + side * far, x).astype(x.dtype)


def _spread(ordered: Array) -> Array:
    """Make sorted values strictly increasing along the last axis, with gaps no rounding can close."""
    apart = ordered.copy()
    for k in range(1, ordered.shape[-1]):
        gap = np.maximum(0.5, np.abs(apart[..., k - 1]) * 1e-3).astype(ordered.dtype)
        close = ordered[..., k] <= apart[..., k - 1]
        apart[..., k] = np.where(close, apart[..., k - 1] + gap, ordered[..., k])
    return apart


def _evenly(x: Array, lower: float | None, upper: float | None) -> Array:
    """Entries in the order of x along the last axis, evenly spread in the box."""
    rank = np.argsort(np.argsort(x, axis=-1, kind="stable"), axis=-1)
    if lower is not None and upper is not None:
        return np.asarray(lower + (upper - lower) * (rank + 1) / (x.shape[-1] + 1)).astype(x.dtype)
    return np.asarray((upper or 0.0) - 0.5 * (x.shape[-1] - rank)).astype(x.dtype)


def _differs(x: Array, projected: Array, name: str) -> str:
    if x.size == 0:
        return ""
    far = np.abs(_wide(x) - _wide(projected))
    if not far.max() > 8 * _eps(x) * np.abs(x).max():
        return ""
    where = tuple(int(i) for i in np.unravel_index(int(far.argmax()), x.shape))
    return f"entry {where} is {x[where]:.6g} where a {name} matrix would have {projected[where]:.6g}"


def _needs_axis(d: Array, name: str) -> None:
    if d.ndim == 0:
        raise InvalidInput(f"domain {name}: a single number has no last axis")


def _tall(x: Array) -> Array:
    return np.swapaxes(x, -1, -2) if x.shape[-2] < x.shape[-1] else x


def _wide(x: Array) -> Array:
    return x.astype(np.float64) if x.dtype.itemsize < 8 else x


def _eps(x: Array) -> float:
    return float(np.finfo(x.dtype).eps) if x.dtype.kind in "fc" else 0.0
