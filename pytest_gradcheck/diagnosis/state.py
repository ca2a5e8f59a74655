"""State: what backward remembers. Random masks, buffers clobbered in place, calls that add up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pytest_gradcheck.evidence import OutOfBudget

from .bench import Bench
from .guess import Guess, counted
from .locus import locus


def repeated(bench: Bench) -> Iterator[Guess]:
    """Another backward after the same forward says something else; one evaluation."""
    evidence = bench.evidence
    first = bench.declares(evidence.upstream)
    evidence.backward_calls += 1
    try:
        second = np.asarray(
            evidence.target.backward([np.array(u) for u in evidence.upstream])[bench.position], dtype=np.float64
        )
    except OutOfBudget:
        raise
    except Exception:  # a backward that can run only once says nothing here
        return
    if first is None or second.shape != first.shape or np.array_equal(first, second):
        return
    if np.allclose(second, 2 * first, rtol=1e-9):
        line = "a second backward after one forward declares twice as much"
        yield Guess("stale", f"the gradient of {bench.name} adds up from backward to backward", (line,), 0.95)
    else:
        line = "two backwards after one forward, for the same upstream, declare different gradients"
        yield Guess("random", f"backward of {bench.name} draws anew what forward had drawn", (line,), 0.96)
        yield Guess("stale", f"backward of {bench.name} depends on the calls before it", (line,), 0.7)


def other_mask(bench: Bench) -> Iterator[Guess]:
    """Zeros of declared and of numeric at different entries, though which are zero does not depend on the values."""
    d, n = bench.declared == 0, np.abs(np.nan_to_num(bench.numeric)) <= bench.bar
    only_d, only_n = bench.measured & d & ~n, bench.measured & n & ~d
    if bench.count < 2 or not (only_d.any() or only_n.any()) or not np.array_equal(only_d | only_n, bench.wrong):
        return
    if not (only_d.any() and only_n.any()) and not (n & d & bench.measured).any() and not bench.elementwise:
        return
    by_value = bench.elementwise and locus(bench.value, bench.wrong, bench.telling, {}, ("value",))
    if by_value or not _fixed_mask(bench):
        return
    line = f"{int(only_d.sum())} entries are zero in declared alone, {int(only_n.sum())} in numeric alone"
    more = "which entries the layer drops does not depend on their values: a drawn mask, and backward has another"
    yield Guess("random", f"backward of {bench.name} drops other entries than forward", (line, more), 0.875)


def _fixed_mask(bench: Bench) -> bool:
    """Whether the same J v comes out at another point: the layer is linear here, its zeros are drawn or fixed."""
    there = bench.derivative(bench.replaced(bench.position, -1.7 * bench.value + 0.3), bench.directions[0])
    return all(np.allclose(a, b, rtol=1e-6, atol=1e-8) for a, b in zip(there, bench.moved[0], strict=True))


def clobbered(bench: Bench) -> Iterator[Guess]:
    """Wrong exactly where the output was set to a constant in place, though the entry still matters there."""
    if not bench.alike or bench.everywhere or bench.elementwise:
        return
    if (np.abs(bench.numeric) <= bench.bar)[bench.wrong].any():
        return
    cut = bench.output == 0
    if (
        not cut.any()
        or not np.array_equal(cut & bench.telling, bench.wrong & bench.telling)
        or not bench.declared[bench.wrong].any()
    ):
        return
    line = f"wrong at exactly the {counted(bench.count, bench.value.size, bench.name)} where the output is 0"
    more = "there the gradient comes from other outputs, by way of a cached value that the zeros may have overwritten"
    yield Guess(
        "stale", f"backward of {bench.name} reads an array that forward changed after caching it", (line, more), 0.875
    )


def only_the_end_is_right(bench: Bench) -> Iterator[Guess]:
    """Right at the last step of a sequence and wrong at every earlier one."""
    if bench.value.ndim < 2 or not bench.complete:
        return
    for axis in range(bench.value.ndim):
        last = np.indices(bench.value.shape)[axis] == bench.value.shape[axis] - 1
        informative = bench.telling & ~last
        if (
            bench.value.shape[axis] > 2
            and bench.wrong[informative].all()
            and not bench.wrong[last].any()
            and bench.telling[last].any()
        ):
            line = f"right at the last index of axis {axis}, wrong at all earlier ones"
            more = "a state kept from the last step and used in every step looks like this"
            yield Guess(
                "stale", f"backward of {bench.name} uses the last step's state at every step", (line, more), 0.82
            )
            yield Guess("term", f"the gradient of {bench.name} is not carried back along axis {axis}", (line,), 0.75)
            return
