"""Optional frameworks: one sentence where one is not installed."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from pytest_gradcheck.errors import MissingExtra


def need(framework: str) -> Any:
    """The framework's module; MissingExtra, which names the extra to install, where it cannot be imported."""
    known = sys.modules.get(framework)
    if known is not None:  # it is asked for at every call of a layer
        return known
    try:
        return import_module(framework)
    except ImportError as cause:
        words = f"{framework} is not installed: pip install 'pytest-gradcheck[{framework}]'"
        raise MissingExtra(words) from cause
