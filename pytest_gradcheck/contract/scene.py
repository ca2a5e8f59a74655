"""Scene: what the clauses that call the layer again share: the layer, its present state, and how to call it next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.calls import Calls
from pytest_gradcheck.settings import PRECISIONS, Settings
from pytest_gradcheck.target import Array, Target
from pytest_gradcheck.verdict import Finding

from .compare import Allowance, Difference, coarsest, difference, largest
from .records import FirstCall, Ruling, broken, kept, unchanged
from .written import written

#: Works out what two answers may differ by, where they are not equal to the bit.
Allowed = Callable[[], Allowance]
Elsewhere = tuple[Callable[[], list[Array]], Sequence[Array], list[Any]]


class Scene:
    """One layer after its first call, and what the clauses have learnt of it.

    redo: forward must run before each backward, because the layer frees or spends what it cached.
    ready: the layer's last forward was at the check's own values and serves the next backward.
    hopeless: why no further clause can be judged; empty while they can.
    written: names of the arrays that the first call was seen to write into.
    slack: relative trembling of the forward that was measured and is granted to later comparisons.
    elsewhere: what makes the other values, outputs and gradients of the call there, until a clause has used them.
    copy_agrees: whether the copy gave the outputs that the layer itself gives.
    misread: whether the upstream was seen to be read in memory order.
    remembered: a second upstream and its gradients, until a clause has used them.
    tour: what the calls at other sizes showed, once they were made.
    """

    def __init__(self, first: FirstCall, settings: Settings) -> None:
        self.first, self.settings, self.calls = first, settings, first.calls
        self.layer, self.names = first.calls.target.name, first.names
        self.redo = self.ready = self.copy_agrees = self.misread = False
        self.hopeless = ""
        self.written = written(first)
        self.slack = settings.accuracy or 0.0
        self.elsewhere: Elsewhere | None = None
        self.remembered: tuple[list[Array], list[Any]] | None = None
        self.tour: Any = None
        self._copy: Calls | None = None
        self._spare: Target | None = None
        self._sizes: tuple[float, float] | None = None
        self._products: float | None = None

    def forward(self) -> tuple[Array, ...]:
        """The layer's forward at the check's own values; outputs equal to the first ones are given as those."""
        self.ready = False
        outputs = self.calls.forward(copies(self.first.values))
        self.ready = True
        first = self.first.outputs
        alike = len(outputs) == len(first) and all(map(unchanged, outputs, first))
        return first if alike else outputs

    def gradients(self, upstream: Sequence[Array]) -> list[Any]:
        """The layer's backward at the check's own values; the layer gets these very arrays."""
        if self.redo or not self.ready:
            self.forward()
        self.ready = False
        gradients = self.calls.backward(upstream)
        self.ready = True
        return gradients

    def copy(self) -> Calls:
        """Calls of the copy that was taken before the first call; only there where the layer can be copied."""
        if self._copy is None:
            if self.first.untouched is None:
                raise RuntimeError(f"{self.layer} has no copy: ask for first.untouched before")
            self._spare = self.first.untouched.fresh()
            self._copy = self.calls.on(self.first.untouched)
        return self._copy

    def spare(self) -> Calls | None:
        """Calls of a second copy that was never used; None where there is none."""
        return None if self._spare is None else self.calls.on(self._spare)

    def again(self) -> list[Any]:
        """The gradients for the check's own upstream once more."""
        return self.gradients(copies(self.first.upstream))

    def repeated(self) -> Allowance:
        """What two runs of the same calls may differ by."""
        return Allowance.repeated(*self._measure(), self.slack)

    def rearranged(self, factor: float = 1.0) -> Allowance:
        """What two runs may differ by whose sums ran in another order; `factor` when both are scaled by it.

        The terms that cancel may be as large as upstream times output times input, which no gradient shows.
        """
        eps, terms = self._measure()
        if self._products is None:
            pairs = zip(self.first.upstream, self.first.outputs, strict=False)
            inputs = max(map(largest, self.first.values), default=0.0)
            self._products = max((largest(u) * largest(y) for u, y in pairs), default=0.0) * max(1.0, inputs)
        return Allowance.rearranged(eps, factor * max(terms, self._products), self.slack)

    def differing(self, now: Sequence[Any], was: Sequence[Any], allowed: Allowed | None = None) -> list[Difference]:
        """Where two answers differ, outputs or gradients; empty where they agree."""
        if len(now) != len(was):
            return [Difference(words=f"{len(was)}, then {len(now)}")]
        found = []
        for new, old in zip(now, was, strict=True):
            apart = self._difference(new, old, allowed)
            if apart is not None:
                found.append(apart)
        return found

    def apart(
        self, now: Sequence[Any], was: Sequence[Any], allowed: Allowed | None = None
    ) -> list[tuple[str, Difference]]:
        """Name and difference of each argument whose gradients differ."""
        if len(now) != len(was):
            return [("the gradients", Difference(words=f"{len(was)}, then {len(now)}"))]
        found = []
        for name, new, old in zip(self.names, now, was, strict=False):
            apart = self._difference(new, old, allowed)
            if apart is not None:
                found.append((name, apart))
        return found

    def _difference(self, now: Any, was: Any, allowed: Allowed | None) -> Difference | None:
        if now is was:
            return None
        # Most answers are equal to the bit: the allowance is worked out only for those that are not.
        if type(now) is np.ndarray and type(was) is np.ndarray and _alike(now, was):
            return None
        return difference(now, was, (allowed or self.repeated)())

    def judged(self, clause: str, kind: str, what: str, now: Sequence[Any], was: Sequence[Any], way: str) -> Ruling:
        """Kept where two answers agree, broken with one finding per argument where not.

        what: what was done, the beginning of the message; way: the way out, its end.
        """
        rearranged = kind in ("transpose", "upstream")
        found = self.apart(now, was, self.rearranged if rearranged else None)
        if not found:
            return kept(what)
        return broken(what, *(self.finding(clause, kind, what, name, apart, way) for name, apart in found))

    def finding(self, clause: str, kind: str, what: str, name: str, apart: Difference, way: str) -> Finding:
        """A finding on one argument, with the place and the two values."""
        message = f"{self.layer}: {what}, the gradient changes at {apart.at(name)}: {way}"
        argument = name if name in self.names else None
        return Finding(kind, message, argument, apart.indices, apart.count, apart.total, clause=clause)

    def _measure(self) -> tuple[float, float]:
        if self._sizes is None:
            first = self.first
            eps = coarsest(first.gradients, first.upstream, first.outputs)
            if self.settings.precision is not None:
                eps = max(eps, PRECISIONS[self.settings.precision])
            eps = max(eps, self.calls.target.rounding or 0.0)
            tops = [largest(a) for a in (*first.upstream, *first.gradients)]
            self._sizes = eps, max(tops, default=0.0)
        return self._sizes


def _alike(now: Array, was: Array) -> bool:
    # Objects in an array may compare to anything.
    return not (now.dtype.hasobject or was.dtype.hasobject) and unchanged(now, was)


def copies(arrays: Sequence[Array]) -> list[Array]:
    """Arrays of the same values that the layer may do anything with."""
    return list(map(np.array, arrays))


def fitted(upstream: Sequence[Array], outputs: Sequence[Array]) -> list[Array]:
    """An upstream for outputs of another shape, made of the entries of the given one."""
    return [_fit(u, y.shape, y.size) for u, y in zip(upstream, outputs, strict=False)]


def _fit(upstream: Array, shape: tuple[int, ...], size: int) -> Array:
    if upstream.shape == shape:
        return np.array(upstream)
    if size <= upstream.size:
        return np.array(upstream.reshape(-1)[:size].reshape(shape))
    if size <= 2 * upstream.size:
        # np.resize makes whole repeats, and would hold twice the memory.
        flat = upstream.reshape(-1)
        return np.concatenate([flat, flat[: size - flat.size]]).reshape(shape)
    return np.resize(upstream, shape).astype(upstream.dtype, copy=False)


def resumed(calls: Calls, values: Sequence[Array], upstream: Sequence[Array]) -> tuple[tuple[Array, ...], list[Any]]:
    """Forward and backward of some layer on copies of the arrays, the upstream made to fit the outputs."""
    outputs = calls.forward(copies(values))
    return outputs, calls.backward(fitted(upstream, outputs))
