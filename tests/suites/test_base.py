"""`LayerSuite`: one class per layer, with overridable `layer()` and `inputs()`."""

from __future__ import annotations

from .conftest import Run

HEADER = """
from pytest_gradcheck import LayerSuite

class Held(Square):
    def __init__(self, n):
        self.W = np.linspace(1, 2, n)
    def forward(self, x):
        self.x = x
        return x * self.W
    def backward(self, upstream):
        self.dW = (self.x * upstream).sum(axis=0)
        return upstream * self.W
"""


def test_a_class_per_layer(run: Run) -> None:
    source = HEADER + (
        "class TestSquare(LayerSuite):\n"
        "    layer = Square\n"
        "    def inputs(self):\n"
        "        return X\n"
        "class TestWrong(TestSquare):\n"
        "    layer = Wrong\n"
    )
    result = run(source, "-v")
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(
        [
            "test_it.py::TestSquare::test_clause[[]Square-gradient-x[]] PASSED*",
            "*::test_clause[[]Wrong-gradient-x*FAILED*",
        ]
    )


def test_a_method_makes_the_layer_and_its_annotation_names_the_arguments(run: Run) -> None:
    source = HEADER + (
        "class TestHeld(LayerSuite):\n"
        "    def layer(self) -> Held:\n"
        "        return Held(3)\n"
        "    def inputs(self):\n"
        "        return X\n"
        "class TestUnnamed(TestHeld):\n"
        "    def layer(self):\n"
        "        return Held(3)\n"
    )
    result = run(source, "-v")
    assert "failed" not in result.parseoutcomes()
    result.stdout.fnmatch_lines(
        [
            "*TestHeld::test_clause[[]Held-gradient-x[]] PASSED*",
            "*TestHeld::test_clause[[]Held-gradient-parameters[]] PASSED*",
            "*TestUnnamed::test_clause[[]Unnamed-gradient[]] PASSED*",
        ]
    )


def test_known_failures_and_settings_are_attributes(run: Run) -> None:
    source = HEADER + (
        "class TestWrong(LayerSuite):\n"
        "    layer = Wrong\n"
        "    known = {'gradient-x': 'a factor'}\n"
        "    settings = {'contract': 'off'}\n"
        "    def inputs(self):\n"
        "        return X\n"
    )
    result = run(source, "-rs")
    assert result.parseoutcomes()["xfailed"] == 1
    assert "failed" not in result.parseoutcomes()
    result.stdout.fnmatch_lines(["SKIPPED*contract is off*"])


def test_without_inputs_it_says_what_to_write(run: Run) -> None:
    result = run(HEADER + "class TestSquare(LayerSuite):\n    layer = Square\n", "-k", "finite")
    result.stdout.fnmatch_lines(["E*NotImplementedError (TestSquare has no inputs: write a method inputs(self) *"])


def test_a_class_without_a_layer_has_no_tests(run: Run) -> None:
    source = HEADER + "class TestCommon(LayerSuite):\n    def inputs(self):\n        return X\ndef test_plain(): pass\n"
    run(source).assert_outcomes(passed=1)
