"""Parcel: a layer with its inputs, packed once and opened once by every thread of every worker that meets it.

A parcel is a token and a place where its content lies: a file for workers of this machine, else the content itself,
sent to a worker that says it has not got it. What is opened is kept, so that later tasks carry the token alone.
"""

from __future__ import annotations

import os
import pickle
import sys
import sysconfig
import tempfile
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pytest_gradcheck.calls import Calls
from pytest_gradcheck.domain import Domain
from pytest_gradcheck.errors import InvalidInput, LayerError
from pytest_gradcheck.numeric.stencil import Stencil
from pytest_gradcheck.precision import Narrow
from pytest_gradcheck.randomness import Frozen
from pytest_gradcheck.settings import Settings
from pytest_gradcheck.target import Array, Target

#: A worker keeps so many parcels open: a chain of checks on one executor uses one after the other.
MOST_OPEN = 2


@dataclass(frozen=True, slots=True)
class Cargo:
    """What is packed.

    target: the layer in its common form, before its first call. values: its inputs at this point, as it takes them.
    upstream: one array per output, as it takes them. shapes: of the outputs. domains: by position.
    way: how it is differentiated: "as it is", "narrow" (cast to its own dtypes) or "wide" (in float64).
    writes: whether its forward writes into what it is given.
    random: by name, the state of each random source of the process. settings: of the check.
    """

    target: Target
    values: tuple[Array, ...]
    upstream: tuple[Array, ...]
    shapes: tuple[tuple[int, ...], ...]
    domains: tuple[Domain | None, ...]
    way: str
    writes: bool
    random: Mapping[str, Any]
    settings: Settings


@dataclass(frozen=True, slots=True)
class Parcel:
    """A packed cargo as a task carries it.

    token: names it. path: a file of the machine that packed it. process: which packed it; there the random state
    needs not be set. content, arrays: the bytes themselves, and what was sent after them, where they came along.
    """

    token: str
    path: str
    process: int
    content: bytes | None = field(default=None, repr=False)
    arrays: Mapping[int, Array] = field(default_factory=dict, repr=False)


def delivered(
    task: Callable[..., Any], parcel: Parcel, content: Any, arrays: Mapping[int, Any], *arguments: Any
) -> Any:
    """Run a task in a worker; content and arrays: arguments of their own, for a cluster to put in what it holds."""
    return task(replace(parcel, content=content, arrays=arrays), *arguments)


class NotHere(Exception):  # noqa: N818 - an answer, not an error
    """This worker has neither what a task needs nor its file: send it along."""


def pack(cargo: Cargo) -> bytes:
    """The cargo as bytes; raises InvalidInput where the layer cannot travel."""
    try:
        return _pickled(cargo)
    except Exception as cause:
        why = " ".join(str(cause).split())[:200] or "no message"
        name = cargo.target.name
        raise InvalidInput(
            f"{name} cannot be sent to a worker: {type(cause).__name__} ({why}); "
            "define it in a module, or check it without executor="
        ) from cause


def _pickled(cargo: Cargo) -> bytes:
    try:
        cloudpickle: Any = import_module("cloudpickle")
    except ImportError:
        return pickle.dumps(cargo, pickle.HIGHEST_PROTOCOL)
    # A test's module is found by no other process: what it defines travels as it is.
    homes = [module for module in _modules_of(cargo.target) if _is_the_users_own(module)]
    try:
        for module in homes:
            cloudpickle.register_pickle_by_value(module)
        packed: bytes = cloudpickle.dumps(cargo, pickle.HIGHEST_PROTOCOL)
    finally:
        for module in homes:
            cloudpickle.unregister_pickle_by_value(module)
    return packed


def _modules_of(target: Target) -> list[ModuleType]:
    """Modules in which a layer, or the functions that make it up, are defined."""
    layer = target.layer
    things = [layer, *(layer if isinstance(layer, tuple) else ()), *vars(target).values()]
    names = {getattr(thing, "__module__", None) for thing in things} | {
        kind.__module__ for thing in things for kind in type(thing).__mro__
    }
    return [sys.modules[name] for name in sorted(filter(None, names)) if name in sys.modules]


def _is_the_users_own(module: ModuleType) -> bool:
    """Whether a module is neither installed nor ours; `__main__` travels by value in any case."""
    file = getattr(module, "__file__", None)
    if file is None or module.__name__.partition(".")[0] in ("pytest_gradcheck", "__main__"):
        return False
    installed = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return not any(Path(file).is_relative_to(folder) for folder in installed)


@contextmanager
def shared(cargo: Cargo) -> Iterator[tuple[Parcel, None]]:
    """The parcel of a cargo for threads of this process, each of which will copy the layer."""
    master = cargo.target.fresh()
    if master is None:
        way_out = "give it a __deepcopy__, or check it without executor="
        raise InvalidInput(f"{cargo.target.name} cannot be copied for another thread: {way_out}")
    parcel = Parcel(uuid.uuid4().hex, "", os.getpid())
    # Nobody calls this copy, so that threads can copy it at any time.
    _shared[parcel.token] = replace(cargo, target=master)
    try:
        yield parcel, None
    finally:
        del _shared[parcel.token]


@contextmanager
def packed(cargo: Cargo) -> Iterator[tuple[Parcel, bytes]]:
    """The parcel of a cargo and its bytes; the file is gone at the end."""
    content = pack(cargo)
    handle, path = tempfile.mkstemp(prefix="gradcheck-", suffix=".parcel")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        yield Parcel(uuid.uuid4().hex, path, os.getpid()), content
    finally:
        for left in Path(path).parent.glob(f"{Path(path).name}*"):
            left.unlink(missing_ok=True)


def beside(path: str, number: int) -> Path:
    """The file of an array that is sent after a parcel."""
    return Path(f"{path}.{number}.npy")


class Opened:
    """A cargo in the hands of one worker: its calls, and the stencil around its point."""

    def __init__(self, cargo: Cargo, elsewhere: bool) -> None:
        self.cargo = cargo
        # A copy for the contract, which begins where the check began: before the first call.
        self.untouched = cargo.target.fresh()
        self.frozen = Frozen(cargo.target)
        if elsewhere:
            self.frozen.set_out_from(cargo.random)
        target = _differentiated(cargo.target, cargo.way)
        frozen = self.frozen if target is cargo.target else self.frozen.on(target)
        self.calls = Calls(target, frozen=frozen)
        self.stencil = Stencil(self.calls, [np.array(v, np.float64) for v in cargo.values], cargo.domains)
        self.stencil.shapes, self.stencil.writes = list(cargo.shapes), cargo.writes
        self._arrays: dict[int, Array] = {}

    def array(self, number: int, parcel: Parcel) -> Array:
        """An array that was sent once, by its number; raises `NotHere` where it has to be sent again."""
        if number not in self._arrays:
            if number in parcel.arrays:
                self._arrays[number] = parcel.arrays[number]
            else:
                try:
                    self._arrays[number] = np.load(beside(parcel.path, number), allow_pickle=False)
                except OSError:
                    raise NotHere(parcel.token) from None
        return self._arrays[number]


def _differentiated(target: Target, way: str) -> Target:
    if way == "narrow":
        return Narrow(target)
    return (target.widened() or target) if way == "wide" else target


#: What is checked in this process at present with threads.
_shared: dict[str, Cargo] = {}
_held: OrderedDict[tuple[str, int], Opened] = OrderedDict()
_lock = threading.Lock()


def opened(parcel: Parcel) -> Opened:
    """The cargo of a parcel, for this thread of this worker alone; raises `NotHere` where it has to be sent."""
    key = parcel.token, threading.get_ident()
    with _lock:
        if key in _held:
            return _held[key]
    cargo = _copied(_shared[parcel.token]) if parcel.token in _shared else _unpacked(parcel)
    found = Opened(cargo, elsewhere=os.getpid() != parcel.process)
    with _lock:
        _held[key] = found
        tokens = list(dict.fromkeys(token for token, _ in _held))
        for old in tokens[:-MOST_OPEN]:
            for held in [k for k in _held if k[0] == old]:
                del _held[held]
    return found


def _copied(cargo: Cargo) -> Cargo:
    return replace(cargo, target=cargo.target.fresh() or cargo.target)


def _unpacked(parcel: Parcel) -> Cargo:
    content = parcel.content
    if content is None:
        try:
            content = Path(parcel.path).read_bytes()
        except OSError:
            raise NotHere(parcel.token) from None
    try:
        cargo: Cargo = pickle.loads(content)
    except Exception as cause:
        why = " ".join(str(cause).split())[:200]
        raise LayerError(
            f"the layer could not be unpacked in a worker: {type(cause).__name__} ({why}); "
            "install its module where the worker runs"
        ) from None
    return cargo


def forget(tokens: Sequence[str]) -> None:
    """Drop parcels that are no longer needed in this process."""
    with _lock:
        for key in [k for k in _held if k[0] in tokens]:
            del _held[key]
