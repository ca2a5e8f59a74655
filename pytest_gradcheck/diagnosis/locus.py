"""Locus: the shortest rule that says which entries are wrong.

A rule is a mask with words. It fits when it holds at every wrong entry and at no telling right one; rules are
listed from plain to involved, and the first that fits is the description.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb, log2

import numpy as np

from .guess import Floats, Mask, counted, indices, number


@dataclass(frozen=True, slots=True)
class Rule:
    """Where something holds: its family, , the words after "wrong", and the mask."""

    family: str
    words: str
    mask: Mask
    plain: float = 1.0


ALL_FAMILIES = ("value", "tie", "index", "threshold", "slice", "maximum", "other")


def locus(
    value: Floats, wrong: Mask, telling: Mask, others: dict[str, Floats], families: tuple[str, ...] = ALL_FAMILIES
) -> Rule | None:
    """The simplest rule that holds at exactly the wrong entries among the telling ones; None where none does.

    value: the argument; others: arguments of the same shape, which a rule may compare it with; families: of rules.
    """
    if not wrong.any() or not (telling & ~wrong).any():
        return None
    for rule in rules(value, wrong, telling, others):
        if rule.family in families and np.array_equal(rule.mask & telling, wrong & telling):
            return rule
    return None


def surprise(rule: Rule, wrong: Mask, telling: Mask) -> float:
    """Bits by which a fitting rule is more than luck: the patterns there are, less the rules of its kind."""
    n, k = int(telling.sum()), int((wrong & telling).sum())
    patterns = log2(max(comb(min(n, 1000), min(k, 1000)), 1))
    tried = {
        "value": 4,
        "index": 10 * wrong.ndim,
        "threshold": 2 * n,
        "slice": 2 ** min(max(wrong.shape, default=1), 20),
    }
    return patterns - log2(tried.get(rule.family, 8))


def rules(value: Floats, wrong: Mask, telling: Mask, others: dict[str, Floats]) -> Iterator[Rule]:
    """Every rule worth trying, plain ones first."""
    yield from _of_value(value)
    yield from _of_ties(value, others)
    yield from _of_index(value.shape)
    yield from _of_threshold(value, wrong, telling)
    yield from _of_slices(value.shape, wrong)
    yield from _of_maxima(value)
    yield from _of_others(value, others)


def _of_value(value: Floats) -> Iterator[Rule]:
    yield Rule("value", "where it is exactly 0", value == 0)
    yield Rule("value", "where it is negative", value < 0)
    yield Rule("value", "where it is positive", value > 0)
    yield Rule("value", "where it is not 0", value != 0)
    yield Rule("value", "where it is a whole number", value == np.round(value), 0.9)


def _of_ties(value: Floats, others: dict[str, Floats]) -> Iterator[Rule]:
    for axis in range(value.ndim):
        twice = repeated(value, axis)
        top = value == value.max(axis=axis, keepdims=True)
        low = value == value.min(axis=axis, keepdims=True)
        along = f"along axis {axis}" if value.ndim > 1 else "of all"
        yield Rule("tie", f"where values are tied {along}", twice)
        yield Rule("tie", f"at the tied maxima {along}", twice & top)
        yield Rule("tie", f"at the tied minima {along}", twice & low)
    for name, other in others.items():
        yield Rule("tie", f"where it is tied with {name}", value == other)


def _of_maxima(value: Floats) -> Iterator[Rule]:
    for axis in range(value.ndim):
        along = f"along axis {axis}" if value.ndim > 1 else "of all"
        for words, edge in (
            ("maximum", value.max(axis=axis, keepdims=True)),
            ("minimum", value.min(axis=axis, keepdims=True)),
        ):
            yield Rule("maximum", f"at the {words} {along}", value == edge)
            yield Rule("maximum", f"everywhere but at the {words} {along}", value != edge)


def repeated(value: Floats, axis: int) -> Mask:
    """Entries whose value stands more than once along an axis; none along an axis longer than 256."""
    rows = np.moveaxis(value, axis, -1)
    with np.errstate(all="ignore"):
        same = (rows[..., :, None] == rows[..., None, :]).sum(-1) > 1 if rows.shape[-1] <= 256 else rows != rows
    return np.moveaxis(same, -1, axis)


def _of_index(shape: tuple[int, ...]) -> Iterator[Rule]:
    grid = np.indices(shape)
    for axis, length in enumerate(shape):
        here, of_axis = grid[axis], f" of axis {axis}" if len(shape) > 1 else ""
        if length < 2:
            continue
        yield Rule("index", f"at the first index{of_axis}", here == 0)
        yield Rule("index", f"at the last index{of_axis}", here == length - 1)
        yield Rule("index", f"everywhere but at the first index{of_axis}", here > 0)
        yield Rule("index", f"everywhere but at the last index{of_axis}", here < length - 1)
        yield Rule("index", f"at odd indices{of_axis}", here % 2 == 1)
        yield Rule("index", f"at even indices{of_axis}", here % 2 == 0)
    if shape:
        border = np.any([(g == 0) | (g == n - 1) for g, n in zip(grid, shape, strict=True)], axis=0)
        yield Rule("index", "on the border", border)
        yield Rule("index", "everywhere but on the border", ~border)
    for a, b in combinations(range(len(shape)), 2):
        if shape[a] != shape[b]:
            continue
        of_axes = f" of axes {a} and {b}" if len(shape) > 2 else ""
        yield Rule("index", f"on the diagonal{of_axes}", grid[a] == grid[b])
        yield Rule("index", f"off the diagonal{of_axes}", grid[a] != grid[b])
        yield Rule("index", f"above the diagonal{of_axes}", grid[a] < grid[b])
        yield Rule("index", f"below the diagonal{of_axes}", grid[a] > grid[b])


def _of_threshold(value: Floats, wrong: Mask, telling: Mask) -> Iterator[Rule]:
    bad, good = value[wrong], value[telling & ~wrong]
    for words, sign in (("where it is above", 1.0), ("where it is below", -1.0)):
        if (sign * bad).min() > (sign * good).max():
            edge = sign * _between((sign * good).max(), (sign * bad).min())
            yield Rule("threshold", f"{words} {number(edge)}", sign * value > sign * edge, 0.9)
    if np.abs(bad).min() > np.abs(good).max():
        edge = _between(np.abs(good).max(), np.abs(bad).min())
        yield Rule("threshold", f"where its size is above {number(edge)}", np.abs(value) > edge, 0.8)
    if np.abs(bad).max() < np.abs(good).min():
        edge = _between(np.abs(bad).max(), np.abs(good).min())
        yield Rule("threshold", f"where its size is below {number(edge)}", np.abs(value) < edge, 0.8)


def _between(low: float, high: float) -> float:
    # The roundest number in the gap is the one an author would have written.
    for digits in range(0, 12):
        edge = float(np.ceil(low * 10**digits) / 10**digits)
        if low < edge < high or (edge == low and digits):
            return edge
    return (low + high) / 2


def _of_slices(shape: tuple[int, ...], wrong: Mask) -> Iterator[Rule]:
    for axis, length in enumerate(shape):
        rows = np.unique(np.nonzero(wrong)[axis])
        if len(shape) > 1 and 0 < len(rows) < length:
            where = np.isin(np.indices(shape)[axis], rows)
            which = "index " + str(rows[0]) if len(rows) == 1 else "indices " + ", ".join(map(str, rows[:8]))
            yield Rule("slice", f"at {which} of axis {axis}", where, 1.0 if len(rows) == 1 else 0.7)


def _of_others(value: Floats, others: dict[str, Floats]) -> Iterator[Rule]:
    for name, other in others.items():
        yield Rule("other", f"where it is larger than {name}", value > other)
        yield Rule("other", f"where it is smaller than {name}", value < other)
        yield Rule("other", f"where {name} is negative", other < 0, 0.8)
        yield Rule("other", f"where {name} is positive", other > 0, 0.8)
        yield Rule("other", f"where {name} is exactly 0", other == 0, 0.8)


def described(rule: Rule | None, wrong: Mask, total: int, name: str, about: str) -> str:
    """The locus in words, by rule or by the indices themselves; about: how many, where a sample was measured."""
    count = int(wrong.sum())
    one = count == 1 and not about
    said = f"{about or counted(count, total, name)} {'is' if one else 'are'} wrong"
    if count == total:
        return said
    if rule is not None:
        return f"{said}, {'' if about else 'exactly '}{'the one' if one else 'those'} {rule.words}"
    listed = indices([tuple(int(i) for i in row) for row in np.argwhere(wrong)[:1000]], 20)
    return f"{said}, among them {listed}" if about else f"{said}: {listed}"
