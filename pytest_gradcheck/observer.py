"""Observer: who is told of each check while the layer is still there to be asked for more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .checking import Check
    from .target import Target
    from .verdict import Report


class Observer(Protocol):
    """Told three times of each check that is made inside `watching`."""

    def adapted(self, target: Target) -> None:
        """The layer has its common form and has not been called; values of its arguments may be replaced."""

    def begun(self, check: Check) -> None:
        """The layer's first call comes next; `check.meter.watch` may be set, to be called at every forward."""

    def told(self, check: Check, report: Report) -> None:
        """The check has come to its report; `check.sitting` holds what was measured, if anything was."""


_PRESENT: ContextVar[Observer | None] = ContextVar("gradcheck_observer", default=None)


def present() -> Observer | None:
    """Who watches now, if anybody."""
    return _PRESENT.get()


@contextmanager
def watching(observer: Observer) -> Iterator[None]:
    """Every check made inside is shown to the observer."""
    token = _PRESENT.set(observer)
    try:
        yield
    finally:
        _PRESENT.reset(token)
