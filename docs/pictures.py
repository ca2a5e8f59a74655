"""The pictures of the tutorial, drawn by the engine: `python docs/pictures.py` writes them where graphviz is installed.

They are kept beside the pages, so that the documentation builds without graphviz.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pytest_gradcheck.engine import Trace, maximum, sources, tanh, trace

STATIC = Path(__file__).parent / "_static"


def lecture_graph() -> Trace:
    """f(x, y, z) = (x + y) max(y, z) at 1, 2, 0."""
    x, y, z = sources(x=1, y=2, z=0)
    return trace((x + y) * maximum(y, z))


def single_neuron() -> Trace:
    """s = u tanh(w x + b), one of everything."""
    u, w, x, b = sources(u=2, w=0.5, x=2, b=-0.5)
    return trace(u * tanh(w * x + b))


PICTURES: dict[str, Callable[[], Trace]] = {"lecture-graph": lecture_graph, "single-neuron": single_neuron}


if __name__ == "__main__":
    STATIC.mkdir(exist_ok=True)
    for name, make in PICTURES.items():
        (STATIC / f"{name}.svg").write_text(make().to_svg(), encoding="utf-8")
        print(f"drew {name}.svg")
