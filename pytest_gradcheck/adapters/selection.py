"""`wrt`: a target of which only some arguments are differentiated, the others held at their values."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from pytest_gradcheck.elsewhere import Elsewhere
from pytest_gradcheck.errors import InvalidInput
from pytest_gradcheck.target import Array, Target

from .wrapped import Wrapped

Wanted = str | int | Iterable[str | int]


class Selected(Wrapped):
    """Another target seen through some of its arguments."""

    def __init__(self, whole: Target, kept: tuple[int, ...]) -> None:
        super().__init__(whole)
        whole.restrict(kept)
        self.kept, self.wide, self.all = kept, False, whole.arguments
        self.arguments = tuple(whole.arguments[i] for i in kept)
        left = [a.name for i, a in enumerate(whole.arguments) if i not in kept]
        self.passed_through = (*whole.passed_through, *((name, "left out by wrt") for name in left))

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs at these values, all other arguments as they were given."""
        given = dict(zip(self.kept, values, strict=True))
        batch = values[0].shape[: values[0].ndim - self.arguments[0].value.ndim] if self.batched else ()
        return super().forward([given[i] if i in given else self._held(a.value, batch) for i, a in enumerate(self.all)])

    def _held(self, value: Array, batch: tuple[int, ...]) -> Array:
        value = value.astype(np.float64) if self.wide else value.copy()
        return np.broadcast_to(value, batch + value.shape).copy() if batch else value

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """The gradients of the kept arguments; a layer may also return these alone."""
        returned = super().backward(upstream)
        return [returned[i] for i in self.kept] if len(returned) == len(self.all) else returned

    def elsewhere(self) -> Elsewhere | None:
        """Where the inner arrays live; those that are held are held there."""
        inner = self.inner.elsewhere()
        if inner is None:
            return None
        with inner.working():
            held = {i: inner.put(self._held(a.value, ())) for i, a in enumerate(self.all) if i not in self.kept}

        def call(values: Sequence[Any]) -> Sequence[Any]:
            given = dict(zip(self.kept, values, strict=True))
            return inner.call([given[i] if i in given else inner.copy(held[i]) for i in range(len(self.all))])

        place = copy.copy(inner)
        place.call = call
        return place

    def widened(self) -> Target | None:
        """The same selection of the float64 twin, whose other arguments are float64 too."""
        twin = super().widened()
        if twin is not self and isinstance(twin, Selected):
            twin.wide = True
        return twin


def select(target: Target, wrt: Wanted | None) -> Target:
    """The target restricted to the arguments that `wrt` names; the target itself where it names all.

    wrt: names or positions (inputs first, then parameters), one or several; a nested input is named as a whole or
    by leaf. Raises InvalidInput for one that is not there or cannot be differentiated.
    """
    if wrt is None:
        return target
    wanted = _wanted(target, wrt)
    kept = sorted({i for want in wanted for i in _places(target, want)})
    if not kept:
        raise InvalidInput(f"wrt is empty: name at least one argument of {target.name}, {_known(target)}")
    return target if len(kept) == len(target.arguments) else Selected(target, tuple(kept))


def _wanted(target: Target, wrt: Any) -> list[str | int]:
    """The single names and positions that are asked for."""
    items = list(wrt) if isinstance(wrt, Iterable) and not isinstance(wrt, (str, bytes)) else [wrt]
    for item in items:
        if isinstance(item, bool) or not isinstance(item, (str, Integral)):
            raise InvalidInput(f"wrt is {wrt!r:.60}: give names or positions of the arguments {_known(target)}")
    return [item if isinstance(item, str) else int(item) for item in items]


def _places(target: Target, want: str | int) -> list[int]:
    if isinstance(want, int):
        name = dict(enumerate(_top_names(target))).get(want)
        if name is None:
            raise InvalidInput(f"wrt is {want}: {target.name} has the arguments {_known(target)}, counted from 0")
        want = name
    places = [i for i, argument in enumerate(target.arguments) if is_part(argument.name, want)]
    if places:
        return places
    for name, reason in target.passed_through:
        if is_part(name, want):
            raise InvalidInput(f"wrt asks for {name!r} ({reason}): cast {name} to float or leave it out of wrt")
    raise InvalidInput(f"wrt names {want!r}: {target.name} has the arguments {_known(target)}")


def is_part(name: str, whole: str) -> bool:
    """Whether a leaf's name is that of the whole argument or of a part of it, as `state[0]` of `state`."""
    return name == whole or (name.startswith(whole) and name[len(whole)] in "[.")


def _top_names(target: Target) -> list[str]:
    return list(target.positions or (argument.name for argument in target.arguments))


def _known(target: Target) -> str:
    return ", ".join(repr(argument.name) for argument in target.arguments) or "none"
