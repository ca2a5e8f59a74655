"""Layers written by hand in tensors of torch or arrays of jax, which hold such arrays as parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check, declare
from tests.adapters.differences import normal

torch = pytest.importorskip("torch", reason="needs the extra pytest-gradcheck[torch]")
torch.set_num_threads(1)


def tensor(*shape: int, dtype: Any = torch.float64) -> Any:
    return torch.from_numpy(normal(*shape)).to(dtype)


class Held:
    """Attributes W and dW."""

    factor = 1.0

    def __init__(self, W: Any) -> None:
        self.W = W

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.W

    def backward(self, upstream: Any) -> Any:
        self.dW = self.factor * (self.x.T @ upstream)
        return upstream @ self.W.T


class InPlace(Held):
    """A gradient of the type that the weights had when the layer was made."""

    def __init__(self, W: Any) -> None:
        self.W, self.dW = W, 0 * W

    def backward(self, upstream: Any) -> Any:
        self.dW[...] = self.factor * (self.x.T @ upstream)
        return upstream @ self.W.T


class InDicts(Held):
    def __init__(self, W: Any) -> None:
        self.params, self.grads = {"W": W}, dict[str, Any]()

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.params["W"]

    def backward(self, upstream: Any) -> Any:
        self.grads["W"] = self.factor * (self.x.T @ upstream)
        return upstream @ self.params["W"].T


class OfTensor(Held):
    """The gradient stands in the tensor itself."""

    def backward(self, upstream: Any) -> Any:
        self.W.grad = self.factor * (self.x.T @ upstream)
        return upstream @ self.W.T


class Adding(Held):
    def __init__(self, W: Any) -> None:
        self.W = W
        self.W.grad = torch.zeros_like(W)

    def zero_grad(self) -> None:
        self.W.grad = torch.zeros_like(self.W)

    def backward(self, upstream: Any) -> Any:
        self.W.grad += self.factor * (self.x.T @ upstream)
        return upstream @ self.W.T


KINDS = (Held, InPlace, InDicts, OfTensor, Adding)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("kind", KINDS)
def test_tensors_held_by_a_layer_are_its_parameters(kind: Any, dtype: str) -> None:
    type_ = getattr(torch, dtype)
    report = check(kind(tensor(3, 2, dtype=type_)), tensor(4, 3, dtype=type_))
    assert [(a.name, a.verdict) for a in report.arguments] == [("x", "pass"), ("W", "pass")]
    assert report.passed
    wrong = type("Wrong", (kind,), {"factor": 1.05})(tensor(3, 2, dtype=type_))
    report = check(wrong, tensor(4, 3, dtype=type_))
    assert {f.argument for f in report.findings} == {"W"}


def test_the_authors_tensors_are_left_as_they_were() -> None:
    layer = Held(tensor(3, 2))
    before = layer.W.clone()
    check(layer, tensor(4, 3))
    assert torch.equal(layer.W, before)
    assert not hasattr(layer, "dW")


def test_declared_tensors() -> None:
    class Odd(Held):
        def backward(self, upstream: Any) -> Any:
            self.change = self.factor * (self.x.T @ upstream)
            return upstream @ self.W.T

    report = check(Odd(tensor(3, 2)), tensor(4, 3))
    assert report.notes == ("W is passed through: held in the layer, without a gradient beside it",)
    for factor, verdict in ((1.0, "pass"), (1.1, "fail")):
        layer = Odd(tensor(3, 2))
        layer.factor = factor
        report = check(declare.module(layer, parameters={"W": "change"}), tensor(4, 3))
        assert [a.verdict for a in report.arguments] == ["pass", verdict]
    assert check(declare.module(OfTensor(tensor(3, 2)), parameters=["W"]), tensor(4, 3)).passed


def forward(x: Any, w: Any) -> Any:
    return (x @ w).tanh(), (x, w)


def pair(factor: float) -> Any:
    def backward(upstream: Any, cache: Any) -> Any:
        x, w = cache
        inner = upstream * (1 - (x @ w).tanh() ** 2)
        return inner @ w.T, factor * (x.T @ inner)

    return forward, backward


def test_functions_by_hand_in_bfloat16() -> None:
    inputs = tensor(4, 3, dtype=torch.bfloat16), tensor(3, 2, dtype=torch.bfloat16)
    report = check(pair(1.0), *inputs)
    assert report.passed
    assert report.notes[0] == "bfloat16 is shown as float32: numpy has no such type"
    assert {f.argument for f in check(pair(1.05), *inputs).findings} == {"w"}


def test_bfloat16_is_what_the_layer_is_given() -> None:
    seen = set()

    def spying(x: Any, w: Any) -> Any:
        seen.add((x.dtype, w.dtype))
        return forward(x, w)

    check((spying, pair(1.0)[1]), tensor(4, 3, dtype=torch.bfloat16), tensor(3, 2, dtype=torch.bfloat16))
    # In its own type for the contract, in float64 for the formula.
    assert seen == {(torch.bfloat16, torch.bfloat16), (torch.float64, torch.float64)}


def test_arrays_of_jax_held_by_a_layer() -> None:
    jnp = pytest.importorskip("jax.numpy", reason="needs the extra pytest-gradcheck[jax]")
    x, W = (jnp.array(normal(*shape), "float32") for shape in ((4, 3), (3, 2)))
    for kind in (Held, InDicts):
        report = check(kind(W), x)
        assert [(a.name, a.verdict) for a in report.arguments] == [("x", "pass"), ("W", "pass")]
        wrong = type("Wrong", (kind,), {"factor": 1.05})
        assert {f.argument for f in check(wrong(W), x).findings} == {"W"}


class Lists:
    """Weights and biases of several layers in lists, and their gradients in others."""

    factor = 1.0

    def __init__(self) -> None:
        self.weights, self.biases = [normal(3, 4), normal(4, 2)], [normal(4), normal(2)]
        self.grad_weights: list[Any] = [None, None]
        self.grad_biases: list[Any] = [None, None]

    def forward(self, x: Any) -> Any:
        self.values = [x]
        for w, b in zip(self.weights, self.biases, strict=True):
            self.values.append(np.tanh(self.values[-1] @ w + b))
        return self.values[-1]

    def backward(self, upstream: Any) -> Any:
        for i in (1, 0):
            upstream = upstream * (1 - self.values[i + 1] ** 2)
            self.grad_weights[i], self.grad_biases[i] = self.values[i].T @ upstream, upstream.sum(0)
            upstream = upstream @ self.weights[i].T
        self.grad_weights[1] = self.factor * self.grad_weights[1]
        return upstream


def test_lists_of_parameters_beside_lists_of_gradients() -> None:
    report = check(Lists(), normal(4, 3))
    assert report.passed
    names = ["x", "weights[0]", "weights[1]", "biases[0]", "biases[1]"]
    assert [a.name for a in report.arguments] == names
    wrong = type("Wrong", (Lists,), {"factor": 1.01})()
    assert {f.argument for f in check(wrong, normal(4, 3)).findings} == {"weights[1]"}
