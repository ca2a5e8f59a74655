"""Calls: forward and backward of one target, counted, with random state held still and errors put into words."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .errors import GradCheckError, LayerError
from .randomness import Frozen
from .target import Array, Target


class Unfinished(Exception):  # noqa: N818 - turned into a verdict by the check
    """The check cannot go on; the verdict covers what was covered, and is no pass."""


INTERRUPTED = "interrupted: this is what was found until then"


class BudgetSpent(Unfinished):
    """The evaluations or the seconds that the caller granted are used up."""


@dataclass(slots=True)
class Meter:
    """What a check has spent, and what it may spend.

    max_evaluations: forward evaluations granted, None without limit.
    deadline: a moment of `time.perf_counter`, None without limit.
    interrupted: whether the user wants no more of it.
    watch: called at every forward; who shows how far a long check is.
    """

    forward_evaluations: int = 0
    backward_calls: int = 0
    max_evaluations: int | None = None
    deadline: float | None = None
    interrupted: bool = False
    watch: Callable[[], None] | None = None

    @classmethod
    def granted(cls, max_evaluations: int | None = None, max_seconds: float | None = None) -> Meter:
        """A meter whose clock starts now."""
        deadline = None if max_seconds is None else time.perf_counter() + max_seconds
        return cls(max_evaluations=max_evaluations, deadline=deadline)

    def forward(self) -> None:
        """Count one forward; raises `BudgetSpent` where it is not granted."""
        if self.max_evaluations is not None and self.forward_evaluations >= self.max_evaluations:
            raise BudgetSpent(f"the {self.max_evaluations} forward evaluations granted are spent")
        if self.interrupted or self.deadline is not None:
            self.in_time()
        self.forward_evaluations += 1
        if self.watch is not None:
            self.watch()

    def backward(self) -> None:
        """Count one backward; raises `BudgetSpent` after the deadline."""
        if self.interrupted or self.deadline is not None:
            self.in_time()
        self.backward_calls += 1

    def in_time(self) -> None:
        """Raises `BudgetSpent` after the deadline, and `Unfinished` after an interrupt."""
        if self.interrupted:
            raise Unfinished(INTERRUPTED)
        if self.deadline is not None and time.perf_counter() > self.deadline:
            raise BudgetSpent("the seconds granted are spent")


class Calls:
    """Forward and backward of one target: counted, and each forward started from the same random state.

    Enter `quiet()` and the `Frozen` once around a whole check; a call itself adds a few microseconds.

    target: the layer in its common form.
    meter: counts and limits; a new one without limits when None.
    frozen: the random state to start each forward from; taken now when None. Whoever makes it releases it.
    """

    __slots__ = ("_first", "_settled", "frozen", "meter", "target")

    def __init__(self, target: Target, *, meter: Meter | None = None, frozen: Frozen | None = None) -> None:
        self.target = target
        self.meter = meter if meter is not None else Meter()
        self.frozen = frozen if frozen is not None else Frozen(target)
        self._settled = False
        #: Shapes and number of outputs of the first forward.
        self._first: tuple[list[tuple[int, ...]], int] | None = None

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """Outputs at these values, one array per output, none of which the layer holds or can still change.

        values: one array per argument; the layer gets these very arrays.

        Raises `LayerError` where the layer raises or returns no numbers, `BudgetSpent` where nothing is left.
        """
        return self._own(self._called(values))

    def borrowed(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """Outputs as `forward` gives them, but uncopied: the layer may still hold them and write into them."""
        return tuple([self._number(y, 0) for y in self._called(values)])

    def steady(self, values: Sequence[Array]) -> Callable[[], Sequence[Array]]:
        """`borrowed` at these very arrays, to be called again each time their numbers have changed in place."""
        run = self.target.steady(values)
        if run is None or self._first is None:
            # Views, for a layer may ask whether it is given the array that it was given last.
            return lambda: self.borrowed([value.view() for value in values])
        meter, number = self.meter, self._first[1]
        # Which sources a forward moves is known since the first one.
        restore = self.frozen.restore if self.frozen.moving else None

        def outputs() -> Sequence[Array]:
            meter.forward()
            if restore is not None:
                restore()
            try:
                found = run()
            except Exception as cause:
                raise self._error("forward", values, cause) from cause
            if len(found) != number:
                self._count(found, values)
            for y in found:
                if type(y) is not np.ndarray or y.dtype.kind != "f":
                    return tuple([self._number(y, 0) for y in found])
            return found

        return outputs

    def there(self, run: Callable[[Sequence[Any]], Sequence[Any]], values: Sequence[Any]) -> Sequence[Any]:
        """Outputs at values that live elsewhere, as `run` gives them there, uncopied."""
        return self._called(values, partial(run, values))

    def batch(self, values: Sequence[Array], points: int) -> tuple[Array, ...]:
        """Outputs of a batched target at many points at once, uncopied; each point counts as an evaluation."""
        for _ in range(points - 1):
            self.meter.forward()
        return self.borrowed(values)

    def _called(self, values: Sequence[Any], run: Callable[[], Sequence[Any]] | None = None) -> Sequence[Any]:
        self.meter.forward()
        self.frozen.restore()
        try:
            outputs = self.target.forward(values) if run is None else run()
        except Exception as cause:
            raise self._error("forward", values, cause) from cause
        if not self._settled:
            self._settled = True
            self.frozen.notice()
        outputs = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
        self._count(outputs, values)
        return outputs

    def _count(self, outputs: Sequence[Any], values: Sequence[Any]) -> None:
        """Raises `LayerError` where there are not as many outputs as the first time, for inputs of the same shapes."""
        if self._first is None:
            self._first = [np.shape(v) for v in values], len(outputs)
        elif len(outputs) != self._first[1] and [np.shape(v) for v in values] == self._first[0]:
            told = f"forward of {self.target.name} returned {_outputs(len(outputs))} where its first call returned"
            raise LayerError(f"{told} {self._first[1]}: return as many each time, for inputs of the same shapes")

    def backward(self, upstream: Sequence[Array]) -> list[Any]:
        """The gradients of the last forward as the layer returned them; none of the arrays can still change.

        upstream: one array per output; the layer gets these very arrays.

        Raises `LayerError` where the layer raises, `BudgetSpent` after the deadline.
        """
        self.meter.backward()
        try:
            gradients = self.target.backward(upstream)
        except Exception as cause:
            raise self._error("backward", upstream, cause) from cause
        if gradients is None:
            return [None] * len(self.target.arguments)
        if not isinstance(gradients, (tuple, list)):
            gradients = (gradients,)
        kept = []
        for g in gradients:
            count = sys.getrefcount(g)
            kept.append(_kept(g, count))
        return kept

    def on(self, target: Target) -> Calls:
        """Calls of another target (a fresh copy of the layer) on the same meter, from the same random state."""
        return Calls(target, meter=self.meter, frozen=self.frozen.on(target))

    def _own(self, outputs: Sequence[Any]) -> tuple[Array, ...]:
        kept = []
        for y in outputs:
            count = sys.getrefcount(y)
            kept.append(self._number(y, count))
        return tuple(kept)

    def _number(self, output: Any, references: int) -> Array:
        array: Array = output if type(output) is np.ndarray else np.asarray(output)
        if array.dtype.kind not in "fciub":
            returned = f"forward of {self.target.name} returned {_what(output)}"
            raise LayerError(f"{returned}: return an array of numbers, or a tuple of them")
        return array if array is not output or references == 0 else _kept(array, references)

    def _error(self, stage: str, arrays: Sequence[Array], cause: Exception) -> LayerError:
        """What the layer raised, in words; errors of our own go through as they are."""
        if isinstance(cause, GradCheckError):
            raise cause
        text = " ".join(str(cause).split())[:300] or "no message"
        if stage == "forward":
            names = [a.name for a in self.target.arguments]
            given = ", ".join(f"{name} {tuple(np.shape(x))}" for name, x in zip(names, arrays, strict=False))
        else:
            given = "an upstream of shape " + ", ".join(str(np.shape(u)) for u in arrays)
        way_out = "call it once by hand on these arrays"
        told = f"{stage} of {self.target.name} raised {type(cause).__name__} ({text}) given {given}: {way_out}"
        return LayerError(told)


def _outputs(number: int) -> str:
    return "1 output" if number == 1 else f"{number} outputs"


def _what(output: Any) -> str:
    if output is None:
        return "None"
    return f"{type(output).__name__} {output!r:.60}"


def _kept(array: Any, references: int) -> Any:
    # A layer may write its next answer into the same buffer; an array that nobody else holds cannot change.
    if not isinstance(array, np.ndarray) or (array.base is None and references <= _ALONE):
        return array
    return np.array(array)


def _references(outputs: Sequence[Any]) -> int:
    # In a loop and first of all, as above: what else names an array counts as well.
    count = 0
    for y in outputs:
        count = sys.getrefcount(y)
    return count


# What the count is for an array held by its tuple alone differs between versions of Python: measure it.
_ALONE = _references((np.empty(0),))


@contextmanager
def quiet() -> Iterator[list[warnings.WarningMessage]]:
    """Around a check: floating point errors ignored, warnings of the layer recorded, once per place, not raised.

    Entered once, because entering costs more than a small layer's forward.
    """
    with np.errstate(all="ignore"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        yield caught
