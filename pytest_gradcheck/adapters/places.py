"""Where a layer holds its parameters and their gradients: found by the names in use, or as the author declares.

Looked for: dicts or lists `params`/`parameters` with `grads`/`gradients`/`derived_variables`; attribute pairs `W` with
`dW`, `d_W`, `grad_W`, `W_grad`; attributes that are themselves a pair (`.value` or `.data` with `.grad`); and the same
in layers inside the layer. An attribute that forward assigns is a cached input, not a parameter.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from .binding import gradient_names

#: An attribute name, then attribute names, dict keys or list positions.
Path = tuple[Any, ...]

PARAMETER_BOOKS = ("params", "parameters")
GRADIENT_BOOKS = ("grads", "gradients", "derived_variables")
FORWARDS = ("forward", "__call__")


#: A name that nobody has: what answers to it makes up attributes as it is asked (a mock), and is no layer.
NOBODYS = "pytest_gradcheck_asks"


@dataclass(frozen=True, slots=True)
class Place:
    """One parameter: its name, where its array is, and where its gradient may be (the first that exists is it)."""

    name: str
    path: Path
    gradients: tuple[Path, ...]


def find(layer: Any) -> list[Place]:
    """The parameters of a layer that have a place for their gradient."""
    return list(_find(layer, (), {id(layer)}))


def _find(layer: Any, prefix: Path, seen: set[int]) -> Iterator[Place]:
    held = attributes(layer)
    stored, in_forward = _names_in_code(type(layer))
    booked: set[int] = set()
    for book in PARAMETER_BOOKS:
        gradients = [name for name in GRADIENT_BOOKS if name in held or name in stored]
        if isinstance(held.get(book), (dict, list)) and gradients:
            for place in _in_book(held[book], book, gradients):
                booked.add(id(look(layer, place.path)))
                if _has_a_place(layer, place, gradients):
                    yield _prefixed(place, prefix)
    for name, value in held.items():
        if isinstance(value, np.ndarray):
            places = tuple((key,) for key in gradient_names(name)[1:] if key in held or key in stored)
            if places and value.dtype.kind == "f" and name not in in_forward and id(value) not in booked:
                yield _prefixed(Place(name, (name,), places), prefix)
        elif name not in PARAMETER_BOOKS and name not in in_forward:
            yield from _inside(value, (*prefix, name), seen)


def _in_book(book: dict[Any, Any] | list[Any], at: str, gradients: list[str]) -> Iterator[Place]:
    for keys in _arrays(book):
        last = keys[-1]
        names = gradient_names(last) if isinstance(last, str) else (last,)
        places = tuple((where, *keys[:-1], name) for where in gradients for name in names)
        words = [key if isinstance(key, str) else f"{at}[{key}]" for key in keys if key != "components"]
        yield Place(".".join(words), (at, *keys), places)


def _has_a_place(layer: Any, place: Place, gradients: list[str]) -> bool:
    """Whether a gradient is held for it, or may come to be: a book of gradients that is still empty decides nothing.

    Running statistics stand among the parameters of some layers, and not among the gradients.
    """
    books = [attributes(layer).get(name) for name in gradients if name != "derived_variables"]
    if not any(isinstance(book, dict) and book for book in books):
        return True
    return any(_there(layer, path) for path in place.gradients)


def _there(layer: Any, path: Path) -> bool:
    try:
        look(layer, path)
    except AbsentError:
        return False
    return True


def without_gradient(layer: Any, held: Sequence[Place]) -> list[tuple[str, str]]:
    """(name, reason) of arrays among the parameters that the layer's gradients have no entry for."""
    known = {place.path for place in held}
    return [
        (str(keys[-1]), "held among the parameters, without a place for a gradient")
        for book in PARAMETER_BOOKS
        if isinstance(attributes(layer).get(book), dict)
        for keys in _arrays(attributes(layer)[book])
        if (book, *keys) not in known
    ]


def _arrays(book: Any, keys: Path = ()) -> Iterator[Path]:
    for key, value in book.items() if isinstance(book, dict) else enumerate(book):
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            yield (*keys, key)
        elif isinstance(value, dict):
            yield from _arrays(value, (*keys, key))


def _inside(value: Any, path: Path, seen: set[int]) -> Iterator[Place]:
    """Parameters of what an attribute holds: a pair of arrays in one object, a layer, a list or dict of layers."""
    if isinstance(value, (list, dict)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if hasattr(item, "__dict__"):
                yield from _inside(item, (*path, key), seen)
        return
    if not hasattr(value, "__dict__") or isinstance(value, (type, FunctionType)) or id(value) in seen:
        return
    seen.add(id(value))
    if hasattr(value, NOBODYS):
        return
    for name in ("value", "data"):
        if isinstance(getattr(value, name, None), np.ndarray) and hasattr(value, "grad"):
            yield Place(_name(path), (*path, name), ((*path, "grad"),))
            return
    if callable(getattr(value, "backward", None)):
        yield from _find(value, path, seen)


def _prefixed(place: Place, prefix: Path) -> Place:
    if not prefix:
        return place
    name = f"{_name(prefix)}.{place.name}"
    return Place(name, prefix + place.path, tuple(prefix + path for path in place.gradients))


def _name(path: Path) -> str:
    return str(path[0]) + "".join(f".{key}" if isinstance(key, str) else f"[{key}]" for key in path[1:])


def attributes(layer: Any) -> dict[str, Any]:
    """What an object holds, in its `__dict__` or its slots."""
    held: dict[str, Any] = getattr(layer, "__dict__", None) or {}
    slots = [slot for kind in type(layer).__mro__ for slot in _slots(kind)]
    return {**{slot: getattr(layer, slot) for slot in slots if hasattr(layer, slot)}, **held} if slots else held


def _slots(kind: type) -> tuple[str, ...]:
    slots = kind.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


_read: WeakKeyDictionary[type, tuple[frozenset[str], frozenset[str]]] = WeakKeyDictionary()


def _names_in_code(kind: type) -> tuple[frozenset[str], frozenset[str]]:
    """Attributes that methods of a class assign: in all of them, and in forward alone."""
    if kind not in _read:
        stored: set[str] = set()
        in_forward: set[str] = set()
        for owner in kind.__mro__[:-1]:
            for name, method in vars(owner).items():
                if isinstance(method, FunctionType):
                    names = {i.argval for i in dis.get_instructions(method) if i.opname == "STORE_ATTR"}
                    stored |= names
                    in_forward |= names if name in FORWARDS else set()
        _read[kind] = frozenset(stored), frozenset(in_forward)
    return _read[kind]


class AbsentError(LookupError):
    """There is nothing at a path."""


def look(layer: Any, path: Path) -> Any:
    """What a layer holds at a path; raises AbsentError where there is nothing."""
    thing = layer
    for key in path:
        thing = _step(thing, key)
    return thing


def _step(thing: Any, key: Any) -> Any:
    try:
        if isinstance(thing, (dict, list, tuple)) or not isinstance(key, str):
            return thing[key]
        return getattr(thing, key)
    except (KeyError, IndexError, AttributeError, TypeError) as cause:
        raise AbsentError(key) from cause


def put(layer: Any, path: Path, value: Any) -> None:
    """Let a layer hold a value at a path."""
    owner = look(layer, path[:-1])
    if isinstance(owner, (dict, list)):
        owner[path[-1]] = value
    else:
        setattr(owner, path[-1], value)


def parse(layer: Any, text: str) -> Path:
    """The path that a dotted name such as `fc1.W` or `params.W` or `layers.0.W` means; AbsentError where nothing is."""
    thing, path = layer, []
    for word in text.split("."):
        key: Any = int(word) if isinstance(thing, (list, tuple)) and word.isdigit() else word
        thing = _step(thing, key)
        path.append(key)
    return tuple(path)


def replace(layer: Any, old: Any, new: Any) -> None:
    """Let `new` stand wherever a layer holds the object `old`: attributes, dicts and lists, at any depth."""
    queue, seen = [layer], {id(layer)}
    while queue:
        thing = queue.pop()
        if isinstance(thing, (dict, list)):
            items = list(thing.items() if isinstance(thing, dict) else enumerate(thing))
            for key, value in items:
                if value is old:
                    thing[key] = new
        else:
            items = list(attributes(thing).items())
            for key, value in items:
                if value is old:
                    setattr(thing, key, new)
        for _, value in items:
            deeper = isinstance(value, (dict, list)) or hasattr(value, "__dict__")
            if deeper and not isinstance(value, (type, FunctionType)) and id(value) not in seen:
                seen.add(id(value))
                queue.append(value)
