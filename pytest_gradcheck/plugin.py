"""The pytest plugin, as a switchboard: what pytest loads in every session of every user.

It declares options, marker and fixture and forwards to `pytesting/`, one idea per file, imported when needed. Nothing
here, nor in anything called by a session that checks no gradient, imports numpy or hypothesis.

Hooks: https://docs.pytest.org/en/stable/reference/reference.html#hooks
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from importlib import import_module
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from .protocol import GradCheck
    from .pytesting.running import Running

MARKER = "gradcheck"

#: The test that runs now: how the session-scoped fixture learns whose check it makes.
CURRENT: pytest.StashKey[pytest.Item] = pytest.StashKey()
#: What is known of one test's checks; only tests that use the plugin have it.
RUNNING: pytest.StashKey[Running] = pytest.StashKey()
#: The settings of the command line and of the ini file, cast and valid.
SOURCES: pytest.StashKey[tuple[dict[str, Any], dict[str, Any]]] = pytest.StashKey()
#: Every check of the session, in the process that reports.
RESULTS: pytest.StashKey[Results] = pytest.StashKey()

#: The settings that are one number or word, with its type, as `settings.SCALARS` has them (a test compares the two):
#: to make the record of settings costs more than all the rest of this module, and most sessions never need it.
SCALARS: dict[str, type] = {
    "h": float,
    "sharpness": float,
    "seed": int,
    "method": str,
    "max_evaluations": int,
    "max_seconds": float,
    "contract": str,
    "nonsmooth": str,
    "vacuous": str,
    "inconclusive": str,
    "precision": str,
    "accuracy": float,
    "batch_axis": int,
}

#: Options beside the settings: name, what argparse and the ini file are told, and the module that is imported and
#: whose `register(config, value)` is called where the option is given.
FEATURES: dict[str, tuple[dict[str, Any], str]] = {
    "gradcheck_json": (
        {"metavar": "PATH", "help": "write every check of this run to PATH as JSON"},
        "pytest_gradcheck.pytesting.jsonfile",
    ),
    "gradcheck_report": (
        {"metavar": "DIR", "help": "write a page with the evidence of every check of this run to DIR/index.html"},
        "pytest_gradcheck.pytesting.pages",
    ),
    "gradcheck_report_all": (
        {"action": "store_true", "help": "draw the pictures of checks that passed, too"},
        "pytest_gradcheck.pytesting.pages",
    ),
    "gradcheck_executor": (
        {"metavar": "NAME", "help": "evaluate large checks by 'processes:N', 'threads:N' or 'dask://HOST:PORT'"},
        "pytest_gradcheck.pytesting.executors",
    ),
    "gradcheck_session_seconds": (
        {"metavar": "SECONDS", "help": "what all checks of this run may take together; the rest is inconclusive"},
        "pytest_gradcheck.pytesting.session_budget",
    ),
    "gradcheck_durations": (
        {"metavar": "N", "help": "show the N checks that took longest (0 for all)"},
        "pytest_gradcheck.pytesting.durations",
    ),
    "gradcheck_replay": (
        {"metavar": "FILE", "help": "run the one check that FILE holds, as a failure saved it"},
        "pytest_gradcheck.pytesting.replaying",
    ),
    "gradcheck_profile": (
        {"metavar": "NAME", "help": "Hypothesis profile: gradcheck-quick, gradcheck-ci or gradcheck-deep"},
        "pytest_gradcheck.pytesting.given",
    ),
    "gradcheck_modules": (
        {"metavar": "MODULES", "action": "append", "help": "check every layer of these modules or packages"},
        "pytest_gradcheck.discovery.collecting",
    ),
    "gradcheck_guess": (
        {"metavar": "HOW", "help": "layers of modules that declare no inputs: 'strict' lets a failure fail, 'off'"},
        "pytest_gradcheck.discovery.listing",
    ),
    "gradcheck_cov": (
        {"metavar": "MODULES", "action": "append", "help": "list the backwards of these modules that no test checked"},
        "pytest_gradcheck.discovery.coverage",
    ),
    "gradcheck_fail_under": (
        {"metavar": "PERCENT", "help": "fail the run where fewer of the backwards of --gradcheck-cov are checked"},
        "pytest_gradcheck.discovery.threshold",
    ),
}

#: Features that the ini file may ask for too, with the type that they have there.
IN_INI: dict[str, Literal["args", "string"]] = {
    "gradcheck_executor": "string",
    "gradcheck_session_seconds": "string",
    "gradcheck_modules": "args",
    "gradcheck_guess": "string",
    "gradcheck_cov": "args",
    "gradcheck_fail_under": "string",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare every scalar setting and every feature, on the command line and in the ini file."""
    group = parser.getgroup("gradcheck", "gradient checks")
    types: dict[type, Literal["float", "int", "string"]] = {float: "float", int: "int", str: "string"}
    for word, kind in SCALARS.items():
        # No `type=`: argparse would answer a wrong value with its whole usage text.
        told = f"setting {word!r}"
        _add(group, f"gradcheck_{word}", {"metavar": word.upper(), "help": told})
        parser.addini(f"gradcheck_{word}", f"{told} of every gradient check", types[kind], default=None)
    for name, (declared, _) in FEATURES.items():
        _add(group, name, declared)
    for name, type_ in IN_INI.items():
        parser.addini(name, f"as {_option(name)}", type_, default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Read every option once; a wrong one is a usage error, and ends the session with one line."""
    config.addinivalue_line(
        "markers",
        "gradcheck(**settings): settings of the gradient checks in this test, class or module; "
        "a test that returns `layer, *inputs` has that layer checked.",
    )
    config.stash[SOURCES] = (
        _read("--gradcheck-", lambda word: config.getoption(f"gradcheck_{word}")),
        _read("gradcheck_", lambda word: _ini(config, f"gradcheck_{word}")),
    )
    config.stash[RESULTS] = Results()
    if config.getoption("dist", "no") != "no":
        import_module("pytest_gradcheck.pytesting.xdist").register(config)
    for name, (_, home) in FEATURES.items():
        value = config.getoption(name)
        if value is None and name in IN_INI:
            value = _ini(config, name)
        if value is not None:
            import_module(home).register(config, value)


def _add(group: pytest.OptionGroup, name: str, declared: dict[str, Any]) -> None:
    # Where `dest` is not given pytest compares it with those of all options there are, once for each of ours.
    group.addoption(_option(name), dest=name, default=None, **declared)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _read(prefix: str, given: Any) -> dict[str, Any]:
    values = {word: value for word in SCALARS if (value := given(word)) is not None}
    if not values:
        return {}
    from .settings import cast

    try:
        return {word: cast(word, value, _spelled(prefix, word)) for word, value in values.items()}
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def _ini(config: pytest.Config, name: str) -> Any:
    try:
        return config.getini(name)
    except (ValueError, TypeError, pytest.UsageError) as error:
        # Not every one of pytest's own sentences says which word it is about.
        raise pytest.UsageError(f"{name} in the ini file: {error}") from None


def _spelled(prefix: str, word: str) -> str:
    return prefix + (word.replace("_", "-") if prefix.startswith("-") else word)


def pytest_plugin_registered(plugin: object, manager: pytest.PytestPluginManager) -> None:
    """Forward marked implementations of our hooks: a conftest reaches pytest's own manager only."""
    home = plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__
    # pytest's own plugins are the most; our own fixture has such a name too.
    if home.startswith("_pytest.") or home == __name__:
        return
    # Most others are modules, and `dir` would sort what they hold.
    names = vars(plugin) if isinstance(plugin, ModuleType) else dir(plugin)
    if any(name.startswith("gradcheck_") for name in names):
        import_module("pytest_gradcheck.hooks").forward(plugin, manager)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Begin to gather what is checked, where there are tests: here, or with other processes that collect their own."""
    if session.testscollected or session.config.getoption("dist", "no") != "no":
        session.config.pluginmanager.register(session.config.stash[RESULTS], "gradcheck-results")
    return (yield)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take back what this session forwarded: another one may follow in the same process."""
    if (hooks := sys.modules.get("pytest_gradcheck.hooks")) is not None:
        hooks.withdraw(config.pluginmanager)
    if (named := sys.modules.get("pytest_gradcheck.workers.named")) is not None:
        named.close_all()


@pytest.fixture(scope="session")
def gradcheck(pytestconfig: pytest.Config) -> GradCheck:
    """Check a layer's declared backward: `gradcheck(layer, *inputs)` returns the report or fails the test."""
    # The core is loaded here and not at the first call, where a deadline of Hypothesis would catch it.
    from .pytesting.fixture import make

    return make(pytestconfig)


@pytest.fixture
def gradcheck_case(request: pytest.FixtureRequest, gradcheck: GradCheck) -> Generator[Callable[[], None]]:
    """One clause of one layer, for a test decorated with `parametrize_layers`: `gradcheck_case()` judges it."""
    from .suites import judging

    yield judging.bound(request)
    judging.finished(request)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Say which test runs, so that the fixture need not be function-scoped (Hypothesis refuses those)."""
    item.config.stash[CURRENT] = item
    try:
        return (yield)
    finally:
        del item.config.stash[CURRENT]


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> None:
    """Make a Hypothesis test of a function marked `given=`: only now would it accept `@settings`."""
    if isinstance(obj, FunctionType):
        for mark in vars(obj).get("pytestmark", ()):
            if mark.name == MARKER and "given" in mark.kwargs:
                import_module("pytest_gradcheck.pytesting.given").collected(collector, name, obj, mark)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin the record of a test that uses the plugin, and refuse a marker that cannot be meant."""
    if "gradcheck" in getattr(item, "fixturenames", ()) or item.get_closest_marker(MARKER):
        import_module("pytest_gradcheck.pytesting.marker").set_up(item)


def has_own_marker(item: pytest.Item) -> bool:
    """Whether the test itself is marked; a marker on its class or module is settings only."""
    return isinstance(item, pytest.Function) and any(mark.name == MARKER for mark in item.own_markers)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Take the layer that a marked test returns, and check it."""
    if RUNNING not in pyfuncitem.stash:
        return (yield)
    from .pytesting.returned import around

    return (yield from around(pyfuncitem, pyfuncitem.stash[RUNNING]))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the checks on the report, as plain records: it may travel to another process.

    Outermost, so that the report's outcome is the last word: xfail turns a failure into a skip.
    """
    report = yield
    if RUNNING in item.stash:
        item.stash[RUNNING].attach(report)
    return report


class Results:
    """Every check of the session as a plain record, gathered from the reports, wherever the tests ran."""

    def __init__(self) -> None:
        self.checks: dict[tuple[str, int], dict[str, Any]] = {}

    def add(self, check: dict[str, Any]) -> None:
        """Keep one record; a test that is run again replaces its earlier ones."""
        self.checks[check["nodeid"], check["call"]] = check

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the records off every report that comes by."""
        for check in getattr(report, "gradcheck_checks", ()):
            self.add(check)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Sum up, where anything was checked."""
        if self.checks:
            import_module("pytest_gradcheck.pytesting.summary").write(terminalreporter, list(self.checks.values()))
