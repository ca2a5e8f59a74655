"""Every code block of the README and the documentation runs, and prints what the page says."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.pages import BLOCK, PAGES, ROOT, Session, counted, replay, same

#: Pages on which something is drawn, which needs the extra `report`.
DRAWN = ("howto/report.md",)
HAS_EXTRA = all(map(find_spec, ("jinja2", "matplotlib")))

WITH_BLOCKS = [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=[str(page.relative_to(ROOT)) for page in WITH_BLOCKS])
def test_a_page_prints_what_it_says(page: Path) -> None:
    if page.as_posix().endswith(DRAWN) and not HAS_EXTRA:
        pytest.skip("the extra pytest-gradcheck[report] is not installed")
    for line, written, real in replay(page):
        if not same(written, real):
            pytest.fail(
                f"{page.relative_to(ROOT)}, block at line {line}: written\n\n{written}\nbut printed\n\n{real}\n"
                "If what is printed is right, `python -m tests.docs.pages` writes it into the page."
            )


def test_a_wrong_page_is_caught(tmp_path: Path) -> None:
    page = tmp_path / "wrong.md"
    page.write_text("```pycon\n>>> 1 + 1\n3\n```\n", encoding="utf-8")
    assert [same(written, real) for _, written, real in replay(page)] == [False]


def test_a_wrong_command_is_caught(tmp_path: Path) -> None:
    page = tmp_path / "wrong.md"
    page.write_text('```console\n$ python -c "print(2)"\n3\n```\n', encoding="utf-8")
    assert [same(written, real) for _, written, real in replay(page)] == [False]


def test_a_page_may_catch_an_exception(tmp_path: Path) -> None:
    block = ">>> [][0]\nTraceback (most recent call last):\n  ...\nIndexError: list index out of range\n"
    assert Session(tmp_path).run("pycon", block) == block


def test_a_fragment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"begins with '# NAME\.py'"):
        Session(tmp_path).run("python", "x = 1\n")


@pytest.mark.parametrize(
    ("written", "real"),
    [
        ("5 passed in 0.12s", "5 passed in 3.40s"),
        ("===== 5 passed =====", "=== 5 passed ==="),
        ("error 3.1e-12", "error -2.7e-11"),
        ("numeric 0.73456", "numeric 0.73455"),
        ("first\n...\nlast", "first\nsecond\nthird\nlast"),
        ("a   b", "a b"),
        ("112 forward evaluations, 24 backward calls", "113 forward evaluations, 25 backward calls"),
        ("<FixtureCheck object at 0x7f>", "<FixtureCheck object at 0xa1>"),
        ("numeric -0", "numeric 0"),
        ("  x[0]  1  0  1  2e-13\n  x[1]  0  1  -1  1e-13", "  x[1]  0  1  -1  1e-13\n  x[0]  1  0  1  2e-13"),
    ],
)
def test_what_may_differ(written: str, real: str) -> None:
    assert same(written, real)


@pytest.mark.parametrize(
    ("written", "real"),
    [
        ("5 passed", "4 passed"),
        ("numeric 0.73456", "numeric 0.83456"),
        ("numeric 0.5", "numeric -0.5"),
        ("error 3.1e-12", "error 3.1e-3"),
        ("entry (1, 2)", "entry (2, 1)"),
        ("sign of W", "sign of b"),
        ("one line", "one line\nanother"),
        ("one line\nanother", "another\none line"),
        ("first\n...\nlast", "first\nsecond"),
    ],
)
def test_what_may_not(written: str, real: str) -> None:
    assert not same(written, real)


def test_of_a_block_with_parts_left_out_the_counts_alone_are_written_anew() -> None:
    written = "first\n...\n1 passed, 4 entries, 63 forward evaluations, 6.9 ms\n"
    real = "first\nsecond\n1 passed, 4 entries, 64 forward evaluations, 7.5 ms\n"
    assert counted(written, real) == "first\n...\n1 passed, 4 entries, 64 forward evaluations, 7.5 ms\n"
