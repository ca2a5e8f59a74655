"""`--gradcheck-modules`: what is collected, how it is made, what is told, and what a pasted id means."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import discovery

from .conftest import PACKAGE, Run, need

MODULES = "--gradcheck-modules=mypkg.layers"


def lines(result: pytest.RunResult) -> str:
    return result.stdout.str()


def test_every_layer_of_a_module_is_a_test_or_is_listed(run: Run, package: Path) -> None:
    result = run(None, MODULES, "-v")
    result.assert_outcomes(passed=3, failed=1, skipped=2)
    result.stdout.fnmatch_lines_random(
        [
            "mypkg/layers.py::Square PASSED*",
            "mypkg/layers.py::Tripled SKIPPED*",
            "mypkg/layers.py::Dense PASSED*",
            "mypkg/layers.py::Doubled FAILED*",
            "mypkg/layers.py::affine PASSED*",
            "mypkg/layers.py::FromFile SKIPPED*",
            "mypkg.layers.FromFile  unchecked, cannot be made: no value is likely for path; declare make",
            "mypkg.layers.Square  checked on guessed inputs",
            "6 layers: 1 checked, 2 checked on guessed inputs, 2 unchecked, 1 failed",
        ]
    )


def test_a_guess_that_fails_is_unchecked_with_the_numbers(run: Run, package: Path) -> None:
    result = run(None, MODULES, "-k", "Tripled")
    result.assert_outcomes(skipped=1, deselected=5)
    result.stdout.fnmatch_lines(
        [
            "mypkg.layers.Tripled  unchecked, declare inputs: on guessed inputs of shape (3, 4) Tripled: the declared "
            "backward is wrong: x in 12 of 12 entries; x[[]*[]]: declared *, numeric *, bar *"
        ]
    )
    # An unchecked layer is no failure, and none "as expected" either.
    assert "failed" not in lines(result)


def test_strict_lets_a_guess_fail(run: Run, package: Path) -> None:
    result = run(None, MODULES, "-k", "Tripled or Square", "--gradcheck-guess=strict")
    result.assert_outcomes(passed=1, failed=1, deselected=4)
    result.stdout.fnmatch_lines(["Tripled: the declared backward is wrong: x in 12 of 12 entries"])


def test_nothing_is_guessed_where_that_is_off(run: Run, package: Path) -> None:
    result = run(None, MODULES, "--gradcheck-guess=off")
    result.assert_outcomes(passed=1, failed=1, skipped=4)
    result.stdout.fnmatch_lines(["mypkg.layers.Square  unchecked, declare make and inputs: nothing is guessed *"])


def test_a_failure_shows_numbers_and_a_command_that_repeats_it(run: Run, package: Path) -> None:
    result = run(None, MODULES, "-k", "Doubled")
    result.stdout.fnmatch_lines(
        [
            "Doubled: the declared backward is wrong: W in 12 of 12 entries",
            '*repeat: pytest "mypkg/layers.py::Doubled" --gradcheck-modules=mypkg.layers --gradcheck-seed=*',
            "FAILED mypkg/layers.py::Doubled - pytest_gradcheck.GradientMismatch: Doubled:*",
        ]
    )
    assert "discovery/items.py" not in lines(result)


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "-n 2"])
def test_a_pasted_id_runs_one_layer(run: Run, package: Path, options: list[str]) -> None:
    result = run(None, "mypkg/layers.py::Doubled", MODULES, *options, plugins=("xdist",), fresh=True)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["1 layer: 1 failed"])


def test_pasted_ids_beside_tests_and_each_other(run: Run, package: Path) -> None:
    ids = ["mypkg/layers.py::Square", "mypkg/layers.py::Dense", "test_it.py::test_plain"]
    run("def test_plain(): pass\ndef test_other(): pass\n", *ids, MODULES).assert_outcomes(passed=3)


def test_the_file_alone_runs_all_of_it(run: Run, package: Path) -> None:
    run(None, "mypkg/layers.py", MODULES).assert_outcomes(passed=3, failed=1, skipped=2)


def test_a_pasted_id_that_is_no_layer_says_which_there_are(run: Run, package: Path) -> None:
    result = run(None, "mypkg/layers.py::Sqare", MODULES)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["mypkg.layers has no layer 'Sqare': its layers are Square, Tripled, Dense, Doubled, *"]
    )


def test_lf_runs_what_failed(run: Run, package: Path) -> None:
    run(None, MODULES, "--lf").assert_outcomes(passed=3, failed=1, skipped=2)
    result = run(None, MODULES, "--lf")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["collected 1 item", "mypkg/layers.py F*"])


@pytest.mark.parametrize("options", [["-n", "2"], ["-n", "2", "--dist", "loadfile"]], ids=" ".join)
def test_workers_tell_the_same(run: Run, package: Path, options: list[str]) -> None:
    alone = run(None, MODULES)
    result = run(None, MODULES, *options, plugins=("xdist",), fresh=True)
    assert result.parseoutcomes() == alone.parseoutcomes()
    listed = [line for line in alone.outlines if line.startswith(("mypkg.layers.", "6 layers:"))]
    assert len(listed) == 3
    assert [line for line in result.outlines if line.startswith(("mypkg.layers.", "6 layers:"))] == listed


@pytest.fixture
def outside(run: Run, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a module `far.layers` that lies outside the rootdir."""
    folder = tmp_path_factory.mktemp("site") / "far"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "layers.py").write_text(PACKAGE, encoding="utf-8")
    monkeypatch.syspath_prepend(folder.parent)
    monkeypatch.setenv("PYTHONPATH", str(folder.parent))
    return folder / "layers.py"


def test_a_module_outside_the_rootdir(run: Run, outside: Path) -> None:
    words = ("--gradcheck-modules=far.layers", "--lf")
    result = run(None, *words, "-v")
    result.assert_outcomes(passed=3, failed=1, skipped=2)
    result.stdout.fnmatch_lines([f"{outside.as_posix()}::Doubled FAILED*"])
    run(None, *words).assert_outcomes(failed=1)
    run(None, f"{outside}::Doubled", words[0]).assert_outcomes(failed=1)
    run(None, f"{outside}::Square", words[0], "-n", "2", plugins=("xdist",), fresh=True).assert_outcomes(passed=1)


def test_the_module_is_imported_by_its_name_once(run: Run, package: Path) -> None:
    (package / "layers.py").write_text(
        f"{PACKAGE}\nif __name__ != 'mypkg.layers':\n    raise SystemError(__name__)\n", encoding="utf-8"
    )
    run(None, MODULES, "-k", "Square").assert_outcomes(passed=1, deselected=5)


def test_a_package_is_all_its_modules_but_tests_and_main(run: Run, package: Path) -> None:
    (package / "deeper").mkdir()
    (package / "deeper" / "__init__.py").write_text("from mypkg.layers import Square\n", encoding="utf-8")
    (package / "deeper" / "more.py").write_text(PACKAGE, encoding="utf-8")
    for name in ("__main__", "conftest", "test_more"):
        (package / f"{name}.py").write_text("raise SystemError('imported')\n", encoding="utf-8")
    result = run(None, "--gradcheck-modules=mypkg", "--ignore=mypkg", "-v")
    # What a module imports from another is that one's.
    result.assert_outcomes(passed=6, failed=2, skipped=4)
    result.stdout.fnmatch_lines(["mypkg/deeper/more.py::Square PASSED*"])


def test_a_module_that_cannot_be_imported_fails_alone(run: Run, package: Path) -> None:
    (package / "broken.py").write_text("import nowhere_to_be_found\n", encoding="utf-8")
    (package / "exits.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    result = run(None, "--gradcheck-modules=mypkg")
    result.assert_outcomes(passed=3, failed=3, skipped=2)
    result.stdout.fnmatch_lines_random(
        [
            "mypkg.broken could not be imported: ModuleNotFoundError (No module named 'nowhere_to_be_found')",
            "mypkg.exits could not be imported: ImportError (importing it ended the program with 3)",
            "FAILED mypkg/broken.py::import - pytest_gradcheck.LayerError: mypkg.broken co*",
        ]
    )
    assert "importlib" not in lines(result)


def test_a_package_that_cannot_be_imported_fails_each_module_and_not_the_run(run: Run, package: Path) -> None:
    (package / "__init__.py").write_text("1 / 0\n", encoding="utf-8")
    run("def test_plain(): pass\n", MODULES).assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--gradcheck-modules=mypkg.layrs", "--gradcheck-modules is 'mypkg.layrs': no module of that name is found; *"),
        ("--gradcheck-modules=mypkg/layers.py", "--gradcheck-modules is 'mypkg/layers.py': no module of that name *"),
        ("--gradcheck-modules=sys", "--gradcheck-modules is 'sys': sys has no file; give a module that *"),
        ("--gradcheck-guess=maybe", "--gradcheck-guess is 'maybe': give 'strict' or 'off'"),
    ],
)
def test_a_wrong_option_is_one_line(run: Run, package: Path, option: str, sentence: str) -> None:
    result = run("def test_plain(): pass\n", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {sentence}"])


INI = "[tool.pytest]\ngradcheck_modules = ['mypkg.layers']\ngradcheck_guess = 'off'\n"


def test_the_ini_file_asks_for_modules_where_the_whole_project_is_run(run: Run, pytester: pytest.Pytester) -> None:
    folder = pytester.mkpydir("mypkg")
    (folder / "layers.py").write_text(PACKAGE, encoding="utf-8")
    pytester.makepyprojecttoml(INI)
    test = "def test_plain(): pass\n"
    run(test).assert_outcomes(passed=2, failed=1, skipped=4)
    run(test, "test_it.py").assert_outcomes(passed=1)
    run(test, ".").assert_outcomes(passed=2, failed=1, skipped=4)
    run(test, "mypkg/layers.py::Dense").assert_outcomes(passed=1)


def test_a_module_that_is_a_test_file_too_is_both(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_both=f"{PACKAGE}\ndef test_plain(): pass\n")
    run(None, "--gradcheck-modules=test_both").assert_outcomes(passed=4, failed=1, skipped=2)


WITHOUT_NUMPY = "import json\nclass Layer:\n    def forward(self, x): return x\n    def backward(self, u): return u\n"


def test_collection_imports_nothing_that_the_module_does_not(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(plain_module=WITHOUT_NUMPY)
    pytester.makeconftest(
        "import sys\n"
        "def pytest_unconfigure(config):\n"
        "    heavy = {'numpy', 'hypothesis', 'torch', 'jax', 'plain_module'} & set(sys.modules)\n"
        "    print('LOADED', sorted(heavy))\n"
    )
    result = run(None, "--gradcheck-modules=plain_module", "--collect-only", "-q", "-s", fresh=True)
    result.stdout.fnmatch_lines(["plain_module.py::Layer", "LOADED [[]'plain_module'[]]"])


def test_a_thousand_layers_are_collected_by_name_alone(run: Run, pytester: pytest.Pytester) -> None:
    body = "    def forward(self, x): return x\n    def backward(self, u): return u\n    __init__ = None\n"
    pytester.makepyfile(many="".join(f"class L{i}:\n{body}" for i in range(1000)))
    result = run(None, "--gradcheck-modules=many", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["many.py::L999", "1000 tests collected*"])


def test_the_benchmark_tells_how_long_discovery_takes(capsys: pytest.CaptureFixture[str]) -> None:
    """And a module of layers that each can be made and checked; how long it may take is not asserted here."""
    discovery.main(6, 1)
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"6 layers collected in [\d.]+ s, the first check begun after [\d.]+ s and made after [\d.]+ s", first
    )
    assert second == "collecting a module that imports nothing loads nothing of numpy, hypothesis and the frameworks"


CONFTEST = """
import numpy as np
import pytest_gradcheck

@pytest_gradcheck.hookimpl
def gradcheck_make_layer(layer, name):
    {}
"""


@pytest.mark.parametrize(
    ("body", "outcome", "words"),
    [
        (
            "return (layer(), np.ones(3)) if name == 'mypkg.layers.Tripled' else None",
            "failed",
            "Tripled: the declared*",
        ),
        ("return {'inputs': np.ones(3)} if name.endswith('Tripled') else None", "failed", "Tripled: the declared*"),
        (
            "return {'skip': 'known'} if name.endswith('Tripled') else None",
            "skipped",
            "*Tripled  unchecked, left out: known",
        ),
        ("return 7", "failed", "gradcheck_make_layer for mypkg.layers.Tripled returned int: return (layer, *"),
        (
            "return {'input': 7}",
            "failed",
            "gradcheck_make_layer for mypkg.layers.Tripled has no word 'input': the known *",
        ),
        (
            "return 1 / 0",
            "failed",
            "gradcheck_make_layer raised ZeroDivisionError (division by zero) for mypkg.layers.Tri*",
        ),
    ],
    ids=["tuple", "dict", "left out", "number", "misspelt", "raises"],
)
def test_a_hook_in_conftest_makes_layers(
    run: Run, pytester: pytest.Pytester, package: Path, body: str, outcome: str, words: str
) -> None:
    pytester.makeconftest(CONFTEST.format(body))
    result = run(None, MODULES, "-k", "Tripled")
    assert result.parseoutcomes()[outcome] == 1
    result.stdout.fnmatch_lines([words])


@pytest.mark.parametrize(
    ("declared", "sentence"),
    [
        (
            "7",
            "__gradcheck__ of mypkg.more.Square is 7: give a dict with some of make, inputs, given, wrt, domain, skip",
        ),
        (
            "{'make': 7}",
            "__gradcheck__ of mypkg.more.Square: make is 7: give a function without arguments that makes *",
        ),
        (
            "{'make': lambda: 1 / 0, 'inputs': 1.0}",
            "make of mypkg.more.Square raised ZeroDivisionError (*): mend the *",
        ),
        (
            "{'inputs': lambda: 1 / 0}",
            "inputs of mypkg.more.Square raised ZeroDivisionError (division by zero): mend *",
        ),
        ("{'inputs': 1.0, 'given': {'x': 'B'}}", "__gradcheck__ of mypkg.more.Square has both inputs and given: *"),
        ("{'given': {'x': 'B ??'}}", "the shape of x is 'B ??': '??' is no axis; *"),
        (
            "{'skip': 3}",
            "__gradcheck__ of mypkg.more.Square: skip is 3: give a reason, or a dict of clauses with reasons",
        ),
        ("{'given': {'x': 'B'}, 'skip': {'no': 'such'}}", "skip names 'no': the clauses are *"),
        ("{'given': {'x': 'B'}, 'wrt': 'W'}", "wrt names 'W': Square has the arguments 'x'"),
    ],
)
def test_a_wrong_declaration_fails_its_layer_and_the_run_goes_on(
    run: Run, package: Path, declared: str, sentence: str
) -> None:
    # Declared in the module, by name.
    (package / "more.py").write_text(f"{PACKAGE}\n__gradcheck__ = {{'Square': {declared}}}\n", encoding="utf-8")
    result = run(None, "--gradcheck-modules=mypkg.more", "-k", "Square or Dense")
    result.assert_outcomes(passed=1, failed=1, deselected=4)
    result.stdout.fnmatch_lines([sentence])


def test_a_declaration_by_name_may_add_what_is_not_recognised(run: Run, package: Path) -> None:
    (package / "more.py").write_text(
        "import numpy as np\n"
        "def pulled(x):\n"
        "    return x**2, lambda upstream: 3 * x * upstream\n"
        "__gradcheck__ = {'pulled': {'make': lambda: pulled, 'given': {'x': 'B'}}, 'absent': {'given': {'x': 'B'}}}\n",
        encoding="utf-8",
    )
    result = run(None, "--gradcheck-modules=mypkg.more")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines_random(
        [
            "pulled: the declared backward is wrong: x in *",
            "__gradcheck__ names 'absent', which is no layer of mypkg.more: declare its make",
        ]
    )


def test_wrt_domain_and_skip_reach_the_check(run: Run, package: Path) -> None:
    (package / "more.py").write_text(
        "import numpy as np\n"
        "class Log:\n"
        "    __gradcheck__ = {'given': {'a': 'B', 'b': 'B'}, 'domain': {'a': (0.5, 2)}, 'wrt': 'x',\n"
        "                     'skip': {'mutation-upstream': 'on purpose', 'read-only': 'r', 'layout-broadcast': 'r'}}\n"
        "    def forward(self, x, y):\n"
        "        self.x = x\n"
        "        return np.log(x) + y**2\n"
        "    def backward(self, upstream):\n"
        "        upstream /= self.x\n"
        "        return upstream, None\n",
        encoding="utf-8",
    )
    run(None, "--gradcheck-modules=mypkg.more").assert_outcomes(passed=1)
    text = (package / "more.py").read_text()
    (package / "more.py").write_text(text.replace("'wrt': 'x'", "'wrt': 'y'"))
    run(None, "--gradcheck-modules=mypkg.more").assert_outcomes(failed=1)


def test_an_adapter_that_raises_fails_its_layer_and_the_run_goes_on(
    run: Run, pytester: pytest.Pytester, package: Path
) -> None:
    pytester.makeconftest(
        "import pytest_gradcheck\n"
        "@pytest_gradcheck.hookimpl\n"
        "def gradcheck_adapt_layer(layer, inputs, kwargs):\n"
        "    if type(layer).__name__ == 'Doubled':\n"
        "        raise KeyError('lost')\n"
    )
    result = run(None, MODULES)
    result.assert_outcomes(passed=3, failed=1, skipped=2)
    result.stdout.fnmatch_lines(["the adapter of conftest raised KeyError ('lost') for Doubled: mend or remove it"])


ADAPTER = """
import pytest_gradcheck
from pytest_gradcheck.target import FunctionTarget, Argument

class {name}:
    @pytest_gradcheck.hookimpl
    def gradcheck_adapt_layer(self, layer, inputs, kwargs):
        if type(layer).__name__ == 'Square':
            {body}
"""
CLAIM = "return FunctionTarget('Square', (Argument('x', inputs[0]),), lambda x: x**2, lambda upstream: upstream)"


@pytest.mark.parametrize(
    ("body", "outcome", "sentence"),
    [
        (CLAIM, "failed", "Square is claimed by two adapters, * and *: unregister one of them"),
        (
            "raise KeyError('lost')",
            "failed",
            "the adapter of conftest raised KeyError ('lost') for Square: mend or remove it",
        ),
        (
            "return 7",
            "failed",
            "the adapter of conftest returned int for Square, which is no Target: return a *",
        ),
        (
            # Inputs that an adapter does not take say nothing against it: others are tried.
            "x = inputs[0]; assert x.ndim == 1; return FunctionTarget('Square', (Argument('x', x),), "
            "lambda x: x, lambda upstream: upstream) if self.__class__.__name__ == 'First' else None",
            "passed",
            "* passed*",
        ),
    ],
    ids=["two claims", "raises", "no target", "raises at some inputs"],
)
def test_an_adapter_in_the_way_of_a_guess_is_named(
    run: Run, pytester: pytest.Pytester, package: Path, body: str, outcome: str, sentence: str
) -> None:
    source = "".join(ADAPTER.format(name=name, body=body) for name in ("First", "Second"))
    pytester.makeconftest(
        f"{source}\ndef pytest_configure(config):\n"
        "    config.pluginmanager.register(First())\n    config.pluginmanager.register(Second())\n"
    )
    result = run(None, MODULES, "-k", "Square or Dense")
    outcomes = {"passed": 1, outcome: 1} if outcome != "passed" else {"passed": 2}
    result.assert_outcomes(deselected=4, **outcomes)
    result.stdout.fnmatch_lines([sentence])


STRANGE = """
import numpy as np

class Unbound:
    def __getattribute__(self, name):
        raise RuntimeError("working outside of a request")

proxy = Unbound()

class Answers(type):
    def __getattr__(cls, name):
        raise RuntimeError(f"asked for {name}")

class Layer:
    def forward(self, x):
        return 2 * x
    def backward(self, upstream):
        return 2 * upstream

class Meta(Layer, metaclass=Answers):
    pass

class Asked(Layer):
    def __getattr__(self, name):
        raise RuntimeError(f"asked for {name}")

class Ends(Layer):
    def __init__(self):
        raise SystemExit(3)

class Unmade(Layer):
    __gradcheck__ = {"make": lambda: 1 / 0}

class Last(Layer):
    pass
"""


def test_what_raises_where_others_answer_fails_alone(run: Run, package: Path) -> None:
    (package / "more.py").write_text(STRANGE)
    result = run(None, "--gradcheck-modules=mypkg.more")
    result.assert_outcomes(passed=2, failed=4)
    result.stdout.fnmatch_lines_random(
        [
            "mypkg.more.Meta raised RuntimeError (asked for *) while it was made or looked at",
            "mypkg.more.Asked raised RuntimeError (asked for *) while it was made or looked at",
            "mypkg.more.Ends raised SystemExit (3) while it was made or looked at",
            "make of mypkg.more.Unmade raised ZeroDivisionError (division by zero): mend the declaration",
        ]
    )


def test_what_is_inherited_does_not_make_another_layer(run: Run, package: Path) -> None:
    (package / "more.py").write_text(
        "from mypkg.layers import Dense\n"
        "class Halved(Dense):\n"
        "    def __init__(self):\n"
        "        super().__init__(3, 2)\n"
        "    def backward(self, upstream):\n"
        "        return super().backward(upstream) / 2\n",
        encoding="utf-8",
    )
    # Its shapes are inherited, how to make a Dense is not.
    result = run(None, "--gradcheck-modules=mypkg.more")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["Halved: the declared backward is wrong: x in *"])


def test_a_guess_at_which_nothing_moves_is_no_check(run: Run, package: Path) -> None:
    (package / "more.py").write_text(
        "import numpy as np\n"
        "class Step:\n"
        "    def forward(self, x): return np.floor(np.abs(x) / 1e6)\n"
        "    def backward(self, upstream): return np.zeros_like(upstream)\n",
        encoding="utf-8",
    )
    result = run(None, "--gradcheck-modules=mypkg.more")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        ["mypkg.more.Step  unchecked, declare inputs: on guessed inputs of shape (3, 4) Step: *"]
    )


def test_a_constructor_that_raises_is_told(run: Run, package: Path) -> None:
    (package / "more.py").write_text(
        "class Odd:\n"
        "    def __init__(self, size):\n"
        "        raise ValueError('sizes are odd')\n"
        "    def forward(self, x): return x\n"
        "    def backward(self, upstream): return upstream\n",
        encoding="utf-8",
    )
    run(None, "--gradcheck-modules=mypkg.more").stdout.fnmatch_lines(
        ["mypkg.more.Odd  unchecked, cannot be made: its constructor raised ValueError: sizes are odd; declare make"]
    )


def test_an_abstract_class_is_listed(run: Run, package: Path) -> None:
    (package / "more.py").write_text(
        "import abc\n"
        "class Base(abc.ABC):\n"
        "    @abc.abstractmethod\n"
        "    def forward(self, x): ...\n"
        "    @abc.abstractmethod\n"
        "    def backward(self, upstream): ...\n"
        "class Old:\n"
        "    def forward(self, x): raise NotImplementedError\n"
        "    def backward(self, upstream): raise NotImplementedError\n",
        encoding="utf-8",
    )
    result = run(None, "--gradcheck-modules=mypkg.more")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(
        [
            "mypkg.more.Base  unchecked, it is abstract: backward, forward is not written",
            "mypkg.more.Old  unchecked, it is abstract: its forward or backward raises NotImplementedError*",
        ]
    )


def test_layers_of_frameworks(run: Run, pytester: pytest.Pytester) -> None:
    need("torch", "jax")
    pytester.makepyfile(
        frameworks="import jax, torch\n"
        "class Square(torch.autograd.Function):\n"
        "    @staticmethod\n"
        "    def forward(ctx, x):\n"
        "        ctx.save_for_backward(x)\n"
        "        return x**2\n"
        "    @staticmethod\n"
        "    def backward(ctx, upstream):\n"
        "        return 2 * ctx.saved_tensors[0] * upstream\n"
        "class Tripled(Square):\n"
        "    @staticmethod\n"
        "    def backward(ctx, upstream):\n"
        "        return 3 * ctx.saved_tensors[0] * upstream\n"
        "@jax.custom_vjp\n"
        "def halved(x):\n"
        "    return x**2\n"
        "halved.defvjp(lambda x: (x**2, x), lambda x, upstream: (x * upstream,))\n"
        "class Module(torch.nn.Module):\n"
        "    def forward(self, x): return x\n"
    )
    result = run(None, "--gradcheck-modules=frameworks", "--gradcheck-guess=strict", "-v", fresh=True)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines_random(
        [
            "*::Square PASSED*",
            "*::Tripled FAILED*",
            "*::halved FAILED*",
            "3 layers: 1 checked on guessed inputs, 2 failed",
        ]
    )
