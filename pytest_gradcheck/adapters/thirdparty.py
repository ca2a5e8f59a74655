"""Adapters of others, through the hook `gradcheck_adapt_layer`: asked first, and held to what they promise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pytest_gradcheck.errors import AdapterError, GradCheckError, UnknownLayer
from pytest_gradcheck.hooks import manager
from pytest_gradcheck.target import Argument, Target


def adapt(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Target | None:
    """The target of the one registered adapter that claims the layer, or None.

    Raises UnknownLayer where two claim it, AdapterError where one raises or returns what is no target.
    """
    implementations = manager().hook.gradcheck_adapt_layer.get_hookimpls()
    if not implementations:
        return None
    claims = list(_claims(implementations, layer, inputs, kwargs))
    if len(claims) > 1:
        names = " and ".join(name for name, _, _ in claims)
        if len({name for name, _, _ in claims}) < len(claims):
            # Every conftest has the same name.
            names = " and ".join(f"{name} ({where})" for name, where, _ in claims)
        raise UnknownLayer(f"{_name(layer)} is claimed by two adapters, {names}: unregister one of them")
    return claims[0][2] if claims else None


def _claims(
    implementations: list[Any], layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[tuple[str, str, Target]]:
    given = {"layer": layer, "inputs": inputs, "kwargs": kwargs}
    for implementation in implementations:
        plugin = _plugin(implementation)
        try:
            target = implementation.function(*(given[name] for name in implementation.argnames))
        except GradCheckError:
            raise
        except Exception as cause:
            raised = f"{type(cause).__name__} ({cause})"
            raise AdapterError(
                f"the adapter of {plugin} raised {raised} for {_name(layer)}: mend or remove it"
            ) from cause
        if target is None:
            continue
        if not isinstance(target, Target) or _unfinished(target):
            lacks = _unfinished(target) if isinstance(target, Target) else "is no Target"
            returned = f"returned {type(target).__name__} for {_name(layer)}, which {lacks}"
            raise AdapterError(f"the adapter of {plugin} {returned}: return a pytest_gradcheck.target.Target or None")
        yield plugin, _written(implementation.function), target


def _unfinished(target: Target) -> str:
    missing = [name for name in ("name", "arguments") if not hasattr(target, name)]
    if missing:
        return f"has no {' and no '.join(missing)}"
    for argument in target.arguments:
        if not isinstance(argument, Argument):
            return f"has {type(argument).__name__} {argument!r:.30} among its arguments, which is no Argument"
        value = argument.value
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
            what = f"{value.dtype} array" if isinstance(value, np.ndarray) else type(value).__name__
            return f"has a {what} for its argument {argument.name}, not a float array"
    return ""


def _written(function: Any) -> str:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else repr(function)


def _plugin(implementation: Any) -> str:
    module = getattr(implementation.function, "__module__", "")
    return module or str(implementation.plugin_name)


def _name(layer: Any) -> str:
    return getattr(layer, "__name__", None) or type(layer).__name__
