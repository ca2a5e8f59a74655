"""The node types of a computation graph: what each does with the upstream, and a check of each.

Plus distributes, max routes, times switches. The engine has a rule per argument for all of them; here each kind of
node stands in a small formula, and the formula is checked like any other layer.
"""

import numpy as np
import pytest

from pytest_gradcheck import engine as e


def test_plus_distributes():
    x, y = e.sources(x=3.0, y=4.0)
    assert e.gradient(x + y, [x, y], upstream=2.0) == (2.0, 2.0)


def test_max_routes():
    x, y = e.sources(x=3.0, y=4.0)
    assert e.gradient(e.maximum(x, y), [x, y], upstream=2.0) == (0.0, 2.0)


def test_times_switches():
    x, y = e.sources(x=3.0, y=4.0)
    assert e.gradient(x * y, [x, y], upstream=2.0) == (8.0, 6.0)


def test_a_node_used_twice_adds_up():
    (x,) = e.sources(x=3.0)
    assert e.gradient(x * x + x, x) == 7.0


X, Y, M = (np.random.default_rng(seed).standard_normal(shape) for seed, shape in enumerate([(3, 4), (3, 4), (4, 2)]))
POSITIVE = np.abs(X) + 0.5
LABELS = np.array([0, 3, 1])

FORMULAS = {
    "add": (lambda x, y: x + y, X, Y),
    "add broadcast": (lambda x, b: x + b, X, Y[0]),
    "subtract": (lambda x, y: x - y, X, Y),
    "negate": (lambda x: -x, X),
    "multiply": (lambda x, y: x * y, X, Y),
    "divide": (lambda x, y: x / y, X, POSITIVE),
    "power": (lambda x, y: x**y, POSITIVE, Y),
    "matmul": (lambda x, m: x @ m, X, M),
    "affine": (lambda W, x, b: e.affine(W, x, b), M.T, X[0], M[0]),
    "affine of a batch": (lambda W, x, b: e.affine(W, x, b), M.T, X, M[0]),
    "dot": (lambda u, h: e.dot(u, h), X[0], Y[0]),
    "maximum": (lambda x, y: e.maximum(x, y), X, Y),
    "minimum": (lambda x, y: e.minimum(x, y), X, Y),
    "max": (lambda x: e.max(x, axis=1), X),
    "min": (lambda x: e.min(x, axis=0), X),
    "sum": (lambda x: e.sum(x, axis=1), X),
    "mean": (lambda x: e.mean(x, axis=0), X),
    "exp": (lambda x: e.exp(x), X),
    "log": (lambda x: e.log(x), POSITIVE),
    "sqrt": (lambda x: e.sqrt(x), POSITIVE),
    "abs": (lambda x: e.abs(x), X),
    "tanh": (lambda x: e.tanh(x), X),
    "sigmoid": (lambda x: e.sigmoid(x), X),
    "relu": (lambda x: e.relu(x), X),
    "softplus": (lambda x: e.softplus(x), X),
    "softmax": (lambda x: e.softmax(x), X),
    "log_softmax": (lambda x: e.log_softmax(x), X),
    "cross_entropy": (lambda x: e.cross_entropy(x, LABELS), X),
    "where": (lambda x, y: e.where(x > 0, x, y), X, Y),
    "reshape": (lambda x: x.reshape(2, 6), X),
    "transpose": (lambda x: x.T, X),
    "broadcast": (lambda x: e.broadcast(x, (5, 3, 4)), X),
    "concatenate": (lambda x, y: e.concatenate([x, y], axis=1), X, Y),
    "index, one row twice": (lambda x: x[[2, 0, 2]], X),
}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.gradcheck
def test_formula(name):
    formula, *values = FORMULAS[name]
    inputs = [e.source(value) for value in values]
    return e.Graph(formula(*inputs), inputs), *values


def test_every_node_type_has_a_formula():
    built = [e.Graph(formula(*map(e.source, values))) for formula, *values in FORMULAS.values()]
    used = {node.operation.name for graph in built for node in graph.nodes if node.operation}
    comparisons = {"greater", "greater_equal", "less", "less_equal"}
    assert set(e.OPERATIONS) - used <= comparisons
