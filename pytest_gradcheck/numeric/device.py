"""Device: a stencil whose arrays live where the layer's do. What comes back of an evaluation is a few numbers.

Inputs go there once, and so do the centre's outputs and the table of directions; steps are made there, outputs are
compared and added up there. Steps, rungs and judgements are those of every stencil: only the last digits of sums
differ. The few ways that look at outputs one by one (kinks, edges) take whole outputs back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.calls import Calls
from pytest_gradcheck.domain import Domain
from pytest_gradcheck.elsewhere import Elsewhere
from pytest_gradcheck.target import Array

from .directions import CHUNK, Direction, table
from .scales import Floats
from .stencil import Block, Claim, Index, Move, ShapeChanged, Stencil
from .sums import Sums, Tally, unmoved

#: Directions whose windows are kept there: as many as are moved along at once.
DIRECTIONS = 8
#: Masks of so many blocks are kept.
MASKS = 4
#: So many of the lecture's differences come back together.
AT_ONCE = 1 << 10


class DeviceStencil(Stencil):
    """See `Stencil`; for arguments that move freely or within bounds.

    device: where the layer's arrays live.
    """

    def __init__(
        self, calls: Calls, values: Sequence[Array], domains: Sequence[Domain | None], device: Elsewhere
    ) -> None:
        self.device = device
        super().__init__(calls, values, domains)
        with device.working():
            # The layer's copy is there, and so is a copy of the centre.
            self._base = [device.put(f) for f in self.flat]
            self._moved = [device.copy(b) for b in self._base]
            self._unit: list[Any] = [device.put(u) if isinstance(u, np.ndarray) else u for u in self.units]
            self._table, self._lane = device.put(table()), device.put(np.arange(CHUNK))
        self._windows: dict[tuple[tuple[int, int], int], tuple[Any, Any]] = {}
        self._masks: dict[int, tuple[Block, Any]] = {}
        #: Positions that have gone there, by their identity.
        self._indices: dict[int, tuple[Index, Any]] = {}
        self._claim: tuple[Claim | None, list[Any]] = (None, [])
        self._gradients: dict[int, tuple[Floats, Any]] = {}
        #: Whether the layer has still to be seen leaving its inputs alone there.
        self._untried = True

    def rest(self) -> None:
        """The layer's copy is there, and stays."""

    def take(self, outputs: Sequence[Array]) -> None:
        """Take over the outputs at the centre."""
        super().take(outputs)
        with self.device.working():
            self.center_there = [self.device.put(c) for c in self.center]

    def tally(self, claim: Claim, eps: Sequence[float]) -> Tally:
        """Adds up where the outputs are."""
        return DeviceTally(self, claim, eps)

    def upstream_there(self, claim: Claim) -> list[Any]:
        """The upstream of a claim; that of the last one is kept."""
        if self._claim[0] is not claim:
            self._claim = claim, [self.device.put(u) for u in claim.upstream]
        return self._claim[1]

    # ---------------------------------------------------------------- outputs

    def at(self, *moves: Move) -> list[Floats]:
        """Outputs here, flat, with blocks of entries moved."""
        return self._here(self.held_at(*moves))

    def held_at(self, *moves: Move) -> list[Any]:
        """Outputs there, nobody else's."""
        with self.device.working():
            try:
                for move in moves:
                    self._move(*move)
                return [self.device.copy(y) for y in self._outputs_there()]
            finally:
                for block, _, _ in moves:
                    self.restore(block)

    def placed(self, entries: Sequence[tuple[int, Any, Any]]) -> Floats:
        """All outputs here in one, with some entries put where they are said to stand."""
        with self.device.working():
            where = [(i, self.device.put(np.atleast_1d(np.asarray(at, np.intp)))) for i, at, _ in entries]
            try:
                for (i, at), (_, _, numbers) in zip(where, entries, strict=True):
                    new = self.device.put(np.atleast_1d(np.asarray(numbers, np.float64)))
                    self._moved[i] = self.device.replaced(self._moved[i], at, new)
                return np.concatenate(self.outputs())
            finally:
                for i, at in where:
                    self._moved[i] = self.device.replaced(self._moved[i], at, self._base[i][at])

    def pair(self, block: Block, direction: Direction, t: float) -> tuple[list[Floats], list[Floats]]:
        """Outputs at +t and at -t, here."""
        return self.at((block, direction, t)), self.at((block, direction, -t))

    def pair_moved(self, block: Block, direction: Direction, t: float) -> tuple[list[Any], list[Any]]:
        """Outputs at +t and at -t there; the entries stay where they are."""
        with self.device.working():
            self._move(block, direction, t)
            plus = self._outputs_there()
            self._move(block, direction, -t)
            minus = self._outputs_there()
            if not self.copies and self.shared(plus, minus):
                return self.pair_moved(block, direction, t)
            return plus, minus

    def shared(self, plus: Sequence[Any], minus: Sequence[Any]) -> bool:
        """Whether the layer writes into one buffer (or returns its input); its outputs are copied from now on."""
        self.copies = self.copies or any(map(self.device.share, plus, minus))
        return self.copies

    def differences(
        self, i: int, h: float, upstream: Sequence[Floats], positions: Sequence[int] | None = None
    ) -> Floats:
        """(f(x+h) - f(x-h)) / 2h for entries of argument i; many come back together."""
        positions = range(self.flat[i].size) if positions is None else positions
        numeric = np.empty(len(positions))
        with self.device.working():
            weights = [self.device.put(u) for u in upstream]
            for first in range(0, numeric.size, AT_ONCE):
                found = [
                    sum((u * (y - z)).sum() for u, y, z in zip(weights, *self._of_entry(i, p, h), strict=True))
                    for p in positions[first : first + AT_ONCE]
                ]
                numeric[first : first + AT_ONCE] = self.device.take(self.device.xp.stack(found))
        return numeric / (2 * h)

    def _of_entry(self, i: int, p: int, h: float) -> tuple[list[Any], list[Any]]:
        """Outputs there with one entry moved by h and by -h."""
        here, kept = slice(p, p + 1), float(self.flat[i][p])
        try:
            self._moved[i] = self.device.replaced(self._moved[i], here, kept + h)
            plus = self._outputs_there()
            self._moved[i] = self.device.replaced(self._moved[i], here, kept - h)
            minus = self._outputs_there()
        finally:
            self._moved[i] = self.device.replaced(self._moved[i], here, kept)
        if not self.copies and self.shared(plus, minus):
            return self._of_entry(i, p, h)
        return plus, minus

    def outputs(self) -> list[Floats]:
        """Outputs here, flat, at the layer's copy as it is now."""
        with self.device.working():
            return self._here(self._outputs_there())

    def _here(self, outputs: Sequence[Any]) -> list[Floats]:
        with self.device.working():
            return [self.device.take(y) for y in outputs]

    def _outputs_there(self) -> list[Any]:
        copy = self.device.copy
        given = [copy(w) for w in self._moved] if self.writes else self._moved
        before = [copy(w) for w in self._moved] if self._untried else []
        outputs = self.calls.there(
            self.device.run, [w.reshape(v.shape) for w, v in zip(given, self.values, strict=True)]
        )
        if self._untried:
            self._untried = False
            changed = [(w != b).any() for w, b in zip(given, before, strict=True) if w is not b]
            if changed and self.device.take(self.device.xp.stack(changed)).any():
                # What the layer has written into, and may return, is its own from now on; it gets copies.
                self.writes, self._moved = True, before
        shapes = [tuple(y.shape) for y in outputs]
        if shapes != self.shapes:
            raise ShapeChanged(shapes)
        flat = [self.device.flat(y) for y in outputs]
        return [copy(y) for y in flat] if self.copies else flat

    # ---------------------------------------------------------------- moves

    def restore(self, block: Block) -> None:
        """Put back the entries of a block exactly as they were."""
        i = block.argument
        with self.device.working():
            for where, inside in self._places(block):
                self._replace(i, where, inside, self._base[i][where])

    def declared(self, block: Block, direction: Direction, gradient: Floats) -> float:
        """direction . gradient over the block, in units of the step."""
        i = block.argument
        with self.device.working():
            if i not in self._gradients or self._gradients[i][0] is not gradient:
                self._gradients[i] = gradient, self.device.put(gradient)
            there, unit = self._gradients[i][1], self._unit[i]
            every = isinstance(self.units[i], np.ndarray)
            parts = []
            for where, inside, d in self._steps(block, direction):
                terms = d * (there[where] * (unit[where] if every else unit))
                parts.append((terms if inside is None else self.device.xp.where(inside, terms, 0.0)).sum())
            return float(self.device.take(self.device.xp.stack(parts)).sum()) if parts else 0.0

    def _move(self, block: Block, direction: Direction, t: float) -> None:
        i = block.argument
        base, unit, every = self._base[i], self._unit[i], isinstance(self.units[i], np.ndarray)
        for where, inside, d in self._steps(block, direction):
            self._replace(i, where, inside, base[where] + (t * unit[where] if every else t * unit) * d)

    def _replace(self, i: int, where: Any, inside: Any, numbers: Any) -> None:
        if inside is not None:
            numbers = self.device.xp.where(inside, numbers, self._moved[i][where])
        self._moved[i] = self.device.replaced(self._moved[i], where, numbers)

    def _places(self, block: Block) -> Iterator[tuple[Any, Any]]:
        """The entries of a block in slabs: slices that begin and end with chunks of the directions, or positions.

        Each with a mask of those that are meant, None for all: where every shape is compiled, the slab is the whole
        argument.
        """
        if not self.device.slices:
            size = self.flat[block.argument].size
            everything = isinstance(block.index, tuple) and block.size == size
            yield slice(0, size), None if everything else self._mask(block, size)
            return
        slab = max(1, self.device.slab // CHUNK) * CHUNK
        if isinstance(block.index, tuple):
            start, stop = block.index
            while start < stop:
                end = min(stop, start // CHUNK * CHUNK + slab)
                yield slice(start, end), None
                start = end
        else:
            whole, begin = block.within or (block.index, 0)
            index = self._index_there(whole)
            for a in range(0, block.size, slab):
                yield index[begin + a : begin + min(a + slab, block.size)], None

    def _mask(self, block: Block, size: int) -> Any:
        """Which entries of an argument a block means; a few masks are kept, for groups are asked in turn."""
        if id(block) not in self._masks:
            if len(self._masks) >= MASKS:
                self._masks.clear()
            if isinstance(block.index, tuple):
                start, stop = block.index
                positions = self.device.xp.arange(size)
                mask = (positions >= start) & (positions < stop)
            else:
                here = np.zeros(size, bool)
                here[block.index] = True
                mask = self.device.put(here)
            self._masks[id(block)] = block, mask
        return self._masks[id(block)][1]

    def _index_there(self, index: Index) -> Any:
        """Positions, which go there once for a block and all of its parts."""
        if id(index) not in self._indices:
            # All groups of an argument together are as large as that.
            room = 2 * max(f.size for f in self.flat)
            if index.size + sum(known.size for known, _ in self._indices.values()) > room:
                self._indices.clear()
            self._indices[id(index)] = index, self.device.put(index)
        return self._indices[id(index)][1]

    def _steps(self, block: Block, direction: Direction) -> Iterator[tuple[Any, Any, Any]]:
        """Slabs of a block, as `_places` gives them, each with the numbers of the direction."""
        at, signs = self._windows_of(direction, block.argument)
        for where, inside in self._places(block):
            if isinstance(where, slice):
                first, last = where.start // CHUNK, (where.stop - 1) // CHUNK + 1
                begin = where.start - first * CHUNK
                numbers = self._table[at[first:last, None] + self._lane]
                numbers = (numbers * signs[first:last, None]).reshape(-1)[begin : begin + where.stop - where.start]
            else:
                chunk = where // CHUNK
                numbers = self._table[at[chunk] + where % CHUNK] * signs[chunk]
            yield where, inside, abs(numbers) * direction.one_signed if direction.one_signed else numbers

    def _windows_of(self, direction: Direction, i: int) -> tuple[Any, Any]:
        key = (direction.key, i)
        if key not in self._windows:
            if len(self._windows) >= max(DIRECTIONS, len(self.flat)):
                self._windows.clear()
            at, signs = direction.windows(-(-self.flat[i].size // CHUNK))
            self._windows[key] = self.device.put(at), self.device.put(signs)
        return self._windows[key]


class DeviceTally(Tally):
    """Adds up where the outputs are; all numbers of all pairs come back together, when the first is asked for."""

    def __init__(self, stencil: DeviceStencil, claim: Claim, eps: Sequence[float]) -> None:
        super().__init__(stencil.center, claim, eps)
        self.stencil, self.device = stencil, stencil.device
        #: Second differences of the pair that is kept, until there is another.
        self._seconds: list[Any] | None = None
        #: Numbers that have not come back yet, and what they are: of each pair, or fourth differences (None).
        self._there: list[Any] = []
        self._rows: list[tuple[list[int], bool, bool] | None] = []
        self._fourth = (0.0, 0.0)

    def add(self, plus: Any, minus: Any, bent: bool = True, rounded: bool = False, kept: bool = False) -> None:
        """Take in one pair."""
        slabs, seconds = [], []
        with self.device.working():
            upstream = self.stencil.upstream_there(self.claim)
            for j, parts in enumerate(zip(plus, minus, self.stencil.center_there, upstream, strict=True)):
                for a in range(0, int(plus[j].shape[0]), self.device.slab):
                    slabs.append(j)
                    second = self._part([x[a : a + self.device.slab] for x in parts], bent, rounded)
                    seconds.append(second)
            self._rows.append((slabs, bent, rounded))
            if kept and self._seconds is None:
                self._seconds = seconds
            elif kept and self._seconds is not None:
                self._add_fourth(self._seconds, seconds)

    def _part(self, parts: Sequence[Any], bent: bool, rounded: bool) -> Any:
        """The numbers of one slab are noted; returns u times its second differences, where they are formed."""
        (p, m, c, u), xp, second = parts, self.device.xp, None
        off = u == 0.0 if self.claim.masked else None

        def weighed(x: Any) -> Any:
            # What is masked may be infinite.
            return (x if off is None else xp.where(off, 0.0, x)) * u

        change = weighed(p - m)
        self._there.append(change.sum())
        if bent:
            second = weighed(p + m - c - c)
            self._note_norm(change)
            self._note_norm(second)
        if rounded:
            self._note_norm(weighed(xp.maximum(xp.abs(c), xp.abs(p))) * (p != m))
        return second

    def _note_norm(self, x: Any) -> None:
        """The largest number and the sum of squares in units of it: no square leaves the numbers."""
        top = self.device.xp.abs(x).max()
        scaled = x / self.device.xp.where(top > 0.0, top, 1.0)
        self._there += [top, self.device.xp.dot(scaled, scaled)]

    def _add_fourth(self, whole: list[Any], half: list[Any]) -> None:
        self._rows.append(None)
        squares, quartics = 0.0, 0.0
        for a, b in zip(whole, half, strict=True):
            square = a - 4.0 * b
            square = square * square
            squares, quartics = squares + square.sum(), quartics + (square * square).sum()
        self._there += [squares, quartics] if whole else []
        self._seconds = None

    @property
    def sums(self) -> list[Sums]:
        """One for each pair, in order."""
        self._settle()
        return self._sums

    @property
    def once(self) -> float:
        """What rounding does to the first pair that was asked and that moved."""
        self._settle()
        return self._once

    def fourth(self) -> tuple[float, float]:
        """Sums of squares and of fourth powers of the fourth differences of the pairs that were kept."""
        self._settle()
        return self._fourth

    def _settle(self) -> None:
        """Have the numbers brought here, all in one."""
        if not self._rows:
            return
        with self.device.working():
            here = iter(self.device.take(self.device.xp.stack(self._there)).tolist() if self._there else [])
        for row in self._rows:
            if row is None:
                self._fourth = next(here, 0.0), next(here, 0.0)
                continue
            slabs, bent, rounded = row
            slope = spread = bend = total = 0.0
            for j in slabs:
                slope += next(here)
                if bent:
                    spread, bend = math.hypot(spread, _norm(here)), math.hypot(bend, _norm(here))
                if rounded:
                    total = math.hypot(total, self.eps[j] * _norm(here))
            self._sums.append(Sums(slope, spread, bend))
            if rounded:
                self._once = self._once or total or unmoved(self.center, self.claim, self.eps)
        self._there, self._rows = [], []


def _norm(numbers: Iterator[float]) -> float:
    top, square = next(numbers), next(numbers)
    return top * math.sqrt(square) if 0.0 < top < math.inf else top
