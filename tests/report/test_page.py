"""The page and its JSON file: everything is there, nothing is asked for, and no name becomes markup."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pytest_gradcheck.pytesting.records import record_without_report
from pytest_gradcheck.report.page import document, rendered, write
from pytest_gradcheck.report.places import anchor
from tests.plugin.conftest import Run
from tests.report.extra import needs_extra

pytestmark = needs_extra

SOURCE = """
@pytest.mark.parametrize("n", range(3))
def test_right(gradcheck, n):
    gradcheck(Cube(), X + n)

def test_wrong(gradcheck):
    gradcheck(Square(), X)
    gradcheck(Wrong(), X)

def test_broken(gradcheck):
    gradcheck(Broken(), X)

@pytest.mark.xfail
def test_expected(gradcheck):
    gradcheck(Wrong(), X)
"""


TWO_OF_EACH = """
@pytest.mark.parametrize("layer", [Cube(), Cube(), Wrong(), Wrong()])
def test_it(gradcheck, layer):
    gradcheck(layer, X)
"""


class Outline(HTMLParser):
    """Tags with their attributes, and text by the id of the element around it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def page(run: Run, pytester: pytest.Pytester) -> str:
    run(SOURCE, "--gradcheck-report=out").assert_outcomes(passed=3, failed=2, xfailed=1)
    return (pytester.path / "out" / "index.html").read_text(encoding="utf-8")


def test_right_checks_do_not_take_the_place_of_wrong_ones(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_gradcheck.pytesting.watch.MOST_SHOWN", 1)
    run(TWO_OF_EACH, "--gradcheck-report=out", "--gradcheck-report-all").assert_outcomes(passed=2, failed=2)
    checks = json.loads((pytester.path / "out" / "checks.json").read_text(encoding="utf-8"))["checks"]
    shown = [check["report"]["extra"].get("exhibits") for check in checks]
    assert [bool(one and one["arguments"]) for one in shown] == [True, False, True, False]
    assert shown[1] is None
    why = "pictures: they are made of the first 1 checks that are not right"
    assert shown[3]["missing"] == [why]
    assert f"left out: {why}" in (pytester.path / "out" / "index.html").read_text(encoding="utf-8")


def test_the_page_asks_for_nothing(page: str) -> None:
    outline = Outline(page)
    asking = {"src", "srcset", "action", "formaction", "poster", "background", "data", "ping"}
    for tag, attributes in outline.tags:
        assert not asking & set(attributes), tag
        address = attributes.get("href")
        assert address is None or address.startswith(("#", "data:")), address
    assert not re.search(r"@import|url\((?!#)|https?:|//[a-z]+\.|fetch\(|XMLHttpRequest", page)
    assert "default-src 'none'" in page


def test_every_check_has_a_row_and_every_other_one_its_evidence(page: str) -> None:
    rows = re.findall(r'<div role="row" class="row (\w+)"', page)
    assert sorted(rows) == ["error", "expected", "fail", "pass", "pass", "pass", "pass"]
    sections = re.findall(r'<details class="check (\w+)"', page)
    assert sections == ["error", "fail", "expected"]
    ids = [a["id"] for _, a in Outline(page).tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = [str(a["href"])[1:] for a in Outline(page).all("a")]
    assert set(links) <= set(ids)
    assert anchor("test_it.py::test_wrong", 2) in ids


def test_the_evidence_of_a_failure(page: str) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for said in (
        "factor the declared gradient of x is 3/2 times the true one",
        "Declared against numeric", "every entry measured alone, 6 of them off the diagonal",
        "Error map", "6 entries wrong", "Error against step", "stay", "clauses of the contract kept",
        "pytest &quot;test_it.py::test_wrong&quot; --gradcheck-seed=", "pytest --gradcheck-replay=",
        "forward of Broken raised KeyError", "python", "numpy",
    ):  # fmt: skip
        assert said in text.replace('"', "&quot;").replace("&#34;", "&quot;"), said
    # Every picture says in words what it shows.
    figures = re.findall(r'<svg viewBox="[^"]*" role="img" aria-label="([^"]*)"', page)
    assert len(figures) == 6
    assert all(len(label) > 40 for label in figures)


def test_checks_that_passed_are_drawn_where_all_are_wanted(run: Run, pytester: pytest.Pytester) -> None:
    run(SOURCE, "--gradcheck-report=out", "--gradcheck-report-all")
    page = (pytester.path / "out" / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'<details class="check (\w+)"', page).count("pass") == 4
    assert page.count('role="img"') > 15


def test_the_json_file_has_the_same_content(page: str, pytester: pytest.Pytester) -> None:
    content = json.loads((pytester.path / "out" / "checks.json").read_text(encoding="utf-8"))
    assert sorted(content) == ["checks", "environment", "format", "totals", "version"]
    assert (content["format"], content["version"]) == ("pytest-gradcheck", 1)
    assert content["totals"] == {"pass": 4, "inconclusive": 0, "fail": 2, "error": 1}
    wrong = next(c for c in content["checks"] if c["nodeid"] == "test_it.py::test_wrong" and c["call"] == 2)
    assert Path(wrong["replay"]).is_file()
    (argument,) = wrong["report"]["extra"]["exhibits"]["arguments"]
    assert sorted(argument) == ["entries", "map", "name", "shape", "slopes", "sweep", "verdict"]


def test_the_message_says_where_on_the_page(run: Run) -> None:
    result = run(SOURCE, "--gradcheck-report=out")
    result.stdout.fnmatch_lines([f"E * page: out/index.html#{anchor('test_it.py::test_wrong', 2)}"])
    result.stdout.fnmatch_lines(["*gradient checks shown in */out/index.html*"])


def test_a_page_under_xdist_has_the_same_checks(run: Run, pytester: pytest.Pytester) -> None:
    run(SOURCE, "--gradcheck-report=out", "-n", "2", plugins=("xdist",), fresh=True)
    page = (pytester.path / "out" / "index.html").read_text(encoding="utf-8")
    assert len(re.findall(r'<div role="row" class="row (\w+)"', page)) == 7
    assert page.count('role="img"') == 6


def test_a_run_without_checks_has_a_page_too(run: Run, pytester: pytest.Pytester) -> None:
    run("def test_it(): pass", "--gradcheck-report=out").assert_outcomes(passed=1)
    assert "0 checks of 0 entries" in (pytester.path / "out" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--gradcheck-report="], "--gradcheck-report is '': give the path of a folder"),
        (["--gradcheck-report=test_it.py"], "--gradcheck-report is 'test_it.py': give the path of a folder"),
        (
            ["--gradcheck-report-all"],
            "--gradcheck-report-all says what is drawn on a page: give --gradcheck-report=DIR too",
        ),
    ],
)
def test_options_that_cannot_be_meant(run: Run, options: list[str], sentence: str) -> None:
    result = run("def test_it(): pass", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line] == [f"ERROR: {sentence}"]


def test_a_missing_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("jinja2", "matplotlib"):
        monkeypatch.setitem(sys.modules, name, None)
    result = run("def test_it(): pass", "--gradcheck-report=out")
    assert [line for line in result.errlines if line] == [
        "ERROR: --gradcheck-report needs jinja2 and matplotlib: install the extra, as in "
        "pip install 'pytest-gradcheck[report]'"
    ]


EVIL = (
    "</script><script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">{{ 7 * 7 }}$\\frac"
)


def hostile_records() -> list[dict[str, Any]]:
    """Records in which every string that a user can choose is hostile."""
    finding = {
        "kind": EVIL, "message": EVIL, "argument": EVIL, "indices": [[0]], "count": 30, "total": 40,
        "entries": [{"index": [0], "declared": 1.0, "numeric": "nan", "bar": 1e-9}], "evidence": [EVIL],
        "clause": EVIL, "confidence": 1.0,
    }  # fmt: skip
    argument = {
        "name": EVIL, "shape": [2], "dtype": EVIL, "size": 2, "verdict": "fail", "error": "inf", "sharpness": None,
        "absolute": None, "miss": None, "kinks": 0, "covered": 2, "note": EVIL,
    }  # fmt: skip
    h = [10.0**-k for k in range(12)]
    exhibit = {
        "name": EVIL, "shape": [2], "verdict": "fail",
        "entries": {"measured": 2, "position": [0, 1], "declared": [1.0, "nan"], "numeric": [2.0, 1.0],
                    "bar": [1e-9, "inf"], "state": ["wrong", "right"]},
        "map": {"down": 1, "across": 2, "rows": 1, "columns": 2, "states": "wr", "errors": [1.0, None], "scale": 2.0},
        "sweep": {"position": 0, "h": h, "difference": [2.0 + x for x in h], "rounding": h[::-1], "declared": 1.0,
                  "best": 2.0, "bar": 1e-9, "truncation": None},
        "slopes": [{"position": 1, "t": [-1.0, 0.0, 1.0], "change": [0.0, 0.0, 1.0], "left": 0.0, "right": 1.0,
                    "low": 0.0, "high": 1.0, "declared": -0.5}],
    }  # fmt: skip
    dot = 'digraph trace { n0 [label="</title><script>document.title=1</script>"]; n0 -> n1 [label=<<B>x</B>>]; }'
    graph = {"dot": dot, "text": EVIL, "nodes": 2, "note": EVIL}
    report = {
        "layer": EVIL, "verdict": "fail", "findings": [finding, finding], "notes": [EVIL], "arguments": [argument],
        "clauses": [{"name": EVIL, "state": "skipped", "detail": EVIL}, {"name": EVIL, "state": "kept", "detail": ""}],
        "extra": {"repeat": EVIL, "exhibits": {"arguments": [exhibit], "graph": graph, "missing": [EVIL]}},
    }  # fmt: skip
    bare = record_without_report(EVIL, 1, EVIL, "error", EVIL)
    return [{**bare, "verdict": "fail", "message": "", "replay": EVIL, "report": report}, {**bare, "call": 2}]


def test_no_name_becomes_markup(tmp_path: Path) -> None:
    environment = {EVIL: EVIL}
    page = "".join(rendered(hostile_records(), environment))
    outline = Outline(page)
    assert len(outline.all("script")) == 1
    assert outline.all("img") == []
    assert page.count("</script>") == 1
    handlers = [name for _, attributes in outline.tags for name in attributes if name.startswith("on")]
    assert handlers == []
    assert "{{ 7 * 7 }}" in page
    # Each of the many places shows the name, as text.
    assert page.count("&lt;/script&gt;&lt;script&gt;") > 20


def test_the_hostile_page_can_be_written_and_read_back(tmp_path: Path) -> None:
    records = [*hostile_records(), record_without_report("lone \ud800 surrogate", 1, "", "error", "\ud800")]
    page = write(tmp_path, records, command=EVIL, began=0.0)
    assert page.read_text(encoding="utf-8")
    assert json.loads((tmp_path / "checks.json").read_text(encoding="utf-8"))["checks"][0]["nodeid"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checks.json", "index.html"]


def test_the_document_is_sorted_and_plain() -> None:
    records = [record_without_report(f"t{i}", 1, "L", "error", "") for i in (2, 0, 1)]
    found = document(records, {"python": "3"})
    assert [check["nodeid"] for check in found["checks"]] == ["t0", "t1", "t2"]


def test_many_wrong_checks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_gradcheck.report.page.MOST_SECTIONS", 3)
    monkeypatch.setattr("pytest_gradcheck.report.views.MOST_PICTURES", 4)
    wrong = hostile_records()[0]
    page = "".join(rendered([{**wrong, "nodeid": f"t{i}"} for i in range(5)], {}))
    assert page.count('<details class="check ') == 3
    assert page.count('role="row"') == 6
    assert "The evidence of 2 more checks" in page
    assert page.count("Its pictures are left out") == 2
