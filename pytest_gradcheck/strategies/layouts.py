"""Memory layouts: the same numbers, held in memory in other ways. No Hypothesis here.

A layer that reads memory in place (`ravel` and write, `reshape` of a view, a compiled kernel) may be right for a
fresh array and wrong for a transposed one.
"""

from __future__ import annotations

import numpy as np

from pytest_gradcheck.errors import InvalidInput
from pytest_gradcheck.target import Array

#: Layout names, the usual one first. "broadcast" has stride 0, and equal entries along its first axis.
LAYOUTS = ("contiguous", "transposed", "strided", "reversed", "read-only", "broadcast")


def laid_out(x: Array, layout: str) -> Array:
    """x in the layout of that name; only "broadcast" changes values: it repeats the first entry of axis 0."""
    if layout not in LAYOUTS:
        raise InvalidInput(f"layout is {layout!r}: give names out of {', '.join(LAYOUTS)}")
    if x.ndim == 0 or layout == "contiguous":
        return x
    if layout == "transposed":
        return np.asfortranarray(x)
    if layout == "strided":
        return np.repeat(x, 2, axis=-1)[..., ::2]
    if layout == "reversed":
        return np.ascontiguousarray(x[::-1])[::-1]
    if layout == "read-only":
        still = x.copy()
        still.flags.writeable = False
        return still
    return np.broadcast_to(x[:1], x.shape) if len(x) else x


def as_source(x: Array) -> str:
    """An expression that makes this very array, entries and layout, when `np` is numpy."""
    if x.ndim and 0 in x.strides and x.size > 1:
        first = tuple(slice(0, 1) if s == 0 else slice(None) for s in x.strides)
        return f"np.broadcast_to({_literal(x[first])}, {x.shape})"
    if x.ndim == 0 or x.size <= 1 or x.flags.c_contiguous:
        return _literal(x)
    if x.flags.f_contiguous:
        return f"np.asfortranarray({_literal(x)})"
    if x.strides[0] < 0:
        return f"{_literal(x[::-1])}[::-1]"
    return f"np.repeat({_literal(x)}, 2, axis=-1)[..., ::2]"


def _literal(x: Array) -> str:
    kind = "" if x.dtype in (np.float64, np.int64, np.bool_) and x.size else f", dtype={x.dtype.name!r}"
    # An empty list loses the other axes.
    return f"np.array({_spelled(x.tolist())}{kind})" if x.size else f"np.zeros({x.shape}{kind})"


def _spelled(numbers: object) -> str:
    text = repr(numbers)
    return text.replace("nan", "np.nan").replace("inf", "np.inf")
