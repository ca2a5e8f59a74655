"""Linear maps, matrices, products and sequences that are right and hard to accept, and wrong twins of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, at, normal, sigmoid, values, weights

book = Book()


# ---------------------------------------------------------------- linear maps


def spectrum(x: Array) -> tuple[Any, Any]:
    """Real and imaginary parts of the Fourier transform, side by side."""
    z = np.fft.fft(np.asarray(x, float))
    return np.concatenate([z.real, z.imag]), len(x)


def spectrum_b(d: Array, n: int, sign: float = 1.0) -> Gradients:
    return (np.fft.fft(d[:n] - sign * 1j * d[n:]).real,)


book.family(
    "fourier",
    spectrum,
    spectrum_b,
    normal(8),
    [
        ("conjugate", "sign transpose", lambda d, n: spectrum_b(d, n, -1.0), "the imaginary part has the wrong sign"),
        (
            "inverse",
            "factor",
            lambda d, n: (spectrum_b(d, n)[0] / n,),
            "divided by the length, as an inverse transform is",
        ),
    ],
)


def power(x: Array) -> tuple[Any, Any]:
    z = np.fft.rfft(np.asarray(x, float))
    return np.abs(z) ** 2, (z, len(x))


def power_b(d: Array, c: Any) -> Gradients:
    z, n = c
    full = np.zeros(n, complex)
    full[: len(z)] = 2 * d * z
    return (np.fft.ifft(full).real * n,)


book.family(
    "power-spectrum",
    power,
    power_b,
    normal(9),
    [("half", "factor", lambda d, c: (power_b(d, c)[0] / 2,), "the 2 of the square is missing")],
)

KERNEL = weights(101, 6)


def circular(x: Array) -> Any:
    return np.stack([np.roll(KERNEL[::-1], i + 1) @ x for i in range(6)])


CIRCULANT = circular(np.eye(6))
book.family(
    "circular-convolution",
    lambda x: (CIRCULANT @ x, None),
    lambda d, c: (CIRCULANT.T @ d,),
    normal(6),
    [
        ("not-reversed", "transpose", lambda d, c: (CIRCULANT @ d,), "convolved again, not correlated"),
        ("rolled", "transpose route", lambda d, c: (np.roll(CIRCULANT.T @ d, 1),), "shifted by one"),
    ],
)


def reflected(x: Array) -> tuple[Any, Any]:
    return np.pad(x, (2, 1), mode="reflect"), len(x)


def reflected_b(d: Array, n: int) -> Gradients:
    g = d[2 : n + 2].copy()
    g[1:3] += d[1::-1]
    g[n - 2] += d[-1]
    return (g,)


book.family(
    "reflect-pad",
    reflected,
    reflected_b,
    normal(6),
    [
        (
            "cropped",
            "accumulate term region",
            lambda d, n: (d[2 : n + 2].copy(),),
            "what the borders repeat gets nothing",
        ),
        (
            "symmetric",
            "region route accumulate",
            lambda d, n: at(reflected_b(d, n), 0, lambda g: np.concatenate([[g[0] + d[1]], g[1:] - 0])),
            "the border itself is repeated too",
        ),
    ],
)

book.family(
    "difference",
    lambda x: (np.diff(x), None),
    lambda d, c: (np.concatenate([[0], d]) - np.concatenate([d, [0]]),),
    normal(6),
    [("sign", "sign", lambda d, c: (np.concatenate([d, [0]]) - np.concatenate([[0], d]),), "earlier minus later")],
)
book.family(
    "outer",
    lambda a, b: (np.outer(a, b), (a, b)),
    lambda d, c: (d @ c[1], d.T @ c[0]),
    normal(4, 4),
    [
        ("transpose", "transpose", lambda d, c: (d.T @ c[1], d.T @ c[0]), "the first gradient reads columns"),
        ("swap", "swap", lambda d, c: (d.T @ c[0], d @ c[1]), "exchanged"),
    ],
)
book.family(
    "trilinear",
    lambda x, A, y: (np.einsum("i,ijk,k->j", x, A, y), (x, A, y)),
    lambda d, c: (
        np.einsum("j,ijk,k->i", d, c[1], c[2]),
        np.einsum("i,j,k->ijk", c[0], d, c[2]),
        np.einsum("i,ijk,j->k", c[0], c[1], d),
    ),
    normal(3, (3, 3, 3), 3),
    [
        (
            "axes",
            "transpose",
            lambda d, c: (
                np.einsum("j,ikj,k->i", d, c[1], c[2]),
                np.einsum("i,j,k->ijk", c[0], d, c[2]),
                np.einsum("i,ijk,j->k", c[0], c[1], d),
            ),
            "two axes of the tensor exchanged",
        )
    ],
)


# ---------------------------------------------------------------- products and sums


def cumulative_product(x: Array) -> tuple[Any, Any]:
    return np.cumprod(x), x


def cumulative_product_b(d: Array, x: Array) -> Gradients:
    """Each factor's gradient without a division, so that zeros do no harm."""
    g = np.zeros_like(x)
    for i in range(len(x)):
        rest = x.copy()
        rest[i] = 1
        g[i] = (d[i:] * np.cumprod(rest)[i:]).sum()
    return (g,)


def by_division(d: Array, x: Array) -> Gradients:
    with np.errstate(divide="ignore", invalid="ignore"):
        return (np.cumsum((d * np.cumprod(x))[::-1])[::-1] / x,)


def skipping_zeros(d: Array, x: Array) -> Gradients:
    g = by_division(d, x)[0]
    return (np.where(x == 0, 0, g),)


book.family(
    "cumprod-with-zeros",
    cumulative_product,
    cumulative_product_b,
    values([2.0, 0.0, 3.0, -1.0, 0.0, 4.0]),
    [
        ("division", "nonfinite", by_division, "divides by the factor: 0/0 at a zero"),
        (
            "zeroed",
            "region zero",
            skipping_zeros,
            "a zero factor gets zero, where it should get the product of the others",
        ),
    ],
)
book.family(
    "product",
    lambda x: (np.prod(x), x),
    lambda d, x: (d * np.array([np.prod(np.delete(x, i)) for i in range(len(x))]),),
    values([2.0, -1.5, 0.0, 3.0]),
    [
        (
            "division",
            "nonfinite zero",
            lambda d, x: (d * np.where(x == 0, 0, np.prod(x) / np.where(x == 0, 1, x)),),
            "the zero factor gets nothing",
        )
    ],
)
book.family(
    "cancelling-sum",
    lambda x: (1e8 * (x - x.mean()), None),
    lambda d, c: (1e8 * (d - d.mean()),),
    normal(5, scale=1e-8, shift=1),
    [("no-mean", "term", lambda d, c: (1e8 * d,), "the mean's share is missing")],
)


def segments(x: Array) -> tuple[Any, Any]:
    out = np.zeros((3, x.shape[1]), dtype=x.dtype)
    np.add.at(out, SEGMENT, x)
    return out, None


SEGMENT = np.array([2, 0, 2, 2, 0])
book.family(
    "segment-sum",
    segments,
    lambda d, c: (d[SEGMENT],),
    normal((5, 2)),
    [("shifted", "route", lambda d, c: (d[np.roll(SEGMENT, 1)],), "the neighbour's segment")],
)


# ---------------------------------------------------------------- matrices


def near_singular(rng: np.random.Generator) -> tuple[Array, ...]:
    u, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    v, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    return ((u * np.array([3.0, 1.0, 0.3, 1e-3])) @ v,)


def inverse(A: Array) -> tuple[Any, Any]:
    B = np.linalg.inv(A)
    return B, B


book.family(
    "inverse-ill-conditioned",
    inverse,
    lambda d, B: (-B.T @ d @ B.T,),
    near_singular,
    [("transpose", "transpose", lambda d, B: (-B @ d @ B,), "the inverse is not transposed")],
)


def determinant(A: Array) -> tuple[Any, Any]:
    return np.linalg.det(A), A


def adjugate_b(d: Array, A: Array) -> Gradients:
    """The cofactors from minors, which exist where the inverse does not."""
    n = len(A)
    minors = [[np.linalg.det(np.delete(np.delete(A, i, 0), j, 1)) for j in range(n)] for i in range(n)]
    signs = (-1.0) ** np.add.outer(np.arange(n), np.arange(n))
    return (d * signs * np.array(minors),)


def by_inverse(d: Array, A: Array) -> Gradients:
    try:
        return (d * np.linalg.det(A) * np.linalg.inv(A).T,)
    except np.linalg.LinAlgError:
        return (np.full(A.shape, np.nan),)


SINGULAR = values([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.0, 1.0, 5.0]])
book.family(
    "determinant-singular",
    determinant,
    adjugate_b,
    SINGULAR,
    [("inverse", "nonfinite", by_inverse, "the inverse of a matrix that has none")],
)


def solve(A: Array, b: Array) -> tuple[Any, Any]:
    x = np.linalg.solve(A, b)
    return x, (A, x)


def solve_b(d: Array, c: Any) -> Gradients:
    A, x = c
    gb = np.linalg.solve(A.T, d)
    return -np.outer(gb, x), gb


def posed(rng: np.random.Generator) -> tuple[Array, ...]:
    return rng.standard_normal((4, 4)) + 4 * np.eye(4), rng.standard_normal(4)


book.family(
    "solve",
    solve,
    solve_b,
    posed,
    [
        (
            "not-transposed",
            "transpose",
            lambda d, c: (-np.outer(np.linalg.solve(c[0], d), c[1]), np.linalg.solve(c[0], d)),
            "solved with A, not with its transpose",
        ),
        ("sign", "sign", lambda d, c: at(solve_b(d, c), 0, np.negative), "the minus is missing"),
        (
            "outer",
            "transpose",
            lambda d, c: at(solve_b(d, c), 0, np.transpose),
            "the outer product the other way round",
        ),
    ],
)
book.family(
    "log-determinant",
    lambda A: (np.linalg.slogdet(A)[1], A),
    lambda d, A: (d * np.linalg.inv(A).T,),
    lambda rng: (rng.standard_normal((4, 4)) + 4 * np.eye(4),),
    [("transpose", "transpose", lambda d, A: (d * np.linalg.inv(A),), "the inverse is not transposed")],
)


def singular_b(d: Array, A: Array) -> Any:
    u, _, v = np.linalg.svd(A)
    return (u * d) @ v


book.family(
    "singular-values",
    lambda A: (np.linalg.svd(A, compute_uv=False), A),
    lambda d, A: (singular_b(d, A),),
    lambda rng: (np.diag([1.0, 3.0, 6.0]) + 0.3 * rng.standard_normal((3, 3)),),
    [("transpose", "transpose", lambda d, A: (singular_b(d, A).T,), "transposed")],
)


def cube(A: Array) -> tuple[Any, Any]:
    return A @ A @ A, A


def cube_b(d: Array, A: Array) -> Gradients:
    T = A.T
    return (d @ T @ T + T @ d @ T + T @ T @ d,)


book.family(
    "matrix-cube",
    cube,
    cube_b,
    normal((3, 3)),
    [
        ("scalar-rule", "local term", lambda d, A: (3 * A.T @ A.T @ d,), "3 A^2 d, as for numbers"),
        ("two-terms", "term accumulate", lambda d, A: (d @ A.T @ A.T + A.T @ A.T @ d,), "the middle use is missing"),
    ],
)
book.family(
    "trace-of-product",
    lambda A, B: (np.trace(A @ B), (A, B)),
    lambda d, c: (d * c[1].T, d * c[0].T),
    normal((3, 4), (4, 3)),
    [("sign", "sign", lambda d, c: (d * c[1].T, -d * c[0].T), "the second negated")],
)

# ---------------------------------------------------------------- sequences


def gru(x: Array, h: Array, W: Array) -> tuple[Any, Any]:
    """One step; W holds the weights of update gate, reset gate and candidate."""
    v = np.concatenate([x, h])
    z, r = sigmoid(W[0] @ v), sigmoid(W[1] @ v)
    u = np.concatenate([x, r * h])
    n = np.tanh(W[2] @ u)
    return (1 - z) * n + z * h, (x, h, W, v, z, r, u, n)


def gru_b(d: Array, c: Any, through_reset: float = 1.0) -> Gradients:
    x, h, W, v, z, r, u, n = c
    an = d * (1 - z) * (1 - n * n)
    gu = W[2].T @ an
    ghr = gu[len(x) :]
    az = d * (h - n) * z * (1 - z)
    ar = through_reset * ghr * h * r * (1 - r)
    gv = W[0].T @ az + W[1].T @ ar
    gx, gh = gv[: len(x)] + gu[: len(x)], gv[len(x) :] + ghr * r + d * z
    return gx, gh, np.stack([np.outer(az, v), np.outer(ar, v), np.outer(an, u)])


book.family(
    "gru",
    gru,
    gru_b,
    normal(2, 3, (3, 3, 5), scale=0.8),
    [
        ("no-reset-path", "term", lambda d, c: gru_b(d, c, 0.0), "the path through the reset gate is missing"),
        (
            "no-carry",
            "term",
            lambda d, c: at(gru_b(d, c), 1, lambda g: g - d * c[4]),
            "the state's own path is missing",
        ),
        (
            "gates",
            "swap",
            lambda d, c: at(gru_b(d, c), 2, lambda g: g[[1, 0, 2]]),
            "update and reset weights exchanged",
        ),
    ],
)


def recurrence(x: Array) -> tuple[Any, Any]:
    """The logistic map, twelve times: the slope grows with every step."""
    steps = [x]
    for _ in range(12):
        steps.append(3.7 * steps[-1] * (1 - steps[-1]))
    return steps[-1], steps


def recurrence_b(d: Array, steps: Any) -> Gradients:
    for x in reversed(steps[:-1]):
        d = d * 3.7 * (1 - 2 * x)
    return (d,)


def recurrence_short(d: Array, steps: Any) -> Gradients:
    return recurrence_b(d, steps[1:])


book.family(
    "chaotic-recurrence",
    recurrence,
    recurrence_b,
    lambda rng: (rng.uniform(0.2, 0.8, 4),),
    [("one-step-less", "term local", recurrence_short, "the first step is not differentiated")],
)


def attention_masked(q: Array, k: Array, v: Array) -> tuple[Any, Any]:
    """Causal attention: later keys are masked by -inf before the softmax."""
    s = q @ k.T / 2
    s = np.where(np.tri(len(s)) > 0, s, -np.inf)
    e = np.exp(s - s.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p @ v, (q, k, v, p)


def attention_masked_b(d: Array, c: Any) -> Gradients:
    q, k, v, p = c
    gp = d @ v.T
    gs = p * (gp - (gp * p).sum(axis=1, keepdims=True)) / 2
    return gs @ k, gs.T @ q, p.T @ d


def unmasked(d: Array, c: Any) -> Gradients:
    q, k, v, _ = c
    s = q @ k.T / 2
    e = np.exp(s - s.max(axis=1, keepdims=True))
    return attention_masked_b(d, (q, k, v, e / e.sum(axis=1, keepdims=True)))


book.family(
    "causal-attention",
    attention_masked,
    attention_masked_b,
    normal((4, 4), (4, 4), (4, 4)),
    [
        ("unmasked", "region route local", unmasked, "the mask is left out of the backward"),
        (
            "no-scale",
            "factor",
            lambda d, c: (*(2 * g for g in attention_masked_b(d, c)[:2]), attention_masked_b(d, c)[2]),
            "1/sqrt(d) is missing",
        ),
    ],
)

CASES = book.cases
