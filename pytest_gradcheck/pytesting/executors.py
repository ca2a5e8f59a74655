"""`--gradcheck-executor=NAME`: the same as the setting `executor`, for every check of a run."""

from __future__ import annotations

import pytest

from pytest_gradcheck.errors import InvalidInput
from pytest_gradcheck.plugin import SOURCES


def register(config: pytest.Config, value: str) -> None:
    """Put the name among the settings; it is opened by the first check. A name that nobody knows ends the session."""
    from pytest_gradcheck.workers.named import require

    in_ini = config.getoption("gradcheck_executor") is None
    try:
        require(value)
    except InvalidInput as error:
        word = "gradcheck_executor in the ini file" if in_ini else "--gradcheck-executor"
        raise pytest.UsageError(str(error).replace("executor", word, 1)) from None
    config.stash[SOURCES][in_ini]["executor"] = value
