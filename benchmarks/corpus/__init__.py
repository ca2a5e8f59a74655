"""The corpus: layers whose backward is wrong, or right and hard to accept.

python -m benchmarks.corpus             runs the check on every case
python -m benchmarks.corpus.verify      proves, without the package, that right is right and wrong is wrong
python -m benchmarks.corpus.sharpness   plants errors at the stated sharpness and counts those caught
python -m benchmarks.corpus.scale       evaluations and time against the number of entries
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from .base import TAXONOMY, Case

#: The sets of cases, in the order in which they are printed.
SETS = ("real", "made", "new")

__all__ = ["SETS", "TAXONOMY", "Case", "load"]


def load(sets: Iterable[str] = SETS) -> list[Case]:
    """The cases of some sets; an unknown set is a ValueError that names the known ones."""
    cases: list[Case] = []
    for name in sets:
        if name not in SETS:
            raise ValueError(f"no set of cases is called {name!r}: the sets are {', '.join(SETS)}")
        cases += import_module(f"{__name__}.{name}").CASES
    return cases
