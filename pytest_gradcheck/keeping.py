"""Keeping: the arrays that the author's layer held before a check are as they were after it, whatever happened.

A layer without declared parameters is checked itself, not in a copy. It may have been made of the caller's arrays, and
its forward may move running statistics.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .adapters.places import attributes
from .target import Array


class Kept:
    """A context manager that puts the arrays of a layer back: what they hold, and under which attribute they stand.

    layer: the object that is called; its attributes are looked at, and the lists and dicts among them.
    """

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        held = attributes(layer)
        self.bound = {name: value for name, value in held.items() if isinstance(value, np.ndarray)}
        self.contents = [(array, array.copy()) for array in _arrays(held) if array.flags.writeable]

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_: object) -> None:
        for array, before in self.contents:
            if array.shape == before.shape:
                array[...] = before
        now = attributes(self.layer)
        for name, array in self.bound.items():
            if now.get(name) is not array:
                try:
                    setattr(self.layer, name, array)
                except Exception:  # an attribute may refuse with any error of its own
                    continue


def _arrays(held: dict[str, Any]) -> Iterator[Array]:
    for value in held.values():
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else (value,)
        yield from (item for item in inside if isinstance(item, np.ndarray))
