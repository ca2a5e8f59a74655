"""Beside pytest-xdist: the same results in one process and in two, and a worker that is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Run

MANY = """
@pytest.fixture(scope="module")
def of_module(gradcheck):
    return gradcheck(Cube(), X)

@pytest.mark.parametrize("scale", range(6))
def test_right(gradcheck, scale):
    gradcheck(Square(), X * (1 + scale))
    gradcheck(Cube(), X)

@pytest.mark.xdist_group("one")
@pytest.mark.gradcheck
def test_wrong():
    return Wrong(), X

def test_other(): pass
"""


def content(pytester: pytest.Pytester, run: Run, *options: str) -> dict[str, Any]:
    run(MANY, "--gradcheck-json=out.json", *options, plugins=("xdist",)).assert_outcomes(passed=7, failed=1)
    read: dict[str, Any] = json.loads((pytester.path / "out.json").read_text())
    for check in read["checks"]:
        # The only thing in which two runs differ.
        check["seconds"] = check["report"]["seconds"] = 0.0
    return read


@pytest.mark.parametrize("options", [["-n", "2"], ["-n", "2", "--dist", "loadgroup"]], ids=" ".join)
def test_workers_give_the_same_file_as_one_process(run: Run, pytester: pytest.Pytester, options: list[str]) -> None:
    assert content(pytester, run, *options) == content(pytester, run, "-n", "0")


def test_the_summary_of_two_workers(run: Run) -> None:
    result = run(MANY, "-n", "2", "-v", plugins=("xdist",))
    result.stdout.fnmatch_lines(
        ["test_it.py::test_right[[]0[]] Square *pass *", "test_it.py::test_right[[]0[]] #2 Cube *pass *"]
    )
    result.stdout.fnmatch_lines(["12 passed, 1 failed, 78 entries, *"])


def test_a_wrong_marker_word_under_xdist_fails_one_test(run: Run) -> None:
    source = MANY + "\n@pytest.mark.gradcheck(rtol=1)\ndef test_typo(): pass\n"
    run(source, "-n", "2", plugins=("xdist",)).assert_outcomes(passed=7, failed=1, errors=1)


def test_a_wrong_option_under_xdist_is_a_usage_error(run: Run) -> None:
    assert run(MANY, "-n", "2", "--gradcheck-h=0", plugins=("xdist",)).ret == pytest.ExitCode.USAGE_ERROR


LOST = """
import os

class Deadly(Square):
    def forward(self, x):
        os._exit(3)

def test_lost(gradcheck):
    gradcheck(Deadly(), X)

def test_dies_elsewhere():
    os._exit(3)

def test_right(gradcheck):
    gradcheck(Square(), X)
"""


def test_a_lost_worker_loses_only_its_own_check_which_is_reported(run: Run) -> None:
    result = run(LOST, "-n", "1", "-v", plugins=("xdist",))
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["test_it.py::test_lost * inconclusive  worker lost: the process died in this test, *"])
    result.stdout.fnmatch_lines(["1 passed, 1 inconclusive, 6 entries, *"])
