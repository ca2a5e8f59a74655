"""Views: what the page shows of each check, in a row of the table and in a section below it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

from .places import anchor
from .plots import Picture, number, pictures

Record = Mapping[str, Any]

#: From bad to good, with the words of the page.
OUTCOMES = {
    "error": "not checked",
    "fail": "wrong",
    "inconclusive": "no verdict",
    "expected": "wrong, as expected",
    "pass": "right",
}
#: Pictures that are drawn, those of wrong checks first: each takes some hundredths of a second and some kilobytes.
MOST_PICTURES = 240
#: Exhibits of which pictures are made.
PARTS = ("entries", "map", "sweep", "slopes")
#: Checks whose evidence stands on the page, the wrong ones first; of all others there is a row.
MOST_SECTIONS = 500
#: Rows of a table of entries.
MOST_ENTRIES = 8
#: Columns by which the table can be sorted: key, heading, what is compared, whether large comes first.
COLUMNS: tuple[tuple[str, str, Callable[[Record], Any], bool], ...] = (
    ("verdict", "verdict", lambda c: list(OUTCOMES).index(outcome(c)), False),
    ("test", "test", lambda c: (c["nodeid"], c["call"]), False),
    ("layer", "layer", lambda c: c["layer"], False),
    ("entries", "entries", lambda c: c["entries"], True),
    ("error", "error / bar", lambda c: number(c["largest_error"]), True),
    ("cost", "evaluations", lambda c: c["forward_evaluations"], True),
    ("time", "time", lambda c: number(c["seconds"]), True),
)


def drawable(checks: Sequence[Record]) -> Iterator[int]:
    """Ids of the checks whose pictures are drawn: the first ones, until there are enough."""
    left = MOST_PICTURES
    for check in checks:
        left -= sum(bool(argument.get(part)) for argument in exhibits_of(check).get("arguments", ()) for part in PARTS)
        if left < 0:
            return
        yield id(check)


def outcome(check: Record) -> str:
    """What a record counts as: its verdict, or "expected" for a failure that its test wanted."""
    return "expected" if check["expected"] else str(check["verdict"])


def totals(checks: Sequence[Record]) -> list[tuple[str, int]]:
    """Outcomes that occur, from bad to good, with their numbers."""
    count = Counter(map(outcome, checks))
    return [(word, count[word]) for word in OUTCOMES if count[word]]


def sort_key(column: tuple[str, str, Callable[[Record], Any], bool], check: Record) -> Any:
    """What a column compares; a number that is none comes first."""
    _, _, of, descending = column
    value = of(check)
    if not descending:
        return value
    return -value if value == value else float("-inf")


def table(ordered: Sequence[Record], linked: Set[int]) -> Iterator[dict[str, Any]]:
    """The rows, each with its place in every order, so that the table can be sorted without a script.

    linked: ids of the checks whose evidence stands below the table.
    """
    places: list[dict[str, int]] = [{} for _ in ordered]
    for column in COLUMNS:
        order = sorted(range(len(ordered)), key=lambda i: sort_key(column, ordered[i]))
        for rank, i in enumerate(order):
            places[i][column[0]] = rank
    for check, place in zip(ordered, places, strict=True):
        yield {
            "check": check, "outcome": outcome(check), "places": place, "words": line_of(check),
            "link": anchor(check["nodeid"], check["call"]) if id(check) in linked else "",
        }  # fmt: skip


def line_of(check: Record) -> str:
    """What is wrong, in one line."""
    report = check["report"]
    if check["message"] or not report:
        return short(check["message"], 160)
    findings = report["findings"]
    if findings:
        return f"{findings[0]['kind']}: {short(findings[0]['message'], 160)}"
    return short(report["notes"][0], 160) if report["notes"] and check["verdict"] != "pass" else ""


def exhibits_of(check: Record) -> Mapping[str, Any]:
    """The exhibits of a check, if any were collected."""
    found: Mapping[str, Any] = ((check["report"] or {}).get("extra") or {}).get("exhibits") or {}
    return found


def section(check: Record, draw: bool) -> dict[str, Any]:
    """What the page shows of one check below the table."""
    key, exhibits = anchor(check["nodeid"], check["call"]), exhibits_of(check)
    report = check["report"] or {}
    arguments = exhibits.get("arguments", ()) if draw else ()
    drawn: list[tuple[str, list[Picture]]] = [
        (argument["name"], pictures(argument, f"{key}-{i}")) for i, argument in enumerate(arguments)
    ]
    clauses = report.get("clauses", ())
    return {
        "key": key, "check": check, "outcome": outcome(check), "report": report, "words": line_of(check),
        "arguments": [(name, shown) for name, shown in drawn if shown],
        "graph": graph(exhibits, f"{key}-g", draw),
        "missing": exhibits.get("missing", ()), "undrawn": bool(exhibits) and not draw,
        "right": [a["name"] for a in report.get("arguments", ()) if a["verdict"] == "pass"],
        "kept": sum(clause["state"] == "kept" for clause in clauses),
        "skipped": [clause for clause in clauses if clause["state"] == "skipped"],
        "repeat": (report.get("extra") or {}).get("repeat", ""), "worst": worst,
    }  # fmt: skip


def graph(exhibits: Mapping[str, Any], key: str, draw: bool) -> dict[str, Any] | None:
    """The layer's graph as a picture where graphviz is installed, and always as text."""
    found = exhibits.get("graph")
    if not found:
        return None
    from pytest_gradcheck.engine.drawing import DrawingUnavailable, render_svg

    from .svg import inlined

    svg = ""
    if draw and found["dot"]:
        label = f"the graph of the layer, {found['nodes']} nodes: values above the edges, gradients below"
        try:
            svg = inlined(render_svg(found["dot"]), key, label)
        except DrawingUnavailable:
            svg = ""
    return {**found, "svg": svg}


def worst(finding: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The worst entries of a finding, with their errors."""
    entries = [{**e, "error": number(e["declared"]) - number(e["numeric"])} for e in finding["entries"]]
    return sorted(entries, key=lambda e: -abs(e["error"]) if e["error"] == e["error"] else float("-inf"))[:MOST_ENTRIES]


def counted(value: int, one: str, many: str) -> str:
    """The number with its noun."""
    return f"{value:,} {one if value == 1 else many}"


def short(text: str, longest: int) -> str:
    """One line of bounded length."""
    flat = " ".join(text.split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"


def duration(seconds: Any) -> str:
    """A time with the unit that suits it."""
    value = number(seconds)
    return f"{value:.1f} s" if value >= 1 else f"{value * 1e3:.0f} ms" if value >= 0.01 else f"{value * 1e3:.1f} ms"
