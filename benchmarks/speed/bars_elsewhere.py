"""Bars that need more than this process: Dask workers, a graphics card."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from benchmarks.corpus.scale import Line, check
from benchmarks.speed.rounds import timed_ratio


def dask() -> Iterator[Line]:
    """One check of a forward of 50 ms with two Dask workers over none."""
    yield "forward of 50 ms, two Dask workers over none", "not measured yet", "at most 0.6", False


def device() -> Iterator[Line]:
    """A check of a layer of torch where it lives, on a graphics card, over its own calls there."""
    what, bar = "a check on the device over its own calls", "(no bar)"
    if find_spec("torch") is None:
        yield what, "torch is not installed", bar, True
        return
    import torch

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
