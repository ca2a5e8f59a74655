"""`given=` of the marker: a test that returns a layer becomes a Hypothesis test over that layer's inputs.

The test is wrapped once, when it is collected: wrapped at call time, Hypothesis would refuse `@settings` and
`@reproduce_failure`. Each example makes a fresh layer, is judged by one check, and either passes, fails, or is
rejected and counted; a run in which nothing was judged fails.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NoReturn, Protocol

import hypothesis
import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from pytest_gradcheck.errors import GradientInconclusive, GradientMismatch, InvalidInput
from pytest_gradcheck.shapes import Sizes
from pytest_gradcheck.target import Array
from pytest_gradcheck.verdict import Report

from .arrays import VALUES, Plan, arrays_of, weighted
from .episode import (
    ROOT,
    SMALLEST,
    UPSTREAMS,
    Discarded,
    Example,
    first_forward,
    flushed,
    for_check,
    upstream_of,
    with_clauses,
)
from .layouts import LAYOUTS
from .snippet import snippet

#: The keyword under which Hypothesis hands an example to the test.
PARAMETER = "gradcheck_example"

#: How many examples a test runs that says nothing else.
EXAMPLES = 200

#: Below this part of its bar an error is noise, and no hint of where a larger one is.
SUSPICIOUS = 0.3

#: A check takes its time and turns examples down on purpose.
SUPPRESSED = (
    hypothesis.HealthCheck.too_slow,
    hypothesis.HealthCheck.filter_too_much,
    hypothesis.HealthCheck.data_too_large,
    hypothesis.HealthCheck.large_base_example,
    hypothesis.HealthCheck.differing_executors,
)


class Host(Protocol):
    """Who makes the checks, keeps their reports and raises: pytest's side, or nobody in particular."""

    def judge(self, layer: Any, inputs: Sequence[Array], words: Mapping[str, Any]) -> Report:
        """The report of one example."""

    def keep(self, report: Report) -> None:
        """Take note of an example that passed or failed."""

    def fail(self, error: Exception, layer: Any) -> NoReturn:
        """Raise the error of an example that failed."""


class Alone:
    """The host outside pytest."""

    def judge(self, layer: Any, inputs: Sequence[Array], words: Mapping[str, Any]) -> Report:
        """The report of `pytest_gradcheck.check`."""
        from pytest_gradcheck.checking import check

        return check(layer, *inputs, **words)

    def keep(self, report: Report) -> None:
        """Nobody asks."""

    def fail(self, error: Exception, layer: Any) -> NoReturn:
        """Raise it here."""
        __tracebackhide__ = True
        raise error


@dataclass
class Tally:
    """How the examples of one run fared."""

    judged: int = 0
    inconclusive: Counter[str] = field(default_factory=Counter)
    discarded: Counter[str] = field(default_factory=Counter)

    def clear(self) -> None:
        """Begin a new run."""
        self.judged = 0
        self.inconclusive.clear()
        self.discarded.clear()

    def __str__(self) -> str:
        parts = [f"{self.judged} judged"]
        for word, counted in (("inconclusive", self.inconclusive), ("discarded", self.discarded)):
            if counted:
                reason, _ = counted.most_common(1)[0]
                parts.append(f"{counted.total()} {word} (most often: {reason})")
        return ", ".join(parts)


def as_hypothesis_test(
    function: Callable[..., Any],
    *,
    given: Mapping[str, str],
    domain: Mapping[str, Any] | None = None,
    sizes: Sizes | None = None,
    dtypes: Any = (np.float64,),
    words: Mapping[str, Any] | None = None,
    host: Host | None = None,
) -> Callable[..., Any]:
    """A Hypothesis test that checks the layer returned by `function` at generated inputs.

    function: makes a fresh layer and returns it alone; its own parameters stay pytest's (fixtures, parametrize).
    given: name -> shape, in the order in which forward takes its arguments; the names are for people.
    domain, sizes, dtypes: as in `arrays_for`; domain by the names of `given`.
    words: what a check is told besides the domain. host: makes the checks, `pytest_gradcheck.check` where None.

    `max_examples=200` and `deadline=None`, unless `@settings` or a profile says otherwise. The returned function has
    `gradcheck_tally`, a `Tally` of its last run. Raises InvalidInput for a shape, size or domain that makes no sense.
    """
    plan = Plan.made(given, domain, sizes, dtypes, LAYOUTS, VALUES, empty=True)
    run = Run(function, plan, dict(words or {}), host or Alone())

    @functools.wraps(function)
    def body(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        run(kwargs.pop(PARAMETER), args, kwargs)

    signature = inspect.signature(function)
    parameter = inspect.Parameter(PARAMETER, inspect.Parameter.KEYWORD_ONLY)
    body.__signature__ = signature.replace(parameters=_with(signature, parameter))  # type: ignore[attr-defined] # functions take attributes
    del body.__wrapped__
    _explicit_examples(body, given)
    body._hypothesis_internal_use_settings = _settings_of(function)  # type: ignore[attr-defined] # functions take attributes
    test = hypothesis.given(**{PARAMETER: examples(plan)})(body)
    return _concluding(test, run)


class Run:
    """One example after the other through the test's layer."""

    def __init__(self, function: Callable[..., Any], plan: Plan, words: Mapping[str, Any], host: Host) -> None:
        self.function, self.plan, self.words, self.host = function, plan, words, host
        self.tally = Tally()

    def __call__(self, example: Example, args: tuple[Any, ...], fixtures: Mapping[str, Any]) -> None:
        """Judge one example: return, raise GradientMismatch, or have Hypothesis reject it."""
        __tracebackhide__ = True
        make = functools.partial(self._layer, args, fixtures)
        try:
            first = first_forward(make, example.inputs, self.words)
        except Discarded as reason:
            self._reject(self.tally.discarded, str(reason))
        words = self._words(example, first.names, first.outputs)
        layer = make()
        report = self.host.judge(layer, example.inputs, for_check(words))
        if report.verdict != "fail":
            earlier = None if example.earlier is None else tuple(example.earlier.values())
            report = with_clauses(report, make, example.inputs, earlier, words)
        if report.verdict == "fail" and self._at_denormals_alone(make, example, words, report):
            self._reject(self.tally.inconclusive, "numbers too small to be stepped")
        if report.verdict == "inconclusive":
            self._reject(self.tally.inconclusive, _reason(report))
        self.host.keep(report)
        if report.verdict == "fail":
            # The seed of the report is the one that was used, whoever chose it.
            lines = snippet(self.function, example, {**words, "seed": report.seed}, fixtures)
            message = f"{_headline(example)}\n\n{_indented(lines)}\n\n{report}"
            self.host.fail(GradientMismatch(message, report), layer)
        self.tally.judged += 1
        _aim(report)

    def _layer(self, args: tuple[Any, ...], fixtures: Mapping[str, Any]) -> Any:
        layer = self.function(*args, **fixtures)
        name = self.function.__name__
        if layer is None:
            raise InvalidInput(f"{name} returns nothing: with given= it returns a fresh layer")
        if isinstance(layer, tuple) and not all(callable(part) for part in layer):
            raise InvalidInput(f"{name} returns a layer with inputs: with given= it returns the layer alone")
        return layer

    def _words(self, example: Example, names: tuple[str, ...], outputs: Any) -> dict[str, Any]:
        """The words of this example's check: the domain under forward's own names, the upstream if one was drawn."""
        words = dict(self.words)
        real = [name for name, spec in self.plan.specs.items() if spec.kind == "float"]
        domains = {
            own: self.plan.domains[shown]
            for shown, own in zip(real, names, strict=False)
            if self.plan.domains[shown].name != "anything"
        }
        if domains:
            words["domain"] = domains
        upstream = upstream_of(example.upstream, outputs)
        if upstream is not None and words.get("upstream") is None:
            words["upstream"] = upstream
        # How long a check takes is no property of an example: with a clock Hypothesis would call the test flaky.
        words.pop("max_seconds", None)
        return words

    def _at_denormals_alone(
        self, make: Callable[[], Any], example: Example, words: Mapping[str, Any], report: Report
    ) -> bool:
        """Whether only numbers that no difference can resolve make it fail: with zeros in their place it passes."""
        # A gradient that is not finite is wrong, but where the squares of the inputs are no numbers any more.
        endless = any(finding.kind == "nonfinite" for finding in report.findings)
        inputs = flushed(example.inputs, ROOT if endless else SMALLEST)
        if inputs is None:
            return False
        try:
            return self.host.judge(make(), inputs, for_check(words)).verdict != "fail"
        except InvalidInput:  # zeros are outside the declared domain: nothing tells these numbers from them
            return True

    def _reject(self, counter: Counter[str], reason: str) -> None:
        counter[reason] += 1
        hypothesis.event(reason)
        hypothesis.reject()


@st.composite
def examples(draw: Any, plan: Plan) -> Example:
    """A strategy for the examples of one test."""
    upstream = draw(weighted(UPSTREAMS, {"random": 20}))
    has_earlier = draw(st.integers(0, 3)) == 3
    arrays = draw(arrays_of(plan))
    return Example(arrays, draw(arrays_of(plan)) if has_earlier else None, upstream)


def _aim(report: Report) -> None:
    """Tell Hypothesis how near the bar this example came, where that is more than noise."""
    error = report.largest_error
    if error > SUSPICIOUS and math.isfinite(error):
        hypothesis.target(math.log10(error), label="error over its bar")


def _headline(example: Example) -> str:
    size = sum(x.size for x in example.inputs)
    return f"Hypothesis's smallest example ({size} {'entry' if size == 1 else 'entries'}), to paste:"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())


def _reason(report: Report) -> str:
    return report.notes[0] if report.notes else "no verdict was reached"


def _with(signature: inspect.Signature, parameter: inspect.Parameter) -> list[inspect.Parameter]:
    listed = list(signature.parameters.values())
    at = len(listed) - (bool(listed) and listed[-1].kind is inspect.Parameter.VAR_KEYWORD)
    return [*listed[:at], parameter, *listed[at:]]


def _settings_of(function: Callable[..., Any]) -> hypothesis.settings:
    """The test's own settings, else the profile's, with Hypothesis's two defaults replaced by ours."""
    own: Any = getattr(function, "_hypothesis_internal_use_settings", None) or hypothesis.settings.default
    # A value equal to Hypothesis's own default cannot be told from one that nobody set.
    count = EXAMPLES if own.max_examples == 100 else own.max_examples
    deadline = None if own.deadline == timedelta(milliseconds=200) else own.deadline
    suppressed = set(own.suppress_health_check) | set(SUPPRESSED)
    # The lines that only failing examples run are lines of the checker, and of several examples none would lead.
    phases = [phase for phase in own.phases if phase is not hypothesis.Phase.explain]
    return hypothesis.settings(
        own,
        max_examples=count,
        deadline=deadline,
        suppress_health_check=suppressed,
        phases=phases,
        report_multiple_bugs=False,
    )


def _explicit_examples(body: Callable[..., Any], given: Mapping[str, str]) -> None:
    """`@example(x=..., W=...)` names the arrays one by one; Hypothesis must see one example."""
    listed = vars(body).pop("hypothesis_explicit_examples", [])
    for explicit in reversed(listed):
        missing = [name for name in given if name not in explicit.kwargs]
        if explicit.args or missing or len(explicit.kwargs) > len(given):
            raise InvalidInput(f"@example with given= takes the arrays by name: {', '.join(given)}")
        arrays = {name: np.asarray(explicit.kwargs[name]) for name in given}
        hypothesis.example(**{PARAMETER: Example(arrays)})(body)


def _concluding(test: Callable[..., Any], run: Run) -> Callable[..., Any]:
    """The test, failing at its end where not one example was judged."""
    tally = run.tally

    @functools.wraps(test)
    def concluded(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        # pytest's Hypothesis plugin sets attributes on what it sees, which is this function.
        test._hypothesis_internal_use_settings = concluded._hypothesis_internal_use_settings  # type: ignore[attr-defined] # functions take attributes
        tally.clear()
        try:
            test(*args, **kwargs)
        except Unsatisfiable:
            if tally.judged:
                raise
        if not tally.judged:
            none = not (tally.inconclusive or tally.discarded)
            why = "none was generated, and sizes may be too large for that" if none else str(tally)
            raise GradientInconclusive(f"no example was judged: {why}")

    concluded.gradcheck_tally = tally  # type: ignore[attr-defined] # functions take attributes
    concluded.gradcheck_run = run  # type: ignore[attr-defined] # functions take attributes
    return concluded
