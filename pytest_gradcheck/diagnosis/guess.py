"""Guess: one cause that fits what was measured, and the words and numbers to say it with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import gcd, isfinite, log, pi, prod, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: At or above this a guess ends the search: dearer hypotheses are not tried.
CERTAIN = 0.88
#: What a fitted form may leave of the discrepancy.
REST_OF_FIT = 1e-5


@dataclass(frozen=True, slots=True)
class Guess:
    """A cause for one argument.

    kind: a word of `verdict.KINDS`.
    sentence: what is wrong, one sentence; the argument is named in it.
    evidence: lines with the numbers that led here.
    confidence: between 0 and 1, comparable between hypotheses: how much is explained, by how little, how common.
    """

    kind: str
    sentence: str
    evidence: tuple[str, ...]
    confidence: float


def number(value: float) -> str:
    """A number as short as it can be read: 2, 0.5, 1.2346, 3.1e-09."""
    if not isfinite(value):
        return str(value)
    if value == round(value) and abs(value) < 1e6:
        return str(round(value))
    return f"{value:.5g}"


def indices(where: Iterable[tuple[int, ...]], most: int = 4) -> str:
    """A few indices in words: "(0, 1), (2, 3) and 5 more"."""
    every = list(where)
    shown = ", ".join("(" + ", ".join(map(str, i)) + ("," if len(i) == 1 else "") + ")" for i in every[:most])
    return shown if len(every) <= most else f"{shown} and {len(every) - most} more"


def counted(some: int, all_: int, name: str) -> str:
    """How many entries of an argument: "all 12 entries of W", "3 of 12 entries of W"."""
    if some == all_:
        return f"all {all_} entries of {name}" if all_ > 1 else f"the one entry of {name}"
    return f"{some} of {all_} entries of {name}"


@dataclass(frozen=True, slots=True)
class Constant:
    """A number that factors are compared with: its value, how it is written, what it stands for, how common it is."""

    value: float
    words: str
    meaning: str = ""
    prior: float = 1.0


def constants(shapes: dict[str, tuple[int, ...]]) -> list[Constant]:
    """The factors that backwards get wrong: small numbers, sizes of axes, their inverses and roots.

    shapes: name of each array of the layer -> its shape; an axis of length 1 gives nothing to recognise.
    """
    known = [Constant(2.0, "2"), Constant(0.5, "1/2")]
    lengths: dict[int, str] = {}
    for name, shape in shapes.items():
        for axis, length in enumerate(shape):
            lengths.setdefault(length, f"the length of axis {axis} of {name}")
        lengths.setdefault(prod(shape), f"the number of entries of {name}")
    for n, meaning in sorted(lengths.items()):
        if n > 1:
            known += _of_length(n, meaning)
    known += [Constant(float(k), str(k), prior=0.9) for k in (3, 4)]
    known += [Constant(1 / k, f"1/{k}", prior=0.9) for k in (3, 4)]
    for value, words in ((sqrt(2), "sqrt(2)"), (pi, "pi"), (log(2), "ln 2"), (log(10), "ln 10")):
        known += [Constant(value, words, prior=0.8), Constant(1 / value, f"1/{words}", prior=0.8)]
    return known


def _of_length(n: int, meaning: str) -> list[Constant]:
    less, more = f"{n - 1}/{n}", f"{n}/{n - 1}"
    deviation = "one less is the divisor of the unbiased deviation"
    return [
        Constant(float(n), str(n), meaning),
        Constant(1 / n, f"1/{n}", f"one over {meaning}"),
        Constant(sqrt(n), f"sqrt({n})", f"the root of {meaning}", 0.9),
        Constant(1 / sqrt(n), f"1/sqrt({n})", f"one over the root of {meaning}", 0.9),
        Constant((n - 1) / n, less, f"{n} is {meaning}", 0.9),
        Constant(n / (n - 1), more, f"{n} is {meaning}", 0.9),
        Constant(sqrt((n - 1) / n), f"sqrt({less})", f"{n} is {meaning}, {deviation}", 0.9),
        Constant(sqrt(n / (n - 1)), f"sqrt({more})", f"{n} is {meaning}, {deviation}", 0.9),
    ]


def recognise(value: float, known: Iterable[Constant], tolerance: float) -> Constant | None:
    """The constant that a positive factor is, to a relative tolerance; the first listed wins."""
    return next((c for c in known if abs(value / c.value - 1) <= tolerance), None)


def fraction(value: float, tolerance: float, largest: int = 24) -> tuple[int, int] | None:
    """The ratio p/q of small whole numbers that a factor is, or None."""
    for q in range(1, largest + 1):
        p = round(value * q)
        if p and gcd(p, q) == 1 and abs(p) <= largest and abs(value * q / p - 1) <= tolerance:
            return p, q
    return None


def rms(values: Any) -> float:
    """Root mean square; zero for nothing."""
    values = np.asarray(values, dtype=np.float64)
    return float(np.sqrt(np.mean(values * values))) if values.size else 0.0
