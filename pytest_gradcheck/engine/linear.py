"""Products of matrices and vectors: `x @ y`, the affine map `Wx + b` with its batched form, and the score `uᵀh`."""

from __future__ import annotations

import numpy as np

from .broadcasting import Array, unbroadcast
from .operation import operation


def _affine(W: Array, x: Array, b: Array) -> Array:
    """Wx + b. W: (outputs, inputs); x: (inputs,) or (..., inputs), one row per example; b: (outputs,) or a number."""
    if W.ndim != 2 or x.ndim < 1:
        raise ValueError(f"affine takes a matrix W and a vector x or rows of them: got shapes {W.shape} and {x.shape}")
    return x @ W.T + b


def _dot(u: Array, h: Array) -> Array:
    """uᵀh. u: (units,); h: (units,), or (..., units) for one number per row."""
    if u.ndim != 1 or h.ndim < 1:
        raise ValueError(f"dot takes a vector u and a vector h or rows of them: got shapes {u.shape} and {h.shape}")
    return np.asarray(h @ u)


def _rows(a: Array) -> Array:
    """The last axis kept, all others in one. The count is given, since -1 is undecided where the last axis is empty."""
    return a.reshape(int(np.prod(a.shape[:-1])), a.shape[-1])


def _as_matrices(u: Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    # A vector on the left of @ is a row, on the right a column; the upstream lacks that axis.
    left = x[None, :] if x.ndim == 1 else x
    right = y[:, None] if y.ndim == 1 else y
    u = u if x.ndim > 1 else np.expand_dims(u, -1 if y.ndim == 1 else -2)
    return (u if y.ndim > 1 else np.expand_dims(u, -1)), left, right


def _matmul_left(u: Array, x: Array, y: Array) -> Array:
    u, left, right = _as_matrices(u, x, y)
    return unbroadcast(u @ np.swapaxes(right, -1, -2), left.shape).reshape(x.shape)


def _matmul_right(u: Array, x: Array, y: Array) -> Array:
    u, left, right = _as_matrices(u, x, y)
    return unbroadcast(np.swapaxes(left, -1, -2) @ u, right.shape).reshape(y.shape)


matmul = operation(
    "matmul",
    np.matmul,
    rules={
        "x": lambda u, out, x, y: _matmul_left(u, x, y),
        "y": lambda u, out, x, y: _matmul_right(u, x, y),
    },
    sign="@",
    habit="@ switches: x gets u yᵀ, y gets xᵀ u",
)

affine = operation(
    "affine",
    _affine,
    rules={
        "W": lambda u, out, W, x, b: _rows(u).T @ _rows(x),
        "x": lambda u, out, W, x, b: u @ W,
        "b": lambda u, out, W, x, b: unbroadcast(u, b.shape),
    },
    habit="affine: W gets δ xᵀ, x gets Wᵀ δ, b gets δ",
)

dot = operation(
    "dot",
    _dot,
    rules={
        "u": lambda g, out, u, h: unbroadcast(g[..., None] * h, u.shape),
        "h": lambda g, out, u, h: g[..., None] * u,
    },
    habit="dot switches: each gets the upstream times the other",
)
