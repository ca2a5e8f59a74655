"""Reductions and losses: sum, mean, softmax, log-softmax and cross entropy.

Softmax and its kin subtract the largest entry before exp, so that scores of ±1000 neither overflow nor lose the sum.
"""

from __future__ import annotations

import numpy as np

from .broadcasting import Array, Axis, reduced_axes, spread
from .operation import operation


def _sum(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Sum over an axis, several, or all; 0 over no entries."""
    return np.asarray(np.sum(x, axis=axis, keepdims=keepdims))


def _count(x: Array, axis: Axis) -> int:
    return int(np.prod([x.shape[a] for a in reduced_axes(x.ndim, axis)], dtype=int))


def _mean(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Mean over an axis, several, or all; ValueError over no entries."""
    if _count(x, axis) == 0:
        raise ValueError(f"the mean over no entries is undefined: the shape is {x.shape}, the axis {axis}")
    return np.asarray(np.mean(x, axis=axis, keepdims=keepdims))


def _log_softmax(z: Array, axis: int = -1) -> Array:
    """z - log(sum(exp(z))) along an axis."""
    # `initial` lets an empty axis through; it changes no maximum.
    shifted = z - np.max(z, axis=axis, keepdims=True, initial=-np.inf)
    return np.asarray(shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True)))


def _softmax(z: Array, axis: int = -1) -> Array:
    """exp(z) / sum(exp(z)) along an axis."""
    e = np.exp(z - np.max(z, axis=axis, keepdims=True, initial=-np.inf))
    return np.asarray(e / np.sum(e, axis=axis, keepdims=True))


def _softmax_rule(u: Array, out: Array, axis: int) -> Array:
    return np.asarray(out * (u - np.sum(u * out, axis=axis, keepdims=True)))


def _log_softmax_rule(u: Array, out: Array, axis: int) -> Array:
    return np.asarray(u - np.exp(out) * np.sum(u, axis=axis, keepdims=True))


def _cross_entropy(z: Array, labels: Array) -> Array:
    """Minus the log-probability of the right class, averaged over the examples; 0 where there are none.

    z: scores, (..., classes); labels: whole numbers from 0, one per example, of z's shape without the last axis.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu" or z.ndim < 1 or labels.shape != z.shape[:-1]:
        raise ValueError(
            "cross entropy takes scores (..., classes) and whole labels (...): "
            f"got shapes {z.shape} and {labels.shape}, labels of {labels.dtype}"
        )
    if labels.size and not 0 <= labels.min() <= labels.max() < z.shape[-1]:
        wrong = labels.max() if labels.min() >= 0 else labels.min()
        raise ValueError(f"label {wrong} is none of the {z.shape[-1]} classes: labels run from 0")
    picked = np.take_along_axis(_log_softmax(z), labels[..., None], axis=-1)
    return np.asarray(-np.sum(picked) / max(labels.size, 1), dtype=z.dtype)


def _cross_entropy_rule(u: Array, z: Array, labels: Array) -> Array:
    labels = np.asarray(labels)
    gradient = _softmax(z)
    chosen = np.take_along_axis(gradient, labels[..., None], axis=-1)
    np.put_along_axis(gradient, labels[..., None], chosen - 1, axis=-1)
    return u * gradient / max(labels.size, 1)


sum = operation(
    "sum",
    _sum,
    rules={
        "x": lambda u, out, x, axis, keepdims: spread(u, x.shape, axis, keepdims),
    },
    habit="sum distributes the upstream",
)

mean = operation(
    "mean",
    _mean,
    rules={
        "x": lambda u, out, x, axis, keepdims: spread(u, x.shape, axis, keepdims) / _count(x, axis),
    },
    habit="mean distributes the upstream over the count",
)

softmax = operation(
    "softmax",
    _softmax,
    rules={
        "z": lambda u, out, z, axis: _softmax_rule(u, out, axis),
    },
    habit="softmax: p ∘ (u - uᵀp)",
)

log_softmax = operation(
    "log_softmax",
    _log_softmax,
    rules={
        "z": lambda u, out, z, axis: _log_softmax_rule(u, out, axis),
    },
    habit="log_softmax: u - p times the sum of u",
)

cross_entropy = operation(
    "cross_entropy",
    _cross_entropy,
    rules={
        "z": lambda u, out, z, labels: _cross_entropy_rule(u, z, labels),
    },
    habit="cross_entropy: p - 1 at the label, p elsewhere, over the examples",
)
