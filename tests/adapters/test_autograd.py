"""autograd: primitives, what grad returns, declared functions, each with a wrong twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import declare
from pytest_gradcheck.adapters import adapt
from tests.adapters.differences import normal, wrong

autograd = pytest.importorskip("autograd", reason="needs the extra pytest-gradcheck[autograd]")
anp = pytest.importorskip("autograd.numpy", reason="needs the extra pytest-gradcheck[autograd]")
extend = pytest.importorskip("autograd.extend", reason="needs the extra pytest-gradcheck[autograd]")


def affine(factor: float) -> Any:
    @extend.primitive
    def layer(x: Any, W: Any, times: int = 1) -> Any:
        return times * (x @ W)

    extend.defvjp(
        layer,
        lambda ans, x, W, times=1: lambda g: times * (g @ W.T),
        lambda ans, x, W, times=1: lambda g: factor * times * (x.T @ g),
    )
    return layer


def test_a_primitive() -> None:
    target = adapt(affine(1.0), (normal(4, 3), normal(3, 2)), {})
    assert (target.name, [a.name for a in target.arguments]) == ("layer", ["x", "W"])
    assert wrong(affine(1.0), normal(4, 3), normal(3, 2), 3) == []
    assert wrong(affine(1.0), normal(4, 3), normal(3, 2), kwargs={"times": 2}, wrt="W") == []


def test_a_wrong_primitive() -> None:
    assert wrong(affine(1.01), normal(4, 3), normal(3, 2)) == ["W"]


def test_the_shape_that_a_primitive_returns_reaches_the_contract() -> None:
    @extend.primitive
    def total(x: Any) -> Any:
        return np.sum(x)

    extend.defvjp(total, lambda ans, x: lambda g: g)
    target = adapt(total, (normal(3),), {})
    target.forward([normal(3)])
    assert np.shape(target.backward([np.array(1.0)])[0]) == ()


def test_a_primitive_without_a_gradient_raises() -> None:
    with pytest.raises(NotImplementedError, match="not defined"):
        wrong(extend.primitive(lambda x: x * 2), normal(3))


@pytest.mark.parametrize("layer", [anp.tanh, anp.linalg.inv, autograd.grad(lambda x: anp.sum(x**3))])
def test_functions_of_autograd_and_what_grad_returns(layer: Any) -> None:
    assert wrong(layer, normal(3, 3)) == []


def test_wrappers_as_other_conventions() -> None:
    def f(x: Any) -> Any:
        return anp.sum(anp.sin(x) ** 2)

    assert wrong(declare.value_and_gradient(autograd.value_and_grad(f)), normal(3)) == []
    assert wrong(declare.objective(f, autograd.grad(f), hess=autograd.hessian(f)), normal(3)) == []
    assert wrong(declare.jacobian(anp.sin, autograd.jacobian(anp.sin)), normal(3)) == []
    assert wrong(declare.jacobian(anp.sin, autograd.jacobian(anp.cos)), normal(3)) != []


def test_declared_functions_with_several_outputs() -> None:
    def step(x: Any, state: Any) -> Any:
        h = anp.tanh(x @ state["W"])
        return h, {"sum": anp.sum(state["c"]) * x, "n": 3}

    inputs = (normal(4, 3), {"W": normal(3, 2), "c": normal(1)})
    assert wrong(declare.autograd(step), *inputs) == []
    bad = affine(1.5)
    assert wrong(declare.autograd(lambda x, W: (bad(x, W), x)), normal(4, 3), normal(3, 2)) == ["W"]


def test_complex_numbers_follow_autograd() -> None:
    z = normal(3) + 1j * normal(3, seed=1)
    assert wrong(declare.autograd(lambda z: anp.exp(z) * anp.conj(z)), z) == []
    assert wrong(declare.autograd(lambda z: (z * 2j, anp.real(z) ** 2)), z) == []


def test_a_primitive_that_returns_a_tuple() -> None:
    A = normal(3, 3) + normal(3, 3).T
    assert wrong(anp.linalg.slogdet, A + 4 * np.eye(3)) == []
    target = adapt(anp.linalg.eigh, (A,), {})
    # The order of eigenvalues is numpy's; their sum is the trace, whose gradient is the identity.
    values, vectors = target.forward([A])
    assert np.allclose(target.backward([np.ones_like(values), np.zeros_like(vectors)])[0], np.eye(3))
