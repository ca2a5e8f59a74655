"""The upstream's memory layout and linearity, each clause with a right twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_gradcheck.target import Array
from tests.contract.trial import DENSE, BatchNorm, Dense, Square, X, normal, trial


class MemoryOrder(Dense):
    def backward(self, upstream: Array) -> Any:
        return super().backward(upstream.ravel(order="K").reshape(upstream.shape))


class RawBuffer(Square):
    """Reads as many numbers as it needs from where the upstream's memory begins."""

    def backward(self, upstream: Array) -> Any:
        raw = upstream if upstream.base is None else upstream.base
        return super().backward(np.asarray(raw).reshape(-1)[: upstream.size].reshape(upstream.shape))


class FortranSlip(Square):
    def backward(self, upstream: Array) -> Any:
        if upstream.flags.f_contiguous and not upstream.flags.c_contiguous:
            upstream = upstream.T.reshape(upstream.shape)
        return super().backward(upstream)


class StrideZeroSlip(Square):
    def backward(self, upstream: Array) -> Any:
        return super().backward(upstream / upstream.shape[0] if 0 in upstream.strides else upstream)


@pytest.mark.parametrize(
    ("layer", "inputs", "clause"),
    [
        (MemoryOrder(), DENSE, "layout-transposed"),
        (FortranSlip(), (X,), "layout-transposed"),
        (RawBuffer(), (X,), "layout-strided"),
        (RawBuffer(), normal((7,)), "layout-strided"),
    ],
)
def test_a_layout_misread(layer: Any, inputs: tuple[Array, ...], clause: str) -> None:
    seen = trial(layer, *inputs)
    assert {f.kind for f in seen.findings} == {"transpose"}
    assert seen.states[clause] == "broken"
    assert seen.findings[0].clause == clause
    assert seen.message.endswith("read the upstream by index, or through np.ascontiguousarray")


def test_a_shortcut_for_a_broadcast_upstream() -> None:
    seen = trial(StrideZeroSlip(), X)
    assert seen.kinds == [("upstream", "x")]
    assert seen.findings[0].clause == "layout-broadcast"
    assert "with a broadcast upstream (stride 0) in place of the same values in an array of their own" in seen.message


def test_one_finding_per_argument_for_several_layouts() -> None:
    seen = trial(RawBuffer(), X)
    assert seen.states["layout-strided"] == seen.states["layout-broadcast"] == "broken"
    assert seen.kinds == [("transpose", "x")]


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (5,), (1, 5), (5, 1), (2, 3, 4)])
def test_right_layers_read_any_layout(shape: tuple[int, ...]) -> None:
    assert not trial(Square(), *normal(shape)).findings


def test_sums_in_another_order_are_rounding() -> None:
    large = normal((300, 40), (40, 30), (30,))
    assert not trial(Dense(), *large).findings
    assert not trial(Dense(), *(a.astype(np.float32) for a in large)).findings
    # Nearly all of the gradient of a normalisation over two rows cancels.
    assert not trial(BatchNorm(), *normal((2, 6))).findings
    assert not trial(BatchNorm(), *(a.astype(np.float32) for a in normal((64, 6)))).findings


def test_a_gradient_that_is_all_rounding_is_not_compared_with_itself() -> None:
    class Shifted:
        """A bias before a normalisation: its gradient is zero but for rounding, which the layout changes."""

        def forward(self, x: Array, b: Array) -> Any:
            self.norm = BatchNorm()
            return self.norm.forward(x + b)

        def backward(self, upstream: Array) -> Any:
            (gradient,) = self.norm.backward(upstream)
            return gradient, np.ones(len(gradient)) @ gradient

    seen = trial(Shifted(), *normal((400, 3), (3,)))
    assert not seen.findings


def test_a_layer_that_refuses_a_layout_aloud_is_skipped() -> None:
    class Strict(Square):
        def backward(self, upstream: Array) -> Any:
            if not upstream.flags.c_contiguous:
                raise TypeError("the upstream must be C-contiguous")
            return super().backward(upstream)

    seen = trial(Strict(), X)
    assert not seen.findings
    assert seen.details["layout-strided"] == "the layer raised TypeError: the upstream must be C-contiguous"
    assert seen.states["linear"] == "kept"


def test_a_compiled_layer_that_asks_for_a_writable_buffer_is_skipped() -> None:
    class Compiled(Square):
        def backward(self, upstream: Array) -> Any:
            if not upstream.flags.writeable:
                raise ValueError("buffer source array is read-only")
            return super().backward(upstream)

    assert not trial(Compiled(), X).findings


class Deaf(Square):
    def backward(self, upstream: Array) -> Any:
        return (2 * self.x,)


class Twice(Square):
    def backward(self, upstream: Array) -> Any:
        return (2 * self.x * upstream**2,)


class Clipping(Square):
    def backward(self, upstream: Array) -> Any:
        return super().backward(np.clip(upstream, -100, 100))


class DropsSmall(Square):
    """Takes small upstreams for zero."""

    def backward(self, upstream: Array) -> Any:
        return super().backward(np.where(np.abs(upstream) < 0.02, 0, upstream))


class Penalty(Dense):
    def backward(self, upstream: Array) -> Any:
        x, W, b = super().backward(upstream)
        return x, W + 0.1 * self.W, b


class OwnSign(Square):
    def backward(self, upstream: Array) -> Any:
        return super().backward(upstream * (upstream > 0))


@pytest.mark.parametrize(
    ("layer", "inputs", "argument", "clause"),
    [
        (Deaf(), (X,), "x", "zero"),
        (Twice(), (X,), "x", "linear"),
        (Clipping(), (X,), "x", "linear"),
        (DropsSmall(), (X,), "x", "linear"),
        (Penalty(), DENSE, "W", "zero"),
        (OwnSign(), (X,), "x", "linear"),
    ],
)
def test_an_upstream_used_wrongly(layer: Any, inputs: tuple[Array, ...], argument: str, clause: str) -> None:
    seen = trial(layer, *inputs)
    assert seen.kinds == [("upstream", argument)]
    assert seen.findings[0].clause == clause


def test_the_message_of_a_term_without_the_upstream() -> None:
    seen = trial(Deaf(), np.array([0.5, 1.0]))
    assert seen.message == (
        "Deaf: for an upstream of zeros the gradient at x[0] is 1, not 0 (2 of 2 entries): "
        "multiply each term by the upstream"
    )


def test_the_message_of_an_upstream_used_twice() -> None:
    seen = trial(Twice(), np.array([0.5]))
    assert seen.message.startswith(
        "Twice: for the upstream -1024 u + v the gradient is not -1024 times the one for u plus the one for v at x[0], "
        "where they make "
    )


def test_an_accuracy_declared_widens_what_is_allowed() -> None:
    class Solver(Square):
        """Its backward is right to 1e-4 of the largest entry, and errs otherwise each time the upstream changes."""

        def backward(self, upstream: Array) -> Any:
            (gradient,) = super().backward(upstream)
            return (gradient + 1e-4 * np.abs(gradient).max() * np.cos(1e3 * upstream.sum()),)

    assert trial(Solver(), X).kinds == [("upstream", "x")]
    assert not trial(Solver(), X, accuracy=1e-3).findings


def test_several_outputs() -> None:
    class Both:
        def forward(self, x: Array) -> Any:
            self.x = x
            return np.sin(x), x.sum(0)

        def backward(self, upstream: Any) -> Any:
            first, second = upstream
            return (first * np.cos(self.x) + second,)

    class OneDeaf(Both):
        def backward(self, upstream: Any) -> Any:
            return (upstream[0] * np.cos(self.x) + 1,)

    assert not trial(Both(), X).findings
    assert trial(OneDeaf(), X).kinds == [("upstream", "x")]
