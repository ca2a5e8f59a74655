"""Kinks, ties and jumps: any slope between the one-sided ones is right, along every direction; no other is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Draw, Gradients
from benchmarks.corpus.book import Book, normal, unary, values

book = Book()


# ---------------------------------------------------------------- one slope at zero, entry by entry


def half_zeros(*shape: int) -> Draw:
    """Normal values of which about half are exactly zero."""
    return lambda rng: (rng.standard_normal(shape) * (rng.random(shape) < 0.5),)


def relu_with(slope: float) -> Callable[[Any, Any], Any]:
    """The slope of relu, with a choice at zero."""
    return lambda x, y: np.where(x == 0, slope, x > 0)


RELU = unary(lambda x: np.maximum(x, 0), relu_with(0.0))[0]


def at_zero(name: str, slope: float, right: bool, note: str) -> None:
    """A relu with half its inputs at zero, and the given slope there."""
    bwd = unary(RELU, relu_with(slope))[1]
    more = {} if right else {"also": ("region", "local")}
    book.pair(f"relu-half-zeros-{name}", None if right else "route", RELU, bwd, half_zeros(8, 10), note, **more)


at_zero("slope-0", 0.0, True, "half the inputs on the kink, slope 0 there")
at_zero("slope-1", 1.0, True, "half the inputs on the kink, slope 1 there")
at_zero("slope-half", 0.5, True, "half the inputs on the kink, slope 1/2 there")
at_zero("slope-2", 2.0, False, "slope 2 at zero: no slope between the one-sided ones")
at_zero("slope-minus", -0.5, False, "slope -1/2 at zero, where the function never falls")
at_zero("slope-over", 1.1, False, "slope 1.1 at zero, a little outside")

ZEROS = values([0.0, -1.0, 2.0, 0.0, -0.3])
SIGN = unary(np.abs, lambda x, y: np.sign(x))
book.family(
    "abs",
    *SIGN,
    ZEROS,
    [
        (
            "double-at-zero",
            "route region local",
            unary(np.abs, lambda x, y: np.where(x == 0, 2, np.sign(x)))[1],
            "slope 2 at zero",
        )
    ],
)
book.pair(
    "abs-slope-one",
    None,
    *unary(np.abs, lambda x, y: np.where(x >= 0, 1, -1)),
    ZEROS,
    "slope 1 at the kink is right too",
)


def leaky(x: Array) -> Any:
    return np.where(x > 0, x, 0.1 * x)


book.family(
    "leaky-relu-at-zero",
    *unary(leaky, lambda x, y: np.where(x > 0, 1, 0.1)),
    ZEROS,
    [
        (
            "zero",
            "route region local",
            unary(leaky, lambda x, y: np.where(x > 0, 1, np.where(x == 0, 0, 0.1)))[1],
            "slope 0, between 0.1 and 1 there is none",
        )
    ],
)


def hinge(x: Array) -> Any:
    return np.maximum(0, 1 - x)


book.family(
    "hinge-at-margin",
    *unary(hinge, lambda x, y: -1.0 * (x < 1)),
    values([1.0, 0.5, 2.0, 1.0]),
    [
        ("plus", "sign", unary(hinge, lambda x, y: 1.0 * (x < 1))[1], "the minus is missing below the margin"),
        (
            "at-margin",
            "route region local",
            unary(hinge, lambda x, y: np.where(x == 1, 1, -1.0 * (x < 1)))[1],
            "slope +1 at the margin itself",
        ),
    ],
)


def clip(x: Array) -> Any:
    return np.clip(x, -1, 1)


BOUNDS = values([-1.0, 1.0, 0.3, 4.0, -2.0])
book.family(
    "clip-at-bounds",
    *unary(clip, lambda x, y: (np.abs(x) < 1) * 1.0),
    BOUNDS,
    [
        (
            "everywhere",
            "region route",
            unary(clip, lambda x, y: np.ones_like(x))[1],
            "straight through, the clipped ones too",
        ),
        (
            "at-bound",
            "route region local",
            unary(clip, lambda x, y: np.where(np.abs(x) == 1, -1, np.abs(x) < 1))[1],
            "slope -1 at the bounds",
        ),
    ],
)
book.pair(
    "clip-closed", None, *unary(clip, lambda x, y: (np.abs(x) <= 1) * 1.0), BOUNDS, "slope 1 at the bounds is right too"
)


# ---------------------------------------------------------------- ties between entries

TIED = values([1.0, 2.0, 3.0, 0.0], [1.0, 5.0, 3.0, 0.0])


def larger(a: Array, b: Array) -> tuple[Any, Any]:
    return np.maximum(a, b), (a, b)


def smaller(a: Array, b: Array) -> tuple[Any, Any]:
    return np.minimum(a, b), (a, b)


book.family(
    "maximum-ties",
    larger,
    lambda d, c: (d * (c[0] >= c[1]), d * (c[0] < c[1])),
    TIED,
    [
        (
            "twice",
            "route factor",
            lambda d, c: (d * (c[0] >= c[1]), d * (c[0] <= c[1])),
            "a tie is given to both arguments",
        ),
        ("nobody", "route zero", lambda d, c: (d * (c[0] > c[1]), d * (c[0] < c[1])), "a tie is given to none"),
    ],
)
book.family(
    "minimum-ties",
    smaller,
    lambda d, c: (d * (c[0] <= c[1]), d * (c[0] > c[1])),
    TIED,
    [
        (
            "twice",
            "route factor",
            lambda d, c: (d * (c[0] <= c[1]), d * (c[0] >= c[1])),
            "a tie is given to both arguments",
        )
    ],
)


def gap(a: Array, b: Array) -> tuple[Any, Any]:
    return np.maximum(a - b, 0), (a, b)


book.family(
    "relu-of-difference",
    gap,
    lambda d, c: (d * (c[0] > c[1]), -d * (c[0] > c[1])),
    TIED,
    [
        (
            "one-side",
            "route term local",
            lambda d, c: (d * (c[0] >= c[1]), -d * (c[0] > c[1])),
            "at equal inputs the first gets slope 1 and the second 0: wrong when both move together",
        ),
    ],
)


def spread(x: Array) -> tuple[Any, Any]:
    return np.abs(x[1:] - x[:-1]), x


def spread_b(d: Array, x: Array, at_tie: tuple[float, float] = (0.0, 0.0)) -> Gradients:
    step = np.sign(x[1:] - x[:-1])
    g = np.zeros_like(x)
    g[1:] += d * np.where(step == 0, at_tie[0], step)
    g[:-1] -= d * np.where(step == 0, at_tie[1], step)
    return (g,)


STEPS = values([0.5, 0.5, 2.0, 2.0, 2.0, -1.0])
book.family(
    "total-variation-ties",
    spread,
    spread_b,
    STEPS,
    [
        (
            "one-side",
            "route term local region",
            lambda d, x: spread_b(d, x, (1.0, 0.0)),
            "at equal neighbours only one of the two gets a slope",
        ),
    ],
)
book.pair(
    "total-variation-sloped",
    None,
    spread,
    lambda d, x: spread_b(d, x, (0.3, 0.3)),
    STEPS,
    "slope 0.3 for one neighbour and -0.3 for the other is right",
)


def row_max(x: Array) -> tuple[Any, Any]:
    return x.max(axis=1), x == x.max(axis=1, keepdims=True)


def first_only(won: Array) -> Array:
    """Of several winners in a row, the first."""
    return np.asarray(won & (won.cumsum(axis=1) == 1))


ROWS = values([[1.0, 3.0, 3.0, 0.0], [2.0, 2.0, 2.0, 2.0], [0.0, -1.0, 5.0, 1.0]])
book.family(
    "row-max-ties",
    row_max,
    lambda d, won: (d[:, None] * first_only(won),),
    ROWS,
    [
        ("all", "route factor", lambda d, won: (d[:, None] * won,), "every winner gets all of it"),
        (
            "none",
            "route zero",
            lambda d, won: (d[:, None] * won * (won.sum(1, keepdims=True) == 1),),
            "ties get nothing",
        ),
        (
            "over-width",
            "route factor",
            lambda d, won: (d[:, None] * won / won.shape[1],),
            "split by the width, not by the winners",
        ),
    ],
)
book.pair(
    "row-max-split",
    None,
    row_max,
    lambda d, won: (d[:, None] * won / won.sum(axis=1, keepdims=True),),
    ROWS,
    "winners share evenly",
)
book.pair(
    "row-max-last",
    None,
    row_max,
    lambda d, won: (d[:, None] * first_only(won[:, ::-1])[:, ::-1],),
    ROWS,
    "the last winner gets it",
)


def pool(x: Array) -> tuple[Any, Any]:
    blocks = x.reshape(2, 2, 2, 2).transpose(0, 2, 1, 3).reshape(2, 2, 4)
    return blocks.max(axis=2), blocks == blocks.max(axis=2, keepdims=True)


def unpool(d: Array, won: Array) -> Gradients:
    return ((d[..., None] * won).reshape(2, 2, 2, 2).transpose(0, 2, 1, 3).reshape(4, 4),)


IMAGE = values([[1.0, 1.0, 0.0, 2.0], [0.0, 1.0, 2.0, 2.0], [5.0, 5.0, 0.0, 0.0], [5.0, 5.0, 0.0, 0.0]])
book.family(
    "max-pool-ties",
    pool,
    lambda d, won: unpool(d, won / won.sum(axis=2, keepdims=True)),
    IMAGE,
    [("all", "route factor", unpool, "every entry equal to the maximum of its window gets all of it")],
)


def both_signs(x: Array) -> tuple[Any, Any]:
    return np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)]), x


book.family(
    "relu-of-both-signs",
    both_signs,
    lambda d, x: (d[:5] * (x > 0) - d[5:] * (x < 0),),
    ZEROS,
    [
        (
            "crossed",
            "route region local",
            lambda d, x: (d[:5] * (x >= 0) + d[5:] * (x <= 0) * np.where(x == 0, 1, -1),),
            "the second half rises at zero, where it falls or stays",
        ),
    ],
)


# ---------------------------------------------------------------- cones


def length(x: Array) -> tuple[Any, Any]:
    r = np.sqrt((x * x).sum(axis=1))
    return r, (x, r)


def length_b(d: Array, c: Any, tip: float = 0.0) -> Gradients:
    x, r = c
    safe = np.where(r == 0, 1, r)[:, None]
    return (d[:, None] * np.where(r[:, None] == 0, tip, x / safe),)


POINTS = values([[0.0, 0.0, 0.0], [1.0, 2.0, 2.0], [-3.0, 0.0, 4.0]])
book.family(
    "norm-at-origin",
    length,
    length_b,
    POINTS,
    [
        (
            "ones",
            "region local route",
            lambda d, c: length_b(d, c, 1.0),
            "ones at the origin: right along each axis, too steep along the diagonal",
        ),
    ],
)
book.pair(
    "norm-at-origin-unit",
    None,
    length,
    lambda d, c: length_b(d, c, 0.5),
    POINTS,
    "a subgradient shorter than one is right",
)


# ---------------------------------------------------------------- jumps


def stair(x: Array) -> Any:
    return 0.1 * x + (x >= 0)


book.family(
    "stair",
    *unary(stair, lambda x, y: np.full_like(x, 0.1)),
    normal(6, shift=3),
    [("flat", "zero local", unary(stair, lambda x, y: 0 * x)[1], "the slope between the steps is left out")],
)
book.pair(
    "stair-on-the-jump",
    "region",
    *unary(stair, lambda x, y: np.where(x == 0, 3, 0.1)),
    values([0.0, 1.0, -2.0]),
    "a slope of 3 declared on a jump, which is no kink",
    also=("local", "route", "nonfinite"),
)

CASES = book.cases
