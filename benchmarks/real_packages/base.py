"""What a package file declares: the layers it found, how each is made and called, and what is left out and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module, metadata
from typing import Any

import numpy as np

Rng = np.random.Generator
Inputs = Callable[[Rng], tuple[Any, ...]]
#: A setting that is not the default, with the reason for it.
Reasoned = tuple[Any, str]


@dataclass(frozen=True)
class Check:
    """One check of one layer.

    name: as the package spells it. variant: which of several ways to use it. make: gives a fresh layer, or something
    of `pytest_gradcheck.declare`. inputs: draws the inputs from a Generator. settings: word -> (value, reason), for
    every setting that is not the default. theirs: in one sentence what is wrong with the package, where the check is
    known to fail and `confirm.py` shows the failure to be true.
    """

    name: str
    make: Callable[[], Any]
    inputs: Inputs
    variant: str = ""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Reasoned] = field(default_factory=dict)
    theirs: str = ""

    @property
    def label(self) -> str:
        """Name and variant."""
        return f"{self.name} ({self.variant})" if self.variant else self.name

    def called(self) -> dict[str, Any]:
        """The settings without their reasons."""
        return {word: value for word, (value, _) in self.settings.items()}


@dataclass(frozen=True)
class Package:
    """One package, or one part of a large one.

    found: lists (name, group) of everything with a backward, read from the package itself, so that nothing new in it
    is left out in silence. unchecked: name -> why no check is made of it.
    """

    title: str
    distribution: str
    found: Callable[[], Sequence[tuple[str, str]]]
    checks: Callable[[], Sequence[Check]]
    unchecked: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """The installed version."""
        return metadata.version(self.distribution)

    def left_out(self) -> dict[str, str]:
        """Every name found that no check is made of, with the reason."""
        made = {check.name for check in self.checks()}
        names = [name for name, _ in self.found() if name not in made]
        return {name: self.unchecked.get(name, "no entry in the table of this benchmark yet") for name in names}


#: Modules of this folder that hold a PACKAGE, in the order of the report.
PACKAGES = ("numpy_ml", "autograd", "torch_functional", "torch_modules", "jax_nn")

#: A word on the command line that means several of them.
TOGETHER = {"torch": ("torch_functional", "torch_modules"), "jax": ("jax_nn",)}


def load(name: str) -> Package:
    """The package that the module of this name declares; ImportError where it is not installed."""
    module = import_module(name if "." in name else f"benchmarks.real_packages.{name}")
    package: Package = module.PACKAGE
    return package


def normal(*shapes: tuple[int, ...], scale: float = 1.0, shift: float = 0.0) -> Inputs:
    """Draws one normal array of each shape."""
    return lambda rng: tuple(shift + scale * rng.standard_normal(shape) for shape in shapes)


def uniform(low: float, high: float, *shapes: tuple[int, ...]) -> Inputs:
    """Draws one array of each shape, uniform between two bounds."""
    return lambda rng: tuple(rng.uniform(low, high, shape) for shape in shapes)
