"""`--gradcheck-report=DIR`: the page of a run, written once at its end by the process that reports."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from pytest_gradcheck.plugin import RESULTS

MISSING = "--gradcheck-report needs {}: install the extra, as in pip install 'pytest-gradcheck[report]'"


def register(config: pytest.Config, value: str | bool) -> None:
    """Write the page at the end of this session, unless this is a worker of xdist; or find fault with the options."""
    if value is True:
        if config.getoption("gradcheck_report", None) is None:
            raise pytest.UsageError(
                "--gradcheck-report-all says what is drawn on a page: give --gradcheck-report=DIR too"
            )
        return
    folder = (config.invocation_params.dir / Path(str(value)).expanduser()).absolute()
    if not value or folder.is_file():
        raise pytest.UsageError(f"--gradcheck-report is {value!r}: give the path of a folder")
    # Workers of xdist run elsewhere, and must find the same folder.
    config.option.gradcheck_report = str(folder)
    if hasattr(config, "workerinput"):
        return
    if missing := [name for name in ("jinja2", "matplotlib") if find_spec(name) is None]:
        raise pytest.UsageError(MISSING.format(" and ".join(missing)))
    config.pluginmanager.register(Pages(folder), "gradcheck-pages")


class Pages:
    """Writes the page and its JSON file, and says where they are."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._began = folder, time.time()
        self._said = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write what was gathered; a page that cannot be written fails the run, but hides no result."""
        from pytest_gradcheck.report.page import write

        checks = list(session.config.stash[RESULTS].checks.values())
        command = " ".join(["pytest", *map(str, session.config.invocation_params.args)])
        try:
            page = write(self._folder, checks, command=command, began=self._began)
        except Exception as error:
            # Whatever goes wrong with a picture must not take the results of the session with it.
            why = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            self._said = f"--gradcheck-report: {self._folder} could not be written: {why}"
            session.exitstatus = session.exitstatus or pytest.ExitCode.USAGE_ERROR
        else:
            self._said = f"gradient checks shown in {page}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One line, as pytest does for its own files."""
        terminalreporter.write_sep("-", self._said)
