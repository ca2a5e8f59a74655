"""Confirmations of what is wrong in autograd and torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib import import_module
from itertools import groupby, product
from typing import Any

import numpy as np

from benchmarks.real_packages.confirm import LONG, Breaks, Wrong, breaks, confirms, wrong

autograd = partial(confirms, "autograd")
functional = partial(confirms, "torch_functional")
modules = partial(confirms, "torch_modules")


def gradient(f: Any, x: Any) -> Any:
    """What autograd declares for a sum of entries."""
    return import_module("autograd").grad(f)(x)


def anp() -> Any:
    return import_module("autograd.numpy")


@autograd("numpy.full (broadcast)")
def full() -> Breaks:
    x = np.arange(3.0)
    shape = np.shape(import_module("autograd").make_vjp(lambda x: anp().full((2, 3), x))(x)[0](np.ones((2, 3))))
    return Breaks(f"the gradient of a fill value of shape (3,) has shape {shape}" if shape != (3,) else "")


@autograd("numpy.diagonal (not square)")
def diagonal() -> Breaks:
    pull = import_module("autograd").make_vjp(lambda x: anp().diagonal(x, axis1=-1, axis2=-2))(np.ones((2, 4)))[0]
    shape = np.shape(pull(np.ones(2)))
    return Breaks(f"the gradient of an input of shape (2, 4) has shape {shape}" if shape != (2, 4) else "")


@autograd("numpy.prod (with a zero)")
def prod() -> Wrong:
    """The derivative by each factor is the product of the others."""
    x = np.array([2.0, 0.0, 3.0])
    return wrong(np.prod, x, gradient(lambda x: anp().prod(x), x), [0.0, 6.0, 0.0])


@autograd("numpy.einsum (diagonal)")
def einsum() -> Breaks:
    return breaks(lambda: gradient(lambda x: anp().sum(anp().einsum("ii->i", x)), np.ones((3, 3))))


def tensor_gradient(f: Any, x: Any) -> Any:
    """What torch declares for f of a float64 tensor."""
    import torch

    tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(f(tensor), tensor)[0].numpy()


@functional("hardsigmoid")
def hardsigmoid() -> Wrong:
    """x / 6 + 1 / 2 between -3 and 3: the slope is 1/6, which float64 holds to 1e-17."""
    import torch

    x = np.array([0.3, -1.2, 2.0])
    declared = tensor_gradient(lambda x: torch.nn.functional.hardsigmoid(x).sum(), x)
    return wrong(lambda x: np.sum(np.clip(x / 6 + LONG(1) / 2, 0, 1)), x, declared, np.full(3, LONG(1) / 6))


@modules("Hardsigmoid")
def hardsigmoid_module() -> Wrong:
    return hardsigmoid()


LABEL = (1, 2)


@functional("ctc_loss (of log-chances)")
def ctc() -> Wrong:
    """The loss is -log of a sum over paths of products of chances; every path that reads as the label is listed here.

    Its derivative by log p[t, c] is minus the share of the paths that pass through c at time t.
    """
    import torch

    logits = np.random.default_rng(2).standard_normal((4, 3))
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))

    def loss(x: Any) -> Any:
        steps, length = torch.tensor([4]), torch.tensor([len(LABEL)])
        return torch.nn.functional.ctc_loss(x[:, None], torch.tensor([LABEL]), steps, length, reduction="sum")

    paths = [path for path in product(range(3), repeat=4) if read(path) == LABEL]
    weights = np.array([np.exp(sum(logs[t, c] for t, c in enumerate(path))) for path in paths])
    formula = np.zeros((4, 3))
    for path, weight in zip(paths, weights / weights.sum(), strict=True):
        formula[range(4), path] -= weight

    def total(x: Any) -> Any:
        return -np.log(sum(np.exp(sum(x[t, c] for t, c in enumerate(path))) for path in paths))

    return wrong(total, logs, tensor_gradient(loss, logs), formula)


@modules("CTCLoss")
def ctc_module() -> Wrong:
    return ctc()


def read(path: Sequence[int]) -> tuple[int, ...]:
    """A path as the label it stands for: repeats are joined, blanks (0) left out."""
    return tuple(c for c, _ in groupby(path) if c)


@modules("CrossMapLRN2d")
def cross_map() -> Wrong:
    """y_c = x_c s_c^-b, s_c = 1 + a / 3 sum of x_j^2 over the window of c; forward's windows all hold channel 0."""
    import torch

    a, b, (x, u) = 1e-4, 0.75, np.random.default_rng(2).standard_normal((2, 6))
    windows = np.array([[j in (0, c - 1, c, c + 1) for j in range(6)] for c in range(6)])

    def scale(x: Any) -> Any:
        return 1 + a / 3 * (windows @ x**2)

    layer = torch.nn.CrossMapLRN2d(3)
    own = layer(torch.tensor(x).reshape(1, 6, 1, 1)).flatten().numpy()
    if np.abs(own - x * scale(x) ** -b).max() > 1e-15:
        return Wrong(0.0, 0.0, 1.0)
    declared = tensor_gradient(lambda x: (torch.tensor(u) * layer(x.reshape(1, 6, 1, 1)).flatten()).sum(), x)
    s = scale(x)
    formula = u * s**-b - 2 * a * b / 3 * x * (windows.T @ (u * x * s ** (-b - 1)))
    return wrong(lambda x: np.sum(u * x * scale(x) ** -b), x, declared, formula)
