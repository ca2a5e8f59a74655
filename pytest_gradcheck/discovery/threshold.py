"""`--gradcheck-fail-under`: how much of the backwards must be checked for a run to pass."""

from __future__ import annotations

import pytest

from .coverage import COVERAGE


def register(config: pytest.Config, value: str) -> None:
    """Ask it of the coverage of this session; raises UsageError for a number that is no percentage."""
    try:
        wanted = float(value)
    except ValueError:
        wanted = -1.0
    if not 0 <= wanted <= 100:
        raise pytest.UsageError(f"--gradcheck-fail-under is {value!r}: give a percentage between 0 and 100")
    if COVERAGE not in config.stash:
        raise pytest.UsageError("--gradcheck-fail-under needs --gradcheck-cov=PACKAGE: it says of what")
    config.stash[COVERAGE].wanted = wanted
