"""The page about the JSON file lists every key of the exhibits, and no other."""

from __future__ import annotations

import re

from pytest_gradcheck.engine import source
from tests.docs.pages import ROOT

from .test_exhibits import Relu, X, seen


def listed(heading: str) -> list[str]:
    """Keys in the rows of the table that begins with a heading."""
    page = (ROOT / "docs" / "json-schema.md").read_text(encoding="utf-8")
    rows = page.split(f"\n\n| `{heading}` |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return sorted(key for row in rows for key in re.findall(r"`(\w+)`", row.split("|")[1]))


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
