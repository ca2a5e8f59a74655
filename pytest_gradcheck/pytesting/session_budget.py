"""`--gradcheck-session-seconds=S`: what all checks of a session may take together.

The check in which the time ends, and all after it, are inconclusive: they cover what they covered. Each process
counts for itself, so that with `pytest -n 2` twice the time may be spent. Examples of Hypothesis are not cut short.
"""

from __future__ import annotations

import pytest

from pytest_gradcheck.errors import InvalidInput
from pytest_gradcheck.plugin import RESULTS
from pytest_gradcheck.settings import Settings, positive

#: What is granted to a check when nothing is left: no forward begins.
NOTHING = 1e-9


class SessionBudget:
    """The seconds granted, and those that checks of this process have taken."""

    def __init__(self, granted: float) -> None:
        self.granted, self.spent = granted, 0.0

    def limited(self, settings: Settings) -> Settings:
        """The settings of the next check, which gets no more than is left."""
        left = max(NOTHING, self.granted - self.spent)
        own = settings.max_seconds
        return settings.merged({"max_seconds": left if own is None else min(own, left)})

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """Say it where the time has ended."""
        if sum(check["seconds"] for check in config.stash[RESULTS].checks.values()) >= self.granted:
            terminalreporter.line(
                f"the {self.granted:g} s of --gradcheck-session-seconds are spent: the rest is inconclusive"
            )


BUDGET = pytest.StashKey[SessionBudget]()


def register(config: pytest.Config, value: str) -> None:
    """Grant the seconds; what is no number larger than zero ends the session with one line."""
    try:
        granted = float(value)
        positive("--gradcheck-session-seconds", granted)
    except InvalidInput as error:
        raise pytest.UsageError(str(error)) from None
    except ValueError:
        raise pytest.UsageError(f"--gradcheck-session-seconds is {value!r}: give a number of seconds") from None
    config.stash[BUDGET] = SessionBudget(granted)
    config.pluginmanager.register(config.stash[BUDGET], "gradcheck-session-budget")


def limited(config: pytest.Config, settings: Settings) -> Settings:
    """The settings of the next check within the session's budget, if it has one."""
    budget = config.stash.get(BUDGET, None)
    return settings if budget is None else budget.limited(settings)


def spend(config: pytest.Config, seconds: float) -> None:
    """Count what a check has taken."""
    if (budget := config.stash.get(BUDGET, None)) is not None:
        budget.spent += seconds
