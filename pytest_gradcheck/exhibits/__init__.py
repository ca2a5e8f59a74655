"""Exhibits: the numbers behind the pictures of a report, collected while the layer can still be called.

They are plain lists and dicts of some thousands of numbers at most, so that they travel between processes and into
JSON: see `docs/json-schema.md`. Drawing them is the business of `report/`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytest_gradcheck.calls import BudgetSpent

from .entries import Witness, witnesses
from .graphs import graph_of
from .maps import map_of
from .slopes import slopes_of
from .sweep import sweep_of

if TYPE_CHECKING:
    from pytest_gradcheck.checking import Check

#: Seconds that the pictures of one check may cost; what is not collected by then is left out.
SECONDS = 5.0
#: Arguments of which pictures are made, the wrong ones first.
MOST_ARGUMENTS = 6


def collect(check: Check) -> dict[str, Any]:
    """The exhibits of a check that has come to its report: `arguments`, `graph`, and `missing`, what was left out, why.

    It costs further forward evaluations, which are not counted into the report, and never raises.
    """
    meter = check.meter
    meter.max_evaluations, meter.deadline = None, time.perf_counter() + SECONDS
    exhibits: dict[str, Any] = {"arguments": [], "graph": None, "missing": []}
    try:
        seen = witnesses(check)
        for witness in seen[:MOST_ARGUMENTS]:
            exhibits["arguments"].append(argument_of(witness, exhibits["missing"]))
        if len(seen) > MOST_ARGUMENTS:
            exhibits["missing"].append(f"pictures of {len(seen) - MOST_ARGUMENTS} more arguments: too many")
        exhibits["graph"] = graph_of(check.target)
    except Exception as error:
        exhibits["missing"].append(_reason("the rest", error))
    return exhibits


def argument_of(witness: Witness, missing: list[str]) -> dict[str, Any]:
    """The exhibits of one argument; each stands for itself, so that one that fails leaves the others."""
    found: dict[str, Any] = {"name": witness.name, "shape": list(witness.shape), "verdict": witness.verdict}
    parts: dict[str, Callable[[Witness], Any]] = {
        "entries": Witness.plain,
        "map": map_of,
        "sweep": sweep_of,
        "slopes": slopes_of,
    }
    for part, collected in parts.items():
        try:
            found[part] = collected(witness)
        except Exception as error:
            found[part] = None
            missing.append(_reason(f"{part} of {witness.name}", error))
    return found


def _reason(what: str, error: Exception) -> str:
    if isinstance(error, BudgetSpent):
        return f"{what}: the layer is slow, and pictures are given {SECONDS:g} seconds a check"
    return f"{what}: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
