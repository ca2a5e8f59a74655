"""pytest-gradcheck: is the backward you declared the derivative of the forward you wrote?

Public names are loaded on first use: a test session that checks no gradient never imports numpy through us.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checking import assert_gradients, check
    from .errors import (
        AdapterError,
        GradCheckError,
        GradientInconclusive,
        GradientMismatch,
        InconclusiveWarning,
        InvalidInput,
        LayerError,
        MissingExtra,
        UnknownLayer,
    )
    from .hooks import hookimpl
    from .numeric.every_entry import numeric_gradient, numeric_jacobian
    from .protocol import GradCheck
    from .suites.base import LayerSuite
    from .suites.cases import LayerCase
    from .suites.chains import ChainReport, check_chain
    from .suites.parametrize import parametrize_layers
    from .verdict import Finding, Report

_HOME = {
    "GradCheck": "protocol",
    "hookimpl": "hooks",
    "LayerSuite": "suites.base",
    "LayerCase": "suites.cases",
    "ChainReport": "suites.chains",
    "check_chain": "suites.chains",
    "parametrize_layers": "suites.parametrize",
    "check": "checking",
    "assert_gradients": "checking",
    "numeric_gradient": "numeric.every_entry",
    "numeric_jacobian": "numeric.every_entry",
    "Finding": "verdict",
    "Report": "verdict",
    "AdapterError": "errors",
    "GradCheckError": "errors",
    "GradientMismatch": "errors",
    "GradientInconclusive": "errors",
    "InconclusiveWarning": "errors",
    "InvalidInput": "errors",
    "LayerError": "errors",
    "MissingExtra": "errors",
    "UnknownLayer": "errors",
}

__all__ = [
    "AdapterError",
    "ChainReport",
    "Finding",
    "GradCheck",
    "GradCheckError",
    "GradientInconclusive",
    "GradientMismatch",
    "InconclusiveWarning",
    "InvalidInput",
    "LayerCase",
    "LayerError",
    "LayerSuite",
    "MissingExtra",
    "Report",
    "UnknownLayer",
    "assert_gradients",
    "check",
    "check_chain",
    "hookimpl",
    "numeric_gradient",
    "numeric_jacobian",
    "parametrize_layers",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
