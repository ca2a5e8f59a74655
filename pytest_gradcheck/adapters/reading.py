"""What a class assigns to itself: read from the code of its methods, nothing called.

A decorator puts a function of its own around a method; what it wraps is read too, and so are functions written inside
a method.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any
from weakref import WeakKeyDictionary

FORWARDS = ("forward", "__call__")


@dataclass(frozen=True, slots=True)
class Stored:
    """Names of attributes that the methods of a class assign, and those of its properties.

    anywhere: in all of them. later: in all but the constructor. forward: in forward, where caches are made.
    properties: names of the class's properties.
    """

    anywhere: frozenset[str]
    later: frozenset[str]
    forward: frozenset[str]
    properties: frozenset[str]


_read: WeakKeyDictionary[type, Stored] = WeakKeyDictionary()


def stored(kind: type) -> Stored:
    """What the methods of a class assign, those that it inherits included, and not those that it has replaced."""
    if kind not in _read:
        anywhere: set[str] = set()
        later: set[str] = set()
        forward: set[str] = set()
        properties = set()
        for name in {name for owner in kind.__mro__[:-1] for name in vars(owner)}:
            if isinstance(next(owner.__dict__[name] for owner in kind.__mro__ if name in owner.__dict__), property):
                properties.add(name)
            names = {word for method in _in_use(kind, name) for code in _codes(method) for word in _assigned(code)}
            anywhere |= names
            later |= names if name != "__init__" else set()
            forward |= names if name in FORWARDS else set()
        _read[kind] = Stored(*map(frozenset, (anywhere, later, forward, properties)))
    return _read[kind]


def _in_use(kind: type, name: str) -> Iterator[Any]:
    """The method of a name, and of those that it overrides the ones that it calls."""
    owners = [owner for owner in kind.__mro__[:-1] if name in vars(owner)]
    for owner in owners:
        method = vars(owner)[name]
        yield method
        called = {word for code in _codes(method) for word in (*code.co_names, *code.co_freevars)}
        if not called & {"super", "__class__", *(other.__name__ for other in owners)}:
            return


def _assigned(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == "STORE_ATTR":
            yield instruction.argval


def _codes(method: Any) -> Iterator[CodeType]:
    """The code of a method, of what it wraps, and of functions inside it."""
    queue, seen = [method], {id(method)}
    while queue:
        thing = queue.pop()
        if isinstance(thing, CodeType):
            yield thing
            inside = [constant for constant in thing.co_consts if isinstance(constant, CodeType)]
        else:
            inside = list(_within(thing))
        for each in inside:
            if id(each) not in seen:
                seen.add(id(each))
                queue.append(each)


def _within(thing: Any) -> Iterator[Any]:
    if isinstance(thing, FunctionType):
        yield thing.__code__
        for cell in thing.__closure__ or ():
            try:
                inner = cell.cell_contents
            except ValueError:  # a cell that is not filled yet
                continue
            if isinstance(inner, FunctionType):
                yield inner
    elif isinstance(thing, (staticmethod, classmethod)):
        yield thing.__func__
    elif isinstance(thing, property):
        yield from (function for function in (thing.fget, thing.fset) if function is not None)
    wrapped = vars(thing).get("__wrapped__") if hasattr(thing, "__dict__") else None
    if isinstance(wrapped, FunctionType):
        yield wrapped
