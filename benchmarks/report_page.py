"""How large the page for 5,000 checks is, how long it takes to write, and how long Chromium takes to open it.

    python -m benchmarks.report_page [checks] [wrong]

The bars: written in under 30 s, under 30 MB, opened in under 2 s.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from examples.wrong import test_wrong_formula, test_wrong_place
from pytest_gradcheck import check
from pytest_gradcheck.checking import Check
from pytest_gradcheck.exhibits import collect
from pytest_gradcheck.observer import watching
from pytest_gradcheck.pytesting.records import record_of
from pytest_gradcheck.report.page import write
from pytest_gradcheck.verdict import Report, plain

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking",    "--disable-component-update", "--disable-sync",
)  # fmt: skip
#: Put into a copy of the page; what it says is read off the document that Chromium prints.
CLOCK = """<script>addEventListener("load", () => {
document.body.offsetHeight; document.documentElement.dataset.opened = Math.round(performance.now())})</script>"""


class Collecting:
    """Collects the exhibits of the last check."""

    exhibits: dict[str, Any]

    def adapted(self, target: object) -> None:
        """Nothing to do before the check."""

    def told(self, made: Check, report: Report) -> None:
        self.exhibits = plain(collect(made))


def records(checks: int, wrong: int) -> list[dict[str, Any]]:
    """As many records of real checks, the first `wrong` of them failures with exhibits."""
    observer, real = Collecting(), []
    for layer in (test_wrong_place.test_transpose, test_wrong_formula.test_factor, test_wrong_place.test_region):
        with watching(observer):
            report = check(*layer())
        real.append(replace(report, extra={"repeat": "pytest tests/test_it.py", "exhibits": observer.exhibits}))
    right = replace(real[0], verdict="pass", findings=())
    return [
        record_of(real[i % 3] if i < wrong else right, f"tests/test_part{i // 50}.py::test_layer[{i}]", 1, i < wrong)
        for i in range(checks)
    ]


def opened(page: Path) -> float | None:
    """Seconds until Chromium has loaded the page, run its script and laid it out; None where there is no Chromium."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return None
    copy = page.with_name("timed.html")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"), count=1)
    copy.write_text(text.replace("</head>", f"{CLOCK}</head>", 1), encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="chromium") as profile:
        command = [chromium, *FLAGS, f"--user-data-dir={profile}", "--dump-dom"]
        done = subprocess.run([*command, copy.as_uri()], capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r'data-opened="(\d+)"', done.stdout)
    return int(found[1]) / 1e3 if found else None


def main(checks: int = 5000, wrong: int = 100) -> None:
    made = records(checks, wrong)
    with tempfile.TemporaryDirectory(prefix="report") as folder:
        began = time.perf_counter()
        page = write(Path(folder), made, command="pytest", began=time.time())
        seconds = time.perf_counter() - began
        times = sorted(t for _ in range(3) if (t := opened(page)) is not None)
        size = page.stat().st_size / 1e6
        opening = f"opened in {times[len(times) // 2]:.2f} s" if times else "Chromium is missing: not opened"
        print(f"{checks:,} checks, {wrong:,} wrong: {size:.1f} MB, written in {seconds:.1f} s, {opening}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
