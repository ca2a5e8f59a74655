"""The lecture's network, s = uᵀ f(Wx + b): by hand, as a graph of the engine, and the worked example of the graph.

By hand, the error signal δ = ∂s/∂z is computed once and shared by the gradients of b, W and x. The engine knows only
the rules of dot, tanh and affine, and arrives at the same.
"""

import numpy as np
import pytest

from pytest_gradcheck import engine as e


class Network:
    """score = u · tanh(W x + b), with x: (inputs,), W: (hidden, inputs), b and u: (hidden,)."""

    def forward(self, x, W, b, u):
        self.x, self.W, self.u = x.copy(), W.copy(), u.copy()
        self.h = np.tanh(W @ x + b)
        return u @ self.h

    def backward(self, upstream):
        delta = upstream * self.u * (1 - self.h**2)
        d_x = self.W.T @ delta
        d_W = np.outer(delta, self.x)
        d_b = delta
        d_u = upstream * self.h
        return d_x, d_W, d_b, d_u


def values(hidden=5, inputs=4):
    rng = np.random.default_rng(0)
    return tuple(rng.standard_normal(shape) for shape in [inputs, (hidden, inputs), hidden, hidden])


def graph():
    x, W, b, u = (e.source(value, name) for value, name in zip(values(), "xWbu", strict=True))
    return e.Graph(e.dot(u, e.tanh(e.affine(W, x, b))), [x, W, b, u])


@pytest.mark.gradcheck
def test_by_hand():
    return Network(), *values()


@pytest.mark.gradcheck
def test_as_a_graph():
    return graph(), *values()


def test_both_agree():
    by_hand, by_graph = Network(), graph()
    assert np.isclose(by_hand.forward(*values()), by_graph.forward(*values()))
    for one, other in zip(by_hand.backward(1.0), by_graph.backward(1.0), strict=True):
        assert np.allclose(one, other)


def test_jacobians_of_the_lecture():
    x, W, b, u = graph().inputs
    z = e.affine(W, x, b)
    h = e.tanh(z)
    assert np.allclose(e.jacobian(z, x), W.value)
    assert np.allclose(e.jacobian(z, b), np.eye(5))
    assert np.allclose(e.jacobian(h, z), np.diag(1 - h.value**2))
    assert np.allclose(e.jacobian(e.dot(u, h), u), h.value)


def test_worked_example():
    x, y, z = e.sources(x=1, y=2, z=0)
    f = (x + y) * e.maximum(y, z)
    assert f.value == 6
    assert e.gradient(f, [x, y, z]) == (2, 5, 0)


def test_worked_example_against_differences(gradcheck):
    x, y, z = e.sources(x=1, y=2, z=0)
    gradcheck(e.Graph((x + y) * e.maximum(y, z), [x, y, z]), 1.0, 2.0, 0.0)
