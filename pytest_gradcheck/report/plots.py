"""The pictures of a report, drawn by matplotlib from exhibits: numbers only, names stand in the page around them."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from .svg import INKS, inlined

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Exhibit = dict[str, Any]

#: Inches and their unit in the picture; the page scales pictures to its columns.
WIDE, HIGH = 4.6, 3.3
STYLE: Any = {
    "svg.fonttype": "none", "svg.hashsalt": "gradcheck", "font.size": 10, "axes.linewidth": 0.8,
    "axes.edgecolor": INKS["muted"], "axes.labelcolor": INKS["muted"], "xtick.color": INKS["muted"],
    "ytick.color": INKS["muted"], "text.color": INKS["ink"], "axes.spines.top": False, "axes.spines.right": False,
    "grid.color": INKS["faint"], "grid.linewidth": 0.6, "legend.frameon": False, "legend.fontsize": 9,
    "text.parse_math": False, "axes.unicode_minus": True,
}  # fmt: skip
#: How a measured entry is drawn, by its state: colour, marker, the words for it.
MARKS = {
    "right": ("right", "o", "right"),
    "kink": ("kink", "D", "on a kink"),
    "undecided": ("muted", "s", "not decided"),
    "wrong": ("wrong", "o", "wrong"),
}
#: Red, green, blue of the cells of a map; how strong they are says how large the error is.
RED, GREEN, VIOLET, GREY = (0.80, 0.20, 0.16), (0.16, 0.55, 0.36), (0.50, 0.32, 0.78), (0.5, 0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture with its title and what it shows, in words."""

    title: str
    words: str
    svg: str


def pictures(argument: Exhibit, key: str) -> list[Picture]:
    """Every picture of one argument's exhibits. key: unique on the page."""
    drawn = []
    for part, title, draw, words in PARTS:
        exhibit = argument.get(part)
        for number, one in enumerate(exhibit if isinstance(exhibit, list) else [exhibit]):
            if one and one.get("position") is not None and part != "entries":
                one = {**one, "index": index_of(one["position"], argument["shape"])}
            if one and (said := words(one, argument)):
                svg = picture(partial(_drawn, draw, one), f"{key}-{part}{number}", f"{title}: {said}")
                drawn.append(Picture(title, said, svg))
    return drawn


def _drawn(draw: Callable[[Axes, Exhibit], None], exhibit: Exhibit, axes: Axes) -> None:
    draw(axes, exhibit)


def picture(draw: Callable[[Axes], object], key: str, label: str) -> str:
    """An inline SVG of what `draw` puts on axes."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDE, HIGH))
        axes = figure.add_axes((0.16, 0.16, 0.81, 0.79))
        axes.patch.set_visible(False)
        figure.patch.set_visible(False)
        draw(axes)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return inlined(out.getvalue(), key, label)


def index_of(position: int, shape: Sequence[int]) -> str:
    """An entry as it is written in code, from its position in C order: "[0, 1]"."""
    index = []
    for size in reversed(shape):
        position, rest = divmod(position, size)
        index.append(str(rest))
    return f"[{', '.join(reversed(index))}]"


def number(value: Any) -> float:
    """A number of an exhibit, in which JSON's missing ones are words."""
    return math.nan if value is None else float(value)


def numbers(values: Sequence[Any]) -> list[float]:
    """Numbers of an exhibit."""
    return [number(value) for value in values]


def _entries(axes: Axes, entries: Exhibit) -> None:
    from matplotlib.ticker import NullLocator

    declared, numeric = numbers(entries["declared"]), numbers(entries["numeric"])
    finite = [abs(v) for v in (*declared, *numeric) if math.isfinite(v)] or [1.0]
    largest = max(finite) or 1.0
    nonzero = sorted(v for v in finite if v > 0) or [1.0]
    axes.axline((0.0, 0.0), slope=1.0, color=INKS["muted"], linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    for state, (ink, marker, words) in MARKS.items():
        at = [i for i, s in enumerate(entries["state"]) if s == state]
        if at:
            axes.plot(
                [numeric[i] for i in at], [declared[i] for i in at], marker, color=INKS[ink], markersize=5,
                markeredgewidth=0, alpha=0.75, label=words, zorder=2 if state == "right" else 3,
            )  # fmt: skip
    if nonzero[len(nonzero) // 2] < 1e-3 * largest:
        least = max(nonzero[len(nonzero) // 4], 1e-12 * largest)
        axes.set_xscale("symlog", linthresh=least)
        axes.set_yscale("symlog", linthresh=least)
        for axis, values in ((axes.xaxis, numeric), (axes.yaxis, declared)):
            ticks = _signed_decades(values, least)
            axis.set_ticks(ticks, labels=[f"{tick:.0e}" if tick else "0" for tick in ticks])
            axis.set_minor_locator(NullLocator())
    else:
        axes.margins(0.08)
        axes.ticklabel_format(scilimits=(-3, 4))
        axes.locator_params(nbins=5)
    axes.grid(True)
    axes.set_xlabel("numeric")
    axes.set_ylabel("declared")
    axes.legend(loc="best", handletextpad=0.2, borderpad=0.1)


def _entries_words(entries: Exhibit, argument: Exhibit) -> str:
    states, total = entries["state"], math.prod(argument["shape"])
    if not states:
        return ""
    wrong = states.count("wrong")
    share = "every entry" if entries["measured"] >= total else f"{entries['measured']:,} of {total:,} entries"
    said = f"{share} measured alone, {wrong or 'none'} of them off the diagonal"
    return said if len(states) == entries["measured"] else f"{said}; {len(states):,} are drawn"


def _map(axes: Axes, cells: Exhibit) -> None:
    rows, columns = cells["rows"], cells["columns"]
    scale = number(cells["scale"]) or 1.0
    colors = [_shade(s, number(e) / scale) for s, e in zip(cells["states"], cells["errors"], strict=True)]
    grid = [colors[row * columns : (row + 1) * columns] for row in range(rows)]
    extent = (-0.5, cells["across"] - 0.5, cells["down"] - 0.5, -0.5)
    axes.imshow(grid, extent=extent, aspect="auto", interpolation="none")
    axes.locator_params(integer=True, nbins=8)
    axes.set_xlabel("last axis" if rows > 1 else "index")
    axes.set_ylabel("other axes" if rows > 1 else "")
    if rows == 1:
        axes.set_yticks([])
    axes.tick_params(length=0)
    if rows * columns <= 400:
        for row in range(1, rows):
            axes.axhline(row - 0.5, color=INKS["faint"], linewidth=0.6)
        for column in range(1, columns):
            axes.axvline(column - 0.5, color=INKS["faint"], linewidth=0.6)


def _shade(state: str, relative: float) -> tuple[float, float, float, float]:
    """Colour of a cell: red and the stronger the more wrong, over nine decades; green right, violet kinks."""
    if state == "w":
        decades = math.log10(relative) if 0 < relative < math.inf else 0.0
        return (*RED, 0.35 + 0.65 * min(1.0, max(0.0, 1 + decades / 9)))
    strength = {"r": (*GREEN, 0.55), ".": (*GREEN, 0.28), "k": (*VIOLET, 0.8), "u": (*GREY, 0.7), "?": (*GREY, 0.15)}
    return strength.get(state, (0.0, 0.0, 0.0, 0.0))


def _map_words(cells: Exhibit, argument: Exhibit) -> str:
    states = cells["states"]
    if not states.strip():
        return ""
    pooled = cells["rows"] * cells["columns"] < cells["down"] * cells["across"]
    wrong = states.count("w")
    what = ("place" if wrong == 1 else "places") if pooled else ("entry" if wrong == 1 else "entries")
    found = [f"{wrong:,} {what} wrong (red, the stronger the larger the error)"]
    found += [f"{states.count('k')} on a kink (violet)"] if "k" in states else []
    right = states.count("r") + states.count(".")
    found += [f"{right:,} right (green, pale where a whole block was compared at once)"] if right else []
    found += [f"{states.count('?'):,} not looked at (grey)"] if "?" in states else []
    found += ["each place shows the worst of several entries"] if pooled else []
    return "; ".join(found if wrong else found[1:])


def _sweep(axes: Axes, sweep: Exhibit) -> None:
    h, difference = numbers(sweep["h"]), numbers(sweep["difference"])
    best, declared = number(sweep["best"]), number(sweep["declared"])
    off, gap = ([_seen(abs(d - to)) for d in difference] for to in (best, declared))
    trembles = [_seen(r) for r in numbers(sweep["rounding"])]
    axes.set_xscale("log")
    axes.set_yscale("log")
    known = [v for v in (*off, *gap) if v == v] or [1.0]
    # Room above for the legend.
    low, high = min(known) / 5, max(known) * max(10.0, (max(known) / min(known)) ** 0.3)
    axes.set_ylim(low, high)
    axes.fill_between(h, low, trembles, color=INKS["muted"], alpha=0.13, linewidth=0)
    axes.text(0.03, 0.05, "rounding ~ 1/h", transform=axes.transAxes, fontsize=9, color=INKS["muted"])
    if sweep["truncation"] is not None:
        curve = [number(sweep["truncation"]) * step**2 for step in h]
        axes.fill_between(h, low, [max(c, low) for c in curve], color=INKS["numeric"], alpha=0.13, linewidth=0)
        axes.text(0.97, 0.05, "truncation ~ h²", transform=axes.transAxes, fontsize=9, color=INKS["muted"], ha="right")
    axes.plot(h, gap, "-o", color=INKS["declared"], markersize=3.2, linewidth=1.4, label="from the declared gradient")
    axes.plot(h, off, "-o", color=INKS["numeric"], markersize=3.2, linewidth=1.4, label="from the measured gradient")
    axes.grid(True)
    axes.set_xlabel("step h")
    axes.set_ylabel("distance of the difference")
    axes.legend(loc="upper right", handlelength=1.4, borderpad=0.1)
    axes.minorticks_off()
    axes.set_xticks(_decades(min(h), max(h)), labels=map(_power, _decades(min(h), max(h))))
    axes.set_yticks(_decades(low, high), labels=map(_power, _decades(low, high)))


def _decades(low: float, high: float, most: int = 8) -> list[float]:
    """At most so many powers of ten between two numbers."""
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    return [10.0**power for power in range(first, last + 1, max(1, math.ceil((last - first) / (most - 1))))]


def _signed_decades(values: Sequence[float], least: float) -> list[float]:
    """Zero, and at most three powers of ten to each side on which there are values beyond the least."""
    ticks = [0.0]
    for sign in (1.0, -1.0):
        largest = max((sign * v for v in values if math.isfinite(v)), default=0.0)
        ticks += [sign * power for power in _decades(least, largest, 3)] if largest > least else []
    return sorted(ticks)


def _power(value: float) -> str:
    # Written with the signs there are for it: matplotlib's own mathematics costs most of the time of a picture.
    return "10" + str(round(math.log10(value))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _seen(size: float) -> float:
    """A size that a logarithmic axis can show."""
    return size if 0 < size < math.inf else math.nan


def _sweep_words(sweep: Exhibit, argument: Exhibit) -> str:
    best, declared = number(sweep["best"]), number(sweep["declared"])
    off = [abs(number(d) - best) for d in sweep["difference"]]
    near = min((e for e in off if e == e), default=math.nan)
    what = "all entries along one direction" if sweep["position"] is None else f"entry {sweep['index']}"
    told = f"central differences of {what} meet the measured gradient {best:.6g} to {near:.1g}"
    apart = abs(declared - best)
    if apart > 10 * max(number(sweep["bar"]), near):
        return f"{told}; from the declared {declared:.6g} they stay {apart:.1g} away at every good step"
    return f"{told}; the declared is {declared:.6g}"


def _slopes(axes: Axes, slopes: Exhibit) -> None:
    t, change = numbers(slopes["t"]), numbers(slopes["change"])
    low, high, declared = (number(slopes[name]) for name in ("low", "high", "declared"))
    lower, upper = ([k * x for x in t] for k in (low, high))
    axes.fill_between(t, lower, upper, color=INKS["kink"], alpha=0.16, linewidth=0, label="slopes allowed")
    axes.plot(t, change, color=INKS["numeric"], linewidth=2, label="upstream · output")
    axes.plot(
        t, [declared * x for x in t], color=INKS["declared"], linewidth=1.6, linestyle=(0, (5, 3)), label="declared"
    )
    axes.axvline(0.0, color=INKS["muted"], linewidth=0.8)
    axes.grid(True)
    axes.ticklabel_format(scilimits=(-3, 4))
    axes.locator_params(nbins=5)
    axes.set_xlabel("change of the entry")
    axes.set_ylabel("change of the output")
    axes.legend(loc="best", handlelength=1.6, borderpad=0.1)


def _slopes_words(slopes: Exhibit, argument: Exhibit) -> str:
    low, high, declared = (number(slopes[name]) for name in ("low", "high", "declared"))
    slack = 1e-6 * max(abs(low), abs(high))
    place = "inside" if low - slack <= declared <= high + slack else "outside"
    left, right = number(slopes["left"]), number(slopes["right"])
    return (
        f"at entry {slopes['index']} the slope is {left:.4g} from the left and {right:.4g} from the right; "
        f"the declared {declared:.4g} is {place}"
    )


#: Exhibit, title, how it is drawn, and what it shows in words (nothing: it shows nothing and is left out).
PARTS: tuple[tuple[str, str, Callable[[Any, Exhibit], None], Callable[[Exhibit, Exhibit], str]], ...] = (
    ("entries", "Declared against numeric", _entries, _entries_words),
    ("map", "Error map", _map, _map_words),
    ("sweep", "Error against step", _sweep, _sweep_words),
    ("slopes", "One-sided slopes", _slopes, _slopes_words),
)
