"""Layers that a user must tell the check something about: a solver, a surrogate, float32 inside, a structured input."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array, Gradients
from benchmarks.corpus.book import Book, Pair, at, normal, sigmoid, unary, uniform, values, weights

book = Book()


# ---------------------------------------------------------------- solvers: a smooth bias in the forward

FOLDS = 20


def compound(x: Array) -> Any:
    """(1 + x/n)^n by repeated squaring, which falls short of exp(x) by a relative x^2/2n."""
    y = 1 + x / 2.0**FOLDS
    for _ in range(FOLDS):
        y = y * y
    return y


CLOSE = {"accuracy": 1e-5}
EXP = unary(compound, lambda x, y: np.exp(x))
book.pair(
    "solver-exp", None, *EXP, normal(6), "compound interest for exp: off by a millionth, and said so", settings=CLOSE
)
book.pair(
    "solver-exp-undeclared", "small", *EXP, normal(6), "the same with nothing said: the slope is not the forward's"
)
book.pair(
    "solver-exp-off",
    "small",
    *unary(compound, lambda x, y: 1.001 * np.exp(x)),
    normal(6),
    "off by a thousandth, far beyond the accuracy declared",
    settings=CLOSE,
    also=("factor",),
)

COUPLING = 0.5 * weights(31, 4, 4) / 4


def fixed_point(x: Array, steps: int = 60) -> tuple[Any, Any]:
    """z = tanh(A z + x), iterated."""
    z = np.zeros_like(x)
    for _ in range(steps):
        z = np.tanh(COUPLING @ z + x)
    return z, z


def implicit(d: Array, z: Array, a: Array = COUPLING) -> Gradients:
    """The implicit function theorem: (1 - D A)^T w = d, dx = D w."""
    s = 1 - z * z
    return (np.linalg.solve((np.eye(4) - s[:, None] * a).T, d) * s,)


book.family(
    "implicit-layer",
    fixed_point,
    implicit,
    normal(4),
    [
        (
            "transpose",
            "transpose local",
            lambda d, z: implicit(d, z, COUPLING.T),
            "the coupling transposed in the solve",
        ),
        (
            "one-step",
            "term local",
            lambda d, z: (d * (1 - z * z),),
            "only the last step of the iteration is differentiated",
        ),
    ],
)
book.pair(
    "implicit-layer-early",
    None,
    lambda x: fixed_point(x, 12),
    implicit,
    normal(4),
    "stopped early: the gradient belongs to the limit, and the accuracy is declared",
    settings={"accuracy": 1e-4},
)


def quadrature(x: Array) -> Any:
    """The integral of cos from 0 to x by 400 trapezoids: low by a relative (x/400)^2/12."""
    t = np.linspace(0, 1, 401)
    y = np.cos(x[:, None] * t)
    return x * (y.sum(axis=1) - (y[:, 0] + y[:, -1]) / 2) / 400


book.pair(
    "solver-trapezoid",
    None,
    *unary(quadrature, lambda x, y: np.cos(x)),
    uniform(0.2, 1.2, 5),
    "the gradient of the integral, not of its trapezoids",
    settings=CLOSE,
)


# ---------------------------------------------------------------- surrogates: backward belongs to another forward


def surrogate(name: str, f: Any, g: Any, slope: Any, wrong: Any, note: str) -> None:
    """A layer f whose backward is meant to be the derivative of g, and a wrong twin."""
    inputs = normal((3, 4))
    book.pair(f"surrogate-{name}", None, *unary(f, slope), inputs, note, derivative_of=g)
    book.pair(
        f"surrogate-{name}-wrong",
        "local",
        *unary(f, wrong),
        inputs,
        f"{note}, and not even that",
        derivative_of=g,
        also=("factor", "sign", "term"),
    )


def step(x: Array) -> Any:
    return (x > 0) * 1.0


surrogate(
    "spike",
    step,
    lambda x: sigmoid(5 * x),
    lambda x, y: 5 * sigmoid(5 * x) * (1 - sigmoid(5 * x)),
    lambda x, y: sigmoid(5 * x) * (1 - sigmoid(5 * x)),
    "a spike with the slope of a steep sigmoid",
)
surrogate(
    "straight-through",
    np.round,
    lambda x: 1.0 * x,
    lambda x, y: np.ones_like(x),
    lambda x, y: np.full_like(x, 0.5),
    "rounding, straight through",
)
surrogate(
    "reversal",
    lambda x: 1.0 * x,
    lambda x: -0.3 * x,
    lambda x, y: np.full_like(x, -0.3),
    lambda x, y: np.full_like(x, 0.3),
    "a gradient reversed on purpose",
)
book.pair(
    "straight-through-undeclared",
    "local",
    *unary(np.round, lambda x, y: np.ones_like(x)),
    normal((3, 4)),
    "straight through with nothing said: the forward is flat",
    also=("factor", "zero", "term"),
)


# ---------------------------------------------------------------- float32 inside a float64 layer


def inside32(f: Any) -> Any:
    """f computed in float32 and handed out as float64."""
    return lambda x: np.asarray(f(np.asarray(x, np.float32)), np.float64)


SINGLE = {"precision": "float32"}
TANH32 = unary(inside32(np.tanh), lambda x, y: 1 - y * y)
book.pair("float32-inside", None, *TANH32, normal((3, 4)), "computes in float32 and says so", settings=SINGLE)
book.pair(
    "float32-inside-undeclared", "dtype", *TANH32, normal((3, 4)), "float64 outside, float32 inside, nothing said"
)
book.pair(
    "float32-inside-wrong",
    "factor",
    *unary(inside32(np.tanh), lambda x, y: 1.05 * (1 - y * y)),
    normal((3, 4)),
    "computes in float32, and the gradient is 5 % off",
    settings=SINGLE,
    also=("small", "local"),
)

LINEAR32 = weights(33, 4, 5)


def dense32(x: Array) -> tuple[Any, Any]:
    return np.asarray(np.asarray(x, np.float32) @ LINEAR32.astype(np.float32), np.float64), x


book.pair(
    "float32-inside-dense-undeclared",
    "dtype",
    dense32,
    lambda d, x: (d @ LINEAR32.T,),
    normal((3, 4)),
    "a matrix product in float32 inside a float64 layer",
)


# ---------------------------------------------------------------- structured inputs


def structured(name: str, domain: str, right: Any, wrong: list[tuple[Any, ...]], inputs: Any, note: str) -> None:
    """A layer that is right only within a structure, and wrong twins that are wrong there too."""
    fwd, bwd = right
    told = {"domain": {"input0": domain}}
    book.pair(f"{domain}-{name}", None, fwd, bwd, inputs, note, settings=told)
    for suffix, bug, twin, why in wrong:
        first, *also = bug.split()
        book.pair(f"{domain}-{name}-{suffix}", first, fwd, twin, inputs, why, settings=told, also=tuple(also))


def symmetric(rng: np.random.Generator) -> tuple[Array, ...]:
    a = rng.standard_normal((4, 4))
    return ((a + a.T) / 2 + np.diag([0.0, 3.0, 6.0, 9.0]),)


def definite(rng: np.random.Generator) -> tuple[Array, ...]:
    a = rng.standard_normal((3, 3))
    s = a @ a.T
    return ((s + s.T) / 2 + 2 * np.eye(3),)


def eigenvalues(A: Array) -> tuple[Any, Any]:
    values_, vectors = np.linalg.eigh(A)
    return values_, vectors


structured(
    "eigenvalues",
    "symmetric",
    (eigenvalues, lambda d, V: ((V * d) @ V.T,)),
    [
        ("transpose", "transpose", lambda d, V: ((V.T * d) @ V,), "eigenvectors taken by rows"),
        ("triangle", "factor term", lambda d, V: (np.tril((V * d) @ V.T),), "only the lower triangle gets a gradient"),
    ],
    symmetric,
    "the forward reads the lower triangle, the gradient is symmetric",
)


def lower_factor(A: Array) -> tuple[Any, Any]:
    L = np.linalg.cholesky(A)
    return L, L


def lower_factor_b(d: Array, L: Array, diagonal: float = 0.5) -> Gradients:
    """Murray, Differentiation of the Cholesky decomposition, 2016, equation 10."""
    P = np.tril(L.T @ np.tril(d))
    P[np.diag_indices(len(P))] *= diagonal
    inverse = np.linalg.inv(L)
    S = inverse.T @ P @ inverse
    return ((S + S.T) / 2,)


structured(
    "cholesky",
    "symmetric",
    (lower_factor, lower_factor_b),
    [("diagonal", "factor local term", lambda d, L: lower_factor_b(d, L, 1.0), "the diagonal is not halved")],
    definite,
    "the factor of the lower triangle alone",
)


def entropy(p: Array) -> tuple[Any, Any]:
    if abs(float(p.sum()) - 1) > 1e-9 or (p < 0).any():
        raise ValueError("not a distribution")
    return -(p * np.log(p)).sum(), p


def distribution(rng: np.random.Generator) -> tuple[Array, ...]:
    p = rng.uniform(0.5, 2, 5)
    return (p / p.sum(),)


structured(
    "entropy",
    "simplex",
    (entropy, lambda d, p: (-d * np.log(p),)),
    [
        ("sign", "sign", lambda d, p: (d * np.log(p),), "the minus is missing"),
        ("weighted", "local term", lambda d, p: (-d * p * np.log(p),), "the slope of a term taken for its value"),
    ],
    distribution,
    "the forward refuses what is no distribution; a constant in the gradient does not matter",
)


def rotate_back(Q: Array, x: Array) -> tuple[Any, Any]:
    if np.abs(Q.T @ Q - np.eye(3)).max() > 1e-9:
        raise ValueError("not orthogonal")
    return Q.T @ x, (Q, x)


def rotation(rng: np.random.Generator) -> tuple[Array, ...]:
    return np.linalg.qr(rng.standard_normal((3, 3)))[0], rng.standard_normal(3)


def rotate_back_b(d: Array, c: Any) -> Gradients:
    Q, x = c
    return np.outer(x, d), Q @ d


structured(
    "rotation",
    "orthogonal",
    (rotate_back, rotate_back_b),
    [
        (
            "transpose",
            "transpose sign",
            lambda d, c: at(rotate_back_b(d, c), 0, np.transpose),
            "the outer product the other way round",
        )
    ],
    rotation,
    "the forward refuses what is no rotation",
)


class Checked(Pair):
    """A forward that raises outside its domain, as `math.log` does."""

    def forward(self, *inputs: Array) -> Array:
        if (inputs[0] <= 0).any():
            raise ValueError("math domain error")
        return super().forward(*inputs)


POSITIVE = {"domain": {"input0": "positive"}}
EDGE = values([1e-9, 1e-3, 0.5, 3.0])
book.pair(
    "log-strict",
    None,
    *unary(np.log, lambda x, y: 1 / x),
    EDGE,
    "raises outside its domain",
    layer=Checked,
    settings=POSITIVE,
)
book.pair(
    "log-strict-wrong",
    "region",
    *unary(np.log, lambda x, y: 1 / np.maximum(x, 1e-6)),
    EDGE,
    "the slope is bounded near the edge, where the true one is not",
    layer=Checked,
    settings=POSITIVE,
    also=("local", "factor"),
)

CASES = book.cases
