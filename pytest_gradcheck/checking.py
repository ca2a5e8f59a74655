"""The story of a check, in order: adapt the layer, call it once, keep the contract, measure, decide, explain."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from .adapters import adapt
from .calls import INTERRUPTED, Calls, Meter, Unfinished, quiet
from .claims import Claimant
from .complex_step import ComplexStep
from .contract import FirstCall, Outcome, begin, examine, judge_first, settled
from .errors import GradCheckError, GradientInconclusive, GradientMismatch, InvalidInput, LayerError
from .findings import Judged, Sitting
from .hands import Hands
from .hooks import manager
from .keeping import Kept
from .lecture import EveryEntry
from .nodes import located
from .numeric.directions import CHUNK, mix
from .observer import present
from .precision import Precision, choose
from .randomness import Frozen
from .settings import DEFAULTS, LARGEST_H, Settings
from .target import Array, Target
from .verdict import Report, Verdict


def check(
    layer: Any,
    *inputs: Any,
    wrt: Any = None,
    upstream: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Report:
    """Whether the backward that a layer declares is the derivative of its forward, with the evidence.

    layer: an object with forward and backward, a pair (forward, backward), an engine graph, or whatever
        an adapter takes (see `pytest_gradcheck.declare`).
    inputs: arrays, as forward takes them; float arrays are differentiated. They are never written.
    wrt: names or positions of the arguments to differentiate; all float arrays and parameters by default.
    upstream: gradient of the final scalar with respect to the output (one array, or a tuple of them for several
        outputs); random and seeded by default.
    kwargs: keyword arguments of forward.
    settings: the fields of `pytest_gradcheck.settings.Settings`, such as `h`, `sharpness`, `seed`, `domain`.

    A wrong gradient never raises; the report says where and by how much. Raises InvalidInput for unusable inputs
    or settings, UnknownLayer for an object that no adapter takes, LayerError where the layer's own code raises.

    >>> import numpy as np
    >>> class Square:
    ...     def forward(self, x):
    ...         self.x = x
    ...         return x ** 2
    ...     def backward(self, upstream):
    ...         return 2 * self.x * upstream
    >>> check(Square(), np.array([1.0, 2.0])).passed
    True
    """
    if not isinstance(kwargs, Mapping | None):
        raise InvalidInput(f"kwargs is {kwargs!r:.60}: give a dict of keyword arguments of forward")
    return run(layer, inputs, wrt, upstream, dict(kwargs or {}), DEFAULTS.merged(settings))


def assert_gradients(layer: Any, *inputs: Any, **arguments: Any) -> Report:
    """The report of `check`, where the gradients are right; takes the same arguments.

    Raises GradientMismatch with the whole message where the verdict is "fail", and its subclass
    GradientInconclusive where it is "inconclusive". Errors of `check` pass through.
    """
    __tracebackhide__ = True
    report = check(layer, *inputs, **arguments)
    if report.verdict == "fail":
        raise GradientMismatch(str(report), report)
    if report.verdict == "inconclusive":
        raise GradientInconclusive(str(report), report)
    return report


def run(
    layer: Any, inputs: Sequence[Any], wrt: Any, upstream: Any, kwargs: dict[str, Any], settings: Settings
) -> Report:
    """`check` with its settings resolved."""
    if settings.h > LARGEST_H and settings.method != "every-entry":
        told = f"h is {settings.h!r}: steps are relative to the size of the entries"
        raise InvalidInput(f"{told}, give one of at most 1, or method='every-entry'")
    target, observer = adapt(layer, tuple(inputs), kwargs, wrt), present()
    if observer is not None:
        observer.adapted(target)
    with ExitStack() as stack:
        stack.enter_context(quiet())
        stack.enter_context(Kept(target.layer))
        frozen = stack.enter_context(Frozen(target))
        check = Check(target, settings, frozen)
        if observer is not None:
            observer.begun(check)
        report = check.report(upstream)
        if not check.meter.interrupted:
            report = located(report, target, partial(_alone, settings.seed))
        if observer is not None:
            observer.told(check, report)
    if check.meter.interrupted:
        raise interrupt(report)
    manager().hook.gradcheck_checked(layer=layer, report=report)
    return report


def interrupt(report: Report) -> KeyboardInterrupt:
    """What goes on to whoever stopped the check: an interrupt that shows, and holds as `report`, what it had found."""
    stopped = KeyboardInterrupt()
    stopped.add_note(str(report))
    vars(stopped)["report"] = report
    return stopped


def _alone(seed: int, layer: Any, inputs: Sequence[Array]) -> Report:
    """A short check that nobody is told of: of one operation inside a graph."""
    target = adapt(layer, tuple(inputs), {})
    with Frozen(target) as frozen:
        return Check(target, Settings(seed=seed, contract="values"), frozen).report(None)


#: How the numbers are measured, by `method=`.
WAYS: dict[str, type[Sitting]] = {"probes": Sitting, "every-entry": EveryEntry, "complex-step": ComplexStep}
#: Binary exponent from which on an output's upstream is chosen to bring their product back to the size of one.
LARGEST_EXPONENT = 256
#: An upstream is never larger than this power of two: where an output is minute, a slope may be as large as others are.
LARGEST_UPSTREAM = 600
#: Clauses whose breach is as often a symptom of a wrong formula as a cause of its own.
WEAK = ("upstream",)


class Check:
    """One run over one target: the order of the steps, and what they share."""

    def __init__(self, target: Target, settings: Settings, frozen: Frozen) -> None:
        self.began = time.perf_counter()
        self.target, self.settings = target, settings
        self.meter = Meter.granted(settings.max_evaluations, settings.max_seconds)
        self.calls = Calls(target, meter=self.meter, frozen=frozen)
        self.notes: list[str] = [f"{name} is passed through: {why}" for name, why in target.passed_through]
        self.stages: dict[str, int] = {}

    def report(self, upstream: Any) -> Report:
        """Everything, in order; a budget that ends turns what is left into "inconclusive"."""
        # A copy must be taken before the first call: afterwards the layer holds a cache.
        untouched = self.target.fresh() if self.settings.contract == "full" else None
        values = [a.value for a in self.target.arguments]
        try:
            judged, contract, spent = self._at(values, untouched, upstream)
        except Unfinished as end:
            # Not even the first forward and backward were granted.
            judged, contract, spent = Judged(), [], str(end)
        except KeyboardInterrupt:
            self.meter.interrupted = True
            judged, contract, spent = Judged(), [], INTERRUPTED
        if judged.vacuous and not spent and not any(o.findings for o in contract):
            judged, contract, spent = self._mirrored(values, untouched, judged, contract)
        return self._told(judged, contract, spent)

    def _at(
        self, values: Sequence[Array], untouched: Target | None, upstream: Any
    ) -> tuple[Judged, list[Outcome], str]:
        """Measure and examine at one point; also why the budget ended, or nothing."""
        first = self._first_call(values, untouched, upstream)
        contract = [judge_first(first, self.settings)]
        first = settled(first)
        judged, spent = Judged(), ""
        self.sitting = None
        precision = choose(first, self.settings)
        with Hands(first, precision, self.settings) as hands:
            try:
                judged = self._measure(first, self._comparable(first, contract[0]), precision, hands)
                measured = self.meter.forward_evaluations
                self.stages["values"] = measured - judged.explained
                if judged.explained:
                    self.stages["diagnosis"] = judged.explained
                if self.settings.contract == "full":
                    contract.append(hands.contract() or examine(first, self.settings))
                    self.stages["contract"] = self.meter.forward_evaluations - measured
            except (Unfinished, KeyboardInterrupt) as end:
                spent = str(end)
                if isinstance(end, KeyboardInterrupt):
                    self.meter.interrupted, spent = True, INTERRUPTED
                judged = self.sitting.result if self.sitting else judged
        return judged, contract, spent

    def _mirrored(
        self, values: Sequence[Array], untouched: Target | None, judged: Judged, contract: list[Outcome]
    ) -> tuple[Judged, list[Outcome], str]:
        """Nothing moves at these inputs (a relu of negative numbers): look once more at their mirror image."""
        if self.settings.domain or not any(v.size for v in values):
            return judged, contract, ""
        try:
            there, more, spent = self._at([np.where(v == 0, 0.5, -v) for v in values], untouched, None)
        except GradCheckError:
            return judged, contract, ""
        found = [*there.findings, *(f for o in more for f in o.findings)]
        if (there.vacuous and not found) or any(f.kind == "nonfinite" for f in found):
            return judged, contract, spent
        there.notes.insert(
            0, "nothing was compared at the inputs, where all gradients are zero: they were negated instead"
        )
        return there, more, spent

    def _first_call(self, values: Sequence[Array], untouched: Target | None, upstream: Any) -> FirstCall:
        def chosen(outputs: tuple[Array, ...]) -> Sequence[Array]:
            self._finite(outputs)
            return self._upstream(outputs, upstream)

        return begin(self.calls, values, chosen, untouched)

    def _finite(self, outputs: Sequence[Array]) -> None:
        for j, y in enumerate(outputs):
            if y.dtype.kind in "fc" and not np.isfinite(y).all():
                bad = tuple(int(i) for i in np.argwhere(~np.isfinite(y))[0])
                which = "" if len(outputs) == 1 else f" {j}"
                raise InvalidInput(
                    f"the output{which} of {self.target.name} holds {y[bad]} at index {bad}: "
                    "give inputs at which forward is finite"
                )

    def _upstream(self, outputs: Sequence[Array], given: Any) -> list[Array]:
        if given is None:
            return [random_upstream(y, self.settings.seed, j) for j, y in enumerate(outputs)]
        parts = list(given) if isinstance(given, (tuple, list)) and len(outputs) > 1 else [given]
        if len(parts) != len(outputs):
            raise InvalidInput(f"{len(parts)} upstreams are given for {len(outputs)} outputs: give one for each")
        chosen = []
        for u, y in zip(parts, outputs, strict=True):
            try:
                u = _upstream_of(u, y)
            except InvalidInput:
                raise
            except (TypeError, ValueError):
                shown = " ".join(repr(u).split())[:60]
                raise InvalidInput(f"the upstream is {shown}: give an array of numbers of shape {y.shape}") from None
            if u.shape != y.shape:
                raise InvalidInput(
                    f"the upstream has shape {u.shape}, the output {y.shape}: give one of the output's shape"
                )
            if not np.isfinite(u).all():
                raise InvalidInput("the upstream holds NaN or infinity: give finite numbers")
            chosen.append(u)
        return chosen

    def _comparable(self, first: FirstCall, outcome: Outcome) -> list[int]:
        """Arguments whose gradient can be compared: the others the contract has named already."""
        broken = {
            f.argument for f in outcome.findings if f.kind in ("shape", "nonfinite", "zero") or f.clause == "count"
        }
        if None in broken and any(f.clause == "count" for f in outcome.findings):
            return []
        return [i for i, a in enumerate(self.target.arguments) if a.name not in broken]

    def _measure(self, first: FirstCall, comparable: Sequence[int], precision: Precision, hands: Hands) -> Judged:
        self.notes += precision.notes
        claimant = Claimant(precision.calls, precision.values, comparable)
        way = WAYS[self.settings.method]
        self.sitting = way(first, claimant, precision, self.settings, comparable, hands.stencil)
        return self.sitting.judged()

    sitting: Sitting | None = None

    def _told(self, judged: Judged, contract: Sequence[Outcome], spent: str) -> Report:
        # What names a cause from the numbers comes before the clauses that were broken because of it.
        said = [f for o in contract for f in o.findings]
        breaches = [f for f in said if f.kind not in WEAK]
        findings = [*breaches, *(f for f in judged.findings if not _said(f, breaches))]
        findings += [f for f in said if f.kind in WEAK and not _said(f, findings)]
        notes = [*self.notes, *self.target.remarks, *judged.notes, *(n for o in contract for n in o.notes)]
        verdict: Verdict = "pass"
        if findings:
            verdict = "fail"
        elif spent or judged.undecided:
            verdict = "inconclusive"
            notes = [spent or judged.undecided, *notes]
        return Report(
            layer=self.target.name,
            verdict=verdict,
            findings=tuple(findings),
            notes=tuple(dict.fromkeys(notes)),
            arguments=tuple(judged.arguments),
            clauses=tuple(chain.from_iterable([o.clauses for o in contract])),
            forward_evaluations=self.meter.forward_evaluations,
            backward_calls=self.meter.backward_calls,
            seconds=time.perf_counter() - self.began,
            seed=self.settings.seed,
            h=self.settings.h,
            method=self.settings.method,
            extra={"forward_evaluations_by_stage": self.stages},
        )


def random_upstream(y: Array, seed: int, which: int) -> Array:
    """A random, never constant upstream for one output: signs times magnitudes from [1/2, 3/2], of y's shape and dtype.

    The sum of a softmax or a batch norm is constant, so an upstream of ones would accept a backward of zeros.
    """
    rng = np.random.Generator(np.random.PCG64(mix(seed, which, 1)))
    numbers = np.empty(y.shape)
    flat = numbers.reshape(-1)
    # In pieces that stay in the cache: at 10^8 entries each whole array that is made costs half a forward.
    for piece in (flat[a : a + CHUNK] for a in range(0, flat.size, CHUNK)):
        rng.random(out=piece)
        piece *= 2.0
        piece -= 1.0
        piece += np.copysign(0.5, piece)
    return np.asarray(_levelled(numbers, y), y.dtype if y.dtype.kind == "f" else np.float64)


def _levelled(upstream: Array, y: Array) -> Array:
    """The upstream times a power of two where an output is so large or small that its square is no normal number."""
    flat = y.reshape(-1) if y.dtype.kind == "f" else np.empty(0)
    pieces = (flat[a : a + CHUNK] for a in range(0, flat.size, CHUNK))
    if not any((np.abs(np.frexp(piece)[1]) > LARGEST_EXPONENT).any() for piece in pieces):
        return upstream
    exponents = np.frexp(y)[1]
    large = np.abs(exponents) > LARGEST_EXPONENT
    return np.ldexp(upstream, np.where(large, np.minimum(-exponents, LARGEST_UPSTREAM), 0))


def _upstream_of(given: Any, y: Array) -> Array:
    """A given upstream in the output's dtype; a complex one as the pairs of numbers that the output is shown as."""
    u: Array = np.asarray(given)
    if u.dtype.kind != "c":
        return np.asarray(u, y.dtype)
    if (*u.shape, 2) != y.shape:
        raise InvalidInput(
            f"the upstream is complex of shape {u.shape}, the output real of shape {y.shape}: give real numbers"
        )
    return np.asarray(np.stack([u.real, u.imag], axis=-1), y.dtype)


def _said(finding: Any, earlier: Sequence[Any]) -> bool:
    return any(e.argument == finding.argument and e.kind == finding.kind for e in earlier)


__all__ = ["LayerError", "assert_gradients", "check", "run"]
