"""The graph: expressions make it, forward goes right, backward goes left, nothing is stored."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.engine import (
    Graph,
    Node,
    affine,
    backward,
    concatenate,
    constant,
    gradient,
    log,
    maximum,
    multiply,
    operation,
    relu,
    softmax,
    source,
    sources,
    tanh,
    topological_order,
    where,
)
from tests.engine.differences import largest_error


def lecture() -> tuple[Node, Node, Node, Node]:
    x, y, z = sources(x=1, y=2, z=0)
    return (x + y) * maximum(y, z), x, y, z


def as_floats(found: Any) -> list[float]:
    return [float(g) for g in found]


def test_the_lectures_example() -> None:
    f, x, y, z = lecture()
    assert float(f.value) == 6
    assert as_floats(gradient(f, [x, y, z])) == [2, 5, 0]


def test_two_backward_passes_do_not_add_up() -> None:
    f, x, y, z = lecture()
    assert as_floats(gradient(f, [x, y, z])) == as_floats(gradient(f, [x, y, z])) == [2, 5, 0]
    run = Graph(f).run()
    assert float(run.backward()[y]) == float(run.backward()[y]) == 5


def test_fan_out_is_summed() -> None:
    x = source(3.0)
    assert float(gradient(x + x, x)) == 2
    assert float(gradient(x * x * x, x)) == 27
    shared = x * 2
    assert float(gradient(shared * shared + shared, x)) == 2 * 12 + 2


def test_every_python_operator() -> None:
    x, y = sources(x=[[0.5, 2.0]], y=[[1.5, -0.5]])
    f = (
        (1 + x) * (2 - y) / (3 / x + 1) + (x - 1) ** 2 - (+y) * -x + 2**x + abs(y) * (4 * x) + (y + 1) / 2
        + ([[1.0], [2.0]] @ x)[0] + x @ [[1.0], [3.0]] + (x.T).reshape(1, 2) + x.sum() * y.mean(axis=1)
    )  # fmt: skip
    assert largest_error(Graph(f.sum(), [x, y]), [x.value, y.value]) < 1e-7


def test_arrays_and_numbers_stand_on_either_side() -> None:
    x = source([1.0, 2.0])
    for node in (np.array([3.0, 4.0]) * x, x * np.array([3.0, 4.0]), np.float64(3) * x, [3.0, 4.0] * x):  # type: ignore[operator]  # mypy asks list alone
        assert isinstance(node, Node) and node.operation is multiply


def test_a_chain_of_100000_nodes() -> None:
    x = source(1.0)
    node = x
    for _ in range(50_000):
        node = node * 1.00001 + 0.0
    assert len(topological_order(node)) == 200_001
    assert float(gradient(node, x)) == pytest.approx(1.00001**50_000, rel=1e-9)
    assert Graph(node, [x]).forward(2.0) == pytest.approx(2 * 1.00001**50_000, rel=1e-9)


def test_a_ladder_of_shared_nodes_takes_one_visit_each() -> None:
    # 2**200 paths, 200 nodes: a backward pass that followed paths would never end.
    x = source(1.0)
    node = x
    for _ in range(200):
        node = (node + node) * 0.5
    assert float(gradient(node, x)) == 1


def test_operands_come_before_results_in_a_fixed_order() -> None:
    f, x, y, z = lecture()
    order = topological_order(f)
    assert order[0] is x and order[1] is y and order[-1] is f
    assert all(order.index(o) < order.index(n) for n in order for o in n.operands)
    assert [n.name for n in topological_order(f)] == [n.name for n in topological_order(f)]
    assert z in order


def test_backward_gives_every_node() -> None:
    x, y, z = sources(x=1, y=2, z=0)
    a, b = x + y, maximum(y, z)
    found = backward(a * b)
    assert as_floats(found[n] for n in (a, b, x, y, z)) == [2, 3, 2, 5, 0]
    assert set(found) >= {a, b, x, y, z} and len(found) == 6


def test_a_node_that_does_not_matter_gets_zeros() -> None:
    x, other = sources(x=[1.0, 2.0], other=[[1.0, 2.0]])
    assert gradient(x.sum(), other).tolist() == [[0, 0]]
    assert gradient((x > 0).sum() + x.sum() * 0, x).tolist() == [0, 0]
    assert Graph(x.sum(), [x, other]).forward(x.value, np.ones((3, 1))) == 3
    graph = Graph(x.sum(), [x, other])
    graph.forward(x.value, np.ones((3, 1)))
    assert graph.backward(1.0)[1].shape == (3, 1)


def test_returned_gradients_belong_to_the_caller() -> None:
    x, y = sources(x=[1.0, 2.0], y=[3.0, 4.0])
    upstream = np.array([1.0, 10.0])
    found = backward(x + y, upstream)
    gx = found[x]
    gx += 100
    assert found[x].tolist() == found[y].tolist() == upstream.tolist() == [1, 10]


def test_values_cannot_be_changed_behind_the_graph() -> None:
    given = np.array([1.0, 2.0])
    x = source(given)
    given[0] = 50
    assert x.value.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        x.value[0] = 7
    key = np.array([0, 0])
    picked = x[key]
    key[:] = 1
    assert gradient(picked.sum(), x).tolist() == [2, 0]
    assert Graph(picked).evaluate({x: [5.0, 6.0]}).tolist() == [5, 5]


def test_a_layer_keeps_its_own_copies() -> None:
    x = source([1.0, 2.0])
    graph = Graph(x * x)
    given = np.array([3.0, 4.0])
    out = graph.forward(given)
    given[:] = 0
    out[:] = 0
    assert graph.backward(np.ones(2))[0].tolist() == [6, 8]


def test_an_operation_as_a_layer_keeps_its_own_copies() -> None:
    layer = multiply.as_layer()
    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    out = layer.forward(x, y)
    for array in (x, y, out):
        array[:] = 0
    assert [g.tolist() for g in layer.backward(np.ones(2)) if g is not None] == [[3, 4], [1, 2]]


def test_replay_with_other_values_and_shapes() -> None:
    x, y = sources(x=1, y=2)
    graph = Graph(where(x > y, x * 10, y))
    assert float(graph.evaluate()) == 2
    assert float(graph.evaluate({x: 3})) == 30
    assert graph.evaluate({x: [1, 2, 3]}).tolist() == [2, 2, 30]
    run = graph.run({x: [1.0, 2, 3]})
    assert run.backward(np.ones(3))[x].tolist() == [0, 0, 10]
    assert float(run.backward(np.ones(3))[y]) == 2
    assert float(graph.evaluate()) == 2


def test_only_what_depends_on_a_change_is_computed_again() -> None:
    calls: list[str] = []

    def count(x: Any) -> Any:
        calls.append("again")
        return np.tanh(x)

    x, y = sources(x=1, y=2)
    f = tanh.with_rule("x", lambda u, out, x: u)
    counted = type(f)("counted", count, f.rules, broadcasts=True)
    graph = Graph(counted(x) * y)
    calls.clear()
    graph.evaluate({y: 5})
    assert calls == []
    graph.evaluate({x: 5})
    assert calls == ["again"]


def test_a_graph_may_be_cut_at_an_interior_node() -> None:
    x, y = sources(x=1.0, y=2.0)
    a = x + y
    f = a * y
    cut = Graph(f, [a, y])
    assert x not in cut.nodes
    assert float(cut.forward(10.0, 3.0)) == 30
    assert as_floats(cut.backward(1.0)) == [3, 10]
    whole = Graph(f, [x, y])
    whole.forward(1.0, 2.0)
    assert as_floats(whole.backward(1.0)) == [2, 5]


def test_constants_get_no_gradient() -> None:
    x = source(2.0)
    c = constant(3.0)
    assert Graph(x * c).inputs == (x,)
    with pytest.raises(ValueError, match="has no gradient: make it a source"):
        gradient(x * c, c)
    with pytest.raises(ValueError, match="has no gradient: make it a source"):
        Graph(x * c, [c])


def test_float32_stays_float32() -> None:
    x = source(np.array([1.0, 2.0], dtype=np.float32))
    f = (relu(x * 2 + 1) / 3 - softmax(x)) ** 2
    assert f.dtype == np.float32
    assert gradient(f.sum(), x).dtype == np.float32
    assert source(1).dtype == np.float64
    # In a mixed expression each operand gets a gradient of its own type.
    y = source([1.0, 2.0])
    assert [g.dtype for g in gradient((x * y).sum(), [x, y])] == [np.float32, np.float64]


def test_deep_copies_and_pickles_do_not_recurse() -> None:
    x = source(1.0, "x")
    node = x
    for _ in range(5_000):
        node = node * 1.001
    graph = Graph(node, [x])
    assert copy.deepcopy(node) is node
    for twin in (copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))):
        assert float(twin.forward(2.0)) == float(graph.forward(2.0))
        assert as_floats(twin.backward(1.0)) == as_floats(graph.backward(1.0))
        assert twin.argument_names == ("x",)


def test_a_copy_has_its_own_last_forward() -> None:
    x = source(1.0)
    graph = Graph(x * x)
    graph.forward(3.0)
    twin = copy.deepcopy(graph)
    graph.forward(5.0)
    assert (as_floats(twin.backward(1.0)), as_floats(graph.backward(1.0))) == ([6], [10])


def test_an_unused_input_survives_a_pickle() -> None:
    x, other = sources(x=2.0, other=[1.0, 1.0])
    twin = pickle.loads(pickle.dumps(Graph(x * x, [other, x])))
    assert float(twin.forward([0.0, 0.0], 3.0)) == 9
    assert [g.tolist() for g in twin.backward(1.0)] == [[0, 0], 6]


def test_a_cut_graph_with_parameters_survives_a_pickle() -> None:
    x = source([[1.0, 2.0, 3.0]])
    a = tanh(x)
    graph = Graph(concatenate(a, a * 2, axis=1)[:, np.array([0, 5, 0])].sum(axis=1), [a])
    twin = pickle.loads(pickle.dumps(graph))
    assert twin.forward(np.ones((2, 3))).tolist() == graph.forward(np.ones((2, 3))).tolist() == [4, 4]
    assert twin.backward(np.ones(2))[0].tolist() == graph.backward(np.ones(2))[0].tolist()


def test_one_may_add_an_operation() -> None:
    from pytest_gradcheck.engine import OPERATIONS
    from pytest_gradcheck.engine.operation import _REGISTERED

    square = operation("square of a test", np.square, {"x": lambda u, out, x: 2 * u * x}, broadcasts=True)
    try:
        x = source([1.0, 3.0])
        assert gradient(square(x).sum(), x).tolist() == [2, 6]
        assert OPERATIONS["square of a test"] is square
        with pytest.raises(ValueError, match="there is an operation 'square of a test' already"):
            operation("square of a test", np.square, {})
    finally:
        del _REGISTERED["square of a test"]
    with pytest.raises(ValueError, match="the domain of 'z' is given, but the arguments are x"):
        operation("never", np.square, {"x": None}, domains={"z": square.domain[0]})


def ask_truth() -> None:
    bool(source(1.0) > 0)


def builtin_max() -> None:
    max(source(1.0), source(2.0))


@pytest.mark.parametrize(
    ("mistake", "kind", "words"),
    [
        (ask_truth, TypeError, "a node has no truth value, since its value may change: use where"),
        (builtin_max, TypeError, r"use where\(condition, a, b\), and maximum\(a, b\) for max\(a, b\)"),
        (lambda: np.exp(source(1.0)), TypeError, "does not support ufuncs"),
        (lambda: np.asarray(source(1.0)), TypeError, "a node is no array: use the operations"),
        (lambda: list(source(1.0)), TypeError, "a node of a single number has no parts"),
        (lambda: source([[1.0], [1.0, 2.0]], "x"), TypeError, "x has rows of unequal lengths: give an array"),
        (lambda: source(1.0) * [[1.0], [1.0, 2.0]], TypeError, "an operand has rows of unequal lengths: give an array"),
        (lambda: source(np.ma.masked_less([1.0, -1.0], 0.0)), TypeError, "a source is a masked array, of which some"),
        (lambda: gradient(3, []), TypeError, "an output is a node, made of sources by operations: got int"),  # type: ignore[call-overload]  # the mistake
        (lambda: gradient(source(1.0), [3]), TypeError, "gradients are taken by nodes: got int"),  # type: ignore[list-item]  # the mistake
        (lambda: Graph("x"), TypeError, "an output is a node, made of sources by operations: got str"),  # type: ignore[arg-type]  # the mistake
        (lambda: source("x"), TypeError, "a source is made of real numbers: got <U1 for a source"),
        (lambda: source(1j, "z"), TypeError, "a source is made of real numbers: got complex128 for z"),
        (lambda: source(1.0) * "x", TypeError, "an operand is a node, an array of real numbers or a number: got str"),
        (lambda: source([1.0])[source(0.0)], TypeError, "index: a node stands where a fixed parameter is needed"),
        (lambda: backward(source([1.0, 2.0])), ValueError, r"the output has shape \(2,\): give an upstream of that"),
        (lambda: backward(source([1.0, 2.0]), 1.0), ValueError, r"the upstream has shape \(\), the output \(2,\)"),
        (lambda: backward(source(1.0))["x"], KeyError, "gradients are looked up by node: got str"),  # type: ignore[index]  # the mistake
        (lambda: Graph(source(1.0)).evaluate({source(2.0): 1}), KeyError, "is no node of this graph"),
        (lambda: Graph(source(1.0)).forward(), TypeError, "this graph takes 1 inputs: got 0"),
        (lambda: Graph(source(1.0)).backward(1.0), RuntimeError, "backward needs a forward before it"),
        (lambda: tanh.as_layer().backward(1.0), RuntimeError, "tanh: backward needs a forward before it"),
        (lambda: tanh.as_layer(axis=1), TypeError, r"tanh takes \(x\): got 1 positional, axis=1"),
        (lambda: tanh.as_layer().forward(1.0, 2.0), TypeError, r"tanh takes \(x\): got 2 inputs"),
        (lambda: tanh(), TypeError, r"tanh takes \(x\): got 0 positional"),
        (lambda: relu(1.0, 2.0), TypeError, r"relu takes \(x\): got 2 positional"),
        (lambda: softmax(source([1.0]), axis=0, keepdims=True), TypeError, r"softmax takes \(z, axis=-1\)"),
        (lambda: concatenate(), TypeError, r"concatenate takes \(\*parts, axis=0\): got 0 positional"),
        (lambda: affine([1.0], [1.0], [1.0]), ValueError, r"affine takes a matrix W and a vector x or rows of them"),
        (lambda: tanh.with_rule("y", lambda u: u), KeyError, "tanh has no argument 'y': its arguments are x"),
    ],
)  # fmt: skip
def test_mistakes_are_named(mistake: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        mistake()


def test_an_input_listed_twice_is_refused() -> None:
    x = source(1.0)
    with pytest.raises(ValueError, match="an input is listed twice"):
        Graph(x * x, [x, x])


def test_a_failing_operation_says_which_and_with_what() -> None:
    with pytest.raises(ValueError) as caught:
        source([1.0, 2.0]) + source([1.0, 2.0, 3.0])
    assert caught.value.__notes__ == ["in add of operands with shapes (2,), (3,)"]


def test_repr_says_what_it_is() -> None:
    x = source(2.0, "x")
    assert repr(x) == "<source x: 2>"
    assert repr(constant([1, 2])) == "<constant: shape (2,)>"
    assert repr(log(x)) == "<log: 0.693147>"
    assert repr(Graph(x * 2)) == "<graph of 3 nodes: x -> shape ()>"
    assert repr(softmax) == "<operation softmax(z, axis=-1)>"
    assert repr(softmax.as_layer(axis=0)) == "<layer softmax(z, axis=0)>"
