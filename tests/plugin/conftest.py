"""A project in a temporary folder, on which pytest runs with our plugin and no other that happens to be installed."""

from __future__ import annotations

from collections.abc import Callable

# Sessions run inside this process: what they import first would be dropped after each, and numpy cannot load twice,
# nor can the parts of it that are loaded when they are first used.
import numpy.ma
import numpy.random  # noqa: F401
import pytest

import pytest_gradcheck.checking  # noqa: F401

LAYERS = '''
import numpy as np

class Square:
    """Right."""
    def forward(self, x):
        self.x = x
        return x**2
    def backward(self, upstream):
        return 2 * self.x * upstream

class Cube(Square):
    """Right too."""
    def forward(self, x):
        self.x = x
        return x**3
    def backward(self, upstream):
        return 3 * self.x**2 * upstream

class Wrong(Square):
    """Wrong by a factor, everywhere."""
    def backward(self, upstream):
        return 3 * self.x * upstream

class Broken(Square):
    """Its forward raises."""
    def forward(self, x):
        raise KeyError("no such weight")

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.5]])
'''

HEADER = "import numpy as np\nimport pytest\nfrom layers import Broken, Cube, Square, Wrong, X\n"

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run(source, *options)`: pytest on one file of tests, `layers` at hand; its result."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(layers=LAYERS)
    pytester.syspathinsert()

    def run(
        source: str | None = None, *options: str, plugins: tuple[str, ...] = (), fresh: bool = False
    ) -> pytest.RunResult:
        if source is not None:
            pytester.makepyfile(test_it=HEADER + source)
        words = [word for name in ("gradcheck", *plugins) for word in ("-p", name)]
        cache = [] if {"--lf", "--sw", "--cache-show"} & set(options) else ["-p", "no:cacheprovider"]
        start = pytester.runpytest_subprocess if fresh else pytester.runpytest_inprocess
        return start(*words, *cache, *options)

    return run
