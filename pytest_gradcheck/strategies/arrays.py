"""Strategies for a layer's arrays: sizes, dtypes, values, layouts, upstreams.

What Hypothesis shrinks towards: sizes of one, numbers out of 0, 1, -1, 2, -2, one half, ..., float64, the usual layout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import strategies as st

from pytest_gradcheck import shapes
from pytest_gradcheck.domain import Domain, anything, as_domain
from pytest_gradcheck.errors import InvalidInput
from pytest_gradcheck.target import Array

from .layouts import LAYOUTS, laid_out
from .palette import HARD, as_dtype, palette_of

VALUES = ("simple", "ordinary", "hard")

#: Leading axes that `...` stands for, simplest first.
LEADS = ((), (1,), (2,), (2, 3))

T = TypeVar("T")
Draw = Any


def arrays_for(
    *given: str | Mapping[str, str],
    domain: Any = None,
    sizes: shapes.Sizes | None = None,
    dtypes: Any = (np.float64,),
    layouts: Sequence[str] = LAYOUTS,
    values: Sequence[str] = VALUES,
    empty: bool = False,
) -> st.SearchStrategy[Any]:
    """A strategy for the arrays of one example, their sizes shared by name.

    given: a dict of names and shapes gives a dict of arrays; one shape string gives one array, several a tuple.
    domain: argument name -> where its values live (positions 0, 1, ... where given is strings; one domain alone
        stands for all). sizes: dimension name -> a number, (smallest, largest), or a list.
    dtypes: the real dtypes to choose from, one for all arguments, or a dict by name.
    layouts: memory layouts out of `LAYOUTS`. values: manners out of "simple", "ordinary", "hard".
    empty: whether now and then one dimension that `sizes` does not mention has size 0.

    Raises InvalidInput, when called, for a shape, size, domain, dtype, layout or manner that makes no sense.

    >>> arrays_for({"x": "B I", "y": "B int<C"}, sizes={"B": (1, 8)})  # doctest: +SKIP
    """
    if len(given) == 1 and isinstance(given[0], Mapping):
        plan = Plan.made(given[0], domain, sizes, dtypes, layouts, values, empty)
        return arrays_of(plan)
    if not given or not all(isinstance(text, str) for text in given):
        raise InvalidInput(f"given is {given!r}: give one dict of names and shapes, or shape strings")
    by_position = {str(n): str(text) for n, text in enumerate(given)}
    if isinstance(domain, Mapping):
        domain = {str(key): value for key, value in domain.items()}
    plan = Plan.made(by_position, domain, sizes, dtypes, layouts, values, empty)
    if len(given) == 1:
        return arrays_of(plan).map(lambda made: made["0"])
    return arrays_of(plan).map(lambda made: tuple(made.values()))


def upstreams(
    like: Any, *, values: Sequence[str] = VALUES, layouts: Sequence[str] = LAYOUTS
) -> st.SearchStrategy[Array]:
    """A strategy for the gradient that arrives at an output; like: the output, or its shape (then float64)."""
    shape = tuple(like) if isinstance(like, (tuple, list)) else np.shape(like)
    dtype = np.dtype(np.float64) if isinstance(like, (tuple, list)) else np.asarray(like).dtype
    return _upstream(shape, dtype, _known("values", values, VALUES), _known("layouts", layouts, LAYOUTS))


@dataclass(frozen=True, slots=True)
class Plan:
    """All that `arrays_for` was told, checked."""

    specs: dict[str, shapes.Spec]
    domains: dict[str, Domain]
    dtypes: dict[str, tuple[Any, ...]]
    allowed: dict[str, tuple[int, ...]]
    emptiable: tuple[str, ...]
    layouts: tuple[str, ...]
    values: tuple[str, ...]

    @classmethod
    def made(
        cls,
        given: Mapping[str, str],
        domain: Any,
        sizes: shapes.Sizes | None,
        dtypes: Any,
        layouts: Sequence[str],
        values: Sequence[str],
        empty: bool,
    ) -> Plan:
        """A plan out of the words of the caller."""
        specs = shapes.parse_all(given)
        by_name = domain if isinstance(domain, Mapping) else dict.fromkeys(specs, domain)
        shapes.check_domain_names(specs, by_name)
        domains = {name: as_domain(by_name.get(name)) for name in specs}
        allowed = shapes.choices(specs, sizes)
        emptiable = tuple(n for n in allowed if empty and n not in (sizes or {}) and _may_be_empty(specs, domains, n))
        by_dtype = dtypes if isinstance(dtypes, Mapping) else dict.fromkeys(specs, dtypes)
        real = {name: _real_dtypes(by_dtype.get(name, (np.float64,))) for name in specs}
        manners, ways = _known("values", values, VALUES), _known("layouts", layouts, LAYOUTS)
        return cls(specs, domains, real, allowed, emptiable, ways, manners)


@st.composite
def arrays_of(draw: Draw, plan: Plan) -> dict[str, Array]:
    """A strategy for the arrays of one example, by name."""
    # All that is said once per array comes before the entries: where these get fewer, nothing after them is displaced.
    sizes = _draw_sizes(draw, plan)
    lead = draw(st.sampled_from(LEADS)) if any(spec.open for spec in plan.specs.values()) else ()
    # Arguments that choose among the same dtypes get the same one: mixed precision is another question.
    chosen = {options: draw(st.sampled_from(options)) for options in dict.fromkeys(plan.dtypes.values())}
    manners = {name: draw(_manner(plan.values, plan.layouts)) for name, s in plan.specs.items() if s.kind == "float"}
    entries = {}
    for name, spec in plan.specs.items():
        kind = manners[name].codes(plan.domains[name]) if name in manners else _labels(spec, sizes)
        entries[name] = Entries(spec.shape(sizes, lead), kind, _leading(spec))
    made = _draw_entries(draw, entries)
    for name, spec in plan.specs.items():
        if name in manners:
            made[name] = manners[name].array(made[name], plan.domains[name], chosen[plan.dtypes[name]])
        elif spec.kind == "bool":
            made[name] = made[name].astype(bool)
    return {name: made[name] for name in plan.specs}


@dataclass(frozen=True, slots=True)
class Manner:
    """What kind of numbers an array holds, and how it lies in memory; scale: of the hard kinds, from mild to severe."""

    values: str
    hard: str
    scale: int
    layout: str

    def codes(self, domain: Domain) -> int:
        """How many codes an entry is chosen from."""
        palette = palette_of(domain.lower, domain.upper, domain.ends)
        return palette.simple if self.values == "simple" else len(palette.table)

    def array(self, codes: Array, domain: Domain, dtype: Any) -> Array:
        """The array that codes stand for."""
        palette = palette_of(domain.lower, domain.upper, domain.ends)
        hard = self.values == "hard"
        x = as_dtype(palette.hard(self.hard, codes, self.scale) if hard else palette.decode(codes), dtype, domain)
        placed = laid_out(x, self.layout)
        return placed if self.layout != "broadcast" or domain.contains(placed) else x


@dataclass(frozen=True, slots=True)
class Entries:
    """What is to be drawn for one array: its shape, the number of codes (2 stands for a mask too), its first axis."""

    shape: tuple[int, ...]
    codes: int
    leading: str


@st.composite
def _manner(draw: Draw, values: tuple[str, ...], layouts: tuple[str, ...]) -> Manner:
    manner = draw(weighted(values, {"simple": 3, "ordinary": 3, "hard": 3}))
    layout = draw(weighted(layouts, {"contiguous": 7}))
    if manner != "hard":
        return Manner(manner, "", 0, layout)
    return Manner(manner, draw(weighted(HARD, {"spiked": 4})), draw(st.integers(0, 3)), layout)


@st.composite
def _upstream(draw: Draw, shape: tuple[int, ...], dtype: Any, values: Any, layouts: Any) -> Array:
    manner: Manner = draw(_manner(values, layouts))
    return manner.array(np.asarray(draw(_codes(shape, manner.codes(anything)))), anything, dtype)


def _draw_sizes(draw: Draw, plan: Plan) -> dict[str, int]:
    # 1 shrinks to nothing simpler; 0 comes last where somebody allows it, because an empty case shows little.
    order = {name: tuple(sorted(options, key=lambda n: (n == 0, n))) for name, options in plan.allowed.items()}
    sizes = {name: draw(st.sampled_from(options)) for name, options in order.items()}
    if plan.emptiable and draw(_rarely(10)):
        sizes[draw(st.sampled_from(plan.emptiable))] = 0
    return sizes


def _draw_entries(draw: Draw, entries: Mapping[str, Entries]) -> dict[str, Array]:
    """Codes for every array. Arrays that share their first axis are drawn row by row, a row of each in turn.

    So all that belongs to one example of a batch lies together, and Hypothesis can take out that example alone.
    """
    drawn: dict[str, Array] = {}
    for leading in dict.fromkeys(wanted.leading for wanted in entries.values()):
        group = {name: wanted for name, wanted in entries.items() if wanted.leading == leading}
        if not leading:
            drawn |= {name: np.asarray(draw(_codes(e.shape, e.codes))) for name, e in group.items()}
            continue
        rows: dict[str, list[Array]] = {name: [] for name in group}
        for _ in range(next(iter(group.values())).shape[0]):
            for name, e in group.items():
                rows[name].append(draw(_codes(e.shape[1:], e.codes)))
        drawn |= {name: np.array(rows[name], dtype=np.int64).reshape(e.shape) for name, e in group.items()}
    return drawn


@lru_cache(maxsize=1024)
def _codes(shape: tuple[int, ...], count: int) -> st.SearchStrategy[Any]:
    # Every entry is drawn by itself (no fill), so that each can shrink alone.
    numbers = st.integers(0, count - 1)
    return hnp.arrays(np.int64, shape, elements=numbers, fill=st.nothing()) if shape else numbers


def _leading(spec: shapes.Spec) -> str:
    """The name of the first axis where that is a name and no more."""
    plain = spec.axes and not spec.open and (spec.axes[0].times, spec.axes[0].plus) == (1, 0)
    return spec.axes[0].name if plain else ""


def _labels(spec: shapes.Spec, sizes: Mapping[str, int]) -> int:
    if spec.kind == "bool":
        return 2
    return max(spec.below.size(sizes), 1) if spec.below else 4


def _rarely(one_in: int) -> st.SearchStrategy[bool]:
    return st.integers(0, one_in - 1).map(lambda n: n == one_in - 1)


def weighted(options: tuple[T, ...], weights: Mapping[T, int]) -> st.SearchStrategy[T]:
    """A strategy that picks one of the options, each as often as its weight says, 1 where it says nothing."""
    return st.sampled_from([option for option in options for _ in range(weights.get(option, 1))])


def _may_be_empty(specs: Mapping[str, shapes.Spec], domains: Mapping[str, Domain], name: str) -> bool:
    """Whether size 0 makes sense: no axis would be negative, no labels without a class, no simplex without corners."""
    for argument, spec in specs.items():
        if spec.below is not None and spec.below.name == name and spec.below.size({name: 0}) < 1:
            return False
        if any(axis.name == name and axis.size({name: 0}) < 0 for axis in spec.axes):
            return False
        within = 2 if domains[argument].matrix else 1 if domains[argument].vector else 0
        if within and any(axis.name == name for axis in spec.axes[-within:]):
            return False
    return True


def _real_dtypes(dtypes: Any) -> tuple[Any, ...]:
    listed = list(dtypes) if isinstance(dtypes, (tuple, list)) else [dtypes]
    made = []
    for dtype in listed:
        try:
            made.append(np.dtype(dtype))
        except TypeError as cause:
            raise InvalidInput(f"dtypes has {dtype!r}, which numpy does not know: give float64 or float32") from cause
        if made[-1].kind != "f":
            raise InvalidInput(f"dtypes has {dtype!r}: only real dtypes are differentiated, give float64 or float32")
    if not made:
        raise InvalidInput("dtypes is empty: give at least float64")
    return tuple(made)


def _known(word: str, chosen: Any, known: tuple[str, ...]) -> tuple[str, ...]:
    listed = (chosen,) if isinstance(chosen, str) else tuple(chosen)
    for name in listed:
        if name not in known:
            raise InvalidInput(f"{word} has {name!r}: give names out of {', '.join(known)}")
    if not listed:
        raise InvalidInput(f"{word} is empty: give names out of {', '.join(known)}")
    return tuple(sorted(listed, key=known.index))
