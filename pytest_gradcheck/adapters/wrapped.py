"""A target around another one: what a surrogate, a selection and a declared batch have in common."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from pytest_gradcheck.elsewhere import Elsewhere
from pytest_gradcheck.target import Array, Target
from pytest_gradcheck.verdict import Clause


class Wrapped(Target):
    """Everything as the inner target has it; subclasses change what they are for."""

    def __init__(self, inner: Target) -> None:
        self.inner = inner
        self.name, self.convention, self.layer = inner.name, inner.convention, inner.layer
        self.arguments, self.passed_through = inner.arguments, inner.passed_through
        self.positions, self.remarks, self.rounding = inner.positions, inner.remarks, inner.rounding
        self.batched = inner.batched

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The inner outputs."""
        outputs = self.inner.forward(values)
        # Some remarks are only known after the first forward.
        self.remarks = self.inner.remarks
        return outputs

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """The inner gradients."""
        return self.inner.backward(upstream)

    def restrict(self, positions: Sequence[int]) -> None:
        """Nor is the inner target asked for others."""
        self.inner.restrict(positions)

    def fresh(self) -> Target | None:
        """The same around a fresh copy."""
        return self.around(self.inner.fresh())

    def widened(self) -> Target | None:
        """The same around the float64 twin; itself where that is the inner target itself."""
        wide = self.inner.widened()
        return self if wide is self.inner else self.around(wide)

    def around(self, inner: Target | None) -> Target | None:
        """A copy of this target around another inner one; None for None."""
        if inner is None:
            return None
        twin = copy.copy(self)
        twin.inner, twin.layer, twin.rounding = inner, inner.layer, inner.rounding
        return twin

    def elsewhere(self) -> Elsewhere | None:
        """Where the inner arrays live; None where forward is not the inner one."""
        return self.inner.elsewhere() if type(self).forward is Wrapped.forward else None

    def parameters(self) -> tuple[Array, ...]:
        """Those of the inner target."""
        return self.inner.parameters()

    def spoilt(self) -> Sequence[tuple[str, Array, Array]]:
        """That of the inner target."""
        return self.inner.spoilt()

    def own_clauses(self, upstream: Sequence[Array]) -> tuple[Clause, ...]:
        """Those of the inner target."""
        return self.inner.own_clauses(upstream)


class Batched(Wrapped):
    """A layer whose forward also takes all its arguments with one more axis in front, many inputs at once."""

    def __init__(self, layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        from . import adapt_any

        super().__init__(adapt_any(layer, inputs, kwargs))
        self.batched = True
