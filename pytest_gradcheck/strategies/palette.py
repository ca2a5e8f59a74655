"""Palettes: the numbers that generated arrays are made of, simplest first. No Hypothesis here.

An entry is drawn as a whole number, its code, and the code looked up in a table, so that Hypothesis shrinks an
entry by making its code smaller: towards 0, then 1, -1, 2, -2, the halves, and so on. A counterexample that also
holds at such numbers ends up there and can be followed with pencil and paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_gradcheck.domain import Domain
from pytest_gradcheck.target import Array

Table = npt.NDArray[np.float64]

#: Small whole numbers and halves: what a simple array holds.
SIMPLE = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, 1.5, -1.5, 2.5, -2.5, 4.0, -4.0)

#: How many ordinary values follow the simple ones. Many, so that two entries are seldom equal by chance.
ORDINARY = 4000

#: Single entries far from the others: where formulas switch, saturate or lose their digits.
FAR = (10.0, -10.0, 100.0, -100.0, 25.0, -40.0, 1e-3, -1e-3, 1e3, -1e3, 1e-6, -1e-6, 1e5, 1e-9)

#: Hard arrays, in the order in which a counterexample is simplified.
HARD = ("spiked", "equal", "zeros", "ties", "near", "mixed", "large", "tiny", "extreme", "denormal")


@dataclass(frozen=True, slots=True)
class Palette:
    """Values of one domain's box, ordered from simple to ordinary.

    table: (n,) the value of each code. simple: how many codes, from 0 on, are simple.
    lower, upper, ends: the box; every value lies in it.
    """

    table: Table
    simple: int
    lower: float | None = None
    upper: float | None = None
    ends: bool = False

    def decode(self, codes: npt.NDArray[Any]) -> Table:
        """The values of an array of codes, same shape."""
        return np.asarray(self.table[codes])

    def hard(self, kind: str, codes: npt.NDArray[Any], scale: int) -> Table:
        """An array of one hard kind, made from an array of codes; scale: 0, 1, 2, ... from mild to severe."""
        x = self.decode(codes)
        if x.size == 0:
            return x
        flat = x.ravel()
        if kind == "spiked":
            return self._within(np.where(codes % 3 == 1, np.array(FAR)[codes // 3 % len(FAR)], x))
        if kind == "equal":
            return np.full_like(x, flat[0])
        if kind == "zeros":
            return np.where(codes % 4 == 1, x, self.table[0])
        if kind == "ties":
            return flat[np.arange(flat.size) // 2].reshape(x.shape)
        if kind == "near":
            return self._within(x + self._signs(codes) * (1e-3, 1e-6, 1e-9, 1e-12)[scale % 4])
        if kind == "mixed":
            return self._stretched(x, 10.0 ** (codes % 9 - 4.0))
        factors = {"large": (10.0, 100.0, 1e3, 1e4), "tiny": (0.1, 1e-2, 1e-4, 1e-6)}
        factors |= {"extreme": (1e6, 1e-6, 1e8, 1e-8), "denormal": (1e-300, 1e-308, 1e-310, 5e-324)}
        return self._stretched(x, np.asarray(factors[kind][scale % 4]))

    def _signs(self, codes: npt.NDArray[Any]) -> Table:
        return 1.0 - 2.0 * (codes % 2)

    def _stretched(self, x: Table, factor: npt.NDArray[np.float64]) -> Table:
        """x, its distance from the box's near bound multiplied; a bounded box is approached at its ends instead."""
        if self.lower is not None and self.upper is not None:
            width = self.upper - self.lower
            small = np.minimum(factor, 1 / np.maximum(factor, 1.0))
            low = x - self.lower < self.upper - x
            near = np.where(low, self.lower + (x - self.lower) * small, self.upper - (self.upper - x) * small)
            return self._within(np.where(width * small < 1e-9 * width, x, near))
        near_bound = self.lower if self.lower is not None else (self.upper or 0.0)
        return self._within(near_bound + (x - near_bound) * factor)

    def _within(self, x: Table) -> Table:
        return Domain("box", self.lower, self.upper, self.ends).settle(x)


@lru_cache(maxsize=64)
def palette_of(lower: float | None, upper: float | None, ends: bool) -> Palette:
    """The palette of a box; None for a side without bound."""
    quantiles = (np.arange(ORDINARY) + 0.5) / ORDINARY
    if lower is not None and upper is not None:
        width = upper - lower
        fractions = [1 / 2, 1 / 4, 3 / 4, 1 / 8, 7 / 8, 3 / 8, 5 / 8]
        whole = [n for n in SIMPLE if lower < n < upper]
        first = whole + ([lower, upper] if ends else []) + [lower + width * f for f in fractions]
        # Four digits make a number that can be read; in a narrow box they would round onto its ends.
        rest = lower + width * np.round(quantiles, 4)
        rest = rest[(rest > lower) & (rest < upper)]
    else:
        spread = np.array([1.6 * NormalDist().inv_cdf(q) for q in quantiles])
        rest = np.round(spread[np.argsort(np.abs(spread), kind="stable")], 3)
        edge, side = (lower, 1.0) if lower is not None else (upper or 0.0, -1.0)
        first = list(SIMPLE)
        if lower is not None or upper is not None:
            steps = [*([0.0] if ends else []), 1.0, 2.0, 0.5, 3.0, 1.5, 0.25, 4.0]
            first, rest = [edge + side * n for n in steps], edge + side * np.abs(rest[rest != 0])
    first = list(dict.fromkeys(first))
    return Palette(np.array([*first, *rest]), len(first), lower, upper, ends)


def as_dtype(x: Table, dtype: Any, domain: Domain) -> Array:
    """The values rounded to dtype, still inside the domain: rounding can push an entry over a bound or out of range."""
    limit = np.finfo(dtype).max / 4
    return domain.settle(np.clip(x, -limit, limit).astype(dtype))
