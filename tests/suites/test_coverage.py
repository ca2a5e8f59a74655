"""`--gradcheck-cov` and `--gradcheck-fail-under`: which backwards no test has checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_gradcheck import declare
from pytest_gradcheck.discovery.backwards import backwards_in, key_of
from pytest_gradcheck.discovery.finding import Place

from .conftest import Run, need

COV = "--gradcheck-cov=mypkg"

TESTS = """
from mypkg.layers import Dense, Doubled, Tripled, affine_backward, affine_forward
import pytest_gradcheck

def test_right(gradcheck):
    gradcheck(Dense(3, 2), X)

@pytest.mark.xfail(strict=True)
def test_known(gradcheck):
    gradcheck(Tripled(), X)

def test_core():
    pytest_gradcheck.assert_gradients((affine_forward, affine_backward), X, np.ones((3, 2)), np.ones(2))

def test_spent(gradcheck):
    gradcheck(Doubled(3, 4), X, max_evaluations=1, inconclusive="warn")
"""


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "-n 2"])
def test_what_no_test_checked_is_listed(run: Run, package: Path, options: list[str]) -> None:
    result = run(TESTS, COV, *options, plugins=("xdist",), fresh=True)
    result.assert_outcomes(passed=3, xfailed=1, warnings=1)
    missed = [line.split()[2] for line in result.outlines if line.startswith("not checked")]
    assert missed == [f"mypkg.layers.{name}.backward" for name in ("Doubled", "FromFile", "Square")]
    result.stdout.fnmatch_lines(
        ["not checked  mypkg.layers.Doubled.backward  */mypkg/layers.py:*", "mypkg: 3 of 6 *, 50 %"]
    )


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "-n 2"])
@pytest.mark.parametrize(("percent", "code"), [("50", 0), ("50.1", 1)])
def test_too_little_coverage_fails_the_run(
    run: Run, package: Path, options: list[str], percent: str, code: int
) -> None:
    result = run(TESTS, COV, f"--gradcheck-fail-under={percent}", *options, plugins=("xdist",), fresh=True)
    assert result.ret == code
    told = "fewer than the 50.1 % of --gradcheck-fail-under" in result.stdout.str()
    assert told == bool(code)


def test_what_discovery_checks_is_covered_and_what_it_leaves_is_not(run: Run, package: Path) -> None:
    result = run(None, COV, "--gradcheck-modules=mypkg.layers")
    missed = [line.split()[2] for line in result.outlines if line.startswith("not checked")]
    # Tripled failed on guessed inputs: that is no verdict on it.
    assert missed == ["mypkg.layers.FromFile.backward", "mypkg.layers.Tripled.backward"]


def test_members_of_a_chain_and_layers_of_a_suite_are_covered(run: Run, package: Path) -> None:
    source = (
        "from mypkg.layers import Dense, Square\n"
        "import pytest_gradcheck\n"
        "def test_chain():\n"
        "    pytest_gradcheck.check_chain([Square(), Dense(3, 2)], X)\n"
    )
    result = run(source, COV)
    result.stdout.fnmatch_lines(["mypkg: 2 of 6 backwards checked, 33 %"])


def test_a_session_that_checks_nothing_imports_nothing(run: Run, package: Path, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_plain="def test_plain(): pass\n")
    pytester.makeconftest(
        "import atexit, sys\natexit.register(lambda: print('LOADED', {'numpy', 'mypkg'} & set(sys.modules)))\n"
    )
    result = run(None, COV, fresh=True)
    result.stdout.fnmatch_lines(["mypkg: 0 of 6 backwards checked, 0 %", "LOADED set()"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--gradcheck-fail-under=50"], "--gradcheck-fail-under needs --gradcheck-cov=PACKAGE: it says of what"),
        ([COV, "--gradcheck-fail-under=most"], "--gradcheck-fail-under is 'most': give a percentage between 0 and 100"),
        ([COV, "--gradcheck-fail-under=101"], "--gradcheck-fail-under is '101': give a percentage between 0 and 100"),
        (["--gradcheck-cov=nowhere"], "--gradcheck-cov is 'nowhere': no module of that name is found; *"),
    ],
)
def test_wrong_options_are_one_line(run: Run, package: Path, options: list[str], sentence: str) -> None:
    result = run("def test_plain(): pass\n", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {sentence}"])


def test_a_package_without_backwards_is_not_covered(run: Run, pytester: pytest.Pytester) -> None:
    pytester.mkpydir("mypkg")
    result = run("def test_plain(): pass\n", COV, "--gradcheck-fail-under=1")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["mypkg: 0 of 0 backwards checked, 0 %"])


SOURCE = '''
import functools
from abc import abstractmethod

class Base:
    def forward(self, x): ...
    def backward(self, upstream):
        """To be written."""
        raise NotImplementedError

class Outer:
    class Inner(Base):
        @functools.lru_cache
        def backward(self, upstream):
            return upstream

def left_forward(x): return x, 0
def left_backward(upstream, cache): return upstream
def right_backward(upstream, cache): return upstream

def squared(x): return x
def fwd(x): return x, x
def bwd(x, upstream): return upstream
squared.defvjp(fwd, bwd)

def halved(x): return x / 2
halved.defvjp(
    lambda x: (x / 2, None),
    lambda x, upstream: (upstream / 2,),
)
'''


def test_backwards_are_read_from_the_source(tmp_path: Path) -> None:
    path = tmp_path / "made.py"
    path.write_text(SOURCE, encoding="utf-8")
    assert [each.name for each in backwards_in(Place("made", path))] == [
        "made.Outer.Inner.backward",
        "made.halved.backward",
        "made.left_backward",
        "made.bwd",
    ]


@pytest.mark.parametrize("text", ["def broken(:\n", "\x00"])
def test_a_source_that_cannot_be_read_has_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "made.py"
    path.write_text(text, encoding="utf-8")
    assert backwards_in(Place("made", path)) == []


def test_a_function_has_the_key_of_its_source() -> None:
    class Layer:
        def backward(self, upstream: float) -> float:
            return upstream

    def forward(x: float) -> tuple[float, int]:
        return x, 0

    place = Place("here", Path(__file__))
    keys = {each.key for each in backwards_in(place)}
    pair = (forward, Layer.backward)
    assert key_of(Layer()) == key_of(declare.module(Layer())) == key_of(declare.functions(*pair)) == key_of(pair)
    assert key_of(Layer()) not in keys  # a class inside a function is found by nobody
    assert key_of(object()) is None


def test_a_backward_without_a_name_is_known_by_its_line(run: Run, pytester: pytest.Pytester) -> None:
    need("jax")
    folder = pytester.mkpydir("mypkg")
    (folder / "layers.py").write_text(
        "import jax\n"
        "@jax.custom_vjp\n"
        "def halved(x): return x / 2\n"
        "halved.defvjp(lambda x: (x / 2, None), lambda x, upstream: (upstream / 2,))\n"
        "@jax.custom_vjp\n"
        "def doubled(x): return x * 2\n"
        "doubled.defvjp(lambda x: (x * 2, None), lambda x, upstream: (upstream * 2,))\n"
    )
    source = "from mypkg.layers import halved\ndef test_halved(gradcheck): gradcheck(halved, X)\n"
    result = run(source, COV, fresh=True)
    missed = [line.split()[2] for line in result.outlines if line.startswith("not checked")]
    assert missed == ["mypkg.layers.doubled.backward"]
