"""Elsewhere: what a target whose arrays live on a device offers, so that they can be moved and compared there.

Arrays "there" are the framework's own, real and float64 but for positions. Arithmetic, comparison, slices and sums are
written once for all of them, with Python's operators; what differs between frameworks are the methods of this class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .target import Array

#: For tests: arrays in this process's own memory are treated as if they lived on a device.
forced = False


class Elsewhere:
    """Where the arrays of one target live, and what is done to them there.

    call: from arrays of the layer's arguments there to the outputs that are differentiated.
    xp: the framework's module, of which `abs`, `arange`, `dot`, `maximum`, `stack` and `where` are used.
    slab: at most so many numbers are worked on at once, so that what that takes is no array of the layer's size.
    slices: whether parts of arrays are worked on; where each new shape is compiled, it is all of an array with a mask.
    """

    xp: Any
    call: Callable[[Sequence[Any]], Sequence[Any]]
    slab = 1 << 22
    slices = True

    def put(self, array: Array) -> Any:
        """A copy there of an array of this process, of float64, of positions, or a mask."""
        raise NotImplementedError

    def take(self, array: Any) -> Array:
        """A copy here of an array there."""
        raise NotImplementedError

    def run(self, values: Sequence[Any]) -> Sequence[Any]:
        """The outputs of the layer at these values, one per output as the target's `forward` gives them."""
        raise NotImplementedError

    def flat(self, output: Any) -> Any:
        """An output, flat and float64, in the same memory where it can be."""
        raise NotImplementedError

    def copy(self, array: Any) -> Any:
        """An array of its own; the same one where arrays cannot change."""
        raise NotImplementedError

    def replaced(self, array: Any, where: Any, numbers: Any) -> Any:
        """The array with numbers at a slice or at positions there: this one, or another where it cannot change."""
        raise NotImplementedError

    def share(self, one: Any, other: Any) -> bool:
        """Whether two arrays lie in the same memory, and can change."""
        raise NotImplementedError

    def working(self) -> AbstractContextManager[Any]:
        """What has to be entered around any work there."""
        return nullcontext()
