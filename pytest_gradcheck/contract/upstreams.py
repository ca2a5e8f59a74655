"""Clauses on the upstream: its memory layout does not matter, and the gradients are linear in it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from pytest_gradcheck.errors import LayerError
from pytest_gradcheck.target import Array
from pytest_gradcheck.verdict import Finding

from .compare import coarsest, difference, largest, numbers
from .records import Ruling, broken, kept, skipped
from .scene import Scene, copies
from .written import upstream_names

_BY_INDEX = "read the upstream by index, or through np.ascontiguousarray"


def transposed(scene: Scene) -> Ruling:
    """An upstream of the same values in Fortran order gives the same gradients."""
    if not any(_has_two_orders(u) for u in scene.first.upstream):
        return skipped("no output has two axes longer than one")
    upstream = [np.array(u, order="F") for u in scene.first.upstream]
    return _in_layout(scene, "layout-transposed", "with the same upstream in Fortran order", upstream)


def strided(scene: Scene) -> Ruling:
    """An upstream that is every second entry of a larger array gives the same gradients."""
    if not any(u.ndim and u.size > 1 for u in scene.first.upstream):
        return skipped("no output has more than one entry")
    upstream = [_every_second(u) for u in scene.first.upstream]
    return _in_layout(scene, "layout-strided", "with the same upstream as every second entry of an array", upstream)


def _in_layout(scene: Scene, clause: str, what: str, upstream: Sequence[Array]) -> Ruling:
    try:
        gradients = scene.gradients(upstream)
    except LayerError as error:
        if _wrote(error):
            return broken(what, *_writes(scene, error))
        raise
    ruling = scene.judged(clause, "transpose", what, gradients, scene.first.gradients, _BY_INDEX)
    scene.misread = scene.misread or ruling.state == "broken"
    return ruling


def broadcast(scene: Scene) -> Ruling:
    """An upstream with stride 0, which is read-only, gives what the same values in an own array give."""
    views = [_with_stride_zero(u) for u in scene.first.upstream]
    plain = scene.gradients([np.array(view, order="C") for view in views])
    scene.remembered = views, plain
    try:
        gradients = scene.gradients(views)
    except LayerError as error:
        if _wrote(error):
            return broken("gave a read-only upstream", *_writes(scene, error))
        raise
    what = "with a broadcast upstream (stride 0) in place of the same values in an array of their own"
    kind = "transpose" if scene.misread else "upstream"
    return scene.judged("layout-broadcast", kind, what, gradients, plain, _BY_INDEX)


def read_only(scene: Scene) -> Ruling:
    """A read-only upstream is accepted."""
    upstream = copies(scene.first.upstream)
    for array in upstream:
        array.flags.writeable = False
    try:
        gradients = scene.gradients(upstream)
    except LayerError as error:
        if _wrote(error):
            return broken("gave a read-only upstream", *_writes(scene, error))
        raise
    what = "with a read-only upstream"
    return scene.judged("read-only", "stale", what, gradients, scene.first.gradients, "treat it as any other")


def zero(scene: Scene) -> Ruling:
    """An upstream of zeros gives gradients of zero."""
    gradients = scene.gradients([np.zeros_like(u) for u in scene.first.upstream])
    found = []
    for name, now, was in zip(scene.names, gradients, scene.first.gradients, strict=False):
        new, old = numbers(now), numbers(was)
        if new is None or old is None or not new.any():
            continue
        # Where the gradient was not finite in the first place, another clause has spoken.
        wanted = np.where(np.isfinite(old), 0.0, new) if new.shape == old.shape else np.zeros(new.shape)
        apart = difference(new, wanted, scene.repeated())
        if apart is not None:
            place = f"{name}{list(apart.index)}" if apart.index else name
            message = (
                f"{scene.layer}: for an upstream of zeros the gradient at {place} is {apart.now:.6g}, "
                f"not 0 ({apart.count} of {apart.total} entries): multiply each term by the upstream"
            )
            argument = Finding("upstream", message, name, apart.indices, apart.count, apart.total, clause="zero")
            found.append(argument)
    return broken("gave an upstream of zeros", *found) if found else kept("gave an upstream of zeros")


def linear(scene: Scene) -> Ruling:
    """The gradients for a u + v are a times those for u plus those for v; v is the broadcast upstream."""
    first = scene.first
    other, scene.remembered = scene.remembered or _nothing(scene), None
    large = _factor(coarsest(first.gradients, first.upstream))
    if max(map(largest, first.gradients), default=0.0) * abs(large) > _HUGE:
        large = -2.0
    found = _not_linear(scene, large, other) or _not_linear(scene, _SMALL, _nothing(scene))
    what = f"gave the upstreams {large:g} u + v and u / {1 / _SMALL:g} after u and v"
    return broken(what, *found) if found else kept(what)


def _nothing(scene: Scene) -> tuple[list[Array], list[Any]]:
    return [np.zeros((), u.dtype) for u in scene.first.upstream], [None] * len(scene.first.gradients)


def _not_linear(scene: Scene, factor: float, other: tuple[Sequence[Array], Sequence[Any]]) -> list[Finding]:
    """What is wrong with the gradients for factor u + v, where `other` is v and its gradients."""
    first = scene.first
    pairs = zip(first.upstream, other[0], strict=True)
    gradients = scene.gradients([np.array(factor * u + v, u.dtype) for u, v in pairs])
    wanted = [_combined(factor, g, v) for g, v in zip(first.gradients, other[1], strict=False)]
    plus = abs(factor) > 1
    words = f"{factor:g} u + v" if plus else f"{factor:g} u"
    sum_words = f"{factor:g} times the one for u" + (" plus the one for v" if plus else "")
    findings = []
    for name, d in scene.apart(gradients, wanted, partial(scene.rearranged, abs(factor))):
        index = list(d.index) if d.index else ""
        place = d.words or f"{name}{index}, where they make {d.was:.6g} and it is {d.now:.6g}"
        message = (
            f"{scene.layer}: for the upstream {words} the gradient is not {sum_words} at {place} "
            f"({d.count} of {d.total} entries): use the upstream once, as a factor of each term"
        )
        argument = name if name in scene.names else None
        findings.append(Finding("upstream", message, argument, d.indices, d.count, d.total, clause="linear"))
    return findings


# A cut of small upstreams shows below them; much smaller, and the tolerance of a solver inside would show as well.
_SMALL = 2.0**-5
_HUGE = float(np.finfo(np.float32).max)


def _combined(factor: float, gradient: Any, other: Any) -> Any:
    if gradient is None:
        return other
    scaled, added = factor * np.asarray(gradient), numbers(other)
    # What has another shape, or is no array, for one upstream than for the other has been told by another clause.
    if added is None or added.shape not in (scaled.shape, ()):
        return scaled
    if added.dtype != scaled.dtype:
        return scaled + added
    scaled += added
    return scaled


def _factor(eps: float) -> float:
    # A power of two, so that rounding scales exactly; large, so that a clip inside the layer shows.
    return -1024.0 if eps < 1e-12 else -64.0 if eps < 1e-5 else -4.0


def _has_two_orders(array: Array) -> bool:
    return sum(bool(n > 1) for n in array.shape) > 1


def _every_second(array: Array) -> Array:
    if not array.ndim:
        return np.array(array)
    # What lies between is neither zero nor of the upstream's size, so that reading it shows.
    wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), 3 + 2 * largest(array), dtype=array.dtype)
    view = wide[..., ::2]
    view[...] = array
    return view


def _with_stride_zero(array: Array) -> Array:
    if array.ndim > 1 and array.size:
        return np.broadcast_to(array[(0,) * (array.ndim - 1)], array.shape)
    return np.broadcast_to(array.reshape(-1)[:1].reshape(()) if array.size else array, array.shape)


def _wrote(error: LayerError) -> bool:
    text = str(error.__cause__)
    # A compiled layer may ask for a writable buffer and never write: that is "buffer source array is read-only".
    return ("read-only" in text and "buffer source" not in text) or "in-place modification" in text


def _writes(scene: Scene, error: LayerError) -> list[Finding]:
    name = upstream_names(scene.first)[0]
    if name in scene.written:
        return []
    message = (
        f"backward of {scene.layer} changes {name} in place: a read-only or strided one raised "
        f"{type(error.__cause__).__name__} ({error.__cause__}): work on a copy"
    )
    return [Finding("mutation", message, name, clause="read-only")]
