"""Fills the tables of docs/benchmarks.md and draws its plots, from results."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.speed.plots import draw
from benchmarks.speed.results import Results
from benchmarks.speed.told import TABLES, markdown

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
TABLE = re.compile(r"<!-- table: (\w+) -->\n.*?<!-- end of table -->\n", re.DOTALL)


def filled(page: str, results: Results) -> str:
    """The page with every table made anew."""
    return TABLE.sub(
        lambda found: f"<!-- table: {found[1]} -->\n\n{made(results, found[1])}\n<!-- end of table -->\n", page
    )


def made(results: Results, name: str) -> str:
    """A table, or the line that tells what was compared."""
    if name == "versions":
        return ", ".join(f"{what} {number}" for what, number in results.versions.items()) + "\n"
    return markdown(results, name)


def write(results: Results) -> None:
    """Write the page and its plots."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
    draw(results)


__all__ = ["PAGE", "TABLE", "TABLES", "filled", "write"]
