"""How to make a layer and its inputs, as its author declares beside it or a conftest says in a hook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_gradcheck.errors import GradCheckError, InvalidInput, LayerError
from pytest_gradcheck.hooks import manager

from .recognise import DECLARATION, Found

#: The words of a declaration.
WORDS = ("make", "inputs", "given", "wrt", "domain", "skip")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is declared of a layer; None for what is left to be guessed.

    make: makes a fresh layer. inputs: the inputs as a tuple, or a function that returns them. given: shapes in the
    notation of `pytest_gradcheck.shapes`, by argument. wrt, domain: as `check` takes them. skip: clauses of the
    contract with reasons. left_out: why the whole layer is not to be checked.
    """

    make: Callable[[], Any] | None = None
    inputs: Any = None
    given: Mapping[str, str] | None = None
    wrt: Any = None
    domain: Mapping[str, Any] | None = None
    skip: Mapping[str, str] = field(default_factory=dict)
    left_out: str = ""


def plan_of(found: Found) -> Plan:
    """The plan of a layer: from the hook `gradcheck_make_layer`, else from its declaration, else an empty one.

    Raises InvalidInput for a declaration that cannot be meant, LayerError where a hook raises.
    """
    said = _hooked(found)
    if said is None:
        return read(found.declared, f"{DECLARATION} of {found.dotted}") if found.declared is not None else Plan()
    where = f"gradcheck_make_layer for {found.dotted}"
    if isinstance(said, Mapping):
        return read(said, where)
    if isinstance(said, tuple) and said:
        layer, *inputs = said
        return Plan(make=lambda: layer, inputs=tuple(inputs)) if inputs else Plan(make=lambda: layer)
    raise InvalidInput(
        f"{where} returned {type(said).__name__}: return (layer, *inputs), a dict with {', '.join(WORDS)}, or None"
    )


def _hooked(found: Found) -> Any:
    hook = manager().hook.gradcheck_make_layer
    if not hook.get_hookimpls():
        return None
    try:
        return hook(layer=found.layer, name=found.dotted)
    except GradCheckError:
        raise
    except Exception as cause:
        raised = f"{type(cause).__name__} ({' '.join(str(cause).split())})"
        raise LayerError(f"gradcheck_make_layer raised {raised} for {found.dotted}: mend or remove it") from cause


def read(declared: Any, where: str) -> Plan:
    """A declaration as a plan; `where` begins the sentence of what is wrong with it."""
    if not isinstance(declared, Mapping):
        raise InvalidInput(f"{where} is {declared!r:.60}: give a dict with some of {', '.join(WORDS)}")
    unknown = [word for word in declared if word not in WORDS]
    if unknown:
        raise InvalidInput(f"{where} has no word {unknown[0]!r}: the known ones are {', '.join(WORDS)}")
    make, skip = declared.get("make"), declared.get("skip")
    if isinstance(make, staticmethod):
        make = make.__func__
    if make is not None and not callable(make):
        raise InvalidInput(f"{where}: make is {make!r:.60}: give a function without arguments that makes the layer")
    if declared.get("inputs") is not None and declared.get("given") is not None:
        raise InvalidInput(f"{where} has both inputs and given: inputs are arrays, given their shapes; keep one")
    if skip is not None and not isinstance(skip, (str, Mapping)):
        raise InvalidInput(f"{where}: skip is {skip!r:.60}: give a reason, or a dict of clauses with reasons")
    return Plan(
        make=make,
        inputs=declared.get("inputs"),
        given=declared.get("given"),
        wrt=declared.get("wrt"),
        domain=declared.get("domain"),
        skip=dict(skip) if isinstance(skip, Mapping) else {},
        left_out=skip if isinstance(skip, str) else "",
    )
