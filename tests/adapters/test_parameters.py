"""Parameters held in the layer: found by the names in use or declared, checked like inputs."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import declare
from pytest_gradcheck.adapters import adapt
from tests.adapters.differences import normal, wrong


class Attributes:
    """W with dW, b with db."""

    factor = 1.0

    def __init__(self) -> None:
        self.W, self.b = normal(3, 2), normal(2)

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.W + self.b

    def backward(self, upstream: Any) -> Any:
        self.dx = upstream @ self.W.T
        self.dW = self.factor * self.x.T @ upstream
        self.db = upstream.sum(0)
        return self.dx


class GradNames(Attributes):
    """w with grad_w."""

    def __init__(self) -> None:
        self.w = normal(3, 2)

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.w

    def backward(self, upstream: Any) -> Any:
        self.grad_w = self.factor * self.x.T @ upstream
        return upstream @ self.w.T


class Books:
    """Dicts params and grads, made in backward."""

    factor = 1.0

    def __init__(self) -> None:
        self.params = {"W": normal(3, 2), "b": normal(2)}

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, upstream: Any) -> Any:
        self.grads = {"W": self.factor * self.x.T @ upstream, "b": upstream.sum(0)}
        return upstream @ self.params["W"].T


class DerivedBooks(Books):
    """Dicts parameters and derived_variables, the gradients named dLdW."""

    def __init__(self) -> None:
        self.parameters = {"W": normal(3, 2)}
        self.derived_variables: dict[str, Any] = {}

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.parameters["W"]

    def backward(self, upstream: Any) -> Any:
        self.derived_variables["dLdW"] = self.factor * self.x.T @ upstream
        return upstream @ self.parameters["W"].T


class Lists(Books):
    """Lists params and grads; the gradients are written in place."""

    def __init__(self) -> None:
        self.params: Any = [normal(3, 2), normal(2)]
        self.grads: Any = [np.zeros((3, 2)), np.zeros(2)]

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.params[0] + self.params[1]

    def backward(self, upstream: Any) -> Any:
        self.grads[0][...] = self.factor * self.x.T @ upstream
        self.grads[1][...] = upstream.sum(0)
        return upstream @ self.params[0].T


class Parameter:
    def __init__(self, value: Any) -> None:
        self.value, self.grad = value, None


class Objects(Books):
    """Each parameter an object with value and grad."""

    def __init__(self) -> None:
        self.W: Any = Parameter(normal(3, 2))

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.W.value

    def backward(self, upstream: Any) -> Any:
        self.W.grad = self.factor * self.x.T @ upstream
        return upstream @ self.W.value.T


class Aliased(Books):
    """The dict and the attribute are one array; forward reads the attribute."""

    def __init__(self) -> None:
        self.weights = normal(3, 2)
        self.params = {"W": self.weights}

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.weights

    def backward(self, upstream: Any) -> Any:
        self.grads = {"W": self.factor * self.x.T @ upstream}
        return upstream @ self.weights.T


class Network:
    """Layers inside a layer, one of them in a list."""

    factor = 1.0

    def __init__(self) -> None:
        self.first, self.rest = Attributes(), [GradNames()]
        self.rest[0].w = normal(2, 4)
        self.rest[0].factor = self.factor

    def forward(self, x: Any) -> Any:
        return self.rest[0].forward(self.first.forward(x))

    def backward(self, upstream: Any) -> Any:
        return self.first.backward(self.rest[0].backward(upstream))


class Slots:
    """No __dict__."""

    __slots__ = ("W", "dW", "x")
    factor = 1.0

    def __init__(self) -> None:
        self.W = normal(3, 2)

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.W

    def backward(self, upstream: Any) -> Any:
        self.dW = self.factor * self.x.T @ upstream
        return upstream @ self.W.T


class Adding(Attributes):
    """Adds to its gradients until zero_grad."""

    def __init__(self) -> None:
        super().__init__()
        self.dW, self.db = np.ones((3, 2)), np.ones(2)

    def zero_grad(self) -> None:
        self.dW[...], self.db[...] = 0, 0

    def backward(self, upstream: Any) -> Any:
        self.dW += self.factor * self.x.T @ upstream
        self.db += upstream.sum(0)
        return upstream @ self.W.T


FOUND = {
    Attributes: ["x", "W", "b"],
    GradNames: ["x", "w"],
    Books: ["x", "W", "b"],
    DerivedBooks: ["x", "W"],
    Lists: ["x", "params[0]", "params[1]"],
    Objects: ["x", "W"],
    Aliased: ["x", "W"],
    Network: ["x", "first.W", "first.b", "rest[0].w"],
    Slots: ["x", "W"],
    Adding: ["x", "W", "b"],
}


@pytest.mark.parametrize("kind", FOUND)
def test_parameters_are_found_and_right(kind: Any) -> None:
    target = adapt(kind(), (normal(4, 3),), {})
    assert [a.name for a in target.arguments] == FOUND[kind]
    assert [a.role for a in target.arguments] == ["input"] + ["parameter"] * (len(FOUND[kind]) - 1)
    assert wrong(kind(), normal(4, 3)) == []


@pytest.mark.parametrize("kind", FOUND)
def test_a_wrong_parameter_gradient_is_seen(kind: Any) -> None:
    twin = type("Twin", (kind,), {"factor": 1.01, "__slots__": ()})
    assert wrong(twin(), normal(4, 3)) == [FOUND[kind][-1 if kind is Network else 1]]


@pytest.mark.parametrize("kind", FOUND)
def test_the_authors_layer_is_left_as_it_was(kind: Any) -> None:
    layer = kind()
    before = [a.value.copy() for a in adapt(layer, (normal(4, 3),), {}).arguments]
    wrong(layer, normal(4, 3))
    after = adapt(layer, (normal(4, 3),), {}).arguments
    assert all(np.array_equal(x, a.value) for x, a in zip(before, after, strict=True))


def test_a_layer_that_was_used_before_has_no_cached_input_as_parameter() -> None:
    layer = Attributes()
    layer.backward(layer.forward(normal(4, 3)))
    assert [a.name for a in adapt(layer, (normal(4, 3),), {}).arguments] == ["x", "W", "b"]


def test_wrt_takes_parameters_by_name_and_by_position() -> None:
    for wanted in ("W", 1, ["W"]):
        assert [a.name for a in adapt(Attributes(), (normal(4, 3),), {}, wanted).arguments] == ["W"]
        assert wrong(Attributes(), normal(4, 3), wrt=wanted) == []


def test_a_parameter_named_as_an_input_is_told_apart() -> None:
    class Scale:
        def __init__(self) -> None:
            self.x = normal(3)

        def forward(self, x: Any) -> Any:
            self.given = x
            return self.x * x

        def backward(self, upstream: Any) -> Any:
            self.dx = self.given * upstream
            return self.x * upstream

    assert [a.name for a in adapt(Scale(), (normal(3),), {}).arguments] == ["x", "layer.x"]
    assert wrong(Scale(), normal(3)) == []


def test_a_layer_that_cannot_be_copied_is_checked_and_left_alone() -> None:
    layer = Attributes()
    layer.lock = threading.Lock()  # type: ignore[attr-defined] # any attribute
    before = layer.W.copy()
    assert wrong(layer, normal(4, 3)) == []
    assert np.array_equal(layer.W, before)


def test_float32_parameters_are_widened_with_the_inputs() -> None:
    layer = Aliased()
    layer.weights = layer.weights.astype(np.float32)
    layer.params["W"] = layer.weights
    target = adapt(layer, (normal(4, 3, dtype=np.float32),), {})
    wide = target.widened()
    assert wide is not None
    values = [a.value.astype(np.float64) for a in target.arguments]
    assert wide.forward(values)[0].dtype == np.float64
    values[1] += 1e-9
    assert not np.array_equal(wide.forward(values)[0], wide.forward([values[0], values[1] - 1e-9])[0])


def test_gradients_written_in_place_do_not_round_in_float64() -> None:
    layer = Lists()
    layer.params = [p.astype(np.float32) for p in layer.params]
    layer.grads = [g.astype(np.float32) for g in layer.grads]
    target = adapt(layer, (normal(4, 3, dtype=np.float32),), {})
    (y,) = target.forward([a.value.astype(np.float64) for a in target.arguments])
    dW = target.backward([normal(*y.shape)])[1]
    assert dW.dtype == np.float64
    assert np.array_equal(dW, normal(4, 3, dtype=np.float32).astype(np.float64).T @ normal(4, 2))
    (y,) = target.forward([a.value for a in target.arguments])
    assert target.backward([y])[1].dtype == np.float32


def test_a_layer_that_adds_is_found_to_add_once_per_backward() -> None:
    target = adapt(Adding(), (normal(4, 3),), {})
    (clause,) = run_clauses(target)
    assert (clause.name, clause.state) == ("accumulation", "kept")


def test_a_layer_said_to_add_that_overwrites_is_told_so() -> None:
    target = adapt(declare.module(Attributes(), accumulates=True), (normal(4, 3),), {})
    (clause,) = run_clauses(target)
    assert clause.state == "broken"
    assert clause.detail == ("Attributes is said to accumulate, but a second backward did not double the gradient of W")


def test_a_layer_said_to_overwrite_that_adds_shows_in_the_second_backward() -> None:
    target = adapt(declare.module(Adding(), accumulates=False), (normal(4, 3),), {})
    (y,) = target.forward([a.value for a in target.arguments])
    first, second = (target.backward([np.ones_like(y)])[1] for _ in range(2))
    assert not np.allclose(first, second)


def run_clauses(target: Any) -> Any:
    (y,) = target.forward([np.array(a.value) for a in target.arguments])
    return target.own_clauses([normal(*y.shape)])
