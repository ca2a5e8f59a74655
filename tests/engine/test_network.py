"""The lecture's network: its hand-written backward, the same by the graph, and what sharing δ saves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.engine import LectureNetwork, Operation, gradient, relu, sigmoid, softmax, softplus, sources, tanh
from tests.engine.differences import largest_error


def point() -> list[Any]:
    rng = np.random.default_rng(5)
    return [rng.normal(size=shape) for shape in ((4,), (3, 4), (3,), (3,))]


@pytest.mark.parametrize("f", [tanh, sigmoid, relu, softplus], ids=lambda f: f.name)
def test_backward_is_the_derivative(f: Operation) -> None:
    assert largest_error(LectureNetwork(f), point()) < 1e-8


class DeltaWithoutSlope(LectureNetwork):
    def delta(self, upstream: Any = 1.0) -> Any:
        return np.asarray(upstream) * self.last.u


class OuterTransposed(LectureNetwork):
    def to_W(self, delta: Any) -> Any:
        return (self.last.x[:, None] * delta).reshape(self.last.W.shape)


class WrongX(LectureNetwork):
    def to_x(self, delta: Any) -> Any:
        return self.last.W.T @ np.abs(delta)


class WrongB(LectureNetwork):
    def to_b(self, delta: Any) -> Any:
        return np.full_like(delta, delta.sum())


@pytest.mark.parametrize("wrong", [DeltaWithoutSlope, OuterTransposed, WrongX, WrongB])
def test_wrong_twins_are_caught(wrong: type[LectureNetwork]) -> None:
    assert largest_error(wrong(), point()) > 1e-2


def test_the_graph_gives_the_same() -> None:
    network = LectureNetwork()
    x, W, b, u = sources(**dict(zip("xWbu", point(), strict=True)))
    s = network.expression(x, W, b, u)
    assert float(network.forward(*point())) == float(s.value)
    for by_hand, by_graph in zip(network.backward(2.0), gradient(s, [x, W, b, u], upstream=2.0), strict=True):
        np.testing.assert_allclose(by_hand, by_graph, rtol=1e-14)


def test_delta_is_the_gradient_by_b_and_part_of_the_others() -> None:
    network = LectureNetwork()
    x, W, b, u = point()
    network.forward(x, W, b, u)
    delta = network.delta()
    dx, dW, db, du = network.backward(1.0)
    np.testing.assert_array_equal(db, delta)
    np.testing.assert_array_equal(dW, np.outer(delta, x))
    np.testing.assert_array_equal(dx, W.T @ delta)
    np.testing.assert_array_equal(du, np.tanh(W @ x + b))


class Counting(np.ndarray[Any, np.dtype[Any]]):
    """An array that counts the products and sums of single numbers that numpy carries out on it."""

    done = 0

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        plain = [np.asarray(i) for i in inputs]
        result = np.asarray(getattr(ufunc, method)(*plain, **kwargs))
        Counting.done += result.size * (2 * plain[0].shape[-1] - 1 if ufunc is np.matmul else 1)
        return result


def test_sharing_counts_what_numpy_does() -> None:
    network = LectureNetwork()
    network.forward(*point())
    sharing = network.sharing()
    delta = network.delta().view(Counting)
    for name, part in {"∂s/∂b": network.to_b, "∂s/∂W": network.to_W, "∂s/∂x": network.to_x}.items():
        Counting.done = 0
        part(delta)
        assert Counting.done == sharing.alone[name], name


def test_what_sharing_saves() -> None:
    network = LectureNetwork()
    network.forward(*point())
    sharing = network.sharing()
    # Three units, four inputs: δ takes 3 slopes and 3 products; from scratch it is computed three times.
    assert (sharing.delta, sharing.alone) == (6, {"∂s/∂b": 0, "∂s/∂W": 12, "∂s/∂x": 20})
    assert (sharing.shared, sharing.from_scratch, sharing.saved) == (38, 50, 12)
    assert str(sharing).splitlines() == [
        "             shared   from scratch",
        "δ                 6          3 x 6",
        "∂s/∂b             0              0",
        "∂s/∂W            12             12",
        "∂s/∂x            20             20",
        "operations       38             50",
        "saved            12",
    ]


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="f is softmax: give an operation of one argument that works entry by entry"):
        LectureNetwork(softmax)
    with pytest.raises(RuntimeError, match=r"the network has run no forward yet: call forward\(x, W, b, u\) first"):
        LectureNetwork().backward(1.0)
    network = LectureNetwork()
    network.forward(*point())
    with pytest.raises(ValueError, match=r"the upstream has shape \(2,\), the output \(\)"):
        network.backward([1.0, 2.0])
