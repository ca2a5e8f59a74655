"""The page of a run: one HTML file that asks nobody for anything, and the same content as JSON beside it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_gradcheck.verdict import plain

from .environment import environment
from .places import DATA, PAGE, near
from .views import (
    COLUMNS,
    MOST_SECTIONS,
    OUTCOMES,
    Record,
    counted,
    drawable,
    duration,
    exhibits_of,
    outcome,
    section,
    sort_key,
    table,
    totals,
)

#: Layout of the JSON file; see `docs/json-schema.md`.
FORMAT, VERSION = "pytest-gradcheck", 1
#: So many checks are shown opened.
FEW = 12
TEMPLATES = Path(__file__).with_name("templates")


def write(folder: Path, checks: Sequence[Record], *, command: str, began: float) -> Path:
    """Write the page and the JSON file into a folder, both atomically; returns where the page is.

    checks: records of `pytesting.records`, in any order. Raises OSError where nothing can be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    about = environment(command, began)
    replacing(folder / DATA, [json.dumps(document(checks, about), indent=1, allow_nan=False)])
    replacing(folder / PAGE, rendered(checks, about))
    return folder / PAGE


def document(checks: Sequence[Record], about: Mapping[str, str]) -> dict[str, Any]:
    """The content as JSON's own types: that of `--gradcheck-json`, and the environment."""
    count = Counter(check["verdict"] for check in checks)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "environment": dict(about),
        "totals": {verdict: count[verdict] for verdict in ("pass", "inconclusive", "fail", "error")},
        "checks": sorted(checks, key=lambda check: (check["nodeid"], check["call"])),
    }
    found: dict[str, Any] = plain(content)
    return found


def rendered(checks: Sequence[Record], about: Mapping[str, str]) -> Iterator[str]:
    """The page, piece by piece."""
    import jinja2

    loader = jinja2.FileSystemLoader(TEMPLATES)
    made = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals |= {"outcomes": OUTCOMES, "data": DATA}
    made.filters |= {"count": counted, "duration": duration, "near": near, "entry": lambda index: str(list(index))}
    style, dark, code = (_template(name) for name in ("page.css", "dark.css", "page.js"))
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    ordered = sorted(checks, key=lambda check: tuple(sort_key(column, check) for column in COLUMNS[:2]))
    shown = [check for check in ordered if outcome(check) != "pass" or exhibits_of(check)]
    drawn, left_out = set(drawable(shown)), max(0, len(shown) - MOST_SECTIONS)
    shown = shown[:MOST_SECTIONS]
    linked = set(map(id, shown))
    yield from made.get_template("page.html").generate(
        style=style.replace("/*dark*/", dark), code=code, digest=digest, environment=about, columns=COLUMNS,
        rows=table(ordered, linked), totals=totals(checks), total=len(checks),
        sections=(section(check, id(check) in drawn) for check in shown), few=len(shown) <= FEW, left_out=left_out,
        entries=sum(check["entries"] for check in checks),
    )  # fmt: skip


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def replacing(path: Path, pieces: Iterable[str]) -> None:
    """Write a file atomically: a reader sees the old one or the new one, never a part."""
    part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with part.open("w", encoding="utf-8", errors="backslashreplace") as file:
            for piece in pieces:
                file.write(piece)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
