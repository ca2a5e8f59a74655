"""Tasks: what a worker does with a parcel. Each is a plain function of what can be pickled."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager

import numpy as np

from pytest_gradcheck.calls import Calls, quiet
from pytest_gradcheck.contract import Outcome, begin, examine
from pytest_gradcheck.numeric.directions import Direction
from pytest_gradcheck.numeric.scales import Floats
from pytest_gradcheck.numeric.stencil import Block

from .parcel import Opened, Parcel, opened

#: A block on its way: the argument, a range of positions, and the number of the array in which they are looked up;
#: None where they are the positions themselves.
Sent = tuple[int, int, int, int | None]
#: What is moved, along which direction, and how far.
SentMove = tuple[Sent, Direction, float]


def outputs(parcel: Parcel, places: Sequence[Sequence[SentMove]]) -> list[list[Floats]]:
    """The outputs at each of some places, flat; a place is what is moved, and how far."""
    with _calm(parcel):
        held = opened(parcel)
        return [held.stencil.at(*((_block(held, parcel, b), d, t) for b, d, t in moves)) for moves in places]


def differences(parcel: Parcel, argument: int, positions: Sequence[int], h: float, upstream: Sequence[int]) -> Floats:
    """The lecture's central differences of some entries of one argument; upstream: by number."""
    with _calm(parcel):
        held = opened(parcel)
        flat = [held.array(number, parcel) for number in upstream]
        return held.stencil.differences(argument, h, flat, positions)


def contract(parcel: Parcel) -> tuple[Outcome, int, int]:
    """What the clauses say that call the layer again; also the forwards and backwards that they took."""
    with _calm(parcel):
        held = opened(parcel)
        cargo, target = held.cargo, held.untouched
        if target is None:
            raise RuntimeError("a contract is only sent with a layer that can be copied")
        calls = Calls(target, frozen=held.frozen.on(target))
        first = begin(calls, cargo.values, lambda _: cargo.upstream, target.fresh())
        # The first call has been counted where it was made before.
        calls.meter.forward_evaluations = calls.meter.backward_calls = 0
        outcome = examine(first, cargo.settings)
        return outcome, calls.meter.forward_evaluations, calls.meter.backward_calls


def _block(held: Opened, parcel: Parcel, sent: Sent) -> Block:
    argument, start, stop, number = sent
    return Block(argument, (start, stop) if number is None else held.array(number, parcel)[start:stop])


def _calm(parcel: Parcel) -> AbstractContextManager[object]:
    # Filters of warnings belong to a whole process: in the one that checks they are set already.
    return np.errstate(all="ignore") if os.getpid() == parcel.process else quiet()
