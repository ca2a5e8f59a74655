"""Simpler: at a point where parts of the layer vanish, what remains may show a plain factor or sign."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .bench import REST_ALONG, Bench
from .guess import Floats, Guess, number, recognise


def alone(bench: Bench) -> Iterator[Guess]:
    """With the other arguments at zero only a penalty on this one remains: is it off by a factor? Five evaluations."""
    if len(bench.evidence.values) < 2 or bench.count < 2:
        return
    values = [v if i == bench.position else np.zeros_like(v) for i, v in enumerate(bench.evidence.values)]
    names = ", ".join(a.name for i, a in enumerate(bench.evidence.target.arguments) if i != bench.position)
    found = _factor_at(bench, values, np.ones(bench.value.shape, dtype=bool))
    if found is None or abs(found - 1) < REST_ALONG:
        return
    line = f"with {names} at zero declared = {number(found)} x numeric"
    if abs(found + 1) < REST_ALONG:
        yield Guess(
            "sign", f"the part of the gradient that depends on {bench.name} alone has the wrong sign", (line,), 0.9
        )
    elif known := recognise(abs(found), bench.known_constants, REST_ALONG):
        sentence = f"the part of the gradient that depends on {bench.name} alone is off by the factor {known.words}"
        yield Guess("factor", sentence, (line,), 0.9)


def at_identity(bench: Bench) -> Iterator[Guess]:
    """At the identity matrix: right on one of diagonal and rest, off by a recognised factor on the other."""
    shape = bench.value.shape
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 2 or len(bench.evidence.values) > 1:
        return
    diagonal = np.eye(shape[0], dtype=bool)
    values = [np.eye(shape[0]) + np.diag(np.linspace(0.1, 0.7, shape[0]))]
    on, off = (_factor_at(bench, values, where) for where in (diagonal, ~diagonal))
    for words, wrong, right in (("on", on, off), ("off", off, on)):
        if wrong is None or right is None or abs(right - 1) > REST_ALONG or abs(wrong - 1) < REST_ALONG:
            continue
        line = f"at a diagonal matrix declared = {number(wrong)} x numeric {words} the diagonal and is right elsewhere"
        sentence = f"backward of {bench.name} is off by the factor {number(wrong)} {words} the diagonal"
        yield Guess("factor", sentence, (line,), 0.85)


def _factor_at(bench: Bench, values: Sequence[Floats], where: Floats) -> float | None:
    """The constant c in declared = c numeric along two directions inside a block at another point."""
    declared = bench.declares(bench.evidence.upstream, values)
    if declared is None or not np.isfinite(declared).all():
        return None
    ratios = []
    for direction in bench.directions[:2]:
        v = np.where(where, direction, 0.0)
        dy = bench.derivative(values, v)
        true = float(sum((u * d).sum() for u, d in zip(bench.evidence.upstream, dy, strict=True)))
        if not np.isfinite(true) or abs(true) < 1e-9:
            return None
        ratios.append(float((declared * v).sum()) / true)
    return ratios[0] if abs(ratios[0] - ratios[1]) <= REST_ALONG * abs(ratios[0]) else None
