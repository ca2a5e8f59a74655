"""The same calls again: forward, a second backward, and random numbers, each with a right twin."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.target import Array
from tests.contract.trial import DENSE, Dense, Square, X, trial


class Dropout:
    """Drops entries by a mask from some source; a right one keeps the mask, a wrong one draws it again."""

    def __init__(self, source: str, redraw: bool) -> None:
        self.source, self.redraw = source, redraw
        self.generators = {"kept in a list": [np.random.default_rng(3)]}
        self.plain, self.old = random.Random(4), np.random.RandomState(5)

    def draw(self, shape: tuple[int, ...]) -> Array:
        if self.source == "a Generator":
            numbers = self.generators["kept in a list"][0].random(shape)
        elif self.source == "a RandomState":
            numbers = self.old.random_sample(shape)
        elif self.source == "numpy":
            numbers = np.random.random(shape)
        else:
            draw = self.plain.random if self.source == "a Random" else random.random
            numbers = np.array([draw() for _ in range(int(np.prod(shape)))]).reshape(shape)
        return np.asarray(numbers < 0.6)

    def forward(self, x: Array) -> Any:
        self.mask = self.draw(x.shape)
        return x * self.mask

    def backward(self, upstream: Array) -> Any:
        return (upstream * (self.draw(upstream.shape) if self.redraw else self.mask),)


SOURCES = ("a Generator", "a RandomState", "a Random", "numpy", "random")


@pytest.mark.parametrize("source", SOURCES)
def test_dropout_is_frozen_whatever_it_draws_from(source: str) -> None:
    seen = trial(Dropout(source, redraw=False), X)
    assert not seen.findings
    assert seen.states["repeatable"] == seen.states["backward-random"] == "kept"


@pytest.mark.parametrize("source", SOURCES)
def test_a_mask_drawn_again_in_backward(source: str) -> None:
    seen = trial(Dropout(source, redraw=True), X)
    assert seen.kinds == [("random", "x")]
    assert "called again, backward draws from" in seen.message
    assert seen.message.endswith("draw in forward and keep what was drawn")


def test_backward_that_replays_the_present_state() -> None:
    class Replaying(Dropout):
        """Backward copies the generator as it is: two backwards agree, from another state they do not."""

        def backward(self, upstream: Array) -> Any:
            twin = np.random.default_rng(0)
            twin.bit_generator.state = self.generators["kept in a list"][0].bit_generator.state
            return (upstream * (twin.random(upstream.shape) < 0.6),)

    seen = trial(Replaying("a Generator", redraw=False), X)
    assert seen.kinds == [("random", "x")]
    assert seen.states["second-backward"] == "kept"
    assert seen.states["backward-random"] == "broken"


def test_backward_with_a_generator_of_its_own_each_time() -> None:
    class Unseeded(Square):
        def backward(self, upstream: Array) -> Any:
            return (super().backward(upstream)[0] * np.random.default_rng().uniform(0.5, 1.5, upstream.shape),)

    assert trial(Unseeded(), X).kinds == [("random", "x")]


def test_a_forward_that_trembles_is_told_with_the_place() -> None:
    class Trembling(Square):
        def forward(self, x: Array) -> Any:
            return super().forward(x) + np.random.default_rng().standard_normal(x.shape)

    seen = trial(Trembling(), X)
    assert seen.kinds == [("random", None)]
    assert seen.message.startswith(
        "Trembling: each forward at the same values gives another output, though all random state known was put back, "
        "output[0, 0]:"
    )
    assert {seen.states[n] for n in ("second-backward", "linear", "other-sizes")} == {"skipped"}


def test_a_tremble_as_small_as_noise_is_a_note() -> None:
    class Noisy(Square):
        def forward(self, x: Array) -> Any:
            return super().forward(x) * (1 + 1e-12 * np.random.default_rng().standard_normal(x.shape))

    seen = trial(Noisy(), X)
    assert not seen.findings
    assert seen.further.notes[0].startswith("forward trembles by ")


def test_a_forward_that_counts_its_calls() -> None:
    class Warming(Square):
        calls = 0

        def forward(self, x: Array) -> Any:
            self.calls += 1
            return super().forward(x) * min(self.calls, 2)

    seen = trial(Warming(), X)
    assert seen.kinds == [("stale", None)]
    assert "a later forward at the same values gives another output than the first one" in seen.message


class Scaled(Square):
    """y = a x², where a is held in the layer."""

    def __init__(self) -> None:
        self.a = np.array([1.5])

    def forward(self, x: Array) -> Any:
        return self.a * super().forward(x)

    def backward(self, upstream: Array) -> Any:
        return (self.a * super().backward(upstream)[0],)


class Trained(Scaled):
    def backward(self, upstream: Array) -> Any:
        gradient = super().backward(upstream)
        self.a -= 0.1
        return gradient


class Decaying(Scaled):
    def forward(self, x: Array) -> Any:
        self.a = 0.99 * self.a
        return super().forward(x)


@pytest.mark.parametrize("layer", [Trained, Decaying])
def test_a_weight_that_calls_change(layer: Any) -> None:
    assert not trial(Scaled(), X).findings
    seen = trial(layer(), X)
    assert seen.kinds == [("mutation", None)]
    assert "a call changes a[0], which the layer held before, and the next forward gives another output" in seen.message
    # Where the layer cannot be copied there is nothing to compare its attributes with.
    assert trial(layer(), X, copy=False).kinds != [("mutation", None)]


class Adding(Dense):
    """Holds its gradients and adds to them."""

    zeroing = False

    def __init__(self) -> None:
        self.held = [0.0, 0.0, 0.0]

    def backward(self, upstream: Array) -> Any:
        if self.zeroing:
            self.held = [0.0, 0.0, 0.0]
        self.held = [h + g for h, g in zip(self.held, super().backward(upstream), strict=True)]
        return tuple(self.held)


class Zeroing(Adding):
    zeroing = True


def test_gradients_that_add_up() -> None:
    assert not trial(Zeroing(), *DENSE).findings
    seen = trial(Adding(), *DENSE)
    assert seen.kinds == [("stale", "x"), ("stale", "W"), ("stale", "b")]
    assert (
        "Adding: each backward adds to the gradients of the one before, the gradient changes at x[0, 0]:"
        in seen.message
    )


class SpendsCache(Square):
    def forward(self, x: Array) -> Any:
        self.slope = 2 * x
        return x**2

    def backward(self, upstream: Array) -> Any:
        self.slope *= upstream
        return (self.slope.copy(),)


def test_a_cache_changed_by_backward() -> None:
    seen = trial(SpendsCache(), X)
    assert seen.kinds == [("stale", "x")]
    assert "at a second backward after one forward" in seen.message
    # What follows is judged all the same, with a forward before each backward.
    assert seen.states["linear"] == seen.states["layout-strided"] == "kept"


class FreesCache(Square):
    def backward(self, upstream: Array) -> Any:
        gradient = super().backward(upstream)
        del self.x
        return gradient


def test_a_cache_freed_by_backward_is_no_breach() -> None:
    seen = trial(FreesCache(), X)
    assert not seen.findings
    assert seen.states["second-backward"] == "skipped"
    assert seen.further.notes == ("a second backward after one forward raised AttributeError",)
    assert seen.states["linear"] == seen.states["zero"] == seen.states["other-calls"] == "kept"


class Stack(Square):
    """One cache per forward, last in first out."""

    def __init__(self) -> None:
        self.stack: list[Array] = [0 * X, 0 * X]

    def forward(self, x: Array) -> Any:
        self.stack.append(x)
        return x**2

    def backward(self, upstream: Array) -> Any:
        return (2 * self.stack.pop() * upstream,)


class Queue(Stack):
    """Takes the oldest cache: that of another forward."""

    def backward(self, upstream: Array) -> Any:
        return (2 * self.stack.pop(0) * upstream,)


def test_a_second_backward_that_takes_an_earlier_cache() -> None:
    seen = trial(Stack(), X)
    assert not seen.findings
    assert seen.states["second-backward"] == "skipped"
    assert seen.further.notes == ("each forward serves one backward, a second one takes what an earlier forward left",)
    assert seen.states["linear"] == seen.states["layout-strided"] == "kept"
    assert trial(Queue(), X).kinds == [("stale", "x")]
    seen = trial(Stack(), X, skip={"second-backward": "one cache per forward"})
    assert not seen.findings
    assert seen.states["linear"] == seen.states["layout-strided"] == "kept"


def test_a_layer_that_can_be_called_once_only() -> None:
    class Once(Square):
        used = False

        def forward(self, x: Array) -> Any:
            if self.used:
                raise RuntimeError("the graph was freed")
            self.used = True
            return super().forward(x)

    seen = trial(Once(), X)
    assert seen.kinds == [("stale", None)]
    assert "forward of Once raised RuntimeError (the graph was freed)" in seen.message
