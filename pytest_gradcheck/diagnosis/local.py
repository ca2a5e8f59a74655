"""Local: the derivative taken at another point, or another formula in its place."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .bench import Bench
from .guess import Floats, Guess, number, rms


def forward_again(bench: Bench) -> Iterator[Guess]:
    """Backward returns the forward: of upstream, or of the input times upstream; one evaluation."""
    if not bench.alike:
        return
    u, y = bench.upstream, bench.output
    name = bench.name
    if bench.explains(u * y):
        line = "declared = upstream x output"
        yield Guess(
            "local", f"the declared local gradient of {name} is the layer's output, not its derivative", (line,), 0.93
        )
    elif bench.explains(y):
        yield Guess("local", f"backward of {name} returns the layer's output", ("declared = output",), 0.9)
    elif bench.explains(u):
        line = "declared = upstream on " + ("every" if bench.everywhere else "each wrong") + " entry"
        weight = (0.88 if bench.elementwise else 0.8) if bench.everywhere else 0.6
        yield Guess("local", f"upstream is passed on to {name} as if the layer were the identity", (line,), weight)
    elif len(bench.evidence.values) == 1:
        (again,) = bench.evidence.forward([u])
        if bench.explains(again) and not bench.explains(
            bench.derivative([u], u)[0], bar=bench.bar + 1e-6 * np.abs(again)
        ):
            line = "declared is what forward gives for the upstream gradient"
            yield Guess("local", f"backward of {name} runs the forward on the upstream gradient", (line,), 0.98)


def formula(bench: Bench) -> Iterator[Guess]:
    """declared / numeric is the output, the input, or one over it, at every entry."""
    if bench.count < 2 or not bench.declared[bench.wrong].any():
        return
    y = bench.output if bench.output.size == 1 or bench.alike else None
    for words, factor, common in (("the output", y, 0.9), ("the input", bench.value, 0.88)):
        if factor is None:
            continue
        with np.errstate(all="ignore"):
            over = np.where(factor != 0, bench.numeric / factor, np.nan)
            times = bench.numeric * factor
        for how, other in ((f"divided by {words}", over), (f"multiplied by {words}", times)):
            if bench.explains(np.broadcast_to(other, bench.value.shape), bench.telling):
                log = how == "divided by the output"
                tail = ", which is the gradient of the logarithm of the layer" if log else ""
                sentence = f"the declared gradient of {bench.name} is the true one {how}{tail}"
                yield Guess("local", sentence, (f"declared = numeric {how} on every entry",), common)
                return


def another_point(bench: Bench) -> Iterator[Guess]:
    """Declared is the gradient at another value of this argument; two evaluations for each point."""
    slopes = bench.declared / bench.upstream if bench.alike else bench.declared
    if np.ptp(slopes[bench.telling]) <= 1e-6 * np.abs(slopes).max():
        return  # a constant is the slope at many points
    trust = 1.0 if bench.everywhere else 0.8
    for kind, words, value, confidence in points(bench):
        if not bench.right_at(bench.replaced(bench.position, value)):
            continue
        confidence *= trust
        line = f"declared is the gradient at {words}, along {len(bench.directions)} random directions"
        yield Guess(kind, f"the derivative of {bench.name} is taken at {words}", (line,), confidence)
        if words.startswith("half"):
            line2 = "a cached input that was changed in place after use looks the same"
            yield Guess(
                "stale",
                f"the cached value of {bench.name} is half of what forward saw",
                (line, line2),
                confidence - 0.1,
            )
        elif kind == "sign":
            yield Guess("local", f"the derivative of {bench.name} is taken at another point", (line,), confidence - 0.1)
        return


def points(bench: Bench) -> Iterator[tuple[str, str, Floats, float]]:
    """Where derivatives are taken by mistake: the word, how to say it, the value."""
    x = bench.value
    if bench.evidence.earlier is not None and np.shape(bench.evidence.earlier[bench.position]) == x.shape:
        yield (
            "stale",
            "an earlier call's input",
            np.asarray(bench.evidence.earlier[bench.position], dtype=np.float64),
            0.95,
        )
    if bench.alike and rms(bench.output - x) > 0:
        yield "local", "the layer's output in place of its input", bench.output, 0.93
    yield "sign", "minus the input", -x, 0.92
    yield "local", "half the input", x / 2, 0.9
    yield "local", "twice the input", 2 * x, 0.9
    yield "local", "the square of the input", x * x, 0.9
    yield "local", "the size of the input without its sign", np.abs(x), 0.9
    yield "local", "the input plus 1", x + 1, 0.9
    yield "local", "the input minus 1", x - 1, 0.9
    if bench.alike:
        yield "local", "the upstream gradient", bench.upstream, 0.9


def constant_slope(bench: Bench) -> Iterator[Guess]:
    """Declared over upstream is one constant where the true slope varies; two evaluations far out."""
    if not bench.elementwise:
        return
    slopes = (bench.declared / bench.upstream)[bench.telling]
    if slopes.size < 3 or np.ptp(slopes) > 1e-9 * np.abs(slopes).max() or not slopes.any():
        return
    true = (bench.numeric / bench.upstream)[bench.telling]
    if np.ptp(true) <= 1e-3 * np.abs(true).max():
        return
    c = float(slopes[0])
    line = f"declared = {number(c)} x upstream at every entry, whatever the input"
    far = 50 * (rms(bench.value) or 1.0) * np.ones_like(bench.value)
    (dy,) = bench.derivative(bench.replaced(bench.position, far), np.ones_like(bench.value))
    if np.allclose(dy, c, rtol=1e-6):
        line2 = f"far out the true slope is {number(c)} as well: what is missing is a part that levels off"
        yield Guess("accumulate", f"only one branch of {bench.name} is counted, the linear one", (line, line2), 0.8)
        yield Guess("term", f"a part of the derivative of {bench.name} is missing", (line, line2), 0.7)
        return
    weight = 0.8 if bench.everywhere else 0.6
    yield Guess("local", f"the declared local gradient of {bench.name} is a constant", (line,), weight)


def behind(bench: Bench) -> Iterator[Guess]:
    """declared / numeric does not change along an axis: the step behind the other axes has a wrong local gradient."""
    if not bench.complete or bench.value.ndim < 2 or bench.count < 4 or not bench.declared[bench.wrong].all():
        return
    ratio = np.where(bench.wrong, bench.declared / np.where(bench.wrong, bench.numeric, 1.0), 0.0)
    for axis in range(bench.value.ndim):
        here = bench.wrong.sum(axis, keepdims=True)
        same = np.where(bench.wrong, ratio.sum(axis, keepdims=True) / np.maximum(here, 1), 1.0)
        lines = int(bench.wrong.any(axis).sum())
        if np.ptp(same[bench.wrong]) <= 1e-5 * np.abs(same[bench.wrong]).max():
            continue
        if (
            bench.count - lines >= 3
            and lines > 1
            and bench.explains(bench.numeric * same, bar=bench.bar * (1 + np.abs(same)))
        ):
            line = f"declared / numeric is one number for each of {lines} lines along axis {axis} of {bench.name}"
            sentence = f"the local gradient of the step that {bench.name} leads to is wrong"
            yield Guess("local", sentence, (line,), 0.82)
            yield Guess(
                "term", f"a factor that is constant along axis {axis} of {bench.name} is left out", (line,), 0.6
            )
            return
