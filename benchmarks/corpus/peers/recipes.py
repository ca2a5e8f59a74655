"""The recipes people write themselves, and the general tools of numeric differentiation."""

# Frameworks without types, most of them not installed here.
# mypy: disable-error-code="import-untyped, import-not-found, no-untyped-call, assignment"

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.corpus.base import Array

from .common import Counted, MismatchError, peer, upstream_of

Inputs = tuple[Array, ...]
Rng = np.random.Generator


def entries(layer: Counted, inputs: Inputs, d: Array, h: float) -> Iterator[Array]:
    """Central differences of sum(d * forward), every entry of every input in turn."""
    for x in inputs:
        g = np.zeros_like(x)
        for i in np.ndindex(x.shape):
            old = x[i]
            x[i] = old + h
            plus = layer.forward(*inputs).copy()
            x[i] = old - h
            minus = layer.forward(*inputs).copy()
            x[i] = old
            g[i] = np.sum((plus - minus) * d) / (2 * h)
        yield g


@peer("cs231n", "main", "", "CS231n recipe: float64, h = 1e-5, all entries, max relative error < 1e-5")
def cs231n(layer: Counted, inputs: Inputs, rng: Rng) -> None:
    inputs = tuple(np.array(x, np.float64) for x in inputs)
    d = upstream_of(layer, inputs, rng)
    pairs = zip(layer.full_grads(inputs, d), entries(layer, inputs, d, 1e-5), strict=False)
    for k, (g, num) in enumerate(pairs):
        error = np.max(np.abs(num - g) / np.maximum(1e-8, np.abs(num) + np.abs(g)))
        if not error < 1e-5:
            raise MismatchError(f"input {k} error: {error}")


@peer("lecture", "main", "", "lecture recipe: h = 1e-4, all entries, allclose(rtol=1e-5, atol=1e-7)")
def lecture(layer: Counted, inputs: Inputs, rng: Rng) -> None:
    d = upstream_of(layer, inputs, rng)
    pairs = zip(layer.full_grads(inputs, d), entries(layer, inputs, d, 1e-4), strict=False)
    for k, (g, num) in enumerate(pairs):
        if not np.allclose(g, num, rtol=1e-5, atol=1e-7):
            raise MismatchError(f"gradient check failed for input {k}")


Scalar = tuple[Callable[[Array], float], Callable[[Array], Array], Array]


def scalar(layer: Counted, inputs: Inputs, rng: Rng) -> Scalar:
    """The layer under a random upstream as a scalar function of one flat float64 vector: f, gradient, point."""
    d = upstream_of(layer, inputs, rng)
    ends = np.cumsum([x.size for x in inputs])[:-1]

    def split(v: Array) -> list[Array]:
        return [p.reshape(x.shape).astype(x.dtype) for p, x in zip(np.split(v, ends), inputs, strict=True)]

    def f(v: Array) -> float:
        return float(np.sum(d * layer.forward(*split(v)), dtype=np.float64))

    def grad(v: Array) -> Array:
        return np.concatenate([np.ravel(g) for g in layer.full_grads(split(v), d)]).astype(np.float64)

    return f, grad, np.concatenate([x.ravel() for x in inputs]).astype(np.float64)


@peer("scipy", "main", "scipy", "scipy.optimize.check_grad, norm of the difference < 1e-4 of the gradient's")
def scipy_check(layer: Counted, inputs: Inputs, rng: Rng) -> None:
    from scipy.optimize import check_grad

    f, grad, v = scalar(layer, inputs, rng)
    error, size = check_grad(f, grad, v), np.linalg.norm(grad(v))
    if not error <= 1e-4 * size:
        raise MismatchError(f"check_grad: {error:.3g} for a gradient of norm {size:.3g}")


@peer("numdifftools", "main", "numdifftools", "numdifftools.Gradient, allclose(rtol=1e-6, atol=1e-6)")
def numdifftools_check(layer: Counted, inputs: Inputs, rng: Rng) -> None:
    import numdifftools

    f, grad, v = scalar(layer, inputs, rng)
    g, num = grad(v), numdifftools.Gradient(f)(v)
    if not np.allclose(g, num, rtol=1e-6, atol=1e-6):
        raise MismatchError(f"max difference {np.max(np.abs(g - num)):.3g}")
