"""Random state: found wherever a layer keeps it, held still between calls, and put back at the end."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.adapters.objects import ObjectTarget
from pytest_gradcheck.calls import Calls
from pytest_gradcheck.randomness import MOST_ITEMS, Frozen, sources_in
from pytest_gradcheck.target import Array
from tests.contract.trial import X, trial

MODULE_RNG = np.random.default_rng(99)


def draws_from_module(shape: tuple[int, ...]) -> Array:
    return MODULE_RNG.random(shape)


class Noisy:
    """y = x times numbers drawn by a function."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def forward(self, x: Array) -> Any:
        self.noise = self.draw(x.shape)
        return x * self.noise

    def backward(self, upstream: Array) -> Any:
        return (upstream * self.noise,)


class Slotted:
    __slots__ = ("rng",)

    def __init__(self) -> None:
        self.rng = np.random.default_rng(1)

    def __call__(self, shape: tuple[int, ...]) -> Array:
        return self.rng.random(shape)


class OnClass:
    rng = np.random.default_rng(2)

    def draw(self, shape: tuple[int, ...]) -> Array:
        return self.rng.random(shape)


def closure() -> Any:
    rng = np.random.default_rng(3)
    return lambda shape: rng.random(shape)


def default(shape: tuple[int, ...], rng: np.random.Generator = np.random.default_rng(4)) -> Array:  # noqa: B008
    return rng.random(shape)


def keyword(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.random(shape)


PLACES = {
    "the module's globals": draws_from_module,
    "a function called by a function": lambda shape: draws_from_module(shape),
    "slots": Slotted(),
    "the class": OnClass().draw,
    "a closure": closure(),
    "a default": default,
    "a partial": partial(keyword, np.random.default_rng(5)),
    "a bound method": np.random.default_rng(6).random,
    "a bit generator": partial(lambda bits, shape: np.random.Generator(bits).random(shape), np.random.PCG64(7)),
    "numpy's normal numbers": lambda shape: np.random.standard_normal(shape),
}


@pytest.mark.parametrize("place", PLACES)
def test_generators_are_found_in(place: str) -> None:
    layer = Noisy(PLACES[place])
    target = ObjectTarget(layer, (X,), {})
    with Frozen(target) as frozen:
        calls = Calls(target, frozen=frozen)
        once, twice = calls.forward([X])[0], calls.forward([X])[0]
        assert (once == twice).all()
        assert len(frozen.moving) == 1
    # Without the freezing the two differ: the test can fail.
    assert (layer.forward(X) != layer.forward(X)).any()


def test_cycles_and_large_containers_end() -> None:
    layer: dict[str, Any] = {"numbers": list(range(100_000)), "rng": np.random.default_rng(0)}
    layer["self"] = [layer]
    assert len(sources_in(layer)) == 1
    crowd = [object() for _ in range(10 * MOST_ITEMS)]
    assert sources_in([crowd, np.random.default_rng(0)])


def states() -> list[Any]:
    return [random.getstate(), np.random.get_state()[1].tolist(), np.random.get_state()[2:]]  # type: ignore[index] # the legacy state is a tuple


class Everything:
    """Draws from all there is, and raises at a call of choice."""

    def __init__(self, raises: BaseException | None = None, at: int = 0) -> None:
        self.rng, self.plain, self.old = np.random.default_rng(1), random.Random(2), np.random.RandomState(3)
        self.raises, self.left = raises, at

    def states(self) -> list[Any]:
        return [self.rng.bit_generator.state, self.plain.getstate(), self.old.get_state()[1].tolist(), *states()]  # type: ignore[index] # the legacy state is a tuple

    def forward(self, x: Array) -> Any:
        self.noise = self.rng.random() + self.plain.random() + self.old.random_sample()
        self.noise += random.random() + np.random.standard_normal()
        self.left -= 1
        if self.raises is not None and self.left < 0:
            raise self.raises
        return x * self.noise

    def backward(self, upstream: Array) -> Any:
        return (upstream * self.noise,)


@pytest.mark.parametrize("drawn", [0, 1])
def test_all_states_are_as_before_after_a_check(drawn: int) -> None:
    # One normal number drawn leaves its twin kept back, which the raw words of the state do not show.
    np.random.standard_normal(drawn)
    layer = Everything()
    before = layer.states()
    seen = trial(layer, X)
    assert not seen.findings
    assert layer.states() == before


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_all_states_are_as_before_after_an_exception(error: BaseException, at: int) -> None:
    layer = Everything(error, at)
    before = layer.states()
    x = X.copy()
    if at == 0 or isinstance(error, KeyboardInterrupt):
        with pytest.raises(BaseException, match="no" if isinstance(error, ValueError) else None):
            trial(layer, x, copy=False)
    else:
        trial(layer, x, copy=False)
    assert layer.states() == before
    assert (x == X).all()


def test_a_copy_starts_from_the_same_state() -> None:
    layer = Everything()
    target = ObjectTarget(layer, (X,), {})
    untouched = target.fresh()
    assert untouched is not None
    with Frozen(target) as frozen:
        calls = Calls(target, frozen=frozen)
        (mine,) = calls.forward([X])
        copied = calls.on(untouched)
        assert (copied.forward([X])[0] == mine).all()
        assert (copied.forward([X])[0] == mine).all()


def test_numpys_state_is_read_anew_when_it_moves() -> None:
    np.random.seed(1)
    with Frozen():
        np.random.random(3)
    first = np.random.random()
    np.random.seed(1)
    assert np.random.random() == first
    np.random.seed(2)
    with Frozen():
        np.random.random(700)
    after = np.random.random()
    np.random.seed(2)
    assert np.random.random() == after


def test_another_bit_generator_behind_numpys_functions() -> None:
    numpy_random: Any = np.random  # its stubs do not name these two
    before = numpy_random.get_bit_generator()
    try:
        numpy_random.set_bit_generator(np.random.PCG64(3))
        assert not trial(Noisy(np.random.random), X).findings
    finally:
        numpy_random.set_bit_generator(before)


def test_torch_where_it_is_loaded() -> None:
    torch = pytest.importorskip("torch", reason="needs the extra pytest-gradcheck[torch]")
    assert "torch" in sys.modules
    before = torch.get_rng_state()
    layer = Noisy(lambda shape: torch.rand(shape, dtype=torch.float64).numpy())
    assert not trial(layer, X).findings
    held = torch.Generator()
    held.manual_seed(4)
    layer = Noisy(partial(lambda rng, shape: torch.rand(shape, generator=rng, dtype=torch.float64).numpy(), held))
    assert not trial(layer, X, copy=False).findings
    assert torch.equal(torch.get_rng_state(), before)


def test_the_generator_of_each_graphics_card_is_held_still(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra pytest-gradcheck[torch]")
    cards = torch.Generator(), torch.Generator()
    for name, value in {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "default_generators": cards,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    before = [card.get_state() for card in cards]

    class Redrawn(Noisy):
        """A wrong twin: backward draws again."""

        def backward(self, upstream: Array) -> Any:
            return (upstream * self.draw(upstream.shape),)

    def draw(shape: tuple[int, ...]) -> Array:
        drawn: Array = torch.rand(shape, generator=torch.cuda.default_generators[1], dtype=torch.float64).numpy()
        return drawn

    assert not trial(Noisy(draw), X, copy=False).findings
    assert trial(Redrawn(draw), X, copy=False).findings
    assert all(torch.equal(card.get_state(), state) for card, state in zip(cards, before, strict=True))


@pytest.mark.parametrize(
    ("before", "draw", "moved"),
    [
        (lambda: None, lambda: None, False),
        (lambda: None, lambda: np.random.random(), True),
        (lambda: None, lambda: np.random.normal(), True),
        (lambda: None, lambda: np.random.randint(0, 2**32, 624, np.uint32), True),
        (lambda: None, lambda: np.random.set_state(np.random.get_state()), False),
        # The second of two normal numbers was drawn with the first, and leaves the bits where they are.
        (lambda: np.random.normal(), lambda: np.random.normal(), True),
        (lambda: np.random.normal(), lambda: None, False),
    ],
    ids=["nothing", "one", "normal", "a whole round", "put back", "the second normal", "nothing after a normal"],
)
def test_whether_numpys_global_state_has_moved(before: Callable[[], Any], draw: Callable[[], Any], moved: bool) -> None:
    np.random.seed(5)
    before()
    (source,) = [source for source in Frozen().sources() if source.name == "numpy.random"]
    state = source.read()
    draw()
    assert source.moved_from(state) is moved
    source.write(state)
    assert not source.moved_from(source.read())
