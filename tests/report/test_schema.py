"""The page about the JSON file lists every key of a run and of its exhibits, and no other."""

from __future__ import annotations

import json
import re

import pytest

from pytest_gradcheck.engine import source
from tests.docs.pages import ROOT
from tests.plugin.conftest import Run
from tests.report.extra import needs_extra

from .test_exhibits import Relu, X, seen

ENTRY = ("index", "declared", "numeric", "bar")


def listed(heading: str) -> list[str]:
    """Keys in the rows of the table that begins with a heading."""
    page = (ROOT / "docs" / "json-schema.md").read_text(encoding="utf-8")
    rows = page.split(f"\n\n| `{heading}` |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return sorted(key for row in rows for key in re.findall(r"`(\w+)`", row.split("|")[1]))


@needs_extra
def test_the_keys_of_a_whole_run_are_listed(run: Run, pytester: pytest.Pytester) -> None:
    run("def test_it(gradcheck):\n    gradcheck(Wrong(), X)\n", "--gradcheck-report=out", "-vv", "--tb=no")
    told = json.loads((pytester.path / "out" / "checks.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "json-schema.md").read_text(encoding="utf-8")
    assert [key for key in told if f"| `{key}` |" not in page] == []
    assert (told["format"], told["version"]) == ("pytest-gradcheck", 1)
    assert "This is version 1." in page
    (check,) = told["checks"]
    ci = (ROOT / "docs" / "howto" / "ci.md").read_text(encoding="utf-8")
    assert [key for key in check if f"`{key}`" not in ci] == []
    report = check["report"]
    assert sorted(report) == listed("report")
    assert {*report["findings"][0], "index", "declared", "numeric", "bar"} == {*listed("finding"), *ENTRY}
    assert sorted(report["findings"][0]["entries"][0]) == sorted(ENTRY)
    assert sorted(report["arguments"][0]) == listed("argument")
    assert sorted(report["clauses"][0]) == listed("clause")
    assert sorted(report["extra"]) == listed("extra")


def test_the_keys_of_the_exhibits_are_listed() -> None:
    exhibits = seen(Relu(-0.5), X - X[0, 0])[0].exhibits
    (argument,) = exhibits["arguments"]
    assert sorted(argument["entries"]) == listed("entries")
    assert sorted(argument["map"]) == listed("map")
    assert sorted(argument["sweep"]) == listed("sweep")
    assert sorted(argument["slopes"][0]) == listed("slopes")
    page = (ROOT / "docs" / "json-schema.md").read_text(encoding="utf-8")
    x = source(1.0, "x")
    graph = seen((x * x).named("f"))[0].exhibits["graph"]
    for key in (*exhibits, *argument, *graph):
        assert f"`{key}`" in page, key
