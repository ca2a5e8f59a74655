"""The hooks through which others extend the check: adapt a layer, make it, name a cause, supply an executor, watch.

Implement one in a `conftest.py` or in a package with an entry point of the group "pytest_gradcheck":

    import pytest_gradcheck

    @pytest_gradcheck.hookimpl
    def gradcheck_adapt_layer(layer, inputs, kwargs):
        ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from .evidence import ArgumentEvidence, Evidence
    from .target import Target
    from .verdict import Finding, Report

hookspec = pluggy.HookspecMarker("pytest_gradcheck")


@hookspec
def gradcheck_adapt_layer(layer: Any, inputs: Sequence[Any], kwargs: Mapping[str, Any]) -> Target | None:
    """The `Target` of a layer that this implementation recognises, else None.

    Asked before the built-in adapters. Not "first result": two implementations that claim one layer are an
    error that names both, for nobody could tell which of them was meant.
    """


@hookspec(firstresult=True)
def gradcheck_make_layer(layer: Any, name: str) -> tuple[Any, ...] | Mapping[str, Any] | None:
    """How to make a layer that `--gradcheck-modules` has found, else None.

    layer: the class, the pair of functions, the `autograd.Function` or the `custom_vjp`. name: dotted, with its module.
    Returns `(made, *inputs)`, or a dict with the words of a `__gradcheck__` declaration, before which it is asked.
    """


@hookspec
def gradcheck_checked(layer: Any, report: Report) -> None:
    """Called after every check that came to a report, with the layer as it was given."""


@hookspec
def gradcheck_name_cause(evidence: Evidence, argument: ArgumentEvidence) -> Finding | Sequence[Finding] | None:
    """Causes that explain the wrong entries of one argument, each with its evidence and confidence.

    Called on failure only. `evidence.forward` and `evidence.gradients` spend from the diagnosis's own budget.
    """


@hookspec(firstresult=True)
def gradcheck_executor(name: str) -> Executor | None:
    """A running executor for the name given by `--gradcheck-executor`, such as "dask://host:8786", else None."""
