"""The same seed gives the same report; nothing outside the check is changed by it, however it ends."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check
from pytest_gradcheck.errors import LayerError
from tests.check.layers import Array, Dense, Unary, dense_inputs, normal, tanh


class Dropout:
    """Halves of x, drawn from numpy's global state or from a generator of its own; `wrong` ignores the mask."""

    def __init__(self, rng: Any = None, wrong: bool = False) -> None:
        self.rng, self.wrong = rng, wrong

    def forward(self, x: Array) -> Any:
        drawn = np.random.rand(*x.shape) if self.rng is None else self.rng.random(x.shape)
        self.mask = 2.0 * (drawn < 0.5)
        random.random()
        return np.tanh(x) * self.mask if self.wrong else x * self.mask

    def backward(self, upstream: Array) -> Any:
        return upstream * self.mask


class Breaking(Dense):
    """Dense whose forward or backward raises at its n-th call."""

    def __init__(self, error: BaseException, stage: str, at: int) -> None:
        super().__init__()
        self.error, self.stage, self.left = error, stage, at

    def forward(self, x: Array, W: Array, b: Array) -> Any:
        np.random.rand()
        self._count("forward")
        return super().forward(x, W, b)

    def backward(self, upstream: Array) -> list[Array]:
        self._count("backward")
        return super().backward(upstream)

    def _count(self, stage: str) -> None:
        if stage == self.stage:
            self.left -= 1
            if self.left == 0:
                raise self.error


def told(report: Any) -> dict[str, Any]:
    plain: dict[str, Any] = report.to_plain()
    del plain["seconds"]
    return plain


SUBJECTS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "right": lambda: (Dense(), *dense_inputs()),
    "wrong": lambda: (Dense(W=1e-3), *dense_inputs()),
    "kinks": lambda: (Unary(np.abs, np.sign), np.array([0.0, 1.0, -2.0, 0.0])),
    "wrong at a kink": lambda: (Unary(np.abs, lambda x: np.sign(x) + 2 * (x == 0)), np.array([0.0, 1.0, -2.0, 0.0])),
    "dropout": lambda: (Dropout(np.random.default_rng(4)), normal(30)),
    "wrong dropout": lambda: (Dropout(np.random.default_rng(4), wrong=True), normal(30)),
}


@pytest.mark.parametrize("method", ["probes", "every-entry", "complex-step"])
@pytest.mark.parametrize("name", SUBJECTS)
def test_the_same_seed_gives_the_same_report(name: str, method: str) -> None:
    layer, *inputs = SUBJECTS[name]()
    first = told(check(layer, *inputs, seed=5, method=method))
    np.random.rand(7)
    random.random()
    again, *inputs = SUBJECTS[name]()
    assert told(check(again, *inputs, seed=5, method=method)) == first
    other = told(check(SUBJECTS[name]()[0], *inputs, seed=6, method=method))
    assert other["verdict"] == first["verdict"]
    assert other != first, "another seed takes another upstream and other directions"


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_layer_that_was_checked_can_be_checked_again(name: str) -> None:
    layer, *inputs = SUBJECTS[name]()
    first = told(check(layer, *inputs))
    assert told(check(layer, *inputs)) == first


def states() -> tuple[Any, ...]:
    numpy: Any = np.random.get_state(legacy=False)
    return random.getstate(), numpy["state"]["key"].tobytes(), numpy["state"]["pos"], numpy["has_gauss"]


@pytest.mark.parametrize("name", SUBJECTS)
def test_random_states_are_put_back(name: str) -> None:
    layer, *inputs = SUBJECTS[name]()
    own = getattr(layer, "rng", None)
    before, mine = states(), own and own.bit_generator.state
    check(layer, *inputs)
    assert states() == before
    assert (own and own.bit_generator.state) == mine


def test_a_layer_that_draws_from_the_global_state_moves_it_when_called_by_hand() -> None:
    """Without this the test above could not fail."""
    before = states()
    Dropout().forward(normal(3))
    assert states() != before
    moved = states()
    assert check(Dropout(), normal(30)).passed
    assert states() == moved


ERRORS = [ValueError("wrong"), KeyboardInterrupt(), SystemExit(3)]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(
    ("stage", "at"), [("forward", 1), ("forward", 2), ("forward", 20), ("backward", 1), ("backward", 2)]
)
def test_an_error_in_the_layer_leaves_nothing_behind(error: BaseException, stage: str, at: int) -> None:
    inputs = dense_inputs()
    kept = [x.copy() for x in inputs]
    before, handling = states(), np.geterr()
    with pytest.raises((LayerError, type(error))):
        check(Breaking(error, stage, at), *inputs)
    assert states() == before
    assert np.geterr() == handling
    assert [x.tobytes() for x in inputs] == [k.tobytes() for k in kept]


@pytest.mark.parametrize("stage", ["forward", "backward"])
def test_an_interrupt_is_never_turned_into_a_verdict(stage: str) -> None:
    for at in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            check(Breaking(KeyboardInterrupt(), stage, at), *dense_inputs())


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("method", ["probes", "every-entry", "complex-step"])
@pytest.mark.parametrize("wrong", [{}, {"W": 0.1}])
def test_the_callers_arrays_are_unchanged_and_never_handed_out(
    wrong: dict[str, float], method: str, order: Any
) -> None:
    class Vandal(Dense):
        """Writes into whatever it is given."""

        def forward(self, x: Array, W: Array, b: Array) -> Any:
            y = super().forward(x.copy(), W.copy(), b.copy())
            seen.extend(map(id, (x, W, b)))
            for array in (x, W, b):
                array[...] = 7.0
            return y

        def backward(self, upstream: Array) -> list[Array]:
            gradients = super().backward(upstream.copy())
            seen.append(id(upstream))
            if upstream.flags.writeable:
                upstream[...] = 7.0
            return gradients

    seen: list[int] = []
    inputs = [np.array(x, order=order) for x in dense_inputs()]
    upstream = normal(5, 3, seed=9)
    kept = [x.copy() for x in (*inputs, upstream)]
    report = check(Vandal(**wrong), *inputs, upstream=upstream, method=method)
    assert report.verdict == "fail"
    assert "mutation" in {f.kind for f in report.findings}
    assert [x.tobytes() for x in (*inputs, upstream)] == [k.tobytes() for k in kept]
    assert not set(map(id, (*inputs, upstream))) & set(seen)


@pytest.mark.parametrize("view", ["read-only", "strided", "broadcast", "byte-swapped"])
def test_inputs_of_any_layout_are_taken(view: str) -> None:
    base = normal(6)
    x = {
        "read-only": base.copy(),
        "strided": base[::2],
        "broadcast": np.broadcast_to(base[:1], (4,)),
        "byte-swapped": base.astype(base.dtype.newbyteorder()),
    }[view]
    x.flags.writeable = False
    assert check(tanh(), x).passed
    assert check(tanh(1.001), x).verdict == "fail"


@pytest.mark.parametrize("name", SUBJECTS)
@pytest.mark.parametrize("settings", [{}, {"contract": "values"}, {"max_evaluations": 9}, {"sharpness": 1e-15}])
def test_a_report_is_json(name: str, settings: dict[str, Any]) -> None:
    layer, *inputs = SUBJECTS[name]()
    report = check(layer, *inputs, **settings)
    plain = report.to_plain()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["passed"] is report.passed
    assert plain["verdict"] == report.verdict
    assert [f["kind"] for f in plain["findings"]] == [f.kind for f in report.findings]
    assert plain["sharpness"] == report.sharpness


def test_numbers_that_json_has_not_travel_as_words() -> None:
    report = check(Unary(np.sin, lambda x: np.nan * x), normal(3))
    assert json.loads(json.dumps(report.to_plain(), allow_nan=False))["findings"][0]["kind"] == "nonfinite"
