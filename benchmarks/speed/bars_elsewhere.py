"""Bars that need more than this process: Dask workers, a graphics card."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.corpus.base import Array
from benchmarks.corpus.scale import Line, check
from benchmarks.speed.layers import Elementwise
from benchmarks.speed.rounds import timed_ratio

#: Entries of the layer that is checked on a device.
ON_DEVICE = 10**7


class Slow(Elementwise):
    """A forward that takes its time, and leaves the processor to others meanwhile."""

    def forward(self, x: Array) -> Array:
        time.sleep(0.05)
        return super().forward(x)


def dask(rounds: int = 3) -> Iterator[Line]:
    """One check of a forward of 50 ms with two Dask workers over none."""
    what, bar = "forward of 50 ms, two Dask workers over none", "at most 0.6"
    if find_spec("distributed") is None:
        yield what, "dask is not installed", bar, False
        return
    distributed: Any = import_module("distributed")
    layer, x = Slow(), np.random.default_rng(0).standard_normal(50)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        executor = client.get_executor()
        found = timed_ratio(lambda: check(layer, x, executor=executor), lambda: check(layer, x), rounds)
    yield what, f"{found:.2f}", bar, found <= 0.6


def device() -> Iterator[Line]:
    """Checks of layers of torch and of jax where they live, on a graphics card, over their own calls there."""
    for name, has, measure in (("torch", _torch_has_one, on_device), ("jax", _jax_has_one, of_jax)):
        if find_spec(name) is None:
            yield f"a check on {name}'s device over its own calls", f"{name} is not installed", "(no bar)", True
        elif not has():
            yield f"a check on {name}'s device over its own calls", "no device here", "(no bar)", True
        else:
            yield from measure("cuda", ON_DEVICE)


def _torch_has_one() -> bool:
    torch: Any = import_module("torch")
    return bool(torch.cuda.is_available())


def _jax_has_one() -> bool:
    jax: Any = import_module("jax")
    return bool(jax.default_backend() == "gpu")


def on_device(where: str, entries: int, rounds: int = 5) -> Iterator[Line]:
    """The check of tanh of so many entries over as many bare calls, each ended before the next.

    It is timed without the contract as well, whose calls are given arrays of this process.
    """
    import torch

    from pytest_gradcheck import declare

    x = torch.randn(entries, device=where, dtype=torch.float64)
    upstream, name = torch.ones_like(x), torch.cuda.get_device_name() if where == "cuda" else where
    calls = partial(_bare, torch.tanh, x, upstream)
    yield from _over(f"torch on {name}", entries, declare.torch(torch.tanh), x, calls, rounds)
    if where == "cuda":
        yield _held_there(entries, x)


def _held_there(entries: int, x: Any) -> Line:
    import torch

    from pytest_gradcheck import check, declare

    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    report = check(declare.torch(torch.tanh), x)
    held = (torch.cuda.max_memory_allocated() - before) / (8 * entries)
    left = (torch.cuda.memory_allocated() - before) / (8 * entries)
    return (
        f"memory there at {entries:.0e}, beyond inputs",
        f"{held:.1f} arrays, {left:.1f} left",
        "(no bar)",
        report.passed,
    )


def of_jax(where: str, entries: int, rounds: int = 5) -> Iterator[Line]:
    """The same for jax, on the device where it puts its arrays; it compiles in the round that is not timed."""
    import jax

    from pytest_gradcheck import declare

    with jax.enable_x64(True):
        x = jax.random.normal(jax.random.key(0), (entries,), "float64")
        upstream = jax.numpy.ones_like(x)
    calls = partial(_bare_of_jax, jax.numpy.tanh, x, upstream)
    name = f"jax on {jax.devices()[0].device_kind if where == 'cuda' else where}"
    yield from _over(name, entries, declare.jax(jax.numpy.tanh), x, calls, rounds)


def _over(
    name: str, entries: int, layer: Any, x: Any, calls: Callable[[int, int], None], rounds: int
) -> Iterator[Line]:
    from pytest_gradcheck import check

    for contract in ("full", "off"):
        report = check(layer, x, contract=contract)
        bare = partial(calls, report.forward_evaluations, report.backward_calls)
        found = timed_ratio(partial(check, layer, x, contract=contract), bare, rounds)
        what = f"a check of {entries:.0e} entries over its own calls, contract {contract}"
        yield what, f"{found:.2f} with {name}, {report.verdict}", "(no bar)", report.passed


def _bare(layer: Any, x: Any, upstream: Any, forwards: int, backwards: int) -> None:
    import torch

    for k in range(forwards):
        point = x.detach().requires_grad_()
        y = layer(point)
        if k < backwards:
            torch.autograd.grad(y, point, upstream)
        if x.is_cuda:
            torch.cuda.synchronize()


def _bare_of_jax(layer: Any, x: Any, upstream: Any, forwards: int, backwards: int) -> None:
    import jax

    with jax.enable_x64(True):
        for k in range(forwards):
            layer(x).block_until_ready()
            if k < backwards:
                jax.vjp(layer, x)[1](upstream)[0].block_until_ready()
