"""What the fixture `gradcheck` gives to a test: a stateless call that knows its test only through the session."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import pytest

from .checked import checked
from .running import current

if TYPE_CHECKING:
    from pytest_gradcheck.protocol import GradCheck
    from pytest_gradcheck.suites.chains import ChainReport
    from pytest_gradcheck.verdict import Report


class FixtureCheck:
    """See `pytest_gradcheck.GradCheck`."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def __call__(self, layer: Any, /, *inputs: Any, **keywords: Any) -> Report:
        """Check the layer, or fail the test that runs now."""
        __tracebackhide__ = True
        return checked(current(self._config), layer, inputs, keywords)

    def chain(self, layers: Any, /, *inputs: Any, **keywords: Any) -> ChainReport:
        """Check every layer of a chain, or fail the test that runs now."""
        __tracebackhide__ = True
        from pytest_gradcheck.suites.chains import check_chain

        return cast("ChainReport", checked(current(self._config), layers, inputs, keywords, by=check_chain))

    def __repr__(self) -> str:
        # As Hypothesis prints it among the arguments of a failing example.
        return "gradcheck"


def make(config: pytest.Config) -> GradCheck:
    """The fixture's value. Loads the core, so that no test's own time pays for it."""
    import_module("pytest_gradcheck.checking")
    return FixtureCheck(config)
