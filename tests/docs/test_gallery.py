"""The wrong layers of the examples: one for each word of a verdict, each named by that word."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest

from pytest_gradcheck.verdict import KINDS
from tests.docs.pages import ROOT

MODULES = ("test_wrong_formula", "test_wrong_place", "test_wrong_conduct")
LAYERS: dict[str, Callable[[], Any]] = {
    name.removeprefix("test_"): make
    for module in MODULES
    for name, make in vars(importlib.import_module(f"examples.wrong.{module}")).items()
    if name.startswith("test_")
}


def test_every_word_has_a_layer() -> None:
    assert set(LAYERS) == set(KINDS)


@pytest.mark.parametrize("word", LAYERS)
def test_the_word_is_the_first_cause_named(word: str) -> None:
    from pytest_gradcheck import check

    report = check(*LAYERS[word]())
    assert report.verdict == "fail"
    assert report.findings[0].kind == word, str(report)


def test_every_layer_stands_in_the_gallery() -> None:
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert [word for word in KINDS if f"\n### {word}\n" not in page] == []
    assert [word for word in KINDS if f".test_{word}()))" not in page] == []
