"""Sphinx configuration: furo and myst; the reference is drawn from the docstrings."""

from __future__ import annotations

import re
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

project = "pytest-gradcheck"
copyright = "the pytest-gradcheck developers"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "pytest-gradcheck"
html_static_path = ["_static"]
#: The page of the gallery is written there when the documentation is built.
html_extra_path = ["_build/extra"]
html_css_files = ["style.css"]
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
# As written, not as numpy spells them out.
autodoc_type_aliases = {"npt.ArrayLike": "ArrayLike", "Array": "Array"}
default_role = "code"
nitpicky = False

EXTRA = Path(__file__).parent / "_build" / "extra"
# Sphinx looks for it before the page is written.
EXTRA.mkdir(parents=True, exist_ok=True)

FIELD = re.compile(r"^(?P<names>[`*\w]+(?:, [`*\w]+)*): (?P<text>.*)$")


def to_rst(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are plain text; make of each of their paragraphs what it looks like.

    Examples stay, an indented paragraph becomes a literal block, lines `name: what it is` a list, and in running text
    a star (`*inputs`) stays a star.
    """
    paragraphs = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    lines[:] = [*"\n\n".join(map(paragraph_to_rst, paragraphs)).splitlines(), ""]


def paragraph_to_rst(paragraph: str) -> str:
    """One paragraph of a docstring as reStructuredText."""
    if paragraph.lstrip().startswith(">>>"):
        return paragraph
    if paragraph.startswith("    "):
        return "::\n\n" + paragraph
    if not FIELD.match(paragraph.partition("\n")[0]):
        return escaped(paragraph)
    out = []
    for line in paragraph.splitlines():
        field = FIELD.match(line)
        name = f"* **{escaped(field['names'])}**: " if field else "  "
        out.append(name + escaped(field["text"] if field else line.strip()))
    return "\n".join(out)


def escaped(text: str) -> str:
    """Text with stars that mean stars; what stands in backticks is left alone."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"[*|]|_(?!\w)", r"\\\g<0>", part) for part in parts[::2]]
    return "`".join(parts)


def write_gallery_page(app: Any) -> None:
    """Run the examples of the gallery and keep their page; without the extra `report` the link leads nowhere."""
    if all(map(find_spec, ("jinja2", "matplotlib"))):
        runpy.run_path(str(Path(__file__).with_name("gallery_page.py")))["write"](EXTRA)


def setup(app: Any) -> None:
    """Connect what Sphinx calls for each docstring, and before it begins."""
    app.connect("autodoc-process-docstring", to_rst)
    app.connect("builder-inited", write_gallery_page)
