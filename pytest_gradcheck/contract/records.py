"""The records of the contract: the first call as it went, and what the clauses say of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np

from pytest_gradcheck.calls import Calls
from pytest_gradcheck.target import Array, Target
from pytest_gradcheck.verdict import Clause, Finding

from .compare import equal


class FirstCall(NamedTuple):
    """The first forward and backward of a check, with copies of what the layer was given.

    calls: the layer, after that forward and backward.
    untouched: a deep copy taken before the first call; None where the layer cannot be copied.
    values: one array per argument, the caller's; never written.
    upstream: one array per output; never written.
    outputs: what forward returned.
    gradients: what backward returned, unconverted.
    given, given_upstream: the very arrays that the layer got; empty where the caller did not keep them.
    held: copies of `target.parameters()` from before the first call.
    changed_by_forward: positions in `given` that forward had already changed when backward was called.
    written: names of the arrays that the layer wrote into, once that was judged and the copies were let go.
    spoilt: stage, name, array afterwards and before, of inputs that are passed through and were written into.
    """

    calls: Calls
    untouched: Target | None
    values: tuple[Array, ...]
    upstream: tuple[Array, ...]
    outputs: tuple[Array, ...]
    gradients: list[Any]
    given: tuple[Array, ...] = ()
    given_upstream: tuple[Array, ...] = ()
    held: tuple[Array, ...] = ()
    changed_by_forward: tuple[int, ...] = ()
    written: frozenset[str] | None = None
    spoilt: tuple[tuple[str, str, Array, Array], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arguments, in order."""
        return tuple([argument.name for argument in self.calls.target.arguments])


def begin(
    calls: Calls,
    values: Sequence[Array],
    upstream_for: Callable[[tuple[Array, ...]], Sequence[Array]],
    untouched: Target | None = None,
) -> FirstCall:
    """Call forward and backward once, on copies, and keep all that is needed to judge it.

    upstream_for: from the outputs to one upstream array per output.

    Raises `LayerError` where the layer raises.
    """
    held = tuple(np.array(array) for array in calls.target.parameters())
    given = tuple(np.array(value) for value in values)
    outputs = calls.forward(given)
    changed = tuple([i for i, (now, was) in enumerate(zip(given, values, strict=True)) if not unchanged(now, was)])
    spoilt = [("forward", *told) for told in calls.target.spoilt()]
    upstream = tuple(upstream_for(outputs))
    given_upstream = tuple(np.array(array) for array in upstream)
    gradients = calls.backward(given_upstream)
    spoilt += [("backward", *told) for told in calls.target.spoilt()]
    return FirstCall(
        calls, untouched, tuple(values), upstream, outputs, gradients, given, given_upstream, held, changed,
        spoilt=tuple(spoilt),
    )  # fmt: skip


def unchanged(now: Array, was: Array) -> bool:
    """Whether an array has the shape and the values it had."""
    return now.shape == was.shape and equal(now, was)


class Ruling(NamedTuple):
    """What one clause says: its state, what was done to provoke it, and the findings where it is broken."""

    state: Literal["kept", "broken", "skipped"]
    detail: str
    findings: tuple[Finding, ...] = ()
    note: str = ""


@lru_cache(maxsize=256)  # the same few are given in each check
def kept(detail: str, note: str = "") -> Ruling:
    """The layer keeps the clause."""
    return Ruling("kept", detail, note=note)


@lru_cache(maxsize=256)
def skipped(detail: str, note: str = "") -> Ruling:
    """The clause could not be tried, or does not apply; `detail` is the reason."""
    return Ruling("skipped", detail, note=note)


def broken(detail: str, *findings: Finding) -> Ruling:
    """The layer breaks the clause."""
    return Ruling("broken", detail, findings)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What all clauses together say.

    complete: False where the budget ended before the last clause: such a check cannot pass.
    """

    findings: tuple[Finding, ...] = ()
    clauses: tuple[Clause, ...] = ()
    notes: tuple[str, ...] = ()
    complete: bool = True
