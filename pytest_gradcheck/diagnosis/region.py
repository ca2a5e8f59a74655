"""Region: wrong exactly where a simple rule holds, right elsewhere; and the locus when nothing fits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .bench import Bench
from .guess import Guess, indices, number
from .locus import described, locus, surprise
from .route import tied


def region(bench: Bench) -> Iterator[Guess]:
    """The wrong entries are those of a rule on their value or index."""
    if bench.everywhere:
        return
    rule = locus(bench.value, bench.wrong, bench.telling, {}, ("value", "index", "threshold", "slice"))
    if rule is None or (bench.count == 1 and tied(bench)[bench.wrong].all()):
        return
    bits = surprise(rule, bench.wrong, bench.telling)
    zero = not bench.declared[bench.wrong].any()
    line = described(rule, bench.wrong, bench.value.size, bench.name, bench.argument.about)
    lines = (line, "there declared is 0") if zero else (line, *_clipped(bench))
    confidence = (0.82 if bits > 2 else 0.78 if bits > 0 else 0.72 if bench.count > 1 else 0.62) * rule.plain**0.2
    # A rule on indices of one argument says little where others are wrong as well.
    if bench.alone or rule.family == "value":
        confidence += 0.04
    else:
        confidence -= 0.15
    yield Guess(
        "region", f"the declared gradient of {bench.name} is wrong only {rule.words}", lines, confidence + 0.05 * zero
    )


def _clipped(bench: Bench) -> tuple[str, ...]:
    """A line where the declared slopes of the wrong entries stop at one round number."""
    if not bench.alike:
        return ()
    with np.errstate(all="ignore"):
        slopes = np.abs(bench.declared / bench.upstream)
    stop = slopes[bench.wrong]
    if np.ptp(stop) > 1e-12 * stop.max() or stop.max() < slopes[bench.telling].max():
        return ()
    return (f"declared over upstream stops at {number(float(stop.max()))} there, as if clipped",)


def nothing_fits(bench: Bench) -> Iterator[Guess]:
    """The last resort: a wrong formula, or a term of unknown form, and which entries show it."""
    a = bench.argument
    others = {o.name: o.value for _, o in bench.others if o.value.shape == bench.value.shape}
    rule = locus(bench.value, bench.wrong, bench.telling, others)
    where = described(rule, bench.wrong, bench.value.size, bench.name, a.about)
    worst = tuple(int(i) for i in np.unravel_index(int(np.nanargmax(np.abs(bench.residual))), bench.value.shape))
    d, n = float(bench.declared[worst]), float(bench.numeric[worst])
    line = f"worst at {indices([worst])}: declared {number(d)}, numeric {number(n)}"
    sentence = f"the local gradient of {bench.name} is wrong, and no known cause fits: {where}"
    yield Guess("local", sentence, (line,), 0.3)
    if bench.count > 1:
        more = f"numeric - declared is {number(n - d)} there and has no form that is known"
        yield Guess("term", f"a term may be missing from the gradient of {bench.name}", (more,), 0.2)
