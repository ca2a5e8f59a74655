"""Arrays on a device: checks say there what they say here, and only a few numbers travel.

On machines without a device arrays in this process's memory are treated as if they lived on one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import Report, check, declare, elsewhere
from pytest_gradcheck.domain import interval, symmetric
from pytest_gradcheck.errors import LayerError
from pytest_gradcheck.numeric.device import DeviceStencil
from pytest_gradcheck.numeric.directions import CHUNK
from pytest_gradcheck.numeric.stencil import Stencil
from tests.adapters.differences import normal
from tests.numeric.places import Travels

torch = pytest.importorskip("torch", reason="needs the extra pytest-gradcheck[torch]")
torch.set_num_threads(1)
Function: Any = torch.autograd.Function
Module: Any = torch.nn.Module
MANY = 100_000


class Tanh(Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        y = x.tanh()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        (y,) = ctx.saved_tensors
        return upstream * (1 - y * y)


class OneWrong(Tanh):
    """A wrong twin: one entry of all is off by a thousandth."""

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        gradient = Tanh.backward(ctx, upstream)
        gradient[gradient.numel() // 3] *= 1.001
        return gradient


class Relu(Function):
    at_zero = 0.0

    @classmethod
    def forward(cls, ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @classmethod
    def backward(cls, ctx: Any, upstream: Any) -> Any:
        (x,) = ctx.saved_tensors
        return upstream * ((x > 0) + cls.at_zero * (x == 0))


class WrongRelu(Relu):
    """A wrong twin: at its kinks twice the slope."""

    at_zero = 2.0


class Writing(Function):
    """It writes into its input, in a way that torch does not see."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x.clone())
        x.data.mul_(2.0)
        return (x / 2).sin()

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        return upstream * ctx.saved_tensors[0].cos()


class WrongModule(Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.factor = torch.nn.Linear(20, 30, dtype=torch.float64), factor

    def forward(self, x: Any) -> Any:
        weight = self.inner.weight
        # Forward has the weight once, backward `factor` times.
        weight = weight.detach() * (1 - self.factor) + weight * self.factor
        return torch.tanh(torch.nn.functional.linear(x, weight, self.inner.bias))


def tensor(*shape: int, seed: int = 0) -> Any:
    return torch.from_numpy(normal(*shape, seed=seed))


def kinked(size: int) -> Any:
    x = tensor(size)
    x[::3] = 0.0
    return x


#: Every other entry has a gradient a million times smaller.
SIZES = (1e-6 + torch.arange(20_000) % 2).double()
#: Layers, their inputs, and what a check has to say of them.
CASES: dict[str, tuple[Any, tuple[Any, ...], str]] = {
    "right": (Tanh, (tensor(MANY),), "pass"),
    "one wrong entry of 100,000": (OneWrong, (tensor(MANY),), "fail"),
    "kinks": (Relu, (kinked(2000),), "pass"),
    "wrong at kinks": (WrongRelu, (kinked(2000),), "fail"),
    "module": (WrongModule(1.0), (tensor(7, 20),), "pass"),
    "wrong module": (WrongModule(1.01), (tensor(7, 20),), "fail"),
    "module in float32": (torch.nn.Linear(20, 30), (tensor(7, 20).float(),), "pass"),
    "several": (declare.torch(lambda x, w: (x @ w, x.sum(), w.exp())), (tensor(5, 6), tensor(6, 4)), "pass"),
    "groups": (declare.torch(lambda x: x.sin() * SIZES), (tensor(SIZES.numel()),), "pass"),
    "identity": (declare.torch(lambda x: x.view_as(x)), (tensor(500),), "pass"),
    "writes": (Writing, (tensor(500),), "fail"),
}


def said(report: Report) -> tuple[Any, ...]:
    """What must not depend on where arrays live: all but the last digits of sums."""
    findings = [(f.kind, f.argument, f.indices, f.count, f.message) for f in report.findings]
    return report.verdict, findings, report.forward_evaluations, report.backward_calls, report.notes


@pytest.fixture
def forced(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda: monkeypatch.setattr(elsewhere, "forced", True)


@pytest.mark.parametrize("settings", [{}, {"contract": "values"}], ids=["usual", "brief"])
@pytest.mark.parametrize("case", CASES)
def test_a_check_says_what_it_says_of_arrays_here(
    case: str, settings: Any, stencils: list[Stencil], forced: Any
) -> None:
    layer, inputs, verdict = CASES[case]
    here = check(layer, *inputs, **settings)
    assert type(stencils[-1]) is Stencil
    forced()
    there = check(layer, *inputs, **settings)
    # Who says that a layer writes into its inputs has seen it do so here.
    assert type(stencils[-1]) is (Stencil if case == "writes" else DeviceStencil)
    assert here.verdict == verdict
    assert said(there) == said(here)
    for mine, other in zip(here.arguments, there.arguments, strict=True):
        assert (mine.sharpness is None) == (other.sharpness is None)
        if mine.sharpness is not None:
            assert other.sharpness == pytest.approx(mine.sharpness, rel=0.5), "noise differs by its last digits"


def test_every_entry_says_the_same(stencils: list[Stencil], forced: Any) -> None:
    layer = CASES["module"][0]
    here = check(layer, tensor(2, 20), method="every-entry")
    forced()
    assert said(check(layer, tensor(2, 20), method="every-entry")) == said(here)
    assert type(stencils[-1]) is DeviceStencil


def test_a_wrong_entry_has_its_numbers(forced: Any) -> None:
    forced()
    report = check(OneWrong, tensor(MANY))
    (finding,) = report.findings
    assert finding.indices == ((MANY // 3,),)
    (entry,) = finding.entries
    assert entry.declared == pytest.approx(1.001 * entry.numeric, rel=1e-6)


def only_bfloat16(x: Any) -> Any:
    if x.dtype != torch.bfloat16:
        raise TypeError(x.dtype)
    return x * 2


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (declare.torch(lambda x: x * 2), (torch.randn(5, dtype=torch.complex128),)),
        (declare.torch(lambda x: torch.fft.fft(x)), (tensor(8),)),
        (declare.torch(only_bfloat16), (torch.randn(5).to(torch.bfloat16),)),
        (declare.torch(lambda x: x.mul_(2)), (tensor(8),)),
    ],
    ids=["complex", "complex output", "bfloat16", "in place"],
)
def test_what_is_not_plain_goes_the_usual_way(layer: Any, inputs: Any, stencils: list[Stencil], forced: Any) -> None:
    forced()
    check(layer, *inputs)
    assert all(type(s) is Stencil for s in stencils)


@pytest.mark.parametrize(
    "settings",
    [{"domain": {"x": symmetric}}, {"method": "complex-step"}],
    ids=["structure", "complex step"],
)
def test_what_needs_arrays_here_goes_the_usual_way(settings: Any, stencils: list[Stencil], forced: Any) -> None:
    forced()
    x = tensor(3, 3)
    report = check(declare.torch(lambda x, w: x @ w), x + x.T, tensor(3, 2), **settings)
    assert report.passed
    assert all(type(s) is Stencil for s in stencils)


@pytest.mark.parametrize("convert", [lambda x: x, lambda x: x.float()], ids=["float64", "float32"])
def test_what_is_left_out_by_wrt_is_held_there(convert: Any, stencils: list[Stencil], forced: Any) -> None:
    x, w = convert(tensor(30, 3)), convert(tensor(3, 2))
    layer = declare.torch(lambda x, w: (x @ w).tanh())
    here = check(layer, x, w, wrt="w")
    forced()
    assert said(check(layer, x, w, wrt="w")) == said(here)
    assert type(stencils[-1]) is DeviceStencil
    assert here.passed


def test_entries_with_bounds_are_moved_there(stencils: list[Stencil], forced: Any) -> None:
    x = tensor(50).abs()
    x[::7] = 0.0
    domain = {"x": interval(0.0, None, ends=True)}
    here = check(declare.torch(lambda x: x**1.5), x, domain=domain)
    forced()
    assert said(check(declare.torch(lambda x: x**1.5), x, domain=domain)) == said(here)
    assert type(stencils[-1]) is DeviceStencil
    assert here.passed


def test_what_a_layer_raises_there_names_shapes_as_it_does_here(forced: Any) -> None:
    def narrow(x: Any) -> Any:
        if float(x.sum()) != 0.0:
            raise ValueError("too far")
        return x.sin()

    forced()
    with pytest.raises(LayerError, match=r"raised ValueError \(too far\) given x \(4,\)"):
        check(declare.torch(narrow), torch.zeros(4, dtype=torch.float64), contract="off")


def test_tensors_here_are_moved_here(stencils: list[Stencil]) -> None:
    check(Tanh, tensor(5))
    assert type(stencils[-1]) is Stencil


# ---------------------------------------------------------------- what travels


def test_inputs_go_there_once_and_nothing_large_comes_back(travels: list[Travels], forced: Any) -> None:
    forced()
    report = check(Tanh, tensor(MANY))
    (seen,) = travels
    large = [size for size in seen.there if size >= MANY]
    assert report.passed
    assert len(large) == 4, "the inputs, the outputs at the centre, the upstream, and what is declared for it"
    assert max(seen.back) < 64
    assert len(seen.back) <= report.extra["forward_evaluations_by_stage"]["values"] / 2 + 1


def test_groups_of_entries_are_named_once(travels: list[Travels], forced: Any) -> None:
    forced()
    layer, inputs, _ = CASES["groups"]
    report = check(layer, *inputs)
    seen, size = travels[0], inputs[0].numel()
    assert report.passed
    assert report.forward_evaluations > 60, "each group has probes of its own"
    named = [number for number in seen.there if 100 < number < size and number != CHUNK]
    assert len(named) == 2, "the positions of each group"
    assert max(seen.back) < 64


# ---------------------------------------------------------------- jax


@pytest.mark.parametrize("case", ["right", "kinks", "several"])
def test_arrays_of_jax_likewise(case: str, stencils: list[Stencil], forced: Any) -> None:
    jax = pytest.importorskip("jax", reason="needs the extra pytest-gradcheck[jax]")
    jnp = jax.numpy
    layer, inputs = {
        "right": (jnp.tanh, (normal(MANY),)),
        "kinks": (jax.nn.relu, (np.maximum(normal(300), 0.0),)),
        "several": (lambda x, w: (x @ w, jnp.sin(w), jnp.arange(3)), (normal(4, 5), normal(5, 2, seed=1))),
    }[case]
    here = check(declare.jax(layer), *inputs)
    assert type(stencils[-1]) is Stencil
    forced()
    there = check(declare.jax(layer), *inputs)
    assert type(stencils[-1]) is DeviceStencil
    assert here.passed
    assert said(there) == said(here)


def test_a_wrong_entry_of_jax_is_found(stencils: list[Stencil], forced: Any) -> None:
    jax = pytest.importorskip("jax", reason="needs the extra pytest-gradcheck[jax]")

    @jax.custom_vjp
    def layer(x: Any) -> Any:
        return jax.numpy.sin(x)

    layer.defvjp(
        lambda x: (jax.numpy.sin(x), x),
        lambda x, u: ((u * jax.numpy.cos(x)).at[MANY // 3].multiply(1.001),),
    )
    forced()
    report = check(layer, normal(MANY))
    assert type(stencils[-1]) is DeviceStencil
    assert report.findings[0].indices == ((MANY // 3,),)


@pytest.mark.parametrize("sizes", [(4, 3, 5, 2), (8, 30, 20, 10)], ids=str)
def test_kinks_inside_of_a_layer_are_looked_at_from_points_nearby(sizes: tuple[int, ...], forced: Any) -> None:
    rows, inputs, inner, outputs = sizes
    x, W, V = tensor(rows, inputs), tensor(inputs, inner) / inputs**0.5, tensor(inner, outputs)
    x[rows // 2 :] = 0.0
    b = torch.zeros(inner, dtype=x.dtype)
    layer = declare.torch(lambda x, W, b, V: (x @ W + b).relu() @ V)
    here = check(layer, x, W, b, V)
    forced()
    assert said(check(layer, x, W, b, V)) == said(here)
    assert here.passed
