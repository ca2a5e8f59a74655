"""A book for functions of one number, applied entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.corpus.base import Draw
from benchmarks.corpus.book import Book, unary

Function = Callable[[Any], Any]
Slope = Callable[[Any, Any], Any]


class Numbers(Book):
    """Cases called right-NAME and wrong-NAME."""

    def right(self, name: str, f: Function, slope: Slope, inputs: Draw, note: str) -> None:
        """A right function; `slope` takes the input and the output."""
        self.pair(f"right-{name}", None, *unary(f, slope), inputs, note)

    def both(
        self, name: str, f: Function, slope: Slope, inputs: Draw, note: str, bug: str, wrong: Slope, why: str
    ) -> None:
        """A right function and a twin with another slope; `bug` may be several words, the truest first."""
        self.right(name, f, slope, inputs, note)
        first, *also = bug.split()
        self.pair(f"wrong-{name}", first, *unary(f, wrong), inputs, why, also=tuple(also))
