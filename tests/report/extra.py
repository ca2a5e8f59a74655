"""Tests that draw a page are left out where the extra `report` is not installed."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

needs_extra = pytest.mark.skipif(
    not all(map(find_spec, ("jinja2", "matplotlib"))), reason="the extra pytest-gradcheck[report] is not installed"
)
