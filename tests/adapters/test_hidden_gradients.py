"""Parameters whose gradients cannot be seen in the names a layer holds: they are found all the same, or it is said."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check
from pytest_gradcheck.adapters import adapt
from tests.adapters.differences import normal, wrong


class Linear:
    """Right where `factor` is 1; subclasses say where the gradient goes."""

    factor = 1.0

    def __init__(self) -> None:
        self.W = normal(3, 2)

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.W

    def slope(self, upstream: Any) -> Any:
        return self.factor * self.x.T @ upstream


def timed(method: Any) -> Any:
    @functools.wraps(method)
    def around(*args: Any) -> Any:
        return method(*args)

    return around


def bare(method: Any) -> Any:
    return lambda *args: method(*args)


class Decorated(Linear):
    @timed
    def backward(self, upstream: Any) -> Any:
        self.dW = self.slope(upstream)
        return upstream @ self.W.T


class DecoratedTwice(Linear):
    @bare
    @bare
    def backward(self, upstream: Any) -> Any:
        self.dW = self.slope(upstream)
        return upstream @ self.W.T


class Inside(Linear):
    def backward(self, upstream: Any) -> Any:
        def keep() -> None:
            self.dW = self.slope(upstream)

        keep()
        return upstream @ self.W.T


class MadeName(Linear):
    def backward(self, upstream: Any) -> Any:
        for name in ("W",):
            setattr(self, "grad_" + name, self.slope(upstream))
        return upstream @ self.W.T


class Returned(Linear):
    def backward(self, upstream: Any) -> Any:
        return {"dx": upstream @ self.W.T, "dW": self.slope(upstream)}


class Private:
    factor = 1.0

    def __init__(self) -> None:
        self._W = normal(3, 2)

    def forward(self, x: Any) -> Any:
        self._x = x
        return x @ self._W

    def backward(self, upstream: Any) -> Any:
        self._dW = self.factor * self._x.T @ upstream
        return upstream @ self._W.T


class Properties(Linear):
    @property
    def params(self) -> Any:
        return {"W": self.W}

    @property
    def grads(self) -> Any:
        return {"W": self._slope}

    def backward(self, upstream: Any) -> Any:
        self._slope = self.slope(upstream)
        return upstream @ self.W.T


class Tuples(Linear):
    def __init__(self) -> None:
        super().__init__()
        self.params, self.grads = (self.W,), (np.zeros_like(self.W),)

    def backward(self, upstream: Any) -> Any:
        self.grads[0][...] = self.slope(upstream)
        return upstream @ self.W.T


class Number:
    """A parameter that is a plain number, beside settings that look like one with a gradient."""

    factor = 1.0

    def __init__(self) -> None:
        self.w, self.t, self.dt = 0.5, 1.0, 0.25

    def forward(self, x: Any) -> Any:
        self.x = x
        return x * self.w * self.t

    def backward(self, upstream: Any) -> Any:
        self.dw = self.factor * float((upstream * self.x).sum()) * self.t
        return upstream * self.w * self.t


class NumberInBook:
    factor = 1.0

    def __init__(self) -> None:
        self.params: dict[str, Any] = {"w": 0.5, "rate": 0.1}
        self.grads: dict[str, Any] = {}

    def forward(self, x: Any) -> Any:
        self.x = x
        return x * self.params["w"]

    def backward(self, upstream: Any) -> Any:
        self.grads["w"] = self.factor * (upstream * self.x).sum()
        return upstream * self.params["w"]


FOUND: dict[Any, str] = {
    Decorated: "W", DecoratedTwice: "W", Inside: "W", MadeName: "W", Returned: "W", Private: "_W",
    Properties: "W", Tuples: "params[0]", Number: "w", NumberInBook: "w",
}  # fmt: skip


@pytest.mark.parametrize("kind", FOUND, ids=lambda kind: kind.__name__)
def test_the_parameter_is_found_and_right(kind: Any) -> None:
    target = adapt(kind(), (normal(4, 3),), {})
    assert [(a.name, a.role) for a in target.arguments] == [("x", "input"), (FOUND[kind], "parameter")]
    assert wrong(kind(), normal(4, 3)) == []
    assert check(kind(), normal(4, 3)).passed


@pytest.mark.parametrize("kind", FOUND, ids=lambda kind: kind.__name__)
def test_a_wrong_gradient_of_it_is_seen(kind: Any) -> None:
    twin = type("Twin", (kind,), {"factor": 1.01})
    assert wrong(twin(), normal(4, 3)) == [FOUND[kind]]
    assert [f.argument for f in check(twin(), normal(4, 3)).findings][:1] == [FOUND[kind]]


@pytest.mark.parametrize("kind", FOUND, ids=lambda kind: kind.__name__)
def test_the_layer_is_left_as_it_was(kind: Any) -> None:
    layer = kind()
    check(layer, normal(4, 3))
    assert not any(hasattr(layer, name) for name in ("x", "_x", "dW", "grad_W", "_dW", "dw", "_slope"))
    assert vars(layer).get("w", 0.5) == 0.5


class Plain(Linear):
    def backward(self, upstream: Any) -> Any:
        self.dW = self.slope(upstream)
        return upstream @ self.W.T


class Extended(Plain):
    def backward(self, upstream: Any) -> Any:
        return 1.0 * super().backward(upstream)


class Explicit(Plain):
    def backward(self, upstream: Any) -> Any:
        return 1.0 * Plain.backward(self, upstream)


class Replaced(Plain):
    """Nothing makes the gradient of the class that it replaces."""

    def backward(self, upstream: Any) -> Any:
        self.weight_change = self.slope(upstream)
        return upstream @ self.W.T


def test_a_replaced_backward_makes_no_gradients() -> None:
    assert [a.name for a in adapt(Replaced(), (normal(4, 3),), {}).arguments] == ["x"]
    assert check(Replaced(), normal(4, 3)).notes == (
        "W is passed through: held in the layer, without a gradient beside it",
    )
    for kind in (Extended, Explicit):
        assert [a.name for a in adapt(kind(), (normal(4, 3),), {}).arguments] == ["x", "W"]
        assert check(kind(), normal(4, 3)).passed


class Clocked:
    """Steps `dt` between points in time `t`: no gradient, in spite of its name. W has one, written in place."""

    factor = 1.0

    def __init__(self) -> None:
        self.t, self.dt = np.linspace(0.0, 1.0, 3), np.full(3, 0.5)
        self.W, self.dW = normal(3, 2), np.ones((3, 2))

    def forward(self, x: Any) -> Any:
        self.x = x
        return (x * self.t * self.dt) @ self.W

    def backward(self, upstream: Any) -> Any:
        self.dW[...] = self.factor * (self.x * self.t * self.dt).T @ upstream
        return (upstream @ self.W.T) * self.t * self.dt


class Forgotten(Clocked):
    """Its buffer is never written: the gradient of W is zero, which is wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.dW = np.zeros((3, 2))

    def backward(self, upstream: Any) -> Any:
        return (upstream @ self.W.T) * self.t * self.dt


def test_what_has_the_name_of_a_gradient_and_never_changes_is_none() -> None:
    report = check(Clocked(), normal(4, 3))
    assert report.passed
    assert [a.name for a in report.arguments] == ["x", "W"]
    assert "t is passed through: held in the layer, without a gradient beside it" in report.notes
    twin = type("Twin", (Clocked,), {"factor": 1.01})()
    assert {f.argument for f in check(twin, normal(4, 3)).findings} == {"W"}
    # Used before, the buffer holds the last gradient.
    used = Clocked()
    used.backward(used.forward(normal(4, 3)))
    assert [a.name for a in check(used, normal(4, 3)).arguments] == ["x", "W"]
    assert {f.argument for f in check(Forgotten(), normal(4, 3)).findings} == {"W"}


class Gathering:
    """Its properties show what the layers inside it hold, as whole networks do."""

    def __init__(self) -> None:
        self.first, self.second = Plain(), Plain()
        self.second.W = normal(2, 2)

    @property
    def parameters(self) -> Any:
        return {"components": {"first": {"W": self.first.W}, "second": {"W": self.second.W}}}

    @property
    def gradients(self) -> Any:
        return {"components": {"first": {"W": self.first.dW}, "second": {"W": self.second.dW}}}

    def forward(self, x: Any) -> Any:
        return self.second.forward(self.first.forward(x))

    def backward(self, upstream: Any) -> Any:
        return self.first.backward(self.second.backward(upstream))


def test_what_properties_gather_is_checked_once_where_it_lies() -> None:
    names = [a.name for a in adapt(Gathering(), (normal(4, 3),), {}).arguments]
    assert names == ["x", "first.W", "second.W"]
    assert check(Gathering(), normal(4, 3)).passed


class Buffer(Linear):
    """Holds an array that is no parameter: nothing ever makes a gradient for it."""

    def backward(self, upstream: Any) -> Any:
        return upstream @ self.W.T


def test_an_array_without_a_gradient_is_said_to_be_unchecked() -> None:
    report = check(Buffer(), normal(4, 3))
    assert report.passed
    assert report.notes == ("W is passed through: held in the layer, without a gradient beside it",)


def test_a_layer_of_such_an_array_and_labels_alone_hears_what_to_declare() -> None:
    class Lookup(Linear):
        def forward(self, labels: Any) -> Any:
            return self.W[labels]

        def backward(self, upstream: Any) -> Any:
            return None

    with pytest.raises(Exception, match=r"^no argument of Lookup is a float array \(labels: int64 array"):
        check(Lookup(), np.array([0, 2]))


def test_the_trial_leaves_random_states_and_counts_alone() -> None:
    calls = []

    class Drawing(Buffer):
        def forward(self, x: Any) -> Any:
            calls.append(np.random.standard_normal())
            return super().forward(x)

    np.random.seed(3)
    expected = np.random.standard_normal()
    np.random.seed(3)
    adapt(Drawing(), (normal(4, 3),), {})
    assert calls == [expected]
    assert np.random.standard_normal() == expected


def test_a_layer_that_raises_in_its_trial_is_told_of_by_the_check() -> None:
    class Raising(Linear):
        def backward(self, upstream: Any) -> Any:
            raise KeyError("lost")

    with pytest.raises(Exception, match=r"^backward of Raising raised KeyError \('lost'\)"):
        check(Raising(), normal(4, 3))
