"""Command line and ini file: every scalar setting, and one line for a wrong one."""

from __future__ import annotations

import pytest

from pytest_gradcheck.settings import SCALARS

from .conftest import Run

USES = "def test_it(gradcheck):\n    print('h', gradcheck(Square(), X).h)\n"


def test_every_scalar_setting_is_an_option_and_an_ini_word(run: Run) -> None:
    text = str(run(USES, "--help").stdout)
    for word in SCALARS:
        assert f"--gradcheck-{word.replace('_', '-')}=" in text
        assert f"gradcheck_{word} (" in text


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--gradcheck-h=abc", "ERROR: --gradcheck-h is 'abc': give a number"),
        ("--gradcheck-h=-1", "ERROR: --gradcheck-h is -1.0: give a number larger than zero"),
        ("--gradcheck-max-evaluations=0", "ERROR: --gradcheck-max-evaluations is 0: give a number larger than zero"),
        ("--gradcheck-method=fast", "ERROR: --gradcheck-method is 'fast': give one of 'probes', 'every-entry', *"),
        ("--gradcheck-json=.", "ERROR: --gradcheck-json is '.': give the path of a file"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_4(run: Run, option: str, sentence: str) -> None:
    result = run(USES, option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in result.stderr.lines if line.strip()]
    assert len(lines) == 1
    result.stderr.fnmatch_lines([sentence])


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("abc", "ERROR: gradcheck_h in the ini file: could not convert string to float: 'abc'"),
        ("-1", "ERROR: gradcheck_h is -1.0: give a number larger than zero"),
    ],
)
def test_a_wrong_ini_value_is_one_line_and_exit_4(
    run: Run, pytester: pytest.Pytester, value: str, sentence: str
) -> None:
    pytester.makeini(f"[pytest]\ngradcheck_h = {value}\n")
    result = run(USES)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert len([line for line in result.stderr.lines if line.strip()]) == 1
    result.stderr.fnmatch_lines([sentence])


@pytest.mark.parametrize("value", ["1e-3", "0.001"])
def test_numbers_in_native_toml(run: Run, pytester: pytest.Pytester, value: str) -> None:
    pytester.makepyprojecttoml(f"[tool.pytest]\ngradcheck_h = {value}\ngradcheck_max_evaluations = 500\n")
    result = run(USES, "-rP")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["h 0.001"])


def test_a_number_that_is_text_in_native_toml_is_a_usage_error(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml('[tool.pytest]\ngradcheck_h = "1e-3"\n')
    result = run(USES)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *'gradcheck_h' expects a float, got str: '1e-3'"])


def test_the_command_that_repeats_has_the_settings_of_the_command_line(run: Run) -> None:
    result = run("def test_it(gradcheck):\n    gradcheck(Wrong(), X)\n", "--gradcheck-h=1e-3", "--gradcheck-seed=9")
    result.stdout.fnmatch_lines(['*repeat: pytest "test_it.py::test_it" --gradcheck-h=0.001 --gradcheck-seed=9'])


def test_the_command_that_repeats_starts_from_the_directory_of_the_user(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\n")
    source = "import sys; sys.path.insert(0, '..')\nfrom layers import *\n"
    folder = pytester.mkdir("deep")
    (folder / "test_deep.py").write_text(source + "def test_it(gradcheck):\n    gradcheck(Wrong(), X)\n")
    monkeypatch.chdir(folder)
    run().stdout.fnmatch_lines(['*repeat: pytest "test_deep.py::test_it" --gradcheck-seed=*'])
