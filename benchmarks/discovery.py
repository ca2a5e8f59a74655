"""How long discovery takes over a module of many layers before the first check, and what collecting it imports.

    python -m benchmarks.discovery [layers] [runs]

The bars: under 2 s for 1,000 layers, and nothing imported that the module does not. Times are of whole runs of pytest
in processes of their own, counted from the start of collection; the middle one of the runs is told.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

#: One layer with parameters, one without, one pair of functions; half of them declare their inputs.
KINDS = (
    """
class Dense{i}:
    __gradcheck__ = {{"make": lambda: Dense{i}(4, 3), "given": {{"x": "B 4"}}}}

    def __init__(self, n_in, n_out):
        self.W, self.b = np.ones((n_in, n_out)), np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, upstream):
        self.dW, self.db = self.x.T @ upstream, upstream.sum(axis=0)
        return upstream @ self.W.T
""",
    """
class Square{i}:
    def forward(self, x):
        self.x = x
        return x**2

    def backward(self, upstream):
        return 2 * self.x * upstream
""",
    """
def affine{i}_forward(x, w, b):
    return x @ w + b, (x, w)


def affine{i}_backward(upstream, cache):
    x, w = cache
    return upstream @ w.T, x.T @ upstream, upstream.sum(axis=0)
""",
)

#: Tells when collection is done and the first check is, and what a run that only collects has loaded.
CONFTEST = """
import sys, time
import pytest_gradcheck

began = 0.0

def pytest_collection(session):
    global began
    began = time.perf_counter()

def pytest_collection_finish(session):
    print(f"COLLECTED {len(session.items)} {time.perf_counter() - began:.4f}")

def pytest_runtest_call(item):
    print(f"BEGUN {time.perf_counter() - began:.4f}")
    item.session.shouldstop = "measured"

@pytest_gradcheck.hookimpl
def gradcheck_checked(layer, report):
    print(f"CHECKED {time.perf_counter() - began:.4f}")

def pytest_unconfigure(config):
    heavy = {"numpy", "hypothesis", "scipy", "torch", "jax", "autograd", "pytensor"} & set(sys.modules)
    print("LOADED", ", ".join(sorted(heavy)) or "nothing")
"""


def source(layers: int, imports: str = "import numpy as np\n") -> str:
    """A module of so many layers, the kinds in turn."""
    return imports + "".join(KINDS[i % len(KINDS)].format(i=i) for i in range(layers))


def run(folder: Path, *options: str) -> str:
    """What pytest prints over the module `many` in that folder."""
    # No other plugin that happens to be installed: some import numpy, or turn the order of the tests around.
    plugins = ["-p", "pytest_gradcheck.plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", "-s", *plugins, "--gradcheck-modules=many"]
    root = Path(__file__).parents[1]
    paths = os.pathsep.join([str(folder), str(root), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*command, *options, str(folder)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
    )
    return done.stdout


def measured(layers: int, runs: int) -> Iterator[tuple[int, float, float, float]]:
    """Of each run: layers collected, seconds until they were, until the first check began, and until it was done."""
    with tempfile.TemporaryDirectory(prefix="discovery") as place:
        folder = Path(place)
        (folder / "many.py").write_text(source(layers), encoding="utf-8")
        (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
        for _ in range(runs):
            said = run(folder)
            found = re.search(r"COLLECTED (\d+) (\S+)\s+BEGUN (\S+)\s+CHECKED (\S+)", said)
            if found is None:
                raise SystemExit(f"the run did not come to a check:\n{said}")
            yield int(found[1]), float(found[2]), float(found[3]), float(found[4])


def loaded(layers: int) -> str:
    """What a session has imported that only collects a module without imports."""
    with tempfile.TemporaryDirectory(prefix="discovery") as place:
        folder = Path(place)
        (folder / "many.py").write_text(source(layers, imports=""), encoding="utf-8")
        (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
        found = re.search(r"LOADED (.*)", run(folder, "--collect-only"))
        return found[1] if found else "an unknown number of modules"


def main(layers: int = 1000, runs: int = 5) -> None:
    numbers, collected, begun, checked = zip(*measured(layers, runs), strict=True)
    print(
        f"{numbers[0]:,} layers collected in {median(collected):.2f} s, "
        f"the first check begun after {median(begun):.2f} s and made after {median(checked):.2f} s"
    )
    print(f"collecting a module that imports nothing loads {loaded(layers)} of numpy, hypothesis and the frameworks")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
