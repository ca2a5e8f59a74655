"""Kernels of Triton, for tests on a graphics card; imported where triton is."""

import triton  # type: ignore[import-not-found, unused-ignore] # it comes with torch for CUDA alone
import triton.language as tl  # type: ignore[import-not-found, unused-ignore] # it comes with torch for CUDA alone


@triton.jit
def softplus_forward(x, y, size, block: tl.constexpr):  # type: ignore[no-untyped-def] # triton reads it
    """y = log(1 + exp(x)), a block of entries in each program."""
    at = tl.program_id(0) * block + tl.arange(0, block)
    entry = tl.load(x + at, mask=at < size)
    tl.store(y + at, tl.log(1.0 + tl.exp(entry)), mask=at < size)


@triton.jit
def softplus_backward(x, upstream, gradient, size, slope, block: tl.constexpr):  # type: ignore[no-untyped-def] # triton reads it
    """gradient = upstream * slope / (1 + exp(-x))."""
    at = tl.program_id(0) * block + tl.arange(0, block)
    entry, u = tl.load(x + at, mask=at < size), tl.load(upstream + at, mask=at < size)
    tl.store(gradient + at, slope * u / (1.0 + tl.exp(-entry)), mask=at < size)
