"""Upstream: declared must be linear in the upstream gradient; what it does instead names the bug."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .bench import Bench
from .guess import Floats, Guess, number, rms

#: Above so many outputs their parts are not tried one by one.
MOST_OUTPUTS = 20_000


def linearity(bench: Bench) -> Iterator[Guess]:
    """How declared answers to twice and to minus the upstream; two evaluations."""
    if not bench.declared.any():
        return
    u = bench.evidence.upstream
    again, twice, minus = (bench.declares([k * v for v in u]) for k in (1.0, 2.0, -1.0))
    if again is None or twice is None or minus is None or not np.allclose(again, bench.declared, rtol=1e-9, atol=0):
        return
    degree, odd = _degree(bench.declared, twice), _same(minus, -bench.declared)
    if degree == 1 and odd:
        return
    yield from _nonlinear(bench, degree, _same(minus, bench.declared), odd)


def _nonlinear(bench: Bench, degree: int | None, even: bool, odd: bool) -> Iterator[Guess]:
    name = bench.name
    if degree == 0 and even:
        lines = ("declared is the same for twice and for minus the upstream", *_for_ones(bench))
        yield Guess("upstream", f"the declared gradient of {name} ignores the upstream gradient", lines, 0.97)
        if np.ptp(bench.declared) == 0 and bench.declared.size > 1:
            line = f"declared is {number(float(bench.declared.flat[0]))} at every entry, whatever the input"
            yield Guess("local", f"the local gradient declared for {name} is a constant", (line,), 0.8)
    elif degree == 2:
        line = "declared grows fourfold for twice the upstream"
        yield Guess("upstream", f"the declared gradient of {name} uses the upstream gradient twice", (line,), 0.97)
    elif degree == 0:
        line = "declared is the same for twice the upstream and another for minus the upstream: only its sign is used"
        yield Guess("upstream", f"the declared gradient of {name} depends on the sign of upstream alone", (line,), 0.85)
    elif degree == 1 and even:
        line = "declared is the same for minus the upstream"
        yield Guess("upstream", f"the declared gradient of {name} loses the sign of upstream", (line,), 0.93)
    else:
        line = (
            "declared for minus the upstream is not minus declared"
            if not odd
            else "declared is not doubled by twice the upstream"
        )
        sentence = f"the local gradient declared for {name} depends on the upstream gradient itself"
        more = "backward must be linear in upstream: a branch or a formula looks at upstream in place of the input"
        yield Guess("local", sentence, (line, more), 0.86)
        yield Guess("upstream", f"the declared gradient of {name} is not linear in upstream", (line,), 0.8)


def _for_ones(bench: Bench) -> tuple[str, ...]:
    ones = [np.ones_like(u) for u in bench.evidence.upstream]
    return ("it is the gradient for an upstream of ones",) if bench.right_for(ones) else ()


def _degree(declared: Floats, twice: Floats) -> int | None:
    return next((k for k in (0, 1, 2) if _same(twice, 2.0**k * declared)), None)


def _same(a: Floats, b: Floats) -> bool:
    return bool(np.allclose(a, b, rtol=1e-6, atol=1e-9 * rms(b)))


def another_upstream(bench: Bench) -> Iterator[Guess]:
    """Declared is the gradient for a changed upstream: masked, summed, turned; no evaluation after the first six."""
    if bench.count < 2 or bench.gap_along == 0:
        return
    yield from _changed(bench)
    yield from _deaf_outputs(bench)


def _changed(bench: Bench) -> Iterator[Guess]:
    u, y = bench.evidence.upstream, bench.evidence.outputs
    if len(u) > 1 or u[0].size < 2:
        return
    for kind, words, other in variants(u[0], y[0]):
        if bench.right_for([other]):
            line = f"declared is the gradient for {words}, along {len(bench.directions)} random directions"
            yield Guess(
                kind, f"backward of {bench.name} uses {words} where the upstream gradient belongs", (line,), 0.92
            )
            return


def variants(u: Floats, y: Floats) -> Iterator[tuple[str, str, Floats]]:
    """What backwards do to the upstream by mistake: the word for it, how to say it, the changed upstream."""
    yield "upstream", "an upstream of ones", np.ones_like(u)
    yield "upstream", "the sum of upstream over all entries", np.full_like(u, u.sum())
    yield "upstream", "the mean of upstream over all entries", np.full_like(u, u.mean())
    yield "upstream", "the first entry of upstream for all", np.full_like(u, u.flat[0])
    for axis in range(u.ndim):
        if u.shape[axis] > 1 and u.ndim > 1:
            yield "reduction", f"upstream summed over axis {axis}", np.broadcast_to(u.sum(axis, keepdims=True), u.shape)
            yield (
                "reduction",
                f"upstream averaged over axis {axis}",
                np.broadcast_to(u.mean(axis, keepdims=True), u.shape),
            )
    for words, other in turned(u):
        yield "transpose", f"upstream {words}", other
    for axis in range(u.ndim):
        if u.shape[axis] > 1:
            for index, end in ((0, "first"), (-1, "last")):
                one = np.take(u, [index], axis)
                yield "reduction", f"the {end} entry of upstream along axis {axis}", np.broadcast_to(one, u.shape)
    if u.ndim == 2 and u.shape[0] == u.shape[1] and u.size > 1:
        yield "reduction", "the diagonal of upstream", np.diag(np.diag(u))
    yield "local", "upstream times the output", u * y
    with np.errstate(all="ignore"):
        yield "local", "upstream over the output", np.where(y != 0, u / np.where(y == 0, 1, y), 0)


def turned(array: Floats) -> Iterator[tuple[str, Floats]]:
    """Rearrangements that keep the shape: axes permuted, read in another order, reversed, rolled."""
    from itertools import permutations

    shape = array.shape
    for axes in permutations(range(array.ndim)):
        if axes != tuple(range(array.ndim)):
            words = "transposed" if array.ndim == 2 else f"with its axes in the order {axes}"
            if tuple(shape[a] for a in axes) == shape:
                yield words, array.transpose(axes)
            elif array.size > max(shape, default=0):
                yield f"{words} and read as {shape}", np.ascontiguousarray(array.transpose(axes)).reshape(shape)
                # The other way round: filled in the order of the permuted axes.
                yield f"filled as if {words}", _filled(array, axes)
    for chosen in range(1, 2**array.ndim):
        axes = tuple(a for a in range(array.ndim) if chosen >> a & 1)
        if all(shape[a] > 1 for a in axes):
            yield f"reversed along axis {', '.join(map(str, axes))}", np.flip(array, axes)
    for axis, length in enumerate(shape):
        for shift in (1, -1) if length > 2 else ():
            yield f"rolled by {shift} along axis {axis}", np.roll(array, shift, axis)


def _filled(array: Floats, axes: tuple[int, ...]) -> Floats:
    flat = array.reshape(tuple(array.shape[a] for a in axes))
    return np.ascontiguousarray(flat.transpose(np.argsort(axes)))


def _deaf_outputs(bench: Bench) -> Iterator[Guess]:
    """Declared is right if upstream of one output, or of a part of the output, is taken as zero."""
    size = sum(u.size for u in bench.evidence.upstream)
    if size > MOST_OUTPUTS or bench.elementwise or not bench.declared[bench.wrong].any():
        return
    for words, changed, part in dropped(bench.evidence.upstream):
        if not bench.right_for(changed):
            continue
        line = f"declared is right for an upstream that is zero at {words}"
        path = Guess("term", f"the gradient that reaches {bench.name} through {words} is not added", (line,), 0.85)
        use = f"the use of {bench.name} that leads to {words} is overwritten, not added"
        copies = _copies(bench, part)
        more = "there the output is a copy of the input" if copies else "there the output is no plain copy of the input"
        repeat = Guess("accumulate", use, (line, more), 0.91 if copies else 0.7)
        yield from (repeat, path) if copies else (path, repeat)
        return


def dropped(upstream: tuple[Floats, ...]) -> Iterator[tuple[str, list[Floats], list[Floats]]]:
    """Upstreams with one output, or a leading or trailing part of one, set to zero; and the mask of that part."""
    for k, u in enumerate(upstream):
        if len(upstream) > 1:
            gone = [np.zeros_like(v) if i == k else v for i, v in enumerate(upstream)]
            yield f"output {k}", gone, [np.full(v.shape, i == k) for i, v in enumerate(upstream)]
        for axis in range(u.ndim):
            here = np.indices(u.shape)[axis]
            for cut in range(1, min(u.shape[axis], 65)):
                for words, mask in ((f"below index {cut}", here < cut), (f"from index {cut} on", here >= cut)):
                    where = np.broadcast_to(mask, u.shape)
                    changed = [np.where(where, 0.0, v) if i == k else v for i, v in enumerate(upstream)]
                    parts = [where if i == k else np.zeros(v.shape, dtype=bool) for i, v in enumerate(upstream)]
                    yield f"the outputs {words} of axis {axis}", changed, parts


def _copies(bench: Bench, part: list[Floats]) -> bool:
    """Whether every output of a part is a value of this argument, unchanged."""
    there = np.concatenate([y[p.astype(bool)] for y, p in zip(bench.evidence.outputs, part, strict=True)])
    return bool(there.size and np.isin(there, bench.value).all())
