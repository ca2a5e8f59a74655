"""Which layers a module has: read off its names, nothing made and nothing called."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from pytest_gradcheck.suites.signatures import is_custom_vjp, is_torch_function, plain_name

#: What an author writes beside a layer, or in the module by the layers' names.
DECLARATION = "__gradcheck__"


@dataclass(frozen=True, slots=True)
class Found:
    """A layer of a module.

    name: in the module, a pair's without "_forward". layer: the class, the pair of functions, the `autograd.Function`
    or the `custom_vjp`; None where it is known from a declaration alone. declared: what stands beside it.
    """

    name: str
    module: str
    layer: Any = None
    declared: Any = None

    @property
    def dotted(self) -> str:
        """The name with its module's."""
        return f"{self.module}.{self.name}"

    @property
    def line(self) -> int | None:
        """Where its backward is written, counted from 0; None where that cannot be told."""
        backward = self.layer[1] if isinstance(self.layer, tuple) else getattr(self.layer, "backward", self.layer)
        code = getattr(inspect.unwrap(backward), "__code__", None) if callable(backward) else None
        return code.co_firstlineno - 1 if code is not None else None


def layers_of(module: ModuleType) -> list[Found]:
    """The layers that are written in a module, in the order of its names; those that it imports are another's."""
    table = vars(module).get(DECLARATION, {})
    declared = table if isinstance(table, Mapping) else {}
    found: dict[str, Found] = {}
    seen: set[int] = set()
    for name, layer in _recognised(module):
        if id(layer) not in seen:
            # A pair is made anew; of a class with two names the first counts.
            seen.add(id(layer))
            name = plain_name(name)
            found[name] = Found(name, module.__name__, layer, declared.get(name, _beside(layer)))
    for name in declared:
        if name not in found:
            found[str(name)] = Found(plain_name(str(name)), module.__name__, None, declared[name])
    if not isinstance(table, Mapping):
        found[DECLARATION] = Found(DECLARATION, module.__name__, None, table)
    return list(found.values())


def _recognised(module: ModuleType) -> Iterator[tuple[str, Any]]:
    names = dict(vars(module))
    for name, thing in names.items():
        # By the type alone: a proxy that is not bound yet answers every question with an exception.
        kind = type(thing)
        if not issubclass(kind, (type, FunctionType)) and not is_custom_vjp(thing):
            continue
        if thing.__module__ != module.__name__:
            continue
        if issubclass(kind, type):
            if is_torch_function(thing) or _is_layer_class(thing):
                yield name, thing
        elif is_custom_vjp(thing):
            yield name, thing
        elif name.endswith("_forward"):
            backward = names.get(name.removesuffix("_forward") + "_backward")
            if type(backward) is FunctionType:
                yield name.removesuffix("_forward"), (thing, backward)


def _is_layer_class(kind: type) -> bool:
    backward = inspect.getattr_static(kind, "backward", None)
    forward = inspect.getattr_static(kind, "forward", None) or inspect.getattr_static(kind, "__call__", None)
    return all(isinstance(method, (FunctionType, staticmethod, classmethod)) for method in (forward, backward))


def _beside(layer: Any) -> Any:
    """The declaration on the class or function itself; one that is inherited may not make this layer."""
    if isinstance(layer, tuple):
        return getattr(layer[0], DECLARATION, None)
    # As it is written: a metaclass may answer to any name.
    declared = inspect.getattr_static(layer, DECLARATION, None)
    if isinstance(layer, type) and DECLARATION not in vars(layer) and isinstance(declared, Mapping):
        return {word: value for word, value in declared.items() if word != "make"}
    return declared


def why_abstract(layer: Any) -> str:
    """Why a class cannot be made at all; nothing where it can."""
    if isinstance(layer, type) and inspect.isabstract(layer):
        return f"it is abstract: {', '.join(sorted(getattr(layer, '__abstractmethods__', ())))} is not written"
    return ""
