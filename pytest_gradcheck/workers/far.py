"""Far: a stencil whose outputs are computed by workers, the next ones while the present ones are looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from pytest_gradcheck.calls import Calls
from pytest_gradcheck.domain import Domain
from pytest_gradcheck.numeric.directions import Direction
from pytest_gradcheck.numeric.scales import Floats
from pytest_gradcheck.numeric.stencil import Block, Move, Stencil
from pytest_gradcheck.target import Array

from . import tasks
from .crew import Crew, Errand

#: The lecture's differences are handed out in so many parts per argument, so that no worker waits long for another.
PARTS = 16
#: With so many points to evaluate beside it, a long task goes out: what is waited for would else queue behind it.
ENOUGH = 6

Key = tuple[object, ...]


class FarStencil(Stencil):
    """See `Stencil`; points that are announced are evaluated at once, each is counted when it is used.

    long: hands out what takes long and is not needed before the end; called again it does nothing.
    """

    looks_ahead = True

    def __init__(
        self,
        calls: Calls,
        values: Sequence[Array],
        domains: Sequence[Domain | None],
        crew: Crew,
        long: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(calls, values, domains)
        self._crew, self._long = crew, long
        self._ahead: dict[Key, tuple[Errand, int]] = {}

    def announce(self, moves: Iterable[Move], together: bool = False) -> None:
        """Have points evaluated that will be asked for: each by itself, or all `together` by one worker."""
        new = [(move,) for move in moves if _key((move,)) not in self._ahead]
        if len(new) >= ENOUGH:
            self._long()
        for places in [new] if together and new else [[place] for place in new]:
            self._send(places)

    def at(self, *moves: Move) -> list[Floats]:
        """Outputs, flat, with blocks of entries moved."""
        self.calls.meter.forward()
        key = _key(moves)
        if key not in self._ahead:
            self._send([moves])
        errand, place = self._ahead.pop(key)
        found: list[Floats] = self._crew.answer(errand)[place]
        return found

    def pair(self, block: Block, direction: Direction, t: float) -> tuple[list[Floats], list[Floats]]:
        """Outputs at +t and at -t."""
        self.announce([(block, direction, t), (block, direction, -t)])
        return self.at((block, direction, t)), self.at((block, direction, -t))

    def pair_moved(self, block: Block, direction: Direction, t: float) -> tuple[list[Any], list[Any]]:
        """Outputs at +t and at -t; nothing is moved here."""
        return self.pair(block, direction, t)

    def restore(self, block: Block) -> None:
        """Nothing was moved."""

    def differences(
        self, i: int, h: float, upstream: Sequence[Floats], positions: Sequence[int] | None = None
    ) -> Floats:
        """The lecture's central differences of entries of argument i, in parts."""
        positions = range(self.flat[i].size) if positions is None else positions
        edges = np.unique(np.linspace(0, len(positions), PARTS + 1).astype(int)).tolist()
        parts = [positions[a:b] for a, b in pairwise(edges)]
        once = [self._crew.once(u) for u in upstream]
        errands = [self._crew.send(tasks.differences, i, part, h, once, needs=once) for part in parts]
        found = []
        for errand, part in zip(errands, parts, strict=True):
            for _ in range(2 * len(part)):
                self.calls.meter.forward()
            found.append(self._crew.answer(errand))
        return np.concatenate(found) if found else np.empty(0)

    def _send(self, places: Sequence[Sequence[Move]]) -> None:
        sent = [[(self._sent(block), direction, t) for block, direction, t in moves] for moves in places]
        needs = {number for moves in sent for (_, _, _, number), _, _ in moves if number is not None}
        errand = self._crew.send(tasks.outputs, sent, needs=sorted(needs))
        for at, place in enumerate(places):
            self._ahead[_key(place)] = errand, at

    def _sent(self, block: Block) -> tasks.Sent:
        if isinstance(block.index, tuple):
            return (block.argument, *block.index, None)
        whole, start = block.within or (block.index, 0)
        return block.argument, start, start + block.size, self._crew.once(whole)


def _key(moves: Sequence[Move]) -> Key:
    return tuple(part for block, direction, t in moves for part in (*_block(block), direction.key, t))


def _block(block: Block) -> tuple[Any, ...]:
    last = block.index[1] if isinstance(block.index, tuple) else block.index[-1]
    return (*block.key, int(last), isinstance(block.index, tuple))
