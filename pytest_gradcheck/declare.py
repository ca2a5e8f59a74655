"""Declare how a layer says its backward, where that cannot be seen from the layer itself.

Each function returns something that stands wherever a layer does:

    gradcheck(declare.jacobian(residuals, jac), x)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .adapters.declared import Declared
from .errors import InvalidInput

Function = Callable[..., Any]

__all__ = [
    "autograd",
    "batched",
    "elementwise",
    "functions",
    "jacobian",
    "jax",
    "module",
    "objective",
    "pullback",
    "surrogate",
    "torch",
    "value_and_gradient",
]


def functions(forward: Function, backward: Function) -> Declared:
    """A layer of two functions: `forward(*inputs) -> (output, cache)`, `backward(upstream, cache) -> gradients`.

    The gradients are a tuple or list in the order of the inputs, a dict by their names, or one array for one input.
    """
    from .adapters.pairs import PairTarget, pair_name

    _callables("functions", forward=forward, backward=backward)
    return Declared((forward, backward), PairTarget, pair_name(forward))


def pullback(f: Function) -> Declared:
    """A layer `f(*inputs) -> (output, pullback)` with `pullback(upstream) -> gradients`."""
    from .adapters.functions import PullbackTarget

    _callables("pullback", f=f)
    return Declared(f, PullbackTarget, _name(f))


def value_and_gradient(fun: Function) -> Declared:
    """A function `fun(x) -> (value, gradient)`, as `scipy.optimize.minimize(fun, x0, jac=True)` takes it.

    With several inputs the gradient is a tuple in their order; where it is of x alone say `wrt=0`.
    """
    from .adapters.functions import ValueTarget

    _callables("value_and_gradient", fun=fun)
    return Declared(fun, ValueTarget, _name(fun))


def objective(fun: Function, jac: Function, hess: Function | None = None, hessp: Function | None = None) -> Declared:
    """An objective with its derivatives, as `scipy.optimize.minimize` takes them.

    fun(x, *args): a number. jac(x, *args): its gradient, of the shape of x. hess(x, *args): (n, n), dense, sparse or a
    linear operator, checked as the derivative of jac. hessp(x, p, *args): the Hessian times p, checked likewise.
    """
    from .adapters.objectives import ObjectiveTarget

    given = {name: f for name, f in (("hess", hess), ("hessp", hessp)) if f is not None}
    _callables("objective", fun=fun, jac=jac, **given)
    return Declared((fun, jac, hess, hessp), ObjectiveTarget, _name(fun))


def jacobian(f: Function, jac: Function) -> Declared:
    """A function `f(x)` of m outputs with its Jacobian `jac(x)`, (m, n), dense or scipy.sparse.

    The Jacobian may also have the output's shape followed by that of x. With several inputs jac returns a tuple.
    """
    from .adapters.objectives import JacobianTarget

    _callables("jacobian", f=f, jac=jac)
    return Declared((f, jac), JacobianTarget, _name(f))


def elementwise(f: Function, derivative: Function) -> Declared:
    """A function that works entry by entry, as an activation, with its derivative `derivative(x)` of the same shape."""
    from .adapters.functions import ElementwiseTarget

    _callables("elementwise", f=f, derivative=derivative)
    return Declared((f, derivative), ElementwiseTarget, _name(f))


def module(
    obj: Any,
    parameters: Sequence[str] | Mapping[str, str] | None = None,
    gradients: Sequence[str] | Mapping[str, str] | str | None = None,
    accumulates: bool | None = None,
    restart: bool = False,
) -> Declared:
    """An object with forward and backward that holds parameters under names of its own.

    parameters: names of attributes, dotted for what is deeper ("fc1.W", "params.W", "layers.0.W"), or a mapping from
        these to where their gradients are; None finds them by the names in use.
    gradients: where the gradients are after backward, in the order of the parameters or by their names; "returned"
        where backward returns them after those of the inputs; None looks beside each parameter (dW, grad_W, ...).
    accumulates: whether backward adds to what is there (checked) or overwrites it; None takes a method such as
        `zero_grad` for a sign that it adds.
    restart: whether each forward starts from a copy of the layer as it is now, for layers that keep a history of their
        calls; what one call leaves behind for the next is then not checked.
    """
    from .adapters.modules import declared

    options = {"parameters": parameters, "gradients": gradients, "accumulates": accumulates, "restart": restart}
    return Declared(obj, declared, type(obj).__name__, options)


def surrogate(layer: Any, *, forward: Function, reason: str) -> Declared:
    """A layer whose backward is meant to be the derivative of another forward, as a straight-through estimator.

    forward: that other forward, called with the same inputs. reason: why, in words; the report repeats it.
    """
    from .adapters.surrogates import SurrogateTarget

    _callables("surrogate", forward=forward)
    if not reason or not isinstance(reason, str):
        raise InvalidInput(f"surrogate needs a reason in words, got {reason!r}: say why the backward is another's")
    return Declared(layer, SurrogateTarget, _name(layer), {"forward": forward, "reason": reason})


def batched(layer: Any) -> Declared:
    """A layer whose forward also takes every input with one more axis in front, many points at once.

    Its outputs then have that axis too, and no point influences another. A check may use it to evaluate many
    perturbed inputs in one call.
    """
    from .adapters.wrapped import Batched

    return Declared(layer, Batched, _name(layer))


def torch(f: Function) -> Declared:
    """A plain function of torch tensors, differentiated by torch's own autograd."""
    from .adapters.torch import declared

    _callables("torch", f=f)
    return Declared(f, declared, _name(f))


def jax(f: Function) -> Declared:
    """A plain function of jax arrays, differentiated by `jax.vjp`."""
    from .adapters.jax import declared

    _callables("jax", f=f)
    return Declared(f, declared, _name(f))


def autograd(f: Function) -> Declared:
    """A plain function of `autograd.numpy`, differentiated by autograd."""
    from .adapters.autograd import declared

    _callables("autograd", f=f)
    return Declared(f, declared, _name(f))


def _callables(word: str, **given: Any) -> None:
    for name, function in given.items():
        if not callable(function):
            raise InvalidInput(f"declare.{word} got {name}={function!r:.60}: give a function")


def _name(thing: Any) -> str:
    if isinstance(thing, tuple) and thing:
        thing = thing[0]
    return getattr(thing, "__name__", None) or type(thing).__name__
