"""The fixture `gradcheck`: passes, fails, is seeded by the test's id, and takes settings from everywhere."""

from __future__ import annotations

import re

import pytest

from .conftest import Run


def test_a_right_layer_passes_and_the_report_comes_back(run: Run) -> None:
    result = run("""
def test_right(gradcheck):
    report = gradcheck(Square(), X)
    assert report.passed and report.entries == 6
""")
    result.assert_outcomes(passed=1)


def test_a_wrong_layer_fails_with_the_report_on_the_error(run: Run) -> None:
    result = run("""
import pytest_gradcheck

def test_wrong(gradcheck):
    gradcheck(Wrong(), X)

def test_error(gradcheck):
    with pytest.raises(pytest_gradcheck.GradientMismatch) as caught:
        gradcheck(Wrong(), X)
    assert caught.value.report.verdict == "fail"
    assert isinstance(caught.value, AssertionError)
""")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*>       gradcheck(Wrong(), X)",
            "E       pytest_gradcheck.GradientMismatch: Wrong: the declared backward is wrong: x in 6 of 6 entries",
            'E         repeat: pytest "test_it.py::test_wrong" --gradcheck-seed=*',
            "test_it.py:*: GradientMismatch",
        ]
    )
    # No frame of ours is shown: the last one is the user's call.
    result.stdout.no_fnmatch_line("*pytest_gradcheck/*.py:*")


def test_the_printed_command_repeats_the_very_same_numbers(run: Run) -> None:
    source = "def test_wrong(gradcheck):\n    gradcheck(Wrong(), X)\n"
    first = str(run(source).stdout)
    seed = re.search(r'repeat: pytest "test_it.py::test_wrong" --gradcheck-seed=(\d+)', first)
    assert seed is not None
    again = str(run(None, "test_it.py::test_wrong", f"--gradcheck-seed={seed[1]}").stdout)
    other = str(run(None, "test_it.py::test_wrong", "--gradcheck-seed=5").stdout)
    table = [line for line in first.splitlines() if "x[" in line]
    assert table
    assert all(line in again for line in table)
    assert not any(line in other for line in table)


SEEDS = """
def test_one(gradcheck):
    print("seeds", gradcheck(Square(), X).seed, gradcheck(Square(), X).seed)

@pytest.mark.parametrize("layer", [Square(), Cube()], ids=["square", "cube"])
def test_two(gradcheck, layer):
    print("seeds", gradcheck(layer, X).seed)
"""


def seeds_of(result: pytest.RunResult) -> list[str]:
    return sorted(line for line in str(result.stdout).splitlines() if line.startswith("seeds "))


def test_seeds_differ_by_test_and_call_and_are_the_same_in_every_process(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    first = seeds_of(run(SEEDS, "-rP", fresh=True))
    monkeypatch.setenv("PYTHONHASHSEED", "2")
    second = seeds_of(run(SEEDS, "-rP", fresh=True))
    assert first == second
    numbers = re.findall(r"\d{3,}", " ".join(first))
    assert len(set(numbers)) == len(numbers) == 4


def test_a_seed_does_not_depend_on_the_other_tests(run: Run) -> None:
    assert set(seeds_of(run(SEEDS, "-rP", "-k", "cube"))) < set(seeds_of(run(SEEDS, "-rP")))


def test_every_source_of_settings_is_asked_in_order(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ngradcheck_h = 1e-5\ngradcheck_sharpness = 1e-4\n")
    source = """
pytestmark = pytest.mark.gradcheck(h=2e-3, contract="values")

@pytest.fixture
def settings(monkeypatch):
    import pytest_gradcheck.checking as checking
    seen = {}
    real = checking.check
    monkeypatch.setattr(checking, "check", lambda *a, **k: seen.update(k) or real(*a, **k))
    return seen

def test_module(gradcheck, settings):
    gradcheck(Square(), X)
    assert (settings["h"], settings["sharpness"], settings["contract"]) == (2e-3, 1e-3, "values")

@pytest.mark.gradcheck(h=3e-3)
class TestClass:
    def test_class(self, gradcheck, settings):
        gradcheck(Square(), X)
        assert (settings["h"], settings["contract"]) == (3e-3, "values")

    @pytest.mark.gradcheck(h=4e-3)
    def test_nearest(self, gradcheck, settings):
        gradcheck(Square(), X)
        assert (settings["h"], settings["contract"]) == (4e-3, "values")

    def test_call(self, gradcheck, settings):
        gradcheck(Square(), X, h=5e-3)
        assert (settings["h"], settings["contract"]) == (5e-3, "values")

@pytest.mark.gradcheck(wrt=["x"])
def test_words_of_the_call(gradcheck, settings):
    gradcheck(Square(), X)
    assert settings["wrt"] == ["x"]
    gradcheck(Square(), X, wrt=[0])
    assert settings["wrt"] == [0]
"""
    run(source, "--gradcheck-sharpness=1e-3").assert_outcomes(passed=5)


def test_an_unknown_keyword_of_the_call_is_named(run: Run) -> None:
    result = run("def test_it(gradcheck):\n    gradcheck(Square(), X, rtol=1e-3)\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*pytest_gradcheck.InvalidInput: unknown setting 'rtol': the known ones are h, *"])


def test_a_layer_that_raises_shows_its_own_frame_and_none_of_ours(run: Run) -> None:
    result = run("def test_it(gradcheck):\n    gradcheck(Broken(), X)\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*raise KeyError(*", "*gradcheck(Broken(), X)", "E*"])


@pytest.mark.parametrize("inputs", ["", "X, X"])
def test_a_layer_that_cannot_be_called_so_shows_no_frame_of_ours(run: Run, inputs: str) -> None:
    class_ = "class Two(Square):\n    def forward(self, x, /):\n        return super().forward(x)\n"
    named = "class Held(Two):\n    def __init__(self):\n        self.params, self.grads = {'W': X}, {'W': X}\n"
    result = run(f"{class_}{named}def test_it(gradcheck):\n    gradcheck(Held(), {inputs})\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["TypeError: *forward() *", "*gradcheck(Held(), *", "E *LayerError: forward of Held*"])
    result.stdout.no_fnmatch_line("*pytest_gradcheck?adapters*")


def test_a_check_that_could_not_be_made_is_in_the_summary(run: Run) -> None:
    result = run("def test_it(gradcheck):\n    gradcheck(Square(), X, h=-1)\n", "-v")
    result.stdout.fnmatch_lines(["test_it.py::test_it Square  error*h is -1: give a number larger than zero"])
    result.stdout.fnmatch_lines(["1 could not be made, 0 entries, *"])


INCONCLUSIVE = """
from dataclasses import replace
import pytest_gradcheck.checking as checking

@pytest.fixture(autouse=True)
def undecided(monkeypatch):
    real = checking.check
    monkeypatch.setattr(checking, "check", lambda *a, **k: replace(real(*a, **k), verdict="inconclusive"))

def test_fixture(gradcheck):
    gradcheck(Square(), X)

@pytest.mark.gradcheck
def test_returned():
    return Square(), X
"""


@pytest.mark.parametrize(
    ("wish", "outcome"), [("fail", {"failed": 2}), ("warn", {"passed": 2, "warnings": 2}), ("skip", {"skipped": 2})]
)
def test_a_check_without_a_verdict_does_what_was_asked(run: Run, wish: str, outcome: dict[str, int]) -> None:
    result = run(INCONCLUSIVE, f"--gradcheck-inconclusive={wish}", "-rs")
    result.assert_outcomes(**outcome)
    if wish == "fail":
        result.stdout.fnmatch_lines(["E*pytest_gradcheck.GradientInconclusive: Square: no verdict: *"])
    if wish == "warn":
        result.stdout.fnmatch_lines(["*test_it.py:*: InconclusiveWarning: Square: no verdict: *"])
    if wish == "skip":
        result.stdout.fnmatch_lines(["SKIPPED [[]1[]] test_it.py:*: Square: no verdict: *"])


def test_outside_a_test_the_fixture_says_so(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
import pytest

KEPT = []

@pytest.fixture(autouse=True, scope="session")
def keep(gradcheck):
    KEPT.append(gradcheck)

def pytest_sessionfinish():
    with pytest.raises(RuntimeError, match="while no test runs: call it in a test or in a fixture"):
        KEPT[0](None)
    print("seen")
""")
    result = run("def test_it(): pass\n", "-s")
    result.stdout.fnmatch_lines(["*seen*"])


def test_the_fixture_found_by_name_while_the_test_runs(run: Run) -> None:
    result = run("def test_it(request):\n    assert request.getfixturevalue('gradcheck')(Square(), X).passed\n", "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["test_it.py::test_it Square  pass *"])
