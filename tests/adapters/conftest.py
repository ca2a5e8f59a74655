"""Fixtures of the tests of adapters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pytest_gradcheck.adapters.torch import TorchTarget
from pytest_gradcheck.numeric.stencil import Stencil
from tests.numeric.places import Travels


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


@pytest.fixture
def travels(monkeypatch: pytest.MonkeyPatch) -> list[Travels]:
    """What goes to the places that targets of torch say their tensors live in, and what comes back."""
    found: list[Travels] = []
    of = TorchTarget.elsewhere

    def counted(self: Any) -> Any:
        place = of(self)
        found.append(Travels(place))
        return place

    monkeypatch.setattr(TorchTarget, "elsewhere", counted)
    return found
