"""Layers made of two functions, and what the diagnosis says of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from pytest_gradcheck import check
from pytest_gradcheck.verdict import Finding, Report


class Made:
    """A layer whose backward takes upstream, the output and the inputs; argument names are those of `run`."""

    def __init__(self, run: Callable[..., Any], back: Callable[..., Any]) -> None:
        @functools.wraps(run)
        def forward(*inputs: Any) -> Any:
            self.inputs, self.output = inputs, run(*inputs)
            return self.output if isinstance(self.output, tuple) else np.array(self.output)

        self.forward, self.back = forward, back

    def backward(self, upstream: Any) -> Any:
        gradients = self.back(upstream, self.output, *self.inputs)
        return gradients if isinstance(gradients, tuple) else (gradients,)


def checked(run: Callable[..., Any], back: Callable[..., Any], *inputs: Any) -> Report:
    """The report without the contract, so that what is found is found from the numbers."""
    return check(Made(run, back), *inputs, contract="off")


def named(run: Callable[..., Any], back: Callable[..., Any], *inputs: Any) -> tuple[Finding, ...]:
    """The findings from the numbers; none where the layer passes."""
    return tuple(f for f in checked(run, back, *inputs).findings if f.clause == "gradient")


def normal(*shape: int, seed: int = 11) -> Any:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def uniform(*shape: int, low: float = 0.5, high: float = 2.0) -> Any:
    return np.random.default_rng([5, *shape]).uniform(low, high, shape)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softmax(x: Any, axis: int = -1) -> Any:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def scattered(upstream: Any, index: Any, shape: tuple[int, ...], add: bool) -> Any:
    """Upstream put back where rows were gathered from, added or overwritten."""
    out = np.zeros(shape)
    if add:
        np.add.at(out, index, upstream)
    else:
        out[index] = upstream
    return out
