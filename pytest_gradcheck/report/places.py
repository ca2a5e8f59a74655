"""Where things are: the files of a report, and the place of a check on its page."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

PAGE, DATA = "index.html", "checks.json"


def anchor(nodeid: str, call: int) -> str:
    """The id of a check on the page: the same in every run, and harmless whatever the test is called."""
    return "check-" + hashlib.sha256(f"{nodeid}\n{call}".encode(errors="backslashreplace")).hexdigest()[:10]


def shown_page(folder: str, nodeid: str, call: int) -> str:
    """Path and anchor of a check's place, as seen from here where that is shorter."""
    return f"{near(str(Path(folder) / PAGE))}#{anchor(nodeid, call)}"


def near(path: str) -> str:
    """A path as seen from the present folder, where that is shorter."""
    try:
        return min(os.path.relpath(path), path, key=len)
    except ValueError:  # another drive
        return path
