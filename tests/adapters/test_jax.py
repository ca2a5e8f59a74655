"""jax: custom_vjp, custom_jvp, jitted and declared functions over pytrees, each with a wrong twin."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

from pytest_gradcheck import check, declare
from pytest_gradcheck.adapters import adapt
from tests.adapters.differences import normal, wrong

jax = pytest.importorskip("jax", reason="needs the extra pytest-gradcheck[jax]")
jnp = pytest.importorskip("jax.numpy", reason="needs the extra pytest-gradcheck[jax]")


class State(NamedTuple):
    h: Any
    c: Any


def cell(factor: float, fwd_factor: float = 1.0) -> Any:
    """Pytrees in and out, an integer in and out."""

    @jax.custom_vjp
    def step(params: Any, state: Any, n: Any) -> Any:
        h = jnp.tanh(params["W"] @ state.h)
        return {"h": h * n, "c": state.c + h.sum(), "n": n}

    def fwd(params: Any, state: Any, n: Any) -> Any:
        out = step(params, state, n)
        return {**out, "h": fwd_factor * out["h"]}, (params, state, jnp.tanh(params["W"] @ state.h), n)

    def bwd(kept: Any, upstream: Any) -> Any:
        params, state, h, n = kept
        dz = (upstream["h"] * n + upstream["c"].sum()) * (1 - h**2)
        return {"W": factor * jnp.outer(dz, state.h)}, State(params["W"].T @ dz, upstream["c"]), None

    step.defvjp(fwd, bwd)
    return step


INPUTS = ({"W": normal(3, 2)}, State(normal(2), normal(1)), 2)


def test_custom_vjp_over_pytrees() -> None:
    target = adapt(cell(1.0), INPUTS, {})
    assert [a.name for a in target.arguments] == ["params['W']", "state.h", "state.c"]
    assert target.passed_through == (("n", "int, not differentiated"),)
    assert wrong(cell(1.0), *INPUTS) == []
    assert wrong(cell(1.0), *INPUTS, wrt="state") == []


def test_a_wrong_custom_vjp() -> None:
    assert wrong(cell(1.01), *INPUTS) == ["params['W']"]
    assert wrong(jax.jit(cell(1.01)), *INPUTS) == ["params['W']"]


@pytest.mark.parametrize(("factor", "state"), [(1.0, "kept"), (1.1, "broken")])
def test_fwd_returns_what_the_function_returns(factor: float, state: str) -> None:
    target = adapt(cell(1.0, factor), INPUTS, {})
    y = target.forward([a.value for a in target.arguments])
    (clause,) = target.own_clauses(y)
    assert (clause.name, clause.state) == ("fwd-agrees", state)


def softclip(factor: float) -> Any:
    @jax.custom_jvp
    def f(x: Any, a: Any) -> Any:
        return a * jnp.tanh(x / a)

    @f.defjvp
    def f_jvp(primals: Any, tangents: Any) -> Any:
        (x, a), (dx, da) = primals, tangents
        t = jnp.tanh(x / a)
        return a * t, (1 - t**2) * dx + factor * (t - (1 - t**2) * x / a) * da

    return f


def test_custom_jvp_through_its_transposed_form() -> None:
    assert wrong(softclip(1.0), normal(3), np.float64(0.7)) == []
    assert wrong(softclip(0.9), normal(3), 0.7) == ["a"]


def test_arguments_that_are_not_differentiated() -> None:
    @partial(jax.custom_vjp, nondiff_argnums=(0, 1))
    def apply(f: Any, scale: float, x: Any) -> Any:
        return scale * f(x)

    apply.defvjp(lambda f, scale, x: (apply(f, scale, x), x), lambda f, scale, x, u: (scale * jnp.cos(x) * u,))
    target = adapt(apply, (jnp.sin, 2.0, normal(3)), {})
    assert [name for name, _ in target.passed_through] == ["f", "scale"]
    assert wrong(apply, jnp.sin, 2.0, normal(3)) == []


def test_jitted_functions_of_jax_itself_and_declared_ones() -> None:
    for layer in (jax.nn.relu, jax.nn.softmax, jnp.sin, jax.jit(lambda x: x**3)):
        assert wrong(layer, normal(3, seed=2)) == []
    assert wrong(declare.jax(lambda x, y: (x @ y, jnp.sum(x))), normal(2, 3), normal(3)) == []
    assert wrong(declare.jax(lambda x: x * jax.lax.stop_gradient(x)), normal(3)) == ["x"]


def test_float64_is_switched_on_for_the_calls_alone() -> None:
    before = jnp.asarray(1.0).dtype
    target = adapt(jnp.sin, (normal(3),), {})
    assert target.forward([normal(3)])[0].dtype == np.float64
    assert jnp.asarray(1.0).dtype == before == np.float32


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_low_precision(dtype: str) -> None:
    target = adapt(jnp.sin, (jnp.asarray(normal(3), dtype=dtype),), {})
    value = target.arguments[0].value
    assert value.dtype == np.float32
    assert (target.rounding is not None) == (dtype == "bfloat16")
    assert target.forward([value])[0].dtype == np.float32
    wide = target.widened()
    assert wide is not None
    assert wide.forward([value.astype(np.float64)])[0].dtype == np.float64
    assert target.backward(target.forward([value]))[0].dtype == np.float32


def test_complex_numbers_follow_jax() -> None:
    z, w = normal(3) + 1j * normal(3, seed=1), normal(3, seed=2) + 1j * normal(3, seed=3)
    assert wrong(declare.jax(lambda z, w: (z * jnp.conj(w), jnp.sum(jnp.abs(z) ** 2))), z, w) == []

    @jax.custom_vjp
    def turn(z: Any) -> Any:
        return 2j * z

    turn.defvjp(lambda z: (turn(z), None), lambda _, u: (jnp.conj(2j) * u,))
    assert wrong(turn, z) == ["z"]


def test_random_keys_and_labels_are_passed_through() -> None:
    def noisy(key: Any, x: Any, labels: Any) -> Any:
        return x[labels] * jax.random.normal(key, (2,))

    target = adapt(declare.jax(noisy), (jax.random.key(0), normal(3), np.array([0, 2])), {})
    assert [a.name for a in target.arguments] == ["x"]
    assert wrong(declare.jax(noisy), jax.random.key(0), normal(3), np.array([0, 2])) == []


def test_a_backward_by_hand_in_jax_arrays() -> None:
    def forward(x: Any, w: Any) -> Any:
        assert isinstance(x, jax.Array)
        return x * w, (x, w)

    def backward(factor: float) -> Any:
        return lambda u, kept: (u * kept[1], factor * u * kept[0])

    inputs = jnp.asarray(normal(3)), jnp.asarray(normal(3, seed=1))
    target = adapt((forward, backward(1.0)), inputs, {})
    y = target.forward([a.value for a in target.arguments])
    gradients = target.backward(y)
    assert all(isinstance(g, np.ndarray) for g in gradients)
    assert np.allclose(gradients[1], y[0] * target.arguments[0].value)
    assert check((forward, backward(1.0)), *inputs).passed
    assert check((forward, backward(2.0)), *inputs).findings[0].argument == "w"
