"""The search for a wrong gradient that passes: it plants what it says, repeats, and would tell what passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.corpus.base import Array, Case
from benchmarks.planted import __main__ as command
from benchmarks.planted import planting as module
from benchmarks.planted.inputs import CHANGES, changed
from benchmarks.planted.layer import Error, Planted
from benchmarks.planted.planting import Planting, planting
from pytest_gradcheck import Report, check


class Product:
    """Right: the sines of one array times another. It declares gradients that are not contiguous."""

    def forward(self, x: Array, w: Array) -> Array:
        self.x, self.w = x, w
        return np.asarray(np.sin(x) * w)

    def backward(self, upstream: Array) -> tuple[Array, Array]:
        gradients = upstream * np.cos(self.x) * self.w, upstream * np.sin(self.x)
        return np.asfortranarray(gradients[0]), np.asfortranarray(gradients[1])


def case(name: str = "product", make: Callable[[], Any] = Product, **more: Any) -> Case:
    return Case(
        name, "made", None, make, lambda rng: (rng.standard_normal((3, 4)), rng.standard_normal((3, 4))), **more
    )


@pytest.fixture
def product(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search draws nothing but the product."""
    monkeypatch.setattr(module, "right_cases", lambda: (case(),))
    monkeypatch.setattr(command, "right_cases", lambda: (case(),))


def made(number: int) -> Planting:
    one = planting(0, number)
    assert isinstance(one, Planting)
    return one


@pytest.mark.parametrize("argument", [0, 1])
def test_exactly_one_entry_of_one_gradient_is_changed(argument: int) -> None:
    x, w, upstream = np.random.default_rng(0).standard_normal((3, 3, 4))
    right, wrong = Planted(Product()), Planted(Product(), Error(argument, 7, 0.25))
    assert np.array_equal(right.forward(x, w), wrong.forward(x, w))
    ratios = [b / a for a, b in zip(right.backward(upstream), wrong.backward(upstream), strict=True)]
    assert ratios[argument][1, 3] == pytest.approx(1.25)
    ratios[argument][1, 3] = 1.0
    assert all((ratio == 1.0).all() for ratio in ratios)


def test_one_gradient_that_is_no_tuple_stays_one() -> None:
    class Sine:
        def forward(self, x: Array) -> Array:
            self.x = x
            return np.asarray(np.sin(x))

        def backward(self, upstream: Array) -> Array:
            return np.asarray(upstream * np.cos(self.x))

    layer = Planted(Sine(), Error(0, 0, 1.0))
    layer.forward(np.zeros(()))
    assert layer.backward(np.ones(())) == 2.0


@pytest.mark.usefixtures("product")
def test_planted_errors_are_found_where_they_are() -> None:
    for number in range(6):
        one = made(number)
        assert (one.right.verdict, one.wrong.verdict) == ("pass", "fail"), str(one)
        finding = one.wrong.findings[0]
        assert finding.argument == one.right.arguments[one.error.argument].name
        assert finding.indices == (divmod(one.error.entry, 4),)


@pytest.mark.usefixtures("product")
def test_a_number_says_the_same_again_whatever_came_before() -> None:
    before = [str(made(number)) for number in (4, 5)]
    assert [str(made(number)) for number in (5, 4)] == before[::-1]
    assert before[0].startswith("--seed 0 --number 4: product, inputs ")
    assert len(set(before)) == 2


def blind(layer: Planted, *inputs: Array, **settings: Any) -> Report:
    """A check that sees no error that is planted."""
    return check(Planted(layer.layer), *inputs, **settings)


@pytest.mark.usefixtures("product")
def test_what_passes_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--number", "3", "--strict"]) == 0
    assert "1 planted, 1 failed (found), 0 inconclusive, 0 passed among" in capsys.readouterr().out
    monkeypatch.setattr(module, "check", blind)
    assert command.main(["--number", "3"]) == 0
    assert command.main(["--number", "3", "--strict"]) == 1
    said = capsys.readouterr().out
    assert f"PASSED {made(3)}\n" in said
    assert said.count("Planted: the declared backward is right") == 4, "both reports of both runs"
    assert "1 planted, 0 failed (found), 0 inconclusive, 0 passed among" in said
    assert said.endswith(" to tell, 1 PASSED\n")


@pytest.mark.usefixtures("product")
def test_what_passes_where_the_report_says_that_it_cannot_tell_is_counted_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def modest(layer: Planted, *inputs: Array, **settings: Any) -> Report:
        return replace(blind(layer, *inputs, **settings), notes=(f"3 entries of input0 {module.SMALL}",))

    monkeypatch.setattr(module, "check", modest)
    assert command.main(["--number", "3", "--strict"]) == 0
    said = capsys.readouterr().out
    assert f"passed {made(3)}\n" in said
    assert said.endswith(" 1 passed among entries said to be too small to tell, 0 PASSED\n")


def test_layers_of_which_nothing_can_be_asked_are_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Several(Product):
        def forward(self, x: Array, w: Array) -> Any:
            return super().forward(x, w), x.sum()

        def backward(self, *upstream: Any) -> Any:
            first, second = upstream[0] if len(upstream) == 1 else upstream
            gradients = super().backward(first)
            return gradients[0] + second, gradients[1]

    class Raising(Product):
        def forward(self, x: Array, w: Array) -> Array:
            raise ValueError("no")

    class Wrong(Product):
        def backward(self, upstream: Array) -> tuple[Array, Array]:
            return super().backward(2 * upstream)

    cases = [
        (case("my-dropout"), "draws at random"),
        (case(make=object), "has no forward and backward of its own"),
        (case(make=Raising), "check of the right layer raised LayerError"),
        (case(make=Wrong), "right layer: fail"),
        (case(make=Several), "has several outputs"),
    ]
    for one, reason in cases:
        monkeypatch.setattr(module, "right_cases", lambda one=one: (one,))
        assert planting(0, 1) == reason
        command.told([planting(0, 1)] * 2)
        said = capsys.readouterr().out
        assert f"2 not planted: {reason}\n0 planted, 0 failed (found), 0 inconclusive, 0 passed" in said


def test_inputs_keep_their_form_and_structure() -> None:
    def draw(rng: np.random.Generator) -> tuple[Array, ...]:
        return rng.standard_normal((2, 3)).astype(np.float32), np.arange(3), np.array(rng.standard_normal())

    free = Case("some", "made", None, Product, draw)
    held = Case("some", "made", None, Product, draw, settings={"domain": {}})
    words = set()
    for seed in range(40):
        word, inputs = changed(free, np.random.default_rng(seed))
        words.add(word)
        assert [(x.dtype, x.shape) for x in inputs] == [
            ("float32", (2, 3)),
            (np.arange(3).dtype, (3,)),
            ("float64", ()),
        ]
        assert np.array_equal(inputs[1], np.arange(3))
        assert changed(held, np.random.default_rng(seed))[0] == "as drawn"
    assert words == set(CHANGES)


def test_numbers_end_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(command, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    asked = list(command.numbers_of(0, "softmax", 60.0))
    assert asked
    assert max(asked) < 60
    assert all("softmax" in module.drawn(0, number)[0].name for number in asked)


def test_two_processes_answer_in_the_order_of_the_numbers() -> None:
    assert list(command.outcomes(range(40), str, jobs=2)) == [str(number) for number in range(40)]


def test_a_name_that_no_layer_has_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--only", "no such layer"])
    assert "no right layer of the corpus has a name that matches 'no such layer'" in capsys.readouterr().err
