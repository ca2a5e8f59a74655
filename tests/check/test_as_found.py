"""All is as it was before a check: arrays, layer, random state, warnings, whether it ends well, badly or early."""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check
from pytest_gradcheck.errors import LayerError
from pytest_gradcheck.settings import METHODS
from tests.check.layers import Array, normal


class Careless:
    """Writes into its inputs, its upstream and what it holds, draws from every source, and stops at some call."""

    def __init__(self, stage: str = "", call: int = 0, stop: type[BaseException] = ValueError) -> None:
        self.stage, self.call, self.stop, self.made = stage, call, stop, 0
        self.mean, self.table = np.zeros(2), {"seen": np.zeros(2)}
        self.rng = np.random.default_rng(3)

    def _made(self, stage: str) -> None:
        np.random.random()
        random.random()
        self.rng.random()
        self.made += stage == self.stage
        if stage == self.stage and self.made >= self.call:
            raise self.stop("enough")

    def forward(self, x: Array) -> Array:
        self.y = np.tanh(x)
        x[0] = 99.0
        self.mean = 0.9 * self.mean + 0.1
        self.table["seen"] += 1.0
        self._made("forward")
        return self.y

    def backward(self, upstream: Array) -> Array:
        gradient: Array = upstream * (1 - self.y**2)
        upstream[...] = 7.0
        self._made("backward")
        return np.asarray(gradient)


class CarelessWithParameters(Careless):
    """The same with a parameter, whose gradient is held; such a layer is checked in a copy."""

    def __init__(self, *stop: Any) -> None:
        super().__init__(*stop)
        self.W, self.dW = np.array([0.5, 2.0]), np.array([0.25, 0.75])

    def forward(self, x: Array) -> Array:
        self.x = x.copy()
        y = np.asarray(super().forward(x) * self.W)
        self.W *= 1.5
        return y

    def backward(self, upstream: Array) -> Array:
        self.dW[...] = (upstream * self.y).sum(axis=0)
        return super().backward(upstream * self.W)


def _state(layer: Careless, x: Array) -> Any:
    names = ("mean", "W", "dW")
    held = {name: vars(layer)[name].tolist() for name in names if name in vars(layer)}
    return (
        x.tolist(), held, layer.table["seen"].tolist(), str(layer.rng.bit_generator.state), random.getstate(),
        str(np.random.get_state(legacy=False)), np.geterr(), list(warnings.filters),
    )  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "stop", [KeyboardInterrupt, SystemExit, ValueError, MemoryError, RecursionError, GeneratorExit]
)
@pytest.mark.parametrize(("stage", "call"), [("forward", 1), ("forward", 4), ("backward", 1), ("backward", 3)])
@pytest.mark.parametrize("kind", [Careless, CarelessWithParameters])
def test_a_layer_that_stops_in_the_middle_leaves_no_trace(
    kind: type[Careless], stage: str, call: int, stop: type[BaseException], method: str
) -> None:
    layer, x = kind(stage, call, stop), normal(3, 2)
    before = _state(layer, x)
    try:
        report = check(layer, x, method=method)
    except (stop, LayerError):
        pass
    else:
        assert not report.passed  # it also writes into its inputs
    assert _state(layer, x) == before


@pytest.mark.parametrize("kind", [Careless, CarelessWithParameters])
def test_nor_does_a_check_that_comes_to_its_end(kind: type[Careless]) -> None:
    layer, x = kind(), normal(3, 2)
    before = _state(layer, x)
    assert "mutation" in {f.kind for f in check(layer, x).findings}
    assert _state(layer, x) == before


def test_arrays_that_the_caller_gave_the_layer_are_as_they_were() -> None:
    class Centred:
        def __init__(self, offset: Array) -> None:
            self.offset = offset

        def forward(self, x: Array) -> Any:
            self.offset += 1e-3
            return x - self.offset

        def backward(self, upstream: Array) -> Any:
            return upstream

    offset = np.ones(2)
    layer = Centred(offset)
    check(layer, normal(3, 2))
    assert layer.offset is offset
    assert offset.tolist() == [1.0, 1.0]


def test_a_cache_that_was_there_serves_the_next_backward() -> None:
    class Square:
        def forward(self, x: Array) -> Any:
            self.x = x
            return x * x

        def backward(self, upstream: Array) -> Any:
            return 2 * upstream * self.x

    layer, x = Square(), normal(4)
    layer.forward(x)
    assert check(layer, normal(4, seed=1)).passed
    assert layer.backward(np.ones(4)).tolist() == (2 * x).tolist()
