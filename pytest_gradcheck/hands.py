"""Hands: who evaluates the forwards of a check, this process or the workers of an executor."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from .contract import FirstCall, Outcome
from .domain import Domain
from .elsewhere import Elsewhere
from .numeric.stencil import Stencil
from .precision import Narrow, Precision
from .settings import Settings

if TYPE_CHECKING:
    from .workers import Crew
    from .workers.crew import Errand
    from .workers.parcel import Cargo


class Hands:
    """The stencil of one check at one point, and its contract where a worker examines it meanwhile.

    Without `settings.executor`, and for layers whose workers could not answer as they would here, this process does
    everything. A context manager: at its end nobody works any more.
    """

    def __init__(self, first: FirstCall, precision: Precision, settings: Settings) -> None:
        self.first, self.precision, self.settings = first, precision, settings
        self._crew: Crew | None = None
        self._contract: Errand | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Hands:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def stencil(self, domains: Sequence[Domain | None]) -> Stencil:
        """The stencil around the point."""
        calls, values = self.precision.calls, self.precision.values
        executor = self.settings.executor
        if executor is not None and self.settings.method != "complex-step" and self._can_leave():
            from .workers import Crew, FarStencil

            self._crew = self._stack.enter_context(Crew(executor, self._cargo(domains), calls.meter.deadline))
            return FarStencil(calls, values, domains, self._crew, self._send_contract)
        device = self._elsewhere(domains)
        if device is None:
            return Stencil(calls, values, domains)
        from .numeric.device import DeviceStencil

        return DeviceStencil(calls, values, domains, device)

    def _elsewhere(self, domains: Sequence[Domain | None]) -> Elsewhere | None:
        """Where the layer's arrays live, if that is no memory of this process, and entries can be moved there."""
        target = self.precision.calls.target
        structured = any(domain is not None and domain.structured for domain in domains)
        usual = self.settings.method == "complex-step" or target.batched or self.first.changed_by_forward
        return None if structured or usual else target.elsewhere()

    def _send_contract(self) -> None:
        from .workers import tasks

        # A budget is spent in order: what measuring leaves is for the contract.
        granted = self.settings.max_evaluations is not None or self.settings.max_seconds is not None
        can = self.settings.contract == "full" and self.first.untouched is not None and not granted
        if can and self._crew is not None and self._contract is None:
            self._contract = self._crew.send(tasks.contract)

    def contract(self) -> Outcome | None:
        """What a worker says of the clauses that call the layer again; None where they are still to be examined."""
        self._send_contract()
        if self._crew is None or self._contract is None:
            return None
        outcome, forwards, backwards = self._crew.answer(self._contract)
        meter = self.first.calls.meter
        meter.forward_evaluations += forwards
        meter.backward_calls += backwards
        found: Outcome = outcome
        return found

    def _can_leave(self) -> bool:
        # Threads share a process's random state, and the workers of a cluster have threads of their own: nobody there
        # could hold still what forward draws from.
        executor = self.settings.executor
        alone = isinstance(executor, ProcessPoolExecutor) or str(executor).startswith("processes")
        return alone or not self.precision.calls.frozen.moves_the_process

    def _cargo(self, domains: Sequence[Domain | None]) -> Cargo:
        from .workers.parcel import Cargo

        first, target = self.first, self.precision.calls.target
        own = first.calls.target
        way = "narrow" if isinstance(target, Narrow) else "as it is" if target is own else "wide"
        return Cargo(
            target=first.untouched or own,
            values=first.values,
            upstream=first.upstream,
            shapes=tuple(y.shape for y in self.precision.outputs),
            domains=tuple(domains),
            way=way,
            writes=bool(first.changed_by_forward),
            random=self.precision.calls.frozen.shipped(),
            settings=replace(self.settings, executor=None),
        )
