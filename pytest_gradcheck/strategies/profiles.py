"""Profiles: how many examples, chosen by `--gradcheck-profile` and by nothing else."""

from __future__ import annotations

from typing import Any

import hypothesis

from pytest_gradcheck.errors import InvalidInput

#: Name -> what it changes in the profile that the user has loaded.
PROFILES: dict[str, dict[str, Any]] = {
    "gradcheck-quick": {"max_examples": 25},
    "gradcheck-ci": {"max_examples": 200, "derandomize": True},
    "gradcheck-deep": {"max_examples": 5000},
}


def load_profile(name: str) -> None:
    """Make a profile Hypothesis's default for this process; everything that it does not name stays the user's.

    "gradcheck-quick" runs 25 examples, "gradcheck-ci" 200, the same in every run, "gradcheck-deep" 5,000.
    Raises InvalidInput for another name.
    """
    if name not in PROFILES:
        raise InvalidInput(f"there is no profile {name!r}: give one of {', '.join(PROFILES)}")
    changes = dict(PROFILES[name])
    if changes.get("derandomize"):
        # Hypothesis refuses a database beside it: what was found once is found again anyway.
        changes["database"] = None
    hypothesis.settings.register_profile(name, parent=hypothesis.settings.default, deadline=None, **changes)
    hypothesis.settings.load_profile(name)
