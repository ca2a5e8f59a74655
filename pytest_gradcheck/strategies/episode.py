"""An episode: one generated example played through a layer, and what the check of one array cannot see.

A check perturbs fresh arrays and knows one set of sizes. An episode adds two questions that generated examples can
ask: does the layer give the same after an earlier call with other sizes and values, and does it give the same where
an input lies in memory in another way? Both are asked only where the example says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pytest_gradcheck.adapters import adapt
from pytest_gradcheck.calls import Calls, quiet
from pytest_gradcheck.claims import shifted
from pytest_gradcheck.contract.compare import Allowance, difference, largest
from pytest_gradcheck.errors import InvalidInput, LayerError
from pytest_gradcheck.randomness import Frozen
from pytest_gradcheck.target import Array
from pytest_gradcheck.verdict import Clause, Finding, Report

from .layouts import as_source

#: Kinds of upstream, the check's own random one first.
UPSTREAMS = ("random", "whole", "large", "tiny", "one-hot")


#: Below this a product with a step or an upstream loses digits, however it is formed.
SMALLEST = 1e-290
#: Below this a number has a square that is no normal number: no formula that squares it has a finite answer.
ROOT = 1e-150


@dataclass(frozen=True)
class Example:
    """What Hypothesis generates for one run of a test with `given=`.

    arrays: name -> value, in positional order. earlier: the same for a call made before; None for a first call.
    upstream: one of `UPSTREAMS`. seed: of whatever is random in it.
    """

    arrays: Mapping[str, Array]
    earlier: Mapping[str, Array] | None = None
    upstream: str = "random"

    @property
    def inputs(self) -> tuple[Array, ...]:
        """The arrays by position."""
        return tuple(self.arrays.values())

    def __repr__(self) -> str:
        parts = [f"{name}={as_source(value)}" for name, value in self.arrays.items()]
        if self.earlier is not None:
            before = ", ".join(f"{name}={as_source(value)}" for name, value in self.earlier.items())
            parts.append(f"earlier=dict({before})")
        return ", ".join(parts if self.upstream == "random" else [*parts, f"upstream={self.upstream!r}"])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # Hypothesis would print eight digits of each number; an example must be exact.
        printer.text(repr(self))


class Discarded(Exception):  # noqa: N818 - no error: an example that says nothing
    """This example says nothing about the gradient; the message is the reason, for counting."""


@dataclass(frozen=True)
class First:
    """The first forward of a layer: its outputs, and the names under which the check knows the real inputs."""

    outputs: tuple[Array, ...]
    names: tuple[str, ...]


def check_after(
    make: Callable[[], Any], *inputs: Any, earlier: Sequence[Any] | None = None, seed: int = 0, **words: Any
) -> Report:
    """A check of `make()`, and of what it gives after an earlier call and for inputs as they lie in memory.

    make: called without arguments, gives a fresh layer each time. earlier: inputs of a call made before, of any sizes.
    words: those of `pytest_gradcheck.check`. It is what the snippet of a failing example calls.
    """
    from pytest_gradcheck.checking import check

    report = check(make(), *inputs, seed=seed, **for_check(words))
    return report if report.verdict == "fail" else with_clauses(report, make, inputs, earlier, words)


def for_check(words: Mapping[str, Any]) -> dict[str, Any]:
    """The words without the clauses of an episode in `skip`: a check does not know them."""
    skip = {name: why for name, why in (words.get("skip") or {}).items() if name not in (EARLIER.name, LAYOUT.name)}
    return {**words, "skip": skip} if "skip" in words else dict(words)


def first_forward(make: Callable[[], Any], inputs: Sequence[Array], words: Mapping[str, Any]) -> First:
    """The outputs at the example's inputs; raises Discarded where an example without ordinary values has none."""
    kwargs = dict(words.get("kwargs") or {})
    try:
        with quiet():
            target = adapt(make(), tuple(np.array(x) for x in inputs), kwargs)
            outputs = target.forward([np.array(a.value) for a in target.arguments])
    except OverflowError as error:
        # Python's own functions raise where numpy's return infinity.
        raise Discarded("the output is not finite") from error
    except Exception as error:
        if any(x.size == 0 for x in inputs):
            raise Discarded(f"forward raised {type(error).__name__} at a size of 0") from error
        if not all(map(_ordinary, inputs)):
            raise Discarded(f"forward raised {type(error).__name__} at extreme values") from error
        raise
    if not all(np.isfinite(y).all() for y in outputs):
        raise Discarded("the output is not finite")
    return First(tuple(outputs), tuple(a.name for a in target.arguments if a.role == "input"))


def _ordinary(x: Array) -> bool:
    """Whether every entry is zero or of a size that people compute with."""
    size = np.abs(x[x != 0]) if x.dtype.kind == "f" else np.zeros(0)
    return bool(((size >= 1e-3) & (size <= 1e3)).all())


def flushed(inputs: Sequence[Array], below: float = SMALLEST) -> list[Array] | None:
    """The inputs with numbers too small to be stepped set to zero; None where there are none."""
    small = [x.dtype.kind == "f" and (x != 0) & (np.abs(x) < below) for x in inputs]
    if not any(np.any(s) for s in small):
        return None
    return [np.where(s, np.zeros((), x.dtype), x) if np.any(s) else x for x, s in zip(inputs, small, strict=True)]


def upstream_of(kind: str, outputs: Sequence[Array]) -> Array | None:
    """The upstream of that kind for a layer with one output; None leaves it to the check."""
    if kind == "random" or len(outputs) != 1 or outputs[0].size == 0:
        return None
    y = outputs[0]
    dtype = y.dtype if y.dtype.kind == "f" else np.dtype(np.float64)
    # A pattern without a period that an axis could have, the same in every run.
    order = (np.arange(y.size) * 7 + y.size) % 5
    if kind == "one-hot":
        return np.eye(1, y.size, y.size // 2, dtype=dtype).reshape(y.shape)
    whole = np.array([1.0, -2.0, 3.0, -1.0, 2.0])[order].reshape(y.shape)
    known = np.finfo(dtype)
    size = {"whole": 1.0, "large": min(1e6, float(known.max) / 1e3), "tiny": max(1e-6, float(known.tiny) * 1e3)}
    return (whole * size[kind]).astype(dtype)


def with_clauses(
    report: Report,
    make: Callable[[], Any],
    inputs: Sequence[Any],
    earlier: Sequence[Any] | None,
    words: Mapping[str, Any],
) -> Report:
    """The report, failed where an earlier call or the memory layout of an input changes the answer.

    A clause is left out where `words["skip"]` names it: "earlier-call" or "input-layout".
    """
    skipped = words.get("skip") or {}
    asked: list[tuple[Question, Sequence[Any] | None, list[Array]]] = []
    if earlier is not None and EARLIER.name not in skipped:
        asked.append((EARLIER, earlier, [np.array(x, order="C") for x in inputs]))
    if not all(usual(x) for x in inputs) and LAYOUT.name not in skipped:
        asked.append((LAYOUT, None, list(inputs)))
    if not asked:
        return report
    plain = _answer(make(), [np.array(x, order="C") for x in inputs], words)

    def shaken() -> Answer:
        return _answer(make(), [_shaken(x, i) for i, x in enumerate(inputs)], words)

    for question, before, values in asked:
        finding = question.finding(_played(make(), before, values, words), plain, shaken)
        if finding is not None:
            clauses = (*report.clauses, Clause(question.name, "broken", finding.message))
            return replace(report, verdict="fail", findings=(finding, *report.findings), clauses=clauses)
    return report


@dataclass(frozen=True)
class Answer:
    """What a layer said once: names of the arguments, outputs, gradients."""

    names: tuple[str, ...]
    outputs: tuple[Array, ...]
    gradients: list[Any]

    @property
    def parts(self) -> list[Any]:
        """Outputs, then gradients."""
        return [*self.outputs, *self.gradients]


@dataclass(frozen=True)
class Question:
    """A clause that compares two answers which must be the same."""

    name: str
    kind: str
    message: str

    def finding(self, answer: Answer | None, plain: Answer, shaken: Callable[[], Answer]) -> Finding | None:
        """What differs, or None; an answer that the layer refused to give differs in nothing.

        shaken: the answer at inputs that differ in their last digits, for what may be nothing but rounding.
        """
        if answer is None:
            return None
        eps = max((float(np.finfo(_real(y)).eps) for y in plain.outputs), default=2.0**-52)
        terms = max(map(largest, (*plain.outputs, *plain.gradients)), default=0.0)
        allowed = Allowance.rearranged(eps, terms)
        shown: list[tuple[str | None, str]] = [(None, f"output {j}") for j in range(len(plain.outputs))]
        shown += [(name, f"gradient of {name}") for name in plain.names]
        for k, ((name, what), now, was) in enumerate(zip(shown, answer.parts, plain.parts, strict=True)):
            apart = difference(now, was, allowed)
            if apart is not None and not _is_rounding(now, was, eps, shaken, k):
                text = f"{self.message}; {apart.at(what)}"
                return Finding(self.kind, text, name, apart.indices, apart.count, apart.total, clause=self.name)
        return None


def _is_rounding(now: Any, was: Any, eps: float, shaken: Callable[[], Answer], k: int) -> bool:
    """Whether two answers that differ, the k-th parts of all, are both what is left where large terms cancel.

    Such a rest is far below the upstream, which is of the size of one, and the last digits of the inputs change it as
    much. Its own size, and that of all other answers, may be zero.
    """
    if np.shape(now) != np.shape(was) or now is None or was is None:
        return False
    apart = largest(np.asarray(now) - was)
    if apart > 2.0**10 * eps:
        return False
    other = shaken().parts[k]
    return other is not None and np.shape(other) == np.shape(was) and apart <= 8.0 * largest(other - np.asarray(was))


def _shaken(x: Any, i: int) -> Any:
    """An input that differs in its last digits, where it is of floating point."""
    kind = getattr(x, "dtype", np.dtype(object)).kind
    return shifted(x, i, 4 * float(np.finfo(x.dtype).eps)).astype(x.dtype) if kind == "f" else np.array(x, order="C")


EARLIER = Question(
    "earlier-call",
    "stale",
    "the answer is another after an earlier call with other values or sizes: use what the last forward kept, alone",
)
LAYOUT = Question(
    "input-layout",
    "transpose",
    "the answer is another where an input lies in memory in another way: read it by index, not as a buffer",
)


def usual(x: Any) -> bool:
    """Whether x lies in memory as a fresh array does."""
    return not isinstance(x, np.ndarray) or x.size < 2 or (x.flags.c_contiguous and x.flags.writeable)


def _played(
    layer: Any, earlier: Sequence[Any] | None, inputs: Sequence[Any], words: Mapping[str, Any]
) -> Answer | None:
    """The answer after the earlier call, if any; None where the layer does not take what it is given."""
    try:
        if earlier is not None:
            _answer(layer, [np.array(x) for x in earlier], words)
    except (LayerError, InvalidInput):
        return None
    try:
        return _answer(layer, inputs, words)
    except LayerError:
        if earlier is not None:
            raise
        # Some frameworks take no negative strides, and say so: that is no wrong gradient.
        return None


def _answer(layer: Any, inputs: Sequence[Any], words: Mapping[str, Any]) -> Answer:
    """One forward and backward on the very arrays given, random state put back afterwards."""
    target = adapt(layer, tuple(inputs), dict(words.get("kwargs") or {}))
    with quiet(), Frozen(target.layer) as frozen:
        calls = Calls(target, frozen=frozen)
        outputs = calls.forward([a.value for a in target.arguments])
        upstream = [np.cos(np.arange(y.size, dtype=np.float64)).reshape(y.shape).astype(_real(y)) for y in outputs]
        gradients = [None if g is None else np.array(g) for g in calls.backward(upstream)]
    return Answer(tuple(a.name for a in target.arguments), outputs, gradients)


def _real(y: Array) -> Any:
    return y.dtype if y.dtype.kind == "f" else np.float64
