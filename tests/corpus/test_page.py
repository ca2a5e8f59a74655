"""The page about the corpus: its tables are those of the cases, and its commands exist."""

from __future__ import annotations

import re
from importlib.util import find_spec

from benchmarks.corpus import load
from benchmarks.corpus.page import BEGIN, PAGE, filled, thread

TEXT = PAGE.read_text(encoding="utf-8")


def test_tables_are_up_to_date() -> None:
    assert filled(TEXT) == TEXT, "run python -m benchmarks.corpus.page"


def test_a_stale_table_would_be_seen() -> None:
    assert filled(TEXT.replace("arctan-minus |", "arctan-plus |")) == TEXT
    assert TEXT.count(BEGIN) == 2


def test_every_real_bug_has_its_line_and_its_thread() -> None:
    for case in load(["real"]):
        if case.bug:
            assert f"| {case.name} |" in TEXT
            assert thread(case.origin) in TEXT


def test_threads_lead_to_issues_and_commits() -> None:
    assert thread("a/b#12") == "[a/b#12](https://github.com/a/b/issues/12)"
    assert thread("a/b@0123456789") == "[a/b@0123456789](https://github.com/a/b/commit/0123456789)"


def test_commands_of_the_page_exist() -> None:
    modules = set(re.findall(r"python -m (benchmarks[\w.]*)", TEXT))
    assert len(modules) == 6
    assert all(find_spec(m) for m in modules)


def test_numbers_of_the_page() -> None:
    real = [c for c in load(["real"]) if c.bug is None]
    assert sum(not c.name.endswith("-fixed") for c in real) == 7
    assert "66 backwards" in TEXT
    assert "and 7 right layers" in TEXT
