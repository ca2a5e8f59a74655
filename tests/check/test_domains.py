"""Where inputs may live: no step leaves the bounds, ends are judged from inside, structures from within."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check
from pytest_gradcheck.domain import interval, nonnegative, orthogonal, positive, simplex, symmetric
from tests.check.layers import Array, Function, Unary, normal


def watched(f: Function, seen: list[Array]) -> Function:
    def forward(x: Array) -> Any:
        seen.append(np.array(x))
        return f(x)

    return forward


def reciprocal(x: Array) -> Any:
    return 1 / x


BOUNDED: dict[str, tuple[Function, Function, Any, Array]] = {
    "log": (np.log, reciprocal, positive, np.array([1e-9, 1.0, 5.0])),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x), (0, None), np.array([1e-6, 1e-3, 4.0])),
    "arcsin": (np.arcsin, lambda x: 1 / np.sqrt(1 - x * x), (-1, 1), np.array([-0.999999, 0.0, 0.9999])),
    "logit": (lambda x: np.log(x / (1 - x)), lambda x: 1 / (x * (1 - x)), (0, 1), np.array([1e-7, 0.5, 1 - 1e-7])),
}


@pytest.mark.parametrize("method", ["probes", "complex-step"])
@pytest.mark.parametrize("name", BOUNDED)
def test_no_step_leaves_the_declared_bounds(name: str, method: str) -> None:
    f, slope, domain, x = BOUNDED[name]
    seen: list[Array] = []
    report = check(Unary(watched(f, seen), slope), x, domain={"x": domain}, method=method, contract="off")
    assert report.passed
    assert len(seen) > 3
    low, high = (0.0, np.inf) if name in ("log", "sqrt") else (-1.0, 1.0) if name == "arcsin" else (0.0, 1.0)
    assert all(((s.real > low) & (s.real < high)).all() for s in seen)


@pytest.mark.parametrize("name", BOUNDED)
def test_inside_the_bounds_a_wrong_slope_is_found(name: str) -> None:
    f, slope, domain, x = BOUNDED[name]
    for place in range(3):
        factor = np.where(np.arange(3) == place, 1.001, 1.0)
        wrong = Unary(f, lambda x, factor=factor: factor * slope(x))  # type: ignore[misc] # a default binds it now
        report = check(wrong, x, domain={"x": domain})
        assert report.verdict == "fail"
        assert report.findings[0].indices == ((place,),)


@pytest.mark.parametrize("name", BOUNDED)
def test_without_a_declared_domain_a_step_that_leaves_it_is_no_wrong_gradient(name: str) -> None:
    f, slope, _, x = BOUNDED[name]
    assert check(Unary(f, slope), x).passed
    assert check(Unary(f, lambda x: 1.001 * slope(x)), x).verdict == "fail"


def between(f: Function, slope: Function, at_ends: float) -> Unary:
    """f on [0, 1], NaN outside; the declared slope is multiplied by `at_ends` at 0 and 1."""
    return Unary(
        lambda x: np.where((x < 0) | (x > 1), np.nan, f(x)),
        lambda x: slope(x) * np.where((x == 0) | (x == 1), at_ends, 1.0),
    )


ENDS = np.array([0.0, 0.5, 1.0])


@pytest.mark.parametrize("domain", [None, {"x": interval(0, 1, ends=True)}], ids=["undeclared", "declared"])
@pytest.mark.parametrize(("f", "slope"), [(np.exp, np.exp), (np.cosh, np.sinh), (np.arctan, lambda x: 1 / (1 + x * x))])
def test_at_an_end_the_slope_is_taken_from_inside(f: Function, slope: Function, domain: Any) -> None:
    report = check(between(f, slope, 1.0), ENDS, domain=domain)
    assert report.passed
    assert any("can move to one side only: one-sided differences" in note for note in report.notes)
    for wrong in (1.001, 2.0, -1.0):
        report = check(between(f, slope, wrong), ENDS, domain=domain)
        assert report.verdict == "fail"
        assert (2,) in report.findings[0].indices
        assert (1,) not in report.findings[0].indices


def test_an_infinite_slope_at_an_end_is_left_out_and_said() -> None:
    x = np.array([0.0, 1.0, 5.0])
    report = check(Unary(np.sqrt, lambda x: 0.5 / np.sqrt(x)), x, domain={"x": nonnegative})
    assert report.passed
    assert "the slope at 1 entry of x is infinite: left out" in report.notes


class Quadratic:
    """sum(A A) + trace(A^3) of a symmetric matrix; `made` turns the full gradient into the declared one."""

    def __init__(self, made: Function) -> None:
        self.made = made

    def forward(self, A: Array) -> Any:
        if not np.allclose(A, A.T, rtol=0, atol=1e-12):
            raise ValueError("not symmetric")
        self.A = A
        return np.asarray((A @ A).sum() + np.trace(A @ A @ A))

    def backward(self, upstream: Array) -> Any:
        ones = np.ones_like(self.A)
        return upstream * self.made(ones @ self.A.T + self.A.T @ ones + 3 * (self.A @ self.A).T)


SYMMETRIC = normal(3, 3) + normal(3, 3).T


@pytest.mark.parametrize(
    ("made", "right"),
    [
        (lambda g: g, True),
        (lambda g: (g + g.T) / 2, True),
        (lambda g: 2 * np.tril(g) - np.diag(np.diag(g)), True),
        (lambda g: g + (np.triu(g) - np.triu(g).T), True),
        (lambda g: np.tril(g), False),
        (lambda g: 1.001 * g, False),
        (lambda g: g - 0.1 * np.diag(np.diag(g)), False),
    ],
    ids=["full", "symmetrised", "lower twice", "antisymmetric extra", "lower once", "factor", "diagonal"],
)
def test_of_a_symmetric_argument_only_the_symmetric_part_is_judged(made: Function, right: bool) -> None:
    report = check(Quadratic(made), SYMMETRIC, domain={"A": symmetric}, contract="off")
    assert report.verdict == ("pass" if right else "fail")


class Entropy:
    """-sum p log p on the simplex; a constant added to all entries of the gradient cannot be seen there."""

    def __init__(self, factor: float = 1.0, shift: float = 0.0) -> None:
        self.factor, self.shift = factor, shift

    def forward(self, p: Array) -> Any:
        if abs(p.sum() - 1) > 1e-9:
            raise ValueError("does not sum to one")
        self.p = p
        return np.asarray(-(p * np.log(p)).sum())

    def backward(self, upstream: Array) -> Any:
        return upstream * (self.factor * (-np.log(self.p) - 1) + self.shift)


@pytest.mark.parametrize(("factor", "shift", "right"), [(1, 0, True), (1, 7, True), (1.001, 0, False), (-1, 0, False)])
def test_on_the_simplex_a_constant_is_no_error_and_a_factor_is(factor: float, shift: float, right: bool) -> None:
    p = np.array([0.2, 0.3, 0.5])
    report = check(Entropy(factor, shift), p, domain={"p": simplex}, contract="off")
    assert report.verdict == ("pass" if right else "fail")


class Sines:
    """sin of an orthogonal matrix; what is added along Q itself is normal to the manifold and cannot be seen."""

    def __init__(self, factor: float = 1.0, normal: float = 0.0) -> None:
        self.factor, self.normal = factor, normal

    def forward(self, Q: Array) -> Any:
        if np.abs(Q.T @ Q - np.eye(len(Q))).max() > 1e-8:
            raise ValueError("not orthogonal")
        self.Q = Q
        return np.sin(Q)

    def backward(self, upstream: Array) -> Any:
        return self.factor * upstream * np.cos(self.Q) + self.normal * upstream.sum() * self.Q


@pytest.mark.parametrize(("factor", "extra", "right"), [(1, 0, True), (1, 2, True), (1.001, 0, False), (-1, 0, False)])
def test_on_orthogonal_matrices_the_normal_part_is_no_error(factor: float, extra: float, right: bool) -> None:
    Q = orthogonal.settle(normal(3, 3))
    report = check(Sines(factor, extra), Q, domain={"Q": orthogonal}, contract="off")
    assert report.verdict == ("pass" if right else "fail")


@pytest.mark.parametrize("name", ["p", "Q"])
def test_a_finding_shows_both_sides_within_the_structure(name: str) -> None:
    """Declared and numeric are projected alike: a factor of 1.01 is a factor of 1.01 in every entry shown."""
    layers: dict[str, tuple[Any, Array, Any]] = {
        "p": (Entropy(1.01), np.array([0.2, 0.3, 0.5]), simplex),
        "Q": (Sines(1.01), orthogonal.settle(normal(3, 3)), orthogonal),
    }
    layer, x, domain = layers[name]
    entries = check(layer, x, domain={name: domain}, contract="off").findings[0].entries
    assert len(entries) >= 3
    assert [e.declared / e.numeric for e in entries] == pytest.approx([1.01] * len(entries), rel=1e-6)


def test_the_contract_stays_within_a_structure_too() -> None:
    assert check(Quadratic(lambda g: g), SYMMETRIC, domain={"A": symmetric}).passed
    assert check(Entropy(), np.array([0.2, 0.3, 0.5]), domain={"p": simplex}).passed
