"""All that is said about pytest-xdist: lost workers, and the names it gives to grouped tests.

Everything else travels by itself: options go to the workers, records come back on the reports.
"""

from __future__ import annotations

import pytest

from pytest_gradcheck.plugin import RESULTS, Results

from .records import record_without_report


def register(config: pytest.Config) -> None:
    """Watch the workers of this session; called in the controlling process only."""
    config.pluginmanager.register(LostWorkers(config.stash[RESULTS]), "gradcheck-xdist")


def without_group(item: pytest.Item) -> str:
    """The test's id as in its file: under `--dist loadgroup` the worker has added "@" and the group's name."""
    groups = {str((*mark.args, *mark.kwargs.values(), "default")[0]) for mark in item.iter_markers("xdist_group")}
    return item.nodeid.removesuffix("@" + "_".join(sorted(groups))) if groups else item.nodeid


class LostWorkers:
    """Notices tests that were to check a gradient and whose worker died in them."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._open: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that uses the plugin carries our attribute from its set-up on."""
        if report.when == "teardown":
            self._open.discard(report.nodeid)
        elif hasattr(report, "gradcheck_checks"):
            self._open.add(report.nodeid)

    def pytest_handlecrashitem(self, crashitem: str) -> None:
        """Record the lost check as one without a verdict: nothing is known of its gradient."""
        if crashitem in self._open:
            message = "worker lost: the process died in this test, so nothing is known of its gradient"
            self._results.add(record_without_report(crashitem, 1, "", "inconclusive", message))
