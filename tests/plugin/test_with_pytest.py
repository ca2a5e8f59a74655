"""Each thing that pytest and its common plugins do to a test, done to a gradient check."""

from __future__ import annotations

import re
import sys

import pytest

from .conftest import Run

WRONG_AND_RIGHT = """
def test_wrong(gradcheck):
    gradcheck(Wrong(), X)

@pytest.mark.gradcheck
def test_right():
    return Square(), X

@pytest.mark.gradcheck
def test_wrong_too():
    return Wrong(), X
"""


def test_strict_xfail(run: Run) -> None:
    result = run("""
from pytest_gradcheck import GradientMismatch

@pytest.mark.xfail(raises=GradientMismatch, strict=True)
def test_fixture(gradcheck):
    gradcheck(Wrong(), X)

@pytest.mark.xfail(raises=GradientMismatch, strict=True)
@pytest.mark.gradcheck
def test_returned():
    return Wrong(), X

@pytest.mark.xfail(raises=GradientMismatch, strict=True)
def test_mended(gradcheck):
    gradcheck(Square(), X)

@pytest.mark.xfail(raises=GradientMismatch, strict=True)
def test_other_error(gradcheck):
    gradcheck(Broken(), X)

@pytest.mark.xfail(raises=GradientMismatch, strict=True)
@pytest.mark.gradcheck
def test_dead():
    pass
""")
    result.assert_outcomes(xfailed=2, failed=3)
    result.stdout.fnmatch_lines(["*XPASS(strict)*"])


def test_raises(run: Run) -> None:
    result = run("""
from pytest_gradcheck import GradientMismatch

def test_wrong(gradcheck):
    with pytest.raises(GradientMismatch, match="Wrong: the declared backward is wrong"):
        gradcheck(Wrong(), X)

def test_right(gradcheck):
    with pytest.raises(GradientMismatch):
        gradcheck(Square(), X)
""")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E*DID NOT RAISE*"])


def test_last_failed_runs_the_failed_ones(run: Run) -> None:
    run(WRONG_AND_RIGHT, "--lf").assert_outcomes(passed=1, failed=2)
    run(None, "--lf", "-v").assert_outcomes(failed=2)


def test_stepwise_stops_and_goes_on(run: Run) -> None:
    run(WRONG_AND_RIGHT, "--sw").assert_outcomes(failed=1)
    run(None, "--sw", "-k", "not test_wrong or test_wrong_too").assert_outcomes(passed=1, failed=1)


def test_exit_first(run: Run) -> None:
    run(WRONG_AND_RIGHT, "-x").assert_outcomes(failed=1)


@pytest.mark.parametrize(
    ("test", "line", "variable", "value"),
    [
        ("test_wrong", "gradcheck(Wrong(), X)", "X.shape", "(2, 3)"),
        ("test_wrong_too", "return Wrong(), X", "returned[0]", "<layers.Wrong"),
    ],
)
def test_pdb_stops_at_the_users_line(
    run: Run, pytester: pytest.Pytester, test: str, line: str, variable: str, value: str
) -> None:
    pytester.makepyfile(
        # A debugger that reads its commands from a list, as a terminal is not at hand.
        **{
            f"debugger_of_{test}": f"""
import pdb

class Debugger(pdb.Pdb):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.cmdqueue = ["p {variable}", "q"]
"""
        }
    )
    result = run(WRONG_AND_RIGHT, "-k", f"{test} and not {test}_too", "--pdb", f"--pdbcls=debugger_of_{test}:Debugger")
    result.stdout.fnmatch_lines([f"> *test_it.py(*){test}()", f"-> {line}"])
    result.stdout.fnmatch_lines([f"{value}*"])


def test_collect_only_checks_nothing(run: Run) -> None:
    result = run(WRONG_AND_RIGHT, "--collect-only", "-q")
    result.stdout.fnmatch_lines(["test_it.py::test_wrong", "test_it.py::test_right", "3 tests collected*"])
    result.stdout.no_fnmatch_line("*gradient checks*")


def test_parametrized_and_fixture_layers_and_classes(run: Run) -> None:
    result = run("""
@pytest.fixture(params=[Square, Wrong])
def layer(request):
    return request.param()

@pytest.mark.gradcheck
def test_fixture(layer):
    return layer, X

@pytest.mark.gradcheck
@pytest.mark.parametrize("kind", [Cube, Wrong])
def test_parametrized(kind):
    return kind(), X

@pytest.mark.parametrize("kind", [Cube, pytest.param(Wrong, marks=pytest.mark.gradcheck(h=1e-3))])
def test_marked_parameter(gradcheck, kind):
    gradcheck(kind(), X)

class TestClass:
    @pytest.fixture(autouse=True)
    def keep(self, gradcheck):
        self.check = gradcheck

    def test_method(self):
        self.check(Square(), X)

    @pytest.mark.gradcheck
    def test_returned(self, layer):
        return layer, X
""")
    result.assert_outcomes(passed=5, failed=4)
    result.stdout.fnmatch_lines(['*repeat: pytest "test_it.py::test_parametrized[[]Wrong[]]" --gradcheck-seed=*'])
    result.stdout.fnmatch_lines(
        ['*repeat: pytest "test_it.py::TestClass::test_returned[[]Wrong[]]" --gradcheck-seed=*']
    )


def test_subtests(run: Run) -> None:
    result = run(
        """
@pytest.mark.parametrize("scale", [1.0])
def test_it(gradcheck, subtests, scale):
    for layer in (Square(), Wrong(), Cube()):
        with subtests.test(layer=type(layer).__name__):
            gradcheck(layer, scale * X)
""",
        "-v",
    )
    result.stdout.fnmatch_lines(["*SUBFAILED*Wrong*", "E*GradientMismatch: Wrong: *"])
    result.stdout.fnmatch_lines(
        [
            "*test_it[[]1.0[]] Square * pass *",
            "*test_it[[]1.0[]] #2 Wrong * fail *",
            "*test_it[[]1.0[]] #3 Cube * pass *",
        ]
    )


def test_several_checks_in_one_test(run: Run) -> None:
    result = run(
        """
def test_it(gradcheck):
    assert gradcheck(Square(), X).seed != gradcheck(Square(), X).seed
    gradcheck(Wrong(), X)
""",
        "-v",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["test_it.py::test_it Square * pass *", "*#2 Square * pass *", "*#3 Wrong * fail *"])


def test_a_check_in_a_module_scoped_fixture(run: Run) -> None:
    source = """
@pytest.fixture(scope="module")
def layer(gradcheck):
    gradcheck({}(), X)

def test_one(layer): pass
def test_two(layer): pass
"""
    run(source.format("Square"), "-v").stdout.fnmatch_lines(["test_it.py::test_one Square * pass *", "1 passed, *"])
    result = run(source.format("Wrong"), "-v")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(['*repeat: pytest "test_it.py::test_one" --gradcheck-seed=*', "1 failed, 6 entries*"])


def test_pytest_randomly(run: Run) -> None:
    pytest.importorskip("pytest_randomly", reason="pytest-randomly is not installed: pip install pytest-gradcheck[ci]")
    source = "def test_it(gradcheck):\n    x = np.random.randn(3)\n    gradcheck(Wrong(), x)\n"
    first = str(run(source, plugins=("randomly",)).stdout)
    command = re.search(r'repeat: pytest "test_it.py::test_it" (--randomly-seed=\d+) (--gradcheck-seed=\d+)', first)
    assert command is not None
    table = [line for line in first.splitlines() if re.match(r"E +x\[", line)]
    assert table
    again = str(run(None, *command.groups(), plugins=("randomly",)).stdout)
    assert all(line in again for line in table)


def test_rerunfailures(run: Run) -> None:
    pytest.importorskip("pytest_rerunfailures", reason="pytest-rerunfailures is not installed: install the extra ci")
    result = run(
        """
TRIES = []

def test_it(gradcheck):
    gradcheck(Square(), X)
    TRIES.append(gradcheck(Square(), X).seed)
    if len(TRIES) < 3:
        gradcheck(Wrong(), X)
    # A test that is run again begins anew: the same calls have the same seeds.
    assert len(set(TRIES)) == 1
""",
        "--reruns=3",
        "-v",
        plugins=("rerunfailures",),
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*2 rerun*"])


def test_strict_markers_and_warnings_as_errors(run: Run) -> None:
    result = run(WRONG_AND_RIGHT, "--strict-markers", "-W", "error", fresh=True)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.no_fnmatch_line("*Warning*")


def test_warnings_as_errors_of_the_interpreter(run: Run, pytester: pytest.Pytester) -> None:
    run("@pytest.mark.gradcheck\ndef test_it():\n    return Square(), X\n")
    result = pytester.run(sys.executable, "-W", "error", "-m", "pytest", "-p", "gradcheck")
    result.assert_outcomes(passed=1)


def test_optimised_python(run: Run, pytester: pytest.Pytester) -> None:
    run(WRONG_AND_RIGHT)
    result = pytester.run(sys.executable, "-O", "-m", "pytest", "-p", "gradcheck")
    result.assert_outcomes(passed=1, failed=2, warnings=1)


def test_without_the_plugin_pytest_starts(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    # As it is installed, found by its entry point, and blocked by the name of that.
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
    pytester.makepyfile("def test_it(): pass\ndef test_ours(gradcheck): pass\n")
    pytester.runpytest_subprocess().assert_outcomes(passed=2)
    result = pytester.runpytest_subprocess("-p", "no:gradcheck")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*fixture 'gradcheck' not found"])
    assert pytester.runpytest_subprocess("-p", "no:gradcheck", "--gradcheck-h=1").ret == pytest.ExitCode.USAGE_ERROR
