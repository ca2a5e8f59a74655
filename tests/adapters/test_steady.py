"""A prepared call gives what forward gives, whatever convention a layer has, and leaves the cache of backward alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check, declare
from pytest_gradcheck.adapters import adapt
from pytest_gradcheck.calls import Calls
from pytest_gradcheck.errors import LayerError
from tests.check.layers import Array, normal, tanh


class Two:
    """Two outputs, of which the second is a plain list of numbers now and then."""

    def __init__(self, as_list: bool = False) -> None:
        self.as_list = as_list

    def forward(self, x: Array) -> Any:
        self.x = x
        return np.sin(x), (x**2).tolist() if self.as_list else x**2

    def backward(self, u: Array, v: Array) -> Any:
        return u * np.cos(self.x) + 2 * v * self.x


def pair_forward(x: Array) -> Any:
    return np.exp(x), x


def pair_backward(upstream: Array, cache: Array) -> Any:
    return upstream * np.exp(cache)


class Held:
    """A layer with a parameter, which each forward is given anew."""

    def __init__(self) -> None:
        self.W, self.dW = np.array([2.0, 3.0, 4.0]), np.zeros(3)

    def forward(self, x: Array) -> Any:
        self.x = x
        return self.W * x

    def backward(self, upstream: Array) -> Any:
        self.dW = upstream * self.x
        return upstream * self.W


@pytest.mark.parametrize(
    "make",
    [tanh, Two, lambda: (pair_forward, pair_backward), Held, lambda: Two(True)],
    ids=["one", "two", "pair", "held", "list"],
)
def test_it_is_forward_at_arrays_that_change_in_place(make: Callable[[], Any]) -> None:
    target = adapt(make(), (normal(3),), {})
    calls = Calls(target)
    values = [a.value.copy() for a in target.arguments]
    calls.forward(values)
    steady = calls.steady(values)
    for step in (0.0, 0.25, -1.5):
        values[0][1] += step
        expected = [np.array(y) for y in calls.forward([v.copy() for v in values])]
        found = steady()
        assert [np.asarray(y).tolist() for y in found] == [y.tolist() for y in expected]
    assert calls.meter.forward_evaluations == 7


def test_what_forward_raises_is_told_as_ever_and_counted() -> None:
    class Picky:
        def forward(self, x: Array) -> Any:
            if x[0] > 5:
                raise ValueError("too large")
            return x**2

        def backward(self, upstream: Array) -> Any:
            return upstream

    target = adapt(Picky(), (np.ones(2),), {})
    calls, values = Calls(target), [np.ones(2)]
    calls.forward(values)
    steady = calls.steady(values)
    values[0][0] = 6.0
    with pytest.raises(LayerError, match=r"forward of Picky raised ValueError \(too large\) given x \(2,\)"):
        steady()
    assert calls.meter.forward_evaluations == 2


def test_another_number_of_outputs_is_noticed() -> None:
    class Fickle:
        def forward(self, x: Array) -> Any:
            return (x, x**2) if x[0] > 1 else x**2

        def backward(self, upstream: Array) -> Any:
            return upstream

    calls, values = Calls(adapt(Fickle(), (np.zeros(2),), {})), [np.zeros(2)]
    calls.forward(values)
    steady = calls.steady(values)
    values[0][0] = 2.0
    with pytest.raises(LayerError, match="returned 2 outputs where its first call returned 1"):
        steady()


class Buffered:
    """Returns one buffer at each call, and its input where that is asked for."""

    def __init__(self, factor: float = 2.0, same: bool = False) -> None:
        self.factor, self.same, self.out = factor, same, np.empty(20)

    def forward(self, x: Array) -> Any:
        self.x = x.copy()
        return x if self.same else np.multiply(x, x, out=self.out)

    def backward(self, upstream: Array) -> Any:
        return upstream * (self.factor / 2 if self.same else self.factor * self.x)


@pytest.mark.parametrize("method", ["probes", "every-entry"])
@pytest.mark.parametrize("same", [False, True])
def test_outputs_that_share_one_memory_are_copied(method: str, same: bool) -> None:
    assert check(Buffered(same=same), normal(20), method=method, contract="off").passed
    assert check(Buffered(2.1, same), normal(20), method=method, contract="off").verdict == "fail"


class Remembering:
    """Computes anew only where it is given another array than the last time."""

    x: Any = None

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def forward(self, x: Array) -> Any:
        if x is not self.x:
            self.x, self.y = x, np.sin(x)
        return self.y

    def backward(self, upstream: Array) -> Any:
        return self.factor * upstream * np.cos(self.x)


@pytest.mark.parametrize("method", ["probes", "every-entry"])
def test_who_remembers_an_array_is_given_another_each_time(method: str) -> None:
    assert check(Remembering(), normal(5), method=method).passed
    assert check(Remembering(1.1), normal(5), method=method).verdict == "fail"


def of_torch(make: Callable[[Any], Any], *shapes: tuple[int, ...]) -> Any:
    torch = pytest.importorskip("torch", reason="needs the extra pytest-gradcheck[torch]")
    return make(torch), [torch.from_numpy(normal(*shape, seed=i)) for i, shape in enumerate(shapes)]


@pytest.mark.parametrize(
    ("make", "shapes"),
    [
        (lambda torch: declare.torch(torch.tanh), [(4,)]),
        (lambda torch: declare.torch(lambda x, w: (x @ w, x.sum())), [(2, 3), (3, 2)]),
        (lambda torch: declare.torch(lambda x: x.t()), [(2, 3)]),
        (lambda torch: torch.nn.Linear(3, 2, dtype=torch.float64), [(4, 3)]),
        (lambda torch: declare.torch(lambda x: (x > 0).to(x.dtype) * x), [(5,)]),
    ],
    ids=["function", "several", "a view", "module", "mask"],
)
def test_tensors_that_share_memory_give_what_forward_gives(make: Any, shapes: Any) -> None:
    layer, inputs = of_torch(make, *shapes)
    target = adapt(layer, tuple(inputs), {})
    calls, values = Calls(target), [a.value.copy() for a in target.arguments]
    calls.forward(values)
    assert target.steady(values) is not None
    steady = calls.steady(values)
    for step in (0.0, 0.25, -1.5):
        values[0][0] += step
        expected = [np.array(y) for y in calls.forward([v.copy() for v in values])]
        assert [y.tolist() for y in steady()] == [y.tolist() for y in expected]


@pytest.mark.parametrize("factor", [1.0, 1.1])
def test_who_remembers_a_tensor_is_given_another_each_time(factor: float) -> None:
    last: list[Any] = [None, None]

    def remembering(x: Any) -> Any:
        if x is not last[0]:
            last[:] = x, x.detach().sin() + factor * (x.sin() - x.detach().sin())
        # Its gradient is that of `factor` sines.
        return last[1]

    layer, inputs = of_torch(lambda torch: declare.torch(remembering), (5,))
    assert check(layer, *inputs).verdict == ("pass" if factor == 1.0 else "fail")


def test_what_is_no_tensor_of_numpys_memory_is_put_together_each_time() -> None:
    torch = pytest.importorskip("torch", reason="needs the extra pytest-gradcheck[torch]")
    x = torch.from_numpy(normal(4))
    for layer, given in (
        (declare.torch(lambda x: x * 2), x.to(torch.bfloat16)),
        (declare.torch(lambda x: x * 2), x.to(torch.complex128)),
        (declare.torch(lambda x: x.mul_(2)), x),
    ):
        target = adapt(layer, (given,), {})
        values = [a.value.copy() for a in target.arguments]
        target.forward(values)
        assert target.steady(values) is None
