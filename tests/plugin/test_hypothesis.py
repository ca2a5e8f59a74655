"""The fixture and the marker around a Hypothesis test: no health check, no deadline, no flakiness."""

from __future__ import annotations

from .conftest import Run

HEAD = """
from hypothesis import given, settings, strategies as st

SEEDS = []
"""


def test_the_fixture_in_a_given_test(run: Run) -> None:
    result = run(
        HEAD
        + """
@settings(max_examples=10, database=None)
@given(scale=st.floats(0.5, 2.0))
def test_right(gradcheck, scale):
    SEEDS.append((gradcheck(Square(), scale * X).seed, gradcheck(Square(), X).seed))

def test_seeds():
    # Every example has the same two seeds, so that one which is repeated gives the same verdict.
    assert len(SEEDS) >= 10 and len(set(SEEDS)) == 1
    first, second = SEEDS[0]
    assert first != second

@settings(max_examples=10, database=None)
@given(scale=st.floats(0.5, 2.0))
def test_wrong(gradcheck, scale):
    gradcheck(Wrong(), scale * X)
""",
        "-v",
        plugins=("hypothesispytest",),
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*gradcheck=gradcheck,", "*scale=1.0,*"])
    result.stdout.no_fnmatch_line("*[Ff]laky*")
    result.stdout.fnmatch_lines(["test_it.py::test_right Square * pass * 6 entries, *10 examples"])


def test_a_given_test_returns_its_layer(run: Run) -> None:
    result = run(
        HEAD
        + """
@pytest.mark.gradcheck
@settings(max_examples=20, database=None)
@given(scale=st.sampled_from([1.0, 2.0]))
def test_right(scale):
    return Square(), scale * X

class Sometimes(Square):
    def backward(self, upstream):
        return (2 if self.x[0, 0] < 1 else 3) * self.x * upstream

@pytest.mark.gradcheck
@settings(max_examples=20, database=None)
@given(scale=st.sampled_from([1.0, 3.0]))
def test_wrong(scale):
    return Sometimes(), scale * X

@pytest.mark.gradcheck
@given(scale=st.just(1.0))
def test_dead(scale):
    pass
""",
        plugins=("hypothesispytest",),
    )
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*>*return Sometimes(), scale * X", "*GradientMismatch: Sometimes: *", "*scale=3.0*"])
    result.stdout.fnmatch_lines(["test_dead is marked gradcheck, but nothing was checked: *"])


def test_a_deadline_does_not_pay_for_the_import_of_the_core(run: Run) -> None:
    result = run(
        HEAD
        + """
import sys

def test_before():
    assert "pytest_gradcheck.checking" not in sys.modules

@given(scale=st.just(1.0))
def test_it(gradcheck, scale):
    pass

@given(scale=st.just(1.0))
def test_imported(gradcheck, scale):
    assert "pytest_gradcheck.checking" in sys.modules
""",
        "-p",
        "no:randomly",
        plugins=("hypothesispytest",),
        fresh=True,
    )
    result.assert_outcomes(passed=3)
