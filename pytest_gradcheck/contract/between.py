"""Clauses on calls in between: other values of the same shapes, and a fresh copy.

After each of them the original values must give the original answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.calls import Calls
from pytest_gradcheck.errors import LayerError
from pytest_gradcheck.target import Array
from pytest_gradcheck.verdict import Finding

from .records import Ruling, broken, skipped
from .scene import Scene, copies, fitted, resumed

KEEP = "keep nothing of earlier calls: cache anew in each forward, clear each buffer before use"


def other_calls(scene: Scene) -> Ruling:
    """A call with other values of the same shapes in between changes nothing."""
    reason = _visit_elsewhere(scene)
    if reason:
        return skipped(reason)
    outputs = scene.forward()
    gradients = scene.again()
    what = "after a call with other values of the same shapes"
    return returned(scene, "other-calls", what, scene.calls, (outputs, gradients))


def _visit_elsewhere(scene: Scene) -> str:
    """Call the layer at other values and remember its answer there; otherwise say why that cannot be."""
    reason = "there are no other values to call it with"
    for values in _other_values(scene):
        scene.ready = False
        try:
            outputs, gradients = resumed(scene.calls, values(), scene.first.upstream)
        except LayerError as error:
            reason = f"other values of the same shapes raised {type(error.__cause__).__name__}"
            continue
        scene.elsewhere = values, outputs, gradients
        if all(np.isfinite(y).all() for y in outputs):
            break
    return "" if scene.elsewhere is not None else reason


def _other_values(scene: Scene) -> Iterator[Callable[[], list[Array]]]:
    """What makes other values, the most telling first; they are made again rather than kept, for want of memory."""
    values = scene.first.values
    if not any(v.size for v in values):
        return
    if not scene.settings.domain:
        if not any(np.any(g) for g in scene.first.gradients if g is not None):
            # Gradients that are all zero hide what is carried along: the other side of the kinks may show it.
            yield lambda: [np.asarray(-0.75 * np.flip(v), v.dtype) for v in values]
        # Reversing an array keeps nearly every domain; scaling it besides changes also what only sums and norms see.
        yield lambda: [np.asarray(0.75 * np.flip(v), v.dtype) for v in values]
    yield lambda: [np.array(np.flip(v)) for v in values]


def fresh_copy(scene: Scene) -> Ruling:
    """A copy of the layer that was never used gives what the used one gives, and does not disturb it."""
    if scene.first.untouched is None:
        return skipped("the layer cannot be copied")
    if scene.elsewhere is None:
        return skipped("there was no call at other values to compare with")
    (values, outputs, gradients), scene.elsewhere = scene.elsewhere, None
    if scene.redo or not scene.ready:
        scene.forward()
    scene.ready = False
    copy = scene.copy()
    # They are compared before the copy is called again, and need not be kept for later.
    fresh_outputs = copy.borrowed(values())
    if scene.differing(fresh_outputs, outputs, scene.rearranged):
        reason = "a fresh copy gives other outputs: it draws numbers of its own when first used"
        return skipped(reason, note=f"{scene.layer}: {reason}")
    upstream = fitted(scene.first.upstream, outputs)
    # Large layers: what has been compared is let go before the next arrays are made.
    del fresh_outputs, outputs
    fresh = copy.backward(upstream)
    scene.copy_agrees = True
    what = "used before, at other values where a fresh copy of the layer gives another gradient"
    ruling = scene.judged("fresh-copy", "stale", what, gradients, fresh, KEEP)
    if ruling.state == "broken":
        return ruling
    del gradients, upstream, fresh
    after = scene.calls.backward(copies(scene.first.upstream))
    what = "when a copy of the layer is called between forward and backward"
    way = "keep the cache in the instance, not in the class or the module"
    return scene.judged("fresh-copy", "stale", what, after, scene.first.gradients, way)


Answer = tuple[Sequence[Array], Sequence[Any]]


def returned(
    scene: Scene, clause: str, what: str, calls: Calls, answer: Answer, original: Answer | None = None
) -> Ruling:
    """Whether the original values give the original answer again: the first call's, unless another is given."""
    outputs, gradients = answer
    first_outputs, first_gradients = original or (scene.first.outputs, scene.first.gradients)
    found = scene.differing(outputs, first_outputs, scene.rearranged)
    if found and (drawn := calls.frozen.strayed()):
        return skipped(f"{what}, forward draws from {drawn[0]}, which it did not at first")
    if found:
        apart = found[0]
        message = f"{scene.layer}: {what}, forward gives another output, {apart.at('output')}: {KEEP}"
        return broken(what, Finding("stale", message, None, apart.indices, apart.count, apart.total, clause=clause))
    return scene.judged(clause, "stale", what, gradients, first_gradients, KEEP)
