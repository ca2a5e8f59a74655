"""`run` of the plugin's tests, and the page of a run in a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin.conftest import run

__all__ = ["run"]

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip

Browse = Callable[..., str]


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    """`browse(page, *flags, probe=...)`: the document as Chromium has it; `probe` is run in it when it has loaded.

    keep: open the page itself and no copy. What a probe puts into the `dataset` of the root can be read off the result.
    """
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is not installed")

    def browse(page: Path, *flags: str, probe: str = "", keep: bool = False) -> str:
        copy, text = (page if keep else page.with_name("probed.html")), page.read_text(encoding="utf-8")
        if probe:
            # The page itself lets no script run but its own.
            text, found = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text, count=1)
            assert found == 1
            text = text.replace("</body>", f"<script>addEventListener('load', () => {{{probe}}})</script></body>")
        copy.write_text(text, encoding="utf-8")
        command = [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *flags, "--dump-dom"]
        done = subprocess.run([*command, copy.as_uri()], capture_output=True, text=True, timeout=120, check=False)
        assert done.stdout, done.stderr
        return done.stdout

    return browse
