"""Tables of the documentation name everything there is, and nothing else."""

from __future__ import annotations

import re

import pytest_gradcheck.errors
from pytest_gradcheck.contract import CLAUSES
from pytest_gradcheck.plugin import FEATURES
from pytest_gradcheck.pytesting.records import record_without_report
from pytest_gradcheck.settings import NAMES
from tests.docs.pages import BLOCK, ROOT


def first_column(page: str) -> list[str]:
    """The words in backticks that begin the rows of a page's tables."""
    rows = re.findall(r"^\| (`[^|]*`) \|", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE)
    return [word for row in rows for word in re.findall(r"`([\w-]+)`", row)]


def test_every_clause_is_listed() -> None:
    assert first_column("howto/contract.md") == list(CLAUSES)


def test_every_setting_is_listed() -> None:
    assert sorted(first_column("howto/settings.md")) == sorted(NAMES)


def test_every_setting_has_an_example() -> None:
    page = (ROOT / "docs" / "howto" / "settings.md").read_text(encoding="utf-8")
    examples = "".join(code for _, code in BLOCK.findall(page))
    shown = {word for word in NAMES if re.search(rf"[(, ]{word}=", examples)}
    # Only float32 layers take it; they have a page of their own.
    assert set(NAMES) - shown == {"precision"}
    assert "precision=" in (ROOT / "docs" / "howto" / "precision.md").read_text(encoding="utf-8")


def test_every_option_is_listed() -> None:
    assert sorted(first_column("reference.md")) == sorted("--" + name.replace("_", "-") for name in FEATURES)


def test_every_public_name_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    # Errors are drawn from their module; the decorator stands in the text.
    errors = set(vars(pytest_gradcheck.errors))
    missing = [name for name in pytest_gradcheck.__all__ if name not in errors and not re.search(rf"\b{name}\b", page)]
    assert missing == []


def test_every_page_can_be_reached() -> None:
    docs = ROOT / "docs"
    listed = re.findall(r"^[\w/-]+$", (docs / "index.md").read_text(encoding="utf-8"), re.MULTILINE)
    pages = {
        path.relative_to(docs).with_suffix("").as_posix() for path in docs.glob("**/*.md") if "_build" not in path.parts
    }
    assert pages - {"index"} == set(listed)


def test_every_key_of_the_json_file_is_listed() -> None:
    assert sorted(first_column("howto/ci.md")) == sorted(record_without_report("", 1, "", "", ""))


def test_every_module_stands_in_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^  ([\w/]+(?:\.py)?) +\S", page, re.MULTILINE))
    package = ROOT / "pytest_gradcheck"
    there = {path.name for path in package.glob("*.py")}
    there |= {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    assert there - listed == set()
    assert {name for name in listed if name.endswith((".py", "/"))} - there == set()
