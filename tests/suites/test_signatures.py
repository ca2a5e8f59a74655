"""What is read off a layer without making it, and small inputs that are tried where nothing is declared."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import LayerCase, declare
from pytest_gradcheck.discovery import guess
from pytest_gradcheck.suites.clauses import tests_of as clause_tests
from pytest_gradcheck.suites.signatures import (
    Arguments,
    forward_arguments,
    layer_name,
    makes_layers,
    plain_name,
    unique,
)
from pytest_gradcheck.target import Array


class Affine:
    def __init__(self, n_in: int, n_out: int) -> None:
        self.shape = (n_in, n_out)

    def forward(self, x: Array, W: Array, b: Any = 0.0) -> Array:
        if W.shape != self.shape:
            raise ValueError(f"W has shape {W.shape}")
        self.x, self.W = x, W
        return np.asarray(x @ W + b)

    def backward(self, upstream: Array) -> tuple[Array, Array]:
        return upstream @ self.W.T, self.x.T @ upstream


class Called:
    def __call__(self, x: Array, *more: Array) -> Array:
        return x


class Static:
    @staticmethod
    def forward(x: Array) -> Array:
        return x


def affine_forward(x: Array, w: Array) -> tuple[Array, None]:
    return x @ w, None


PAIR = (affine_forward, affine_forward)
XWB = Arguments(("x", "W", "b"), 2)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (Affine, XWB),
        (Affine(2, 3), XWB),
        (functools.partial(Affine, 2, 3), XWB),
        (declare.module(Affine(2, 3)), XWB),
        (Called, Arguments(("x",), 1, open=True)),
        (Called(), Arguments(("x",), 1, open=True)),
        (Static, Arguments(("x",), 1)),
        (PAIR, Arguments(("x", "w"), 2)),
        (declare.functions(*PAIR), Arguments(("x", "w"), 2)),
        (object(), None),
    ],
)
def test_the_arguments_of_forward(layer: Any, expected: Arguments | None) -> None:
    assert forward_arguments(layer) == expected


def test_the_arguments_of_a_torch_function() -> None:
    torch = pytest.importorskip("torch")

    class WithContext(torch.autograd.Function):  # type: ignore[misc, name-defined] # torch may be absent
        @staticmethod
        def forward(ctx: Any, x: Any, w: Any) -> Any: ...

    class Separate(torch.autograd.Function):  # type: ignore[misc, name-defined] # torch may be absent
        @staticmethod
        def forward(x: Any, w: Any) -> Any: ...

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None: ...

    assert forward_arguments(WithContext) == forward_arguments(Separate) == Arguments(("x", "w"), 2)
    assert not makes_layers(WithContext)


@pytest.mark.parametrize(
    ("layer", "name"),
    [(Affine, "Affine"), (Affine(1, 1), "Affine"), (PAIR, "affine"), (functools.partial(Affine, 2), "Affine")],
)
def test_the_name_of_a_layer(layer: Any, name: str) -> None:
    assert layer_name(layer) == name


def test_names_that_pytest_can_match() -> None:
    assert plain_name("state[0]::x y") == "state.0.x.y"
    assert unique(["A", "B", "A", "A2", "A"]) == ["A", "B", "A3", "A2", "A4"]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (LayerCase(Affine, (1, 2)), ["gradient-x", "gradient-W", "gradient-parameters"]),
        (LayerCase(Affine, (1, 2, 3), wrt="b"), ["gradient-b", "gradient-parameters"]),
        (LayerCase(Affine, (1, 2, 3), wrt=[1]), ["gradient-W", "gradient-parameters"]),
        (LayerCase(Called, (1, 2)), ["gradient-x", "gradient-input1", "gradient-parameters"]),
        (LayerCase(PAIR, (1, 2)), ["gradient-x", "gradient-w"]),
        (LayerCase(lambda: Affine(1, 2), (1, 2)), ["gradient"]),
    ],
)
def test_the_gradients_of_a_case(case: LayerCase, expected: list[str]) -> None:
    assert [test.clause for test in clause_tests(case) if test.clause.startswith("gradient")] == expected


def guessed(kind: type) -> tuple[Any, tuple[Any, ...]] | str:
    return guess.first_that_runs(list(guess.makers(kind)), None, None)


def test_sizes_that_fit_are_found_and_differ() -> None:
    found = guessed(Affine)
    assert not isinstance(found, str)
    layer, inputs = found
    assert layer.shape == (4, 5)
    assert [np.shape(value) for value in inputs] == [(3, 4), (4, 5)]


class CrossEntropy:
    def forward(self, scores: Array, labels: Array) -> Array:
        shifted = scores - scores.max(axis=1, keepdims=True)
        self.p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
        self.labels = labels
        return np.asarray(-np.log(self.p[np.arange(len(labels)), labels]).sum())

    def backward(self, upstream: Array) -> Array:
        downstream = self.p.copy()
        downstream[np.arange(len(self.labels)), self.labels] -= 1
        return np.asarray(downstream * upstream)


class Images:
    def __init__(self, channels: int, rng: Any, p: float) -> None:
        self.channels, self.p = channels, p
        rng.standard_normal()

    def forward(self, x: Array) -> Array:
        _, channels, height, width = x.shape
        if (channels, height) != (self.channels, width) or not 0 < self.p < 1:
            raise ValueError("not such images")
        return np.asarray(x * self.p)

    def backward(self, upstream: Array) -> Array:
        return np.asarray(upstream * self.p)


@pytest.mark.parametrize(("kind", "shapes"), [(CrossEntropy, [(3, 4), (3,)]), (Images, [(2, 3, 6, 6)])])
def test_labels_images_generators_and_fractions(kind: type, shapes: list[tuple[int, ...]]) -> None:
    found = guessed(kind)
    assert not isinstance(found, str)
    assert [np.shape(value) for value in found[1]] == shapes


class Choosy(Affine):
    def forward(self, x: Array, W: Array, b: Any = 0.0) -> Array:
        print("noise that nobody should see")
        raise ValueError("only on Sundays")


def test_where_nothing_fits_the_likeliest_trial_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    found = guessed(Choosy)
    assert isinstance(found, str)
    assert found.startswith("no small inputs fit (")
    assert found.endswith("tried): ValueError: only on Sundays")
    assert capsys.readouterr().out == ""


class WrongShape(Affine):
    def __init__(self) -> None:
        super().__init__(4, 5)

    def backward(self, upstream: Array) -> tuple[Array, Array]:
        dx, dW = super().backward(upstream)
        return dx, dW.T


def test_gradients_of_wrong_shapes_are_a_second_choice() -> None:
    found = guessed(WrongShape)
    assert not isinstance(found, str)
    assert [np.shape(value) for value in found[1]] == [(3, 4), (4, 5)]
