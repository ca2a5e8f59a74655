"""The error map: where in an argument the wrong entries are, on a grid that fits a picture or a screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .entries import Witness, witnesses

if TYPE_CHECKING:
    from pytest_gradcheck.checking import Check

#: Cells of a picture, down and across.
MOST_CELLS = 64
#: Characters of a map in text.
MOST_LINES, MOST_CHARACTERS = 12, 64
#: Maps in one message.
MOST_MAPS = 2

#: One letter for what a cell holds, in the order in which one hides the other: nothing, entries that agree in a block
#: or were not looked at, entries measured alone.
LETTERS = " .?rukw"
STATES = {"right": "r", "undecided": "u", "kink": "k", "wrong": "w"}


@dataclass(frozen=True, slots=True)
class Grid:
    """How an array is laid out in two dimensions: the last axis across, all others down; one axis alone is wrapped."""

    down: int
    across: int
    rows: int
    columns: int

    @classmethod
    def of(cls, shape: tuple[int, ...], most_rows: int, most_columns: int) -> Grid:
        """The grid of an array of this shape, pooled where it has more cells than fit."""
        size = int(np.prod(shape, dtype=np.int64))
        if len(shape) < 2:
            across = min(size, most_columns)
            down = -(-size // across) if across else 0
        else:
            across = shape[-1]
            down = size // across if across else 0
        return cls(down, across, min(down, most_rows), min(across, most_columns))

    def cells(self, positions: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """The cell, counted row by row, of each flat position."""
        down, across = np.divmod(positions, max(1, self.across))
        cells: npt.NDArray[np.intp] = down * self.rows // max(
            1, self.down
        ) * self.columns + across * self.columns // max(1, self.across)
        return cells


def map_of(witness: Witness, most_rows: int = MOST_CELLS, most_columns: int = MOST_CELLS) -> dict[str, Any]:
    """The error map: `states`, one letter per cell, and `errors`, the largest |declared - numeric| measured in it.

    `scale` is the size to which errors are compared: the largest |numeric| that was measured.
    """
    grid = Grid.of(witness.shape, most_rows, most_columns)
    rank = np.zeros(grid.rows * grid.columns, np.intp)
    # Every entry that exists shows at least as unmeasured; only a wrapped line leaves cells without one.
    there = np.unique(grid.cells(np.arange(witness.size))) if witness.size <= 1 << 20 else np.arange(rank.size)
    rank[there] = LETTERS.index("." if witness.known else "?")
    errors = np.full(rank.size, np.nan)
    if witness.measured:
        cells = grid.cells(np.array([m.position for m in witness.measured], np.intp))
        np.maximum.at(rank, cells, [LETTERS.index(STATES[m.state]) for m in witness.measured])
        for cell, m in zip(cells, witness.measured, strict=True):
            errors[cell] = np.fmax(errors[cell], abs(m.declared - m.numeric))
    sizes = [abs(m.numeric) for m in witness.measured if np.isfinite(m.numeric)]
    return {
        "down": grid.down, "across": grid.across, "rows": grid.rows, "columns": grid.columns,
        "states": "".join(LETTERS[r] for r in rank),
        "errors": [None if np.isnan(e) else float(e) for e in errors],
        "scale": max(sizes, default=0.0),
    }  # fmt: skip


def as_text(witness: Witness) -> list[str]:
    """The error map as lines of text, with what its signs mean."""
    drawn = map_of(witness, MOST_LINES, MOST_CHARACTERS)
    columns, scale = drawn["columns"], drawn["scale"] or 1.0
    cells = [sign(s, e, scale) for s, e in zip(drawn["states"], drawn["errors"], strict=True)]
    lines = ["".join(cells[at : at + columns]).rstrip() for at in range(0, len(cells), columns or 1)]
    pooled = drawn["rows"] * drawn["columns"] < drawn["down"] * drawn["across"]
    each = ", the worst of several entries in each place" if pooled else ""
    legend = "# wrong by 10 % of the largest or more, 1 to 9 wrong by 1e-1 to 1e-9 of it, . right"
    legend += ", k kink" if "k" in cells else ""
    legend += ", ? not looked at" if "?" in cells else ""
    legend += ", u not decided" if "u" in cells else ""
    title = f"error map of {witness.name} {list(witness.shape)}{each}:"
    return [title, *(f"  {line}" for line in lines), f"  {legend}"]


def sign(state: str, error: float | None, scale: float) -> str:
    """The character of one cell."""
    if state != "w":
        return {"r": "."}.get(state, state)
    if error is None or not error / scale < 0.1:
        return "#"
    return str(min(9, max(1, round(-np.log10(error / scale))))) if error > 0 else "9"


def text_of(check: Check) -> list[str]:
    """The error maps of the wrong arguments of a check, as text; never raises."""
    try:
        wrong = [witness for witness in witnesses(check) if witness.verdict == "fail"]
        return [line for witness in wrong[:MOST_MAPS] for line in as_text(witness)]
    except Exception as error:
        return [f"no error map: {type(error).__name__}"]
