"""Layers that are sent to workers, some of which do not survive it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

RNG = np.random.default_rng(7)
X, W = RNG.standard_normal((4, 5)), RNG.standard_normal((5, 3))


class Affine:
    """tanh(x W); one entry of the gradient of W is multiplied by `factor`."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def forward(self, x: Array, W: Array) -> Array:
        self.x, self.W = x, W
        return np.asarray(np.tanh(x @ W))

    def backward(self, upstream: Array) -> tuple[Array, Array]:
        y = np.tanh(self.x @ self.W)
        g = upstream * (1 - y * y)
        dW = self.x.T @ g
        dW[2, 1] *= self.factor
        return g @ self.W.T, dW


class Relu:
    """max(x, 0), with a slope of its own at zero."""

    def __init__(self, at_zero: float = 0.0) -> None:
        self.at_zero = at_zero

    def forward(self, x: Array) -> Array:
        self.x = x
        return np.maximum(x, 0)

    def backward(self, upstream: Array) -> Array:
        return np.asarray(upstream * np.where(self.x == 0, self.at_zero, self.x > 0))


class Dropout:
    """Half of x, chosen by numpy's global state (which threads share) or by a Generator of its own."""

    def __init__(self, own: bool) -> None:
        self.rng = np.random.default_rng(3) if own else None

    def forward(self, x: Array) -> Array:
        drawn = self.rng.random(x.shape) if self.rng else np.random.random(x.shape)
        self.mask = drawn < 0.5
        return x * self.mask

    def backward(self, upstream: Array) -> Array:
        return upstream * self.mask


class Killer(Affine):
    """Its forward ends the process it runs in, unless that is the one it was made in.

    times: how many processes it ends; the marks of those before are files in `folder`.
    """

    def __init__(self, folder: Path, times: int) -> None:
        super().__init__()
        self.folder, self.times, self.home = folder, times, os.getpid()

    def forward(self, x: Array, W: Array) -> Array:
        if os.getpid() != self.home and self._is_among_them():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(x, W)

    def _is_among_them(self) -> bool:
        # Each mark can be made by one process alone: two that come at once are not both the first.
        for turn in range(self.times):
            try:
                (self.folder / f"ended-{turn}").touch(exist_ok=False)
            except FileExistsError:
                continue
            return True
        return False


class Watched(Affine):
    """Leaves the id of each process that evaluates it in `folder`, and counts what it does there."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def forward(self, x: Array, W: Array) -> Array:
        with (self.folder / str(os.getpid())).open("a") as file:
            file.write(".")
        return super().forward(x, W)


class Bad(Affine):
    """Raises wherever an input is not exactly what it was first."""

    def forward(self, x: Array, W: Array) -> Array:
        if not (np.array_equal(x, X) and np.array_equal(W, globals()["W"])):
            raise KeyError("no such place")
        return super().forward(x, W)
