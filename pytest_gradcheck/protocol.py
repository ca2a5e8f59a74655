"""The type of the `gradcheck` fixture, for annotations in tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .suites.chains import ChainReport
    from .verdict import Report


class GradCheck(Protocol):
    """What the fixture `gradcheck` is: a call that checks one layer at one point, or fails the test."""

    def __call__(
        self,
        layer: Any,
        /,
        *inputs: Any,
        wrt: Any = None,
        upstream: Any = None,
        kwargs: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Report:
        """The report of a check that passed.

        Raises `GradientMismatch` where the declared backward is wrong, `GradientInconclusive` where the check ended
        without a verdict, and another `GradCheckError` where the layer or its inputs cannot be checked.
        """

    def chain(self, layers: Any, /, *inputs: Any, **settings: Any) -> ChainReport:
        """The report of a chain of layers, as `check_chain` takes it, each of which passed; raises like a call."""
