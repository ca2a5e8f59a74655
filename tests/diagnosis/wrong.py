"""Wrong layers whose cause is a factor or a place, each with the sentence that is printed; `test_words` has others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .made import normal, scattered, sigmoid, softmax, uniform


@dataclass(frozen=True)
class Wrong:
    kind: str
    name: str
    sentence: str
    run: Callable[..., Any]
    back: Callable[..., Any]
    inputs: tuple[Any, ...]


ROWS = np.array([0, 2, 2, 1, 0])
MASK = np.arange(12).reshape(3, 4) % 3 > 0
OTHER_MASK = np.arange(12).reshape(3, 4) % 4 > 0


def transposed_solve(u: Any, y: Any, A: Any, b: Any) -> Any:
    return -np.outer(np.linalg.solve(A.T, u), y), np.linalg.solve(A, u)


def frames(x: Any) -> Any:
    return np.stack([x[i : i + 3] for i in range(0, 5, 2)])


def frames_overwritten(u: Any, y: Any, x: Any) -> Any:
    out = np.zeros_like(x)
    for k in range(3):
        out[2 * k : 2 * k + 3] = u[k]
    return out


def picked(x: Any, places: Any, u: Any) -> Any:
    out = np.zeros_like(x)
    out[places] = u
    return out


def ema(x: Any) -> Any:
    h, out = 0.0, []
    for v in x:
        h = np.tanh(0.5 * h + v)
        out.append(h)
    return np.array(out)


FACTORS = [
    Wrong(
        "factor",
        "mean-square-without-2",
        "the declared gradient of a is 1/2 times the true one",
        lambda a, t: np.mean((a - t) ** 2),
        lambda u, y, a, t: (u * (a - t) / a.size, -2 * u * (a - t) / a.size),
        (normal(4, 3), normal(4, 3, seed=2)),
    ),
    Wrong(
        "factor",
        "mean-not-divided",
        "the declared gradient of x is 5 times the true one",
        lambda x: x.mean(0),
        lambda u, y, x: np.broadcast_to(u, x.shape) * 1.0,
        (normal(5, 3),),
    ),
    Wrong(
        "factor",
        "mask-not-scaled",
        "the declared gradient of x is 7/10 times the true one",
        lambda x: x * MASK / 0.7,
        lambda u, y, x: u * MASK,
        (normal(3, 4),),
    ),
    Wrong(
        "factor",
        "penalty-half",
        "the part of the gradient that depends on w alone is off by the factor 1/2",
        lambda X, w: ((X @ w - 1) ** 2).mean() + 0.1 * (w @ w),
        lambda u, y, X, w: (2 * u * np.outer(X @ w - 1, w) / 6, u * (2 * X.T @ (X @ w - 1) / 6 + 0.1 * w)),
        (normal(6, 3), normal(3)),
    ),
    Wrong(
        "sign",
        "cosine",
        "the declared gradient of x has the wrong sign",
        np.cos,
        lambda u, y, x: u * np.sin(x),
        (normal(3, 3),),
    ),
    Wrong(
        "sign",
        "cube-of-size",
        "the declared gradient of x has the wrong sign at the wrong entries",
        lambda x: np.abs(x) * x * x,
        lambda u, y, x: 3 * u * x * x,
        (normal(9),),
    ),
    Wrong(
        "sign",
        "mirrored",
        "the derivative of x is taken at minus the input",
        lambda x: np.exp(x),
        lambda u, y, x: u * np.exp(-x),
        (normal(6),),
    ),
    Wrong(
        "small",
        "rounded-pi",
        "the declared gradient of x is right but for a relative error of 5e-04",
        lambda x: np.sin(np.pi * x),
        lambda u, y, x: 3.14 * u * np.cos(np.pi * x),
        (normal(6),),
    ),
    Wrong(
        "small",
        "one-sided",
        "the declared gradient of x is right but for a relative error of 6e-06",
        lambda x: x**3,
        lambda u, y, x: u * ((x + 1e-5) ** 3 - x**3) / 1e-5,
        (uniform(6),),
    ),
    Wrong(
        "dtype",
        "half-slope",
        "the declared gradient of x has lost its digits to float16 rounding on the way",
        lambda x: np.exp(x),
        lambda u, y, x: u * y.astype(np.float16).astype(float),
        (normal(8),),
    ),
    Wrong(
        "dtype",
        "single-input",
        "the declared gradient of x has lost its digits to float32 rounding on the way",
        lambda x: np.sin(x),
        lambda u, y, x: u * np.cos(x.astype(np.float32)).astype(float),
        (normal(9),),
    ),
    Wrong(
        "zero",
        "detached",
        "the declared gradient of b is zero, as if the layer did not depend on it",
        lambda a, b: a * b,
        lambda u, y, a, b: (u * b, 0 * b),
        (normal(4), normal(4, seed=2)),
    ),
    Wrong(
        "zero",
        "stopped",
        "the declared gradient of x is zero, as if the layer did not depend on it",
        lambda x: np.tanh(x),
        lambda u, y, x: 0 * x,
        (normal(4, 3),),
    ),
]

PLACES = [
    Wrong(
        "transpose",
        "product",
        "the local gradient of A is applied without being transposed",
        lambda A, B: A @ B,
        lambda u, y, A, B: (u @ B, A.T @ u),
        (normal(3, 3), normal(3, 3, seed=2)),
    ),
    Wrong(
        "transpose",
        "axes",
        "the declared gradient of x is the true one with its axes in the order (2, 0, 1)",
        lambda x: x.transpose(1, 2, 0),
        lambda u, y, x: u.transpose(1, 2, 0),
        (normal(3, 3, 3),),
    ),
    Wrong(
        "transpose",
        "order",
        "the declared gradient of x is the true one transposed and read as (3, 4)",
        lambda x: x.ravel(order="F"),
        lambda u, y, x: u.reshape(x.shape),
        (normal(3, 4),),
    ),
    Wrong(
        "transpose",
        "not-reversed",
        "the declared gradient of x is the true one reversed along axis 0",
        lambda x: 2 * x[::-1],
        lambda u, y, x: 2 * u,
        (normal(5),),
    ),
    Wrong(
        "transpose",
        "kernel",
        "backward of x uses w reversed along axis 0",
        lambda x, w: np.convolve(x, w, "valid"),
        lambda u, y, x, w: (np.convolve(u, w, "full"), np.convolve(x, u[::-1], "valid")[::-1]),
        (normal(8), normal(3)),
    ),
    Wrong(
        "swap",
        "quotient",
        "the gradients of a and b are exchanged",
        lambda a, b: a / b,
        lambda u, y, a, b: (-u * a / b**2, u / b),
        (normal(5), uniform(5)),
    ),
    Wrong(
        "swap",
        "gates",
        "the gradients of slices 0 and 1 of W along axis 0 are exchanged",
        lambda W: np.tanh(W[0]) * sigmoid(W[1]) + W[2] ** 2,
        lambda u, y, W: np.stack(
            [
                u * np.tanh(W[0]) * sigmoid(W[1]) * sigmoid(-W[1]),
                u * sigmoid(W[1]) * (1 - np.tanh(W[0]) ** 2),
                2 * u * W[2],
            ]
        ),
        (normal(3, 4),),
    ),
    Wrong(
        "swap",
        "backward-arguments",
        "backward takes x for the upstream gradient and the upstream gradient for x",
        lambda x: np.maximum(x, 0) ** 2,
        lambda u, y, x: 2 * np.maximum(u, 0) * x,
        (normal(7),),
    ),
    Wrong(
        "reduction",
        "bias-over-features",
        "the gradient of b is summed over axis 1, not summed over axis 0",
        lambda x, b: x + b,
        lambda u, y, x, b: (u, u.sum(1)),
        (normal(4, 4), normal(4)),
    ),
    Wrong(
        "reduction",
        "softmax-axis",
        "the gradient of x is normalised over the wrong axis",
        lambda x: np.log(np.exp(x).sum(0)),
        lambda u, y, x: u * softmax(x, 1),
        (normal(4, 4),),
    ),
    Wrong(
        "reduction",
        "first-item",
        "the gradient of b is taken at the first index of axis 0 only, not summed over axis 0",
        lambda x, b: np.tanh(x + b),
        lambda u, y, x, b: (u * (1 - y * y), (u * (1 - y * y))[0]),
        (normal(5, 3), normal(3)),
    ),
    Wrong(
        "accumulate",
        "rows-overwritten",
        "only the last use of E counts: uses are overwritten, not added",
        lambda E: np.exp(E)[ROWS],
        lambda u, y, E: scattered(u * y, ROWS, E.shape, add=False),
        (normal(4, 2),),
    ),
    Wrong(
        "accumulate",
        "skip-lost",
        "the gradient of x lacks upstream: one of its uses is overwritten",
        lambda x: np.tanh(x) + x,
        lambda u, y, x: u * (1 - np.tanh(x) ** 2),
        (normal(6),),
    ),
    Wrong(
        "accumulate",
        "frames",
        "only the last use of x counts: uses are overwritten, not added",
        frames,
        frames_overwritten,
        (normal(7),),
    ),
    Wrong(
        "route",
        "minimum",
        "the gradient of x does not go to the values that were picked",
        lambda x: x.min(1),
        lambda u, y, x: u[:, None] * (x == x.max(1, keepdims=True)),
        (normal(3, 4),),
    ),
    Wrong(
        "route",
        "both-sides",
        "the gradient of b is sent to the wrong side of a comparison",
        lambda a, b: np.where(a > b, a, b),
        lambda u, y, a, b: (u * (a > b), u * 1.0),
        (normal(8), normal(8, seed=2)),
    ),
    Wrong(
        "route",
        "sorted-order",
        "the gradient of x does not go to the values that were picked",
        lambda x: np.sort(x),
        lambda u, y, x: u[np.argsort(x)],
        (np.array([0.3, -1.0, 2.0, 0.7, 1.4, -0.2, 0.9]),),
    ),
    Wrong(
        "route",
        "mask-turned",
        "the gradient of x goes to exactly the entries that get none",
        lambda x: np.clip(x, -1, 1),
        lambda u, y, x: u * (np.abs(x) > 1),
        (1.5 * normal(9),),
    ),
    Wrong(
        "region",
        "negative",
        "the declared gradient of x is wrong only where it is negative",
        lambda x: np.where(x > 0, x, np.expm1(x)),
        lambda u, y, x: u * np.where(x > 0, 1, y),
        (normal(9),),
    ),
    Wrong(
        "region",
        "last-row",
        "the declared gradient of x is wrong only at the last index of axis 0",
        lambda x: x**2,
        lambda u, y, x: 2 * u * x * (np.arange(4) < 3)[:, None],
        (normal(4, 3),),
    ),
    Wrong(
        "region",
        "diagonal",
        "the declared gradient of A is wrong only on the diagonal",
        lambda A: A @ A.T,
        lambda u, y, A: (u + u.T) @ A * (1 - np.eye(4)),
        (normal(4, 4),),
    ),
    Wrong(
        "region",
        "far",
        "the declared gradient of x is wrong only where its size is above 1",
        lambda x: np.where(np.abs(x) < 1, x * x / 2, np.abs(x) - 0.5),
        lambda u, y, x: u * x,
        (1.5 * normal(10),),
    ),
]
