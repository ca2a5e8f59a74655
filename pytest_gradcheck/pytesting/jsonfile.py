"""`--gradcheck-json=PATH`: every check of a run, in one file.

The file is one object: `format` ("pytest-gradcheck"), `version` (of this layout: a whole number that grows when a
key changes its meaning or goes away, and stays when one is added), `totals` (number of checks by verdict) and
`checks`, sorted by test and number: the records of `records.py`, each with its whole report. NaN and infinity, which
JSON does not have, are the words "nan", "inf" and "-inf".
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_gradcheck.plugin import RESULTS
from pytest_gradcheck.verdict import plain

from .records import VERDICTS, Record

VERSION = 1


def register(config: pytest.Config, value: str) -> None:
    """Write the file at the end of this session, unless this is a worker of xdist."""
    if hasattr(config, "workerinput"):
        return
    path = config.invocation_params.dir / Path(value).expanduser()
    if not value or path.is_dir():
        raise pytest.UsageError(f"--gradcheck-json is {value!r}: give the path of a file")
    config.pluginmanager.register(JsonFile(path), "gradcheck-json")


class JsonFile:
    """Writes the file, and says where it is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._said = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write what was gathered; a file that cannot be written fails the run, but hides no result."""
        try:
            write(self._path, document(list(session.config.stash[RESULTS].checks.values())))
        except OSError as error:
            self._said = f"--gradcheck-json: {self._path} could not be written: {error.strerror}"
            session.exitstatus = session.exitstatus or pytest.ExitCode.USAGE_ERROR
        else:
            self._said = f"gradient checks written to {self._path}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One line, as pytest does for its own files."""
        terminalreporter.write_sep("-", self._said)


def document(checks: Sequence[Record]) -> dict[str, Any]:
    """The file's content."""
    count = Counter(check["verdict"] for check in checks)
    return {
        "format": "pytest-gradcheck",
        "version": VERSION,
        "totals": {verdict: count[verdict] for verdict in VERDICTS},
        "checks": sorted(checks, key=lambda check: (check["nodeid"], check["call"])),
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Write atomically: a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(plain(content), file, indent=1, allow_nan=False)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
