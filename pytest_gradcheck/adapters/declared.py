"""What `pytest_gradcheck.declare` makes: a layer with the word that says how to read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_gradcheck.target import Target


@dataclass(frozen=True, slots=True)
class Declared:
    """A declared layer, usable wherever a layer is.

    layer: what was declared. make: called with it, the inputs, their keywords and `options`, gives the target.
    """

    layer: Any
    make: Callable[..., Target]
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def target(self, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Target:
        """The target at these inputs."""
        target = self.make(self.layer, inputs, kwargs, **self.options)
        target.name = self.name
        return target

    @property
    def __name__(self) -> str:
        """The name under which messages show the layer."""
        return self.name

    def __repr__(self) -> str:
        return f"declared {self.name}"
