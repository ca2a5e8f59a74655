"""What may stand in a picture: shapes and text, and nothing that acts or asks for anything."""

from __future__ import annotations

import re

import pytest

from pytest_gradcheck.report.plots import _entries as draw_entries
from pytest_gradcheck.report.plots import index_of, picture
from pytest_gradcheck.report.svg import INKS, inlined
from tests.report.extra import needs_extra

pytestmark = needs_extra

NS = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


@pytest.mark.parametrize(
    ("inside", "kept"),
    [
        ('<path d="M0 0"/>', '<path d="M0 0"/>'),
        ("<script>alert(1)</script>", ""),
        ("<style>@import url(evil)</style>", ""),
        ("<foreignObject><p>x</p></foreignObject>", ""),
        ('<a xlink:href="javascript:alert(1)"><text>x</text></a>', ""),
        ('<path onload="alert(1)" d="M0 0"/>', '<path d="M0 0"/>'),
        ('<image xlink:href="https://evil/x.png"/>', "<image/>"),
        ('<image xlink:href="data:image/png;base64,AA=="/>', '<image href="data:image/png;base64,AA=="/>'),
        ('<image xlink:href="data:image/svg+xml;base64,AA=="/>', "<image/>"),
        ('<defs><path id="m"/></defs><use xlink:href="#m"/>', '<defs><path id="k-m"/></defs><use href="#k-m"/>'),
        ('<path id="unused" d="M0 0"/>', '<path d="M0 0"/>'),
        ('<path clip-path="url(#c)"/>', '<path clip-path="url(#k-c)"/>'),
        ("<text>&lt;script&gt;</text>", "<text>&lt;script&gt;</text>"),
        (f'<path style="fill: {INKS["wrong"]}"/>', '<path style="fill: var(--wrong)"/>'),
        ("<g><path/></g>", "<path/>"),
        ("<metadata><x>http://somewhere</x></metadata>", ""),
    ],
)
def test_what_is_kept(inside: str, kept: str) -> None:
    label = '<script>"'
    box = f'<svg {NS} viewBox="0 0 1 1">{inside}</svg>'
    head = '<svg viewBox="0 0 1 1" role="img" aria-label="&lt;script&gt;&quot;">'
    assert inlined(box, "k", label) == f"{head}{kept}</svg>"


def test_a_picture_of_matplotlib_has_no_address_and_only_colours_of_the_page() -> None:
    svg = picture(lambda axes: axes.plot([0, 1], [0, 1], "o", color=INKS["numeric"]), "k", "two points")
    assert "http" not in svg
    assert "var(--numeric)" in svg
    assert "var(--muted)" in svg
    assert "<script" not in svg
    assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) <= {"#ffffff"}
    assert set(re.findall(r'id="([^"]*)"', svg)) <= set(re.findall(r"#(k-[\w-]+)", svg))
    assert len(svg) < 12_000


def test_the_same_numbers_give_the_same_picture() -> None:
    first, second = (picture(lambda axes: axes.plot([0, 1]), "k", "a line") for _ in range(2))
    assert first == second


def test_an_index_from_its_position() -> None:
    assert [index_of(p, (2, 3)) for p in (0, 4, 5)] == ["[0, 0]", "[1, 1]", "[1, 2]"]
    assert index_of(0, ()) == "[]"


@pytest.mark.parametrize(
    ("numeric", "declared"),
    [
        ([-4.2e21, 1.0, 2.0, 8e18], [-26.0, 1.0, 2.0, 3e-9]),
        ([1e-8, 1.0, 2e4, 8e-9], [1e-8, 1.0, 2e4, 3e-9]),
        ([0.0, -1e-12, -1e3], [0.0, -1e-12, 1e3]),
    ],
)
def test_numbers_of_any_size_have_few_ticks(numeric: list[float], declared: list[float]) -> None:
    entries = {"numeric": numeric, "declared": declared, "state": ["wrong"] * len(numeric), "measured": len(numeric)}
    svg = picture(lambda axes: draw_entries(axes, entries), "k", "entries")
    written = re.findall(r">(-?\d[^<]*)</text>", svg)
    # Zero and at most three to each side, on two axes.
    assert written.count("0") == 2
    assert 3 <= len(written) <= 14
