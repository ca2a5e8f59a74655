"""The checkers that come with frameworks: torch, jax, autograd, pytensor, chainer, tensorflow."""

# Frameworks without types, most of them not installed here.
# mypy: disable-error-code="import-untyped, import-not-found, no-untyped-call, assignment"

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.corpus.base import Array

from .common import Counted, MismatchError, peer, upstream_of, verdict

Inputs = tuple[Array, ...]
Rng = np.random.Generator


def torch_gradcheck(layer: Counted, inputs: Inputs, rng: Rng, **options: Any) -> None:
    """torch.autograd.gradcheck on a Function made of the layer."""
    import torch
    from torch.autograd.gradcheck import GradcheckError

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *ts: Any) -> Any:
            ctx.save_for_backward(*ts)
            return torch.from_numpy(layer.forward(*(t.detach().numpy() for t in ts)))

        @staticmethod
        def backward(ctx: Any, d: Any) -> Any:
            grads = layer.grads([t.detach().numpy() for t in ctx.saved_tensors], d.detach().numpy())
            return tuple(None if g is None else torch.from_numpy(np.ascontiguousarray(g)) for g in grads)

    torch.manual_seed(int(rng.integers(2**31)))
    ts = [torch.tensor(x).clone(memory_format=torch.contiguous_format).requires_grad_() for x in inputs]
    with verdict(GradcheckError):
        torch.autograd.gradcheck(Function.apply, tuple(ts), **options)


@peer("torch", "torch", "torch==2.13.0", "torch.autograd.gradcheck, defaults")
def torch_slow(layer: Counted, inputs: Inputs, rng: Rng) -> None:
    torch_gradcheck(layer, inputs, rng)


@peer("torch-fast", "torch", "torch==2.13.0", "torch.autograd.gradcheck(fast_mode=True)")
def torch_fast(layer: Counted, inputs: Inputs, rng: Rng) -> None:
    torch_gradcheck(layer, inputs, rng, fast_mode=True)


@peer("jax", "main", "jax", "jax.test_util.check_grads(order=1, modes=['rev']), x64")
def jax_check(layer: Counted, inputs: Inputs, rng: Rng) -> None:
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    out = like(jax, layer.forward(*inputs))

    @jax.custom_vjp
    def f(*xs: Any) -> Any:
        return jax.pure_callback(lambda *a: layer.forward(*arrays(a)), out, *xs)

    def bwd(xs: Any, d: Any) -> Any:
        def back(d: Any, *a: Any) -> Any:
            return tuple(layer.full_grads(arrays(a), np.asarray(d)))

        return jax.pure_callback(back, tuple(like(jax, x) for x in inputs), d, *xs)

    f.defvjp(lambda *xs: (f(*xs), xs), bwd)
    with verdict(AssertionError):
        check_grads(f, inputs, order=1, modes=["rev"])


def like(jax: Any, a: Array) -> Any:
    return jax.ShapeDtypeStruct(a.shape, a.dtype)


def arrays(xs: Any) -> list[Array]:
    return [np.asarray(x) for x in xs]


@peer("autograd", "main", "autograd", "autograd.test_util.check_grads(order=1, modes=['rev']), all arguments")
def autograd_check(layer: Counted, inputs: Inputs, rng: Rng) -> None:
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    f = primitive(lambda *xs: layer.forward(*xs))

    def rule(i: int) -> Any:
        return lambda ans, *xs: lambda d: layer.full_grads(xs, np.asarray(d))[i]

    defvjp(f, *map(rule, range(len(inputs))))
    with verdict(AssertionError):
        check_grads(f, tuple(range(len(inputs))), modes=["rev"], order=1)(*inputs)


@peer("pytensor", "pytensor", "pytensor", "pytensor.gradient.verify_grad, defaults")
def pytensor_check(layer: Counted, inputs: Inputs, rng: Rng) -> None:
    import pytensor
    import pytensor.tensor as pt
    from pytensor.gradient import verify_grad
    from pytensor.graph.basic import Apply
    from pytensor.graph.op import Op

    y = layer.forward(*inputs)

    class Back(Op):  # type: ignore[misc, unused-ignore] # the framework may be absent
        def make_node(self, *args: Any) -> Any:
            return Apply(self, list(args), [a.type() for a in args[1:]])

        def perform(self, node: Any, args: Any, outs: Any) -> None:
            for out, g in zip(outs, layer.full_grads(args[1:], args[0]), strict=True):
                out[0] = g

    class Front(Op):  # type: ignore[misc, unused-ignore] # the framework may be absent
        def make_node(self, *xs: Any) -> Any:
            return Apply(self, list(map(pt.as_tensor_variable, xs)), [pt.tensor(dtype=str(y.dtype), shape=y.shape)])

        def perform(self, node: Any, xs: Any, outs: Any) -> None:
            outs[0][0] = layer.forward(*xs)

        def L_op(self, xs: Any, ys: Any, ds: Any) -> Any:  # noqa: N802 - pytensor's name
            grads = Back()(ds[0], *xs)
            return grads if isinstance(grads, list) else [grads]

        pullback = L_op

    with verdict(pytensor.gradient.GradientError):
        verify_grad(Front(), list(inputs), rng=np.random.default_rng(rng.integers(2**31)))


@peer("chainer", "chainer", "chainer==7.8.1 numpy<1.24", "chainer.gradient_check.check_backward, defaults")
def chainer_check(layer: Counted, inputs: Inputs, rng: Rng) -> None:
    import chainer
    from chainer.gradient_check import check_backward

    class Function(chainer.FunctionNode):  # type: ignore[misc, unused-ignore] # the framework may be absent
        def forward(self, xs: Any) -> Any:
            self.retain_inputs(range(len(xs)))
            return (layer.forward(*xs),)

        def backward(self, indexes: Any, ds: Any) -> Any:
            grads = layer.grads([v.array for v in self.get_retained_inputs()], ds[0].array)
            return tuple(grads[i] if grads[i] is None else chainer.as_variable(grads[i]) for i in indexes)

    d = upstream_of(layer, inputs, rng)
    with verdict(AssertionError):
        check_backward(lambda *xs: Function().apply(xs)[0], inputs, d)


@peer("tensorflow", "tf", "tensorflow-cpu", "tf.test.compute_gradient, difference < 1e-4", modules="tensorflow")
def tensorflow_check(layer: Counted, inputs: Inputs, rng: Rng) -> None:
    import tensorflow as tf

    y = layer.forward(*inputs)

    @tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore] # the framework may be absent
    def f(*xs: Any) -> Any:
        def grad(d: Any) -> Any:
            def back(d: Any, *a: Any) -> Any:
                return layer.full_grads(a, np.asarray(d))

            return tf.numpy_function(back, [d, *xs], [x.dtype for x in inputs])

        out = tf.numpy_function(layer.forward, xs, y.dtype)
        out.set_shape(y.shape)
        return out, grad

    pairs = zip(*tf.test.compute_gradient(f, list(inputs)), strict=True)
    worst = max((float(np.max(np.abs(a - b), initial=0)) for a, b in pairs), default=0.0)
    if not worst < 1e-4:
        raise MismatchError(f"max error {worst:.3g}")
