"""Telling inputs: bugs that show at particular inputs alone, found by declaring shapes and nothing else.

python -m benchmarks.telling              each bug: found within how many examples, shrunk to how many entries
python -m benchmarks.telling --right      each right twin, and right layers of the corpus, at many examples
python -m benchmarks.telling --speed      the time of 100 examples, and whose time it is
python -m benchmarks.telling --engine     random graphs of the engine against the check, at many examples
"""

from __future__ import annotations

from . import memory, sizes, values
from .base import Telling

BUGS: list[Telling] = [*sizes.BUGS, *values.BUGS, *memory.BUGS]

__all__ = ["BUGS", "Telling"]
