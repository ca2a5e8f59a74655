"""Directions: magnitudes from [1, 2], random signs, the same numbers however they are asked for, none used twice."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from pytest_gradcheck.numeric.directions import CHUNK, Direction, mix

N = 3 * CHUNK + 17


def test_magnitudes_fill_one_to_two() -> None:
    sizes = np.abs(Direction(1, 2, 3).over(0, N))
    assert sizes.min() >= 1.0
    assert sizes.max() <= 2.0
    counts = np.histogram(sizes, bins=10, range=(1.0, 2.0))[0]
    assert np.abs(counts - N / 10).max() < 5 * np.sqrt(N / 10), "uniform, not signs alone"


def test_signs_are_even_and_independent_of_the_neighbours() -> None:
    signs = np.sign(Direction(4, 5, 6).over(0, N))
    assert abs(signs.sum()) < 5 * np.sqrt(N)
    assert abs((signs[1:] * signs[:-1]).sum()) < 5 * np.sqrt(N)


def test_first_signs_are_even_over_draws() -> None:
    # A wrong twin: signs by parity of the draw pass the test above and fail here.
    first = np.array([np.sign(Direction(seed, 0, draw).over(0, 1)[0]) for seed in range(50) for draw in range(40)])
    assert abs(first.sum()) < 5 * np.sqrt(first.size)
    assert abs((first[1:] * first[:-1]).sum()) < 5 * np.sqrt(first.size)


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 1), (5, 9), (CHUNK - 1, CHUNK + 1), (CHUNK, 2 * CHUNK), (CHUNK - 3, 3 * CHUNK + 2), (N - 1, N)],
)
@pytest.mark.parametrize("one_signed", [0, 1, -1])
def test_ranges_windows_and_scattered_entries_agree(start: int, stop: int, one_signed: int) -> None:
    direction = Direction(7, 8, 9, one_signed=one_signed)
    whole = direction.over(0, N)
    assert np.array_equal(direction.over(start, stop), whole[start:stop])
    index = np.unique(np.random.default_rng(0).integers(start, stop, 40))
    assert np.array_equal(direction.at(index), whole[index])
    by_chunk = np.concatenate([direction.over(c * CHUNK, (c + 1) * CHUNK) for c in range(4)])[:N]
    assert np.array_equal(by_chunk, whole)


def test_no_scattered_entries_are_no_numbers() -> None:
    assert Direction(1).at(np.empty(0, np.intp)).shape == (0,)


def test_one_signed_directions_have_the_same_magnitudes() -> None:
    free = Direction(1, 2).over(0, 500)
    assert np.array_equal(Direction(1, 2, one_signed=1).over(0, 500), np.abs(free))
    assert np.array_equal(Direction(1, 2, one_signed=-1).over(0, 500), -np.abs(free))
    assert (free < 0).any(), "else the twin would be the same"


def test_the_same_key_is_the_same_direction_and_another_key_another() -> None:
    keys = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0), (-1, 0, 0), (2**60, 0, 0)]
    drawn = [Direction(*key).over(0, 64) for key in keys]
    for i, key in enumerate(keys):
        assert np.array_equal(Direction(*key).over(0, 64), drawn[i])
        for j in range(i):
            assert abs(np.corrcoef(drawn[i], drawn[j])[0, 1]) < 0.6


def test_the_draws_of_one_check_are_all_different() -> None:
    """Two draws that agree, or are opposite, would be one opinion asked for twice."""
    drawn = [np.abs(Direction(0, i, draw).over(0, 3)) for i in range(3) for draw in (*range(13), 50, *range(100, 120))]
    assert len(np.unique(drawn, axis=0)) == len(drawn)


def test_two_draws_are_the_same_no_more_often_than_the_table_is_short() -> None:
    drawn = np.abs([Direction(seed, i, draw).over(0, 3) for seed in range(10) for i in range(5) for draw in range(20)])
    repeated = len(drawn) - len(np.unique(drawn, axis=0))
    pairs = len(drawn) * (len(drawn) - 1) / 2
    assert repeated <= 3 * pairs / (1 << 16)


def test_chunks_of_a_direction_are_as_different_as_draws() -> None:
    direction = Direction(11, 12, 13)
    starts = np.abs([direction.over(c * CHUNK, c * CHUNK + 2) for c in range(1000)])
    assert len(starts) - len(np.unique(starts, axis=0)) <= 3 * 1000 * 999 / 2 / (1 << 16)


def test_equal_errors_rarely_cancel() -> None:
    """With signs alone, two equal errors cancel in both of two draws a quarter of the time; here next to never."""
    seeds, hidden, by_sign = 2000, 0, 0
    for seed in range(seeds):
        draws = [Direction(seed, 0, draw).over(3, 5) for draw in (1, 2)]
        hidden += all(abs(d.sum()) < 1e-3 for d in draws)
        by_sign += all(np.sign(d).sum() == 0 for d in draws)
    assert hidden == 0
    assert by_sign > 0.2 * seeds


def test_a_window_is_read_only_or_its_own_so_that_nobody_can_spoil_the_table() -> None:
    before = Direction(1).over(0, 100).copy()
    for key in range(20):
        window = Direction(key).over(0, CHUNK)
        if window.flags.writeable:
            window[:] = 0.0
    assert np.array_equal(Direction(1).over(0, 100), before)


def test_a_chunk_of_a_huge_direction_costs_a_chunk() -> None:
    Direction(1).over(0, 1)
    tracemalloc.start()
    Direction(1).over(10**12, 10**12 + 100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2 * CHUNK


def test_mix_is_a_hash_of_its_words_in_their_order() -> None:
    words = [(), (0,), (0, 0), (1, 2), (2, 1), (1 << 64,), (1 << 63,), (-5,)]
    hashed = [mix(*w) for w in words]
    assert hashed[1] == hashed[5], "words are taken modulo 2^64"
    assert len(set(hashed)) == len(words) - 1
    assert all(0 <= h < 1 << 64 for h in hashed)
    flips = [bin(mix(1, k) ^ mix(1, k ^ 1)).count("1") for k in range(200)]
    assert 28 < np.mean(flips) < 36, "one bit changed turns over half of the bits"


def test_windows_looked_up_together_are_those_looked_up_one_by_one() -> None:
    one_by_one, together = Direction(3, 1), Direction(3, 1)
    together.look_up(9)
    for chunk in (0, 8, 9, 40, 3):
        here = slice(chunk * CHUNK + 5, chunk * CHUNK + 90)
        assert together.over(here.start, here.stop).tobytes() == one_by_one.over(here.start, here.stop).tobytes()
