"""The runner on a small package: what ends the process, what raises, what is left out."""

from __future__ import annotations

import pytest

from benchmarks.real_packages import told
from benchmarks.real_packages.__main__ import parsed
from benchmarks.real_packages.base import PACKAGES, load
from benchmarks.real_packages.outcome import Row, from_plain, judged
from benchmarks.real_packages.run import Result, result

FAKE = "tests.real_packages.fake"


@pytest.fixture(scope="module")
def fake() -> Result:
    return result(FAKE)


def test_a_layer_that_ends_the_process_is_a_row_and_the_others_go_on(fake: Result) -> None:
    verdicts = {row.label: row.verdict for row in fake.rows}
    assert verdicts == {
        "Double": "pass",
        "Deadly": "crashed",
        "Triple (once right)": "pass",
        "Triple (and wrong)": "fail",
        "Raising": "raised",
    }
    assert next(row for row in fake.rows if row.name == "Deadly").message == "the process ended by signal 6"


def test_a_name_is_as_good_as_its_worst_check(fake: Result) -> None:
    assert fake.verdicts() == {"Double": "passed", "Deadly": "failed", "Triple": "failed", "Raising": "failed"}
    assert fake.counts() == {"found": 5, "checked": 4, "passed": 1, "failed": 3, "undecided": 0, "unchecked": 1}
    assert fake.counts("other") == {"found": 2, "checked": 1, "passed": 0, "failed": 1, "undecided": 0, "unchecked": 1}


def test_what_nobody_made_a_check_of_is_listed(fake: Result) -> None:
    assert fake.unchecked == {"New": "no entry in the table of this benchmark yet"}


def test_a_failure_without_a_cause_is_unexplained(fake: Result) -> None:
    assert [row.label for row in told.unexplained([fake])] == ["Deadly", "Raising"]
    text = told.text([fake])
    assert "failed     Triple (and wrong): the factor is 3 for 2" in text
    assert "failed     Deadly: UNEXPLAINED: the process ended by signal 6" in text
    assert "unchecked  New: no entry" in text


def test_a_silent_layer_is_ended() -> None:
    ended = result(FAKE, only="Double", patience=0.01)
    assert ended.missing == "said nothing for 0.01 s and was ended"


def test_a_failure_that_is_gone_is_told() -> None:
    rows = (Row("p", "A", "", "pass", theirs="wrong"), Row("p", "B", "", "fail", theirs="wrong"))
    assert Result("p", found=(("A", "layer"), ("B", "layer")), rows=rows).mended() == ["A"]


def test_a_package_that_is_not_installed_is_told() -> None:
    missing = result("tests.real_packages.nowhere")
    assert "ModuleNotFoundError" in missing.missing
    assert told.text([missing]).startswith("tests.real_packages.nowhere: not run: ModuleNotFoundError")


def test_rows_travel_as_plain_data() -> None:
    row = judged(FAKE, load(FAKE).checks()[0], seed=3)
    assert row.settings == (("contract", "values", "to have one"),)
    assert from_plain(row.to_plain()) == row


def test_words_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert parsed(["--packages", "numpy_ml,torch"]).packages == ["numpy_ml", "torch_functional", "torch_modules"]
    with pytest.raises(SystemExit):
        parsed(["--packages", "keras"])
    assert f"no package is called 'keras': the packages are {', '.join(PACKAGES)}" in capsys.readouterr().err
