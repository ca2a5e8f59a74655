"""Every convention through the whole check: at least two right layers pass and one wrong one fails at its argument."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check, declare
from tests.adapters import test_functions as f
from tests.adapters import test_parameters as p
from tests.adapters.differences import normal


@dataclass(frozen=True)
class Row:
    """right, wrong: (layer, *inputs). argument: where the wrong one is wrong."""

    right: tuple[tuple[Any, ...], ...]
    wrong: tuple[Any, ...]
    argument: str


def objects() -> Row:
    right = (f.Affine(), *f.AFFINE), (f.Called(), *f.AFFINE), (f.Cell(True), normal(3), f.STATE, f.MASK)
    return Row(right, (f.Affine(0.99), *f.AFFINE), "W")


def parameters() -> Row:
    right = tuple((kind(), normal(4, 3)) for kind in p.FOUND)
    return Row(right, (twin(p.Books), normal(4, 3)), "W")


def accumulating() -> Row:
    right = (p.Adding(), normal(4, 3)), (declare.module(p.Attributes(), ["W"], accumulates=False), normal(4, 3))
    return Row(right, (declare.module(p.Adding(), accumulates=False), normal(4, 3)), "W")


def twin(kind: Any) -> Any:
    return type("Twin", (kind,), {"factor": 1.01})()


def pairs() -> Row:
    right = ((f.affine_forward, f.affine_backward), *f.AFFINE), ((f.affine_forward, f.by_d_name), *f.AFFINE)
    return Row(right, ((f.affine_forward, f.flipped), *f.AFFINE), "w")


def pullbacks() -> Row:
    inputs = normal(3), normal(3, seed=1)
    right = (f.pulled(1.0), *inputs), (declare.pullback(f.pulled(1.0)), *inputs)
    return Row(right, (f.pulled(1.02), *inputs), "w")


def values() -> Row:
    right = tuple(
        (declare.value_and_gradient(lambda x, n=n: ((x**n).sum(), n * x ** (n - 1))), normal(3)) for n in (2, 3)
    )
    return Row(right, (declare.value_and_gradient(lambda x: ((x**2).sum(), x)), normal(3)), "x")


def objectives() -> Row:
    four = f.rosenbrock, f.slope, f.curvature, f.product
    right = tuple((declare.objective(*four[:n]), normal(4)) for n in (2, 3, 4))
    bad = declare.objective(f.rosenbrock, f.slope, lambda x: 1.01 * f.curvature(x))
    return Row(right, (bad, normal(4)), "x (hess)")


def jacobians() -> Row:
    sparse = pytest.importorskip("scipy.sparse", reason="needs scipy")
    layers = [lambda x: f.bent_jacobian(x), lambda x: sparse.csr_array(f.bent_jacobian(x))]
    right = tuple((declare.jacobian(f.bent, jac), normal(3)) for jac in layers)
    return Row(right, (declare.jacobian(f.bent, lambda x: f.bent_jacobian(x) * 1.001), normal(3)), "x")


def elementwise() -> Row:
    right = (
        (declare.elementwise(np.tanh, lambda x: 1 - np.tanh(x) ** 2), normal(2, 3)),
        (declare.elementwise(np.sin, np.cos), normal(2, 3)),
    )
    return Row(right, (declare.elementwise(lambda z: np.exp(z), lambda z: np.exp(z) + 0.1), normal(3)), "z")


def surrogates() -> Row:
    def through(slope: float) -> Any:
        return declare.surrogate(f.Rounding(), forward=lambda x: slope * np.clip(x, -1, 1), reason="straight through")

    right = (through(1.0), normal(5)), (through(1.0), normal(2, 3))
    return Row(right, (through(2.0), normal(5)), "x")


def torch_functions() -> Row:
    t = imported("torch")
    inputs = normal(3), normal(3, seed=1), 2
    right = (t.Scale, *inputs), (t.Once, normal(3)), (t.Separate, normal(4, 3), normal(3, 2))
    return Row(right, (t.WrongScale, *inputs), "w")


def torch_modules() -> Row:
    t = imported("torch")
    given = t.torch.from_numpy(normal(4, 3)).float()
    right = (
        (t.Dense().double(), normal(4, 3), {"h": normal(3)}),
        (t.torch.nn.Linear(3, 2), given),
        (t.torch.nn.Linear(3, 2).bfloat16(), given.bfloat16()),
        (t.torch.nn.ReLU(inplace=True), normal(4, 3)),
        (t.torch.nn.Dropout(0.5), normal(4, 3)),
        (t.torch.nn.BatchNorm1d(3), normal(4, 3)),
    )
    return Row(right, (t.Dense(1.1).double(), normal(4, 3), {"h": normal(3)}), "linear.weight")


def torch_operators() -> Row:
    t = imported("torch")
    right = (t.square(1.0, "row"), normal(3), 0.5), (t.torch.nn.functional.gelu, normal(3))
    return Row(right, (t.square(1.5, "bad_row"), normal(3), 0.5), "x")


def jax_functions() -> Row:
    j = imported("jax")
    # Jitted where nothing hangs on it: op by op, jax compiles every operation for every shape.
    right = (
        (j.jax.jit(j.cell(1.0)), *j.INPUTS),
        (j.jax.nn.relu, normal(3)),
        (declare.jax(j.jax.jit(lambda x, y: {"a": x @ y, "b": x})), normal(2, 3), normal(3)),
    )
    return Row(right, (j.cell(1.01), *j.INPUTS), "params['W']")


def jax_jvp() -> Row:
    j = imported("jax")
    right = tuple((j.jax.jit(j.softclip(1.0)), x, 0.7) for x in (normal(3), normal(2, 2)))
    return Row(right, (j.jax.jit(j.softclip(0.9)), normal(3), 0.7), "a")


def autograd_functions() -> Row:
    a = imported("autograd")
    inputs = normal(4, 3), normal(3, 2)
    right = (a.affine(1.0), *inputs), (a.anp.tanh, normal(3)), (a.autograd.grad(lambda x: (x**3).sum()), normal(3))
    return Row(right, (a.affine(1.01), *inputs), "W")


def pytensor_ops() -> Row:
    t = imported("pytensor")
    inputs = normal(3), normal(3, seed=1), np.array([1, 2, 3])
    right = (t.Square(), normal(2, 3)), (t.Scale(), *inputs), (t.pt.tanh, normal(3))
    return Row(right, (t.twin(t.Scale), *inputs), "w")


def engine_layers() -> Row:
    from pytest_gradcheck.engine import LectureNetwork, softmax
    from tests.adapters import test_engine as e

    lecture = normal(3), normal(2, 3), normal(2), normal(2)
    right = (e.expression(),), (softmax, normal(2, 3)), (LectureNetwork(), *lecture)
    return Row(right, (LectureNetwork(e.BAD_TANH), *lecture), "b")


def imported(framework: str) -> Any:
    pytest.importorskip(framework, reason=f"needs the extra pytest-gradcheck[{framework}]")
    from importlib import import_module

    return import_module(f"tests.adapters.test_{framework}")


ROWS: tuple[Callable[[], Row], ...] = (
    objects, parameters, accumulating, pairs, pullbacks, values, objectives, jacobians, elementwise, surrogates,
    torch_functions, torch_modules, torch_operators, jax_functions, jax_jvp, autograd_functions, pytensor_ops,
    engine_layers,
)  # fmt: skip


@pytest.fixture(params=ROWS, ids=lambda row: row.__name__)
def row(request: pytest.FixtureRequest) -> Iterator[Row]:
    made: Row = request.param()
    yield made


def test_right_layers_pass(row: Row) -> None:
    for layer, *inputs in row.right:
        report = check(layer, *inputs)
        assert report.passed, f"{report.layer}: {[f.message for f in report.findings]} {report.notes}"


def test_the_wrong_layer_fails_where_it_is_wrong(row: Row) -> None:
    report = check(row.wrong[0], *row.wrong[1:])
    assert report.verdict == "fail"
    assert row.argument in [finding.argument for finding in report.findings]


def test_every_row_has_two_right_layers(row: Row) -> None:
    assert len(row.right) >= 2


def object_of_two(factor: float) -> tuple[Any, ...]:
    return f.Cell(False, factor), normal(3), f.STATE, f.MASK


def pair_of_two(factor: float) -> tuple[Any, ...]:
    def forward(x: Any, w: Any) -> Any:
        return (x * w, x + w), (x, w)

    def backward(u: Any, v: Any, cache: Any) -> Any:
        return u * cache[1] + v, factor * u * cache[0] + v

    return (forward, backward), normal(3), normal(3, seed=1)


def pullback_of_two(factor: float) -> tuple[Any, ...]:
    return f.pulled(factor), normal(3), normal(3, seed=1)


def torch_operator_of_two(factor: float) -> tuple[Any, ...]:
    torch = imported("torch").torch
    schema, name = "(Tensor x, Tensor w) -> (Tensor, Tensor)", f"gradcheck_tests::two{int(10 * factor)}"

    @torch.library.custom_op(name, mutates_args=(), schema=schema)
    def op(x: Any, w: Any) -> Any:
        return x * w, x + w

    def setup(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.x, ctx.w = inputs

    def backward(ctx: Any, u: Any, v: Any) -> Any:
        return u * ctx.w + v, factor * u * ctx.x + v

    op.register_autograd(backward, setup_context=setup)
    return op, normal(3), normal(3, seed=1)


def torch_function_of_two(factor: float) -> tuple[Any, ...]:
    t = imported("torch")
    return t.Scale if factor == 1 else t.WrongScale, normal(3), normal(3, seed=1), 2


def torch_module_of_two(factor: float) -> tuple[Any, ...]:
    t = imported("torch")

    class Module(t.torch.nn.Module):  # type: ignore[name-defined] # torch may be absent
        def forward(self, x: Any, w: Any) -> Any:
            product, total = (t.Scale if factor == 1 else t.WrongScale).apply(x, w, 2)
            return {"product": product, "others": [total, w**2]}

    return Module(), normal(3), normal(3, seed=1)


def jax_function_of_two(factor: float) -> tuple[Any, ...]:
    j = imported("jax")
    return j.jax.jit(j.cell(factor)), *j.INPUTS


def jax_jvp_of_two(factor: float) -> tuple[Any, ...]:
    j = imported("jax")

    @j.jax.custom_jvp
    def both(x: Any, w: Any) -> Any:
        return x * w, {"sum": x + w}

    @both.defjvp
    def tangents(primals: Any, moved: Any) -> Any:
        (x, w), (dx, dw) = primals, moved
        return both(x, w), (dx * w + factor * x * dw, {"sum": dx + dw})

    return j.jax.jit(both), normal(3), normal(3, seed=1)


def autograd_function_of_two(factor: float) -> tuple[Any, ...]:
    a = imported("autograd")

    @a.extend.primitive
    def both(x: Any, w: Any) -> Any:
        return x * w, x + w

    a.extend.defvjp(
        both,
        lambda ans, x, w: lambda g: g[0] * w + g[1],
        lambda ans, x, w: lambda g: factor * g[0] * x + g[1],
    )
    return both, normal(3), normal(3, seed=1)


def pytensor_op_of_two(factor: float) -> tuple[Any, ...]:
    t = imported("pytensor")
    made = t.Scale() if factor == 1 else t.twin(t.Scale)
    return made, normal(3), normal(3, seed=1), np.array([1, 2, 3])


SEVERAL = (
    object_of_two, pair_of_two, pullback_of_two, torch_function_of_two, torch_module_of_two, torch_operator_of_two,
    jax_function_of_two, jax_jvp_of_two, autograd_function_of_two, pytensor_op_of_two,
)  # fmt: skip


@pytest.mark.parametrize("made", SEVERAL, ids=lambda made: made.__name__)
def test_several_outputs_get_an_upstream_each(made: Callable[[float], tuple[Any, ...]]) -> None:
    layer, *inputs = made(1.0)
    assert check(layer, *inputs).passed
    layer, *inputs = made(1.1)
    report = check(layer, *inputs)
    assert report.verdict == "fail"
    assert [f.argument for f in report.findings if f.clause == "gradient"]
