"""Directions: a random sign times a magnitude from [1, 2] for every entry, drawn by position, never stored.

With signs alone two equal errors cancel in both of two draws a quarter of the time; continuous magnitudes
make that a matter of chance in the last digits. A direction must also cost nothing at 10^8 entries, so its
numbers are windows into one table of 2^16, placed by a counter-based hash of (seed, draw, chunk).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

#: Entries handled at once: small enough to stay in the processor's cache, and for a dot product to stay in one thread.
CHUNK = 1 << 13
_TABLE = 1 << 16
_MASK = (1 << 64) - 1
#: Of the hash (splitmix64).
_STEP, _FACTORS = 0x9E3779B97F4A7C15, (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


@cache
def table() -> npt.NDArray[np.float64]:
    """The numbers that all directions are windows into."""
    rng = np.random.Generator(np.random.Philox(20061986))
    numbers = rng.uniform(1.0, 2.0, _TABLE) * np.where(rng.random(_TABLE) < 0.5, -1.0, 1.0)
    numbers.setflags(write=False)
    return numbers


def mix(*words: int) -> int:
    """A 64-bit hash of some integers (the finaliser of splitmix64, applied word by word)."""
    state = 0
    for word in words:
        state = (state + word + _STEP) & _MASK
        state = ((state ^ (state >> 30)) * _FACTORS[0]) & _MASK
        state = ((state ^ (state >> 27)) * _FACTORS[1]) & _MASK
        state ^= state >> 31
    return state


class Direction:
    """One draw of signs and magnitudes for all entries of an argument.

    one_signed: take the magnitudes only, so that every entry moves to the same side.
    """

    __slots__ = ("_key", "_known", "_last", "one_signed")

    def __init__(self, *key: int, one_signed: int = 0) -> None:
        self._key = mix(*key)
        self._last: tuple[int, int, float] = (-1, 0, 1.0)
        #: Windows that were looked up for all moves along this direction.
        self._known: list[tuple[int, float]] = []
        self.one_signed = one_signed

    @property
    def key(self) -> tuple[int, int]:
        """What tells this draw from others."""
        return self._key, self.one_signed

    def times(
        self, start: int, stop: int, factor: float | npt.NDArray[np.float64], out: npt.NDArray[np.float64]
    ) -> None:
        """Put factor times the numbers of entries start to stop, all of one chunk, into `out`."""
        chunk = start // CHUNK
        at, sign = self._window(chunk)
        first = at + start - chunk * CHUNK
        piece = table()[first : first + stop - start]
        if self.one_signed:
            np.abs(piece, out=out)
            out *= factor * float(self.one_signed)
        else:
            np.multiply(piece, factor * sign, out=out)

    def _window(self, chunk: int) -> tuple[int, float]:
        if chunk < len(self._known):
            return self._known[chunk]
        if self._last[0] != chunk:
            bits = mix(self._key, chunk)
            self._last = chunk, (bits >> 1) % (_TABLE - CHUNK), -1.0 if bits & 1 else 1.0
        return self._last[1], self._last[2]

    def look_up(self, chunks: int) -> None:
        """Look up the windows of the first chunks at once: a large block is moved a dozen times along a direction."""
        if chunks > len(self._known):
            at, signs = self.windows(chunks)
            self._known = list(zip(at.tolist(), signs.tolist(), strict=True))

    def windows(self, chunks: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
        """Where in `table` the numbers of each of the first chunks begin, and their sign."""
        # The last word of `mix`, for all chunks at once.
        state = np.arange(chunks, dtype=np.uint64) + np.uint64((mix(self._key) + _STEP) & _MASK)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(_FACTORS[0])
        state = (state ^ (state >> np.uint64(27))) * np.uint64(_FACTORS[1])
        bits = state ^ (state >> np.uint64(31))
        at = ((bits >> np.uint64(1)) % np.uint64(_TABLE - CHUNK)).astype(np.intp)
        return at, np.where(bits & np.uint64(1), -1.0, 1.0)

    def _within(self, chunk: int, where: slice | npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Some numbers of a chunk (entries chunk * CHUNK onwards), read-only or a copy."""
        start, sign = self._window(chunk)
        piece = table()[start : start + CHUNK][where]
        if self.one_signed:
            return np.abs(piece) * self.one_signed
        return -piece if sign < 0 else piece

    def over(self, start: int, stop: int) -> npt.NDArray[np.float64]:
        """The numbers of entries start to stop; a range may cross chunks."""
        first, last = start // CHUNK, (stop - 1) // CHUNK
        if first == last:
            return self._within(first, slice(start - first * CHUNK, stop - first * CHUNK))
        return np.concatenate([
            self.over(max(start, c * CHUNK), min(stop, (c + 1) * CHUNK)) for c in range(first, last + 1)
        ])  # fmt: skip

    def at(self, index: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """The numbers of scattered entries, given as sorted flat positions."""
        out = np.empty(len(index))
        chunks = index // CHUNK
        edges = np.flatnonzero(np.diff(chunks)) + 1
        for part in np.split(np.arange(len(index)), edges):
            if len(part):
                chunk = int(chunks[part[0]])
                out[part] = self._within(chunk, index[part] - chunk * CHUNK)
        return out
