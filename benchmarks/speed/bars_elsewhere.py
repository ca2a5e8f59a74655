"""Bars that need more than this process: Dask workers, a graphics card."""

from __future__ import annotations

import time
from collections.abc import Iterator
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
    """A check of a layer of torch where it lives, on a graphics card, over its own calls there."""
    what, bar = "a check on the device over its own calls", "(no bar)"
    if find_spec("torch") is None:
        yield what, "torch is not installed", bar, True
        return
    torch: Any = import_module("torch")
    if not torch.cuda.is_available():
        yield what, "no device here", bar, True
        return
    yield from on_device("cuda", ON_DEVICE)


def on_device(where: str, entries: int, rounds: int = 5) -> Iterator[Line]:
    """The check of tanh of so many entries over as many bare calls, each ended before the next.

    It is timed without the contract as well, whose calls are given arrays of this process.
    """
    import torch

    from pytest_gradcheck import check, declare

    layer = declare.torch(torch.tanh)
    x = torch.randn(entries, device=where, dtype=torch.float64)
    upstream, name = torch.ones_like(x), torch.cuda.get_device_name() if where == "cuda" else where
    for contract in ("full", "off"):
        report = check(layer, x, contract=contract)
        calls = partial(_bare, torch.tanh, x, upstream, report.forward_evaluations, report.backward_calls)
        found = timed_ratio(partial(check, layer, x, contract=contract), calls, rounds)
        what = f"a check of {entries:.0e} entries on the device over its own calls, contract {contract}"
        yield what, f"{found:.2f} on {name}, {report.verdict}", "(no bar)", report.passed


def _bare(layer: Any, x: Any, upstream: Any, forwards: int, backwards: int) -> None:
    import torch

    for k in range(forwards):
        point = x.detach().requires_grad_()
        y = layer(point)
        if k < backwards:
            torch.autograd.grad(y, point, upstream)
        if x.is_cuda:
            torch.cuda.synchronize()
