"""The code blocks of the README and the documentation, run as a reader would run them.

Three kinds of block are looked at, in the order of the page, in one new folder per page:

- `python` whose first line is `# NAME.py`: pasted into that file;
- `console` with lines `$ command`: each command is run, what it prints is compared with what stands below it;
- `pycon`: typed at the prompt, one session per page, what it prints is compared likewise.

`python -m tests.docs.pages` writes what is really printed into the pages, where it differs; with `--counts` also where
it differs in nothing but how many evaluations it took.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]

BLOCK = re.compile(r"^```(python|console|pycon)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.]*\w)")
RULE = re.compile(r"[=_-]{3,}")
#: How many evaluations it took.
COUNTS = re.compile(r"\b[\d,]+ (?=forward|backward call)")
#: What a second run, another processor or another version of numpy may print otherwise: that, times, addresses, and how
#: far within its bar a right gradient was.
VARYING = re.compile(rf"\b\d+(\.\d+)? ?m?s\b|\b0x[0-9a-f]+\b|{COUNTS.pattern}|error [\d.e-]+(?= of its bar)")

#: A row of a message's table: index, declared, numeric, error, bar.
ENTRY = re.compile(r"^(E )? *\w+\[[\d, ]*\](?: +-?[\d.]\S*){4}$")

#: Numbers this small are rounding, which differs between processors and versions of numpy.
ROUNDING = 1e-6


@dataclass
class Session:
    """What has been run of a page so far: its folder, and the names typed at the prompt."""

    folder: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})

    def run(self, language: str, block: str) -> str:
        """The block with the output that it really has; a file is written and comes back as it is."""
        if language == "python":
            self.paste(block)
            return block
        return self.commands(block) if language == "console" else self.prompt(block)

    def paste(self, block: str) -> None:
        first = re.match(r"# ([\w./]+\.(?:py|toml|ini))\n", block)
        if first is None:
            raise ValueError(f"a python block of a page begins with '# NAME.py', this one with {block[:40]!r}")
        path = self.folder / first.group(1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block, encoding="utf-8")

    def commands(self, block: str) -> str:
        lines = []
        for command in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
            lines += [f"$ {command}", *shell(command, self.folder)]
        return "\n".join(lines) + "\n"

    def prompt(self, block: str) -> str:
        out = []
        for example in doctest.DocTestParser().get_examples(block):
            source = example.source.splitlines()
            out += [f">>> {source[0]}", *(f"... {line}" for line in source[1:])]
            out += self.typed(example.source)
        return "\n".join(line.rstrip() for line in out) + "\n"

    def typed(self, source: str) -> list[str]:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.chdir(self.folder):
            try:
                exec(compile(source, "<page>", "single"), self.names)
            except Exception as error:
                print("Traceback (most recent call last):\n  ...")
                print("".join(traceback.format_exception_only(error)), end="")
        return printed.getvalue().splitlines()


def shell(command: str, folder: Path) -> list[str]:
    """What a command prints in a folder, without trailing blanks; `pytest` and `python` are the ones running now."""
    here = f'"{sys.executable}"'
    command = re.sub(r"^(python3?|pytest)\b", lambda m: here if m[1] != "pytest" else f"{here} -m pytest", command)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "HYPOTHESIS", "CI"))}
    # Packages that happen to be installed here must not show in what a reader sees.
    environment |= {
        "COLUMNS": "100",
        "PYTHONPATH": str(ROOT),
        "PYTEST_ADDOPTS": "-p no:randomly -p no:rerunfailures --no-header",
    }
    done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    printed = (done.stdout + done.stderr).replace(str(folder), "/home/reader").replace(str(ROOT), "/home/reader/clone")
    return [line.rstrip() for line in printed.rstrip().splitlines()]


def same(expected: str, real: str) -> bool:
    """Whether two outputs agree up to times, rounding and the width of rules; `...` alone on a line skips lines."""
    return _same_lines(_settled(expected), _settled(real))


def _settled(text: str) -> list[str]:
    """Lines with runs of entries in the order of their indices: entries equally wrong are listed in either order."""
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    runs = groupby(lines, key=lambda line: bool(ENTRY.match(line)))
    return [line for is_entry, run in runs for line in (sorted(run) if is_entry else run)]


def _same_lines(wanted: list[str], got: list[str]) -> bool:
    for i, line in enumerate(wanted):
        if line.strip() == "..." and i + 1 <= len(wanted):
            rest = wanted[i + 1 :]
            return any(_same_lines(rest, got[j:]) for j in range(i, len(got) + 1))
        if i >= len(got) or not same_line(line, got[i]):
            return False
    return len(wanted) == len(got)


def same_line(wanted: str, got: str) -> bool:
    """Whether two lines agree: the words exactly, the numbers to one per cent or both mere rounding."""
    wanted, got = (RULE.sub("---", VARYING.sub("~", line)) for line in (wanted, got))
    if [p.split() for p in NUMBER.split(wanted)] != [p.split() for p in NUMBER.split(got)]:
        return False
    pairs = zip(NUMBER.findall(wanted), NUMBER.findall(got), strict=True)
    return all(_same_number(a, b) for a, b in pairs)


def _same_number(a: str, b: str) -> bool:
    if float(a) == float(b):
        return True
    if not ("." in a or "e" in a or "." in b or "e" in b):
        return False  # whole numbers are counts, and counts are exact
    x, y = float(a), float(b)
    return abs(x - y) <= max(0.01 * abs(x), ROUNDING if min(abs(x), abs(y)) < ROUNDING else 0.0)


def replay(page: Path) -> Iterator[tuple[int, str, str]]:
    """(line, block as written, block as really printed) for each block of a page, in order."""
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="page") as folder:
        shutil.copytree(ROOT / "examples", Path(folder) / "examples", ignore=shutil.ignore_patterns("__pycache__"))
        session = Session(Path(folder))
        with importable(folder):
            for match in BLOCK.finditer(text):
                language, block = match.groups()
                yield text.count("\n", 0, match.start()) + 1, block, session.run(language, block)


@contextlib.contextmanager
def importable(folder: str) -> Iterator[None]:
    """Modules of a page's folder can be imported meanwhile, and are forgotten afterwards."""
    before = set(sys.modules)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(folder):
                del sys.modules[name]


def refresh(page: Path, counts: bool = False) -> int:
    """Write what is really printed into a page; returns how many blocks differed. counts: whether evaluations count."""
    text, changed = page.read_text(encoding="utf-8"), 0
    for _, written, real in replay(page):
        new = written if same(written, real) else real
        if counts and new is written and COUNTS.findall(written) != COUNTS.findall(real):
            new = counted(written, real) if "..." in map(str.strip, written.splitlines()) else real
        changed += new != written
        text = text.replace(written, new, 1)
    if changed:
        page.write_text(text, encoding="utf-8")
    return changed


def counted(written: str, real: str) -> str:
    """A block of which parts are left out, with the lines that tell evaluations as they are really printed."""
    printed = {VARYING.sub("", line): line for line in real.splitlines() if COUNTS.search(line)}
    lines = [printed.get(VARYING.sub("", line), line) for line in written.splitlines()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--counts"]
    for name in words or [str(page) for page in PAGES]:
        print(f"{name}: {refresh(Path(name).resolve(), '--counts' in sys.argv)} blocks refreshed")
