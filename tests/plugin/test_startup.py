"""A session that checks no gradient pays nothing for us: seen in a fresh process, at its very end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_gradcheck import plugin, settings

#: Prints what stands in `sys.modules` when the process exits, after every hook of every plugin.
WITNESS = """
import atexit, json, sys

def tell():
    with open("modules.json", "w") as file:
        json.dump(sorted(sys.modules), file)

atexit.register(tell)
"""

PLAIN = "def test_plain(): pass\n"
ONLY_ASKS = "import pytest\npytestmark = pytest.mark.skip\ndef test_it(gradcheck): pass\n"
HEAVY = {"numpy", "hypothesis", "scipy", "matplotlib", "jinja2", "torch", "jax"}


def modules_at_exit(pytester: pytest.Pytester, *options: str, plugin: str = "gradcheck") -> set[str]:
    """Names of all modules that a session in a fresh process has loaded when the process exits."""
    pytester.makepyfile(witness=WITNESS)
    words = ["-p", "witness", "-p", plugin, "-p", "no:cacheprovider", *options]
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(pytester.path)}
    subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        env=environment,
        cwd=pytester.path,
        check=False,
        capture_output=True,
        timeout=60,
    )
    return set(json.loads(Path(pytester.path, "modules.json").read_text()))


def heavy(modules: set[str]) -> set[str]:
    """Those that no session should load that checks nothing."""
    return modules & HEAVY


def ours(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] == "pytest_gradcheck"}


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-v"],
        ["-rA", "--durations=3"],
        ["--junitxml=out.xml"],
        ["--gradcheck-json=out.json"],
        ["--help"],
        ["-k", "no"],
    ],
    ids=" ".join,
)
def test_a_session_without_a_check_loads_nothing_heavy(pytester: pytest.Pytester, options: list[str]) -> None:
    pytester.makepyfile(test_plain=PLAIN)
    modules = modules_at_exit(pytester, *options)
    assert "_pytest.terminal" in modules
    assert not heavy(modules)


def test_it_loads_two_modules_of_ours(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_plain=PLAIN)
    assert ours(modules_at_exit(pytester)) == {"pytest_gradcheck", "pytest_gradcheck.plugin"}
    with_a_setting = modules_at_exit(pytester, "--gradcheck-seed=1")
    assert ours(with_a_setting) - ours(modules_at_exit(pytester)) == {"pytest_gradcheck.settings"}


def test_the_options_are_the_scalar_settings() -> None:
    assert list(plugin.SCALARS.items()) == list(settings.SCALARS.items())


def test_a_check_that_is_only_collected_or_skipped_loads_nothing_heavy(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_skipped=ONLY_ASKS)
    assert not heavy(modules_at_exit(pytester))
    assert not heavy(modules_at_exit(pytester, "--collect-only"))


def test_a_session_with_a_check_loads_numpy(pytester: pytest.Pytester) -> None:
    # The counterpart: the witness sees numpy where it is.
    pytester.makepyfile(test_asks="def test_it(gradcheck): pass\n")
    assert heavy(modules_at_exit(pytester)) == {"numpy"}


@pytest.mark.parametrize(
    "hook",
    [
        "import numpy",
        "def pytest_terminal_summary():\n    import numpy",
        "def pytest_unconfigure():\n    import numpy",
        "import atexit\natexit.register(__import__, 'numpy')",
    ],
    ids=["at import", "in the summary", "at the end", "at exit"],
)
def test_this_test_can_fail(pytester: pytest.Pytester, hook: str) -> None:
    # A plugin that is heavy at any moment is caught, even later than any hook of pytest.
    pytester.makepyfile(test_plain=PLAIN, heavy_plugin=hook)
    assert heavy(modules_at_exit(pytester, plugin="heavy_plugin")) == {"numpy"}
