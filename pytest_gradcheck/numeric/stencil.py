"""Stencil: outputs at points around the centre. Entries are moved in place in the layer's own copy, and restored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_gradcheck.calls import Calls
from pytest_gradcheck.domain import Domain
from pytest_gradcheck.target import Array

from .directions import CHUNK, Direction
from .scales import Floats, units
from .sums import Tally

Index = npt.NDArray[np.intp]
FLOAT64 = np.dtype(np.float64)
#: Blocks of at most so many entries are made ready once for all steps along a direction.
SMALL = 1 << 10


@dataclass(frozen=True, slots=True)
class Block:
    """A set of entries of one argument that are moved together.

    index: a range (start, stop) of flat positions, or the sorted positions themselves.
    within: where these are a part of other positions, all of those, and where in them it begins.
    """

    argument: int
    index: tuple[int, int] | Index
    within: tuple[Index, int] | None = None

    @property
    def size(self) -> int:
        """How many entries."""
        return self.index[1] - self.index[0] if isinstance(self.index, tuple) else len(self.index)

    @property
    def key(self) -> tuple[int, int, int]:
        """What tells this block from others of the same examination."""
        return self.argument, int(self.index[0]) if self.size else -1, self.size

    def halves(self) -> tuple[Block, Block]:
        """The first and the second half of the entries."""
        middle = self.size // 2
        if isinstance(self.index, tuple):
            start, stop = self.index
            return Block(self.argument, (start, start + middle)), Block(self.argument, (start + middle, stop))
        whole, start = self.within or (self.index, 0)
        return (
            Block(self.argument, self.index[:middle], (whole, start)),
            Block(self.argument, self.index[middle:], (whole, start + middle)),
        )

    def pieces(self) -> Iterable[slice | Index]:
        """The entries in pieces that fit the cache, none across a chunk of the directions where it is a range."""
        if isinstance(self.index, tuple) and self.index[0] // CHUNK == (self.index[1] - 1) // CHUNK:
            return (slice(*self.index),)
        return self._pieces()

    def _pieces(self) -> Iterator[slice | Index]:
        if isinstance(self.index, tuple):
            start, stop = self.index
            while start < stop:
                end = min(stop, (start // CHUNK + 1) * CHUNK)
                yield slice(start, end)
                start = end
        else:
            for at in range(0, len(self.index), CHUNK):
                yield self.index[at : at + CHUNK]

    def positions(self, picked: Index | None = None) -> Index:
        """Flat positions of the entries, or of the picked ones among them."""
        if isinstance(self.index, tuple):
            start, stop = self.index
            return np.arange(start, stop, dtype=np.intp) if picked is None else picked + start
        return self.index if picked is None else self.index[picked]


#: What is moved, along which direction, and how far in units of the step.
Move = tuple[Block, Direction, float]


@dataclass(slots=True)
class Moved:
    """A small block with all that moves it along one direction: a ladder moves it ten times.

    along: the direction's numbers. unit: of the step, one for all or one each. here: where the entries are moved.
    base: what they are at the centre.
    """

    block: Block
    direction: Direction
    along: Floats
    unit: float | Floats
    here: Floats
    base: Floats

    def by(self, t: float) -> None:
        """Move the entries to base + t x unit x direction."""
        here = self.here
        np.multiply(self.along, t * self.unit, here)
        np.add(here, self.base, here)


@dataclass(slots=True)
class Claim:
    """What backward declares for one upstream.

    upstream: flat float64, one array per output; masked: whether some of it is zero on purpose.
    gradients: flat float64, one per argument, None where there is none to compare.
    trembles: by how much backward changes each entry when the inputs change in their last digits, like gradients.
    """

    upstream: list[Floats]
    gradients: list[Floats | None]
    masked: bool = False
    trembles: list[Floats | None] | None = None


class Stencil:
    """The centre, the layer's copy of it, and the way around it.

    values: float64 arrays, one per argument; never written. domains: by position, None for no bounds.
    """

    #: Whether points that are announced are evaluated before they are asked for.
    looks_ahead = False

    def __init__(self, calls: Calls, values: Sequence[Array], domains: Sequence[Domain | None]) -> None:
        self.calls = calls
        self.values = [np.asarray(v, np.float64, order="C") for v in values]
        self.flat = [v.reshape(-1) for v in self.values]
        self._work: list[Array] = []
        self._flat_work: list[Floats] = []
        #: Outputs at the layer's copy as it is now, uncopied.
        self._there: Callable[[], Sequence[Array]] | None = None
        #: The last small block that was moved, and what moves it and puts it back.
        self._last: Moved | None = None
        self.domains = list(domains)
        self.input_rounding = 2.0**-54
        #: Whether outputs must be copied, because the layer writes each into the buffer of the last.
        self.copies = False
        #: Whether the layer must get copies, because its forward writes into what it is given.
        self.writes = False
        #: Flat positions of entries that stand on a bound, and the side (+1 or -1) that is inside.
        self.edges: list[dict[int, Index]] = [{} for _ in self.values]
        self.units = [self._units(i) for i in range(len(self.values))]
        #: Whether outputs jump near equal entries, by what tells these and how near; asked once for all of them.
        self.jumps: dict[Any, bool] = {}
        self.center: list[Floats] = []
        self.shapes: list[tuple[int, ...]] = []

    @property
    def work(self) -> list[Array]:
        """The layer's copy of the values, which is perturbed in place; made where it is first needed."""
        if not self._work:
            self._work = [np.array(v) for v in self.values]
            self._flat_work = [w.reshape(-1) for w in self._work]
        return self._work

    @property
    def flat_work(self) -> list[Floats]:
        """The same, flat."""
        return self._flat_work if self._work else [w.reshape(-1) for w in self.work]

    def rest(self) -> None:
        """Let go of the layer's copy: it is as large as the inputs, and is made again where somebody looks closer."""
        self._work, self._flat_work, self._there, self._last = [], [], None, None

    def take(self, outputs: Sequence[Array]) -> None:
        """Take over the outputs at the centre; second differences are formed with them."""
        self.shapes = [y.shape for y in outputs]
        self.center = [flat64(y) for y in outputs]

    def tally(self, claim: Claim, eps: Sequence[float]) -> Tally:
        """What pairs of outputs, as `pair_moved` and `held_at` give them, are added up by."""
        return Tally(self.center, claim, eps)

    def announce(self, moves: Iterable[Move], together: bool = False) -> None:
        """Say which points will be asked for next: with workers they are evaluated meanwhile, here when they are."""

    def at(self, *moves: Move) -> list[Floats]:
        """Outputs, flat, with the entries of each block moved by t times unit times direction."""
        try:
            for move in moves:
                self._move(*move)
            return [np.array(y) for y in self.outputs()]
        finally:
            for block, _, _ in moves:
                self.restore(block)

    def held_at(self, *moves: Move) -> list[Any]:
        """The same for a tally alone: outputs that stay where they are."""
        return self.at(*moves)

    def placed(self, entries: Sequence[tuple[int, Any, Any]]) -> Floats:
        """All outputs in one, with some entries put where they are said to stand.

        entries: of each, or of some together, the argument, its flat position or positions, and the new numbers.
        """
        try:
            for i, at, numbers in entries:
                self.flat_work[i][at] = numbers
            return np.concatenate(self.outputs())
        finally:
            for i, at, _ in entries:
                self.flat_work[i][at] = self.flat[i][at]

    def pair(self, block: Block, direction: Direction, t: float) -> tuple[list[Floats], list[Floats]]:
        """Outputs at +t and at -t, the caller's own."""
        try:
            plus, minus = self.pair_moved(block, direction, t)
            return [np.array(y) for y in plus], [np.array(y) for y in minus]
        finally:
            self.restore(block)

    def pair_moved(self, block: Block, direction: Direction, t: float) -> tuple[list[Any], list[Any]]:
        """Outputs at +t and at -t, for a tally; the entries stay where they are, for `restore` after a whole ladder."""
        move = self._mover(block, direction)
        move(t)
        plus = self.outputs()
        move(-t)
        minus = self.outputs()
        if not self.copies and self.shared(plus, minus):
            return self.pair_moved(block, direction, t)
        return plus, minus

    def shared(self, plus: Sequence[Floats], minus: Sequence[Floats]) -> bool:
        """Whether the layer writes into one buffer (or returns its input); its outputs are copied from now on."""
        self.copies = self.copies or any(map(np.may_share_memory, plus, minus))
        return self.copies

    def differences(
        self, i: int, h: float, upstream: Sequence[Floats], positions: Sequence[int] | None = None
    ) -> Floats:
        """(f(x+h) - f(x-h)) / 2h for entries of argument i, one after the other, h absolute; all where none are named.

        Entries are moved in place, and nothing is allocated beside the layer's own.
        """
        work, outputs = self.flat_work[i], self.outputs
        positions = range(work.size) if positions is None else positions
        numeric, change = np.empty(len(positions)), [np.empty(int(np.prod(s))) for s in self.shapes]
        for at, p in enumerate(positions):
            kept = work[p]
            try:
                work[p] = kept + h
                plus = outputs()
                work[p] = kept - h
                minus = outputs()
                if not self.copies and self.shared(plus, minus):
                    minus = outputs()
                    work[p] = kept + h
                    plus = outputs()
            finally:
                work[p] = kept
            if len(change) == 1:  # by far the most: an output less costs a few percent of a small forward
                np.subtract(plus[0], minus[0], change[0])
                numeric[at] = upstream[0].dot(change[0])
                continue
            total = 0.0
            for u, y, z, d in zip(upstream, plus, minus, change, strict=True):
                np.subtract(y, z, out=d)
                total += np.dot(u, d)
            numeric[at] = total
        numeric /= 2 * h
        return numeric

    def outputs(self) -> list[Floats]:
        """Outputs, flat, at the layer's copy as it is now."""
        if self.writes or self.copies:
            work = [np.array(w) if self.writes else w.view() for w in self.work]
            outputs: Sequence[Array] = self.calls.forward(work) if self.copies else self.calls.borrowed(work)
        else:
            self._there = self._there or self.calls.steady(self.work)
            outputs = self._there()
        if len(outputs) == 1:
            y = outputs[0]
            if y.shape == self.shapes[0]:
                return [y if y.ndim == 1 and y.dtype is FLOAT64 else flat64(y)]
        shapes = [y.shape for y in outputs]
        if shapes != self.shapes:
            raise ShapeChanged(shapes)
        return [flat64(y) for y in outputs]

    def declared(self, block: Block, direction: Direction, gradient: Floats) -> float:
        """direction . gradient over the block, in units of the step."""
        i = block.argument
        if self.is_structured(i):
            d = self._tangent(block, direction)
            return float(np.dot(d.reshape(-1), self.projected(i, gradient)))
        unit, total = self.units[i], 0.0
        for piece in block.pieces():
            d = self._along(direction, piece)
            g = gradient[piece]
            total += float(np.dot(d, g * unit[piece])) if isinstance(unit, np.ndarray) else unit * float(np.dot(d, g))
        return total

    def weight(self, i: int, gradient: Floats) -> Floats:
        """|gradient x step unit| of every entry of argument i."""
        if self.is_structured(i):
            gradient = self.projected(i, gradient)
        weight = np.abs(gradient)
        weight *= self.units[i]
        if not np.isfinite(weight).all():
            weight[~np.isfinite(weight)] = 0.0  # an infinite gradient is left out of every comparison
        return weight

    def unit_of(self, i: int, position: int) -> float:
        """The step unit of one entry."""
        unit = self.units[i]
        return float(unit[position]) if isinstance(unit, np.ndarray) else float(unit)

    def projected(self, i: int, gradient: Floats) -> Floats:
        """The part of a gradient along which the argument may move, flat."""
        domain = self.domains[i]
        if domain is None or not domain.structured:
            return gradient
        x = self.values[i]
        return np.asarray(domain.tangent(x, gradient.reshape(x.shape)), np.float64).reshape(-1)

    def is_structured(self, i: int) -> bool:
        """Whether argument i moves within a structure, so that directions are projected."""
        domain = self.domains[i]
        return domain is not None and domain.structured

    def _along(self, direction: Direction, piece: slice | Index) -> Floats:
        return direction.over(piece.start, piece.stop) if isinstance(piece, slice) else direction.at(piece)

    def _tangent(self, block: Block, direction: Direction) -> Floats:
        i = block.argument
        domain, x, unit = self.domains[i], self.values[i], self.units[i]
        full = np.zeros(x.size)
        for piece in block.pieces():
            full[piece] = self._along(direction, piece) * (unit[piece] if isinstance(unit, np.ndarray) else unit)
        return np.asarray(domain.tangent(x, full.reshape(x.shape)), np.float64) if domain else full

    def _move(self, block: Block, direction: Direction, t: float) -> None:
        self._mover(block, direction)(t)

    def _mover(self, block: Block, direction: Direction) -> Callable[[float], None]:
        """What moves a block along a direction, by how many units it is told."""
        last = self._last
        if last is None or last.block is not block or last.direction is not direction:
            last = self._last = self._small(block, direction)
        return partial(self._move_pieces, block, direction) if last is None else last.by

    def _move_pieces(self, block: Block, direction: Direction, t: float) -> None:
        i = block.argument
        work, base, unit = self.flat_work[i], self.flat[i], self.units[i]
        domain = self.domains[i]
        if domain is not None and domain.structured:
            self.work[i][...] = domain.move(self.values[i], self._tangent(block, direction), t)
            return
        if isinstance(block.index, tuple):
            direction.look_up(-(-block.index[1] // CHUNK))
        for piece in block.pieces():
            factor = t * unit[piece] if isinstance(unit, np.ndarray) else t * unit
            if isinstance(piece, slice):
                here = work[piece]
                direction.times(piece.start, piece.stop, factor, here)
                here += base[piece]
            else:
                work[piece] = base[piece] + factor * direction.at(piece)

    def _small(self, block: Block, direction: Direction) -> Moved | None:
        """What moves a block that is one piece of one chunk; None for others, whose parts are looked up each time."""
        i, index = block.argument, block.index
        if self.is_structured(i) or not isinstance(index, tuple) or block.size > SMALL:
            return None
        start, stop = index
        if start // CHUNK != (stop - 1) // CHUNK:
            return None
        unit = self.units[i]
        return Moved(
            block, direction, direction.over(start, stop), unit[start:stop] if isinstance(unit, np.ndarray) else unit,
            self.flat_work[i][start:stop], self.flat[i][start:stop],
        )  # fmt: skip

    def restore(self, block: Block) -> None:
        """Put back the entries of a block exactly as they were."""
        if self._last is not None and self._last.block is block:
            self._last.here[:] = self._last.base
            return
        i = block.argument
        if self.is_structured(i):
            self.flat_work[i][:] = self.flat[i]
            return
        for piece in block.pieces():
            self.flat_work[i][piece] = self.flat[i][piece]

    def _units(self, i: int) -> float | Floats:
        unit, domain, x = units(self.flat[i]), self.domains[i], self.flat[i]
        if domain is not None and domain.structured:
            return self._room_within(domain, i, unit)
        if domain is None or (domain.lower is None and domain.upper is None):
            return unit
        # No stencil may leave the bounds: steps are at most 0.6 units, so a unit is at most the distance to them.
        found = np.full(x.size, 1.0) * unit
        for bound, side in ((domain.lower, 1), (domain.upper, -1)):
            if bound is not None:
                room = np.abs(x - bound)
                at = np.flatnonzero(room == 0.0)
                if at.size:
                    self.edges[i][side] = at
                    room[at] = np.inf
                found = np.minimum(room, found)
        return found

    def _room_within(self, domain: Domain, i: int, unit: float | Floats) -> float | Floats:
        """One unit for a structure: entries move together, and the one next to a bound must stay inside."""
        rooms = [np.abs(self.flat[i] - bound) for bound in (domain.lower, domain.upper) if bound is not None]
        nearest = min((float(room[room > 0].min(initial=np.inf)) for room in rooms), default=np.inf)
        # At most 0.6 units times a direction of 2, and as much again for what keeps them together.
        nearest = min(nearest, 2 * domain.room(self.values[i]))
        return np.minimum(unit, nearest / 3) if 0.0 < nearest < np.inf else unit


def both_sides(block: Block, direction: Direction, t: float) -> tuple[Move, Move]:
    """The two points of a central difference."""
    return (block, direction, t), (block, direction, -t)


class ShapeChanged(Exception):  # noqa: N818 - turned into a sentence by the check
    """The outputs have another shape at a neighbouring point."""


def flat64(y: Array) -> Floats:
    """An output as a flat float64 array, without a copy where it is one already."""
    return y if y.ndim == 1 and y.dtype is FLOAT64 else np.asarray(y, np.float64).reshape(-1)
