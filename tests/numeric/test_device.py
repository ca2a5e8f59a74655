"""A stencil whose arrays live elsewhere: the same points, the same sums, and only a few numbers travel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.calls import Calls
from pytest_gradcheck.domain import Domain
from pytest_gradcheck.numeric.device import DeviceStencil
from pytest_gradcheck.numeric.directions import CHUNK, Direction, table
from pytest_gradcheck.numeric.stencil import Block, Claim, ShapeChanged, Stencil
from pytest_gradcheck.target import Argument, FunctionTarget
from tests.numeric.bench import Array, normal
from tests.numeric.places import Here, Travels

EPS = [2.0**-53, 2.0**-53]


def pair_of(f: Any, *x: Array, slices: bool = True, domains: Any = None) -> tuple[Stencil, DeviceStencil, Travels]:
    """A usual stencil around x and one on a device, and what travels to and from that."""
    target = FunctionTarget("f", tuple(Argument(f"x{i}", v) for i, v in enumerate(x)), f, lambda u: ())
    domains = domains or [None] * len(x)
    usual = Stencil(Calls(target), x, domains)
    place = Here(lambda values: target.forward(list(values)))
    place.slab, place.slices = (3 * CHUNK if slices else 1 << 60), slices
    travels = Travels(place)
    there = DeviceStencil(Calls(target), x, domains, place)
    outputs = target.forward([v.copy() for v in x])
    for stencil in (usual, there):
        stencil.take([np.array(y) for y in outputs])
    return usual, there, travels


def two(x: Array, w: Array) -> tuple[Array, Array]:
    return np.tanh(x) * w[0], (w**3).sum(keepdims=True)


def blocks_of(size: int) -> list[Block]:
    scattered = np.flatnonzero(np.random.default_rng(3).random(size) < 0.3)
    whole = Block(0, scattered)
    return [Block(0, (0, size)), Block(0, (size // 3, size // 2)), Block(0, (5, 6)), whole, whole.halves()[1]]


@pytest.mark.parametrize("slices", [True, False], ids=["slices", "masks"])
@pytest.mark.parametrize("size", [50, 5 * CHUNK + 17])
@pytest.mark.parametrize("direction", [Direction(3, 0, 1), Direction(3, one_signed=-1)], ids=["signs", "one side"])
def test_points_are_those_of_the_usual_stencil_to_the_bit(size: int, direction: Direction, slices: bool) -> None:
    x = normal(size)
    x[7] = -0.0
    usual, there, _ = pair_of(two, x, normal(4), slices=slices)
    for block in blocks_of(size):
        for mine, other in zip(usual.pair(block, direction, 1e-3), there.pair(block, direction, 1e-3), strict=True):
            assert [y.tobytes() for y in mine] == [y.tobytes() for y in other]
        both = (block, direction, 1e-3), (Block(1, (0, 4)), direction, -1e-3)
        assert [y.tobytes() for y in usual.at(*both)] == [y.tobytes() for y in there.at(*both)]
        assert there.declared(block, direction, usual.flat[0]) == pytest.approx(
            usual.declared(block, direction, usual.flat[0]), rel=1e-10
        )
    assert [y.tobytes() for y in there.outputs()] == [y.tobytes() for y in usual.outputs()], "all is as it was"


def test_entries_next_to_a_bound_move_by_their_own_units() -> None:
    x = np.abs(normal(3 * CHUNK)) + 1e-9
    usual, there, _ = pair_of(np.sqrt, x, domains=[Domain("positive", lower=0.0)])
    assert isinstance(usual.units[0], np.ndarray)
    block, direction = Block(0, (0, x.size)), Direction(1)
    for mine, other in zip(usual.pair(block, direction, 0.1), there.pair(block, direction, 0.1), strict=True):
        assert mine[0].tobytes() == other[0].tobytes()
    gradient = 0.5 / np.sqrt(x)
    one, other_one = (s.declared(block, direction, gradient) for s in (usual, there))
    assert other_one == pytest.approx(one, rel=1e-10)


@pytest.mark.parametrize("size", [50, 5 * CHUNK + 17])
@pytest.mark.parametrize("masked", [False, True])
def test_sums_are_those_of_the_usual_stencil(size: int, masked: bool) -> None:
    usual, there, travels = pair_of(two, normal(size), normal(4))
    upstream = [normal(size, seed=1), normal(1, seed=2)]
    if masked:
        upstream[0][::3] = 0.0
    claim, block, direction = Claim(upstream, [], masked=masked), Block(0, (0, size)), Direction(4)
    tallies = []
    for stencil in (usual, there):
        tally = stencil.tally(claim, EPS)
        for t in (1e-2, 5e-3):
            tally.add(*stencil.pair_moved(block, direction, t), rounded=True, kept=True)
        tally.add(*stencil.pair_moved(block, direction, 1e-3), bent=False)
        stencil.restore(block)
        tallies.append(tally)
    travels.back.clear()
    mine, other = tallies
    for a, b in zip(mine.sums, other.sums, strict=True):
        assert (b.slope, b.spread, b.bend) == pytest.approx((a.slope, a.spread, a.bend), rel=1e-9)
    assert other.once == pytest.approx(mine.once, rel=1e-12)
    assert other.fourth() == pytest.approx(mine.fourth(), rel=1e-9)
    assert len(travels.back) == 1, "the numbers of six evaluations come back together"
    assert travels.back[0] < 100


def test_what_is_masked_may_be_infinite_and_what_is_not_shows() -> None:
    usual, there, _ = pair_of(lambda x: x * 1.0, np.array([1.0, 2.0]))
    plus, minus = [np.array([1.5, np.inf])], [np.array([0.5, -np.inf])]
    for masked in (True, False):
        claim = Claim([np.array([2.0, 0.0])], [], masked=masked)
        tallies = [stencil.tally(claim, EPS[:1]) for stencil in (usual, there)]
        with np.errstate(invalid="ignore"):
            for tally in tallies:
                tally.add(plus, minus, rounded=True)
            assert [tally.sums[0].finite for tally in tallies] == [masked, masked]
        if masked:
            assert tallies[1].sums[0].slope == tallies[0].sums[0].slope == 2.0
            assert tallies[1].once == tallies[0].once


def test_sums_of_numbers_whose_squares_are_none() -> None:
    usual, there, _ = pair_of(lambda x: x * 1.0, np.array([1e200, -3e200]))
    claim, block = Claim([np.ones(2)], []), Block(0, (0, 2))
    found = []
    with np.errstate(over="ignore"):
        for stencil in (usual, there):
            tally = stencil.tally(claim, EPS[:1])
            tally.add(*stencil.pair_moved(block, Direction(2), 1e-2), rounded=True)
            stencil.restore(block)
            found.append((tally.sums[0].slope, tally.sums[0].spread, tally.once))
    assert found[1] == pytest.approx(found[0], rel=1e-12)
    assert np.isfinite(found[1]).all()


def test_where_nothing_moves_rounding_is_that_of_the_largest() -> None:
    usual, there, _ = pair_of(lambda x: np.array([3.0, 1e8]) + 0 * x.sum(), normal(5))
    claim = Claim([np.array([2.0, 1.0])], [])
    found = []
    for stencil in (usual, there):
        tally = stencil.tally(claim, EPS[:1])
        tally.add(*stencil.pair_moved(Block(0, (0, 5)), Direction(2), 1e-2), rounded=True)
        found.append(tally.once)
    assert found[0] == found[1] == 1e8 * EPS[0]


def test_entries_are_placed_and_put_back() -> None:
    usual, there, travels = pair_of(two, normal(3000), normal(4))
    at = np.array([1, 7, 2999])
    entries = [(0, at, usual.flat[0][at] + 0.5), (1, 2, 9.0)]
    travels.there.clear()
    assert there.placed(entries).tobytes() == usual.placed(entries).tobytes()
    assert max(travels.there) == 3, "only what is placed goes there"
    assert [y.tobytes() for y in there.outputs()] == [y.tobytes() for y in usual.outputs()]


def test_the_lectures_differences_come_back_together() -> None:
    usual, there, travels = pair_of(two, normal(200), normal(4))
    upstream = [normal(200, seed=1), normal(1, seed=2)]
    expected = usual.differences(0, 1e-4, upstream, range(3, 150))
    travels.back.clear()
    assert there.differences(0, 1e-4, upstream, range(3, 150)) == pytest.approx(expected, rel=1e-9)
    # The first evaluation of all is looked at once more: whether the layer writes into its inputs.
    assert travels.back == [2, 147]
    assert there.differences(0, 1e-4, upstream, range(5, 5)).size == 0


def test_a_layer_that_returns_its_buffer_or_its_input_is_noticed() -> None:
    buffer = np.empty(60)

    def into_buffer(x: Array) -> Any:
        return np.sin(x, out=buffer)

    for f in (into_buffer, lambda x: x):
        usual, there, _ = pair_of(f, normal(60))
        plus, minus = there.pair_moved(Block(0, (0, 60)), Direction(2), 1e-3)
        mine, other = usual.pair_moved(Block(0, (0, 60)), Direction(2), 1e-3)
        assert there.copies
        assert np.array_equal(plus[0], mine[0])
        assert np.array_equal(minus[0], other[0])
        assert not np.array_equal(plus[0], minus[0])
    _, there, _ = pair_of(lambda x: x, normal(60))
    assert there.differences(0, 1e-3, [np.ones(60)]) == pytest.approx(np.ones(60)), "the first entry as well"


def test_a_layer_that_writes_into_its_inputs_there_gets_copies() -> None:
    """The twin that trusts the layer goes on from what the first call left."""

    def doubling(x: Array) -> Any:
        x *= 2.0
        return x

    _, there, _ = pair_of(doubling, normal(40))
    block = Block(0, (0, 20))
    plus, minus = there.pair(block, Direction(2), 1e-3)
    assert there.writes
    assert plus[0] + minus[0] == pytest.approx(4 * there.flat[0])
    assert there.outputs()[0] == pytest.approx(2 * there.flat[0])

    _, trusting, _ = pair_of(doubling, normal(40))
    trusting._untried = False
    trusting.pair(block, Direction(2), 1e-3)
    assert trusting.outputs()[0] != pytest.approx(2 * trusting.flat[0])


def test_another_shape_at_a_neighbouring_point_is_told() -> None:
    _, there, _ = pair_of(lambda x: x[x > 0], np.array([1e-6, 1.0, 2.0]))
    with pytest.raises(ShapeChanged):
        there.pair(Block(0, (0, 1)), Direction(1), 1.0)


class Fetching(DeviceStencil):
    """A wrong twin: it adds up here."""

    def pair_moved(self, block: Block, direction: Direction, t: float) -> tuple[list[Any], list[Any]]:
        return self.pair(block, direction, t)


def largest_back(kind: type[DeviceStencil], x: Sequence[Array]) -> int:
    _, there, travels = pair_of(two, *x)
    there.__class__ = kind
    tally = there.tally(Claim([normal(x[0].size), normal(1)], []), EPS)
    tally.add(*there.pair_moved(Block(0, (0, x[0].size)), Direction(1), 1e-3))
    assert tally.sums[0].finite
    return max(travels.back)


def test_the_count_of_what_travels_sees_outputs_that_are_fetched() -> None:
    x = [normal(5000), normal(4)]
    assert largest_back(DeviceStencil, x) < 20
    assert largest_back(Fetching, x) == 5000


def test_windows_are_those_of_each_chunk() -> None:
    direction = Direction(5, 6, 7)
    at, signs = direction.windows(40)
    for chunk in range(40):
        there = signs[chunk] * table()[at[chunk] : at[chunk] + 9]
        assert there.tobytes() == direction.over(chunk * CHUNK, chunk * CHUNK + 9).tobytes()
