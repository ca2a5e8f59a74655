"""Runs the contract over one layer, as a check does, and small layers to break it with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_gradcheck.adapters.objects import ObjectTarget
from pytest_gradcheck.calls import Calls, Meter, quiet
from pytest_gradcheck.contract import Outcome, begin, examine, judge_first
from pytest_gradcheck.randomness import Frozen
from pytest_gradcheck.settings import Settings
from pytest_gradcheck.target import Array, Target
from pytest_gradcheck.verdict import Finding


@dataclass
class Trial:
    """What both halves of the contract said, and what it cost."""

    first: Outcome
    further: Outcome
    meter: Meter

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self.first.findings, *self.further.findings)

    @property
    def kinds(self) -> list[tuple[str, str | None]]:
        return [(f.kind, f.argument) for f in self.findings]

    @property
    def states(self) -> dict[str, str]:
        return {c.name: c.state for c in (*self.first.clauses, *self.further.clauses)}

    @property
    def details(self) -> dict[str, str]:
        return {c.name: c.detail for c in (*self.first.clauses, *self.further.clauses)}

    @property
    def message(self) -> str:
        return self.findings[0].message


def normal(*shapes: tuple[int, ...], seed: int = 0) -> tuple[Array, ...]:
    rng = np.random.default_rng(seed)
    return tuple(np.asarray(rng.standard_normal(s)) for s in shapes)


def trial(layer: Any, *inputs: Array, target: Target | None = None, copy: bool = True, **settings: Any) -> Trial:
    """The contract of a layer with forward and backward; `copy=False` as for one that cannot be copied."""
    chosen = Settings().merged(settings)
    subject = target or ObjectTarget(layer, inputs, {})
    rng = np.random.default_rng(5)

    def upstream(outputs: tuple[Array, ...]) -> list[Array]:
        return [np.asarray(rng.standard_normal(y.shape).astype(y.dtype)) for y in outputs]

    with quiet(), Frozen(subject) as frozen:
        meter = Meter.granted(chosen.max_evaluations, chosen.max_seconds)
        calls = Calls(subject, meter=meter, frozen=frozen)
        first = begin(calls, [a.value for a in subject.arguments], upstream, subject.fresh() if copy else None)
        return Trial(judge_first(first, chosen), examine(first, chosen), meter)


class Square:
    """y = x², elementwise."""

    def forward(self, x: Array) -> Any:
        self.x = x
        return x**2

    def backward(self, upstream: Array) -> Any:
        return (2 * self.x * upstream,)


class Dense:
    """y = x W + b, one row of x per example."""

    def forward(self, x: Array, W: Array, b: Array) -> Any:
        self.x, self.W = x, W
        return x @ W + b

    def backward(self, upstream: Array) -> Any:
        return upstream @ self.W.T, self.x.T @ upstream, upstream.sum(0)


class BatchNorm:
    """Each column to mean 0 and variance 1."""

    def forward(self, x: Array) -> Any:
        self.std = np.sqrt(x.var(0) + 1e-5)
        self.n = (x - x.mean(0)) / self.std
        return self.n

    def backward(self, upstream: Array) -> Any:
        centred = upstream - upstream.mean(0) - self.n * (upstream * self.n).mean(0)
        return (centred / self.std,)


#: Inputs of Dense: five examples, four features, three outputs.
DENSE = normal((5, 4), (4, 3), (3,))
X = normal((4, 3))[0]
