"""Fills the tables of docs/real-packages.md from results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.real_packages import told
from benchmarks.real_packages.confirm import Breaks, all_of
from benchmarks.real_packages.run import Result

PAGE = Path(__file__).parents[2] / "docs" / "real-packages.md"
TABLE = re.compile(r"<!-- table: ([\w ]+) -->\n.*?<!-- end of table -->\n", re.DOTALL)


def filled(page: str, results: Sequence[Result]) -> str:
    """The page with every table made anew; those of packages that were not run stay as they are."""
    tables = {
        "counts": told.counts_table(results),
        "settings": told.settings_table(results),
        "unchecked": told.unchecked_table(results),
        "open": told.open_table(results),
        **{f"failures {result.package}": told.failures_table(result, by_hand(result.package)) for result in results},
    }

    def table(found: re.Match[str]) -> str:
        made = tables.get(found[1])
        return found[0] if made is None else f"<!-- table: {found[1]} -->\n\n{made}\n<!-- end of table -->\n"

    return TABLE.sub(table, page)


def by_hand(package: str) -> dict[str, str]:
    """What the confirmation of each failure showed, in a cell of a table."""
    return {label: cell(shown) for label, shown in all_of(package).items() if shown.confirmed}


def cell(shown: object) -> str:
    words = str(shown).split(": ")[0] if isinstance(shown, Breaks) and "Error" in str(shown) else str(shown)
    return words.replace(", formula", "; formula").replace(", measured", "; measured")


def write(results: Sequence[Result]) -> None:
    """Write the page."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
