"""Bars that need more than this process: Dask workers, a graphics card."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.corpus.base import Array
from benchmarks.corpus.scale import Line, check
from benchmarks.speed.layers import Elementwise
from benchmarks.speed.rounds import timed_ratio


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
    layer = torch.nn.Sequential(torch.nn.Linear(1000, 1000), torch.nn.Tanh()).to("cuda", torch.float64)
    x = torch.randn(256, 1000, device="cuda", dtype=torch.float64)
    report = check(layer, x)

    def calls() -> None:
        """As many of both, each ended before the next: a check looks at every product."""
        point = x.clone().requires_grad_()
        for k in range(report.forward_evaluations):
            y = layer(point)
            if k < report.backward_calls:
                torch.autograd.grad(y.sum(), (point, *layer.parameters()))
            torch.cuda.synchronize()

    found = timed_ratio(lambda: check(layer, x), calls, 5)
    yield what, f"{found:.2f} on {torch.cuda.get_device_name()}, {report.verdict}", bar, report.passed
