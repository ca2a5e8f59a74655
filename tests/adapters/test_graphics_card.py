"""Layers on a graphics card: of torch, of jax, and kernels of Triton; each with a wrong twin. Skipped where none is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check, declare
from pytest_gradcheck.numeric.device import DeviceStencil
from pytest_gradcheck.numeric.stencil import Stencil
from tests.adapters.differences import normal
from tests.numeric.places import Travels

torch = pytest.importorskip("torch", reason="needs the extra pytest-gradcheck[torch]")

from tests.adapters.test_elsewhere import CASES, MANY, Function, OneWrong, Tanh, Writing, tensor  # noqa: E402 # it skips itself without torch

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device on this machine")


# ---------------------------------------------------------------- torch


@pytest.mark.parametrize("case", [name for name in CASES if name not in ("writes", "groups")])
def test_a_check_says_there_what_it_says_here(case: str, stencils: list[Stencil]) -> None:
    layer, inputs, verdict = CASES[case]
    layer = layer.to("cuda") if isinstance(layer, torch.nn.Module) else layer
    report = check(layer, *(x.to("cuda") for x in inputs))
    if isinstance(layer, torch.nn.Module):
        layer.to("cpu")
    assert type(stencils[-1]) is DeviceStencil
    assert report.verdict == verdict


def test_a_layer_that_writes_into_its_inputs_is_still_measured() -> None:
    report = check(Writing, tensor(500).to("cuda"))
    assert not [f for f in report.findings if f.clause == "gradient"]


def test_one_wrong_entry_is_found_and_measured() -> None:
    (finding,) = check(OneWrong, tensor(MANY).to("cuda")).findings
    assert finding.indices == ((MANY // 3,),)
    (entry,) = finding.entries
    assert entry.declared == pytest.approx(1.001 * entry.numeric, rel=1e-6)


def test_the_callers_tensors_and_the_random_state_are_as_before() -> None:
    x = tensor(300).to("cuda").requires_grad_()
    before, state = x.detach().clone(), torch.cuda.get_rng_state()
    assert check(declare.torch(lambda x: torch.dropout(x, 0.5, train=True).sin()), x).passed
    assert torch.equal(x.detach(), before)
    assert x.grad is None
    assert torch.equal(torch.cuda.get_rng_state(), state)


def test_a_dropout_that_scales_wrongly_is_caught() -> None:
    class Dropout(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            mask = (torch.rand_like(x) < 0.5).to(x.dtype)
            ctx.save_for_backward(mask)
            return x * mask * 2

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            return upstream * ctx.saved_tensors[0]

    report = check(Dropout, tensor(300).to("cuda"))
    assert not report.passed


def test_nothing_large_comes_back_and_no_evaluation_waits_twice(travels: list[Travels]) -> None:
    report = check(Tanh, tensor(MANY).to("cuda"), contract="off")
    (seen,) = travels
    assert report.passed
    assert max(seen.back) < 64
    assert len(seen.back) <= report.forward_evaluations / 2 + 1
    assert len([size for size in seen.there if size >= MANY]) == 4


# ---------------------------------------------------------------- Triton


def softplus(slope: float) -> Any:
    """A layer whose forward and backward are kernels of Triton; slope: what its backward multiplies by, 1 if right."""
    pytest.importorskip("triton", reason="needs triton, which comes with torch for CUDA")
    from tests.adapters.kernels import softplus_backward, softplus_forward

    class Softplus(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            y = torch.empty_like(x)
            softplus_forward[(-(-x.numel() // 256),)](x, y, x.numel(), 256)
            return y

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            (x,) = ctx.saved_tensors
            gradient, upstream = torch.empty_like(x), upstream.contiguous()
            softplus_backward[(-(-x.numel() // 256),)](x, upstream, gradient, x.numel(), slope, 256)
            return gradient

    return Softplus


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_right_kernel_passes(dtype: str) -> None:
    report = check(softplus(1.0), tensor(1000).to("cuda", getattr(torch, dtype)))
    assert report.passed, str(report)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_wrong_kernel_is_caught(dtype: str) -> None:
    report = check(softplus(1.01), tensor(1000).to("cuda", getattr(torch, dtype)))
    assert report.verdict == "fail", str(report)
    assert report.findings[0].count == 1000


@pytest.mark.parametrize(("slope", "verdict"), [(1.0, "pass"), (1.1, "fail")])
def test_a_kernel_for_float32_alone_is_judged_in_float32(slope: float, verdict: str) -> None:
    layer = softplus(slope)

    def narrow(x: Any) -> Any:
        if x.dtype != torch.float32:
            raise TypeError(f"a kernel for float32, not {x.dtype}")
        return layer.apply(x)

    report = check(declare.torch(narrow), tensor(1000).to("cuda", torch.float32))
    assert report.verdict == verdict, str(report)


# ---------------------------------------------------------------- jax


@pytest.fixture
def jax() -> Any:
    """jax with a graphics card of its own."""
    found = pytest.importorskip("jax", reason="needs the extra pytest-gradcheck[jax]")
    if found.default_backend() != "gpu":
        pytest.skip("jax finds no graphics card on this machine")
    return found


@pytest.mark.parametrize("case", ["right", "kinks", "several"])
def test_right_functions_of_jax_pass(case: str, jax: Any, stencils: list[Stencil]) -> None:
    layer, inputs = {
        "right": (jax.numpy.tanh, (normal(MANY),)),
        "kinks": (jax.nn.relu, (np.maximum(normal(300), 0.0),)),
        "several": (lambda x, w: (jax.numpy.sin(x) * w, w**3), (normal(40, 5), normal(40, 5, seed=1))),
    }[case]
    report = check(declare.jax(layer), *inputs)
    assert report.passed, str(report)
    assert type(stencils[-1]) is DeviceStencil


def test_a_wrong_entry_of_jax_is_found(jax: Any, stencils: list[Stencil]) -> None:
    @jax.custom_vjp
    def layer(x: Any) -> Any:
        return jax.numpy.sin(x)

    layer.defvjp(
        lambda x: (jax.numpy.sin(x), x),
        lambda x, u: ((u * jax.numpy.cos(x)).at[MANY // 3].multiply(1.001),),
    )
    report = check(layer, normal(MANY))
    assert type(stencils[-1]) is DeviceStencil
    assert report.findings[0].indices == ((MANY // 3,),)
