"""CI runs what the README tells a stranger to type."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.docs.pages import ROOT

SCRIPT = ROOT / ".ci" / "readme_commands.py"
RUN = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def extract(readme: str) -> subprocess.CompletedProcess[str]:
    code = f"import runpy; print('\\n'.join(runpy.run_path({str(SCRIPT)!r})['commands']({readme!r})))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_the_two_commands_need_nothing_but_python_and_pip() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True)
    examples, tests = done.stdout.splitlines()
    setup = 'python3 -m venv .venv && .venv/bin/pip install -e ".[test]" && '
    assert examples == setup + ".venv/bin/python -m pytest examples"
    assert tests == setup + ".venv/bin/python -m pytest -n 2"


@pytest.mark.parametrize(
    ("readme", "words"),
    [
        ("# A readme\n", "no section"),
        ("## Set up and run\n```sh\none\n```\n## Next\n", "has 1 commands"),
        ("## Set up and run\n```sh\none\ntwo\nthree\n```\n## Next\n", "has 3 commands"),
    ],
)
def test_a_readme_without_them_stops_ci(readme: str, words: str) -> None:
    done = extract(readme)
    assert done.returncode == 1
    assert words in done.stderr


def test_every_pin_of_ci_stands_in_one_file() -> None:
    assert "PIP_CONSTRAINT" in RUN
    assert not re.findall(r"[\w-]+==\d", RUN)
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    unpinned = [line for line in pins if not re.fullmatch(r"#.*|[\w.-]+==[\w.]+", line)]
    assert unpinned == []
