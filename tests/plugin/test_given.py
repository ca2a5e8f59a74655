"""`given=` of the marker: a real Hypothesis test, made at collection."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from .conftest import Run

HEAD = """
from hypothesis import example, given, reproduce_failure, settings
from hypothesis import strategies as st

class Affine:
    def forward(self, x, W, b):
        self.x, self.W = x, W
        return x @ W + b
    def backward(self, upstream):
        return upstream @ self.W.T, self.x.T @ upstream, upstream.sum(axis=0)

class EvenMean(Affine):
    '''Wrong for an even batch alone.'''
    def backward(self, upstream):
        dx, dW, db = super().backward(upstream)
        return dx, dW, db if len(upstream) % 2 else db / 2

class Log:
    def forward(self, x):
        if (x <= 0).any():
            raise ValueError("log of what is not positive")
        self.x = x
        return np.log(x)
    def backward(self, upstream):
        return upstream / self.x

SHAPES = {"x": "B I", "W": "I O", "b": "O"}
"""

HYPOTHESIS = ("hypothesispytest",)


def test_a_right_layer_passes_and_a_wrong_one_fails_with_lines_that_run(run: Run, pytester: pytest.Pytester) -> None:
    result = run(
        HEAD
        + """
@pytest.mark.gradcheck(given=SHAPES)
@settings(max_examples=30, database=None)
def test_right():
    return Affine()

@pytest.mark.gradcheck(given=SHAPES)
@settings(database=None)
def test_even():
    return EvenMean()
""",
        plugins=HYPOTHESIS,
    )
    result.assert_outcomes(passed=1, failed=1)
    output = result.stdout.str()
    assert "Hypothesis's smallest example (4 entries), to paste:" in output
    assert "x = np.array([[0.0], [0.0]])" in output
    result.stdout.fnmatch_lines([">*return EvenMean()", "E*GradientMismatch: Hypothesis's smallest example*"])
    result.stdout.no_fnmatch_line("*[Ff]laky*")
    lines = re.findall(r"^E    ( {4}.*|)$", output, re.MULTILINE)
    pasted = "\n".join(line.strip() for line in lines).partition("print(")
    call = pasted[1] + pasted[2].splitlines()[0]
    path = [*sys.path, str(pytester.path)]
    again = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {path!r}\n{pasted[0]}{call}"],
        capture_output=True,
        text=True,
        cwd=pytester.path,
        check=True,
    )
    assert "EvenMean: the declared backward is wrong" in again.stdout


def test_settings_examples_fixtures_parametrize_and_classes(run: Run) -> None:
    result = run(
        HEAD
        + """
COUNT = []

@pytest.fixture(scope="module")
def scale():
    return 2.0

@pytest.mark.gradcheck(given={"x": "B"})
@settings(max_examples=7, database=None)
def test_seven(scale):
    COUNT.append(scale)
    return Square()

def test_count():
    # Each example makes a layer for its first forward and a fresh one for its check; an earlier call, two more.
    assert 14 <= len(COUNT) <= 7 * 4

@pytest.mark.parametrize("kind", [Square, Cube])
class TestBoth:
    @pytest.mark.gradcheck(given={"x": "B"}, h=1e-3)
    @settings(max_examples=5, database=None)
    def test_it(self, kind):
        return kind()

@pytest.mark.gradcheck(given={"x": "B"})
@settings(max_examples=5, database=None)
@example(x=np.array([1.0, 7.5]))
def test_explicit():
    class Seven(Square):
        def backward(self, upstream):
            return (2 + (self.x == 7.5)) * self.x * upstream
    return Seven()
""",
        "-v",
        plugins=HYPOTHESIS,
    )
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["*x = np.array([[]1.0, 7.5])*"])


def test_a_failure_is_reproduced_by_its_blob(run: Run) -> None:
    source = (
        HEAD
        + """
@pytest.mark.gradcheck(given=SHAPES)
@settings(database=None, print_blob=True)
def test_even():
    return EvenMean()
"""
    )
    first = run(source, plugins=HYPOTHESIS).stdout.str()
    match = re.search(r"@reproduce_failure\((.*)\)", first)
    assert match is not None
    again = run(source.replace("def test_even", f"@reproduce_failure({match[1]})\ndef test_even"), plugins=HYPOTHESIS)
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["*x = np.array([[][[]0.0], [[]0.0]])*"])


def test_a_failure_comes_back_from_the_database(run: Run) -> None:
    # How many examples a run needs varies; with which one it begins does not: the simplest, or the one that failed.
    source = (
        HEAD
        + """
from hypothesis.database import DirectoryBasedExampleDatabase
BATCHES = []
class Watched(EvenMean):
    def forward(self, x, W, b):
        BATCHES.append(len(x))
        return super().forward(x, W, b)

# In CI Hypothesis keeps no database and draws the same examples each time, unless it is told.
@pytest.mark.gradcheck(given=SHAPES)
@settings(database=DirectoryBasedExampleDatabase("examples"), derandomize=False)
def test_even():
    return Watched()

def test_first():
    assert BATCHES[0] == {first}
"""
    )
    run(source.replace("{first}", "1"), plugins=HYPOTHESIS).assert_outcomes(failed=1, passed=1)
    run(source.replace("{first}", "2"), plugins=HYPOTHESIS).assert_outcomes(failed=1, passed=1)


def test_where_nothing_is_judged_the_test_fails(run: Run) -> None:
    result = run(
        HEAD
        + """
class Never(Square):
    def forward(self, x):
        if x.size == 0:
            raise ValueError("empty")
        return super().forward(x)

@pytest.mark.gradcheck(given={"x": "B"}, sizes={"B": 0})
@settings(max_examples=5, database=None)
def test_empty():
    return Never()

class Overflows(Square):
    def forward(self, x):
        return np.exp(1000 + x**2)

@pytest.mark.gradcheck(given={"x": "B"}, sizes={"B": 2})
@settings(max_examples=5, database=None)
def test_overflow():
    return Overflows()
""",
        plugins=HYPOTHESIS,
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines_random(
        [
            "*no example was judged: 0 judged, * discarded (most often: forward raised ValueError at a size of 0)",
            "*no example was judged: 0 judged, * discarded (most often: the output is not finite)",
        ]
    )


def test_a_forward_that_raises_at_ordinary_values_is_a_failure_unless_the_domain_excludes_them(run: Run) -> None:
    result = run(
        HEAD
        + """
@pytest.mark.gradcheck(given={"x": "B"})
@settings(max_examples=50, database=None)
def test_anywhere():
    return Log()

@pytest.mark.gradcheck(given={"values": "B"}, domain={"values": (0, None)})
@settings(max_examples=50, database=None)
def test_positive():
    return Log()
""",
        plugins=HYPOTHESIS,
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*ValueError: log of what is not positive*"])


REFUSED = [
    ("given={'x': 'B,I'}", "return Square()", "gradcheck on test_0: the shape of x is 'B,I'"),
    ("given={}", "return Square()", "give a dict of argument names and shapes"),
    ("given={'x': 'B'}, sizes={'Q': 1}", "return Square()", "sizes has 'Q', which no shape uses"),
    ("given={'x': 'B'}, domain={'z': (0, 1)}", "return Square()", "domain has 'z', which given does not declare"),
    ("given={'x': 'B'}", "pass", "test_4 returns nothing: with given= it returns a fresh layer"),
    ("given={'x': 'B'}", "return Square(), X", "returns a layer with inputs: with given= it returns the layer alone"),
]


def test_what_cannot_be_meant_fails_that_test_alone(run: Run) -> None:
    tests = [
        f"@pytest.mark.gradcheck({marker})\ndef test_{n}():\n    {body}\n"
        for n, (marker, body, _) in enumerate(REFUSED)
    ]
    result = run("\n".join([*tests, "def test_other():\n    pass\n"]), plugins=HYPOTHESIS)
    result.assert_outcomes(errors=4, failed=2, passed=1)
    for _, _, words in REFUSED:
        assert words in result.stdout.str()


def test_a_marker_that_is_not_on_the_function_is_told(run: Run) -> None:
    result = run(
        HEAD
        + """
@pytest.mark.gradcheck(given={"x": "B"})
class TestClass:
    @pytest.mark.gradcheck
    def test_it(self):
        return Square()

@pytest.mark.gradcheck(given={"x": "B"})
@given(st.integers())
def test_twice(n):
    return Square()
""",
        plugins=HYPOTHESIS,
    )
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        ["*put @pytest.mark.gradcheck(given=...) on the function itself*", "*leave out @given*"]
    )


def test_profiles_are_loaded_by_the_option_alone_and_keep_the_users_own(run: Run) -> None:
    source = (
        HEAD
        + """
from hypothesis import Verbosity
settings.register_profile("mine", verbosity=Verbosity.verbose, max_examples=9)

@pytest.mark.gradcheck(given={"x": "B"})
def test_it():
    return Square()

def test_profile():
    applied = test_it._hypothesis_internal_use_settings
    assert applied.max_examples == {count} and applied.deadline is None
"""
    )
    run(source.replace("{count}", "200"), plugins=HYPOTHESIS, fresh=True).assert_outcomes(passed=2)
    quick = run(source.replace("{count}", "25"), "--gradcheck-profile=gradcheck-quick", plugins=HYPOTHESIS, fresh=True)
    quick.assert_outcomes(passed=2)
    wrong = run(source, "--gradcheck-profile=quick", plugins=HYPOTHESIS, fresh=True)
    assert wrong.ret == pytest.ExitCode.USAGE_ERROR
    wrong.stderr.fnmatch_lines(["*--gradcheck-profile is 'quick': give one of gradcheck-quick, gradcheck-ci, *"])


def test_two_processes_share_the_tests(run: Run) -> None:
    result = run(
        HEAD
        + """
@pytest.mark.gradcheck(given=SHAPES)
@settings(max_examples=10, database=None)
def test_right():
    return Affine()

@pytest.mark.gradcheck(given=SHAPES)
@settings(database=None)
def test_even():
    return EvenMean()
""",
        "-n",
        "2",
        plugins=(*HYPOTHESIS, "xdist"),
        fresh=True,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*EvenMean: the declared backward is wrong: *b in 1 of 1 entry", "*test_even(*"])


def test_a_session_without_given_never_imports_hypothesis_through_us(run: Run) -> None:
    result = run(
        """
import sys

@pytest.mark.gradcheck
def test_it():
    return Square(), X

def test_last():
    assert "hypothesis" not in sys.modules
""",
        fresh=True,
    )
    result.assert_outcomes(passed=2)
