"""pytensor: Ops with pullback or L_op, each with a wrong twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.adapters import adapt
from pytest_gradcheck.errors import LayerError
from tests.adapters.differences import normal, wrong

pytensor = pytest.importorskip("pytensor", reason="needs the extra pytest-gradcheck[pytensor]")
pt = pytest.importorskip("pytensor.tensor", reason="needs the extra pytest-gradcheck[pytensor]")
basic = pytest.importorskip("pytensor.graph.basic", reason="needs the extra pytest-gradcheck[pytensor]")
Op: Any = pytest.importorskip("pytensor.graph.op", reason="needs the extra pytest-gradcheck[pytensor]").Op
gradient = pytest.importorskip("pytensor.gradient", reason="needs the extra pytest-gradcheck[pytensor]")


class Square(Op):
    """With L_op, the older name."""

    factor = 1.0

    def make_node(self, x: Any) -> Any:
        x = pt.as_tensor(x)
        return basic.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        outputs[0][0] = inputs[0] ** 2

    def L_op(self, inputs: Any, outputs: Any, upstreams: Any) -> Any:
        return [self.factor * 2 * inputs[0] * upstreams[0]]


class Scale(Op):
    """Two outputs, an integer input, with pullback."""

    factor = 1.0

    def make_node(self, x: Any, w: Any, n: Any) -> Any:
        x, w, n = map(pt.as_tensor, (x, w, n))
        return basic.Apply(self, [x, w, n], [x.type(), x.type()])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        x, w, n = inputs
        outputs[0][0], outputs[1][0] = x * w * n, x + w

    def pullback(self, inputs: Any, outputs: Any, upstreams: Any) -> Any:
        x, w, n = inputs
        u, v = upstreams
        return [u * w * n + v, self.factor * u * x * n + v, gradient.grad_undefined(self, 2, n)]


class Undefined(Square):
    def L_op(self, inputs: Any, outputs: Any, upstreams: Any) -> Any:
        return [gradient.grad_not_implemented(self, 0, inputs[0], "not yet")]


class TooMany(Square):
    def L_op(self, inputs: Any, outputs: Any, upstreams: Any) -> Any:
        return [upstreams[0], upstreams[0]]


def twin(kind: Any) -> Any:
    return type("Twin", (kind,), {"factor": 1.01})()


def test_right_ops() -> None:
    target = adapt(Scale(), (normal(3), normal(3, seed=1), np.array([1, 2, 3])), {})
    assert (target.name, [a.name for a in target.arguments]) == ("Scale", ["x", "w"])
    assert wrong(Square(), normal(2, 3)) == []
    assert wrong(Scale(), normal(3), normal(3, seed=1), np.array([1, 2, 3])) == []
    assert wrong(Scale(), normal(3), normal(3, seed=1), 2, wrt="w") == []
    assert wrong(pt.tanh, normal(3)) == []


def test_wrong_ops() -> None:
    assert wrong(twin(Square), normal(3)) == ["x"]
    assert wrong(twin(Scale), normal(3), normal(3, seed=1), 2) == ["w"]


def test_float32_stays_and_is_widened_by_its_values() -> None:
    target = adapt(Square(), (normal(3, dtype=np.float32),), {})
    (y,) = target.forward([target.arguments[0].value])
    assert y.dtype == target.backward([y])[0].dtype == np.float32
    assert target.forward([normal(3)])[0].dtype == np.float64


def test_a_gradient_that_is_not_implemented_is_said() -> None:
    with pytest.raises(LayerError, match=r"^Undefined has no gradient for input 0 .*not yet.*: leave it out by wrt$"):
        wrong(Undefined(), normal(3))


def test_a_wrong_number_reaches_the_contract() -> None:
    target = adapt(TooMany(), (normal(3),), {})
    target.forward([normal(3)])
    assert len(target.backward([normal(3)])) == 2
