"""A right layer with one wrong entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.corpus.base import Array


@dataclass(frozen=True)
class Error:
    """An entry (its number in C order) of the gradient of an argument is declared 1 + share times as large."""

    argument: int
    entry: int
    share: float


class Planted:
    """A right layer, and with an error a wrong one; both are checked in this form, so that nothing else differs."""

    def __init__(self, layer: Any, error: Error | None = None) -> None:
        self.layer, self.error = layer, error

    def forward(self, *inputs: Array) -> Any:
        return self.layer.forward(*inputs)

    def backward(self, *upstream: Array) -> Any:
        declared = self.layer.backward(*upstream)
        if self.error is None:
            return declared
        gradients = listed(declared)
        # In C order: reshaping a copy in another order copies once more, and the error would be lost.
        wrong = np.array(gradients[self.error.argument], order="C")
        wrong.reshape(-1)[self.error.entry] *= 1.0 + self.error.share
        gradients[self.error.argument] = wrong
        return tuple(gradients) if isinstance(declared, tuple | list) else wrong


def listed(declared: Any) -> list[Any]:
    """What backward returned, one gradient per input."""
    return list(declared) if isinstance(declared, tuple | list) else [declared]
