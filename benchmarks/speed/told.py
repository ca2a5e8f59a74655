"""The tables: each a heading and rows of words, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log10

from benchmarks.corpus.run import US
from benchmarks.corpus.tables import share, table
from benchmarks.speed.results import Results, Size

Table = tuple[list[str], list[list[str]]]
NOT_HERE = "not installed"


def number(value: float) -> str:
    """Two digits, as people write them: 0.0012, 0.85, 8.1, 1,200."""
    if value == 0:
        return "0"
    if value >= 100:
        return f"{float(f'{value:.2g}'):,.0f}"
    return f"{float(f'{value:.2g}'):.10f}".rstrip("0").rstrip(".") if value >= 1e-4 else f"{value:.0e}"


def power(entries: int) -> str:
    """10^6, or the number where it is no power of ten."""
    exponent = round(log10(entries))
    return f"10^{exponent}" if 10**exponent == entries else f"{entries:,}"


def checkers(results: Results, rows: Sequence[object]) -> list[str]:
    """Those of some rows in their order, then those that are not installed."""
    return [*dict.fromkeys(row.checker for row in rows), *results.missing]  # type: ignore[attr-defined] # rows of any table


def by_size(results: Results, cell: Callable[[Size], str]) -> Table:
    """One row per checker, one column per size; a checker that was stopped says so once."""
    columns = sorted({size.entries for size in results.sizes})
    rows = []
    for checker in checkers(results, results.sizes):
        mine = {size.entries: size for size in results.sizes if size.checker == checker}
        cells = [cell(mine[n]) if n in mine else "" for n in columns]
        rows.append([checker, *([NOT_HERE, *cells[1:]] if checker in results.missing else cells)])
    return ["entries", *map(power, columns)], rows


def times(results: Results) -> Table:
    """Time over ours at each size, and ours over the layer's own calls."""

    def cell(size: Size) -> str:
        if size.verdict == "timeout":
            return f"over {results.limit:g} s"
        said = "-" if size.ratio is None else number(size.ratio)
        return said if size.verdict == "pass" else f"{said} ({size.verdict})"

    head, rows = by_size(results, cell)
    columns = sorted({size.entries for size in results.sizes})
    return head, [*rows, ["ours over its calls alone", *(number(results.bare[str(n)]) for n in columns)]]


def evaluations(results: Results) -> Table:
    """Forward evaluations at each size."""

    def cell(size: Size) -> str:
        return "" if size.verdict == "timeout" else f"{size.evaluations:,}"

    return by_size(results, cell)


def caught(results: Results) -> Table:
    """Bugs caught and false alarms on the corpus."""
    head = ["checker", "bugs caught", "false alarms", "evaluations", "time over ours"]
    rows = [
        [
            row.checker,
            share(row.caught, row.wrong),
            share(row.refused, row.right),
            str(row.evaluations),
            "-" if row.ratio is None else number(row.ratio),
        ]
        for row in results.caught
    ]
    return head, rows + absent(results, len(head))


def sharp(results: Results) -> Table:
    """The smallest error that is caught."""
    columns = sorted({row.entries for row in results.sharp})
    found = {(row.checker, row.entries): row for row in results.sharp}
    rows = []
    for checker in dict.fromkeys(row.checker for row in results.sharp):
        cells = [found[checker, n] for n in columns]
        rows.append([checker, *(row.said or ("none" if row.error is None else f"{row.error:.0e}") for row in cells)])
    return ["entries", *map(power, columns)], rows + absent(results, 1 + len(columns))


def memory(results: Results) -> Table:
    """Peak memory in arrays of the layer's size."""
    columns = sorted({row.entries for row in results.memory})
    found = {(row.checker, row.entries): row.arrays for row in results.memory}

    def cell(arrays: float | None) -> str:
        return f"over {results.limit:g} s" if arrays is None else number(round(max(arrays, 0.0), 1))

    rows = [
        [checker, *(cell(found[checker, n]) for n in columns)]
        for checker in dict.fromkeys(row.checker for row in results.memory)
    ]
    return ["entries", *map(power, columns)], rows + absent(results, 1 + len(columns))


def absent(results: Results, width: int) -> list[list[str]]:
    """A row for each checker that is not installed."""
    return [[checker, NOT_HERE, *[""] * (width - 2)] for checker in results.missing]


#: What is printed, and filled into the page, in this order.
TABLES: dict[str, tuple[str, Callable[[Results], Table]]] = {
    "caught": ("bugs caught and false alarms, on the corpus", caught),
    "sharpness": ("smallest relative error in one entry that is caught", sharp),
    "evaluations": ("forward evaluations, a right layer", evaluations),
    "time": ("time over ours, the same layer", times),
    "memory": ("peak memory beyond the layer's own, in arrays of its size", memory),
}


def text(results: Results) -> str:
    """Every table that has rows, for the terminal."""
    parts = [", ".join(f"{name} {number}" for name, number in results.versions.items())]
    for title, made in TABLES.values():
        head, rows = made(results)
        if any(row[0] not in results.missing and row[0] != "ours over its calls alone" for row in rows):
            parts.append(f"{title}:\n{table(head, rows)}")
    parts += [f"{checker}: {sentence}" for checker, sentence in results.missing.items()]
    return "\n\n".join(parts)


def markdown(results: Results, name: str) -> str:
    """One table for the page, our own line in bold."""
    head, rows = TABLES[name][1](results)
    head = [superscript(cell) for cell in head]
    rows = [[f"**{cell}**" if cell == US else cell for cell in row] for row in rows]
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def superscript(cell: str) -> str:
    """10^6 as 10⁶."""
    base, caret, exponent = cell.partition("^")
    return base + exponent.translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")) if caret else cell
