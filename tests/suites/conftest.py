"""A package of layers in a temporary folder: right and wrong ones, declared and not, in every convention of numpy."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

# As in tests/plugin: a module that is first imported in a session of this process would be dropped after it, and its
# classes would be others in the next.
import pytest_gradcheck.discovery.collecting
import pytest_gradcheck.discovery.making
import pytest_gradcheck.discovery.threshold
import pytest_gradcheck.suites.chains
import pytest_gradcheck.suites.judging  # noqa: F401
from tests.plugin.conftest import Run, run

__all__ = ["PACKAGE", "Run", "need", "package", "run"]

PACKAGE = '''
import numpy as np

class Square:
    """Right; its inputs are guessed."""
    def forward(self, x):
        self.x = x
        return x**2
    def backward(self, upstream):
        return 2 * self.x * upstream

class Tripled(Square):
    """Wrong, and nothing is declared."""
    def backward(self, upstream):
        return 3 * self.x * upstream

class Dense:
    """Holds its parameters; how to make it is declared."""
    __gradcheck__ = {"make": lambda: Dense(3, 4), "given": {"x": "B 3"}}
    def __init__(self, n_in, n_out):
        rng = np.random.default_rng(0)
        self.W, self.b = rng.standard_normal((n_in, n_out)), np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, upstream):
        self.dW, self.db = self.x.T @ upstream, upstream.sum(axis=0)
        return upstream @ self.W.T

class Doubled(Dense):
    """Wrong in W, and its inputs are declared."""
    __gradcheck__ = {"make": lambda: Doubled(3, 4), "inputs": lambda: np.linspace(-1, 1, 6).reshape(2, 3)}
    def backward(self, upstream):
        downstream = super().backward(upstream)
        self.dW = 2 * self.dW
        return downstream

def affine_forward(x, w, b):
    return x @ w + b, (x, w)

def affine_backward(upstream, cache):
    x, w = cache
    return upstream @ w.T, x.T @ upstream, upstream.sum(axis=0)

class FromFile:
    """Nobody can guess a path."""
    def __init__(self, path: str):
        self.data = open(path).read()
    def forward(self, x):
        return x
    def backward(self, upstream):
        return upstream
'''


def need(*frameworks: str) -> None:
    """Skip without these; they are not imported here, for `pytester` would drop them, and none can be loaded twice."""
    for name in frameworks:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")


@pytest.fixture
def package(run: Run, pytester: pytest.Pytester) -> Path:
    """The folder of `mypkg`, which lies in the rootdir; `mypkg.layers` is `PACKAGE`."""
    folder = pytester.mkpydir("mypkg")
    (folder / "layers.py").write_text(PACKAGE, encoding="utf-8")
    return folder
