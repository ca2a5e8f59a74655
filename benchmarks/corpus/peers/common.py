"""What every adapter of another checker uses: a layer that counts, a registry, the run of one case."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Case
from benchmarks.corpus.outcome import Outcome


class MismatchError(Exception):
    """The checker's own verdict that the gradients are wrong."""


class Counted:
    """A layer that counts what a checker asks of it.

    Checkers interleave perturbed forward calls with backward calls on one layer object: `grads` repeats the
    forward on the saved inputs where the last one was on others. These repeats are not counted.
    """

    def __init__(self, layer: Any) -> None:
        self.layer, self.forwards, self.backwards = layer, 0, 0
        self.last: list[Array] = []

    def call(self, xs: Sequence[Array]) -> Array:
        self.last = [np.array(x) for x in xs]
        return np.asarray(self.layer.forward(*xs))

    def forward(self, *xs: Array) -> Array:
        self.forwards += 1
        return self.call(xs)

    def grads(self, xs: Sequence[Array], upstream: Array) -> list[Any]:
        """Gradients of xs, None where the layer returned none."""
        self.backwards += 1
        if len(self.last) != len(xs) or not all(map(np.array_equal, self.last, xs)):
            self.call(xs)
        return [g if g is None else np.asarray(g) for g in self.layer.backward(upstream)]

    def full_grads(self, xs: Sequence[Array], upstream: Array) -> list[Any]:
        """The same with zeros in the place of None."""
        return [np.zeros_like(x) if g is None else g for x, g in zip(xs, self.grads(xs, upstream), strict=True)]


Adapter = Callable[[Counted, tuple[Array, ...], np.random.Generator], None]


@dataclass(frozen=True)
class Peer:
    """One checker: its adapter, the environment it runs in, and the packages that environment needs."""

    name: str
    adapter: Adapter
    venv: str
    packages: tuple[str, ...]
    modules: tuple[str, ...]
    about: str

    def check(self, case: Case, seed: int) -> Outcome:
        """The checker's word on a case."""
        rng = np.random.default_rng(seed)
        layer, inputs, outcome = Counted(case.make()), case.inputs(rng), Outcome("pass")
        np.random.seed(seed)
        start = time.perf_counter()
        try:
            self.adapter(layer, inputs, rng)
        except MismatchError as e:
            outcome = Outcome("fail", str(e))
        except Exception as e:
            outcome = Outcome("fail", f"{type(e).__name__}: {e}", raised=True)
        outcome.seconds = time.perf_counter() - start
        outcome.forward_evaluations, outcome.backward_calls = layer.forwards, layer.backwards
        return outcome


PEERS: dict[str, Peer] = {}


def peer(name: str, venv: str, packages: str, about: str, modules: str = "") -> Callable[[Adapter], Adapter]:
    """Register an adapter; `packages` as given to pip, `modules` to look for where they are named otherwise."""

    def register(adapter: Adapter) -> Adapter:
        needed = tuple((modules or packages.replace("==", " ").split()[0]).split()) if packages else ()
        PEERS[name] = Peer(name, adapter, venv, ("numpy", *packages.split()), needed, about)
        return adapter

    return register


@contextmanager
def verdict(*types: type[BaseException]) -> Iterator[None]:
    """Turns the checker's own exceptions into MismatchError."""
    try:
        yield
    except types as e:
        raise MismatchError(str(e)) from e


def upstream_of(layer: Counted, inputs: Sequence[Array], rng: np.random.Generator) -> Array:
    """A random upstream of the output's shape and dtype."""
    y = layer.forward(*inputs)
    return np.asarray(rng.standard_normal(y.shape), y.dtype)
