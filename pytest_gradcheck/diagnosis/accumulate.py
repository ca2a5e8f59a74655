"""Accumulate: an argument used more than once must gather all contributions; which ones are missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .bench import Bench
from .guess import REST_OF_FIT, Floats, Guess, counted

#: Entries whose contributions are looked at one by one.
LOOKED_AT = 6


def another_path(bench: Bench) -> Iterator[Guess]:
    """The missing part is upstream itself (a skip connection) or the gradient of another argument (a shared sum)."""
    if bench.count < 2 or not bench.everywhere or not bench.declared.any():
        return
    parts = [(f"the gradient of {a.name}", a.numeric) for _, a in bench.others if a.numeric.shape == bench.value.shape]
    if bench.alike:
        parts.insert(0, ("upstream", bench.upstream))
        parts += [
            (f"upstream x {a.name}", bench.upstream * a.value)
            for _, a in bench.others
            if a.value.shape in (bench.value.shape, ())
        ]
    for words, part in parts:
        if not np.isfinite(part[bench.measured]).all() or not part.any():
            continue
        for sign, verb in ((-1.0, "lacks"), (1.0, "has once too often")):
            if bench.explains(bench.numeric + sign * part, bar=bench.bar + 1e-9 * np.abs(part)):
                said = "-" if sign < 0 else "+"
                use = "overwritten" if sign < 0 else "added twice"
                line = f"declared = numeric {said} {words} on {counted(bench.count, bench.value.size, bench.name)}"
                sentence = f"the gradient of {bench.name} {verb} {words}: one of its uses is {use}"
                yield Guess("accumulate", sentence, (line,), 0.91)
                yield Guess("term", f"the gradient of {bench.name} {verb} a term, {words}", (line,), 0.8)
                return


def single_use(bench: Bench) -> Iterator[Guess]:
    """Right for the first or the last use only, entry by entry; two evaluations for each entry looked at."""
    entries = [tuple(int(i) for i in row) for row in np.argwhere(bench.wrong)][:LOOKED_AT]
    if 2 * len(entries) > bench.evidence.left:
        return
    columns = bench.columns(entries)
    if all(y.ndim == 0 for y in bench.evidence.outputs):
        return
    for axis in _groupings(bench):
        uses = [_uses(c, axis) for c in columns]
        for words, choose in (("last", -1), ("first", 0)):
            if _only(bench, entries, uses, choose):
                yield from _named(bench, columns, uses, words, axis)
                return
    if bench.alike and all(len(_uses(c, None)) > 1 for c in columns) and _own(bench, entries, columns):
        line = f"declared = upstream x diagonal of the local gradient at each of {len(entries)} wrong entries looked at"
        sentence = f"the terms by which an entry of {bench.name} moves the other outputs are missing"
        yield Guess("term", sentence, (line,), 0.91)
        yield Guess("local", f"the local gradient of {bench.name} is taken as diagonal", (line,), 0.8)
    elif _only(bench, entries, [_uses(c, None) for c in columns], None):
        line = f"declared is one of several contributions at each of {len(entries)} wrong entries looked at"
        yield Guess("accumulate", f"only one use of each entry of {bench.name} counts", (line,), 0.88)


def _own(bench: Bench, entries: Sequence[tuple[int, ...]], columns: Sequence[Sequence[Floats]]) -> bool:
    for index, column in zip(entries, columns, strict=True):
        gap = abs(float(bench.residual[index]))
        if abs(float(bench.declared[index] - column[0][index])) > 1e-4 * gap + REST_OF_FIT * bench.discrepancy:
            return False
    return len(entries) > 2


def _groupings(bench: Bench) -> list[int | None]:
    # Entry by entry in the order of memory, then slice by slice: a step of time, an item of a batch.
    return [None, *range(bench.output.ndim if bench.output.ndim > 1 else 0)]


def _uses(column: Sequence[Floats], axis: int | None) -> list[tuple[int, float]]:
    """Place and size of each contribution that is not zero."""
    if axis is None:
        flat = np.concatenate([c.ravel() for c in column])
    else:
        flat = np.moveaxis(column[0], axis, 0).reshape(column[0].shape[axis], -1).sum(1)
    return [(int(i), float(flat[i])) for i in np.flatnonzero(flat)]


def _only(
    bench: Bench, entries: Sequence[tuple[int, ...]], uses: Sequence[list[tuple[int, float]]], choose: int | None
) -> bool:
    """Whether declared is the chosen contribution of each entry; any one where none is chosen."""
    for index, found in zip(entries, uses, strict=True):
        if len(found) < 2:
            return False
        gap = abs(float(bench.residual[index]))
        chosen = [f[1] for f in found] if choose is None else [found[choose][1]]
        off = min(abs(float(bench.declared[index]) - c) for c in chosen)
        if off > 1e-4 * gap + REST_OF_FIT * bench.discrepancy:
            return False
    return len(entries) > 0


def _named(
    bench: Bench,
    columns: Sequence[Sequence[Floats]],
    uses: Sequence[list[tuple[int, float]]],
    words: str,
    axis: int | None,
) -> Iterator[Guess]:
    most = max(len(u) for u in uses)
    where = "in the output" if axis is None else f"along axis {axis} of the output"
    line = (
        f"declared is the {words} of up to {most} contributions {where}, at each of {len(uses)} wrong entries looked at"
    )
    use = Guess(
        "accumulate", f"only the {words} use of {bench.name} counts: uses are overwritten, not added", (line,), 0.92
    )
    path = Guess("term", f"the paths of {bench.name} to all but the {words} of its outputs are missing", (line,), 0.9)
    begins = {u[0][0] for u in uses}
    same = _equal_weights(bench, columns)
    # Copies and long runs of uses are overwritten; two unlike paths are a chain, so is a run from the entry's own step.
    chain = not same and (most == 2 or (words == "first" and len(begins) > 1))
    yield from (path, _less(use)) if chain else (use, _less(path))


def _less(guess: Guess) -> Guess:
    return Guess(guess.kind, guess.sentence, guess.evidence, guess.confidence - 0.1)


def _equal_weights(bench: Bench, columns: Sequence[Sequence[Floats]]) -> bool:
    """Whether each entry reaches all its outputs with the same slope, as a copied or gathered entry does."""
    for column in columns:
        flat = np.concatenate([(c / u)[c != 0] for c, u in zip(column, bench.evidence.upstream, strict=True)])
        if np.ptp(flat) > 1e-6 * np.abs(flat).max():
            return False
    return True
