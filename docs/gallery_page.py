"""The page of the gallery: every wrong layer of the examples, as `--gradcheck-report` shows a run of them.

`python docs/gallery_page.py DIR` writes it; the documentation is built with it where the extra `report` is installed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
OPTIONS = ("-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", "-p", "no:randomly", "--gradcheck-report=report")
MODULE = '''"""One wrong layer for each word; in the examples each stands in a test that is expected to fail."""
import pytest
from examples.wrong import test_wrong_conduct, test_wrong_formula, test_wrong_place

LAYERS = {
    name.removeprefix("test_"): make
    for module in (test_wrong_formula, test_wrong_place, test_wrong_conduct)
    for name, make in vars(module).items()
    if name.startswith("test_")
}


@pytest.mark.parametrize("word", LAYERS)
def test_gallery(gradcheck, word):
    gradcheck(*LAYERS[word]())
'''


def write(folder: Path) -> Path:
    """Run the examples as tests in a folder of their own and keep the page; returns where it is."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gallery") as place:
        (Path(place) / "test_gallery.py").write_text(MODULE, encoding="utf-8")
        folder = folder.resolve()
        with contextlib.chdir(place):
            command, paths = [sys.executable, "-m", "pytest", *OPTIONS], os.environ | {"PYTHONPATH": str(ROOT)}
            done = subprocess.run(command, env=paths, check=False, capture_output=True, text=True)
            # Every layer is wrong, so the run fails; what it prints is of interest only where it could not be made.
            if done.returncode != 1:
                raise RuntimeError(
                    f"the gallery was not run (exit code {done.returncode}):\n{done.stdout}{done.stderr}"
                )
            return Path(shutil.copy(Path("report") / "index.html", folder / "gallery-page.html"))


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
