"""Term: declared is a part of the gradient; the missing part has a form that can be recognised."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .bench import DIRECTIONS, Bench
from .guess import REST_OF_FIT, Floats, Guess, fraction, number
from .scale import ratio


def proportional(bench: Bench) -> Iterator[Guess]:
    """The missing part is a multiple of the argument itself: a regulariser; or of the upstream; or a constant."""
    if bench.count < 3 or not bench.everywhere:
        return
    c = _multiple(bench, bench.value)
    if c is not None and np.ptp(np.abs(bench.value)) > 0:
        line = f"numeric - declared = {number(-c)} times {bench.name} on every entry"
        sentence = (
            f"the declared gradient of {bench.name} lacks a multiple of {bench.name}, as of a penalty on its square"
        )
        yield Guess("term", sentence, (line,), 0.85)
    elif (c := _multiple(bench, np.ones_like(bench.value))) is not None:
        line = f"numeric - declared = {number(-c)} on every entry"
        yield Guess("term", f"the declared gradient of {bench.name} lacks a constant term", (line,), 0.8)


def constant_part(bench: Bench) -> Iterator[Guess]:
    """The same number is missing at each wrong entry, none elsewhere: a target, a mask, a one-hot row."""
    if bench.count < 3 or bench.everywhere:
        return
    r = bench.residual[bench.wrong]
    if np.ptp(r) <= REST_OF_FIT * np.abs(r).max():
        line = f"numeric - declared = {number(-float(r[0]))} at each of {bench.count} wrong entries, 0 elsewhere"
        sentence = f"the same constant is missing from the declared gradient at {bench.count} entries of {bench.name}"
        yield Guess("term", sentence, (line, "a target or a mask that is not subtracted looks like this"), 0.86)


def along_axis(bench: Bench) -> Iterator[Guess]:
    """The missing part is constant along an axis (a path through a mean) or affine in the input there (a variance)."""
    if not bench.complete or bench.count < 4 or ratio(bench, bench.wrong) is not None:
        return
    for axis in range(bench.value.ndim):
        length = bench.value.shape[axis]
        rows = bench.value.size // length
        if length < 2 or rows * (length - 1) < 3:
            continue
        r, x = (np.moveaxis(a, axis, -1).reshape(rows, length) for a in (bench.residual, bench.value))
        on = f"along axis {axis}" if bench.value.ndim > 1 else "over all entries"
        y = np.moveaxis(bench.output, axis, -1).reshape(rows, length) if bench.alike else None
        for kind, basis, words, weight in _forms(x, y):
            if kind == "the norm" and bench.value.ndim == 1 and not bench.alike:
                continue  # a multiple of the whole argument is a penalty
            spare = rows * (length - len(basis))
            # Where the whole gradient has this form, so has every error, and nothing is learned.
            n = np.moveaxis(bench.numeric, axis, -1).reshape(rows, length)
            if spare >= 3 and _spans(r, basis, bench) and not _spans(n, basis, bench):
                line = f"numeric - declared is {words} {on}, with {spare} numbers to spare"
                sentence = f"the declared gradient of {bench.name} lacks the path through {kind} {on}"
                yield Guess("term", sentence, (line,), weight)
                return


def _forms(x: Floats, y: Floats | None) -> Iterator[tuple[str, list[Floats], str, float]]:
    one = np.ones_like(x)
    yield "the mean", [one], "constant", 0.87
    yield "the norm", [x], "proportional to the input", 0.87
    yield "the variance", [x - x.mean(-1, keepdims=True)], "proportional to the input less its mean", 0.87
    if y is not None:
        yield "the common factor of the outputs", [y], "proportional to the output", 0.87
    yield "the mean and the variance", [one, x], "a constant plus a multiple of the input", 0.86


def _spans(r: Floats, basis: list[Floats], bench: Bench) -> bool:
    """Whether each row of r is a combination of the basis rows."""
    left = 0.0
    for i, row in enumerate(r):
        matrix = np.stack([b[i] for b in basis], axis=1)
        fit, *_ = np.linalg.lstsq(matrix, row, rcond=None)
        left = max(left, float(np.abs(row - matrix @ fit).max()))
    return bool(left <= 8 * float(bench.bar.max()) + REST_OF_FIT * bench.discrepancy)


def _multiple(bench: Bench, of: Floats) -> float | None:
    r, b = bench.residual[bench.measured], of[bench.measured]
    if not b.any():
        return None
    c = float((r * b).sum() / (b * b).sum())
    close = np.abs(r - c * b) <= 4 * bench.bar[bench.measured] + REST_OF_FIT * bench.discrepancy
    return c if c and close.all() else None


def product_half(bench: Bench) -> Iterator[Guess]:
    """One half of a product rule: upstream x output / input is the derivative with the other factor held."""
    if bench.alike and bench.count >= 2:
        with np.errstate(all="ignore"):
            half = np.where(bench.value != 0, bench.upstream * bench.output / bench.value, np.nan)
        if bench.explains(half, bench.telling & np.isfinite(half)) and ratio(bench, bench.wrong) is None:
            line = (
                f"declared = upstream x output / {bench.name} on {bench.count} entries, as with the other factor held"
            )
            sentence = f"one half of the product rule is missing: the other factor depends on {bench.name} too"
            yield Guess("term", sentence, (line,), 0.93)
            other = f"the local gradient of {bench.name} is declared as output / {bench.name}"
            yield Guess("local", other, (line,), 0.8)
            return
    yield from _homogeneous(bench)


def _homogeneous(bench: Bench) -> Iterator[Guess]:
    if not bench.complete or bench.value.size < 2:
        return
    # Euler: for a product of k factors of the argument the true gradient times the argument counts each factor once.
    d, n = float((bench.declared * bench.value).sum()), float((bench.numeric * bench.value).sum())
    size = float(np.abs(bench.numeric * bench.value).sum())
    if abs(n) < 1e-3 * size or not np.isfinite(d):
        return
    noise = float((bench.bar * np.abs(bench.value)).sum()) / abs(n)
    pair = fraction(d / n, 1e-7 + noise, largest=4)
    if pair is not None and 0 < pair[0] < pair[1]:
        where = "at every entry" if ratio(bench, bench.measured) else "in all, though not entry by entry"
        line = f"declared . {bench.name} = {pair[0]}/{pair[1]} of numeric . {bench.name} {where}"
        sentence = f"{bench.name} enters the layer {pair[1]} times, and {pair[0]} of them is differentiated"
        yield Guess("term", sentence, (line,), 0.75)
        yield Guess("accumulate", sentence.replace("differentiated", "counted"), (line,), 0.65)


def left_out(bench: Bench) -> Iterator[Guess]:
    """Declared is the gradient with another argument taken as ones or zeros; two evaluations for each."""
    for position, value in enumerate(bench.evidence.values):
        if position == bench.position or value.size == 0:
            continue
        which = bench.evidence.target.arguments[position].name
        for number_, what in (
            (1.0, f"the factor {which} left out"),
            (0.0, f"the part that depends on {which} missing"),
        ):
            other = np.full_like(value, number_)
            if not np.array_equal(other, value) and bench.right_at(bench.replaced(position, other)):
                line = f"declared is the gradient for {which} = {number(number_)}, along {DIRECTIONS} random directions"
                yield Guess("term", f"the gradient of {bench.name} is declared with {what}", (line,), 0.9)
                return


def factor_missing(bench: Bench) -> Iterator[Guess]:
    """declared x w = numeric for another argument w that broadcasts to this one."""
    if bench.count < 3 or not bench.everywhere:
        return
    for _, other in bench.others:
        try:
            w = np.broadcast_to(other.value, bench.value.shape)
        except ValueError:
            continue
        with np.errstate(all="ignore"):
            without = np.where(w != 0, bench.numeric / w, np.nan)
        for words, prediction in (("left out", without), ("multiplied in twice", bench.numeric * w)):
            if np.ptp(w) > 0 and bench.explains(prediction, bench.telling & np.isfinite(prediction)):
                line = f"declared / numeric = {'1 / ' if words == 'left out' else ''}{other.name} on every entry"
                sentence = f"the factor {other.name} is {words} in the declared gradient of {bench.name}"
                yield Guess("term", sentence, (line,), 0.9)
                return
