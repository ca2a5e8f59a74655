"""The pictures of the tutorial show what the engine computes today."""

from __future__ import annotations

import re
import runpy
import shutil
from typing import Any

import pytest

from tests.docs.pages import ROOT

PICTURES: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "pictures.py"))["PICTURES"]


def texts(svg: str) -> list[str]:
    """What is written in a picture; where it stands differs between versions of graphviz."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")
def test_a_picture_is_up_to_date(name: str) -> None:
    kept = (ROOT / "docs" / "_static" / f"{name}.svg").read_text(encoding="utf-8")
    assert texts(kept)
    assert texts(kept) == texts(PICTURES[name]().to_svg())


def test_the_lectures_numbers_stand_in_its_picture() -> None:
    svg = (ROOT / "docs" / "_static" / "lecture-graph.svg").read_text(encoding="utf-8")
    numbers = sorted(text for text in texts(svg) if text.isdigit())
    values, gradients = ["1", "2", "2", "0", "3", "2", "6"], ["2", "2", "3", "0", "2", "3", "1"]
    assert numbers == sorted(values + gradients)
