"""Hypothesis strategies for layers: the only part of this package that imports Hypothesis.

from pytest_gradcheck.strategies import arrays_for, upstreams, graphs
"""

from __future__ import annotations

from .arrays import arrays_for, upstreams
from .episode import check_after
from .graphs import GraphExample, graphs
from .layouts import LAYOUTS, as_source, laid_out
from .marking import as_hypothesis_test
from .profiles import PROFILES, load_profile

__all__ = [
    "LAYOUTS",
    "PROFILES",
    "GraphExample",
    "arrays_for",
    "as_hypothesis_test",
    "as_source",
    "check_after",
    "graphs",
    "laid_out",
    "load_profile",
    "upstreams",
]
