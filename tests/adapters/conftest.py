"""Fixtures of the tests of adapters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pytest_gradcheck.numeric.stencil import Stencil


@pytest.fixture
def stencils(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Stencil]]:
    """The stencils that are made meanwhile, of the kinds that are made by themselves."""
    made: list[Stencil] = []
    start = Stencil.__init__

    def seen(self: Stencil, *arguments: Any) -> None:
        made.append(self)
        start(self, *arguments)

    monkeypatch.setattr(Stencil, "__init__", seen)
    yield made
