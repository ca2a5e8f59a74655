"""Where a layer holds its parameters and their gradients: found by the names in use, or as the author declares.

Looked for: dicts or lists `params`/`parameters` with `grads`/`gradients`/`derived_variables`; attribute pairs `W` with
`dW`, `d_W`, `grad_W`, `W_grad`; attributes that are themselves a pair (`.value` or `.data` with `.grad`); and the same
in layers inside the layer. An attribute that forward assigns is a cached input, not a parameter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from . import foreign
from .binding import gradient_names
from .reading import stored

#: An attribute name, then attribute names, dict keys or list positions.
Path = tuple[Any, ...]

PARAMETER_BOOKS = ("params", "parameters")
GRADIENT_BOOKS = ("grads", "gradients", "derived_variables")

#: Where a layer returns the gradients of its parameters after those of its inputs.
RETURNED: Path = ()


#: A name that nobody has: what answers to it makes up attributes as it is asked (a mock), and is no layer.
NOBODYS = "pytest_gradcheck_asks"


@dataclass(frozen=True, slots=True)
class Place:
    """One parameter: its name, where its array is, and where its gradient may be (the first that exists is it)."""

    name: str
    path: Path
    gradients: tuple[Path, ...]


def find(layer: Any) -> tuple[list[Place], list[Place]]:
    """The parameters of a layer that have a place for their gradient, and the float arrays that have none.

    What properties give is asked where nothing else is found: mostly they gather what is found where it lies.
    """
    every = list(_find(layer, (), {id(layer)}))
    held, left = [place for place in every if place.gradients], [place for place in every if not place.gradients]
    gradients = [] if held else _gradient_books(layer)
    gathered = PARAMETER_BOOKS if gradients else ()
    return [*held, *(p for name in gathered for p in _in_book(_property(layer, name), name, gradients))], left


def is_doubtful(layer: Any, place: Place) -> bool:
    """Whether what has the name of a gradient may be something else: no method assigns it, and it is not zero.

    Points in time `t` and the steps between them, `dt`, are called so too.
    """
    if len(place.path) > 1 or any(len(path) > 1 or path[0] in stored(type(layer)).later for path in place.gradients):
        return False
    beside = [foreign.plain(look(layer, path)) for path in place.gradients if _there(layer, path)]
    return any(isinstance(array, np.ndarray) and array.any() for array in beside)


def numbers(layer: Any) -> list[Place]:
    """Plain floats that a layer holds and that may be parameters: a gradient has a name for them, or a book."""
    held, code = attributes(layer), stored(type(layer)).anywhere
    found = []
    for name, value in held.items():
        gradients = tuple((key,) for key in gradient_names(name)[1:] if key in held or key in code)
        if gradients and isinstance(value, float):
            found.append(Place(name, (name,), gradients))
    slopes = _gradient_books(layer)
    for book, holder in books(layer).items():
        for key, value in _items(holder) if slopes else ():
            if isinstance(value, float) and isinstance(key, str):
                places = tuple((where, name) for where in slopes for name in gradient_names(key))
                found.append(Place(key, (book, key), places))
    return found


def books(layer: Any) -> dict[str, Any]:
    """The dicts, lists and tuples of parameters that a layer holds."""
    held = attributes(layer)
    return {name: held[name] for name in PARAMETER_BOOKS if isinstance(held.get(name), (dict, list, tuple))}


def _property(layer: Any, name: str) -> Any:
    """What a property gives, where it gives the layer's own arrays and not copies of them."""
    if name not in stored(type(layer)).properties:
        return None
    try:
        first, second = getattr(layer, name), getattr(layer, name)
        same = [look(first, keys) is look(second, keys) for keys in _arrays(first)]
    except Exception:
        return None
    return first if all(same) else None


def _gradient_books(layer: Any) -> list[str]:
    held, code = attributes(layer), stored(type(layer))
    return [name for name in GRADIENT_BOOKS if name in held or name in code.anywhere or name in code.properties]


def _find(layer: Any, prefix: Path, seen: set[int]) -> Iterator[Place]:
    held, code = attributes(layer), stored(type(layer))
    booked: set[int] = set()
    gradients = _gradient_books(layer)
    for book, holder in books(layer).items():
        for place in _in_book(holder, book, gradients) if gradients else ():
            booked.add(id(look(layer, place.path)))
            if _has_a_place(layer, place, gradients):
                yield _prefixed(place, prefix)
    slopes = {name for key in held for name in gradient_names(key)[1:]}
    for name, value in held.items():
        if foreign.is_array(value):
            places = tuple((key,) for key in gradient_names(name)[1:] if key in held or key in code.anywhere)
            if not foreign.is_floats(value) or name in code.forward or id(value) in booked:
                continue
            if places or name not in slopes:
                yield _prefixed(Place(name, (name,), places), prefix)
        elif name not in PARAMETER_BOOKS and name not in code.forward:
            pairs = [key for key in gradient_names(name)[1:] if key in held or key in code.anywhere]
            yield from (_prefixed(place, prefix) for place in (_in_book(value, name, pairs) if pairs else ()))
            yield from _inside(value, (*prefix, name), seen)


def _in_book(book: Any, at: str, gradients: list[str]) -> Iterator[Place]:
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


#: Why an array that a layer holds is not checked.
HELD = "held in the layer, without a gradient beside it"


def without_gradient(layer: Any, held: Sequence[Place], left: Sequence[Place]) -> list[tuple[str, str]]:
    """(name, reason) of arrays that a layer holds, or has among its parameters, and that have no gradient.

    held: the parameters that have one. left: what `find` has found without.
    """
    known = {place.path for place in held}
    booked = [
        (str(keys[-1]), "held among the parameters, without a place for a gradient")
        for book, holder in books(layer).items()
        if isinstance(holder, dict)
        for keys in _arrays(holder)
        if (book, *keys) not in known
    ]
    names = {name for name, _ in booked}
    alone = [place for place in left if place.path not in known and place.name not in names]
    return booked + [(place.name, HELD) for place in alone]


def _items(book: Any) -> list[tuple[Any, Any]]:
    if isinstance(book, dict):
        return list(book.items())
    return list(enumerate(book)) if isinstance(book, (list, tuple)) else []


def _arrays(book: Any, keys: Path = ()) -> Iterator[Path]:
    for key, value in _items(book):
        if foreign.is_floats(value):
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
    if foreign.is_array(value):
        # A tensor has attributes of these names, whatever it is.
        return
    seen.add(id(value))
    if hasattr(value, NOBODYS):
        return
    for name in ("value", "data"):
        if foreign.is_array(getattr(value, name, None)) and hasattr(value, "grad"):
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
    slots = _slots(type(layer))
    return {**{slot: getattr(layer, slot) for slot in slots if hasattr(layer, slot)}, **held} if slots else held


#: The slots of classes that were asked about: an object is asked ten times in each check.
_slotted: WeakKeyDictionary[type, tuple[str, ...]] = WeakKeyDictionary()


def _slots(kind: type) -> tuple[str, ...]:
    """The slots of a class and of those that it inherits from."""
    found = _slotted.get(kind)
    if found is None:
        declared = (base.__dict__.get("__slots__", ()) for base in kind.__mro__)
        found = tuple(slot for slots in declared for slot in ((slots,) if isinstance(slots, str) else slots))
        _slotted[kind] = found
    return found


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
                elif type(value) is tuple and any(each is old for each in value):
                    setattr(thing, key, tuple(new if each is old else each for each in value))
        for _, value in items:
            deeper = isinstance(value, (dict, list)) or hasattr(value, "__dict__")
            if (
                deeper
                and not foreign.is_array(value)
                and not isinstance(value, (type, FunctionType))
                and id(value) not in seen
            ):
                seen.add(id(value))
                queue.append(value)
