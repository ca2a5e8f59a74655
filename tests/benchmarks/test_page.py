"""The page about benchmarks: its tables are those of the results kept, its plots too, and its commands exist."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.util import find_spec

import pytest

from benchmarks.corpus.run import US
from benchmarks.speed.page import PAGE, TABLE, filled
from benchmarks.speed.plots import PLOTS, STATIC, drawn
from benchmarks.speed.results import kept
from benchmarks.speed.run import BESIDE
from benchmarks.speed.told import TABLES

TEXT = PAGE.read_text(encoding="utf-8")


def test_tables_are_those_of_the_results_kept() -> None:
    assert filled(TEXT, kept()) == TEXT, "run python -m benchmarks --page"


def test_a_stale_table_would_be_seen() -> None:
    results = kept()
    results.sizes[0] = replace(results.sizes[0], evaluations=12_345)
    assert filled(TEXT, results) != TEXT


def test_every_table_has_its_place_and_every_checker_its_line() -> None:
    assert sorted(TABLE.findall(TEXT)) == sorted(["versions", *TABLES])
    assert all(re.search(rf"^\| {name} \|", TEXT, re.MULTILINE) for name in BESIDE)
    results = kept()
    for rows in (results.sizes, results.caught, results.sharp, results.memory):
        assert {row.checker for row in rows} | set(results.missing) == {US, *BESIDE}


def test_commands_of_the_page_exist() -> None:
    modules = set(re.findall(r"python -m (benchmarks[\w.]*)", TEXT))
    assert modules == {"benchmarks", "benchmarks.speed.bars", "benchmarks.planted"}
    assert all(find_spec(m) for m in modules)


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is not installed")
@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_has_a_line_for_each_checker(name: str) -> None:
    names = list(dict.fromkeys(size.checker for size in kept().sizes))
    for svg in ((STATIC / f"{name}.svg").read_text(encoding="utf-8"), drawn(kept(), name)):
        assert [text for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg) if text in names] == names
    assert f"_static/{name}.svg" in TEXT
