"""Pairs, objects, pullbacks, objectives, Jacobians, activations and surrogates, each with a wrong twin."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check, declare
from pytest_gradcheck.adapters import adapt
from pytest_gradcheck.errors import InvalidInput, LayerError
from tests.adapters.differences import normal, wrong


class Affine:
    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def forward(self, x: Any, W: Any, b: Any = 0.0) -> Any:
        self.kept = x, W
        return x @ W + b

    def backward(self, upstream: Any) -> Any:
        x, W = self.kept
        return upstream @ W.T, self.factor * x.T @ upstream, upstream.sum(0)


class Called(Affine):
    forward = None  # type: ignore[assignment] # wrong on purpose

    def __call__(self, x: Any, W: Any, b: Any) -> Any:
        return Affine.forward(self, x, W, b)


class Cell:
    """A nested state, labels, two outputs; one upstream each, or all together."""

    def __init__(self, together: bool, factor: float = 1.0) -> None:
        self.backward: Any = self.pull if together else self.one_each
        self.factor = factor

    def one_each(self, h: Any, c: Any) -> Any:
        return self.pull((h, c))

    def forward(self, x: Any, state: Any, mask: Any) -> Any:
        h, c = state["h"], state["c"]
        self.kept = x, h, mask
        return x * h[0] * mask, c * x

    def pull(self, upstream: Any) -> Any:
        (x, h, mask), (uh, uc) = self.kept, upstream
        return (uh * h[0] * mask + uc * 2.0, {"h": [self.factor * uh * x * mask], "c": uc * x}, None)


AFFINE = (normal(4, 3), normal(3, 2), normal(2))
STATE = {"h": [normal(3, seed=1)], "c": np.full(3, 2.0)}
MASK = np.array([1, 0, 1])


@pytest.mark.parametrize("kind", [Affine, Called])
def test_objects(kind: Any) -> None:
    assert [a.name for a in adapt(kind(), AFFINE, {}).arguments] == ["x", "W", "b"]
    assert wrong(kind(), *AFFINE) == []
    assert wrong(kind(0.99), *AFFINE) == ["W"]


@pytest.mark.parametrize("together", [True, False])
def test_nested_inputs_and_several_outputs(together: bool) -> None:
    target = adapt(Cell(together), (normal(3), STATE, MASK), {})
    assert [a.name for a in target.arguments] == ["x", "state['h'][0]", "state['c']"]
    assert target.passed_through == (("mask", "int64 array, not differentiated"),)
    assert wrong(Cell(together), normal(3), STATE, MASK) == []
    assert wrong(Cell(together), normal(3), STATE, MASK, wrt="state") == []
    assert wrong(Cell(together, 1.1), normal(3), STATE, MASK) == ["state['h'][0]"]


def affine_forward(x: Any, w: Any, b: Any) -> Any:
    return x @ w + b, (x, w)


def affine_backward(dout: Any, cache: Any) -> Any:
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)


def as_list(dout: Any, cache: Any) -> Any:
    return list(affine_backward(dout, cache))


def by_name(dout: Any, cache: Any) -> Any:
    return dict(zip(["w", "b", "x"], affine_backward(dout, cache)[1:] + affine_backward(dout, cache)[:1], strict=True))


def by_d_name(dout: Any, cache: Any) -> Any:
    return {f"d{name}": g for name, g in by_name(dout, cache).items()}


def flipped(dout: Any, cache: Any) -> Any:
    dx, dw, db = affine_backward(dout, cache)
    return dx, -dw, db


@pytest.mark.parametrize("backward", [affine_backward, as_list, by_name, by_d_name])
def test_pairs(backward: Any) -> None:
    for layer in ((affine_forward, backward), declare.functions(affine_forward, backward)):
        target = adapt(layer, AFFINE, {})
        assert (target.name, [a.name for a in target.arguments]) == ("affine", ["x", "w", "b"])
        assert wrong(layer, *AFFINE) == []


class Loss:
    """Cross entropy as a loss whose backward takes no upstream; it adds a number to the value that it holds."""

    factor = 1.0

    def __init__(self) -> None:
        self.offset = normal(1)

    def forward(self, logits: Any, labels: Any) -> Any:
        e = np.exp(logits - logits.max(1, keepdims=True))
        self.chances, self.labels = e / e.sum(1, keepdims=True), labels
        return -np.log(self.chances[np.arange(len(labels)), labels]).mean() + self.offset[0]

    def backward(self) -> Any:
        gradient = self.chances.copy()
        gradient[np.arange(len(self.labels)), self.labels] -= 1
        self.doffset = np.ones(1)
        return self.factor * gradient / len(self.labels)


def test_a_loss_whose_backward_takes_no_upstream() -> None:
    labels = np.array([0, 2, 1, 0])
    assert [a.name for a in adapt(Loss(), (normal(4, 3), labels), {}).arguments] == ["logits", "offset"]
    assert wrong(Loss(), normal(4, 3), labels) == []
    assert check(Loss(), normal(4, 3), labels).passed
    twin = type("Twin", (Loss,), {"factor": 4.0})()
    assert [f.argument for f in check(twin, normal(4, 3), labels).findings][:1] == ["logits"]

    class Vector(Loss):
        def forward(self, logits: Any, labels: Any) -> Any:
            return super().forward(logits, labels) * np.ones(2)

    with pytest.raises(
        LayerError, match=r"^backward of Vector takes no upstream, and its forward returns \(2,\): only of"
    ):
        check(Vector(), normal(4, 3), labels)


def test_a_wrong_pair() -> None:
    assert wrong((affine_forward, flipped), *AFFINE) == ["w"]
    assert wrong((affine_forward, by_name), *AFFINE, wrt=[2, "w"]) == []


def test_a_pair_with_two_outputs() -> None:
    def forward(x: Any, y: Any) -> Any:
        return (x * y, x + y), (x, y)

    def one_each(u: Any, v: Any, cache: Any) -> Any:
        return u * cache[1] + v, u * cache[0] + v

    def together(upstream: Any, cache: Any) -> Any:
        return one_each(upstream[0], upstream[1], cache)

    def optional(u: Any, v: Any = None, cache: Any = None) -> Any:
        return one_each(u, v, cache)

    def with_a_switch(upstream: Any, cache: Any, retain: bool = True) -> Any:
        return one_each(upstream[0], upstream[1], cache)

    for backward in (one_each, together, optional, with_a_switch):
        assert wrong((forward, backward), normal(3), normal(3, seed=1)) == []
    assert wrong((forward, lambda u, v, c: (u * c[1], u * c[0] + v)), normal(3), normal(3, seed=1)) == ["x"]


def test_a_pair_whose_cache_stands_after_its_outputs() -> None:
    def forward(x: Any, y: Any) -> Any:
        return x * y, x + y, (x, y)

    def backward(du: Any, dv: Any, cache: Any) -> Any:
        return du * cache[1] + dv, du * cache[0] + dv

    def forgets(du: Any, dv: Any, cache: Any) -> Any:
        return du * cache[1] + dv, du * cache[0]

    inputs = normal(3), normal(3, seed=1)
    assert wrong((forward, backward), *inputs) == []
    assert wrong((forward, forgets), *inputs) == ["y"]
    # What is not said to be a cache may be anything.
    with pytest.raises(
        LayerError, match=r"^forward of forward returned 3 values: a pair's forward returns \(output, c"
    ):
        wrong((forward, lambda du, x, y: (du * y, du * x)), *inputs)


def pulled(factor: float) -> Any:
    def f(x: Any, w: Any) -> Any:
        return (x @ w, x.sum()), lambda u, v: (u * w + v, factor * u * x)

    return f


@pytest.mark.parametrize("declared", [True, False])
def test_pullbacks(declared: bool) -> None:
    layers = [declare.pullback(pulled(f)) if declared else pulled(f) for f in (1.0, 1.02)]
    assert [a.name for a in adapt(layers[0], (normal(3), normal(3)), {}).arguments] == ["x", "w"]
    assert wrong(layers[0], normal(3), normal(3, seed=1)) == []
    assert wrong(layers[1], normal(3), normal(3, seed=1)) == ["w"]
    assert wrong(declare.pullback(lambda x: (x**2, lambda u: 2 * x * u)), normal(2, 2)) == []


def test_value_and_gradient() -> None:
    assert wrong(declare.value_and_gradient(lambda x: ((x**2).sum(), 2 * x)), normal(3)) == []
    assert wrong(declare.value_and_gradient(lambda x: (float((x**2).sum()), [2 * x])), normal(3)) == []
    both = declare.value_and_gradient(lambda x, A: (x @ A @ x, ((A + A.T) @ x, np.outer(x, x))))
    assert wrong(both, normal(3), normal(3, 3)) == []
    one = declare.value_and_gradient(lambda x, A: (x @ A @ x, (A + A.T) @ x))
    assert wrong(one, normal(3), normal(3, 3), wrt=0) == []
    assert wrong(declare.value_and_gradient(lambda x: ((x**2).sum(), x)), normal(3)) == ["x"]


def rosenbrock(x: Any, a: float = 1.0) -> Any:
    return float(((x[1:] - x[:-1] ** 2) ** 2).sum() * 100 + ((a - x[:-1]) ** 2).sum())


def slope(x: Any, a: float = 1.0) -> Any:
    g = np.zeros_like(x)
    g[:-1] = -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (a - x[:-1])
    g[1:] += 200 * (x[1:] - x[:-1] ** 2)
    return g


def curvature(x: Any, a: float = 1.0) -> Any:
    H = np.diag(-400 * x[:-1], 1) + np.diag(-400 * x[:-1], -1)
    H[np.arange(len(x) - 1), np.arange(len(x) - 1)] += 1200 * x[:-1] ** 2 - 400 * x[1:] + 2
    H[np.arange(1, len(x)), np.arange(1, len(x))] += 200
    return H


def product(x: Any, p: Any, a: float = 1.0) -> Any:
    return curvature(x, a) @ p


def test_objectives() -> None:
    assert wrong(declare.objective(rosenbrock, slope), normal(4), close=1e-5) == []
    target = adapt(declare.objective(rosenbrock, slope, curvature, product), (normal(4), 2.0), {})
    assert [a.name for a in target.arguments] == ["x", "x (hess)", "x (hessp)"]
    assert target.passed_through == (("a", "extra argument of an objective"),)
    assert wrong(declare.objective(rosenbrock, slope, curvature, product), normal(4), 2.0, close=1e-5) == []


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ((rosenbrock, lambda x: 0.9 * slope(x)), ["x"]),
        ((rosenbrock, slope, lambda x: curvature(x).T * 0.99), ["x (hess)"]),
        ((rosenbrock, slope, lambda x: np.triu(curvature(x))), ["x (hess)"]),
        ((rosenbrock, slope, curvature, lambda x, p: p), ["x (hessp)"]),
        ((rosenbrock, slope, None, lambda x, p: -product(x, p)), ["x (hessp)"]),
    ],
)
def test_each_wrong_derivative_of_an_objective_is_named(declared: Any, found: list[str]) -> None:
    assert wrong(declare.objective(*declared), normal(4), close=1e-4) == found


@pytest.mark.parametrize("form", [list, tuple])
def test_derivatives_put_together_from_plain_numbers(form: Any) -> None:
    """As scipy.optimize takes them: a list of numbers is a gradient, a list of rows a matrix."""

    def rows(matrix: Any) -> Any:
        return form(form(float(number) for number in row) for row in matrix)

    def numbers(vector: Any) -> Any:
        return form(float(number) for number in vector)

    def both(x: Any, factor: float = 1.0) -> Any:
        return (x**2).sum(), numbers(2 * factor * x)

    right = [
        declare.objective(rosenbrock, lambda x: numbers(slope(x)), lambda x: rows(curvature(x))),
        declare.objective(rosenbrock, slope, None, lambda x, p: numbers(product(x, p))),
        declare.value_and_gradient(both),
        declare.jacobian(
            lambda x: np.array([x[0] * x[1], x[2] ** 2]), lambda x: rows([[x[1], x[0], 0, 0], [0, 0, 2 * x[2], 0]])
        ),
    ]
    for layer in right:
        assert check(layer, normal(4)).passed
    bad = [
        declare.objective(rosenbrock, lambda x: numbers(1.01 * slope(x))),
        declare.objective(rosenbrock, slope, lambda x: rows(1.01 * curvature(x))),
        declare.objective(rosenbrock, slope, None, lambda x, p: numbers(1.01 * product(x, p))),
        declare.value_and_gradient(lambda x: both(x, 1.01)),
        declare.jacobian(
            lambda x: np.array([x[0] * x[1], x[2] ** 2]), lambda x: rows([[x[1], x[0], 0, 0], [0, 0, x[2], 0]])
        ),
    ]
    for layer in bad:
        report = check(layer, normal(4))
        assert {finding.clause for finding in report.findings} == {"gradient"}


def bent(x: Any) -> Any:
    return np.array([x[0] * x[1], np.sin(x[2])])


def bent_jacobian(x: Any) -> Any:
    return np.array([[x[1], x[0], 0.0], [0.0, 0.0, np.cos(x[2])]])


def test_jacobians() -> None:
    assert wrong(declare.jacobian(bent, bent_jacobian), normal(3)) == []
    assert wrong(declare.jacobian(np.sin, lambda x: np.diag(np.cos(x.ravel())).reshape(2, 2, 2, 2)), normal(2, 2)) == []
    two = declare.jacobian(lambda x, y: x * y, lambda x, y: (np.diag(y), np.diag(x)))
    assert wrong(two, normal(3), normal(3, seed=1)) == []
    assert wrong(declare.jacobian(bent, lambda x: 1.1 * bent_jacobian(x)), normal(3)) == ["x"]


def test_a_transposed_jacobian_reaches_the_contract_with_its_shape() -> None:
    transposed = declare.jacobian(bent, lambda x: bent_jacobian(x).T)
    target = adapt(transposed, (normal(3),), {})
    (y,) = target.forward([normal(3)])
    assert target.backward([y])[0].shape == (3, 2)
    # And nothing else is said of it.
    assert [(finding.argument, finding.clause) for finding in check(transposed, normal(3)).findings] == [("x", "shape")]


@pytest.mark.parametrize("form", ["csr_matrix", "csc_array", "coo_matrix", "aslinearoperator"])
def test_sparse_jacobians(form: str) -> None:
    sparse = pytest.importorskip("scipy.sparse", reason="needs scipy")
    linear = pytest.importorskip("scipy.sparse.linalg", reason="needs scipy")
    make = getattr(sparse, form, None) or getattr(linear, form)
    assert wrong(declare.jacobian(bent, lambda x: make(bent_jacobian(x))), normal(3)) == []
    assert wrong(declare.jacobian(bent, lambda x: make(bent_jacobian(-x))), normal(3)) == ["x"]
    assert wrong(declare.objective(rosenbrock, slope, lambda x: make(curvature(x))), normal(4), close=1e-5) == []


def test_elementwise() -> None:
    assert wrong(declare.elementwise(np.tanh, lambda x: 1 - np.tanh(x) ** 2), normal(2, 3)) == []
    assert wrong(declare.elementwise(lambda z: np.tanh(z), lambda z: 1 - np.tanh(z)), normal(2, 3)) == ["z"]


class Rounding:
    """A straight-through estimator."""

    def forward(self, x: Any) -> Any:
        self.inside = np.abs(x) < 1
        return np.round(x)

    def backward(self, upstream: Any) -> Any:
        return upstream * self.inside


def test_a_surrogate_stands_for_the_forward() -> None:
    layer = declare.surrogate(Rounding(), forward=lambda x: np.clip(x, -1, 1), reason="straight through")
    assert wrong(layer, normal(5)) == []
    assert adapt(layer, (normal(5),), {}).remarks == ("checked against the surrogate <lambda>: straight through",)
    assert wrong(declare.surrogate(Rounding(), forward=lambda x: 2 * x, reason="too steep"), normal(5)) == ["x"]
    twin = adapt(layer, (normal(5),), {}).fresh()
    assert twin is not None
    assert twin.layer is not layer.layer


def test_a_surrogate_of_another_shape() -> None:
    layer = declare.surrogate(Rounding(), forward=lambda x: x.sum(), reason="no")
    with pytest.raises(LayerError, match=r"has shapes \[\(\)\], that of Rounding \[\(5,\)\]$"):
        wrong(layer, normal(5))


def test_a_surrogate_needs_a_reason() -> None:
    with pytest.raises(InvalidInput, match=r"^surrogate needs a reason in words, got '': say why the backward is"):
        declare.surrogate(Rounding(), forward=np.sin, reason="")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: declare.functions(np.sin, 3), "declare.functions got backward=3: give a function"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: declare.jacobian(None, np.sin), "declare.jacobian got f=None: give a function"),  # type: ignore[arg-type] # wrong on purpose
    ],
)
def test_what_is_declared_must_be_callable(make: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match="^" + message + "$"):
        make()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (declare.pullback(np.sin), r"^sin returned ndarray, not \(output, pullback\)$"),
        (declare.value_and_gradient(np.sin), r"^sin returned ndarray, not \(value, gradient\)$"),
        (declare.value_and_gradient(lambda x: (x, x)), r"^the value of <lambda> is of shape \(3,\): an obj"),
        (declare.objective(rosenbrock, lambda x: x[1:], curvature), r"^jac of rosenbrock returned shape \(2,\): ret"),
        ((np.sin, np.cos), r"^forward of sin returned ndarray: a pair's forward returns \(output, cache\)$"),
    ],
)  # fmt: skip
def test_a_function_that_returns_something_else(layer: Any, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        wrong(layer, normal(3))


def test_declared_layers_travel() -> None:
    layer = declare.functions(affine_forward, affine_backward)
    for twin in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        assert wrong(twin, *AFFINE) == []
    assert repr(layer) == "declared affine"


def test_a_declared_batch() -> None:
    layer = declare.batched(declare.elementwise(np.tanh, lambda x: 1 - np.tanh(x) ** 2))
    target = adapt(layer, (normal(3),), {})
    assert target.batched
    assert target.name == "tanh"
    assert target.forward([normal(5, 3)])[0].shape == (5, 3)
    assert wrong(layer, normal(3)) == []
    pair = declare.batched((lambda x, y: (x * y, (x, y)), lambda u, c: (u * c[1], u * c[0])))
    target = adapt(pair, (normal(3), normal(3)), {}, 0)
    assert target.batched
    assert target.forward([normal(5, 3)])[0].shape == (5, 3)
    assert not adapt((affine_forward, affine_backward), AFFINE, {}).batched


def test_arrays_among_the_keywords_are_the_layers_own() -> None:
    class Writing:
        def forward(self, x: Any, *, scale: Any) -> Any:
            scale *= 2
            return x * 3

        def backward(self, upstream: Any) -> Any:
            return 3 * upstream

    scale = np.ones(3)
    assert wrong(Writing(), normal(3), kwargs={"scale": scale}) == []
    assert np.array_equal(scale, np.ones(3))
