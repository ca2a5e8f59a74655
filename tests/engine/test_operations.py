"""Every operation of the engine: one line each with its domain, and for every rule a wrong twin that is caught."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import Report, assert_gradients, check
from pytest_gradcheck.engine import OPERATIONS, Domain, Operation
from tests.engine.differences import largest_error

REAL = Domain("real")
POSITIVE = Domain("positive", low=0.0)
NOT_ZERO = Domain("not zero", kinks=(0.0,))


@dataclass(frozen=True)
class Line:
    """One operation at one place: the domain and shape of each float input, other inputs as they are."""

    name: str
    inputs: tuple[Any, ...]
    parameters: dict[str, Any]

    def values(self) -> list[Any]:
        rng = np.random.default_rng(7)
        return [i[0].sample(rng, i[1]) if isinstance(i, tuple) else i for i in self.inputs]

    def __str__(self) -> str:
        shapes = "-".join("x".join(map(str, i[1])) or "number" for i in self.inputs if isinstance(i, tuple))
        return f"{self.name}-{shapes}"


def line(name: str, *inputs: Any, **parameters: Any) -> Line:
    return Line(name, inputs, parameters)


def real(*shape: int) -> tuple[Domain, tuple[int, ...]]:
    return REAL, shape


def positive(*shape: int) -> tuple[Domain, tuple[int, ...]]:
    return POSITIVE, shape


def not_zero(*shape: int) -> tuple[Domain, tuple[int, ...]]:
    return NOT_ZERO, shape


MASK = np.array([[True, False, True], [False, False, True]])
ROWS = np.array([0, 2, 2, 0])

LINES = [
    line("add", real(2, 3), real(3)),
    line("subtract", real(2, 1), real(2, 3)),
    line("negate", real(2, 3)),
    line("multiply", real(2, 3), real(1, 3)),
    line("multiply", real(), real(2, 2)),
    line("divide", real(2, 3), not_zero(3)),
    line("power", positive(2, 3), real(3)),
    line("matmul", real(2, 3), real(3, 4)),
    line("matmul", real(3), real(3)),
    line("matmul", real(3), real(5, 3, 2)),
    line("matmul", real(5, 2, 3), real(3)),
    line("matmul", real(5, 1, 2, 3), real(4, 3, 2)),
    line("affine", real(2, 3), real(3), real(2)),
    line("affine", real(2, 3), real(5, 3), real(2)),
    line("affine", real(2, 3), real(4, 5, 3), real()),
    line("dot", real(3), real(3)),
    line("dot", real(3), real(5, 3)),
    line("maximum", real(2, 3), real(3)),
    line("minimum", real(2, 3), real(3)),
    line("max", real(2, 3), axis=1),
    line("max", real(2, 3, 2), axis=(0, -1), keepdims=True),
    line("max", real(4)),
    line("min", real(2, 3), axis=1),
    line("min", real(2, 3, 2), axis=(0, -1), keepdims=True),
    line("sum", real(2, 3), axis=1),
    line("sum", real(2, 3, 2), axis=(0, -1), keepdims=True),
    line("sum", real()),
    line("mean", real(2, 3), axis=1),
    line("mean", real(2, 3, 2), axis=(0, -1), keepdims=True),
    line("exp", real(4)),
    line("log", positive(4)),
    line("sqrt", positive(4)),
    line("abs", not_zero(4)),
    line("tanh", real(4)),
    line("sigmoid", real(4)),
    line("relu", not_zero(6)),
    line("softplus", real(4)),
    line("softmax", real(2, 3)),
    line("softmax", real(2, 3), axis=0),
    line("log_softmax", real(2, 3)),
    line("log_softmax", real(2, 3), axis=0),
    line("cross_entropy", real(4, 3), labels=[0, 2, 1, 1]),
    line("cross_entropy", real(3), labels=2),
    line("where", MASK, real(2, 3), real(3)),
    line("reshape", real(2, 3), shape=(3, -1)),
    line("transpose", real(2, 3)),
    line("transpose", real(2, 3, 4), axes=(1, -1, 0)),
    line("broadcast", real(2, 1), shape=(4, 2, 3)),
    line("concatenate", real(2, 3), real(2, 1), axis=1),
    line("concatenate", real(2), real(3), real(1)),
    line("index", real(3, 2), key=ROWS),
    line("index", real(3, 2), key=(slice(None, None, -1), 1)),
    line("index", real(3, 2), key=(ROWS, [0, 1, 1, 0])),
    line("index", real(2, 3), key=MASK),
]


def _overwrite(u: Any, x: Any, key: Any) -> Any:
    g = np.zeros(x.shape)
    g[key] = u
    return g


# One wrong rule per argument, each a mistake that people make.
TWINS: dict[tuple[str, str], Callable[..., Any]] = {
    ("add", "x"): lambda u, out, x, y: u * x,
    ("add", "y"): lambda u, out, x, y: -u,
    ("subtract", "x"): lambda u, out, x, y: -u,
    ("subtract", "y"): lambda u, out, x, y: u,
    ("negate", "x"): lambda u, out, x: u,
    ("multiply", "x"): lambda u, out, x, y: u * x,
    ("multiply", "y"): lambda u, out, x, y: u * y,
    ("divide", "x"): lambda u, out, x, y: u * y,
    ("divide", "y"): lambda u, out, x, y: -u * out,
    ("power", "x"): lambda u, out, x, y: u * y * out,
    ("power", "y"): lambda u, out, x, y: u * out,
    ("matmul", "x"): lambda u, out, x, y: np.ones_like(u) @ y.T,
    ("matmul", "y"): lambda u, out, x, y: x.T @ np.sign(u),
    ("affine", "W"): lambda u, out, W, x, b: np.outer(np.ones_like(u), x),
    ("affine", "x"): lambda u, out, W, x, b: np.ones_like(u) @ W,
    ("affine", "b"): lambda u, out, W, x, b: np.ones_like(b),
    ("dot", "u"): lambda g, out, u, h: g * u,
    ("dot", "h"): lambda g, out, u, h: u,
    ("maximum", "x"): lambda u, out, x, y: u,
    ("maximum", "y"): lambda u, out, x, y: u * (y < x),
    ("minimum", "x"): lambda u, out, x, y: u * (x > y),
    ("minimum", "y"): lambda u, out, x, y: u,
    ("where", "x"): lambda u, out, condition, x, y: u,
    ("where", "y"): lambda u, out, condition, x, y: np.where(condition, u, 0),
    ("max", "x"): lambda u, out, x, axis, keepdims: np.broadcast_to(np.expand_dims(u, axis), x.shape) / 3,
    ("min", "x"): lambda u, out, x, axis, keepdims: np.expand_dims(u, axis) * (x == x.max(axis, keepdims=True)),
    ("sum", "x"): lambda u, out, x, axis, keepdims: np.broadcast_to(np.expand_dims(u, axis), x.shape) / 3,
    ("mean", "x"): lambda u, out, x, axis, keepdims: np.broadcast_to(np.expand_dims(u, axis), x.shape),
    ("exp", "x"): lambda u, out, x: u,
    ("log", "x"): lambda u, out, x: u / out,
    ("sqrt", "x"): lambda u, out, x: u / out,
    ("abs", "x"): lambda u, out, x: u,
    ("tanh", "x"): lambda u, out, x: u * (1 - out),
    ("sigmoid", "x"): lambda u, out, x: u * x * (1 - x),
    ("relu", "x"): lambda u, out, x: u,
    ("softplus", "x"): lambda u, out, x: u * (x > 0),
    ("softmax", "z"): lambda u, out, z, axis: u * out * (1 - out),
    ("log_softmax", "z"): lambda u, out, z, axis: u - np.exp(out),
    ("cross_entropy", "z"): lambda u, out, z, labels: u * (np.exp(z) / np.exp(z).sum(-1, keepdims=True)) / len(z),
    ("reshape", "x"): lambda u, out, x, shape: u.reshape(x.shape[::-1]).T,
    ("transpose", "x"): lambda u, out, x, axes: u.reshape(x.shape),
    ("broadcast", "x"): lambda u, out, x, shape: u[0, :, :1],
    ("concatenate", "parts"): lambda u, out, *parts, axis, position: u[:, : parts[position].shape[1]],
    ("index", "x"): lambda u, out, x, key: _overwrite(u, x, key),
}

RULES = [(name, argument) for name, op in OPERATIONS.items() for argument, rule in op.rules.items() if rule is not None]


def first_line(name: str) -> Line:
    return next(at for at in LINES if at.name == name)


def domain_of(at: Line) -> dict[str, tuple[float, float]]:
    """The bounds of the inputs that have any, for the check, which then takes no step outside."""
    names = OPERATIONS[at.name].arguments
    given = [(n, i[0]) for n, i in zip(names, at.inputs, strict=False) if isinstance(i, tuple)]
    return {n: (d.low, d.high) for n, d in given if d.low > -np.inf or d.high < np.inf}


def named(name: str, argument: str, at: Line) -> set[str]:
    """What a report may blame for a wrong rule: its argument, or each of many operands that share the rule."""
    variadic = OPERATIONS[name].variadic
    return {f"input{i}" for i in range(len(at.inputs))} if variadic else {argument}


def checked(operation: Operation, at: Line) -> Report:
    return check(operation, *at.values(), kwargs=at.parameters, domain=domain_of(at) or None)


@pytest.mark.parametrize("at", LINES, ids=[f"{i}-{at}" for i, at in enumerate(LINES)])
def test_rules_are_the_derivative(at: Line) -> None:
    assert_gradients(OPERATIONS[at.name], *at.values(), kwargs=at.parameters, domain=domain_of(at) or None)


@pytest.mark.parametrize("at", LINES, ids=[f"{i}-{at}" for i, at in enumerate(LINES)])
def test_a_plain_central_difference_agrees(at: Line) -> None:
    layer = OPERATIONS[at.name].as_layer(**at.parameters)
    assert largest_error(layer, at.values()) < 1e-7


@pytest.mark.parametrize(("name", "argument"), RULES)
def test_the_wrong_twin_is_caught(name: str, argument: str) -> None:
    at = first_line(name)
    report = checked(OPERATIONS[name].with_rule(argument, TWINS[name, argument]), at)
    assert report.verdict == "fail"
    assert {f.argument for f in report.findings} <= named(name, argument, at)


@pytest.mark.parametrize(("name", "argument"), RULES)
def test_a_twin_off_by_a_thousandth_is_caught(name: str, argument: str) -> None:
    at = first_line(name)
    right: Callable[..., Any] = OPERATIONS[name].rules[argument]  # type: ignore[assignment]  # RULES holds no None
    twin = OPERATIONS[name].with_rule(argument, lambda *given, **parameters: 1.001 * right(*given, **parameters))
    assert checked(twin, at).verdict == "fail"


def test_no_operation_lacks_a_line() -> None:
    with_slope = {name for name, _ in RULES}
    assert with_slope == {at.name for at in LINES}


def test_no_rule_lacks_a_wrong_twin() -> None:
    assert set(RULES) == set(TWINS)


def test_lines_stay_in_the_domain_of_the_operation() -> None:
    for at in LINES:
        domains = OPERATIONS[at.name].domain
        for i, (given, value) in enumerate(zip(at.inputs, at.values(), strict=True)):
            if isinstance(given, tuple):
                domain = domains[0 if OPERATIONS[at.name].variadic else i]
                assert all(float(v) in domain for v in np.ravel(value)), (at, i)


def test_every_operation_of_the_lecture_is_there() -> None:
    wanted = """
        add subtract negate multiply divide power matmul affine dot maximum minimum max min sum mean exp log sqrt abs
        tanh sigmoid relu softplus softmax log_softmax cross_entropy where reshape transpose broadcast concatenate index
    """
    assert set(re.findall(r"\w+", wanted)) <= set(OPERATIONS)
