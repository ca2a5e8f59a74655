"""Places where arrays may live, for tests: numpy's own memory as if it were a device, and a count of what travels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.elsewhere import Elsewhere
from tests.numeric.bench import Array


class Here(Elsewhere):
    """numpy as a device; `run` is a function of a list of arrays."""

    xp: Any = np

    def __init__(self, run: Callable[[Sequence[Any]], Sequence[Any]]) -> None:
        self._run = run

    def put(self, array: Array) -> Any:
        return np.array(array)

    def take(self, array: Any) -> Array:
        return np.array(array)

    def run(self, values: Sequence[Any]) -> Sequence[Any]:
        return self._run(values)

    def flat(self, output: Any) -> Any:
        return np.asarray(output, np.float64).reshape(-1)

    def copy(self, array: Any) -> Any:
        return np.array(array)

    def replaced(self, array: Any, where: Any, numbers: Any) -> Any:
        array[where] = numbers
        return array

    def share(self, one: Any, other: Any) -> bool:
        return np.may_share_memory(one, other)


class Travels:
    """The sizes of all arrays that go to a place and come back from it."""

    def __init__(self, place: Any) -> None:
        self.there: list[int] = []
        self.back: list[int] = []
        put, take = place.put, place.take

        def counted_put(array: Any) -> Any:
            self.there.append(int(np.size(array)))
            return put(array)

        def counted_take(array: Any) -> Any:
            taken = take(array)
            self.back.append(int(taken.size))
            return taken

        place.put, place.take = counted_put, counted_take
