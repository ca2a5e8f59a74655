"""Arrangement: the right numbers in the wrong places, or the right rule with something turned the wrong way."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .bench import Bench
from .guess import Floats, Guess, rms
from .upstream import turned


def rearranged(bench: Bench) -> Iterator[Guess]:
    """Declared is numeric with its axes permuted, reversed, rolled, or read in another order."""
    if not bench.complete or bench.count < 2:
        return
    bar = np.full_like(bench.bar, float(bench.bar.max()))
    for words, other in turned(bench.numeric):
        if bench.explains(other, bar=bar):
            yield _named(bench, words)
            return
    yield from _exchanged_slices(bench, bar)
    yield from _shifted(bench, bar)


def _named(bench: Bench, words: str) -> Guess:
    line = f"declared equals numeric {words}, on all {bench.value.size} entries of {bench.name}"
    return Guess("transpose", f"the declared gradient of {bench.name} is the true one {words}", (line,), 0.94)


def _exchanged_slices(bench: Bench, bar: Floats) -> Iterator[Guess]:
    """Two slices or two halves along an axis exchanged: gates of a recurrent cell, parts of a concatenation."""
    for axis, length in enumerate(bench.value.shape):
        if length > 2 and length % 2 == 0 and bench.explains(np.roll(bench.numeric, length // 2, axis), bar=bar):
            line = f"declared equals numeric with the two halves of axis {axis} exchanged"
            sentence = f"the gradients of the two halves of {bench.name} along axis {axis} are exchanged"
            yield Guess("swap", sentence, (line,), 0.93)
            return
    for axis in range(bench.value.ndim):
        rows = np.unique(np.nonzero(bench.wrong)[axis])
        if len(rows) != 2:
            continue
        a, b = (int(r) for r in rows)
        order = np.arange(bench.value.shape[axis])
        order[[a, b]] = b, a
        if bench.explains(np.take(bench.numeric, order, axis), bar=bar):
            line = f"declared equals numeric with slices {a} and {b} of axis {axis} exchanged"
            sentence = f"the gradients of slices {a} and {b} of {bench.name} along axis {axis} are exchanged"
            yield Guess("swap", sentence, (line,), 0.93)
            yield Guess(
                "transpose", f"the gradient of {bench.name} is in another order along axis {axis}", (line,), 0.84
            )
            return


def _shifted(bench: Bench, bar: Floats) -> Iterator[Guess]:
    """Moved by one along an axis, zero coming in: an index off by one."""
    for axis, length in enumerate(bench.value.shape):
        for shift in (1, -1) if length > 2 else ():
            other = np.roll(bench.numeric, shift, axis)
            other[tuple(slice(None) if a != axis else (0 if shift == 1 else -1) for a in range(other.ndim))] = 0.0
            if bench.explains(other, bar=bar):
                line = f"declared equals numeric moved by {shift} along axis {axis}, with zero coming in"
                sentence = f"the declared gradient of {bench.name} is off by one along axis {axis}"
                yield Guess("local", sentence, (line, "an exclusive sum for an inclusive one looks like this"), 0.93)
                yield Guess("transpose", f"the declared gradient of {bench.name} is shifted by one", (line,), 0.8)
                return


def selects(bench: Bench) -> bool:
    """Whether the output consists of values of this argument, picked by comparing them; one evaluation."""
    if "selects" not in bench.evidence.cache:
        bench.evidence.cache["selects"] = {}
    known = bench.evidence.cache["selects"]
    if bench.name not in known:
        known[bench.name] = _selects(bench)
    return bool(known[bench.name])


def _selects(bench: Bench) -> bool:
    y, x = np.abs(bench.output), np.abs(bench.value)  # the largest by size counts as picked too
    if len(bench.evidence.outputs) > 1 or y.size == 0 or not np.isin(y, x).all() or bench.elementwise:
        return False
    if np.unique(y[y != 0]).size < min(y.size, 2):
        return False  # zeros are found everywhere
    places = np.argmax(x.ravel() == y.reshape(-1, 1), axis=1)
    shuffled = np.random.default_rng(0).permutation(bench.value.ravel())
    (other,) = bench.evidence.forward(bench.replaced(bench.position, shuffled.reshape(x.shape)))
    return other.shape != y.shape or not np.array_equal(np.abs(other.ravel()), np.abs(shuffled[places]))


def forward_rule(bench: Bench) -> Iterator[Guess]:
    """Declared is the layer's forward derivative along upstream: J u where J^T u belongs; two evaluations."""
    if not bench.alike or bench.count < 2:
        return
    (pushed,) = bench.derivative(bench.evidence.values, bench.upstream)
    slack = np.abs(bench.declared - pushed) <= 1e-3 * np.abs(bench.residual) + 1e-4 * bench.discrepancy
    if not np.where(bench.measured, slack, True).all():
        return
    line = f"declared is the forward derivative of the layer along upstream, on all entries of {bench.name}"
    sentence = f"the local gradient of {bench.name} is applied without being transposed"
    guess = Guess("transpose", sentence, (line, "it must be its transpose times upstream"), 0.92)
    if selects(bench):
        line2 = "each output is a value of the input, and which one depends on the values"
        sentence = f"the gradient of {bench.name} is sent along the permutation in place of back along it"
        yield Guess("route", sentence, (line, line2), 0.93)
    yield guess


def turned_argument(bench: Bench) -> Iterator[Guess]:
    """Declared is the gradient with an argument transposed or reversed; two evaluations for each way to turn it."""
    for position, value in enumerate(bench.evidence.values):
        if value.ndim == 0 or value.size > 4096:
            continue
        for words, other in turned(value):
            if "read" in words or "filled" in words or "rolled" in words or rms(other - value) == 0:
                continue
            # The argument itself reversed is rare; a kernel not flipped, a matrix not transposed are not.
            own = position == bench.position and value.ndim == 1
            if own or (value.ndim > 2 and words.startswith("reversed") and "," not in words):
                continue
            if bench.right_at(bench.replaced(position, other)):
                which = bench.evidence.target.arguments[position].name
                line = f"declared is the gradient at {which} {words}, along {len(bench.directions)} random directions"
                sure = 0.92 if bench.everywhere else 0.6
                yield Guess("transpose", f"backward of {bench.name} uses {which} {words}", (line,), sure)
                return
