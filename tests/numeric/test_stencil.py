"""Stencil: moves what it should and nothing else, restores it exactly, and sums changes per output."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.domain import Domain, interval, orthogonal, positive, simplex, symmetric
from pytest_gradcheck.numeric.directions import CHUNK, Direction
from pytest_gradcheck.numeric.stencil import Block, Claim, ShapeChanged
from pytest_gradcheck.numeric.sums import rounding, slope, sums
from tests.numeric.bench import Array, Bench, normal

D = Direction(1, 2, 3)


def scattered(n: int, share: float = 0.3, seed: int = 5) -> Array:
    return np.flatnonzero(np.random.default_rng(seed).random(n) < share)


BLOCKS = {
    "all": lambda n: Block(0, (0, n)),
    "middle": lambda n: Block(0, (n // 3, 2 * n // 3)),
    "one": lambda n: Block(0, (n // 2, n // 2 + 1)),
    "scattered": lambda n: Block(0, scattered(n)),
}


@pytest.mark.parametrize("n", [6, CHUNK + 5, 3 * CHUNK])
@pytest.mark.parametrize("name", BLOCKS)
def test_exactly_the_block_moves_by_step_unit_and_direction(name: str, n: int) -> None:
    seen: list[Array] = []

    def f(x: Array) -> Any:
        seen.append(x.copy())
        return x.sum(keepdims=True)

    x = normal(n)
    bench = Bench(f, x)
    block = BLOCKS[name](n)
    del seen[:]
    bench.stencil.pair(block, D, 1e-3)
    inside = block.positions()
    unit = bench.stencil.units[0]
    for point, t in zip(seen, (1e-3, -1e-3), strict=True):
        moved = np.flatnonzero(point != x)
        assert np.array_equal(moved, inside)
        assert np.allclose((point - x)[inside], t * unit * D.at(inside), rtol=1e-9, atol=1e-16)


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("way", ["pair", "at"])
def test_everything_is_restored_to_the_last_bit(name: str, way: str) -> None:
    x = np.concatenate([normal(500), [1e300, -1e-300, 0.0, -0.0, 5e-324]])
    bench = Bench(np.tanh, x)
    block = BLOCKS[name](x.size)
    if way == "at":
        bench.stencil.at((block, D, 0.1))
    else:
        bench.stencil.pair(block, D, 0.1)
    assert bench.stencil.work[0].tobytes() == x.tobytes()
    assert bench.stencil.values[0].tobytes() == x.tobytes()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("call", [1, 2])
def test_also_when_the_layer_raises_in_the_middle(error: type[BaseException], call: int) -> None:
    left = [1 + call]

    def f(x: Array) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise error
        return np.tanh(x)

    x = normal(50)
    bench = Bench(f, x)
    with pytest.raises(BaseException):  # noqa: B017 - a layer's error is told as the layer's
        bench.stencil.pair(bench.whole(), D, 0.1)
    assert bench.stencil.work[0].tobytes() == x.tobytes()


@pytest.mark.parametrize("buffers", [0, 1])
def test_a_layer_that_writes_into_one_buffer_is_copied(buffers: int) -> None:
    """Outputs may be borrowed; where the second overwrites the first they are copied from then on."""
    x, own = normal(20), np.empty(20)

    def f(x: Array) -> Any:
        return np.tanh(x, out=own) if buffers else np.tanh(x)

    bench = Bench(f, x)
    for t in (1e-2, 1e-3):
        plus, minus = bench.stencil.pair(bench.whole(), D, t)
        step = t * bench.stencil.units[0] * D.over(0, 20)
        assert np.allclose(plus[0], np.tanh(x + step), atol=1e-15)
        assert np.allclose(minus[0], np.tanh(x - step), atol=1e-15)
    assert bench.stencil.copies == bool(buffers)
    assert np.array_equal(bench.stencil.center[0], np.tanh(x))


def test_a_layer_that_returns_its_input_is_copied_too() -> None:
    x = normal(20)
    bench = Bench(lambda x: x, x)
    plus, minus = bench.stencil.pair(bench.whole(), D, 0.1)
    assert np.allclose(plus[0] + minus[0], 2 * x)
    assert np.abs(plus[0] - minus[0]).min() > 0.01


@pytest.mark.parametrize(
    ("domain", "low", "high"),
    [(positive, 0.0, np.inf), (interval(-1, 2), -1.0, 2.0), (interval(None, 2), -np.inf, 2.0)],
    ids=repr,
)
def test_no_step_leaves_the_bounds(domain: Domain, low: float, high: float) -> None:
    seen: list[Array] = []

    def f(x: Array) -> Any:
        seen.append(x.copy())
        return x

    rng = np.random.default_rng(3)
    x = np.concatenate([rng.uniform(max(low, -50), min(high, 50), 300), max(low, -50) + np.logspace(-12, -1, 50)])
    bench = Bench(f, x, domains=[domain])
    for draw in range(20):
        bench.stencil.pair(bench.whole(), Direction(draw), 0.3)
    assert all(((s > low) & (s < high)).all() for s in seen)
    free = Bench(f, x[:300])
    del seen[:]
    free.stencil.pair(free.whole(), D, 0.3)
    assert not all(((s > low) & (s < high)).all() for s in seen), "without a domain it would have been left"


def test_entries_on_a_bound_are_edges_with_the_side_that_is_inside() -> None:
    x = np.array([0.0, 0.5, 1.0, 0.0])
    stencil = Bench(np.exp, x, domains=[interval(0, 1, ends=True)]).stencil
    assert {side: p.tolist() for side, p in stencil.edges[0].items()} == {1: [0, 3], -1: [2]}
    assert Bench(np.exp, x).stencil.edges == [{}]


STRUCTURES = {
    "symmetric": (symmetric, symmetric.settle(normal(4, 4))),
    "simplex": (simplex, simplex.settle(normal(5))),
    "orthogonal": (orthogonal, orthogonal.settle(normal(3, 3))),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_structured_argument_moves_within_its_structure(name: str) -> None:
    domain, x = STRUCTURES[name]
    seen: list[Array] = []

    def f(x: Array) -> Any:
        seen.append(x.copy())
        return np.sin(x)

    bench = Bench(f, x, domains=[domain])
    bench.stencil.pair(bench.whole(), D, 1e-3)
    assert len(seen) == 3
    assert all(domain.contains(point) for point in seen)
    assert all(np.abs(point - x).max() > 1e-5 for point in seen[1:])
    assert bench.stencil.work[0].tobytes() == x.tobytes()


@pytest.mark.parametrize("name", STRUCTURES)
def test_what_a_structure_cannot_show_is_not_declared(name: str) -> None:
    domain, x = STRUCTURES[name]
    stencil = Bench(np.sin, x, domains=[domain]).stencil
    g = normal(x.size, seed=8)
    normal_part = g - stencil.projected(0, g)
    assert np.abs(normal_part).max() > 1e-3
    assert abs(stencil.declared(Block(0, (0, x.size)), D, normal_part)) < 1e-12
    assert abs(stencil.declared(Block(0, (0, x.size)), D, g - normal_part)) > 1e-6


@pytest.mark.parametrize("n", [10, CHUNK + 3])
def test_declared_is_direction_times_gradient_in_units(n: int) -> None:
    for x in (normal(n), normal(n) * np.logspace(-6, 6, n)):
        stencil, g = Bench(np.sin, x).stencil, normal(n, seed=1)
        expected = float(np.sum(D.over(0, n) * g * stencil.units[0]))
        assert stencil.declared(Block(0, (0, n)), D, g) == pytest.approx(expected, rel=1e-10)
        index = scattered(n)
        unit = np.broadcast_to(stencil.units[0], n)
        part = float(np.sum((D.over(0, n) * g * unit)[index]))
        assert stencil.declared(Block(0, index), D, g) == pytest.approx(part, rel=1e-9)


def test_an_output_near_1e8_that_does_not_move_costs_no_digits() -> None:
    """The twin that sums first and subtracts then loses nine digits."""
    big = 1e8 * (1 + normal(1000) ** 2)
    bench = Bench(lambda x: np.concatenate([np.sin(x), big]), normal(3))
    plus, minus = bench.stencil.pair(bench.whole(), D, 1e-4)
    u = bench.claim.upstream[0]
    exact = float(np.dot(u[:3], (plus[0] - minus[0])[:3]))
    assert slope(plus, minus, bench.claim).slope == exact
    assert sums(plus, minus, bench.stencil.center, bench.claim).slope == pytest.approx(exact, rel=1e-14)
    summed_first = float(np.dot(u, plus[0])) - float(np.dot(u, minus[0]))
    assert abs(summed_first - exact) > 1e-8 * abs(exact)


@pytest.mark.parametrize("n", [5, CHUNK + 7])
def test_slope_spread_and_bend(n: int) -> None:
    plus, minus, center, u = (normal(n, seed=k) for k in range(4))
    keep: list[Array] = []
    found = sums([plus], [minus], [center], Claim([u], []), keep)
    second = plus + minus - 2 * center
    assert found.slope == pytest.approx(float(u @ (plus - minus)), rel=1e-10)
    assert found.spread == pytest.approx(float(np.linalg.norm(u * (plus - minus))))
    assert found.bend == pytest.approx(float(np.linalg.norm(u * second)))
    assert np.allclose(keep[0], u * second)
    assert found.finite


def test_masked_outputs_may_be_infinite_and_count_nothing() -> None:
    plus, minus = [np.array([1.0, np.inf])], [np.array([0.5, -np.inf])]
    masked, open_ = (Claim([np.array([2.0, 0.0])], [], masked=m) for m in (True, False))
    with np.errstate(invalid="ignore"):
        assert sums(plus, minus, [np.zeros(2)], masked).slope == 1.0
        assert slope(plus, minus, masked).slope == 1.0
        assert not sums(plus, minus, [np.zeros(2)], open_).finite
        assert rounding(plus, minus, [np.zeros(2)], masked, [1.0]) == 2.0


def test_rounding_counts_the_outputs_that_moved() -> None:
    center = [np.array([3.0, 1e8])]
    claim = Claim([np.array([2.0, 1.0])], [])
    one_moved = rounding([np.array([4.0, 1e8])], [np.array([2.0, 1e8])], center, claim, [1e-16])
    assert one_moved == pytest.approx(8e-16)
    none_moved = rounding(center, center, center, claim, [1e-16])
    assert none_moved == pytest.approx(1e-8), "where nothing moved the change may hide below the largest"


def test_another_shape_at_a_neighbouring_point_is_told() -> None:
    bench = Bench(lambda x: x[x > 0], np.array([1e-6, 1.0, 2.0]))
    with pytest.raises(ShapeChanged):
        bench.stencil.pair(Block(0, (0, 1)), Direction(1), 1.0)


@pytest.mark.parametrize("index", [(3, 10), scattered(30)], ids=["range", "scattered"])
def test_halves_and_pieces_cover_a_block_once(index: Any) -> None:
    block = Block(1, index)
    first, second = block.halves()
    assert np.array_equal(np.concatenate([first.positions(), second.positions()]), block.positions())
    assert first.size + second.size == block.size
    assert abs(first.size - second.size) <= 1
    pieces = [np.arange(30)[p] for p in block.pieces()]
    assert np.array_equal(np.concatenate(pieces), block.positions())
    assert len({b.key for b in (block, first, second)}) == 3


def test_no_piece_of_a_range_crosses_a_chunk() -> None:
    pieces: list[Any] = list(Block(0, (CHUNK - 2, 2 * CHUNK + 1)).pieces())
    assert [(p.start, p.stop) for p in pieces] == [
        (CHUNK - 2, CHUNK),
        (CHUNK, 2 * CHUNK),
        (2 * CHUNK, 2 * CHUNK + 1),
    ]
