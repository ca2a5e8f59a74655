"""Reduction: summed over the wrong axis, over a part of it, averaged, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from .bench import Bench
from .guess import REST_OF_FIT, Floats, Guess


def averaged(bench: Bench) -> Iterator[Guess]:
    """Declared is numeric summed or averaged over an axis and spread over it again."""
    if not bench.complete or bench.value.ndim < 1 or bench.count < 2:
        return
    n = bench.numeric
    for axis in range(n.ndim):
        if n.shape[axis] < 2:
            continue
        for words, other in (("averaged", n.mean(axis, keepdims=True)), ("summed", n.sum(axis, keepdims=True))):
            if bench.explains(np.broadcast_to(other, n.shape), bar=np.full_like(bench.bar, bench.bar.max())):
                line = f"declared = numeric {words} over axis {axis} and spread over it"
                yield Guess(
                    "reduction", f"the declared gradient of {bench.name} is {words} over axis {axis}", (line,), 0.9
                )
                return


def contributions(bench: Bench) -> Iterator[Guess]:
    """Of a broadcast argument: upstream times local is summed over another axis, or over a part; two evaluations.

    Where each output depends on one entry alone, u * J 1 holds what each output contributes to its entry.
    """
    if len(bench.evidence.outputs) > 1 or bench.value.size == bench.output.size or not bench.complete:
        return
    (dy,) = bench.derivative(bench.evidence.values, np.ones_like(bench.value))
    parts = bench.upstream * dy
    true = _summed(parts, bench.value.shape, bench.numeric)
    if true is None:
        return
    bar = np.full_like(bench.bar, 1e-7 * float(np.abs(parts).sum()))
    for words, other in _other_sums(parts, bench.value.shape):
        if bench.explains(other, bar=np.minimum(bar, 1e-3 * bench.discrepancy)):
            line = f"declared is upstream times local {words}; numeric is their sum over {_axes(true)}"
            yield Guess(
                "reduction", f"the gradient of {bench.name} is {words}, not summed over {_axes(true)}", (line,), 0.93
            )
            if words.startswith("taken"):
                use = f"of all uses of {bench.name} only that {words[6:-5]} counts"
                yield Guess("accumulate", use, (line,), 0.85)
            return


def _summed(parts: Floats, shape: tuple[int, ...], numeric: Floats) -> tuple[int, ...] | None:
    """The axes whose sum gives numeric."""
    for k in range(1, parts.ndim + 1):
        for axes in combinations(range(parts.ndim), k):
            total = parts.sum(axes)
            if total.size == numeric.size and np.allclose(
                total.reshape(shape), numeric, rtol=1e-5, atol=1e-6 * np.abs(parts).max()
            ):
                return axes
    return None


def _other_sums(parts: Floats, shape: tuple[int, ...]) -> Iterator[tuple[str, Floats]]:
    size = int(np.prod(shape, dtype=int))
    for k in range(1, parts.ndim + 1):
        for axes in combinations(range(parts.ndim), k):
            total = parts.sum(axes)
            if total.size == size:
                yield f"summed over {_axes(axes)}", total.reshape(shape)
                yield f"averaged over {_axes(axes)}", parts.mean(axes).reshape(shape)
    for axis in range(parts.ndim):
        for index, end in ((0, "first"), (-1, "last")):
            one = np.take(parts, index, axis)
            for k in range(0, one.ndim + 1):
                for axes in combinations(range(one.ndim), k):
                    total = one.sum(axes)
                    if total.size == size:
                        yield f"taken at the {end} index of axis {axis} only", total.reshape(shape)


def _axes(axes: tuple[int, ...]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(map(str, axes))}"


def normalised_along(bench: Bench) -> Iterator[Guess]:
    """declared / numeric is a number per row times a number per column: normalised over the wrong axis."""
    if not bench.complete or bench.value.ndim != 2 or not bench.everywhere or min(bench.value.shape) < 3:
        return
    with np.errstate(all="ignore"):
        ratio = bench.declared / bench.numeric
    if not np.isfinite(ratio).all() or not ratio.all():
        return
    row, column = ratio[:, :1], ratio[:1, :]
    if bench.explains(bench.numeric * row * column / ratio[0, 0], bar=bench.bar * (1 + np.abs(ratio))):
        by_row, by_column = (np.ptp(a) > 1e-6 * np.abs(a).max() for a in (row, column))
        if by_row and by_column:
            line = "declared / numeric is a number per row times a number per column, on every entry"
            yield Guess("reduction", f"the gradient of {bench.name} is normalised over the wrong axis", (line,), 0.9)


def row_as_column(bench: Bench) -> Iterator[Guess]:
    """The error over the input is c_i - c_j: a number per row was spread along the columns."""
    shape = bench.value.shape
    if not bench.complete or len(shape) != 2 or shape[0] != shape[1] or shape[0] < 3:
        return
    with np.errstate(all="ignore"):
        for words, over in ((f"over {bench.name} ", bench.residual / bench.value), ("", bench.residual)):
            c = over[:, :1] - over[0, 0]
            close = np.abs(over - (c - c.T)) <= 1e-5 * np.abs(over).max()
            if np.isfinite(over).all() and over.any() and close.all():
                line = f"(declared - numeric) {words}is a number per row minus the same number per column"
                sentence = f"a sum per row of {bench.name} is spread along the columns"
                yield Guess("reduction", sentence, (line,), 0.92)
                return


def other_statistics(bench: Bench) -> Iterator[Guess]:
    """Declared and numeric are both a u w + b + c x along some axes, and a is another: normalised over other axes."""
    if not bench.complete or not bench.alike or bench.value.ndim < 2 or bench.count < 6:
        return
    weights = [np.ones_like(bench.value)]
    for _, other in bench.others:
        if np.broadcast_shapes(np.shape(other.value), bench.value.shape) == bench.value.shape:
            weights.append(np.broadcast_to(other.value, bench.value.shape))
    for weight in weights:
        for axes in [a for k in range(1, bench.value.ndim + 1) for a in combinations(range(bench.value.ndim), k)]:
            declared = _scales(bench, bench.declared, bench.upstream * weight, axes)
            if declared is None:
                continue
            if not _of_statistics(bench, weight):
                return
            numeric = _scales(bench, bench.numeric, bench.upstream * weight, axes)
            if numeric is not None and np.allclose(declared, numeric, rtol=1e-4):
                continue
            line = (
                f"declared = a x upstream + b + c x {bench.name} along {_axes(axes)}, with other numbers a than numeric"
            )
            yield Guess("reduction", f"the gradient of {bench.name} is normalised over the wrong axes", (line,), 0.84)
            return


def _of_statistics(bench: Bench, weight: Floats) -> bool:
    """Whether numeric has this form along some axes, and no simpler one: a layer that normalises."""
    if bench.elementwise:
        return False
    every = [a for k in range(1, bench.value.ndim + 1) for a in combinations(range(bench.value.ndim), k)]
    return any(_scales(bench, bench.numeric, bench.upstream * weight, axes) is not None for axes in every)


def _scales(bench: Bench, gradient: Floats, upstream: Floats, axes: tuple[int, ...]) -> Floats | None:
    """The multiple of upstream in each group of entries along the axes, where upstream, 1 and x span the gradient."""
    rest = [a for a in range(gradient.ndim) if a not in axes]
    g, u, x = (
        a.transpose(*rest, *axes).reshape(int(np.prod([a.shape[r] for r in rest], dtype=int)), -1)
        for a in (gradient, upstream, bench.value)
    )
    if g.shape[1] < 4 or g.shape[0] * (g.shape[1] - 3) < 3:
        return None
    found = np.empty(len(g))
    for i in range(len(g)):
        matrix = np.stack([u[i], np.ones_like(x[i]), x[i]], axis=1)
        fit, *_ = np.linalg.lstsq(matrix, g[i], rcond=None)
        if np.abs(g[i] - matrix @ fit).max() > 8 * float(bench.bar.max()) + REST_OF_FIT * bench.discrepancy:
            return None
        found[i] = fit[0]
    return found
