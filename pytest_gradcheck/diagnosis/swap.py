"""Swap: gradients, or the arguments of backward, given in the wrong order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .bench import Bench
from .guess import Guess


def exchanged(bench: Bench) -> Iterator[Guess]:
    """Declared of this argument is numeric of another."""
    for _, other in bench.others:
        if other.numeric.shape != bench.value.shape:
            continue
        where = np.isfinite(other.numeric)
        bar = np.where(where, other.bar, 0.0)
        both = where & bench.measured
        both &= (bench.declared != 0) | (np.nan_to_num(other.numeric) != 0)
        if (both & bench.wrong).sum() >= 2 and bench.explains(np.where(where, other.numeric, np.nan), both, bar):
            n = int(both.sum())
            back = np.allclose(other.declared[both], bench.numeric[both], rtol=1e-5, atol=1e-8)
            line = f"declared of {bench.name} = numeric of {other.name} on {n} entries" + (
                ", and the other way round" if back else ""
            )
            if back:
                yield Guess("swap", f"the gradients of {bench.name} and {other.name} are exchanged", (line,), 0.96)
            else:
                yield Guess("swap", f"{bench.name} is given the gradient of {other.name}", (line,), 0.9)
            return


def backward_arguments(bench: Bench) -> Iterator[Guess]:
    """Declared is the gradient with the input and the upstream exchanged; two to six evaluations."""
    if not bench.alike:
        return
    if bench.right_at(bench.replaced(bench.position, bench.upstream), [bench.value]):
        line = "declared is the gradient at upstream with the input as upstream"
        sentence = f"backward takes {bench.name} for the upstream gradient and the upstream gradient for {bench.name}"
        yield Guess("swap", sentence, (line,), 0.98)
