"""Every function of jax.nn, compiled: what runs operation by operation is slow to call a hundred times."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.real_packages.base import Check, Inputs, Package, normal, uniform


def functions() -> Any:
    """The namespace; ImportError without jax."""
    import jax.nn

    return jax.nn


def found() -> list[tuple[str, str]]:
    """Every public function."""
    names = [name for name in dir(functions()) if not name.startswith("_")]
    return [(name, "function") for name in names if callable(getattr(functions(), name))]


def f(name: str, inputs: Inputs, variant: str = "", **options: Any) -> Check:
    """A check of one function with these options fixed."""

    def make() -> Any:
        import jax

        from pytest_gradcheck import declare

        function = partial(getattr(functions(), name), **options)
        function.__name__ = name  # type: ignore[attr-defined] # functions take attributes
        return declare.jax(jax.jit(function))

    return Check(name, make, inputs, variant)


WIDE = normal((4, 5), scale=2.0)
HEADS = normal((2, 4, 2, 3), (2, 5, 2, 3), (2, 5, 2, 3))


def checks() -> list[Check]:
    """All of them: activations, what works on an axis, attention."""
    activations = (
        "celu", "elu", "gelu", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "identity", "leaky_relu",
        "log_sigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_sign", "softplus", "sparse_plus",
        "sparse_sigmoid", "squareplus", "swish", "tanh",
    )  # fmt: skip
    return [
        *(f(name, WIDE) for name in activations),
        f("gelu", WIDE, "exact", approximate=False),
        f("glu", normal((3, 4))),
        f("log1mexp", uniform(0.1, 3.0, (4, 5))),
        *(f(name, WIDE) for name in ("logsumexp", "logmeanexp", "softmax", "log_softmax", "standardize")),
        f("dot_product_attention", HEADS),
        f("dot_product_attention", normal(*[(2, 4, 2, 3)] * 3), "causal", is_causal=True),
    ]


PACKAGE = Package(
    title="jax.nn",
    distribution="jax",
    found=found,
    checks=checks,
    unchecked={
        "one_hot": "its input are integers: it has no gradient",
        "get_scaled_dot_general_config": "makes a configuration, and is no function of arrays",
        "scaled_dot_general": "quantises to float8 on a GPU",
        "scaled_matmul": "multiplies float8 matrices on a GPU",
    },
)
