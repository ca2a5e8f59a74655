"""What can be read off a layer without making it or calling it: its name, and the names of forward's arguments."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Arguments:
    """The positional arguments of a forward.

    names: in order. required: how many of them have no default. open: whether it takes any number more.
    """

    names: tuple[str, ...]
    required: int
    open: bool = False

    def of(self, number: int) -> tuple[str, ...]:
        """The names of so many inputs, `input0` and so on where the signature has none."""
        return (*self.names[:number], *(f"input{i}" for i in range(len(self.names), number)))


def layer_name(layer: Any) -> str:
    """The name of a layer, a class, a pair of functions or whatever makes one."""
    if isinstance(layer, functools.partial):
        return layer_name(layer.func)
    if is_pair(layer):
        return layer_name(layer[0]).removesuffix("_forward")
    return str(getattr(layer, "__name__", None) or type(layer).__name__)


def plain_name(name: str) -> str:
    """A name that pytest can match: "[", "]" and "::" mean something else in a test's id."""
    return re.sub(r"(\[|\]|::|\s)+", ".", name).strip(".") or "layer"


def is_pair(layer: Any) -> bool:
    """Whether a layer is a pair (forward, backward)."""
    return isinstance(layer, tuple) and len(layer) == 2 and all(map(callable, layer))


def is_torch_function(layer: Any) -> bool:
    """Whether a class is a subclass of `torch.autograd.Function`; torch is not imported for it."""
    kind = getattr(getattr(sys.modules.get("torch"), "autograd", None), "Function", None)
    return kind is not None and isinstance(layer, type) and issubclass(layer, kind)


def is_custom_vjp(layer: Any) -> bool:
    """Whether an object is a `jax.custom_vjp`; jax is not imported for it."""
    kind = getattr(sys.modules.get("jax"), "custom_vjp", None)
    # Not isinstance: a proxy that is not bound yet raises when it is asked for its class.
    return isinstance(kind, type) and issubclass(type(layer), kind)


def declared_layer(layer: Any) -> Any:
    """What was declared by one of `pytest_gradcheck.declare`; None of anything else."""
    kind: Any = getattr(sys.modules.get("pytest_gradcheck.adapters.declared"), "Declared", None)
    return layer.layer if kind is not None and isinstance(layer, kind) else None


def makes_layers(thing: Any) -> bool:
    """Whether a thing is called, without arguments, to make the layer: a class, a partial, a function of nothing."""
    if isinstance(thing, type):
        return not is_torch_function(thing)
    if isinstance(thing, functools.partial):
        return isinstance(thing.func, type)
    if not inspect.isroutine(thing):
        return False
    arguments = positional(thing)
    return arguments is not None and not arguments.names and not arguments.open


def forward_arguments(layer: Any) -> Arguments | None:
    """The arguments of a layer's forward; None where they cannot be read."""
    if isinstance(layer, functools.partial):
        return forward_arguments(layer.func) if isinstance(layer.func, type) else None
    if isinstance(layer, tuple):
        return positional(layer[0]) if layer else None
    if isinstance(layer, type):
        return _of_class(layer)
    if (named := getattr(layer, "argument_names", None)) is not None:
        return Arguments(tuple(named), len(named))
    if (declared := declared_layer(layer)) is not None:
        return forward_arguments(declared)
    forward = getattr(layer, "forward", None)
    return positional(forward if callable(forward) else layer) if callable(forward) or callable(layer) else None


def _of_class(kind: type) -> Arguments | None:
    forward = getattr(kind, "forward", None) or vars(kind).get("__call__")
    if forward is None:
        return None
    if is_torch_function(kind):
        # With a `setup_context` of its own, forward takes no ctx.
        owners = [owner for owner in kind.__mro__ if owner.__module__.partition(".")[0] != "torch"]
        separate = any("setup_context" in vars(owner) for owner in owners)
        return positional(forward, skip=0 if separate else 1)
    bound = isinstance(inspect.getattr_static(kind, "forward", None), (staticmethod, classmethod))
    return positional(forward, skip=0 if bound else 1)


def positional(function: Callable[..., Any], skip: int = 0) -> Arguments | None:
    """The positional arguments of a callable after the first `skip`; None where it has no signature."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    named = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][skip:]
    required = sum(p.default is p.empty for p in named)
    return Arguments(tuple(p.name for p in named), required, any(p.kind is p.VAR_POSITIONAL for p in parameters))


def holds_parameters(layer: Any) -> bool:
    """Whether a layer may hold parameters of its own: objects do, functions do not."""
    if isinstance(layer, tuple) or is_torch_function(layer) or is_custom_vjp(layer):
        return False
    return not inspect.isroutine(layer) or makes_layers(layer)


def unique(names: Sequence[str]) -> list[str]:
    """The names, each made different from the earlier ones by a number."""
    seen: dict[str, int] = {}
    taken = set(names)
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        number, candidate = seen[name], name
        while number > 1 and (candidate := f"{name}{number}") in taken:
            number += 1
        taken.add(candidate)
        result.append(candidate)
    return result
