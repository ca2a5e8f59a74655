"""Adapters of others, through the hook `gradcheck_adapt_layer`: asked first, and held to what they promise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_gradcheck.errors import GradCheckError, LayerError, UnknownLayer
from pytest_gradcheck.hooks import manager
from pytest_gradcheck.target import Target


def adapt(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Target | None:
    """The target of the one registered adapter that claims the layer, or None.

    Raises UnknownLayer where two claim it, LayerError where one raises or returns what is no target.
    """
    implementations = manager().hook.gradcheck_adapt_layer.get_hookimpls()
    if not implementations:
        return None
    claims = list(_claims(implementations, layer, inputs, kwargs))
    if len(claims) > 1:
        names = " and ".join(name for name, _ in claims)
        raise UnknownLayer(f"{_name(layer)} is claimed by two adapters, {names}: unregister one of them")
    return claims[0][1] if claims else None


def _claims(
    implementations: list[Any], layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[tuple[str, Target]]:
    given = {"layer": layer, "inputs": inputs, "kwargs": kwargs}
    for implementation in implementations:
        plugin = _plugin(implementation)
        try:
            target = implementation.function(*(given[name] for name in implementation.argnames))
        except GradCheckError:
            raise
        except Exception as cause:
            raised = f"{type(cause).__name__} ({cause})"
            raise LayerError(
                f"the adapter of {plugin} raised {raised} for {_name(layer)}: mend or remove it"
            ) from cause
        if target is None:
            continue
        if not isinstance(target, Target) or _unfinished(target):
            lacks = _unfinished(target) if isinstance(target, Target) else "is no Target"
            returned = f"returned {type(target).__name__} for {_name(layer)}, which {lacks}"
            raise LayerError(f"the adapter of {plugin} {returned}: return a pytest_gradcheck.target.Target or None")
        yield plugin, target


def _unfinished(target: Target) -> str:
    missing = [name for name in ("name", "arguments") if not hasattr(target, name)]
    return f"has no {' and no '.join(missing)}" if missing else ""


def _plugin(implementation: Any) -> str:
    module = getattr(implementation.function, "__module__", "")
    return module or str(implementation.plugin_name)


def _name(layer: Any) -> str:
    return getattr(layer, "__name__", None) or type(layer).__name__
