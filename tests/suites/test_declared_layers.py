"""How a layer that was found is made: declared beside it, by a hook, or guessed; and what goes wrong then."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import PACKAGE, Run, need
from .test_discovery import MODULES

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
