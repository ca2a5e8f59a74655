"""The trace: what the lecture draws, pinned line by line, and the picture."""

from __future__ import annotations

import re
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest

from pytest_gradcheck.engine import (
    DrawingUnavailable,
    LectureNetwork,
    Node,
    Trace,
    affine,
    concatenate,
    maximum,
    softmax,
    source,
    sources,
    trace,
)


def lecture() -> Trace:
    x, y, z = sources(x=1, y=2, z=0)
    return trace(((x + y).named("a") * maximum(y, z).named("b")).named("f"))


def lines(output: Node) -> list[str]:
    return [re.sub(r" {2,}", "  ", row.strip()) for row in str(trace(output)).splitlines()]


def test_the_lectures_example_as_text() -> None:
    assert str(lecture()).splitlines() == [
        "               value →  ← upstream x local = downstream",
        "x              1        2",
        "y              2        5 = 2 + 3",
        "a = x + y      3        2                                + distributes the upstream",
        "  x → a        1          2 x 1 = 2",
        "  y → a        2          2 x 1 = 2",
        "z              0        0",
        "b = max(y, z)  2        3                                max routes the upstream to the larger",
        "  y → b        2          3 x 1 = 3",
        "  z → b        0          3 x 0 = 0",
        "f = a * b      6        1                                * switches: each gets the upstream times the other",
        "  a → f        3          1 x 2 = 2",
        "  b → f        2          1 x 3 = 3",
    ]


def test_the_lectures_example_as_records() -> None:
    t = lecture()
    assert [(n.label, float(n.value), float(n.gradient)) for n in t.nodes if n.gradient is not None] == [
        ("x", 1, 2), ("y", 2, 5), ("a", 3, 2), ("z", 0, 0), ("b", 2, 3), ("f", 6, 1),
    ]  # fmt: skip
    for edge in t.edges:
        assert edge.upstream is not None and edge.local is not None and edge.downstream is not None
        assert float(edge.upstream * edge.local) == float(edge.downstream)
    assert len(list(t.edges)) == 6


def test_names_are_given_where_there_are_none() -> None:
    x = source(2.0, "v1")
    assert lines(-x * 3)[1:] == [
        "v1  2  -3",
        "v2 = negate(v1)  -2  3  negate changes the sign",
        "v1 → v2  2  3 x -1 = -3",
        "3  3  constant",
        "v3 = v2 * 3  -6  1  * switches: each gets the upstream times the other",
        "v2 → v3  -2  1 x 3 = 3",
        "3 → v3  3  no gradient",
    ]


def test_arrays_and_jacobians() -> None:
    W, x, b = sources(W=[[1, 2], [3, 4]], x=[1, -1], b=[0, 0.5])
    z = affine(W, x, b).named("z")
    text = "\n".join(lines((z * z).sum().named("s")))
    assert "x  [1 -1]  [-5 -8]" in text
    assert "x → z  [1 -1]  [-2 -1] x [[1 2] [3 4]] = [-5 -8]" in text
    assert "b → z  [0 0.5]  [-2 -1] x [[1 0] [0 1]] = [-2 -1]" in text
    assert "W → z  [[1 2] [3 4]]  [-2 -1] x 2x4 Jacobian = [[-2 2] [-1 1]]" in text


def test_large_arrays_are_shown_by_shape() -> None:
    x = source(np.ones((10, 20)), "x")
    text = str(trace(softmax(x, axis=0).sum()))
    assert "10x20 array" in text and "200x200 Jacobian" in text and max(map(len, text.splitlines())) < 150


def test_parameters_are_written_where_they_are_not_the_default() -> None:
    x = source([[1.0, 2.0], [3.0, 4.0]], "x")
    text = str(trace(concatenate(x, x, axis=1)[::2, np.array([0, 1])].sum(axis=1).sum()))
    assert "v1 = concatenate(x, x, axis=1)" in text
    assert "v2 = index(v1, key=(::2, [0 1]))" in text
    assert "v3 = sum(v2, axis=1)" in text
    assert "v4 = sum(v3)" in text


def test_an_upstream_may_be_given() -> None:
    x = source([1.0, 2.0], "x")
    assert "3 + 1" not in str(trace(x * 2, [3.0, 1.0]))
    assert "[6 2]" in str(trace(x * 2, [3.0, 1.0]))
    with pytest.raises(ValueError, match="give an upstream of that shape"):
        trace(x * 2)


def test_a_comparison_lets_no_gradient_through() -> None:
    x = source(2.0, "x")
    assert lines((x > 1) * x)[1:4] == ["x  2  1", "1  1  constant", "v1 = x > 1  True  no gradient"]


def test_dot_has_the_value_above_and_the_gradient_below() -> None:
    text = lecture().to_dot()
    assert text.startswith("digraph trace {\n  rankdir=LR;")
    above = r'<TR><TD><FONT COLOR="#1a6b3c">([^<]*)</FONT></TD></TR>'
    below = r'<TR><TD><FONT COLOR="#b3261e">([^<]*)</FONT></TD></TR>'
    pairs = re.findall(above + "<HR/>" + below, text)
    assert pairs == [("1", "2"), ("2", "2"), ("2", "3"), ("0", "0"), ("3", "2"), ("2", "3"), ("6", "1")]
    assert 'n0 [shape=plaintext, width=0.3, label="x"];' in text
    assert "n0 -> e0:w [dir=none]; e0:e -> n2;" in text


def test_names_with_signs_of_the_language_are_escaped() -> None:
    x = source(1.0, 'a"<b>\\')
    text = trace((x * 2).named("<&>")).to_dot()
    assert 'label="a\\"<b>\\\\"' in text
    assert "&lt;&amp;&gt;" in text and "<&>" not in text


def test_without_graphviz_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DrawingUnavailable, match="`dot` was not found: install graphviz, or draw the text"):
        lecture().to_svg()


needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz's program `dot` is not installed")


@needs_dot
def test_in_the_picture_each_value_is_above_its_gradient() -> None:
    root = ElementTree.fromstring(lecture().to_svg())
    heights: dict[str, list[float]] = {"#1a6b3c": [], "#b3261e": []}
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        if text.get("fill") in heights:
            heights[str(text.get("fill"))].append(float(str(text.get("y"))))
    above, below = heights.values()
    assert len(above) == len(below) == 7
    assert all(0 < low - high < 40 for high, low in zip(above, below, strict=True))


@needs_dot
def test_hard_names_and_arrays_can_be_drawn() -> None:
    network = LectureNetwork()
    x, W, b, u = sources(x=np.ones(3), W=np.ones((2, 3)), b=[1, 2], u=[1, 2])
    assert "<svg" in trace(network.expression(x.named('"<&>\\'), W, b, u) + (x > 0).sum() * 0).to_svg()


@needs_dot
def test_text_that_graphviz_refuses_is_reported() -> None:
    from pytest_gradcheck.engine.drawing import render_svg

    with pytest.raises(DrawingUnavailable, match=r"graphviz refused the text: .*syntax error"):
        render_svg("digraph {")
