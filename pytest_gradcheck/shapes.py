"""The shape notation: one short string per argument, with names for the sizes that arguments share.

    {"x": "B I", "W": "I O", "b": "O", "y": "B int<C"}

A word is one axis: a name (`B`), a literal (`3`), a multiple (`4*H`), a sum (`T+1`, `K-1`), or `...` for any
leading axes (the same ones in every argument that has it). The empty string is a single number. A last word
`int<C` makes the array one of labels 0 .. C-1, `int` one of small whole numbers, `bool` a mask; these are not
differentiated. Nothing here needs Hypothesis.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .domain import as_domain
from .errors import InvalidInput
from .target import Array

#: Sizes that nobody declared: 1 is among them, and odd and even ones.
DEFAULT_SIZES = (1, 5)

Size = int | tuple[int, int] | list[int]
Sizes = Mapping[str, Size]
Shape = tuple[int, ...]

_WORD = re.compile(r"(?:(?P<times>\d+)\*)?(?P<name>[A-Za-z_]\w*)(?P<plus>[+-]\d+)?")
_KIND = re.compile(r"int(?:<(?P<below>\S+))?|bool")


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: times * size of `name` + plus; a literal has no name and its size in plus."""

    name: str = ""
    times: int = 1
    plus: int = 0

    def size(self, sizes: Mapping[str, int]) -> int:
        """The length of this axis for the given sizes of the names."""
        return (self.times * sizes[self.name] if self.name else 0) + self.plus

    def __str__(self) -> str:
        if not self.name:
            return str(self.plus)
        times = f"{self.times}*" if self.times != 1 else ""
        return f"{times}{self.name}" + (f"{self.plus:+d}" if self.plus else "")


@dataclass(frozen=True, slots=True)
class Spec:
    """What one argument looks like.

    axes: without the leading `...`. open: whether it begins with `...`.
    kind: "float", "int" or "bool". below: for integers, the axis they are labels of, None for small whole numbers.
    """

    axes: tuple[Axis, ...]
    open: bool = False
    kind: str = "float"
    below: Axis | None = None

    def shape(self, sizes: Mapping[str, int], lead: tuple[int, ...] = ()) -> tuple[int, ...]:
        """The shape for the given sizes; lead is put in the place of `...`."""
        return (lead if self.open else ()) + tuple(axis.size(sizes) for axis in self.axes)

    def names(self) -> tuple[str, ...]:
        """The dimension names in order of appearance, the one labels refer to last."""
        axes = self.axes + ((self.below,) if self.below else ())
        return tuple(axis.name for axis in axes if axis.name)


def parse(text: str, argument: str = "argument") -> Spec:
    """The spec of one argument; raises InvalidInput that names the word it cannot read.

    >>> parse("B 4*H").shape({"B": 2, "H": 3})
    (2, 12)
    >>> parse("B int<C").kind
    'int'
    """
    if not isinstance(text, str):
        raise InvalidInput(f"the shape of {argument} is {text!r}: give a string such as 'B I'")
    words = text.split()
    kind, below = "float", None
    if words and (match := _KIND.fullmatch(words[-1])):
        kind = "bool" if words.pop() == "bool" else "int"
        below = _axis(match["below"], text, argument) if match["below"] else None
    is_open = bool(words) and words[0] == "..."
    axes = tuple(_axis(word, text, argument) for word in words[is_open:])
    return Spec(axes, is_open, kind, below)


def parse_all(given: Mapping[str, str | Spec]) -> dict[str, Spec]:
    """The specs of all arguments, in their order."""
    if not isinstance(given, Mapping) or not given:
        raise InvalidInput(f"given is {given!r}: give a dict of argument names and shapes, such as {{'x': 'B I'}}")
    return {name: text if isinstance(text, Spec) else parse(text, name) for name, text in given.items()}


def names(specs: Mapping[str, Spec]) -> tuple[str, ...]:
    """All dimension names, each once, in order of appearance."""
    return tuple(dict.fromkeys(name for spec in specs.values() for name in spec.names()))


def choices(specs: Mapping[str, Spec], sizes: Sizes | None = None) -> dict[str, tuple[int, ...]]:
    """The sizes each dimension name may take, smallest first, those that some axis forbids left out.

    sizes: name -> a number, a pair (smallest, largest), or a list of the allowed ones. Names without an entry get
    `DEFAULT_SIZES`. Raises InvalidInput for a name that no shape uses and where nothing is left.
    """
    known = names(specs)
    for name in sizes or {}:
        if name not in known:
            raise InvalidInput(
                f"sizes has {name!r}, which no shape uses: the dimensions are {', '.join(known) or 'none'}"
            )
    allowed = {}
    for name in known:
        wish = (sizes or {}).get(name, DEFAULT_SIZES)
        floor = _least(specs, name)
        allowed[name] = tuple(n for n in _listed(name, wish) if n >= floor)
        if not allowed[name]:
            raise InvalidInput(f"sizes[{name!r}] is {wish!r}: its axes need at least {floor}")
    return allowed


def solve(
    given: Mapping[str, str | Spec], sizes: Sizes | None = None, seed: int | None = None
) -> dict[str, tuple[int, ...]]:
    """A shape for every argument.

    Without a seed each free dimension gets a size of its own, so that a transposed or swapped axis cannot fit by
    chance: 3, 4, 5, 2, 6, ... as far as `sizes` allows. With a seed the sizes are drawn.

    >>> solve({"x": "B I", "W": "I O"})
    {'x': (3, 4), 'W': (4, 5)}
    >>> solve({"x": "B I", "y": "B int<C"}, {"B": 7})
    {'x': (7, 3), 'y': (7,)}
    """
    specs = parse_all(given)
    chosen = choose(specs, sizes, seed)
    return {name: spec.shape(chosen, (2,)) for name, spec in specs.items()}


def choose(specs: Mapping[str, Spec], sizes: Sizes | None = None, seed: int | None = None) -> dict[str, int]:
    """A size for every dimension name; see `solve`."""
    allowed = choices(specs, sizes)
    if seed is not None:
        rng = np.random.default_rng(seed)
        return {name: int(rng.choice(options)) for name, options in allowed.items()}
    chosen: dict[str, int] = {}
    for name, options in sorted(allowed.items(), key=lambda item: len(item[1])):
        free = [n for n in (3, 4, 5, 2, 6, 7, 8, *options) if n in options and n not in chosen.values()]
        chosen[name] = (free or [n for n in options if n > 1] or list(options))[0]
    return {name: chosen[name] for name in allowed}


def unify(given: Mapping[str, str | Spec], arrays: Mapping[str, Any]) -> dict[str, int]:
    """The size of each dimension name, read off actual arrays.

    Raises InvalidInput where an array has another number of axes, or two arguments disagree.

    >>> unify({"x": "B I", "b": "I"}, {"x": np.zeros((2, 3)), "b": np.zeros(3)})
    {'B': 2, 'I': 3}
    """
    specs = parse_all(given)
    found: dict[str, tuple[int, str]] = {}
    for argument, spec in specs.items():
        if argument not in arrays:
            raise InvalidInput(f"no value for {argument}, which given declares as {argument!r}")
        shape = np.shape(arrays[argument])
        own = shape[len(shape) - len(spec.axes) :] if spec.open else shape
        if len(own) != len(spec.axes):
            raise InvalidInput(f"{argument} has shape {shape}, but given says {len(spec.axes)} axes")
        for axis, length in zip(spec.axes, own, strict=True):
            _meet(found, axis, length, argument, shape)
    return {name: size for name, (size, _) in found.items()}


def ordinary(
    given: Mapping[str, str | Spec],
    *,
    sizes: Sizes | None = None,
    domain: Mapping[str, Any] | None = None,
    seed: int = 0,
    dtype: Any = np.float64,
) -> dict[str, Array]:
    """One array per argument with ordinary values (normal, of size one) inside its domain: what a first check uses."""
    specs = parse_all(given)
    check_domain_names(specs, domain)
    chosen = choose(specs, sizes)
    rng = np.random.default_rng([seed, 0x5A9E])
    return {
        name: _ordinary_array(spec, spec.shape(chosen, (2,)), chosen, rng, dtype, (domain or {}).get(name))
        for name, spec in specs.items()
    }


def check_domain_names(specs: Mapping[str, Spec], domain: Mapping[str, Any] | None) -> None:
    """Raise InvalidInput where domain names an argument that given does not declare."""
    for name in domain or {}:
        if name not in specs:
            raise InvalidInput(
                f"domain has {name!r}, which given does not declare: the arguments are {', '.join(specs)}"
            )


def _ordinary_array(
    spec: Spec, shape: tuple[int, ...], sizes: Mapping[str, int], rng: np.random.Generator, dtype: Any, domain: Any
) -> Array:
    if spec.kind == "bool":
        return np.asarray(rng.random(shape) < 0.5)
    if spec.kind == "int":
        return rng.integers(0, spec.below.size(sizes) if spec.below else 4, size=shape)
    return as_domain(domain).settle(np.asarray(rng.standard_normal(shape)).astype(dtype))


def _axis(word: str, text: str, argument: str) -> Axis:
    if word.isdigit():
        return Axis(plus=int(word))
    match = _WORD.fullmatch(word)
    if match is None:
        raise InvalidInput(
            f"the shape of {argument} is {text!r}: {word!r} is no axis; write a name, a number, 4*H, T+1, "
            "'...' first, or int<C or bool last"
        )
    return Axis(match["name"], int(match["times"] or 1), int(match["plus"] or 0))


def _listed(name: str, wish: Size) -> Sequence[int]:
    if isinstance(wish, (int, np.integer)) and not isinstance(wish, bool) and wish >= 0:
        return (int(wish),)
    whole = isinstance(wish, (tuple, list, range)) and len(wish) > 0 and all(type(n) is int and n >= 0 for n in wish)
    if whole and isinstance(wish, tuple) and len(wish) == 2 and wish[0] <= wish[1]:
        return range(wish[0], wish[1] + 1)
    if whole and not isinstance(wish, tuple):
        return sorted(set(wish))  # type: ignore[arg-type] # all of one kind
    raise InvalidInput(f"sizes[{name!r}] is {wish!r}: give a number, a pair (smallest, largest) or a list")


def _least(specs: Mapping[str, Spec], name: str) -> int:
    """The smallest size of a dimension for which no axis is negative and labels have at least one class."""
    least = 0
    for spec in specs.values():
        for axis in spec.axes:
            if axis.name == name and axis.times:
                least = max(least, -(axis.plus // axis.times))
        if spec.below and spec.below.name == name:
            least = max(least, -((spec.below.plus - 1) // max(1, spec.below.times)))
    return least


def _meet(found: dict[str, tuple[int, str]], axis: Axis, length: int, argument: str, shape: tuple[int, ...]) -> None:
    if not axis.name:
        if length != axis.plus:
            raise InvalidInput(f"{argument} has shape {shape}, but given says {axis.plus} where it has {length}")
        return
    size, rest = divmod(length - axis.plus, axis.times)
    if rest or size < 0:
        raise InvalidInput(f"{argument} has shape {shape}, and {length} is no {axis}")
    before = found.setdefault(axis.name, (size, argument))
    if before[0] != size:
        raise InvalidInput(f"{axis.name} is {before[0]} in {before[1]} but {size} in {argument}")
