"""Recurrent cells and attention, and wrong twins of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, at, normal, sigmoid, softmax

book = Book()


def rnn(W: Array, U: Array, b: Array, xs: Array) -> tuple[Any, Any]:
    hs = [np.zeros(len(b))]
    for x in xs:
        hs.append(np.tanh(W @ hs[-1] + U @ x + b))
    return np.stack(hs[1:]), (W, U, xs, hs)


def rnn_b(d: Array, c: Any, carry: float = 1.0, keep: float = 1.0, last: bool = False) -> Gradients:
    W, U, xs, hs = c
    dW: Any
    dW, dU, db, dxs, dh = 0 * W, 0 * U, np.zeros(len(W)), np.zeros_like(xs), np.zeros(len(W))
    for t in reversed(range(len(xs))):
        dz = (d[t] + carry * dh) * (1 - hs[-1 if last else t + 1] ** 2)
        dW, dU, db = keep * dW + np.outer(dz, hs[t]), dU + np.outer(dz, xs[t]), db + dz
        dxs[t], dh = U.T @ dz, W.T @ dz
    return dW, dU, db, dxs


book.family(
    "rnn",
    rnn,
    rnn_b,
    normal((3, 3), (3, 2), 3, (5, 2), scale=0.6),
    [
        ("last-step", "accumulate", lambda d, c: rnn_b(d, c, keep=0.0), "dW of the first step only"),
        ("no-carry", "term", lambda d, c: rnn_b(d, c, carry=0.0), "gradient not carried through time"),
        ("last-state", "stale", lambda d, c: rnn_b(d, c, last=True), "slope at the last state in every step"),
    ],
)


def lstm(x: Array, h: Array, s: Array, W: Array) -> tuple[Any, Any]:
    """One step; W holds the weights of input, forget, output gate and candidate."""
    v = np.concatenate([x, h])
    i, f, o = (sigmoid(w @ v) for w in W[:3])
    g = np.tanh(W[3] @ v)
    new = f * s + i * g
    return np.concatenate([o * np.tanh(new), new]), (v, s, W, i, f, o, g, new)


def lstm_b(d: Array, c: Any, path: float = 1.0, gate: float = 1.0) -> Gradients:
    v, s, W, i, f, o, g, new = c
    dh, ds = np.split(d, 2)
    t = np.tanh(new)
    ds = ds + path * dh * o * (1 - t * t)
    dz = [ds * g * i * (1 - i), ds * s * f * (1 - f) ** gate, dh * t * o * (1 - o), ds * i * (1 - g * g)]
    dv = sum(w.T @ z for w, z in zip(W, dz, strict=True))
    return dv[:2], dv[2:], ds * f, np.stack([np.outer(z, v) for z in dz])


book.family(
    "lstm",
    lstm,
    lstm_b,
    normal(2, 3, 3, (4, 3, 5), scale=0.8),
    [
        ("no-output-path", "term", lambda d, c: lstm_b(d, c, path=0.0), "path h -> tanh(c) missing"),
        ("forget-slope", "local", lambda d, c: lstm_b(d, c, gate=0.0), "forget gate slope f, not f(1-f)"),
        (
            "gates",
            "swap",
            lambda d, c: at(lstm_b(d, c), 3, lambda g: g[[1, 0, 2, 3]]),
            "input and forget gate weights exchanged",
        ),
    ],
)


def attention(q: Array, k: Array, v: Array) -> tuple[Any, Any]:
    a = softmax(q @ k.T / 2)
    return a @ v, (q, k, v, a)


def attention_b(d: Array, c: Any, scale: float = 0.5) -> Gradients:
    q, k, v, a = c
    da = d @ v.T
    ds = a * (da - (da * a).sum(1, keepdims=True)) * scale
    return ds @ k, ds.T @ q, a.T @ d


book.family(
    "attention",
    attention,
    attention_b,
    normal((3, 4), (3, 4), (3, 4)),
    [
        ("no-scale", "factor", lambda d, c: attention_b(d, c, 1.0), "1/sqrt(d) missing"),
        ("values", "transpose", lambda d, c: at(attention_b(d, c), 2, lambda _: c[3] @ d), "dv = a d, not a^T d"),
        ("query-key", "swap", lambda d, c: tuple(attention_b(d, c)[i] for i in (1, 0, 2)), "dq and dk exchanged"),
    ],
)


CASES = book.cases
