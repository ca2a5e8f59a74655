"""The plots of the page, as SVG: against the number of entries, one line per checker."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.corpus.run import US
from benchmarks.speed.results import Results, Size

STATIC = Path(__file__).parents[2] / "docs" / "_static"
#: So that a plot of the same numbers is the same file.
STILL: dict[Any, Any] = {"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.family": "sans-serif"}

PLOTS: dict[str, tuple[str, Callable[[Size], float | None]]] = {
    "benchmark-evaluations": ("forward evaluations", lambda size: size.evaluations or None),
    "benchmark-time": ("time over ours", lambda size: size.ratio),
}


def drawn(results: Results, name: str) -> str:
    """One plot as SVG text."""
    import matplotlib
    from matplotlib.figure import Figure

    title, height = PLOTS[name]
    with matplotlib.rc_context(STILL):
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        for checker in dict.fromkeys(size.checker for size in results.sizes):
            points = [(s.entries, height(s)) for s in results.sizes if s.checker == checker and s.verdict != "timeout"]
            shown = [(n, y) for n, y in points if y is not None]
            style = {"color": "black", "linewidth": 2.5, "zorder": 3} if checker == US else {"linewidth": 1.2}
            axes.loglog([n for n, _ in shown], [y for _, y in shown], marker="o", markersize=3, label=checker, **style)
        axes.set_xlabel("entries")
        axes.set_ylabel(title)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize="small")
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=False)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def draw(results: Results) -> None:
    """Write every plot."""
    for name in PLOTS:
        (STATIC / f"{name}.svg").write_text(drawn(results, name), encoding="utf-8")
