"""A function of arrays, as the numeric core sees it: a stencil around one point, its noise, a prober, a claim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.calls import Calls
from pytest_gradcheck.domain import Domain
from pytest_gradcheck.numeric.noise import Noise
from pytest_gradcheck.numeric.probe import Prober
from pytest_gradcheck.numeric.scales import Floats
from pytest_gradcheck.numeric.stencil import Block, Claim, Stencil
from pytest_gradcheck.target import Argument, FunctionTarget

Array = np.ndarray[Any, np.dtype[Any]]


class Bench:
    """Everything of the core below the examination, around the point x.

    f: from the arrays x to one array. pull: from an upstream and x to the gradients, one per array; without it the
    claim is zero everywhere.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        *x: Array,
        pull: Callable[..., Sequence[Array]] | None = None,
        domains: Sequence[Domain | None] | None = None,
        upstream: Array | None = None,
        accuracy: float | None = None,
        seed: int = 0,
        h: float = 1e-4,
    ) -> None:
        self.x, self.pull = x, pull
        arguments = tuple(Argument(f"x{i}", v) for i, v in enumerate(x))
        self.calls = Calls(FunctionTarget("f", arguments, f, lambda u: ()))
        self.stencil = Stencil(self.calls, x, domains or [None] * len(x))
        outputs = self.calls.forward([v.copy() for v in x])
        self.stencil.take(outputs)
        self.noise = Noise(self.stencil.center, [y.dtype for y in outputs], accuracy)
        self.prober = Prober(self.stencil, self.noise, seed, h)
        if upstream is None:
            upstream = np.random.default_rng(99).uniform(0.5, 1.5, outputs[0].shape)
        self.claim = self.claim_of([np.asarray(upstream, np.float64).reshape(-1)])

    def claim_of(self, upstream: list[Floats]) -> Claim:
        """What `pull` declares for a flat upstream."""
        shaped = upstream[0].reshape(self.stencil.shapes[0])
        gradients = [np.zeros(v.shape) for v in self.x] if self.pull is None else self.pull(shaped, *self.x)
        return Claim(upstream, [np.array(g, np.float64).reshape(-1) for g in gradients])

    def whole(self, i: int = 0) -> Block:
        """All entries of one argument."""
        return Block(i, (0, self.x[i].size))

    @property
    def spent(self) -> int:
        """Forward evaluations so far, the first included."""
        return self.calls.meter.forward_evaluations


def normal(*shape: int, seed: int = 0) -> Array:
    return np.asarray(np.random.default_rng(seed).standard_normal(shape))
