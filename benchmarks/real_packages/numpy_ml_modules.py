"""numpy-ml's modules, made of several of its layers, and its dropout wrapper."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.real_packages.base import Check, Inputs, normal
from benchmarks.real_packages.numpy_ml_causes import CAUSES
from pytest_gradcheck import declare

Part = Callable[[str], Any]


class Wavenet:
    """The residual module with its upstreams in the order of its outputs: it takes them the other way round."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def forward(self, X_main: Any, X_skip: Any) -> Any:
        return self.inner.forward(X_main, X_skip)

    def backward(self, d_main: Any, d_skip: Any) -> Any:
        return self.inner.backward(d_skip, d_main)


def modules(part: Part) -> list[Check]:
    """Each module; they cannot be used again after flush_gradients, which stands in variants of its own."""

    def module(name: str, inputs: Inputs, variant: str = "", restart: bool = True, **options: Any) -> Check:
        def make() -> Any:
            inner = getattr(part("module"), name)(**options)
            made = Wavenet(inner) if name == "WavenetResidualModule" else inner
            started(made, inputs)
            return declare.module(made, restart=True) if restart else made

        return Check(name, make, inputs, variant, theirs=CAUSES.get((name, variant), ""))

    image, series = normal((2, 5, 5, 2)), normal((2, 3, 4))
    skip: dict[str, Any] = {"out_ch": 2, "kernel_shape1": (3, 3), "kernel_shape2": (3, 3)}
    conv: dict[str, Any] = {
        "out_ch1": 2,
        "out_ch2": 3,
        "kernel_shape_skip": (3, 3),
        "kernel_shape1": (2, 2),
        "kernel_shape2": (2, 2),
    }
    flat = normal((3, 6), (3, 6), (3, 6))
    return [
        module("WavenetResidualModule", normal((2, 6, 3), (2, 6, 3)), ch_residual=3, ch_dilation=2, dilation=1,
               kernel_width=2),
        module("SkipConnectionIdentityModule", image, **skip),
        module("SkipConnectionConvModule", image, **conv),
        *(module("BidirectionalLSTM", series, f"merge {m}", n_out=2, merge_mode=m)
          for m in ("concat", "sum", "average", "multiply")),
        module("MultiHeadedAttentionModule", flat, "one step each", n_heads=2),
        module("MultiHeadedAttentionModule", normal((2, 4, 6), (2, 4, 6), (2, 4, 6)), "four steps", n_heads=2),
        module("SkipConnectionIdentityModule", image, "after flush_gradients", restart=False, **skip),
    ]  # fmt: skip


def started(module: Any, inputs: Inputs) -> None:
    """Let a module make its parameters in a first forward, and forget what it was given.

    Its own flush_gradients would leave it unusable, so the components are initialised once more.
    """
    with contextlib.suppress(Exception):  # where forward raises, the check says so
        module.forward(*inputs(np.random.default_rng(5)))
    for component in components(module):
        component.X = []
        if getattr(component, "is_initialized", True):
            component._init_params()


def components(thing: Any) -> Iterator[Any]:
    """Every layer of the package inside a module, at any depth."""
    for value in vars(thing).values():
        for item in value.values() if isinstance(value, dict) else [value]:
            if hasattr(item, "backward"):
                yield from components(item)
                if type(item).__module__.endswith("layers.layers"):
                    yield item


def wrappers(part: Part) -> list[Check]:
    """Dropout around a layer, with its mask drawn and with nothing dropped."""

    def dropout(p: float, variant: str) -> Check:
        def make() -> Any:
            inner = part("layer").FullyConnected(n_out=3, act_fn="Tanh")
            inner.n_in = 4
            inner._init_params()
            return part("wrapper").Dropout(inner, p)

        return Check("Dropout", make, normal((5, 4)), variant, theirs=CAUSES.get(("Dropout", variant), ""))

    return [dropout(0.0, "nothing dropped"), dropout(0.5, "half dropped")]
