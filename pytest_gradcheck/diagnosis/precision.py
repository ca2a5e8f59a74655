"""Precision: digits lost to a narrower type on the way through backward."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .bench import Bench
from .guess import Floats, Guess, counted

#: Name -> (half a unit in the last place, kept bits of the mantissa).
NARROW = {"float32": (2.0**-24, 24), "float16": (2.0**-11, 11), "bfloat16": (2.0**-8, 8)}


def rounded(values: Floats, bits: int) -> Floats:
    """Values with so many bits of mantissa kept, rounded to nearest even; the range of exponents is not cut."""
    mantissa, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.round(np.ldexp(mantissa, bits)), exponent - bits), dtype=np.float64)


def dtype(bench: Bench) -> Iterator[Guess]:
    """Errors of the size of a narrower type's rounding, and declared moves in steps; one to four evaluations."""
    n = bench.numeric[bench.wrong]
    if not n.all() or int(bench.measured.sum()) < 2:
        return
    largest = float(np.abs(bench.residual[bench.wrong] / n).max())
    for name, (half, bits) in NARROW.items():
        if not half / 16 <= largest <= 32 * half:
            continue
        why = _on_grid(bench, bits) or _steps(bench, half)
        if not why:
            continue
        line = (
            f"|declared / numeric - 1| is at most {largest:.1e} on "
            f"{counted(bench.count, int(bench.measured.sum()), bench.name)}, "
            f"half a unit in the last place of {name} is {half:.1e}"
        )
        sentence = f"the declared gradient of {bench.name} has lost its digits to {name} rounding on the way"
        yield Guess("dtype", sentence, (line, why), 0.97)
        return


def _on_grid(bench: Bench, bits: int) -> str:
    """Whether all declared values are exact numbers of the narrow type, in words; empty where they are not."""
    declared = bench.declared[bench.telling]
    if declared.size >= 3 and np.array_equal(rounded(declared, bits), declared):
        return "every declared value is an exact number of that type"
    return ""


def _steps(bench: Bench, half: float) -> str:
    """Whether declared stands still under changes far below the narrow type's spacing, of upstream or of the input."""
    rng = np.random.default_rng(0)
    u, x = bench.evidence.upstream, bench.evidence.values

    def nudged(arrays: tuple[Floats, ...], size: float) -> list[Floats]:
        return [a * (1 + size * rng.uniform(0.5, 1, a.shape)) for a in arrays]

    here, size = bench.declares(u), half / 50
    for words, far, near in (
        ("upstream", (nudged(u, 5000 * size), x), (nudged(u, size), x)),
        ("the input", (u, nudged(x, 5000 * size)), (u, nudged(x, size))),
    ):
        if not _still(bench, here, bench.declares(*far)) and _still(bench, here, bench.declares(*near)):
            return f"declared does not answer to a change of {words} by {size:.0e}"
    return ""


def _still(bench: Bench, one: Floats | None, other: Floats | None) -> bool:
    return one is not None and other is not None and float((one == other)[bench.wrong].mean()) > 0.5
