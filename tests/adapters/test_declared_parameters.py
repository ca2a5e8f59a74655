"""Parameters whose names are declared, and layers with a memory of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check, declare
from pytest_gradcheck.adapters import adapt
from pytest_gradcheck.errors import InvalidInput
from tests.adapters.differences import normal, wrong
from tests.adapters.test_parameters import Attributes, Books


class Unusual:
    """Names that nobody guesses."""

    factor = 1.0

    def __init__(self) -> None:
        self.store = {"kernel": normal(3, 2)}

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.store["kernel"]

    def backward(self, upstream: Any) -> Any:
        self.slope = self.factor * self.x.T @ upstream
        return upstream @ self.store["kernel"].T


class Returning(Attributes):
    """backward returns the gradients of the parameters too."""

    def backward(self, upstream: Any) -> Any:
        return upstream @ self.W.T, self.factor * self.x.T @ upstream, upstream.sum(0)


@pytest.mark.parametrize(
    "names",
    [
        {"parameters": {"store.kernel": "slope"}},
        {"parameters": ["store.kernel"], "gradients": ["slope"]},
        {"parameters": "store.kernel", "gradients": {"store.kernel": "slope"}},
    ],
)
def test_declared_names(names: Any) -> None:
    layer = Unusual()
    assert wrong(declare.module(layer, **names), normal(4, 3)) == []
    layer.factor = 0.9
    assert wrong(declare.module(layer, **names), normal(4, 3)) == ["store.kernel"]


def test_gradients_returned_after_those_of_the_inputs() -> None:
    layer = Returning()
    declared = declare.module(layer, parameters=["W", "b"], gradients="returned")
    assert wrong(declared, normal(4, 3)) == []
    layer.factor = 1.1
    assert wrong(declared, normal(4, 3)) == ["W"]


def test_a_declared_gradient_that_backward_never_makes_is_none() -> None:
    target = adapt(declare.module(Unusual(), {"store.kernel": "nowhere"}), (normal(4, 3),), {})
    (y,) = target.forward([a.value for a in target.arguments])
    assert target.backward([y])[1] is None
    report = check(declare.module(Unusual(), {"store.kernel": "nowhere"}), normal(4, 3))
    assert [f.argument for f in report.findings][:1] == ["store.kernel"]
    assert "after backward there is no nowhere, where the gradient of store.kernel is said to be" in report.notes


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("V", "Attributes holds no 'V': it holds W, b"),
        ("size", "parameter 'size' of Attributes is a int: only float arrays are checked"),
    ],
)
def test_a_declared_parameter_that_is_not_there(parameters: str, message: str) -> None:
    layer = Attributes()
    if parameters == "size":
        layer.size = 3  # type: ignore[attr-defined] # any attribute
    with pytest.raises(InvalidInput, match="^" + message + "$"):
        adapt(declare.module(layer, parameters), (normal(4, 3),), {})


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            {"parameters": ["W", "b"], "gradients": ["dW"]},
            "declare.module got 2 parameters and 1 gradients: give one gradient for each parameter, in their order",
        ),
        (
            {"parameters": ["W", "b"], "gradients": {"W": "dW"}},
            "gradients of declare.module names no 'b': it names W",
        ),
    ],
)
def test_a_gradient_is_declared_for_each_parameter(names: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match="^" + message + "$"):
        adapt(declare.module(Attributes(), **names), (normal(4, 3),), {})


def test_numpy_ml_keeps_parameters_that_it_makes_in_its_first_forward() -> None:
    class Lazy(Books):
        def __init__(self) -> None:
            self.parameters: dict[str, Any] = {"W": None}
            self.gradients: dict[str, Any] = {"W": None}

        def forward(self, x: Any) -> Any:
            if self.parameters["W"] is None:
                self.parameters["W"] = np.random.standard_normal((x.shape[1], 2))
            self.x = x
            return x @ self.parameters["W"]

        def backward(self, upstream: Any) -> Any:
            self.gradients["W"] = self.x.T @ upstream
            return upstream @ self.parameters["W"].T

    first, second = (adapt(Lazy(), (normal(4, 3),), {}).arguments for _ in range(2))
    assert [a.name for a in first] == ["x", "W"]
    assert np.array_equal(first[1].value, second[1].value)
    assert wrong(Lazy(), normal(4, 3)) == []


class Forgetting(Books):
    """Keeps every input since flush_gradients; its running mean stands among the parameters."""

    def __init__(self) -> None:
        self.X: list[Any] = []
        self.parameters = {"W": normal(3, 2), "running_mean": np.zeros(3)}
        self.gradients = {"W": np.zeros((3, 2))}

    def flush_gradients(self) -> None:
        self.X = []
        self.gradients = {"W": np.zeros((3, 2))}

    def forward(self, x: Any) -> Any:
        self.X.append(x)
        self.parameters["running_mean"] = 0.9 * self.parameters["running_mean"] + 0.1 * x.mean(0)
        return x @ self.parameters["W"]

    def backward(self, upstream: Any) -> Any:
        (x,) = self.X
        self.gradients["W"] += self.factor * x.T @ upstream
        return upstream @ self.parameters["W"].T


class Keeping:
    """No parameters, but inputs kept until flush_gradients."""

    def __init__(self) -> None:
        self.X: list[Any] = []

    def flush_gradients(self) -> None:
        self.X = []

    def forward(self, x: Any) -> Any:
        self.X.append(x)
        return x**2

    def backward(self, upstream: Any) -> Any:
        (x,) = self.X
        return 2 * x * upstream


def test_layers_that_keep_their_inputs_until_told_to_forget() -> None:
    target = adapt(Forgetting(), (normal(4, 3),), {})
    assert [a.name for a in target.arguments] == ["x", "W"]
    assert target.passed_through == (("running_mean", "held among the parameters, without a place for a gradient"),)
    assert check(Forgetting(), normal(4, 3)).passed
    assert check(Keeping(), normal(4, 3)).passed
    twin = type("Twin", (Forgetting,), {"factor": 1.01})
    assert wrong(twin(), normal(4, 3)) == ["W"]


class Stepping:
    """A recurrent cell as a stack of steps: each backward takes one off."""

    factor = 1.0

    def __init__(self) -> None:
        self.steps: list[Any] = []
        self.W, self.dW = normal(3, 3), np.zeros((3, 3))

    def forward(self, x: Any) -> Any:
        self.steps.append(x)
        return np.tanh(x @ self.W) * len(self.steps)

    def backward(self, upstream: Any) -> Any:
        x = self.steps.pop()
        dz = upstream * (1 - np.tanh(x @ self.W) ** 2)
        self.dW = self.factor * x.T @ dz
        return dz @ self.W.T


def test_a_layer_with_a_history_is_started_anew_for_each_forward() -> None:
    assert not check(Stepping(), normal(2, 3)).passed
    assert check(declare.module(Stepping(), restart=True), normal(2, 3)).passed
    layer = Stepping()
    layer.factor = 1.01
    assert wrong(declare.module(layer, restart=True), normal(2, 3)) == ["W"]


class Masked(Attributes):
    """A mask drawn in each forward, and a history that allows one backward for each."""

    def forward(self, x: Any) -> Any:
        self.mask = np.random.random(x.shape) > 0.5
        self.left = 1
        return super().forward(x * self.mask)

    def backward(self, upstream: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise IndexError("nothing left to go back through")
        return super().backward(upstream) * self.mask


def test_a_restarted_layer_keeps_what_its_forward_drew() -> None:
    # Run once more for a second backward, it would draw another mask, and be called random.
    assert check(declare.module(Masked(), restart=True), normal(4, 3)).passed
    layer = Masked()
    layer.factor = 1.01
    report = check(declare.module(layer, restart=True), normal(4, 3))
    assert {finding.argument for finding in report.findings} == {"W"}


class Doubling(Attributes):
    """Adds to its gradients, and doubles its upstream in place."""

    def zero_grad(self) -> None:
        self.dW, self.db = np.zeros((3, 2)), np.zeros(2)

    def backward(self, upstream: Any) -> Any:
        upstream *= 2
        self.dW = self.dW + self.x.T @ upstream / 2
        self.db = self.db + upstream.sum(0) / 2
        return upstream @ self.W.T / 2


def test_an_upstream_written_to_is_not_told_as_a_wrong_accumulation() -> None:
    layer = Doubling()
    layer.zero_grad()
    kinds = {finding.kind for finding in check(layer, normal(4, 3)).findings}
    assert "mutation" in kinds
    assert "accumulate" not in kinds


@pytest.mark.parametrize("book", [False, True])
def test_complex_parameters_are_shown_as_complex_inputs_are(book: bool) -> None:
    class Turn:
        factor: complex = 1.0

        def __init__(self) -> None:
            W = normal(3, 2) + 1j * normal(3, 2, seed=1)
            if book:
                self.params, self.grads = {"W": W}, dict[str, Any]()
            else:
                self.W, self.dW = W, np.zeros_like(W)

        @property
        def weights(self) -> Any:
            return self.params["W"] if book else self.W

        def forward(self, x: Any) -> Any:
            self.x = x
            return x @ self.weights

        def backward(self, upstream: Any) -> Any:
            slope = self.factor * self.x.conj().T @ upstream
            if book:
                self.grads["W"] = slope
            else:
                self.dW[...] = slope
            return upstream @ self.weights.conj().T

    z = normal(4, 3) + 1j * normal(4, 3, seed=1)
    for x in (z, z.real.copy()):
        if x is z:
            assert [a.name for a in check(Turn(), x).arguments] == ["x", "W"]
            assert check(Turn(), x).passed
            twin = type("Twin", (Turn,), {"factor": 1j})()
            assert {f.argument for f in check(twin, x).findings} == {"W"}
        else:
            # The gradient of a real input is the real part of this one, which the layer forgets.
            report = check(Turn(), x)
            assert {f.argument for f in report.findings} == {"x"}
    low = Turn()
    if not book:
        low.W, low.dW = low.W.astype(np.complex64), low.dW.astype(np.complex64)
        assert check(low, z.astype(np.complex64)).passed
