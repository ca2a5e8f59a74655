"""Layers that are right and hard to accept: none is refused, and none costs more than the contract may."""

from __future__ import annotations

import threading
import tracemalloc
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.target import Array
from tests.contract.trial import DENSE, BatchNorm, Dense, Square, X, normal, trial


class Twins:
    """Returns one array as the gradient of both inputs."""

    def forward(self, a: Array, b: Array) -> Any:
        return a + b

    def backward(self, upstream: Array) -> Any:
        return upstream, upstream


class ReadOnly(Square):
    def backward(self, upstream: Array) -> Any:
        gradient = 2 * self.x * upstream
        gradient.flags.writeable = False
        return (gradient,)


class Views(Dense):
    """Returns views: of the output a transpose of a transpose, of the bias gradient a broadcast."""

    def forward(self, x: Array, W: Array, b: Array) -> Any:
        return np.ascontiguousarray(super().forward(x, W, b).T).T

    def backward(self, upstream: Array) -> Any:
        x, W, b = super().backward(upstream)
        return np.asfortranarray(x)[:, ::1], W, np.broadcast_to(b, (2, 3))[0]


class Constant:
    """A gradient of zeros with stride 0."""

    def forward(self, x: Array) -> Any:
        self.shape = x.shape
        return np.ones(x.shape)

    def backward(self, upstream: Array) -> Any:
        return (np.broadcast_to(np.zeros(()), self.shape),)


class Locked(Square):
    """Cannot be deep-copied."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class ChecksShapes(Dense):
    def forward(self, x: Array, W: Array, b: Array) -> Any:
        if x.shape != (5, 4):
            raise ValueError("built for (5, 4)")
        return super().forward(x, W, b)

    def backward(self, upstream: Array) -> Any:
        if upstream.shape != (5, 3) or upstream.strides[-1] != 8:
            raise ValueError("an upstream of (5, 3), contiguous")
        return super().backward(upstream)


class ClosedTarget:
    """A squared distance to a fixed target: at another size it broadcasts, and the gradient has the target's shape."""

    target = np.arange(12.0).reshape(4, 3)

    def forward(self, x: Array) -> Any:
        self.x = x
        return np.asarray(((x - self.target) ** 2).sum())

    def backward(self, upstream: Array) -> Any:
        return (2 * upstream * (self.x - self.target),)


class RunningMean(BatchNorm):
    """Training mode: the running mean moves at each call, the output does not depend on it."""

    def __init__(self) -> None:
        self.mean = np.zeros(3)

    def forward(self, x: Array) -> Any:
        self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        return super().forward(x)


class KeptMask:
    """Variational dropout: the mask is drawn once for each shape."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.mask: Array = np.zeros(0)

    def forward(self, x: Array) -> Any:
        if self.mask.shape != x.shape:
            self.mask = (self.rng.random(x.shape) < 0.5) * 2.0
        return x * self.mask

    def backward(self, upstream: Array) -> Any:
        return (upstream * self.mask,)


class Half(Square):
    def backward(self, upstream: Array) -> Any:
        return ((2 * self.x * upstream).astype(np.float16),)


class Big(Square):
    def forward(self, x: Array) -> Any:
        return 1e300 * super().forward(x)

    def backward(self, upstream: Array) -> Any:
        return (1e300 * super().backward(upstream)[0],)


AWKWARD: dict[str, tuple[Any, tuple[Array, ...]]] = {
    "elementwise": (Square(), (X,)),
    "three arguments": (Dense(), DENSE),
    "sums that cancel": (BatchNorm(), (X,)),
    "one array returned twice": (Twins(), (X, X + 1)),
    "one array given twice": (Twins(), (X, X)),
    "read-only gradients": (ReadOnly(), (X,)),
    "views": (Views(), DENSE),
    "a gradient of stride 0": (Constant(), (X,)),
    "not to be copied": (Locked(), (X,)),
    "checks shapes and strides": (ChecksShapes(), DENSE),
    "a fixed target": (ClosedTarget(), (X,)),
    "a running mean": (RunningMean(), (X,)),
    "a mask kept for each shape": (KeptMask(), (X,)),
    "float16": (Half(), (X.astype(np.float16),)),
    "float32": (Square(), (X.astype(np.float32),)),
    "longdouble": (Square(), (X.astype(np.longdouble),)),
    "near overflow": (Big(), (X,)),
    "a Fortran input": (Square(), (np.asfortranarray(X),)),
    "a broadcast input": (Square(), (np.broadcast_to(X[0], (4, 3)),)),
    "one entry": (Square(), normal((1,))),
    "no axis": (Square(), normal(())),
    "no rows": (Square(), normal((0, 3))),
    "no columns": (Square(), normal((3, 0))),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_is_accepted(name: str) -> None:
    layer, inputs = AWKWARD[name]
    before = [x.copy() for x in inputs]
    for batch_axis in (None, 0):
        if batch_axis == 0 and isinstance(layer, ClosedTarget):
            continue  # it takes one size, so that this axis is none along which it could grow
        seen = trial(layer, *inputs, batch_axis=batch_axis)
        assert [f.message for f in seen.findings] == []
        assert all((x == was).all() for x, was in zip(inputs, before, strict=True))
        assert seen.meter.forward_evaluations <= 13


def test_a_declared_batch_axis_that_is_none_is_told() -> None:
    assert trial(ClosedTarget(), X, batch_axis=0).kinds == [("shape", "x")]


def test_a_layer_that_cannot_be_copied_is_skipped_there() -> None:
    seen = trial(Locked(), X)
    assert seen.details["fresh-copy"] == "the layer cannot be copied"


@pytest.mark.parametrize("layer", [Square(), Dense()])
def test_the_cost_does_not_depend_on_the_size(layer: Any) -> None:
    costs = set()
    for n in (8, 80, 800):
        inputs = normal((n, 4)) if isinstance(layer, Square) else normal((n, 4), (4, 3), (3,))
        seen = trial(layer, *inputs)
        assert not seen.findings
        costs.add((seen.meter.forward_evaluations, seen.meter.backward_calls))
    assert len(costs) == 1
    assert max(costs)[0] <= 13


def test_a_large_layer_costs_few_arrays_of_its_size() -> None:
    x = normal((400, 500))[0]
    tracemalloc.start()
    try:
        trial(Square(), x, contract="values")
        once = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        trial(Square(), x)
        full = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Beyond the first call: what the layer and its copy cache and hold of their last outputs, the arrays of one call
    # in the making, and at most three of the contract itself.
    assert (full - once) / x.nbytes < 10
