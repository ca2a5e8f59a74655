"""Who overrides whom, and what is said of a value that cannot be used."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from pytest_gradcheck.errors import InvalidInput
from pytest_gradcheck.settings import NAMES, SCALARS, Settings, cast, resolve

#: From strongest to weakest, each with an h of its own.
SOURCES: dict[str, dict[str, Any]] = {
    "call": {"h": 1e-1},
    "near marker": {"h": 1e-2},
    "far marker": {"h": 1e-3},
    "command line": {"h": 1e-5},
    "ini": {"h": 1e-6},
    "fallback": {"h": 1e-7},
}


def h_of(present: tuple[str, ...]) -> float:
    given = {name: source if name in present else {} for name, source in SOURCES.items()}
    markers = [given["near marker"], given["far marker"]]
    return resolve(given["call"], markers, given["command line"], given["ini"], given["fallback"]).h


@pytest.mark.parametrize("present", [c for n in range(7) for c in itertools.combinations(SOURCES, n)], ids=str)
def test_the_strongest_source_that_has_the_word_wins(present: tuple[str, ...]) -> None:
    expected = next((SOURCES[name]["h"] for name in SOURCES if name in present), Settings().h)
    assert h_of(present) == expected


def test_markers_are_merged_key_by_key() -> None:
    merged = resolve({}, [{"h": 1e-2}, {"h": 1e-3, "sharpness": 1e-5}])
    assert (merged.h, merged.sharpness) == (1e-2, 1e-5)


def test_a_seed_on_the_command_line_beats_all_and_nothing_else_does() -> None:
    every = {"seed": 1, "h": 1e-2}
    merged = resolve(every, [every], {"seed": 7, "h": 1e-5}, every)
    assert (merged.seed, merged.h) == (7, 1e-2)


def test_a_seed_in_the_ini_file_is_an_ordinary_setting() -> None:
    assert resolve({}, [{"seed": 3}], {}, {"seed": 4}, {"seed": 5}).seed == 3
    assert resolve({}, [], {}, {"seed": 4}, {"seed": 5}).seed == 4


def test_an_unknown_word_lists_the_known_ones() -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve({"rtol": 1e-3})
    assert str(caught.value) == f"unknown setting 'rtol': the known ones are {', '.join(NAMES)}"


def test_words_that_are_no_settings_are_left_out_where_they_may_stand() -> None:
    assert resolve({"wrt": [0], "kwargs": {}}, [{"wrt": [1], "given": {"x": "B"}, "h": 1e-2}]).h == 1e-2
    with pytest.raises(InvalidInput, match="unknown setting 'given'"):
        resolve({"given": {"x": "B"}})


def test_scalars_are_the_settings_with_one_number_or_word() -> None:
    assert dict(SCALARS) == {
        "h": float,
        "sharpness": float,
        "seed": int,
        "method": str,
        "max_evaluations": int,
        "max_seconds": float,
        "contract": str,
        "nonsmooth": str,
        "vacuous": str,
        "inconclusive": str,
        "precision": str,
        "accuracy": float,
        "batch_axis": int,
    }


@pytest.mark.parametrize(
    ("word", "text", "value"), [("h", "1e-3", 1e-3), ("seed", "12", 12), ("method", "every-entry", "every-entry")]
)
def test_text_is_cast_to_the_type_of_the_setting(word: str, text: str, value: object) -> None:
    assert cast(word, text, word) == value
    assert type(cast(word, text, word)) is type(value)


@pytest.mark.parametrize(
    ("word", "text", "sentence"),
    [
        ("h", "abc", "--OPTION is 'abc': give a number"),
        ("h", "0", "--OPTION is 0.0: give a number larger than zero"),
        ("h", "nan", "--OPTION is nan: give a number larger than zero"),
        ("seed", "1.5", "--OPTION is '1.5': give a whole number"),
        ("seed", "-1", "--OPTION is -1: give a whole number, zero or larger"),
        ("max_evaluations", "-3", "--OPTION is -3: give a number larger than zero"),
        ("contract", "some", "--OPTION is 'some': give one of 'full', 'values', 'off'"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_begins_with_the_option(word: str, text: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        cast(word, text, "--OPTION")
    assert str(caught.value) == sentence
