"""Randomness held still: every random source a layer can reach is put back before each forward, and at the end.

A dropout layer draws another mask at each call; two calls can be compared only where both start from one state.
Known sources: `random`, numpy's global state, torch's where it is loaded, and every generator found in the layer.
"""

from __future__ import annotations

import ctypes
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import (
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

import numpy as np

#: Where a state holds what a source's `trace` gave when it was read.
TRACE = "trace"
#: The search looks at so many objects at most, and at so many items of one container.
MOST_OBJECTS, MOST_ITEMS = 600, 64

_LEAVES = (
    str,
    bytes,
    bytearray,
    int,
    float,
    complex,
    type(None),
    np.ndarray,
    np.generic,
    ModuleType,
    BuiltinFunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    WrapperDescriptorType,
)
_LEAF_TYPES = frozenset(_LEAVES)
_LIBRARIES = frozenset(
    {"builtins", "numpy", "torch", "jax", "jaxlib", "abc", "typing", "collections", "pytest_gradcheck"}
)


@dataclass(frozen=True, slots=True)
class Source:
    """One random source: how its state is read and written; `origin` is the object itself.

    trace: a quick look that differs wherever the state does, where the state that was read holds one under `TRACE`.
    """

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], Any]
    origin: Any
    slow_to_write: bool = False
    trace: Callable[[], Any] | None = None

    def moved_from(self, state: Any) -> bool:
        """Whether the state is another one than this."""
        if self.trace is not None and state[TRACE] is not None:
            return bool(self.trace() != state[TRACE])
        return not _same(self.read(), state)


class Frozen:
    """The random state at the start of a check; a context manager that puts it back at the end, whatever happens.

    `restore()` before each forward costs nothing for a layer that draws nothing: which sources move is found out
    once, by `notice()` after the first forward.

    layer: what is searched for generators; any object, a target included.
    shared: the state of another layer, whose sources this one takes over (see `on`).
    reaches: whether the search found any generator in the layer.
    """

    def __init__(self, layer: Any = None, *, shared: Frozen | None = None) -> None:
        if shared is None:
            self._global = [(source, source.read()) for source in _global_sources()]
            reached, inherited, moving = sources_in(layer), self._global, []
        else:
            # A copy of a layer that reaches no generator reaches none either: the search is spared. Of the other
            # layer's own generators this one must leave its hands.
            reached = sources_in(layer) if shared.reaches else []
            origins = {id(source.origin) for source, _ in shared._global} | {id(source.origin) for source in reached}
            self._global = shared._global
            inherited = [(source, state) for source, state in shared.states if id(source.origin) in origins]
            moving = [(source, state) for source, state in shared._moving if id(source.origin) in origins]
        self._others: set[int] = set() if shared is None else shared._others
        known = {id(source.origin) for source, _ in inherited}
        found = [source for source in reached if id(source.origin) not in known]
        self.reaches: bool = bool(reached)
        self.states: list[tuple[Source, Any]] = inherited + [(source, source.read()) for source in found]
        self._moving: list[tuple[Source, Any]] = moving
        # Nor does a copy of a layer that draws nothing draw anything: the comparison of states is spared.
        self._noticed: bool = shared is not None and shared._noticed and not shared._moving

    def on(self, layer: Any) -> Frozen:
        """The same states for a copy of the layer, whose own generators are taken as they are now."""
        # A copy of a layer that has none and draws from no other has nothing of its own to be put back.
        idle = self._noticed and not self.reaches and not self._moving
        return self if idle else Frozen(layer, shared=self)

    def shipped(self) -> dict[str, Any]:
        """The states of the sources that belong to this process and not to the layer, by name."""
        return {source.name: state for source, state in self._global}

    @property
    def moves_the_process(self) -> bool:
        """Whether the first forward drew from a source that belongs to this process."""
        own = {id(source) for source, _ in self._global}
        return any(id(source) in own for source, _ in self._moving)

    def set_out_from(self, states: Mapping[str, Any]) -> None:
        """In another process: take the states of the one that sent the layer, as far as the sources are here, too."""
        own = {id(source) for source, _ in self._global}
        self.states = [
            (source, states.get(source.name, state) if id(source) in own else state) for source, state in self.states
        ]
        self._global = [(source, states.get(source.name, state)) for source, state in self._global]
        for source, state in self._global:
            source.write(state)
        # A worker of a cluster has threads of its own, which draw from `random`.
        self._others = {id(source) for source, _ in self._global if source.name == "random"}

    def restore(self) -> None:
        """Put back the sources that a forward moves."""
        for source, state in self._moving:
            source.write(state)

    def notice(self) -> None:
        """After the first forward: remember which sources it moved."""
        if not self._noticed:
            self._noticed = True
            self._moving = [(source, state) for source, state in self.states if source.moved_from(state)]

    def sources(self) -> list[Source]:
        """All sources known."""
        return [source for source, _ in self.states]

    @property
    def moving(self) -> tuple[str, ...]:
        """Names of the sources that the first forward moved."""
        return tuple(source.name for source, _ in self._moving)

    def strayed(self) -> tuple[str, ...]:
        """Names of the sources that are not as they were, though the first forward did not move them."""
        known = {id(source) for source, _ in self._moving} | self._others
        return tuple(s.name for s, state in self.states if id(s) not in known and s.moved_from(state))

    def shift(self) -> None:
        """Move the sources that forward draws from to another state (to see whether backward draws again)."""
        for source, _ in self._moving:
            _stir(source)

    def release(self) -> None:
        """Put everything back as it was at the start."""
        for source, state in self.states:
            if source.slow_to_write and not source.moved_from(state):
                continue
            source.write(state)

    def __enter__(self) -> Frozen:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def sources_in(layer: Any) -> list[Source]:
    """Generators reachable from a layer: attributes, containers, closures, and the globals its functions name."""
    found: list[Source] = []
    queue, seen, position = [layer], {id(layer)}, 0
    while position < len(queue) and position < MOST_OBJECTS:
        thing = queue[position]
        position += 1
        source = _as_source(thing)
        if source is not None:
            found.append(source)
            continue
        for child in _children(thing):
            # A leaf is nearly always an array or a number: the type test spares the walk most of its work.
            if type(child) not in _LEAF_TYPES and not isinstance(child, _LEAVES) and id(child) not in seen:
                seen.add(id(child))
                queue.append(child)
    return found


_GENERATORS = (np.random.Generator, np.random.BitGenerator, np.random.RandomState, random.Random)


def _as_source(thing: Any) -> Source | None:
    if not isinstance(thing, _GENERATORS):
        return _as_torch_source(thing) if "torch" in sys.modules else None
    if isinstance(thing, np.random.Generator):
        thing = thing.bit_generator
    if isinstance(thing, np.random.BitGenerator):
        return Source("a numpy Generator", lambda: thing.state, lambda state: setattr(thing, "state", state), thing)
    if isinstance(thing, np.random.RandomState):
        return Source("a numpy RandomState", lambda: thing.get_state(legacy=False), thing.set_state, thing)
    return Source("a random.Random", thing.getstate, thing.setstate, thing)


def _as_torch_source(thing: Any) -> Source | None:
    torch_generator: Any = getattr(sys.modules.get("torch"), "Generator", None)
    if torch_generator is not None and isinstance(thing, torch_generator):
        return Source("a torch Generator", thing.get_state, thing.set_state, thing)
    return None


def _children(thing: Any) -> Iterable[Any]:
    if isinstance(thing, FunctionType):
        return _reached_by(thing)
    if isinstance(thing, type):
        return vars(thing).values() if _is_users(thing) else ()
    if isinstance(thing, dict):
        return list(thing.values())[:MOST_ITEMS]
    if isinstance(thing, (list, tuple, set, frozenset)):
        return list(thing)[:MOST_ITEMS]
    if isinstance(thing, MethodType):
        return thing.__self__, thing.__func__
    if isinstance(thing, (staticmethod, classmethod)):
        return (thing.__func__,)
    if isinstance(thing, partial):
        return thing.func, *thing.args, *thing.keywords.values()
    return _attributes(thing)


def _attributes(thing: Any) -> Iterator[Any]:
    yield from list(getattr(thing, "__dict__", {}).values())
    for kind in type(thing).__mro__:
        if not _is_users(kind):
            continue
        yield kind
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            yield getattr(thing, name, None)


def _is_users(kind: type) -> bool:
    return str(kind.__module__).partition(".")[0] not in _LIBRARIES


def _reached_by(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a cell that is not filled yet
            continue
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    module = function.__globals__
    for name in function.__code__.co_names:
        if name in module:
            yield module[name]


def _global_sources() -> list[Source]:
    legacy = np.random.mtrand._rand
    sources = [
        Source("random", random.getstate, random.setstate, getattr(random, "_inst", random)),
        Source("numpy.random", _numpy_state, np.random.set_state, legacy, slow_to_write=True, trace=_numpy_trace),
    ]
    torch: Any = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "default_generator"):
        generator = torch.default_generator
        sources.append(Source("torch", generator.get_state, generator.set_state, generator))
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            for card, generator in enumerate(torch.cuda.default_generators):
                sources.append(Source(f"torch.cuda:{card}", generator.get_state, generator.set_state, generator))
    return sources


def _numpy_state() -> Any:
    """The state of numpy's global generator, with a trace where one tells whenever it has moved.

    It takes thirty microseconds to read, and is asked for three times in each check; the trace takes half of one.
    """
    state: Any = np.random.get_state(legacy=False)
    state[TRACE] = None
    # A normal number that was drawn in advance can be taken without moving the bits.
    if state["bit_generator"] == "MT19937" and not state["has_gauss"]:
        words, last = state["state"]["key"].tobytes(), int(state["state"]["pos"]).to_bytes(4, sys.byteorder)
        trace = _numpy_trace()
        state[TRACE] = trace if trace == words + last else None
    return state


def _numpy_trace() -> bytes:
    """The memory of the global bit generator: 624 words and a position, as `_numpy_state` makes sure."""
    return ctypes.string_at(np.random.mtrand._rand._bit_generator.ctypes.state_address, 2500)


def _stir(source: Source) -> None:
    origin = source.origin
    if isinstance(origin, np.random.BitGenerator):
        origin.random_raw(7)
    elif isinstance(origin, np.random.RandomState):
        origin.random_sample(7)
    elif isinstance(origin, random.Random):
        for _ in range(7):
            origin.random()
    elif hasattr(origin, "device"):  # a generator of torch
        sys.modules["torch"].rand(7, generator=origin, device=origin.device)


def _same(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if isinstance(a, dict):
        return all(_same(value, b[key]) for key, value in a.items())
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    equal = a == b
    return bool(equal.all()) if hasattr(equal, "all") else bool(equal)
