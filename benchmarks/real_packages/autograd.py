"""autograd: every primitive that has a `defvjp`, in numpy, its fft and linalg, and scipy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import FunctionType
from typing import Any

import numpy as np

from benchmarks.real_packages.autograd_causes import CAUSES
from benchmarks.real_packages.base import Check, Inputs, Package, Rng, normal, uniform

#: Where its wrapped functions stand; a primitive is called by the first of these that has it.
NAMESPACES = (
    "numpy", "numpy.linalg", "numpy.fft", "scipy.special", "scipy.signal", "scipy.linalg", "scipy.integrate",
    *(f"scipy.stats.{law}" for law in ("norm", "beta", "chi2", "gamma", "poisson", "t")),
    "scipy.stats.multivariate_normal", "scipy.stats.dirichlet", "numpy.numpy_wrapper", "numpy.numpy_vjps",
    "core", "builtins",
)  # fmt: skip


@cache
def primitives() -> dict[str, Any]:
    """Every primitive with a backward, by its own name in the first namespace below `autograd` that holds it."""
    spaces = {space: vars(import_module(f"autograd.{space}")) for space in NAMESPACES}
    table = import_module("autograd.core").primitive_vjps
    held: dict[Any, tuple[str, str]] = {}
    for space, things in spaces.items():
        for name, thing in things.items():
            if isinstance(thing, FunctionType) and thing in table:
                held.setdefault(thing, (space, name))
    named: dict[str, Any] = {}
    for primitive in table:
        home = str(getattr(primitive.fun, "__module__", "")).removeprefix("autograd.")
        if primitive not in held and home.partition(".")[0] not in {space.partition(".")[0] for space in NAMESPACES}:
            continue  # somebody else's, made in this process: the table is shared
        space, name = held.get(primitive, (home, primitive.__name__))
        space = "numpy" if space.startswith("numpy.numpy_") else space
        own = f"{space}.{primitive.__name__}"
        named[f"{space}.{name}" if own in named else own] = primitive
    return named


def found() -> list[tuple[str, str]]:
    return [(name, "primitive") for name in primitives()]


def c(name: str, inputs: Inputs, call: Callable[..., Any] | None = None, variant: str = "") -> Check:
    """A check of one primitive; `call(primitive, *inputs)` where it needs more than the inputs."""

    def make() -> Any:
        from pytest_gradcheck import declare

        primitive = primitives()[name]

        def called(*inputs: Any) -> Any:
            return call(primitive, *inputs) if call else primitive(*inputs)

        called.__name__ = name.rpartition(".")[2]
        return declare.autograd(called)

    return Check(name, make, inputs, variant, theirs=CAUSES.get((name, variant), ""))


X = normal((3, 4))
TWO = normal((3, 4), (3, 4))
ROW = normal((3, 4), (4,))
POSITIVE = uniform(0.5, 2.0, (3, 4))
SHARES = uniform(0.1, 0.9, (3, 4))
SQUARE = normal((3, 3))
VECTOR = normal((5,))


def several(names: str, inputs: Inputs, space: str = "numpy") -> list[Check]:
    return [c(f"{space}.{name}", inputs) for name in names.split()]


def elementwise() -> list[Check]:
    return [
        *several("add multiply subtract maximum minimum fmax fmin logaddexp logaddexp2 arctan2 hypot", ROW),
        *several("negative absolute fabs exp exp2 expm1 sin cos tan arctan sinh cosh tanh arcsinh", X),
        *several("rad2deg degrees deg2rad radians square sinc nan_to_num real conjugate real_if_close", X),
        *several("reciprocal log log2 log10 log1p sqrt", POSITIVE),
        *several("arcsin arccos arctanh", uniform(-0.9, 0.9, (3, 4))),
        c("numpy.arccosh", uniform(1.2, 3.0, (3, 4))),
        c("numpy.divide", uniform(0.5, 2.0, (3, 4), (4,))),
        c("numpy.remainder", uniform(0.5, 2.0, (3, 4), (4,))),
        c("numpy.power", uniform(0.5, 2.0, (3, 4), (4,))),
        c("numpy.imag", complex_((3, 4))),
        c("numpy.angle", complex_((3, 4))),
        *(c(f"numpy.{name}", complex_((3, 4)), variant="complex") for name in ("absolute", "exp", "conjugate", "real")),
        c("numpy.clip", X, lambda f, x: f(x, -0.5, 0.5)),
        c("numpy.where", TWO, lambda f, x, y: f(np.arange(12).reshape(3, 4) % 3 == 0, x, y)),
        c("numpy.astype", X, lambda f, x: f(x, np.float64)),
    ]


def complex_(*shapes: tuple[int, ...]) -> Inputs:
    return lambda rng: tuple(rng.standard_normal(s) + 1j * rng.standard_normal(s) for s in shapes)


def shapes() -> list[Check]:
    cube = normal((4, 2, 4))
    return [
        c("numpy.reshape", X, lambda f, x: f(x, (2, 6))),
        c("numpy.reshape", X, lambda f, x: f(x, (2, 6), order="F"), "order F"),
        c("numpy.ravel", X),
        c("numpy.ravel", X, lambda f, x: f(x, order="F"), "order F"),
        c("numpy.roll", X, lambda f, x: f(x, 1, 1)),
        c("numpy.array_split", X, lambda f, x: f(x, 3, 1)),
        c("numpy.split", X, lambda f, x: f(x, 2, 1)),
        c("numpy.vsplit", X, lambda f, x: f(x, [1])),
        c("numpy.hsplit", X, lambda f, x: f(x, 2)),
        c("numpy.dsplit", cube, lambda f, x: f(x, 2)),
        c("numpy.expand_dims", X, lambda f, x: f(x, 1)),
        c("numpy.squeeze", normal((3, 1, 4))),
        c("numpy.diag", SQUARE),
        c("numpy.diag", SQUARE, lambda f, x: f(x, 1), "k = 1"),
        c("numpy.diag", VECTOR, variant="of a vector"),
        *several("flipud fliplr atleast_1d atleast_2d atleast_3d", X),
        c("numpy.rot90", X),
        c("numpy.rot90", X, lambda f, x: f(x, 3), "k = 3"),
        c("numpy.triu", normal((4, 4)), lambda f, x: f(x, 1)),
        c("numpy.tril", normal((4, 4))),
        c("numpy.full", lambda rng: (rng.standard_normal(()),), lambda f, x: f((2, 3), x)),
        c("numpy.full", normal((3,)), lambda f, x: f((2, 3), x), "broadcast"),
        c("numpy.swapaxes", cube, lambda f, x: f(x, 0, 1)),
        c("numpy.moveaxis", cube, lambda f, x: f(x, 0, 2)),
        c("numpy.rollaxis", cube, lambda f, x: f(x, 2)),
        c("numpy.transpose", cube, lambda f, x: f(x, (1, 2, 0))),
        c("numpy.broadcast_to", normal((1, 3, 1)), lambda f, x: f(x, (2, 3, 4))),
        c("numpy.repeat", X, lambda f, x: f(x, 2, 1)),
        c("numpy.tile", X, lambda f, x: f(x, (2, 1))),
        c("numpy.pad", X, lambda f, x: f(x, ((1, 0), (2, 1)), "constant")),
        c("numpy.diagonal", normal((2, 3, 3)), lambda f, x: f(x, axis1=-1, axis2=-2)),
        c("numpy.diagonal", cube, lambda f, x: f(x, axis1=-1, axis2=-2), "not square"),
        c("numpy.make_diagonal", X, lambda f, x: f(x, axis1=-1, axis2=-2)),
        c("numpy.linspace", normal((3,), (3,)), lambda f, x, y: f(x, y, 5)),
        c("numpy.concatenate_args", TWO, lambda f, x, y: f(1, x, y)),
        c("numpy.array_from_args", TWO, lambda f, x, y: f((), {}, x, y)),
        c("numpy._array_from_scalar_or_array", X, lambda f, x: f((), {}, x)),
        c("numpy.__getitem__", X, lambda f, x: f(x, (slice(None), np.array([0, 2, 2])))),
        c("numpy.fft.truncate_pad", X, lambda f, x: f(x, (2, 6))),
    ]


def reductions() -> list[Check]:
    names = ("sum", "mean", "prod", "var", "std", "max", "min", "amax", "amin", "cumsum")
    one: list[Check] = [c(f"numpy.{name}", X, lambda f, x: f(x, axis=1), "axis 1") for name in names]
    return [
        *(c(f"numpy.{name}", X, variant="all") for name in names),
        *one,
        *(c(f"numpy.{name}", X, lambda f, x: f(x, axis=0, ddof=1), "ddof 1") for name in ("var", "std")),
        c("numpy.prod", with_zeros, variant="with a zero"),
        c("numpy.trace", SQUARE),
        c("numpy.diff", X),
        c("numpy.diff", normal((3, 5)), lambda f, x: f(x, 2), "second"),
        c("numpy.gradient", VECTOR),
        c("numpy.gradient", normal((3, 5)), lambda f, x: f(x, axis=1), "axis 1"),
        c("numpy.sort", VECTOR),
        c("numpy.partition", VECTOR, lambda f, x: f(x, 2)),
        c("scipy.special.logsumexp", X),
        c("scipy.special.logsumexp", X, lambda f, x: f(x, axis=1), "axis 1"),
        c("scipy.special.logsumexp", X, lambda f, x: f(x, axis=1, b=np.arange(1.0, 5.0)), "weighted"),
    ]


def with_zeros(rng: Rng) -> tuple[Any, ...]:
    x = rng.standard_normal((3, 4))
    x[1, 2] = 0
    return (x,)


def products() -> list[Check]:
    return [
        c("numpy.dot", normal((3, 4), (4, 2))),
        c("numpy.dot", normal((2, 3, 4), (5, 4, 2)), variant="3-D"),
        c("numpy.matmul", normal((3, 4), (4, 2))),
        c("numpy.matmul", normal((2, 3, 4), (4, 2)), variant="broadcast"),
        c("numpy.matmul", normal((4,), (2, 4, 3)), variant="vector and stack"),
        c("numpy.inner", normal((3, 4), (2, 4))),
        c("numpy.outer", normal((3,), (4,))),
        c("numpy.tensordot", normal((2, 3, 4), (4, 3, 5)), lambda f, x, y: f(x, y, ([1, 2], [1, 0]))),
        c("numpy.tensordot", normal((2, 3, 4), (3, 4, 5)), lambda f, x, y: f(x, y, 2), "two axes"),
        c("numpy.einsum", normal((2, 3, 4), (4, 5)), lambda f, x, y: f("ijk,kl->jl", x, y)),
        c("numpy.einsum", normal((3, 3)), lambda f, x: f("ii->i", x), "diagonal"),
        c("numpy.kron", normal((2, 3), (3, 2))),
        c("numpy.cross", normal((4, 3), (4, 3))),
        c("numpy.dot_adjoint_0", normal((4, 2), (3, 2)), lambda f, b, g: f(b, g, *metas((3, 4), (4, 2)))),
        c("numpy.dot_adjoint_1", normal((3, 4), (3, 2)), lambda f, a, g: f(a, g, *metas((3, 4), (4, 2)))),
        c("numpy.tensordot_adjoint_0", normal((4, 2), (3, 2)),
          lambda f, b, g: f(b, g, 1, 2, 2)),
        c("numpy.tensordot_adjoint_1", normal((3, 4), (3, 2)),
          lambda f, a, g: f(a, g, 1, 2, 2)),
        c("scipy.signal.convolve", normal((6,), (3,))),
        c("scipy.signal.convolve", normal((5, 6), (2, 3)), lambda f, x, y: f(x, y, mode="valid"), "valid"),
    ]  # fmt: skip


def metas(*shapes: tuple[int, ...]) -> list[Any]:
    """What the adjoints are told of the operands: shape, number of axes, dtype, whether complex."""
    return [(shape, len(shape), np.dtype(float), False) for shape in shapes]


def fourier() -> list[Check]:
    one = ("fft", "ifft", "rfft")
    many = ("fft2", "ifft2", "fftn", "ifftn", "rfft2", "rfftn")
    halves = normal((3, 4))
    return [
        *(c(f"numpy.fft.{name}", X) for name in (*one, *many, "fftshift", "ifftshift")),
        *(c(f"numpy.fft.{name}", complex_((3, 4)), variant="complex") for name in ("fft", "ifft", "fft2", "ifftn")),
        *(c(f"numpy.fft.{name}", halves, variant="real") for name in ("irfft", "irfft2", "irfftn")),
        *(c(f"numpy.fft.{name}", complex_((4, 3)), variant="complex") for name in ("irfft", "irfft2", "irfftn")),
    ]


def definite(rng: Rng) -> tuple[Any, ...]:
    a = rng.standard_normal((3, 3))
    return (a @ a.T + 3 * np.eye(3),)


def symmetric(f: Callable[..., Any], x: Any) -> Any:
    """The primitive behind a symmetrisation: it reads one triangle and is differentiated as if it read both."""
    return f((x + x.T) / 2)


def algebra() -> list[Check]:
    space = "numpy.linalg"
    return [
        *(c(f"{space}.{name}", SQUARE) for name in ("det", "slogdet", "inv")),
        c(f"{space}.pinv", normal((4, 3))),
        c(f"{space}.solve", normal((3, 3), (3, 2))),
        c(f"{space}.solve", normal((3, 3), (3,)), variant="vector"),
        c(f"{space}.norm", VECTOR),
        c(f"{space}.norm", X, variant="Frobenius"),
        c(f"{space}.norm", X, lambda f, x: f(x, axis=1), "axis 1"),
        c(f"{space}.norm", X, lambda f, x: f(x, "nuc"), "nuclear"),
        c(f"{space}.norm", VECTOR, lambda f, x: f(x, 3), "order 3"),
        c(f"{space}.cholesky", definite, symmetric),
        c(f"{space}.eigh", definite, lambda f, x: f((x + x.T) / 2)[0], "values"),
        c(f"{space}.eigh", definite, lambda f, x: f((x + x.T) / 2)[1] ** 2, "vectors, squared"),
        c(f"{space}.eig", SQUARE, lambda f, x: f(x)[0], "values"),
        c(f"{space}.svd", normal((4, 3)), lambda f, x: f(x, full_matrices=False)[1], "values"),
        c(f"{space}.svd", normal((4, 3)), svd_vectors, "vectors, squared"),
        c("scipy.linalg.sqrtm", definite),
        c("scipy.linalg.solve_triangular", triangular),
        c("scipy.linalg.solve_triangular", triangular, lambda f, a, b: f(a, b, trans=1), "transposed"),
        c("scipy.linalg.solve_triangular", triangular, lambda f, a, b: f(a.T, b, lower=True), "lower"),
        c("scipy.linalg.solve_banded", banded, lambda f, ab, b: f((1, 1), ab, b)),
        c("scipy.linalg.solve_sylvester", normal((3, 3), (2, 2), (3, 2))),
    ]


def svd_vectors(f: Callable[..., Any], x: Any) -> Any:
    u, _, v = f(x, full_matrices=False)
    return u**2, v**2


def triangular(rng: Rng) -> tuple[Any, ...]:
    return np.triu(rng.standard_normal((3, 3))) + 3 * np.eye(3), rng.standard_normal((3, 2))


def banded(rng: Rng) -> tuple[Any, ...]:
    ab = rng.standard_normal((3, 4))
    ab[1] += 4
    return ab, rng.standard_normal(4)


def special() -> list[Check]:
    at = "scipy.special"
    orders = ("jv", "yn", "iv", "ive")
    return [
        *several("erf erfc expit i0 i1 j0 j1 psi digamma", uniform(0.5, 3.0, (3, 4)), at),
        *several("y0 y1 gamma gammaln rgamma", uniform(0.5, 3.0, (3, 4)), at),
        *several("erfinv", uniform(-0.9, 0.9, (3, 4)), at),
        *several("erfcinv", uniform(0.2, 1.8, (3, 4)), at),
        *several("logit", SHARES, at),
        c(f"{at}.gammasgn", uniform(0.5, 3.0, (3, 4))),
        c(f"{at}.polygamma", uniform(0.5, 3.0, (3, 4)), lambda f, x: f(1, x)),
        c(f"{at}.multigammaln", uniform(2.5, 5.0, (3, 4)), lambda f, x: f(x, 3)),
        *(c(f"{at}.{name}", uniform(0.5, 3.0, (3, 4)), lambda f, x: f(2, x)) for name in orders),
        *(c(f"{at}.{name}", uniform(0.5, 3.0, (3, 4)), lambda f, x: f(1.5, x)) for name in ("gammainc", "gammaincc")),
        *(c(f"{at}.{name}", uniform(0.5, 3.0, (3, 4), (3, 4))) for name in ("beta", "betaln")),
        c(f"{at}.betainc", SHARES, lambda f, x: f(1.5, 2.5, x)),
    ]


def laws() -> list[Check]:
    at = "scipy.stats"
    normal_at = lambda rng: (rng.standard_normal((3, 4)), rng.standard_normal(4), rng.uniform(0.5, 2, (3, 1)))  # noqa: E731
    return [
        *(c(f"{at}.norm.{name}", normal_at) for name in ("pdf", "cdf", "sf", "logpdf", "logcdf", "logsf")),
        *(c(f"{at}.beta.{name}", lambda rng: (rng.uniform(0.1, 0.9, (3, 4)), *uniform(1.5, 3, (4,), (3, 1))(rng)))
          for name in ("pdf", "logpdf")),
        c(f"{at}.beta.cdf", SHARES, lambda f, x: f(x, 1.5, 2.5)),
        *(c(f"{at}.chi2.{name}", uniform(0.5, 3.0, (3, 4)), lambda f, x: f(x, 3.0))
          for name in ("pdf", "cdf", "logpdf")),
        *(c(f"{at}.gamma.{name}", uniform(0.5, 3.0, (3, 4), (4,))) for name in ("pdf", "logpdf")),
        c(f"{at}.gamma.cdf", uniform(0.5, 3.0, (3, 4)), lambda f, x: f(x, 1.5)),
        *(c(f"{at}.poisson.{name}", uniform(0.5, 3.0, (3, 4)), lambda f, mu: f(np.arange(4), mu))
          for name in ("pmf", "cdf", "logpmf")),
        *(c(f"{at}.t.{name}", lambda rng: (rng.standard_normal((3, 4)), rng.uniform(2, 5, (4,)),
            rng.standard_normal(4), rng.uniform(0.5, 2, (3, 1)))) for name in ("pdf", "logpdf")),
        *(c(f"{at}.t.{name}", X, lambda f, x: f(x, 3.0)) for name in ("cdf", "logcdf")),
        *(c(f"{at}.multivariate_normal.{name}", gaussian, lambda f, x, m, s: f(x, m, (s + s.T) / 2))
          for name in ("pdf", "logpdf")),
        c(f"{at}.multivariate_normal.entropy", lambda rng: (rng.standard_normal(3), *definite(rng)),
          lambda f, m, s: f(m, (s + s.T) / 2)),
        *(c(f"{at}.dirichlet.{name}", dirichlet, lambda f, x, a: f(x / x.sum(), a)) for name in ("pdf", "logpdf")),
    ]  # fmt: skip


def gaussian(rng: Rng) -> tuple[Any, ...]:
    return rng.standard_normal((4, 3)), rng.standard_normal(3), definite(rng)[0]


def dirichlet(rng: Rng) -> tuple[Any, ...]:
    return rng.dirichlet(np.ones(4)), rng.uniform(1.5, 3.0, 4)


def pendulum(f: Callable[..., Any], y0: Any, times: Any, friction: Any) -> Any:
    """A damped pendulum at some times."""
    anp = import_module("autograd.numpy")

    def slope(y: Any, t: Any, friction: Any) -> Any:
        return anp.array([y[1], -anp.sin(y[0]) - friction[0] * y[1]])

    return f(slope, y0, times, pair(friction), rtol=1e-10, atol=1e-10)


def others() -> list[Check]:
    accurate = {"accuracy": (1e-8, "the solver's own tolerance is 1e-10 at each step")}
    solver = c("scipy.integrate.odeint", lambda rng: (*normal((2,))(rng), np.array([0.0, 0.4, 1.0]), np.array([0.3])),
               pendulum)  # fmt: skip
    return [
        Check(solver.name, solver.make, solver.inputs, settings=accurate),
        c("core.add", TWO, lambda f, x, y: f(space(x), x, y)),
        c("core.mut_add", TWO, lambda f, x, y: f(space(x), x * 1.0, y)),
        c("core.inner_prod", TWO, lambda f, x, y: f(space(x), x, y)),
        c("core.covector", X, lambda f, x: f(space(x), x)),
        c("core.scalar_mul", X, lambda f, x: f(space(x), x, 1.5)),
        c("builtins.make_sequence", TWO, lambda f, x, y: f(tuple, x, y)[1]),
        c("builtins.container_take", TWO, lambda f, x, y: f(pair(x, y), 1)),
        c("builtins.sequence_extend_right", TWO, lambda f, x, y: f(pair(x), y)[1]),
        c("builtins.sequence_extend_left", TWO, lambda f, x, y: f(pair(x), y)[1]),
    ]


def space(x: Any) -> Any:
    """The vector space of an array's shape."""
    return import_module("autograd.numpy.numpy_vspaces").ArrayVSpace(np.zeros(np.shape(x)))


def pair(*items: Any) -> Any:
    """A tuple that autograd can trace."""
    return import_module("autograd.builtins").tuple(items)


def checks() -> list[Check]:
    """All of them, by subject."""
    parts = (elementwise, shapes, reductions, products, fourier, algebra, special, laws, others)
    return [check for part in parts for check in part()]


UNCHECKED = {
    "core.sparse_add": "adds an object of autograd's own to an array, inside its backward pass alone",
    "numpy.untake": "gives an object of autograd's own, not an array",
    "builtins.container_untake": "gives an object of autograd's own, not an array",
    "builtins._make_dict": "takes keys and a list; it is reached through autograd.builtins.dict",
}

PACKAGE = Package(title="autograd", distribution="autograd", found=found, checks=checks, unchecked=UNCHECKED)
