"""Where numbers are extreme, equal, missing or on an edge: values stay finite and conventions are kept."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest

from pytest_gradcheck.engine import (
    OPERATIONS,
    Graph,
    abs,
    concatenate,
    cross_entropy,
    exp,
    gradient,
    log_softmax,
    max,
    maximum,
    mean,
    min,
    minimum,
    relu,
    sigmoid,
    softmax,
    softplus,
    source,
    sources,
    sqrt,
    sum,
    tanh,
)


@pytest.fixture(autouse=True)
def warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_sigmoid_and_softplus_at_a_thousand() -> None:
    x = source([-1000.0, 0.0, 1000.0])
    assert sigmoid(x).value.tolist() == [0, 0.5, 1]
    assert gradient(sigmoid(x).sum(), x).tolist() == [0, 0.25, 0]
    assert softplus(x).value.tolist() == [0, np.log(2), 1000]
    assert gradient(softplus(x).sum(), x).tolist() == [0, 0.5, 1]
    assert gradient(tanh(x).sum(), x).tolist() == [0, 1, 0]


def test_slopes_keep_their_digits_far_out() -> None:
    # 1 - tanh(20)**2 and s (1 - s) at 40 would both be exactly 0.
    x = source([-40.0, 40.0])
    assert gradient(sigmoid(x).sum(), x) == pytest.approx(np.exp(-40), rel=1e-12, abs=0)
    y = source([-20.0, 20.0])
    assert gradient(tanh(y).sum(), y) == pytest.approx(4 * np.exp(-40), rel=1e-12, abs=0)


def test_softmax_and_its_kin_at_a_thousand() -> None:
    z = source([[1000.0, -1000.0, 0.0]])
    assert softmax(z).value.tolist() == [[1, 0, 0]]
    assert log_softmax(z).value.tolist() == [[0, -2000, -1000]]
    assert gradient(log_softmax(z), z, np.array([[1.0, 2.0, 3.0]])).tolist() == [[-5, 2, 3]]
    loss = cross_entropy(z, labels=[1])
    assert float(loss.value) == 2000
    assert gradient(loss, z).tolist() == [[1, -1, 0]]


def test_a_tie_is_shared_evenly() -> None:
    x, y = sources(x=2.0, y=2.0)
    assert [float(g) for g in gradient(maximum(x, y), [x, y])] == [0.5, 0.5]
    assert [float(g) for g in gradient(minimum(x, y), [x, y])] == [0.5, 0.5]
    assert float(gradient(maximum(x, x), x)) == 1
    z = source([[3.0, 1.0, 3.0], [1.0, 1.0, 1.0]])
    assert gradient(max(z, axis=1).sum(), z).tolist() == [[0.5, 0, 0.5], [1 / 3, 1 / 3, 1 / 3]]
    assert gradient(min(z, axis=1).sum(), z).tolist() == [[0, 1, 0], [1 / 3, 1 / 3, 1 / 3]]


def test_kinks_and_edges() -> None:
    x = source([0.0, -0.0])
    assert gradient(relu(x).sum(), x).tolist() == [0, 0]
    assert gradient(abs(x).sum(), x).tolist() == [0, 0]
    root = source(0.0)
    assert float(gradient(sqrt(root), root)) == np.inf
    assert float(gradient(sqrt(root), root, 0.0)) == 0


def test_powers_at_base_zero() -> None:
    x, y = sources(x=[0.0, 0.0, 0.0, 2.0], y=[2.0, 1.0, 0.0, 0.0])
    assert gradient((x**y).sum(), x).tolist() == [0, 1, 0, 0]
    assert gradient((x**y).sum(), y).tolist() == [0, 0, 0, np.log(2)]
    negative = source([-2.0, -1.0])
    assert gradient((negative**3).sum(), negative).tolist() == [12, 3]
    flat = source(0.0)
    assert float(gradient(flat**0.5, flat)) == np.inf
    assert float(gradient((flat**0.5) * 0, flat)) == 0


def test_indices_with_repeats_add_up() -> None:
    x = source([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    picked = x[[0, 2, 2, 0, 2]]
    upstream = np.arange(10.0).reshape(5, 2)
    assert gradient(picked, x, upstream).tolist() == [[6, 8], [0, 0], [14, 17]]
    assert gradient(x[[]].sum(), x).tolist() == [[0, 0]] * 3
    a, b = x[0]
    assert gradient(a * b, x).tolist() == [[2, 1], [0, 0], [0, 0]]


@pytest.mark.parametrize("name", [n for n, op in OPERATIONS.items() if op.arity == 1 and op.broadcasts])
@pytest.mark.parametrize("shape", [(), (0,), (2, 0)])
def test_numbers_and_empty_arrays_of_one_argument(name: str, shape: tuple[int, ...]) -> None:
    layer = OPERATIONS[name].as_layer()
    out = layer.forward(np.full(shape, 0.5))
    assert out.shape == shape
    (found,) = layer.backward(np.ones(shape))
    assert found is not None and found.shape == shape


def test_empty_arrays_elsewhere() -> None:
    empty = source(np.zeros((0, 3)))
    W, b = sources(W=np.ones((2, 3)), b=[1.0, 2.0])
    out = OPERATIONS["affine"](W, empty, b)
    assert out.shape == (0, 2)
    assert [g.tolist() for g in gradient(out.sum(), [W, empty, b])] == [[[0, 0, 0], [0, 0, 0]], [], [0, 0]]
    for node in (softmax(empty), log_softmax(empty), softmax(empty, axis=0), empty @ np.ones((3, 2)), empty.T):
        assert gradient(sum(node), empty).shape == (0, 3)
    assert gradient(max(empty, axis=1).sum(), empty).shape == (0, 3)
    assert gradient(mean(empty, axis=1).sum(), empty).shape == (0, 3)
    loss = cross_entropy(empty, labels=np.zeros(0, dtype=int))
    assert float(loss.value) == 0 and gradient(loss, empty).shape == (0, 3)
    joined = concatenate(empty, source(np.ones((1, 3))))
    assert gradient(joined.sum(), empty).shape == (0, 3)
    none = source(np.zeros((2, 0)))
    assert gradient((none @ np.zeros((0, 3))).sum(), none).shape == (2, 0)
    wide = OPERATIONS["affine"](np.zeros((2, 0)), none, b)
    assert gradient(wide.sum(), none).shape == (2, 0)


def test_reductions_of_nothing_are_refused() -> None:
    empty = source(np.zeros((0, 3)))
    with pytest.raises(
        ValueError, match=r"the mean over no entries is undefined: the shape is \(0, 3\), the axis None"
    ):
        mean(empty)
    with pytest.raises(ValueError, match="zero-size array"):
        max(empty, axis=0)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 3], "label 3 is none of the 3 classes: labels run from 0"),
        ([-1, 0], "label -1 is none of the 3 classes"),
        ([0.0, 1.0], "whole labels .*labels of float64"),
        ([0], r"got shapes \(2, 3\) and \(1,\)"),
    ],
)
def test_labels_that_are_none(labels: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cross_entropy(source(np.ones((2, 3))), labels=labels)


def test_broadcast_axes_are_summed() -> None:
    column, row, number = sources(column=np.ones((2, 1)), row=np.ones(3), number=2.0)
    found = gradient((column * row * number).sum(), [column, row, number])
    assert [g.tolist() for g in found] == [[[6], [6]], [4, 4, 4], 6]


def test_whole_numbers_are_differentiated_as_floats() -> None:
    layer = OPERATIONS["multiply"].as_layer()
    layer.forward(2, 3)
    assert list(layer.backward(0.5)) == [1.5, 1.0]
    x = source([1, 2])
    graph = Graph(exp(x) * 0.5)
    graph.forward(np.array([0, 0]))
    assert graph.backward(np.ones(2))[0].tolist() == [0.5, 0.5]
