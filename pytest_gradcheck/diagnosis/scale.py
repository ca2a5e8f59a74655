"""Scale: declared is a multiple of numeric. Factor, sign, a small relative error, rounding, zero."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .bench import Bench
from .guess import Guess, Mask, counted, fraction, number, recognise, rms

#: A relative error up to here is "right but for a small error", not another formula.
SMALL = 0.03
#: Down here no other explanation is as likely.
TINY = 1e-3
#: A single entry of many may be off by more and still be no other formula.
SMALL_ALONE = 0.15


def zero(bench: Bench) -> Iterator[Guess]:
    """Declared is zero at all wrong entries, numeric is not."""
    if bench.declared[bench.wrong].any():
        return
    all_zero = not bench.declared[bench.telling].any()
    evidence = (
        f"declared is 0 on {counted(bench.count, int(bench.measured.sum()), bench.name)}, "
        f"numeric up to {number(float(np.abs(bench.numeric[bench.wrong]).max()))}",
    )
    what = "is zero" if all_zero else "is zero at the wrong entries"
    sentence = f"the declared gradient of {bench.name} {what}, as if the layer did not depend on it"
    yield Guess("zero", sentence, evidence, 0.87 if all_zero else 0.5)


def unused(bench: Bench) -> Iterator[Guess]:
    """Declared is zero though an entry moves several outputs: what one use added another may have overwritten."""
    if bench.declared[bench.telling].any():
        return
    unit = np.zeros_like(bench.value)
    unit[tuple(np.argwhere(bench.wrong)[0])] = 1.0
    reached = sum(int((dy != 0).sum()) for dy in bench.derivative(bench.evidence.values, unit))
    if reached > 1:
        line = f"declared is 0, and one entry of {bench.name} moves {reached} outputs: one use may overwrite the rest"
        yield Guess("accumulate", f"the uses of {bench.name} are overwritten, not added", (line,), 0.45)


def ratio(bench: Bench, where: Mask) -> tuple[float, float] | None:
    """The constant c in declared = c numeric on some entries, with its uncertainty; None where none fits."""
    d, n, bar = bench.declared[where], bench.numeric[where], bench.bar[where]
    if not (n * n).sum() > 0:
        return None
    weight = 1 / np.maximum(bar, 1e-14 * np.abs(n).max()) ** 2
    c = float((weight * d * n).sum() / (weight * n * n).sum())
    if c == 0 or not np.isfinite(c) or not bench.explains(c * bench.numeric, where, bench.bar * max(1.0, abs(c))):
        return None
    with np.errstate(all="ignore"):
        single = np.abs(d / n - c)
    sharp = np.abs(n) > 1e-3 * np.abs(n).max()
    return c, float(max(single[sharp].max(), (4 * bar / np.abs(n))[sharp].min(), 1e-12))


def factor(bench: Bench) -> Iterator[Guess]:
    """declared = c numeric, everywhere or on a block; c = -1 is a sign."""
    fitted = ratio(bench, bench.wrong)
    if fitted is None:
        return
    c, spread = fitted
    n, total = bench.count, int(bench.telling.sum())
    if n < total and bench.explains(c * bench.numeric, bench.telling, bench.bar * max(1.0, abs(c))):
        total = n
    line = f"declared / numeric = {c:.4f} +- {spread:.0e} on {counted(n, int(bench.measured.sum()), bench.name)}"
    tolerance = max(4 * spread, 1e-6)
    known = recognise(abs(c), bench.known_constants, min(tolerance, 1e-2))
    if abs(c + 1) <= tolerance:
        flipped = "has the wrong sign" if n == total else "has the wrong sign at the wrong entries"
        sentence = f"the declared gradient of {bench.name} {flipped}"
        yield Guess("sign", sentence, (line,), max(0.75, _weight(0.95, n, total)))
        return
    if n == 1 and known is None:
        return
    pair = fraction(c, min(tolerance, 1e-5))
    # So near to one that five digits do not show it, the factor needs more of them.
    plain = number(abs(c)) if abs(abs(c) - 1) > 1e-3 else f"{abs(c):.9g}"
    words = known.words if known else f"{pair[0]}/{pair[1]}" if pair else plain
    sign = "minus " if c < 0 else ""
    part = "" if n == total else " at the wrong entries"
    sentence = f"the declared gradient of {bench.name} is {sign}{words} times the true one{part}"
    lines = (line, f"{known.words}: {known.meaning}") if known and known.meaning else (line,)
    prior = 0.93 * known.prior + 0.02 if known else 0.8 if pair else 0.75
    yield Guess("factor", sentence, lines, _weight(prior, n, total))
    if known is None and pair is not None and pair[1] > 2:
        more = "again" if c > 1 else "no longer"
        line2 = f"{pair[0]}/{pair[1]}: one of {pair[1]} equal contributions may be counted {more}"
        yield Guess("accumulate", f"a repeated use of {bench.name} is not counted once", (line, line2), 0.6)


def _weight(prior: float, wrong: int, total: int) -> float:
    # One number always has a ratio: then only a recognised constant says anything, and not much.
    if wrong == 1:
        return prior - (0.2 if total == 1 else 0.42)
    return prior if wrong == total else prior - 0.07 if wrong >= 3 else prior - 0.15


def small(bench: Bench) -> Iterator[Guess]:
    """Right but for a small relative error."""
    n = bench.numeric[bench.wrong]
    largest = float((np.abs(bench.residual[bench.wrong]) / np.maximum(np.abs(n), rms(n))).max()) if n.any() else np.inf
    alone = bench.count == 1 and int(bench.telling.sum()) > 3
    if largest > (SMALL_ALONE if alone else 2 * SMALL):
        return
    fitted = ratio(bench, bench.wrong)
    spread = f"{fitted[0]:.10g} times the true one" if fitted else "varying from entry to entry"
    line = (
        f"|declared - numeric| is at most {largest:.1e} of the gradient on "
        f"{counted(bench.count, int(bench.measured.sum()), bench.name)}, {spread}"
    )
    sentence = f"the declared gradient of {bench.name} is right but for a relative error of {largest:.0e}"
    yield Guess(
        "small",
        sentence,
        (line, "a rounded constant or an approximated derivative looks like this"),
        0.5 if _larger_elsewhere(bench) else 0.94 if largest <= TINY else 0.84 if largest <= SMALL else 0.6,
    )


def _larger_elsewhere(bench: Bench) -> bool:
    """Whether another argument is wrong by much more: then this one is near the truth by chance."""
    for _, other in bench.others:
        d, n = other.declared[other.wrong], other.numeric[other.wrong]
        if d.size and rms(d - n) > 2 * SMALL * rms(n):
            return True
    return False
