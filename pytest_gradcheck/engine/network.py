"""The lecture's network, s = uᵀ f(Wx + b), with the backward written by hand and the error signal δ shared.

δ = ∂s/∂z = (u ∘ f'(z)) stands in three gradients: ∂s/∂b = δ, ∂s/∂W = δ xᵀ, ∂s/∂x = Wᵀ δ. Computed once it is reused;
`sharing` counts what that saves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .broadcasting import Array
from .linear import affine, dot
from .node import Node
from .nonlinear import tanh
from .operation import Operation, as_upstream


@dataclass(frozen=True)
class LastForward:
    """What backward needs of a forward pass: the inputs, z = Wx + b and h = f(z)."""

    x: Array
    W: Array
    b: Array
    u: Array
    z: Array
    h: Array


class LectureNetwork:
    """s = uᵀ f(Wx + b) as a layer: `forward(x, W, b, u)`, then `backward(upstream)`.

    f: an operation of one argument that works entry by entry (`tanh`, `sigmoid`, `relu`, ...).

    >>> from pytest_gradcheck.engine import LectureNetwork, relu
    >>> network = LectureNetwork(relu)
    >>> float(network.forward([1.0, 2.0], [[1.0, 0.0], [0.0, -1.0]], [0.5, 0.0], [2.0, 3.0]))
    3.0
    >>> [g.tolist() for g in network.backward(1.0)]
    [[2.0, 0.0], [[2.0, 4.0], [0.0, 0.0]], [2.0, 0.0], [1.5, 0.0]]
    """

    def __init__(self, f: Operation = tanh) -> None:
        if f.arity != 1 or not f.broadcasts:
            raise ValueError(
                f"f is {f.name}: give an operation of one argument that works entry by entry, as tanh does"
            )
        self.f = f
        self._last: LastForward | None = None

    def forward(self, x: Any, W: Any, b: Any, u: Any) -> Array:
        """The score, a single number. x: (inputs,); W: (units, inputs); b: (units,); u: (units,)."""
        x, W, b, u = (_floats(a) for a in (x, W, b, u))
        z = np.asarray(affine.forward(W, x, b))
        h = np.asarray(self.f.forward(z))
        self._last = LastForward(x, W, b, u, z, h)
        return np.array(dot.forward(u, h))

    @property
    def last(self) -> LastForward:
        """The arrays of the last forward; RuntimeError before the first."""
        if self._last is None:
            raise RuntimeError("the network has run no forward yet: call forward(x, W, b, u) first")
        return self._last

    def delta(self, upstream: Any = 1.0) -> Array:
        """δ = ∂s/∂z = upstream · u ∘ f'(z), shape (units,)."""
        at = self.last
        weighted = as_upstream(upstream, np.zeros(()), "the lecture network") * at.u
        return np.asarray(self.f.downstream(0, weighted, at.h, [at.z], {}))

    def backward(self, upstream: Any = 1.0) -> tuple[Array, Array, Array, Array]:
        """∂s/∂x = Wᵀδ, ∂s/∂W = δxᵀ, ∂s/∂b = δ and ∂s/∂u = h, each times the upstream; δ is computed once."""
        delta = self.delta(upstream)
        return self.to_x(delta), self.to_W(delta), self.to_b(delta), np.asarray(upstream) * self.last.h

    def to_x(self, delta: Array) -> Array:
        """Wᵀ δ, shape (inputs,)."""
        return np.asarray(self.last.W.T @ delta)

    def to_W(self, delta: Array) -> Array:  # noqa: N802 - the matrix is called W
        """δ xᵀ, shape (units, inputs)."""
        return np.asarray(delta[:, None] * self.last.x)

    def to_b(self, delta: Array) -> Array:
        """δ itself, shape (units,)."""
        return np.array(delta)

    def expression(self, x: Node, W: Node, b: Node, u: Node) -> Node:
        """The same score as a node of a computation graph, for a trace or a comparison."""
        z = affine(W, x, b).named("z")
        return dot(u, self.f(z).named("h")).named("s")

    def sharing(self) -> Sharing:
        """How many operations the gradients by b, W and x take at the last forward, with δ shared and without."""
        units, inputs = self.last.W.shape
        # δ: f' and a product per unit. δxᵀ: a product per entry. Wᵀδ: per input, a product and a sum for each unit.
        return Sharing(2 * units, {"∂s/∂b": 0, "∂s/∂W": units * inputs, "∂s/∂x": inputs * (2 * units - 1)})


@dataclass(frozen=True)
class Sharing:
    """Operations on single numbers (products, sums, evaluations of f') in a backward pass with upstream 1.

    delta: for δ = u ∘ f'(z). alone: for each gradient, once δ is there.

    >>> print(Sharing(delta=4, alone={"∂s/∂b": 0, "∂s/∂W": 6, "∂s/∂x": 9}))
                 shared   from scratch
    δ                 4          3 x 4
    ∂s/∂b             0              0
    ∂s/∂W             6              6
    ∂s/∂x             9              9
    operations       19             27
    saved             8
    """

    delta: int
    alone: Mapping[str, int]

    @property
    def shared(self) -> int:
        """All of them, δ computed once."""
        return self.delta + sum(self.alone.values())

    @property
    def from_scratch(self) -> int:
        """All of them, δ computed anew for each gradient."""
        return self.delta * len(self.alone) + sum(self.alone.values())

    @property
    def saved(self) -> int:
        """The difference."""
        return self.from_scratch - self.shared

    def __str__(self) -> str:
        rows = [("", "shared", "from scratch"), ("δ", str(self.delta), f"{len(self.alone)} x {self.delta}")]
        rows += [(name, str(count), str(count)) for name, count in self.alone.items()]
        rows += [("operations", str(self.shared), str(self.from_scratch)), ("saved", str(self.saved), "")]
        return "\n".join(f"{name:<10}{shared:>9}{scratch:>15}".rstrip() for name, shared, scratch in rows)


def _floats(value: Any) -> Array:
    array = np.array(value)
    return array.astype(np.float64) if array.dtype.kind in "iub" else array
