"""Jacobians: the lecture's own, and derivative, gradient and Jacobian as one call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.engine import (
    Node,
    affine,
    constant,
    dot,
    gradient,
    jacobian,
    log,
    relu,
    sigmoid,
    softmax,
    source,
    sources,
    tanh,
)

RNG = np.random.default_rng(3)
W0, X0, B0 = RNG.normal(size=(2, 3)), RNG.normal(size=3), RNG.normal(size=2)


def layer() -> tuple[Node, Node, Node, Node]:
    W, x, b = sources(W=W0, x=X0, b=B0)
    return affine(W, x, b), W, x, b


def test_affine_by_x_is_the_matrix() -> None:
    z, _, x, _ = layer()
    assert np.array_equal(jacobian(z, x), W0)


def test_affine_by_b_is_the_identity() -> None:
    z, _, _, b = layer()
    assert np.array_equal(jacobian(z, b), np.eye(2))


def test_affine_by_w_has_the_input_in_each_row() -> None:
    z, W, _, _ = layer()
    assert np.array_equal(jacobian(z, W), np.kron(np.eye(2), X0))


def test_score_by_u_is_h_transposed() -> None:
    u, h = sources(u=[1.0, 2.0, 3.0], h=X0)
    assert np.array_equal(jacobian(dot(u, h), u), X0[None, :])


@pytest.mark.parametrize(
    ("f", "slope"),
    [(tanh, lambda z: 1 - np.tanh(z) ** 2), (sigmoid, lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2)],
    ids=["tanh", "sigmoid"],
)
def test_elementwise_is_diagonal(f: Any, slope: Any) -> None:
    z = source(X0)
    np.testing.assert_allclose(jacobian(f(z), z), np.diag(slope(X0)), rtol=1e-13, atol=0)


def test_softmax() -> None:
    z = source(X0)
    p = np.exp(X0) / np.exp(X0).sum()
    np.testing.assert_allclose(jacobian(softmax(z), z), np.diag(p) - np.outer(p, p), rtol=1e-13)


def test_the_chain_of_jacobians_is_their_product() -> None:
    z, _, x, _ = layer()
    h = relu(z)
    assert np.array_equal(jacobian(h, x), jacobian(h, z) @ jacobian(z, x))


def test_derivative_gradient_and_jacobian_are_one_call() -> None:
    x = source(3.0)
    assert jacobian(x**3, x).tolist() == [[27]]
    v = source([1.0, 2.0, 3.0])
    assert jacobian((v * v).sum(), v).tolist() == [[2, 4, 6]]
    assert jacobian(v * v, v).tolist() == [[2, 0, 0], [0, 4, 0], [0, 0, 6]]
    np.testing.assert_array_equal(jacobian((v * v).sum(), v)[0], gradient((v * v).sum(), v))


def test_edges() -> None:
    x = source([1.0, 2.0])
    assert jacobian(x, x).tolist() == [[1, 0], [0, 1]]
    assert jacobian(source(1.0) * 2, x).tolist() == [[0, 0]]
    assert jacobian(log(x)[np.zeros(0, dtype=int)], x).shape == (0, 2)
    with pytest.raises(ValueError, match="make it a source"):
        jacobian(x * constant(2.0), constant(2.0))
