"""Print the set-up commands of the README, one per line, so that CI runs what a reader would paste.

They are the lines of the `sh` blocks under the heading "Set up and run": one runs the examples, one passes the
tests.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
SECTION = re.compile(r"^## Set up and run\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(readme: str) -> list[str]:
    """The commands of the section, in order; `readme` is the text of the file."""
    section = SECTION.search(readme)
    if section is None:
        sys.exit("README.md has no section '## Set up and run': CI takes its commands from there")
    found = [line for block in BLOCK.findall(section.group(1)) for line in block.splitlines() if line.strip()]
    if len(found) != 2:
        sys.exit(f"README.md has {len(found)} commands under '## Set up and run': CI runs exactly two")
    return found


if __name__ == "__main__":
    print("\n".join(commands(README.read_text(encoding="utf-8"))))
