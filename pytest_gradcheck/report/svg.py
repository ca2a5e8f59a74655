"""SVG made fit to stand inside a page: nothing but shapes and text, ids of its own, colours of the page.

What matplotlib and graphviz write is read as XML and written again from a list of allowed elements and attributes, so
that no name in a picture can become anything but text.
"""

from __future__ import annotations

import re
from html import escape
from xml.etree import ElementTree

#: Colours that the pictures are drawn with; on the page each is a variable, so that light and dark look right.
INKS = {
    "ink": "#010101", "muted": "#020202", "faint": "#030303", "declared": "#040404", "numeric": "#050505",
    "wrong": "#060606", "kink": "#070707", "right": "#080808", "value": "#1a6b3c", "gradient": "#b3261e",
}  # fmt: skip
_VARIABLES = {color: f"var(--{name})" for name, color in INKS.items()} | {"black": "var(--ink)"}

ELEMENTS = {
    "svg", "g", "path", "polygon", "polyline", "ellipse", "circle", "rect", "line", "text", "tspan", "defs", "clipPath",
    "use", "image",
}  # fmt: skip
ATTRIBUTES = {
    "id", "d", "points", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "rx", "ry", "r", "width", "height", "viewBox",
    "transform", "style", "fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray",
    "clip-path", "text-anchor", "font-size", "font-weight", "href", "preserveAspectRatio",
}  # fmt: skip
_COLOR = re.compile(r"#[0-9a-f]{6}\b|\bblack\b")
_FONT = re.compile(r"font: (?:\w+ )*([\d.]+)px [^;]*")
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_REFERENCE = re.compile(r"#([\w.-]+)")
_INLINE_IMAGE = "data:image/png;base64,"


def inlined(svg: str, key: str, label: str) -> str:
    """The picture as an element of a page.

    key: unique on the page; ids begin with it. label: what a reader who does not see the picture is told.
    """
    root = ElementTree.fromstring(svg)
    shown = "".join(_written(child, key, used=_references(root)) for child in root)
    box = escape(root.get("viewBox") or "0 0 1 1")
    return f'<svg viewBox="{box}" role="img" aria-label="{escape(label)}">{shown}</svg>'


def _references(root: ElementTree.Element) -> frozenset[str]:
    values = [value for element in root.iter() for value in element.attrib.values() if "#" in value]
    return frozenset(name for value in values for name in _REFERENCE.findall(value))


def _written(element: ElementTree.Element, key: str, used: frozenset[str]) -> str:
    tag = _bare(str(element.tag))
    if tag not in ELEMENTS:
        return ""
    attributes = "".join(_attribute(_bare(name), value, key, used) for name, value in element.attrib.items())
    inside = "".join(_written(child, key, used) + escape((child.tail or "").strip()) for child in element)
    text = escape((element.text or "").strip())
    # A group that says nothing is only ballast: pictures are most of the page.
    if tag == "g" and not attributes and not text:
        return inside
    return f"<{tag}{attributes}>{text}{inside}</{tag}>" if inside or text else f"<{tag}{attributes}/>"


def _attribute(name: str, value: str, key: str, used: frozenset[str]) -> str:
    if name not in ATTRIBUTES or (name == "id" and value not in used):
        return ""
    if name == "href" and not value.startswith(("#", _INLINE_IMAGE)):
        return ""
    if name == "id":
        value = f"{key}-{value}"
    elif name == "href":
        value = f"#{key}-{value[1:]}" if value.startswith("#") else value
    elif name in ("style", "clip-path", "fill", "stroke"):
        value = _FONT.sub(r"font: \1px var(--sans)", value)
        value = _COLOR.sub(lambda found: _VARIABLES.get(found[0], found[0]), value)
        value = re.sub(r"url\([^)]*#([\w.-]+)\)", rf"url(#{key}-\1)", value)
    if name in ("d", "points", "transform", "x", "y", "x1", "x2", "y1", "y2"):
        value = _NUMBER.sub(lambda found: f"{float(found[0]):.1f}", value) if name != "transform" else value
        value = " ".join(value.split())
    return f' {name}="{escape(value)}"'


def _bare(name: str) -> str:
    return name.rpartition("}")[2]
