"""The page in a real browser, as wide as a phone and as a desk: it fits, it works with and without scripts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pytest_gradcheck.report.page import write
from pytest_gradcheck.report.places import anchor
from tests.plugin.conftest import Run
from tests.report.extra import needs_extra

from .conftest import Browse
from .test_page import EVIL, SOURCE, hostile_records

pytestmark = needs_extra

WIDTHS = {"phone": (390, 844), "desk": (1280, 900)}


@pytest.fixture
def page(run: Run, pytester: pytest.Pytester) -> Path:
    run(SOURCE, "--gradcheck-report=out")
    return pytester.path / "out" / "index.html"


def answers(document: str) -> Any:
    """What a probe has put into `data-said`."""
    found = re.search(r'data-said="([^"]*)"', document)
    assert found is not None, "the probe did not run"
    return json.loads(found[1].replace("&quot;", '"').replace("&amp;", "&"))


def said(expression: str) -> str:
    return f"document.documentElement.dataset.said = JSON.stringify({expression})"


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits(browse: Browse, page: Path, width: str) -> None:
    # The window of a browser without a head is never narrower than 500: a frame of the phone's width holds the page.
    across, high = WIDTHS[width]
    frame = page.with_name("frame.html")
    frame.write_text(
        f'<iframe id="f" src="probed.html" style="width:{across}px;height:{high}px;border:0"></iframe><script>'
        'addEventListener("message", (e) => document.documentElement.dataset.said = e.data)</script></body>',
        encoding="utf-8",
    )
    probe = """
      const inside = (e) => e.closest(".scroll, pre") || e.getBoundingClientRect().right <= innerWidth + 1;
      parent.postMessage(JSON.stringify({
        width: innerWidth, page: document.documentElement.scrollWidth,
        outside: [...document.querySelectorAll("main *:not(option)")].filter((e) => e.getClientRects().length)
          .filter((e) => !inside(e)).map((e) => e.className || e.tagName).slice(0, 5),
        drawn: [...document.querySelectorAll("figure svg")].filter((e) => e.getBoundingClientRect().width > 200).length,
      }), "*")"""
    browse(page, probe=probe)
    found = answers(browse(frame, "--virtual-time-budget=5000", "--allow-file-access-from-files", keep=True))
    assert found == {"width": across, "page": across, "outside": [], "drawn": 6}


def test_the_script_sorts_filters_and_opens(browse: Browse, page: Path) -> None:
    probe = """
      const tests = () => [...document.querySelectorAll(".body .row")].filter((r) => r.offsetParent)
        .map((r) => r.querySelector(".test").firstChild.textContent);
      const first = tests();
      const button = [...document.querySelectorAll(".head button")].find((b) => b.textContent === "test");
      button.click(); const up = tests();
      button.click(); const down = tests();
      const search = document.getElementById("search");
      search.value = "cube right[1]"; search.dispatchEvent(new Event("input")); const found = tests();
      search.value = ""; search.dispatchEvent(new Event("input"));
      document.getElementById("show-error").click(); const broken = tests();
      document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "t", bubbles: true}));
      """
    probe += said(
        "{first, up, down, found, broken, theme: document.querySelector('input[name=theme]:checked').id,"
        " sorted: document.querySelector('[aria-sort]').getAttribute('aria-sort')}"
    )
    found = answers(browse(page, probe=probe))
    assert found["first"][0] == "test_it.py::test_broken"
    assert found["up"] == sorted(found["up"]) != found["first"]
    assert found["down"] == found["up"][::-1]
    assert found["found"] == ["test_it.py::test_right[1]"]
    assert found["broken"] == ["test_it.py::test_broken"]
    assert found["theme"] == "theme-light"
    assert found["sorted"] == "descending"


def test_a_link_opens_its_evidence(browse: Browse, page: Path) -> None:
    place = anchor("test_it.py::test_wrong", 2)
    probe = "document.querySelectorAll('details').forEach((d) => d.open = false); location.hash = '#" + place + "';"
    probe += (
        "setTimeout(() => { " + said("[document.getElementById('" + place + "').closest('details').open]") + " }, 50)"
    )
    assert answers(browse(page, "--virtual-time-budget=5000", probe=probe)) == [True]


def test_without_scripts_every_row_is_there_and_can_be_sorted(browse: Browse, page: Path) -> None:
    # The probe stands for a reader without scripts: the page's own one is taken out.
    text = page.read_text(encoding="utf-8")
    page.write_text(re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL), encoding="utf-8")
    probe = """
      const rows = () => [...document.querySelectorAll(".body .row")].filter((r) => r.offsetParent)
        .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)
        .map((r) => r.querySelector(".test").firstChild.textContent);
      document.getElementById("sort-test").click(); const up = rows();
      document.getElementById("show-fail").click(); const wrong = rows();
      """ + said("{up, wrong, search: getComputedStyle(document.getElementById('search')).display}")
    found = answers(browse(page, probe=probe))
    assert len(found["up"]) == 7
    assert found["up"] == sorted(found["up"])
    assert found["wrong"] == ["test_it.py::test_wrong #2"]
    assert found["search"] == "none"


def test_dark_and_light(browse: Browse, page: Path) -> None:
    probe = """
      const paper = () => getComputedStyle(document.body).backgroundColor;
      document.getElementById("theme-light").click(); const light = paper();
      document.getElementById("theme-dark").click(); const dark = paper();
      """ + said("{light, dark}")
    found = answers(browse(page, probe=probe))
    brightness = {name: sum(map(int, re.findall(r"\d+", color)[:3])) for name, color in found.items()}
    assert brightness["dark"] < 150 < 600 < brightness["light"]


def test_a_hostile_page_does_nothing(browse: Browse, tmp_path: Path) -> None:
    page = write(tmp_path / "out", hostile_records(), command=EVIL, began=0.0)
    document = browse(page, "--virtual-time-budget=2000")
    assert "<title>hacked" not in document
    assert "with-script" in document
    # Even a script that had got in would not run.
    page.write_text(
        page.read_text(encoding="utf-8").replace("</main>", "<script>document.title='hacked'</script></main>")
    )
    assert "<title>hacked" not in browse(page, "--virtual-time-budget=2000")
