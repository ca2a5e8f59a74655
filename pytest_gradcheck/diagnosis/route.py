"""Route: max, min, clip, where and sort send the gradient to some entries; here it went to others."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from .arrangement import selects
from .bench import Bench
from .guess import Guess, Mask, counted, number
from .locus import locus, repeated


def ties(bench: Bench) -> Iterator[Guess]:
    """Wrong exactly at tied values, or among them."""
    x, wrong = bench.value, bench.wrong
    among = tied(bench)
    if not among[wrong].all() or (among[bench.telling].all() and not bench.everywhere):
        return
    if not _kinked(bench):
        return
    line = f"wrong at {counted(bench.count, x.size, bench.name)}, all of them at tied values"
    one_sided = "a tie may be given to one or shared, in parts that sum to one"
    yield Guess("route", f"the gradient of {bench.name} is split wrongly between tied entries", (line, one_sided), 0.97)


def tied(bench: Bench) -> Mask:
    """Entries whose value stands twice along an axis, or at the same place in another argument."""
    found = np.zeros(bench.value.shape, dtype=bool)
    for axis in range(bench.value.ndim):
        found |= repeated(bench.value, axis)
    for _, other in bench.others:
        if other.value.shape == bench.value.shape:
            found |= bench.value == other.value
    return found


def _kinked(bench: Bench) -> bool:
    """Whether the output answers differently to more and to less of a wrong entry; two evaluations."""
    unit = np.zeros_like(bench.value)
    unit[tuple(np.argwhere(bench.wrong)[0])] = 1e-6 * float(np.abs(bench.value).max() or 1.0)
    up, down = (bench.evidence.forward(bench.replaced(bench.position, bench.value + s * unit)) for s in (1, -1))
    bends = [np.abs(p + m - 2 * y).max(initial=0) for p, m, y in zip(up, down, bench.evidence.outputs, strict=True)]
    moves = [np.abs(p - m).max(initial=0) for p, m in zip(up, down, strict=True)]
    return bool(max(bends) > 0.1 * max(moves))


def sum_kept(bench: Bench) -> Iterator[Guess]:
    """The sum is right, over all entries, along an axis or between two arguments, and the split is not."""
    if not bench.complete or bench.count < 2:
        return
    for _, other in bench.others:
        pair = (
            other.declared + bench.declared - other.numeric - bench.numeric
            if other.declared.shape == bench.value.shape
            else None
        )
        if pair is None or not other.wrong.any() or not np.isfinite(pair).all():
            continue
        both = np.abs(other.numeric + bench.numeric)
        # Of a function of a difference every sum is zero, right or wrong.
        if not (both > 1e-3 * (np.abs(other.numeric) + np.abs(bench.numeric)))[bench.wrong].any():
            continue
        if (np.abs(pair) <= 1e-4 * np.abs(bench.residual) + 1e-6 * bench.discrepancy).all():
            line = f"declared of {bench.name} + declared of {other.name} is right at every entry, each alone is not"
            yield Guess("route", f"the gradient is split wrongly between {bench.name} and {other.name}", (line,), 0.9)
            return
    yield from _within(bench)


def _within(bench: Bench) -> Iterator[Guess]:
    ndim = bench.value.ndim
    choices = [axes for k in range(1, ndim + 1) for axes in combinations(range(ndim), k)]
    for axes in choices:
        d, n = bench.declared.sum(axes), bench.numeric.sum(axes)
        noise = 4 * np.sqrt(np.square(bench.bar).sum(axes)) + 1e-6 * np.abs(bench.residual).sum(axes)
        size = np.abs(bench.numeric).sum(axes)
        # Where the true sum is zero (softmax, normalisation) keeping it proves nothing.
        shown = noise < 1e-2 * np.abs(bench.residual).max(axes)
        if (np.abs(d - n) <= noise).all() and (shown & (np.abs(n) > 1e-3 * size)).any():
            where = "over all entries" if len(axes) == ndim else f"over axis {', '.join(map(str, axes))}"
            line = f"the sum {where} is right ({number(float(np.sum(d)))} in all), {bench.count} entries are not"
            yield Guess("route", f"the gradient of {bench.name} arrives at the wrong entries", (line,), 0.83)
            return


def lost_or_found(bench: Bench) -> Iterator[Guess]:
    """Wrong where an entry never reaches the output, or where a copied entry gets nothing; three evaluations."""
    wrong, x = bench.wrong, bench.value
    if len(bench.evidence.outputs) > 1:
        return
    never = not np.nan_to_num(bench.numeric)[wrong].any()
    if never and not bench.everywhere:
        yield from _unreached(bench)
    if not bench.declared[wrong].any() and bench.alike:
        copied = bench.output == x
        if not np.allclose(bench.numeric[wrong], bench.upstream[wrong], rtol=1e-6, atol=0):
            return
        if copied[wrong].all() and (~copied).any() and not copied[~wrong].any():
            line = f"the layer passes {int(copied.sum())} of {x.size} entries unchanged, declared is 0 at exactly those"
            yield Guess(
                "route",
                f"the gradient of {bench.name} is blocked where the layer lets the value through",
                (line,),
                0.89,
            )


def _unreached(bench: Bench) -> Iterator[Guess]:
    far = 10 * float(np.abs(bench.value).max() or 1.0)
    moved = False
    for shift in (far, -far, 0.3 * far):
        (y,) = bench.evidence.forward(
            bench.replaced(bench.position, np.where(bench.wrong, bench.value + shift, bench.value))
        )
        moved = moved or not np.array_equal(y, bench.output)
    if not moved:
        line = (
            f"the output does not move with {counted(bench.count, bench.value.size, bench.name)}, whatever their values"
        )
        sentence = f"entries of {bench.name} that never reach the output are given a gradient"
        yield Guess("route", sentence, (line,), 0.7 if bench.elementwise else 0.9)


def compared(bench: Bench) -> Iterator[Guess]:
    """Wrong exactly where this argument is larger, or smaller, than another; none or two evaluations."""
    others = {a.name: a.value for _, a in bench.others if a.value.shape == bench.value.shape}
    x, wrong, telling = bench.value, bench.wrong, bench.telling
    if int(telling.sum()) < 4:
        return
    rule = locus(x, wrong, telling, others, ("tie", "maximum", "other") if selects(bench) else ("other",))
    if rule is None or (locus(x, wrong, telling, {}, ("value",)) and not _opens(bench)):
        return
    line = f"{counted(bench.count, bench.value.size, bench.name)} are wrong, exactly those {rule.words}"
    weight = 0.875 if rule.family == "other" else 0.8
    yield Guess("route", f"the gradient of {bench.name} is sent to the wrong side of a comparison", (line,), weight)


def _opens(bench: Bench) -> bool:
    """Whether entries without effect get one when the other arguments change sides; two evaluations for each."""
    if np.abs(bench.numeric[bench.wrong]).max() > bench.bar[bench.wrong].max():
        return False
    unit = np.where(bench.wrong, 1.0, 0.0)
    for position, other in bench.others:
        if other.value.shape == bench.value.shape:
            moved = bench.derivative(bench.replaced(position, 2 * bench.value - other.value), unit)
            if any(dy.any() for dy in moved):
                return True
    return False


def selection(bench: Bench) -> Iterator[Guess]:
    """The layer picks values of the argument by comparing them, and the gradient goes to others; one evaluation."""
    if not bench.declared.any() or not selects(bench):
        return
    line = "each output is a value of the input, and which one depends on the values"
    sentence = f"the gradient of {bench.name} does not go to the values that were picked"
    d, n = bench.declared, np.where(np.abs(bench.numeric) > bench.bar, bench.numeric, 0.0)
    elsewhere = bench.measured & (d != 0) & (n == 0)
    moved = np.allclose(np.sort(np.abs(d[bench.measured])), np.sort(np.abs(n[bench.measured])), rtol=1e-6)
    if elsewhere.any() or moved:
        many = int(elsewhere.sum())
        more = f"declared is not 0 at {many} {'entry that was' if many == 1 else 'entries that were'} not picked"
        yield Guess("route", sentence, (line, more) if elsewhere.any() else (line,), 0.955)
    else:
        yield Guess("route", sentence, (line,), 0.7)


def complement(bench: Bench) -> Iterator[Guess]:
    """Declared is zero exactly where numeric is not: a mask turned round."""
    d, n = bench.declared != 0, np.abs(np.nan_to_num(bench.numeric)) > bench.bar
    if bench.count >= 3 and bench.complete and np.array_equal(d, ~n) and d.any() and n.any():
        line = f"declared is 0 at exactly the {int(n.sum())} of {n.size} entries of {bench.name} where numeric is not"
        yield Guess("route", f"the gradient of {bench.name} goes to exactly the entries that get none", (line,), 0.9)
