"""From a plan to a check: the layer is made, its inputs are made, drawn or guessed, and the outcome put into words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_gradcheck.adapters.binding import input_names
from pytest_gradcheck.adapters.objects import forward_of
from pytest_gradcheck.checking import check
from pytest_gradcheck.errors import GradCheckError, InvalidInput, LayerError
from pytest_gradcheck.report.terminal import headline, worst_entry
from pytest_gradcheck.settings import NAMES, Settings
from pytest_gradcheck.shapes import ordinary
from pytest_gradcheck.suites.signatures import is_custom_vjp, is_pair, is_torch_function, makes_layers
from pytest_gradcheck.verdict import Report

from . import guess
from .plans import Plan, plan_of
from .recognise import Found, why_abstract


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one layer: the report of its check, and `unchecked`, the reason where that is no verdict on it.

    guessed: whether the layer or its inputs were found by trying. A report of guessed inputs that did not pass is kept
    beside the reason, for those who want to see it fail.
    """

    report: Report | None = None
    guessed: bool = False
    unchecked: str = ""


def declared_or_guessed(layer: Any, name: str, settings: Settings, words: Mapping[str, Any]) -> Outcome:
    """The check of a layer that came without inputs, as an element of a suite does."""
    module = str(getattr(layer, "__module__", None) or type(layer).__module__)
    if type(layer).__module__.startswith("pytest_gradcheck.engine"):
        return Outcome(check(layer, **words, **_as_words(settings)))
    declared = getattr(layer[0] if is_pair(layer) else layer, "__gradcheck__", None)
    found = Found(name, module, layer, declared)
    return checked(found, settings, words)


def checked(found: Found, settings: Settings, words: Mapping[str, Any] | None = None, guessing: bool = True) -> Outcome:
    """The check of a layer as its plan says.

    Raises a GradCheckError where what is declared cannot be used, or the layer raises at declared inputs.
    """
    plan = plan_of(found)
    if plan.left_out:
        return Outcome(unchecked=f"left out: {plan.left_out}")
    if plan.make is None and found.layer is None:
        raise InvalidInput(f"__gradcheck__ names {found.name!r}, which is no layer of {found.module}: declare its make")
    if plan.make is None and (reason := why_abstract(found.layer)):
        return Outcome(unchecked=reason)
    return _Making(found, plan, settings, dict(words or {})).outcome(guessing)


@dataclass(slots=True)
class _Making:
    """One layer on its way to a check."""

    found: Found
    plan: Plan
    settings: Settings
    words: dict[str, Any]

    def outcome(self, guessing: bool) -> Outcome:
        """Declared where it is declared, guessed where that is allowed."""
        makers, inputs = list(self._makers()), self._declared_inputs()
        if inputs is not None and makers and makers[0].sure:
            return Outcome(self._check(_called(makers[0].make, f"make of {self.found.dotted}"), inputs()))
        if self.plan.make is not None:
            # Said to make the layer: that it does not is no reason to leave the layer out.
            _called(self.plan.make, f"make of {self.found.dotted}")
        if not guessing:
            return Outcome(unchecked="declare make and inputs: nothing is guessed with --gradcheck-guess=off")
        if not makers:
            return Outcome(unchecked=f"cannot be made: {guess.no_maker(self.found.layer)}; declare make")
        found = guess.first_that_runs(makers, inputs, self.plan.wrt)
        if isinstance(found, str):
            unmade = inputs is not None or found.startswith(guess.UNMADE)
            return Outcome(unchecked=f"{found}; declare {'make' if unmade else 'inputs'}")
        return self._guessed(*found)

    def _makers(self) -> Iterator[guess.Maker]:
        """Ways to make the layer, the likeliest first."""
        layer = self.found.layer
        if self.plan.make is not None:
            yield guess.Maker(self.plan.make, sure=True)
        elif isinstance(layer, tuple) or is_torch_function(layer) or is_custom_vjp(layer) or not makes_layers(layer):
            yield guess.Maker(lambda: layer, sure=True)
        elif isinstance(layer, type):
            yield from guess.makers(layer)
        else:
            yield guess.Maker(layer, sure=True)

    def _declared_inputs(self) -> Callable[[], tuple[Any, ...]] | None:
        """What gives the inputs, where they are declared."""
        given, inputs, what = self.plan.given, self.plan.inputs, f"inputs of {self.found.dotted}"
        if inputs is not None:
            return lambda: _as_tuple(_called(inputs, what) if callable(inputs) else inputs)
        if given is None:
            return None
        return lambda: tuple(ordinary(given, domain=self.plan.domain).values())

    def _check(self, layer: Any, inputs: tuple[Any, ...], **more: Any) -> Report:
        settings = replace(self.settings, **more)
        if self.plan.skip:
            settings = replace(settings, skip={**(settings.skip or {}), **self.plan.skip})
        if self.plan.domain:
            settings = replace(settings, domain=self._domain(layer))
        words = {**({"wrt": self.plan.wrt} if self.plan.wrt is not None else {}), **self.words}
        return check(layer, *inputs, **words, **_as_words(settings))

    def _domain(self, layer: Any) -> dict[str, Any]:
        """The domains by the names of forward's arguments, in whose order the names of `given` are."""
        declared = dict(self.plan.domain or {})
        if self.plan.given is None:
            return declared
        forward = (
            layer[0] if isinstance(layer, tuple) else layer if not hasattr(layer, "forward") else forward_of(layer)
        )
        skip = 1 if is_torch_function(layer) else 0
        names = dict(zip(self.plan.given, input_names(forward, len(self.plan.given), skip), strict=True))
        return {names.get(name, name): value for name, value in declared.items()}

    def _guessed(self, layer: Any, inputs: tuple[Any, ...]) -> Outcome:
        # A check in which nothing moves says something of declared inputs, and nothing of guessed ones.
        try:
            report = self._check(layer, inputs, vacuous="fail")
        except GradCheckError as error:
            return Outcome(guessed=True, unchecked=f"declare inputs: on guessed inputs {error}")
        shapes = ", ".join(str(getattr(value, "shape", value)) for value in inputs)
        if report.passed:
            report = replace(report, notes=(f"checked on guessed inputs of shape {shapes}", *report.notes))
            return Outcome(report, guessed=True)
        return Outcome(report, True, f"declare inputs: on guessed inputs of shape {shapes} {told(report)}")


def told(report: Report) -> str:
    """A check that did not pass in one line, with the numbers of its worst entry."""
    finding = next(iter(report.findings), None)
    if finding is None:
        return headline(report)
    numbers = worst_entry(finding).strip() if finding.entries else finding.message
    return f"{headline(report)}; {numbers}"


def _as_tuple(inputs: Any) -> tuple[Any, ...]:
    return inputs if isinstance(inputs, tuple) else (inputs,)


def _as_words(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in NAMES}


def _called(function: Callable[[], Any], what: str) -> Any:
    """What a declared function returns; LayerError where it raises."""
    try:
        return function()
    except GradCheckError:
        raise
    except Exception as cause:
        raised = f"{type(cause).__name__} ({' '.join(str(cause).split())})"
        raise LayerError(f"{what} raised {raised}: mend the declaration") from cause
