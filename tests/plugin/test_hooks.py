"""Our hooks: implemented in a conftest or in an installed package, with and without pytest."""

from __future__ import annotations

import subprocess
import sys

import pluggy
import pytest

import pytest_gradcheck
from pytest_gradcheck import hooks

from .conftest import Run

CONFTEST = """
import pytest_gradcheck
from layers import Square

class Unheard:
    '''No convention: only the hook below knows what to do with it.'''

@pytest_gradcheck.hookimpl
def gradcheck_adapt_layer(layer, inputs, kwargs):
    if isinstance(layer, Unheard):
        from pytest_gradcheck.adapters import adapt
        return adapt(Square(), tuple(inputs), dict(kwargs), None)
"""

TEST = """
from conftest import Unheard

@pytest.mark.gradcheck
def test_it():
    return Unheard(), X
"""


def registered() -> set[int]:
    return {id(plugin) for plugin in hooks.manager().get_plugins()}


def test_an_implementation_in_a_conftest_is_asked_and_later_withdrawn(run: Run, pytester: pytest.Pytester) -> None:
    before = registered()
    pytester.makeconftest(CONFTEST)
    run(TEST).assert_outcomes(passed=1)
    # A second session of the same process, with the same conftest loaded anew, is no conflict of names.
    run(TEST).assert_outcomes(passed=1)
    assert registered() == before


def test_an_implementation_may_have_a_name_of_its_own(run: Run, pytester: pytest.Pytester) -> None:
    """With `specname=` one conftest may implement a hook twice."""
    named = CONFTEST.replace("hookimpl\n", "hookimpl(specname='gradcheck_adapt_layer')\n")
    pytester.makeconftest(named.replace("def gradcheck_adapt_layer", "def gradcheck_unheard"))
    run(TEST).assert_outcomes(passed=1)


def test_without_the_mark_it_is_not_asked(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST.replace("@pytest_gradcheck.hookimpl\n", ""))
    result = run(TEST)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*UnknownLayer: *"])


def test_a_plugin_object_registered_later_is_forwarded(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "import pytest_gradcheck\n"
        "class Names:\n"
        "    @pytest_gradcheck.hookimpl\n"
        "    def gradcheck_executor(self, name):\n"
        "        return name.upper()\n"
        "def pytest_sessionstart(session):\n"
        "    session.config.pluginmanager.register(Names())\n"
        "    from pytest_gradcheck.hooks import manager\n"
        "    assert manager().hook.gradcheck_executor(name='here') == 'HERE'\n"
    )
    run("def test_it(): pass\n").assert_outcomes(passed=1)


def test_a_wrong_argument_of_an_implementation_is_refused_by_name() -> None:
    class Wrong:
        @pytest_gradcheck.hookimpl
        def gradcheck_executor(self, address: str) -> None:
            """Asks for an argument that the hook does not have."""

    with pytest.raises(pluggy.PluginValidationError, match="address"):
        hooks.manager().register(Wrong())


def test_an_installed_package_is_found_without_pytest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        third_party="import pytest_gradcheck\n"
        "@pytest_gradcheck.hookimpl\n"
        "def gradcheck_executor(name):\n"
        "    return f'found {name}'\n"
    )
    metadata = pytester.mkdir("third_party-1.0.dist-info")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[pytest_gradcheck]\nthird = third_party\n")
    script = (
        "import sys; sys.path.insert(0, '.')\n"
        "from pytest_gradcheck.hooks import manager\n"
        "print(manager().hook.gradcheck_executor(name='it'), 'pytest' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=pytester.path, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["found", "it", "False"], done.stderr
