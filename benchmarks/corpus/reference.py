"""The reference gradient of the verifier: numeric, slow, and independent of the package.

Central differences of order six over a ladder of steps, the pair that agrees best kept, on fresh layers, in
extended precision where the layer allows it and in float64 where not. Where the one-sided derivatives differ (a
kink) each output is looked at alone, and its gradient must lie between them along coordinates and random
directions.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Case

STEPS = (3.0, 3e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 3e-9, 1e-9)
STENCIL = ((1, 45 / 60), (2, -9 / 60), (3, 1 / 60))
EPS32 = float(np.finfo(np.float32).eps)
#: A layer with more entries than this is bisected instead of measured entry by entry.
MOST_ENTRIES = 500
#: Words of domains whose points depend on each other; others are bounds, which the ladder of steps respects.
STRUCTURES = ("symmetric", "lower_triangular", "simplex", "unit", "orthogonal")


@dataclass(frozen=True, slots=True)
class Point:
    """Where a case is differentiated: its inputs in the widest type it runs in, an upstream, what it declares."""

    case: Case
    xs: list[Array]
    upstream: Array
    declared: Sequence[Any]
    eps: float
    wobble: Sequence[Any]

    def value(self, xs: Sequence[Array]) -> Any:
        """upstream * forward(xs), output by output, NaN where the layer refuses the inputs."""
        try:
            return np.asarray(self.upstream * forward(self.case, copies(xs)))
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return np.nan

    def along(self, dirs: Sequence[Array]) -> Callable[[float], Any]:
        """t -> value after moving for time t; structured inputs stay in their structure."""
        words = structures(self.case, len(self.xs))
        return lambda t: self.value([move(w, x, d, t) for w, x, d in zip(words, self.xs, dirs, strict=True)])

    def slope(self, dirs: Sequence[Array]) -> tuple[float, float]:
        """The numeric derivative along `dirs` and an estimate of its error."""
        return slope(self.along(dirs), self.eps)

    def says(self, dirs: Sequence[Array]) -> float:
        """The derivative along `dirs` that the layer's gradients declare."""
        words = structures(self.case, len(self.xs))
        parts = zip(words, self.xs, dirs, self.declared, strict=True)
        return sum(float((g * tangent(w, x, d)).sum()) for w, x, d, g in parts)


def copies(arrays: Sequence[Any]) -> list[Any]:
    return [a if a is None else np.array(a) for a in arrays]


def steady() -> None:
    """The global random states as they are before every forward, so that a layer that draws draws the same."""
    random.seed(5)
    np.random.seed(5)


def forward(case: Case, xs: Sequence[Array]) -> Any:
    """The function whose derivative a fresh layer should declare, at xs."""
    steady()
    return (case.derivative_of or case.make().forward)(*xs)


def widened(case: Case, xs: Sequence[Array]) -> list[Array]:
    """The inputs in the widest type in which the layer runs."""
    for kind in (np.longdouble, np.float64):
        wide = [np.asarray(x, dtype=kind) for x in xs]
        try:
            forward(case, copies(wide))
        except (TypeError, ValueError):
            continue
        return wide
    raise TypeError(f"{case.name} takes neither longdouble nor float64")


def coarse(case: Case, xs: Sequence[Array]) -> bool:
    """Whether a layer computes in float32 although it is given more."""
    return "precision" in case.settings or np.asarray(forward(case, copies(widened(case, xs)))).dtype == np.float32


def slope(f: Callable[[float], Any], eps: float) -> tuple[float, float]:
    """f'(0) from the two steps that agree best, and an estimate of its error."""
    with np.errstate(all="ignore"):
        ahead = [[f(k * h) for k, _ in STENCIL] for h in STEPS]
        behind = [[f(-k * h) for k, _ in STENCIL] for h in STEPS]
        # An output that never moves is constant; one that moves somewhere is rounded everywhere, also where it
        # seems to stand still. A forward in float32 stands still for every small step.
        moved = np.any([a[0] != b[0] for a, b in zip(ahead, behind, strict=True)], axis=0) | (eps > EPS32 / 2)
        tries = [difference(a, b, h) for a, b, h in zip(ahead, behind, STEPS, strict=True)]
        size = [float(np.abs(np.where(moved, a[0], 0)).sum()) for a in ahead]
    found = [
        (abs(a - b) + 4 * eps * r / h, b)
        for (a, b), r, h in zip(pairwise(tries), size[1:], STEPS[1:], strict=True)
        if np.isfinite(a) and np.isfinite(b)
    ]
    # Far outside a narrow peak everything is zero and agrees: a slope clearly seen at a smaller step has the word.
    largest = max((abs(b) for _, b in found), default=0.0)
    start = next((i for i, (_, b) in enumerate(found) if abs(b) > 1e-9 * largest > 0), 0)
    seen = any(abs(b) > 1e3 * e for e, b in found[start:])
    error, best = min(found[start:] if seen else found, default=(np.inf, np.nan))
    return best, error


def difference(ahead: Sequence[Array], behind: Sequence[Array], h: float) -> float:
    """The difference quotient of order six at one step; outputs are summed last, so that each keeps its digits."""
    return float(np.sum(sum(c * (a - b) for (_, c), a, b in zip(STENCIL, ahead, behind, strict=True))) / h)


def one_sided(f: Callable[[float], Any], h: float = 1e-8) -> list[float]:
    """f'(0-) and f'(0+) in rising order, to about 1e-6."""
    return sorted(float(np.sum(4 * f(s * h) - f(2 * s * h) - 3 * f(0)) / (2 * s * h)) for s in (1, -1))


def jumps(f: Callable[[float], Any]) -> bool:
    """Whether a one-sided slope grows as the step shrinks: a jump, which no gradient can describe."""
    near, far = (max(map(abs, one_sided(f, h))) for h in (1e-8, 1e-6))
    return near > 10 * far + 1e3


def coordinate(xs: Sequence[Array], k: int, i: tuple[int, ...]) -> tuple[list[Array], float]:
    """A step along one entry, sized to it: tiny or large entries scale it."""
    size = abs(float(xs[k][i]))
    dirs = [np.zeros(x.shape) for x in xs]
    dirs[k][i] = scale = size if 0 < size < 1e-4 else max(1.0, size / 10)
    return dirs, scale


def structures(case: Case, number: int) -> list[str]:
    """The structure of each input, "" where its entries are free; inputs are named input0, input1 and so on."""
    domain = case.settings.get("domain", {})
    words = [domain.get(f"input{k}", "") for k in range(number)]
    return [w if isinstance(w, str) and w in STRUCTURES else "" for w in words]


def tangent(word: str, x: Array, d: Array) -> Array:
    """The part of d along which x can move within its structure."""
    if word == "symmetric":
        return np.asarray((d + d.T) / 2)
    if word == "lower_triangular":
        return np.tril(d)
    if word == "simplex":
        return np.asarray(d - d.mean(axis=-1, keepdims=True))
    if word == "unit":
        return np.asarray(d - x * (x * d).sum(axis=-1, keepdims=True))
    if word == "orthogonal":
        return np.asarray(x @ (x.T @ d - d.T @ x) / 2)
    return d


def move(word: str, x: Array, d: Array, t: float) -> Array:
    """The point reached from x after time t with velocity d, within the structure."""
    d = tangent(word, x, d)
    if word == "unit":
        there = x + t * d
        return np.asarray(there / np.sqrt((there * there).sum(axis=-1, keepdims=True)))
    if word == "orthogonal":
        # The exponential series of an antisymmetric matrix: numpy's linear algebra has no longdouble.
        turn, term, total = t * x.T @ d, np.eye(len(x), dtype=x.dtype), np.eye(len(x), dtype=x.dtype)
        for n in range(1, 25):
            term = term @ turn / n
            total = total + term
        return np.asarray(x @ total)
    return x + t * d


def between_one_sided(case: Case, xs: list[Array], rng: np.random.Generator) -> bool:
    """Whether each output's gradient lies within its one-sided derivatives."""
    y = forward(case, copies(xs))
    sizes = [x.size for x in xs]
    directions = [*np.eye(sum(sizes)), np.ones(sum(sizes)), *rng.standard_normal((12, sum(sizes)))]
    for k in np.ndindex(y.shape):
        up = np.zeros(y.shape)
        up[k] = 1.0
        declared = gradients(case, xs, up.astype(xs[0].dtype))
        point = Point(case, xs, up, declared, 0.0, [])
        for u in directions:
            parts = np.split(u, np.cumsum(sizes)[:-1])
            dirs = [p.reshape(x.shape) for p, x in zip(parts, xs, strict=True)]
            low, high = one_sided(point.along(dirs))
            room = 1e-4 * max(1.0, abs(low), abs(high))
            if not low - room <= point.says(dirs) <= high + room:
                return False
    return True


def gradients(case: Case, xs: Sequence[Array], upstream: Array) -> list[Any]:
    """What a fresh layer declares at xs."""
    layer = case.make()
    steady()
    layer.forward(*copies(xs))
    declared = layer.backward(upstream)
    return [np.zeros_like(x) if g is None else g for g, x in zip(declared, xs, strict=True)]


def wobble_of(case: Case, xs: Sequence[Array], upstream: Array, declared: Sequence[Any]) -> list[Array]:
    """The rounding of each declared entry: how it moves with the inputs' last digits, and with more digits."""
    largest = [np.zeros(x.shape) for x in xs]
    rng = np.random.default_rng(17)
    points: list[list[Array]] = [widened(case, xs)]
    for _ in range(3):
        eps = [2 * np.finfo(x.dtype).eps for x in xs]
        points.append(
            [(x * (1 + e * rng.choice([-1, 1], x.shape))).astype(x.dtype) for x, e in zip(xs, eps, strict=True)]
        )
    for moved in points:
        try:
            other = gradients(case, moved, upstream.copy())
        except (TypeError, ValueError):
            continue
        apart = [np.abs(np.subtract(a, b, dtype=float)) for a, b in zip(other, declared, strict=True)]
        largest = [np.maximum(w, np.nan_to_num(a)) for w, a in zip(largest, apart, strict=True)]
    return largest


def suspects(point: Point, rng: np.random.Generator, room: float, most: int = 16) -> list[tuple[int, tuple[int, ...]]]:
    """Entries of a large layer that are worth measuring alone: some at random, and those that halving leads to."""
    chosen = []
    for k, x in enumerate(point.xs):
        flat = rng.choice(x.size, min(most, x.size), replace=False).tolist()
        for low, high in halving(point, k, rng, room, most):
            flat.extend(range(low, high))
        chosen += [(k, tuple(int(j) for j in np.unravel_index(i, x.shape))) for i in flat]
    return chosen


def halving(point: Point, k: int, rng: np.random.Generator, room: float, most: int) -> list[tuple[int, int]]:
    """Ranges of at most four entries of the k-th input where declared and numeric disagree along a direction."""
    size = point.xs[k].size
    found: list[tuple[int, int]] = []
    queue = [(0, size)]
    while queue and len(found) < most:
        low, high = queue.pop(0)
        dirs = [np.zeros(x.shape) for x in point.xs]
        draw = rng.uniform(1, 2, high - low) * rng.choice([-1, 1], high - low)
        dirs[k].reshape(-1)[low:high] = draw / np.sqrt(size)
        numeric, error = point.slope(dirs)
        if abs(numeric - point.says(dirs)) <= 10 * error + room * abs(numeric):
            continue
        if high - low <= 4:
            found.append((low, high))
        else:
            queue += [(low, (low + high) // 2), ((low + high) // 2, high)]
    return found
