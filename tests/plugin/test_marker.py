"""The marker: settings, or a returned layer; and never a test that is marked and checks nothing."""

from __future__ import annotations

import pytest

from .conftest import Run


def test_a_returned_layer_is_checked(run: Run) -> None:
    result = run("""
@pytest.mark.gradcheck
def test_right():
    return Square(), X

@pytest.mark.gradcheck
def test_wrong():
    layer = Wrong()
    return layer, X
""")
    result.assert_outcomes(passed=1, failed=1)
    # The message stands at the test's own last line, with its source.
    result.stdout.fnmatch_lines(
        [
            "    def test_wrong():",
            "        layer = Wrong()",
            ">       return layer, X",
            "E       pytest_gradcheck.GradientMismatch: Wrong: the declared backward is wrong: x in 6 of 6 entries",
            "test_it.py:12: GradientMismatch",
        ],
        consecutive=False,
    )
    result.stdout.no_fnmatch_line("*ReturnNotNone*")


def test_a_list_is_as_good_as_a_tuple(run: Run) -> None:
    result = run("""
@pytest.mark.gradcheck
def test_right():
    return [Square(), X]

@pytest.mark.gradcheck
def test_wrong():
    return [Wrong(), X]
""")
    result.assert_outcomes(passed=1, failed=1)


def test_the_message_stands_at_the_last_line_of_a_short_test_and_of_a_method(run: Run) -> None:
    result = run("""
@pytest.mark.gradcheck
def test_one_line(): return Wrong(), X

class TestMethods:
    @pytest.mark.gradcheck
    def test_method(self):
        return Wrong(), X
""")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["test_it.py:6: GradientMismatch", "test_it.py:11: GradientMismatch"])


def test_settings_of_the_marker_reach_the_check_of_a_returned_layer(run: Run) -> None:
    result = run("""
@pytest.mark.gradcheck(h=3e-3, wrt=["x"])
def test_it(monkeypatch):
    import pytest_gradcheck.checking as checking
    real = checking.check
    def seen(*args, **keywords):
        assert keywords["h"] == 3e-3 and keywords["wrt"] == ["x"]
        return real(*args, **keywords)
    monkeypatch.setattr(checking, "check", seen)
    return Square(), X
""")
    # The fixture is still in place when the value is checked: the check is part of the call.
    result.assert_outcomes(passed=1)


DEAD = "{} is marked gradcheck, but nothing was checked: return layer, inputs or call gradcheck"


@pytest.mark.parametrize("body", ["pass", "Square().forward(X)", "return None"])
def test_a_marked_test_that_checks_nothing_fails(run: Run, body: str) -> None:
    result = run(f"@pytest.mark.gradcheck\ndef test_dead():\n    {body}\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([DEAD.format("test_dead")])


def test_a_marked_test_that_asks_for_the_fixture_and_forgets_to_call_it_fails(run: Run) -> None:
    result = run("@pytest.mark.gradcheck\ndef test_dead(gradcheck):\n    gradcheck\n")
    result.assert_outcomes(failed=1)


def test_a_marked_test_that_calls_the_fixture_or_whose_fixture_does_is_alive(run: Run) -> None:
    result = run("""
@pytest.fixture
def checked(gradcheck):
    return gradcheck(Square(), X)

@pytest.mark.gradcheck
def test_calls(gradcheck):
    gradcheck(Square(), X)

@pytest.mark.gradcheck
def test_fixture_calls(checked):
    assert checked.passed
""")
    result.assert_outcomes(passed=2)


def test_a_marker_on_class_or_module_is_settings_only(run: Run) -> None:
    result = run("""
pytestmark = pytest.mark.gradcheck(h=1e-3)

def test_nothing(): pass

@pytest.mark.gradcheck(h=1e-3)
class TestClass:
    def test_nothing(self): pass
""")
    result.assert_outcomes(passed=2)


def test_a_marked_test_that_skips_or_raises_does_so(run: Run) -> None:
    result = run("""
@pytest.mark.gradcheck
def test_skips():
    pytest.skip("no device")

@pytest.mark.gradcheck
def test_raises():
    raise ZeroDivisionError
""")
    result.assert_outcomes(skipped=1, failed=1)
    result.stdout.fnmatch_lines(["E*ZeroDivisionError"])


def test_an_unknown_keyword_fails_that_test_alone_in_its_set_up(run: Run) -> None:
    result = run("""
@pytest.mark.gradcheck(rtol=1e-3)
def test_typo():
    return Square(), X

@pytest.mark.gradcheck
def test_right():
    return Square(), X
""")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at setup of test_typo*",
            "@pytest.mark.gradcheck has no keyword 'rtol': the known ones are h, sharpness, seed, *, wrt, *",
        ]
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("h=-1", "@pytest.mark.gradcheck: h is -1: give a number larger than zero"),
        ("1e-3", "@pytest.mark.gradcheck was given 0.001 by position: give it by name, as in h=1e-3"),
        ("contract='some'", "@pytest.mark.gradcheck: contract is 'some': give one of 'full', 'values', 'off'"),
    ],
)
def test_a_wrong_value_fails_that_test_in_its_set_up(run: Run, words: str, sentence: str) -> None:
    result = run(f"@pytest.mark.gradcheck({words})\nclass TestIt:\n    def test_it(self): pass\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([sentence])


def test_a_skipped_test_stays_skipped(run: Run) -> None:
    result = run("@pytest.mark.skip\n@pytest.mark.gradcheck(rtol=1)\ndef test_it(): pass\n")
    result.assert_outcomes(skipped=1)


def test_a_method_of_a_test_case_is_refused(run: Run) -> None:
    result = run("""
import unittest

class TestOld(unittest.TestCase):
    @pytest.mark.gradcheck
    def test_old(self):
        return Wrong(), X
""")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["test_old is a method of a unittest.TestCase, whose return value is lost: *"])


def test_a_returned_generator_is_refused(run: Run) -> None:
    result = run("""
def pairs():
    yield Wrong(), X

@pytest.mark.gradcheck
def test_lazy():
    return pairs()
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["test_lazy returned a generator: return layer, inputs instead of yielding them"])


ASYNC_RUNNER = """
import asyncio, inspect, pytest

@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        names = pyfuncitem._fixtureinfo.argnames
        asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
        return True
"""


def test_an_async_test_that_returns_is_refused_and_one_that_calls_is_fine(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(ASYNC_RUNNER)
    result = run("""
@pytest.mark.gradcheck
async def test_returns():
    return Wrong(), X

@pytest.mark.gradcheck
async def test_calls(gradcheck):
    gradcheck(Square(), X)
""")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["test_returns is marked gradcheck and asynchronous, so what it returns is lost: call gradcheck(layer, *"]
    )


def test_the_marker_is_registered(run: Run) -> None:
    run("@pytest.mark.gradcheck\ndef test_it(): return Square(), X\n", "--strict-markers").assert_outcomes(passed=1)
    run(None, "--markers").stdout.fnmatch_lines(["@pytest.mark.gradcheck([*][*]settings): *"])
