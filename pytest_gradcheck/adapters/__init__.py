"""Adapters: any layer, in the convention its author declared it, to the one form `Target`.

One file per convention. A framework is imported only inside functions of its own file, and a layer is
recognised without importing one: what is not in `sys.modules` cannot have made the layer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from pytest_gradcheck.errors import GradCheckError, InvalidInput, LayerError, UnknownLayer
from pytest_gradcheck.target import Argument, Target

from . import modules, objects, pairs, places, thirdparty, tree
from .binding import own_copy
from .declared import Declared
from .selection import Wanted, select

#: Module that has made the layer -> file of its adapter; asked only where that module is loaded.
FRAMEWORKS = (
    ("torch", "torch"),
    ("jax", "jax"),
    ("autograd", "autograd"),
    ("pytensor", "pytensor"),
    ("pytest_gradcheck.engine", "engine"),
)


def adapt(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any], wrt: Wanted | None = None) -> Target:
    """The layer with its inputs as a Target.

    inputs: arrays, numbers, or nested tuples, lists and dicts of them. wrt: names or positions of what is
    differentiated, by default every float array and every parameter held in the layer.

    Raises UnknownLayer where no adapter takes the layer, InvalidInput where an input cannot be differentiated.
    """
    return checked(select(adapt_any(layer, inputs, kwargs), wrt))


def adapt_any(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Target:
    """The layer as a Target of all its arguments, not yet looked at; raises UnknownLayer."""
    if kwargs:
        kwargs = {name: tree.mapped(own_copy, value) for name, value in kwargs.items()}
    if isinstance(layer, Declared):
        return layer.target(inputs, kwargs)
    try:
        for convention in (thirdparty, *frameworks(), modules, objects, pairs):
            target: Target | None = convention.adapt(layer, inputs, kwargs)
            if target is not None:
                return target
    except GradCheckError:
        raise
    except Exception as cause:
        # Its properties and its `__getattr__` are the author's code, and may raise anything.
        told = f"{type(cause).__name__} ({' '.join(str(cause).split())[:200]})"
        asked = f"asking {type(layer).__name__} for what a layer has raised {told}"
        raise LayerError(f"{asked}: let it raise AttributeError for what it has not") from cause
    found = called(layer, inputs, kwargs)
    if isinstance(found, Target):
        return found
    raise UnknownLayer(unknown(layer, found))


def frameworks() -> Iterator[Any]:
    """The adapters of the frameworks that are loaded."""
    for module, name in FRAMEWORKS:
        if module in sys.modules:
            yield import_module(f".{name}", __name__)


def called(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Target | str:
    """A target around a plain function that, called once, returns (output, pullback); else what happened."""
    from .functions import PullbackTarget, is_pulled, what

    if not callable(layer) or isinstance(layer, type) or hasattr(layer, "forward"):
        return ""
    target = PullbackTarget(layer, inputs, kwargs)
    try:
        returned = target.run([argument.value.copy() for argument in target.arguments])
    except Exception as cause:
        return f"calling it raised {type(cause).__name__} ({cause})"
    return target if is_pulled(returned) else f"calling it returned {what(returned)}, not (output, pullback)"


def checked(target: Target) -> Target:
    """The target, whose arguments are finite and not none; InvalidInput otherwise."""
    if not target.arguments:
        raise InvalidInput(nothing_to_differentiate(target))
    for argument in target.arguments:
        if not np.isfinite(argument.value).all():
            raise InvalidInput(not_finite(target, argument))
    return target


def not_finite(target: Target, argument: Argument) -> str:
    """The sentence for a NaN or an infinity in an input, with its place."""
    place = np.argwhere(~np.isfinite(argument.value))[0]
    value = argument.value[tuple(place)]
    at = f"{argument.name}[{', '.join(map(str, place))}]" if place.size else argument.name
    return f"{at} of {target.name} is {value}: give finite values to differentiate at"


def nothing_to_differentiate(target: Target) -> str:
    """The sentence for a layer none of whose arguments is a float array."""
    if not target.passed_through:
        if target.positions:
            return f"no argument of {target.name} holds an array ({', '.join(target.positions)}): give arrays of floats"
        return f"{target.name} has no inputs and no parameters: give the inputs after the layer"
    name, reason = target.passed_through[0]
    way = f"cast {name} to float"
    if reason == places.HELD:
        way = "say where it is with declare.module"
    elif reason.endswith("not an array"):
        way = f"give {name} as an array of floats"
    return f"no argument of {target.name} is a float array ({name}: {reason}): {way}"


def unknown(layer: Any, when_called: str) -> str:
    """The sentence for an object that no adapter takes: what was tried and what is missing."""
    shown = f"{type(layer).__name__} {getattr(layer, '__name__', '')}".strip()
    tried = [
        f"an object with forward and backward ({objects.missing(layer)})",
        f"a pair of functions ({pairs.missing(layer)})",
    ]
    if when_called:
        tried.append(f"a pullback ({when_called})")
    loaded = [module for module, _ in FRAMEWORKS if module in sys.modules]
    tried += [f"{module} (not one of its layers)" for module in loaded]
    words = ", ".join(tried)
    return f"{shown} is not understood as a layer; tried {words}: declare it with pytest_gradcheck.declare"
