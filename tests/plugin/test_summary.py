"""What a session leaves behind: the terminal summary, JUnit's properties, the JSON file."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import IO

import pytest

from pytest_gradcheck.pytesting import jsonfile

from .conftest import Run

TWO = """
def test_right(gradcheck):
    gradcheck(Square(), X)
    gradcheck(Cube(), X)

@pytest.mark.gradcheck
def test_wrong():
    return Wrong(), X
"""


def section(result: pytest.RunResult) -> list[str]:
    """The lines of our section of the summary."""
    lines = result.stdout.lines
    start = next(i for i, line in enumerate(lines) if re.fullmatch("=+ gradient checks =+", line))
    end = next(i for i, line in enumerate(lines) if i > start and line.startswith(("=", "-")))
    return lines[start + 1 : end]


def test_totals(run: Run) -> None:
    (line,) = section(run(TWO))
    assert re.fullmatch(r"2 passed, 1 failed, 18 entries, \d+ forward evaluations, [\d.]+ ms", line)


def test_one_line_per_check_with_v(run: Run) -> None:
    *lines, _ = section(run(TWO, "-v"))
    numbers = r" +\(?6 entries, error \S+ of its bar, \d+ forwards, [\d.]+ ms"
    assert re.fullmatch("test_it.py::test_right Square +pass" + numbers, lines[0])
    assert re.fullmatch("test_it.py::test_right #2 Cube +pass" + numbers, lines[1])
    assert re.fullmatch("test_it.py::test_wrong Wrong +fail" + numbers, lines[2])
    # Columns stand under one another.
    assert len({re.search("pass|fail", line).start() for line in lines}) == 1  # type: ignore[union-attr] # each line has one


def test_a_failure_that_the_test_expects_is_no_alarm(run: Run, pytester: pytest.Pytester) -> None:
    source = """
from pytest_gradcheck import GradientMismatch

@pytest.mark.xfail(raises=GradientMismatch, strict=True)
@pytest.mark.gradcheck
def test_marked():
    return Wrong(), X

def test_raises(gradcheck):
    with pytest.raises(GradientMismatch):
        gradcheck(Wrong(), X)

def test_unexpected(gradcheck):
    gradcheck(Square(), X)
    gradcheck(Wrong(), X)
"""
    *lines, totals = section(run(source, "-v", "--gradcheck-json=out.json"))
    assert [re.search("(pass|fail[a-z, ]*?)  ", line)[1] for line in lines] == [  # type: ignore[index] # each line has one
        "fail, as expected",
        "fail, as expected",
        "pass",
        "fail",
    ]
    assert totals.startswith("1 passed, 2 failed as expected, 1 failed, 24 entries, ")
    checks = json.loads((pytester.path / "out.json").read_text())["checks"]
    assert [check["expected"] for check in checks] == [True, True, False, False]


def test_silent_where_nothing_was_checked(run: Run) -> None:
    for options in ([], ["-v"], ["-vv", "-rA"]):
        run("def test_it(): pass\n", *options).stdout.no_fnmatch_line("*gradient checks*")


def test_silent_where_the_fixture_was_not_called(run: Run) -> None:
    run("def test_it(gradcheck): pass\n", "-v").stdout.no_fnmatch_line("*gradient checks*")


def test_no_colour_but_the_reporters_own(run: Run) -> None:
    assert "\x1b" not in str(run(TWO, "-v", "--color=no").stdout)
    coloured = str(run(TWO, "-v", "--color=yes").stdout)
    assert "\x1b[32mpass" in coloured
    assert "\x1b[31mfail" in coloured


def test_a_long_name_is_cut_in_the_middle(run: Run) -> None:
    name = "test_" + "a" * 200
    lines = section(run(f"def {name}(gradcheck):\n    gradcheck(Square(), X)\n", "-v"))
    assert lines[0].startswith("test_it.py::test_aaa")
    assert "...aaa" in lines[0]
    assert len(lines[0]) < 140


def properties(path: Path) -> dict[str, dict[str, str]]:
    """Properties by test, as JUnit's file has them."""
    cases = ET.parse(path).getroot().iter("testcase")
    return {str(c.get("name")): {str(p.get("name")): str(p.get("value")) for p in c.iter("property")} for c in cases}


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "two workers"])
def test_junit_properties_arrive(run: Run, pytester: pytest.Pytester, workers: list[str]) -> None:
    run(TWO, "--junitxml=out.xml", *workers, plugins=("xdist",))
    found = properties(pytester.path / "out.xml")
    assert set(found) == {"test_right", "test_wrong"}
    assert len(found["test_right"]) == 2 * len(found["test_wrong"]) == 14
    assert found["test_right"]["gradcheck.2.layer"] == "Cube"
    assert found["test_right"]["gradcheck.1.verdict"] == "pass"
    assert found["test_wrong"]["gradcheck.1.verdict"] == "fail"
    assert found["test_wrong"]["gradcheck.1.entries"] == "6"


def test_the_json_file(run: Run, pytester: pytest.Pytester) -> None:
    result = run(TWO, "--gradcheck-json=deep/out.json")
    result.stdout.fnmatch_lines(["*gradient checks written to *deep?out.json*"])
    content = json.loads((pytester.path / "deep" / "out.json").read_text())
    assert (content["format"], content["version"]) == ("pytest-gradcheck", jsonfile.VERSION)
    assert content["totals"] == {"pass": 2, "inconclusive": 0, "fail": 1, "error": 0}
    assert [(c["nodeid"], c["call"], c["layer"], c["verdict"]) for c in content["checks"]] == [
        ("test_it.py::test_right", 1, "Square", "pass"),
        ("test_it.py::test_right", 2, "Cube", "pass"),
        ("test_it.py::test_wrong", 1, "Wrong", "fail"),
    ]
    for check in content["checks"]:
        assert check["report"]["passed"] is (check["verdict"] == "pass")
    assert content["checks"][2]["report"]["findings"]
    assert [path.name for path in (pytester.path / "deep").iterdir()] == ["out.json"]


def test_the_json_file_of_a_session_without_checks(run: Run, pytester: pytest.Pytester) -> None:
    run("def test_it(): pass\n", "--gradcheck-json=out.json")
    assert json.loads((pytester.path / "out.json").read_text())["checks"] == []


def test_the_json_file_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")

    def half(content: object, file: IO[str], **_: object) -> None:
        file.write('{"checks": [')
        raise OSError("disk full")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="disk full"):
        patched.setattr(json, "dump", half)
        jsonfile.write(path, {"checks": []})
    assert path.read_text() == "old"
    jsonfile.write(path, {"checks": []})
    assert json.loads(path.read_text()) == {"checks": []}
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


def test_numbers_that_json_does_not_have_are_words(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    jsonfile.write(path, {"checks": [{"largest_error": float("inf")}, {"largest_error": float("nan")}]})
    assert [check["largest_error"] for check in json.loads(path.read_text())["checks"]] == ["inf", "nan"]


def test_a_file_that_cannot_be_written_fails_the_run_with_a_sentence(run: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / "file").write_text("not a folder")
    result = run("def test_it(): pass\n", "--gradcheck-json=file/out.json")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*--gradcheck-json: *out.json could not be written: *"])


def test_another_plugin_that_runs_the_tests_takes_no_summary_away(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(session):
            for item in session.items:
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            return True
        """
    )
    (line,) = section(run(TWO))
    assert line.startswith("2 passed, 1 failed, 18 entries")
