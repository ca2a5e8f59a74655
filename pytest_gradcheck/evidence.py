"""Evidence: what the numeric core hands to the diagnosis when something is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .target import Array, Target


@dataclass(frozen=True, slots=True)
class ArgumentEvidence:
    """One argument's declared and measured gradient.

    declared: float64, of the argument's shape (where backward returned another shape the contract has spoken
        already and there is no evidence for this argument).
    numeric: float64, same shape; NaN where the entry was not measured alone.
    bar: error bar of `numeric`; infinity where not measured.
    wrong: entries that are measured and beyond their bar.
    about: where only a sample of the wrong entries was measured, how many there are ("about 40 of 900 entries of x");
        empty where every entry that is wrong was.
    """

    name: str
    value: Array
    declared: Array
    numeric: Array
    bar: Array
    wrong: npt.NDArray[np.bool_]
    about: str = ""


@dataclass(slots=True)
class Evidence:
    """All that is known at a failure, and ways to ask for a little more.

    values, upstream, outputs: the point of the check, float64, one array per argument or output.
    arguments: one record per argument; None where there is no comparable gradient.
    earlier: values of an earlier call of the same layer with other inputs, if there was one.
    left, deadline: how many forward evaluations it may take more, and until which moment of `time.perf_counter`.
    """

    target: Target
    values: tuple[Array, ...]
    upstream: tuple[Array, ...]
    outputs: tuple[Array, ...]
    arguments: tuple[ArgumentEvidence | None, ...]
    earlier: tuple[Array, ...] | None = None
    left: int = 200
    deadline: float | None = None
    forward_evaluations: int = 0
    backward_calls: int = 0
    cache: dict[str, Any] = field(default_factory=dict)

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """Outputs at other values; copies are given to the layer. Raises `OutOfBudget` where nothing is left."""
        if self.left <= 0 or (self.deadline is not None and time.perf_counter() > self.deadline):
            raise OutOfBudget
        self.left -= 1
        self.forward_evaluations += 1
        with np.errstate(all="ignore"):
            return tuple(np.array(y, dtype=np.float64) for y in self.target.forward([np.array(v) for v in values]))

    def gradients(self, values: Sequence[Array], upstream: Sequence[Array]) -> tuple[Any, ...]:
        """What backward declares at other values or for another upstream, as the layer returned it."""
        self.forward(values)
        self.backward_calls += 1
        with np.errstate(all="ignore"):
            return tuple(self.target.backward([np.array(u) for u in upstream]))


class OutOfBudget(Exception):  # noqa: N818 - the end of a budget is no error
    """The diagnosis has spent its evaluations."""


Hypothesis = Callable[[Evidence, ArgumentEvidence], Any]
