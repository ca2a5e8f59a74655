"""The page: its tables are those of a run, and its numbers those of the tables."""

from __future__ import annotations

import re
from importlib.util import find_spec

from benchmarks.real_packages.base import PACKAGES
from benchmarks.real_packages.outcome import Row
from benchmarks.real_packages.page import PAGE, TABLE, filled
from benchmarks.real_packages.run import Result

TEXT = PAGE.read_text(encoding="utf-8")


def test_every_package_has_its_failures_and_its_counts() -> None:
    names = TABLE.findall(TEXT)
    assert names == ["counts", *(f"failures {name}" for name in PACKAGES), "open", "settings", "unchecked"]


def test_nothing_is_unexplained_and_everything_is_confirmed() -> None:
    assert "UNEXPLAINED" not in TEXT
    assert "not confirmed" not in TEXT


def test_counts_add_up() -> None:
    lines = re.findall(r"^\| [^|]+ \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|", TEXT, re.MULTILINE)
    assert len(lines) == len(PACKAGES) + 5
    for line in lines:
        found, checked, passed, failed, undecided, unchecked = map(int, line)
        assert found == checked + unchecked
        assert checked == passed + failed + undecided


def test_a_run_fills_the_tables() -> None:
    rows = (Row("jax_nn", "relu", "", "fail", "x: sign", ("sign",), settings=(("seed", "1", "why not"),)),)
    result = Result("jax_nn", "jax.nn", "1.0", (("relu", "function"),), {"one_hot": "integers"}, rows)
    page = filled(TEXT, [result])
    assert "| **jax.nn** 1.0 | 1 | 1 | 0 | 1 | 0 | 0 | 1 |" in page
    assert "| jax.nn | relu | fail | x: sign |" in page
    assert "| jax.nn | relu | `seed` | why not |" in page
    assert "| jax.nn | one_hot | integers |" in page
    assert "failures numpy_ml" in page


def test_commands_of_the_page_exist() -> None:
    modules = set(re.findall(r"python -m (benchmarks[\w.]*)", TEXT))
    assert modules == {"benchmarks.real_packages", "benchmarks.real_packages.confirm"}
    assert all(find_spec(m) for m in modules)
