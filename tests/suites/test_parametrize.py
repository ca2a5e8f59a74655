"""`parametrize_layers`: ids, selection, skips with reasons, known failures, one check for all clauses of a layer."""

from __future__ import annotations

import json

import pytest

from pytest_gradcheck.contract import CLAUSES
from pytest_gradcheck.suites.clauses import CONTRACT, belongs

from .conftest import Run, need

HEADER = '''
import functools
import pytest_gradcheck
from pytest_gradcheck import LayerCase, parametrize_layers

class Affine:
    """Right."""
    def forward(self, x, W, b):
        self.x, self.W = x, W
        return x @ W + b
    def backward(self, upstream):
        return upstream @ self.W.T, self.x.T @ upstream, upstream.sum(axis=0)

class NoBias(Affine):
    """Wrong: the gradient of b is halved."""
    def backward(self, upstream):
        dx, dW, db = super().backward(upstream)
        return dx, dW, db / 2

class Writes(Square):
    """Breaks one clause of the contract only."""
    def backward(self, upstream):
        upstream *= 2 * self.x
        return upstream

class Forgets(Square):
    """Its second backward returns another gradient."""
    def backward(self, upstream):
        downstream = 2 * self.x * upstream
        self.x = self.x + 1
        return downstream

class Held:
    """Its parameter W is held, and wrong."""
    def __init__(self, n=3):
        self.W = np.linspace(1, 2, n)
    def forward(self, x):
        self.x = x
        return x * self.W
    def backward(self, upstream):
        self.dW = (self.x * upstream).sum(axis=0) * 3
        return upstream * self.W

AFFINE = (X, np.linspace(-1, 1, 12).reshape(3, 4), np.ones(4))
'''

TEST = "\ndef test_layer(gradcheck_case): gradcheck_case()\n"


def suite(*elements: str) -> str:
    return f"{HEADER}\n@parametrize_layers([{', '.join(elements)}]){TEST}"


def test_each_clause_of_a_right_layer_is_a_test_with_a_readable_id(run: Run) -> None:
    result = run(suite("(Affine, *AFFINE)", "(Square(), X)"), "-v")
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] > 30
    assert not outcomes.keys() & {"failed", "errors", "error"}
    for clause in ("gradient-x", "gradient-W", "gradient-b", "mutation", "second-backward", "verdict"):
        result.stdout.fnmatch_lines([f"test_it.py::test_layer[[]Affine-{clause}[]] PASSED*"])
    result.stdout.fnmatch_lines(["test_it.py::test_layer[[]Square-gradient-x[]] PASSED*"])


@pytest.mark.parametrize(("word", "number"), [("Affine-gradient-W", 1), ("mutation", 2), ("gradient-x", 2)])
def test_a_clause_is_selected_by_k(run: Run, word: str, number: int) -> None:
    result = run(suite("(Affine, *AFFINE)", "(Square(), X)"), "-k", word)
    assert result.parseoutcomes()["passed"] == number


def test_a_wrong_gradient_fails_its_own_test_alone(run: Run) -> None:
    result = run(suite("(NoBias, *AFFINE)"))
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(
        [
            "E*GradientMismatch: NoBias: the declared backward is wrong: b in 4 of 4 entries",
            '*repeat: pytest "test_it.py::test_layer[[]NoBias-gradient-b[]]" --gradcheck-seed=*',
            "FAILED test_it.py::test_layer[[]NoBias-gradient-b[]]*",
        ]
    )


def test_a_broken_clause_fails_the_tests_that_it_breaks(run: Run) -> None:
    result = run(suite("(Writes, X)"))
    # A layer that writes into the upstream cannot take one that is read-only or broadcast.
    assert result.parseoutcomes()["failed"] == 3
    broken = [f"FAILED test_it.py::test_layer[[]Writes-{clause}[]]*" for clause in ("mutation", "layout", "read-only")]
    result.stdout.fnmatch_lines(broken)


def test_a_broken_clause_fails_its_own_test_alone(run: Run) -> None:
    result = run(suite("(Forgets, X)"))
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_layer[[]Forgets-second-backward[]]*"])


def failed(result: pytest.RunResult) -> list[str]:
    """The clauses that failed, from the short summary."""
    lines = [line for line in result.outlines if line.startswith("FAILED ")]
    return [line.partition("[")[2].partition("]")[0] for line in lines]


NARROW = """
class Narrow(Square):
    '''Takes and returns float64, and computes in float32.'''
    def forward(self, x):
        self.x = x
        return (x.astype(np.float32) ** 2).astype(np.float64)
"""


def test_what_no_other_clause_says_fails_the_verdict(run: Run) -> None:
    source = HEADER + NARROW + f"@parametrize_layers([(Narrow, X)]){TEST}"
    result = run(source)
    assert "Narrow-verdict" in failed(result)
    assert "Narrow-gradient-x" not in failed(result)
    result.stdout.fnmatch_lines(["E*Narrow takes and returns float64 but computes in a lower precision*"])


def test_a_check_without_a_verdict_is_none_for_its_clauses(run: Run) -> None:
    result = run(suite("LayerCase(Square, (X,), max_evaluations=3)"))
    assert {"Square-gradient-x", "Square-verdict", "Square-linear"} <= set(failed(result))
    # What the first call shows is decided all the same.
    assert "Square-shape" not in failed(result)
    result.stdout.fnmatch_lines(["*GradientInconclusive*"])
    result = run(suite("LayerCase(Square, (X,), max_evaluations=3, inconclusive='skip')"))
    assert failed(result) == []


def test_a_clause_of_a_convention_fails_accumulation(run: Run) -> None:
    need("torch")
    source = HEADER + (
        "import torch\n"
        "class Product(torch.autograd.Function):\n"
        "    @staticmethod\n"
        "    def forward(ctx, x, w):\n"
        "        ctx.save_for_backward(x, w)\n"
        "        return x * w\n"
        "    @staticmethod\n"
        "    def backward(ctx, upstream):\n"
        "        x, w = ctx.saved_tensors\n"
        "        both = all(ctx.needs_input_grad)\n"
        "        return upstream * w * (1 if both else 2), upstream * x\n"
        f"@parametrize_layers([(Product, X, X + 1)]){TEST}"
    )
    result = run(source, fresh=True)
    assert failed(result) == ["Product-accumulation"]
    result.stdout.fnmatch_lines(["E*needs_input_grad*"])


def test_a_parameter_held_in_the_layer_has_a_test(run: Run) -> None:
    result = run(suite("(Held, X)"))
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_layer[[]Held-gradient-parameters[]]*"])


def test_what_does_not_apply_is_skipped_with_a_reason(run: Run) -> None:
    source = HEADER + (
        "class Take(Square):\n"
        "    def forward(self, x, rows):\n"
        "        self.rows = rows\n"
        "        return super().forward(x)\n"
        f"@parametrize_layers([(Take, X, np.arange(2))]){TEST}"
    )
    result = run(source, "-rs")
    assert "failed" not in result.parseoutcomes()
    result.stdout.fnmatch_lines_random(
        [
            "SKIPPED * does not apply to Take: rows is passed through: int* array, not differentiated",
            "SKIPPED * does not apply to Take: it holds no parameters besides its arguments",
        ]
    )


def test_a_known_failure_is_data_and_strict(run: Run) -> None:
    case = "LayerCase({}, AFFINE, name={!r}, known={{'gradient-b': 'since spring'}})"
    result = run(suite(case.format("NoBias", "known"), case.format("Affine", "mended")), "-rx")
    assert result.parseoutcomes()["xfailed"] == 1
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines_random(
        ["XFAIL test_it.py::test_layer[[]known-gradient-b[]] - since spring", "[[]XPASS(strict)[]] since spring"]
    )


def test_a_known_failure_of_a_held_parameter_gets_a_test_of_its_own(run: Run) -> None:
    result = run(suite("LayerCase(Held, (X,), known={'gradient-W': 'wrong'})"))
    assert result.parseoutcomes()["xfailed"] == 1
    assert "failed" not in result.parseoutcomes()


def test_a_known_failure_that_names_no_clause_fails_one_test(run: Run) -> None:
    result = run(suite("LayerCase(Square, (X,), known={'mutations': 'misspelt'})"))
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["known of Square names 'mutations': its clauses are gradient-x, *"])


def test_a_known_failure_of_an_argument_that_is_not_there_fails(run: Run) -> None:
    result = run(suite("LayerCase(Square, (X,), known={'gradient-y': 'renamed since'})"))
    assert failed(result) == ["Square-gradient-y"]
    result.stdout.fnmatch_lines(["known of Square names 'gradient-y', and forward was not given y: it has x"])


COUNTED = """
class Counted(Square):
    made = checked = 0
    def __init__(self):
        Counted.made += 1

@parametrize_layers([(Counted, X)])
def test_layer(gradcheck_case):
    gradcheck_case()
    assert Counted.made == 1, Counted.made
"""


def test_a_layer_is_made_and_checked_once_for_all_its_tests(run: Run) -> None:
    result = run(HEADER + COUNTED, "-v")
    assert "failed" not in result.parseoutcomes()
    # A second check would double the evaluations, or rather multiply them by the number of clauses.
    line = next(line for line in result.outlines if "forward evaluations" in line)
    assert int(line.split(" forward evaluations")[0].split()[-1].replace(",", "")) < 200


def test_nothing_is_made_at_collection(run: Run) -> None:
    source = HEADER + (
        "class Never(Square):\n"
        "    def __init__(self):\n"
        "        raise SystemError('made')\n"
        f"@parametrize_layers([LayerCase(Never, lambda: 1 / 0)]){TEST}"
    )
    result = run(source, "--collect-only", "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["test_it.py::test_layer[[]Never-gradient-x[]]"])


@pytest.mark.parametrize(
    ("element", "sentence"),
    [
        ("LayerCase(Square, lambda: 1 / 0)", "Square or its inputs could not be made: ZeroDivisionError (*)"),
        ("(Broken, X)", "*forward of Broken raised KeyError*"),
    ],
)
def test_a_layer_that_raises_fails_its_own_tests_and_the_run_goes_on(run: Run, element: str, sentence: str) -> None:
    result = run(suite(element, "(Square, X)"), "-k", "gradient-x or Square-mutation")
    assert result.parseoutcomes()["passed"] >= 1
    result.stdout.fnmatch_lines([f"E*{sentence}"])


def test_a_layer_without_inputs_takes_its_declaration(run: Run) -> None:
    source = HEADER + (
        "class Declared(Held):\n"
        "    __gradcheck__ = {'make': lambda: Declared(2), 'given': {'x': 'B 2'}}\n"
        f"@parametrize_layers([Declared]){TEST}"
    )
    result = run(source)
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_layer[[]Declared-gradient-parameters[]]*"])


def test_a_wrong_layer_with_guessed_inputs_is_unchecked_and_says_so(run: Run) -> None:
    result = run(suite("Wrong"), "-rs")
    assert result.parseoutcomes().keys() == {"skipped"}
    result.stdout.fnmatch_lines(["SKIPPED * declare inputs: on guessed inputs of shape (3, 4) Wrong: * is wrong: x *"])


def test_partials_and_functions_make_layers(run: Run) -> None:
    result = run(
        suite(
            "LayerCase(functools.partial(Held, 3), (X,), name='partial')",
            "LayerCase(lambda: Held(3), lambda: X, name='late')",
        )
    )
    result.stdout.fnmatch_lines_random(
        [
            "FAILED test_it.py::test_layer[[]partial-gradient-parameters[]]*",
            "FAILED test_it.py::test_layer[[]late-gradient[]]*",
        ]
    )
    assert result.parseoutcomes()["failed"] == 2


def test_two_layers_of_one_name_are_told_apart(run: Run) -> None:
    result = run(suite("(Square, X)", "(Square, 2 * X)"), "-v", "-k", "mutation")
    result.assert_outcomes(passed=2, deselected=result.parseoutcomes()["deselected"])
    result.stdout.fnmatch_lines(["*[[]Square-mutation[]] PASSED*", "*[[]Square2-mutation[]] PASSED*"])


def test_a_test_that_never_calls_it_fails(run: Run) -> None:
    result = run(HEADER + "@parametrize_layers([(Square, X)])\ndef test_layer(gradcheck_case): pass\n", "-k", "finite")
    assert result.parseoutcomes()["errors"] == 1
    result.stdout.fnmatch_lines(["*asks for gradcheck_case but never called it, so nothing was checked*"])


def test_an_undecorated_test_is_told_what_to_do(run: Run) -> None:
    result = run(HEADER + TEST)
    result.stdout.fnmatch_lines(["*test_layer is not decorated: use @pytest_gradcheck.parametrize_layers(*"])


@pytest.mark.parametrize(("argument", "words"), [("[]", "no layers"), ("'abc'", "'abc': give a list of layers")])
def test_what_is_no_list_of_layers_is_refused(run: Run, argument: str, words: str) -> None:
    result = run(HEADER + f"@parametrize_layers({argument}){TEST}")
    result.stdout.fnmatch_lines([f"E*InvalidInput: parametrize_layers got {words}*"])


def test_settings_come_from_case_marker_and_command_line(run: Run, pytester: pytest.Pytester) -> None:
    source = HEADER + (
        "@pytest.mark.gradcheck(h=1e-3)\n"
        f"@parametrize_layers([LayerCase(Square, (X,), h=1e-5), LayerCase(Square, (X,), name='other')]){TEST}"
    )
    run(source, "--gradcheck-json=out.json", "-k", "gradient")
    checks = json.loads((pytester.path / "out.json").read_text())["checks"]
    steps = {check["nodeid"].partition("[")[2]: check["report"]["h"] for check in checks}
    assert steps == {"Square-gradient-x]": 1e-5, "other-gradient-x]": 1e-3}


@pytest.mark.parametrize("options", [["-n", "2"]], ids=" ".join)
def test_workers_give_the_same_outcomes(run: Run, options: list[str]) -> None:
    source = suite("(NoBias, *AFFINE)", "(Writes, X)", "LayerCase(Held, (X,), known={'gradient-W': 'wrong'})")
    assert (
        run(source, *options, plugins=("xdist",)).parseoutcomes()
        == run(source, "-n", "0", plugins=("xdist",)).parseoutcomes()
    )


def test_a_pasted_id_and_lf_run_the_failed_clause(run: Run) -> None:
    source = suite("(NoBias, *AFFINE)")
    run(source, "test_it.py::test_layer[NoBias-gradient-b]", "--lf").assert_outcomes(failed=1)
    run(None, "--lf").assert_outcomes(failed=1)


def test_the_clauses_of_suites_are_those_of_the_contract() -> None:
    assert [name for name in CLAUSES if not any(belongs(name, family) for family in CONTRACT)] == []
    assert [family for family in CONTRACT if not any(belongs(name, family) for name in CLAUSES)] == []
    assert all(sum(belongs(name, family) for family in CONTRACT) == 1 for name in CLAUSES)
