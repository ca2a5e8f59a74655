"""Writes the tables of words and of real bugs into docs/corpus.md.

python -m benchmarks.corpus.page
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.corpus import load
from benchmarks.corpus.base import TAXONOMY, Case

PAGE = Path(__file__).parents[2] / "docs" / "corpus.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"


def thread(origin: str) -> str:
    """A link to the thread or commit that an origin names."""
    project, hash_, number = origin.partition("#")
    if hash_:
        return f"[{origin}](https://github.com/{project}/issues/{number})"
    project, _, commit = origin.partition("@")
    return f"[{origin}](https://github.com/{project}/commit/{commit})"


def line(case: Case) -> str:
    note = case.note.replace("|", "\\|")
    return f"| `{case.bug}` | {case.name} | {note} | {thread(case.origin)} |"


def table() -> str:
    """Every real bug, by word in the order of the taxonomy."""
    wrong = [case for case in load(["real"]) if case.bug]
    wrong.sort(key=lambda case: list(TAXONOMY).index(case.bug or ""))
    head = ["| word | case | what was wrong | thread |", "|---|---|---|---|"]
    return "\n".join([*head, *map(line, wrong)]) + "\n"


def words() -> str:
    """The taxonomy as a table, with the number of wrong cases of each word."""
    cases = load()
    rows = [f"| `{w}` | {what} | {sum(c.bug == w for c in cases)} |" for w, what in TAXONOMY.items()]
    return "\n".join(["| word | means | wrong cases |", "|---|---|---|", *rows]) + "\n"


def filled(page: str) -> str:
    """The page with its two tables made anew."""
    parts = page.split(BEGIN)
    for k, text in ((1, words()), (2, table())):
        _, end, rest = parts[k].partition(END)
        parts[k] = f"\n{text}\n{end}{rest}"
    return BEGIN.join(parts)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
