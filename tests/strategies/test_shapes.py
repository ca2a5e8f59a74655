"""The shape notation: what it reads, what it refuses, which sizes it picks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import shapes
from pytest_gradcheck.domain import positive
from pytest_gradcheck.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "sizes", "shape"),
    [
        ("", {}, ()),
        ("B I", {"B": 2, "I": 3}, (2, 3)),
        ("3 B", {"B": 2}, (3, 2)),
        ("I 4*H", {"I": 1, "H": 2}, (1, 8)),
        ("T+1 K-1", {"T": 2, "K": 2}, (3, 1)),
        ("2*H-1", {"H": 3}, (5,)),
        ("B int<C", {"B": 4, "C": 2}, (4,)),
        ("bool", {}, ()),
        ("... I", {"I": 3}, (7, 3)),
        ("batch_size in_1", {"batch_size": 2, "in_1": 0}, (2, 0)),
        ("interval", {"interval": 2}, (2,)),
    ],
)
def test_a_shape_string_is_read(text: Any, sizes: Any, shape: Any) -> None:
    assert shapes.parse(text).shape(sizes, (7,)) == shape


@pytest.mark.parametrize("text", ["B int<C", "B int<C+1", "B int<10", "B int", "B bool"])
def test_labels_and_masks_are_told_from_numbers(text: Any) -> None:
    spec = shapes.parse(text)
    assert spec.kind in {"int", "bool"}
    assert len(spec.axes) == 1


@pytest.mark.parametrize("text", ["B,I", "B I-", "int<C B", "*H", "B ...", "4*4", "B -1", 3, None])
def test_a_word_that_is_no_axis_is_named(text: Any) -> None:
    with pytest.raises(InvalidInput, match="the shape of x is"):
        shapes.parse(text, "x")


def test_free_dimensions_get_sizes_of_their_own() -> None:
    assert shapes.solve({"x": "B I", "W": "I O", "b": "O"}) == {"x": (3, 4), "W": (4, 5), "b": (5,)}
    many = shapes.solve({"x": "A B C D E"})
    assert len(set(many["x"])) == 5


def test_declared_sizes_are_kept() -> None:
    for seed in range(50):
        got = shapes.solve({"x": "B I", "k": "K"}, {"B": 7, "I": (2, 3), "K": [1, 3]}, seed)
        assert got["x"][0] == 7
        assert got["x"][1] in (2, 3)
        assert got["k"][0] in (1, 3)


def test_sizes_that_no_axis_can_have_are_left_out() -> None:
    specs = shapes.parse_all({"x": "T-2", "y": "B int<C-1"})
    allowed = shapes.choices(specs, {"T": (0, 4), "C": (0, 3), "B": (0, 1)})
    assert allowed == {"T": (2, 3, 4), "B": (0, 1), "C": (2, 3)}


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"Q": 3}, "sizes has 'Q', which no shape uses: the dimensions are T"),
        ({"T": (3, 2)}, "sizes['T'] is (3, 2)"),
        ({"T": "3"}, "sizes['T'] is '3'"),
        ({"T": -1}, "sizes['T'] is -1"),
        ({"T": True}, "sizes['T'] is True"),
        ({"T": []}, "sizes['T'] is []"),
        ({"T": (0, 1)}, "sizes['T'] is (0, 1): its axes need at least 2"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(sizes: Any, words: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        shapes.solve({"x": "T-2"}, sizes)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("given", "arrays", "words"),
    [
        ({"x": "B I"}, {"x": np.zeros(3)}, "x has shape (3,), but given says 2 axes"),
        ({"x": "B I", "b": "I"}, {"x": np.zeros((2, 3)), "b": np.zeros(4)}, "I is 3 in x but 4 in b"),
        ({"x": "B 3"}, {"x": np.zeros((2, 4))}, "given says 3 where it has 4"),
        ({"W": "4*H"}, {"W": np.zeros(6)}, "6 is no 4*H"),
        ({"x": "B"}, {}, "no value for x"),
    ],
)
def test_arrays_that_do_not_fit_are_named(given: Any, arrays: Any, words: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        shapes.unify(given, arrays)
    assert words in str(caught.value)


def test_unify_reads_what_solve_chose() -> None:
    given = {"x": "B I", "W": "I 4*H", "y": "B int<C"}
    sizes = shapes.choose(shapes.parse_all(given), {"B": 2})
    arrays = shapes.ordinary(given, sizes={"B": 2})
    found = shapes.unify(given, arrays)
    assert found == {name: sizes[name] for name in ("B", "I", "H")}


def test_ordinary_values_follow_the_domain_the_dtype_and_the_labels() -> None:
    given = {"x": "B I", "y": "B int<C", "m": "B bool"}
    arrays = shapes.ordinary(given, sizes={"B": 50, "C": 3}, domain={"x": positive}, dtype=np.float32)
    assert arrays["x"].dtype == np.float32
    assert positive.contains(arrays["x"])
    assert set(arrays["y"]) == {0, 1, 2}
    assert arrays["m"].dtype == bool
    again = shapes.ordinary(given, sizes={"B": 50, "C": 3}, domain={"x": positive}, dtype=np.float32)
    assert all(np.array_equal(arrays[k], again[k]) for k in arrays)


def test_a_domain_for_an_unknown_argument_is_refused() -> None:
    with pytest.raises(InvalidInput, match="domain has 'z', which given does not declare: the arguments are x"):
        shapes.ordinary({"x": "B"}, domain={"z": positive})
