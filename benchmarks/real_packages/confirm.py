"""Shows by hand, without pytest-gradcheck, that the failures are the packages' own.

    python -m benchmarks.real_packages.confirm

For a wrong gradient three things are compared along a random direction: what the package declares, the formula of the
derivative written out here, and a difference quotient in extended precision. The last two agree, the first does not.
For a layer that cannot be used, the call is made as its documentation says, and what it raises is shown.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

Scalar = Callable[[Any], Any]
LONG = np.longdouble


@dataclass(frozen=True)
class Wrong:
    """A gradient that is not the derivative: along one direction, declared, by the formula, and measured."""

    declared: float
    formula: float
    measured: float

    @property
    def confirmed(self) -> bool:
        """Whether formula and measurement agree a hundred times better than either with what is declared."""
        apart = abs(self.declared - self.formula)
        near = abs(self.formula - self.measured)
        return bool(near <= 1e-9 * max(1.0, abs(self.formula)) and (apart > 100 * near or np.isnan(self.declared)))

    def __str__(self) -> str:
        return f"declared {self.declared:.12g}, formula {self.formula:.12g}, measured {self.measured:.12g}"


@dataclass(frozen=True)
class Breaks:
    """A call that a user would make and that does not go through, or gives another shape than it must."""

    said: str

    @property
    def confirmed(self) -> bool:
        return bool(self.said)

    def __str__(self) -> str:
        return self.said


#: (package, label of the check) -> how it is confirmed.
CONFIRMATIONS: dict[tuple[str, str], Callable[[], Wrong | Breaks]] = {}
F = TypeVar("F", bound=Callable[[], Any])


def confirms(package: str, label: str) -> Callable[[F], F]:
    """Register a confirmation of the failure of a check."""

    def register(function: F) -> F:
        CONFIRMATIONS[package, label] = function
        return function

    return register


def wrong(f: Scalar, x: Any, declared: Any, formula: Any, seed: int = 0) -> Wrong:
    """Compare three gradients of `f` at x along a random direction."""
    v = np.random.default_rng(seed).standard_normal(np.shape(x))
    said, right = (float(np.sum(np.asarray(g, LONG) * v)) for g in (declared, formula))
    return Wrong(said, right, float(slope(f, np.asarray(x, LONG), v)))


def slope(f: Scalar, x: Any, v: Any, h: float = 1e-4) -> Any:
    """The derivative of f along v in extended precision: three central differences, extrapolated twice."""
    d = [(f(x + k * v) - f(x - k * v)) / (2 * LONG(k)) for k in (h, h / 2, h / 4)]
    first = [(4 * d[1] - d[0]) / 3, (4 * d[2] - d[1]) / 3]
    return (16 * first[1] - first[0]) / 15


def breaks(call: Callable[[], Any]) -> Breaks:
    """What a call raises, in one line; nothing where it goes through."""
    try:
        call()
    except Exception as error:
        return Breaks(f"{type(error).__name__}: {' '.join(str(error).split())}")
    return Breaks("")


def all_of(package: str) -> dict[str, Wrong | Breaks]:
    """Every confirmation for one package, by the label of its check."""
    for home in ("confirm_numpy_ml", "confirm_frameworks"):
        importlib.import_module(f"benchmarks.real_packages.{home}")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        # The table is that of the imported module: run as a program this file is another one.
        table = importlib.import_module("benchmarks.real_packages.confirm").CONFIRMATIONS
        return {label: function() for (home, label), function in table.items() if home == package}


def main() -> int:
    from benchmarks.real_packages.base import PACKAGES

    good = True
    for package in PACKAGES:
        for label, shown in all_of(package).items():
            good &= shown.confirmed
            print(f"{'confirmed' if shown.confirmed else 'NOT CONFIRMED'}  {package}: {label}\n    {shown}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
