"""Clauses on repetition: the same forward, a second backward, and no random number drawn by backward."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_gradcheck.errors import LayerError
from pytest_gradcheck.randomness import sources_in
from pytest_gradcheck.verdict import Finding

from .compare import Allowance, Difference, coarsest, difference, largest, numbers
from .records import Ruling, broken, kept, skipped
from .scene import Scene, copies

_KEEP = "keep what forward cached unchanged, and nothing of earlier calls"


def repeatable(scene: Scene) -> Ruling:
    """A second forward at the same values, from the same random state, gives the same outputs."""
    first = scene.first
    try:
        outputs = scene.forward()
    except LayerError as error:
        scene.hopeless = "forward cannot be called again"
        message = f"{error}; the first call with the same values had gone well: {_KEEP}"
        return broken("called forward again", Finding("stale", message, clause="repeatable"))
    tremble = 0.0
    for i, (now, was) in enumerate(zip(outputs, first.outputs, strict=True)):
        apart = difference(now, was)
        if apart is None:
            continue
        if apart.words or difference(now, was, Allowance.rearranged(coarsest([was]), 0.0, scene.slack)) is not None:
            scene.hopeless = "forward is not repeatable"
            return _trembles(scene, i, apart)
        tremble = max(tremble, largest(now - was) / max(largest(was), np.finfo(float).tiny))
    if tremble:
        # Gradients are made of differences of what forward cached, and may tremble by a good deal more.
        scene.slack += 100 * tremble
        return kept("called forward again", note=f"forward trembles by {tremble:.1e} of its largest output")
    return kept("called forward again, random state put back")


def _trembles(scene: Scene, output: int, apart: Difference) -> Ruling:
    changed = _changed_in_layer(scene)
    once, twice = scene.forward(), scene.forward()
    name = "output" if len(once) == 1 else f"output{output}"
    if changed:
        what = f"a call changes {changed}, which the layer held before, and the next forward gives another output"
        kind, way = "mutation", "leave what the layer holds as it is, or do not use it in forward"
    elif difference(once[output], twice[output]) is None:
        what = "a later forward at the same values gives another output than the first one"
        kind, way = "stale", _KEEP
    else:
        what = "each forward at the same values gives another output, though all random state known was put back"
        kind, way = "random", "draw from numpy's global state or from a Generator that the layer holds"
    message = f"{scene.layer}: {what}, {apart.at(name)}: {way}"
    finding = Finding(kind, message, None, apart.indices, apart.count, apart.total, clause="repeatable")
    return broken("called forward again, random state put back", finding)


def _changed_in_layer(scene: Scene) -> str:
    """The first array attribute that the layer had before its first call and that differs now, with the index."""
    untouched = scene.first.untouched
    before = getattr(untouched.layer, "__dict__", {}) if untouched is not None else {}
    now = getattr(scene.calls.target.layer, "__dict__", {})
    for name, was in before.items():
        array = now.get(name)
        if isinstance(was, np.ndarray) and isinstance(array, np.ndarray) and was.shape == array.shape:
            apart = difference(array, was)
            if apart is not None:
                return f"{name}{list(apart.index) if apart.index else ''}"
    return ""


def second_backward(scene: Scene) -> Ruling:
    """A second backward after one forward, and one after another forward, give what the first gave."""
    again = scene.again()
    late = bool(scene.differing(again, scene.first.gradients))
    try:
        second = scene.calls.backward(copies(scene.first.upstream))
    except LayerError as error:
        scene.redo, scene.ready = True, False
        if late:
            return _explained(scene, again, scene.first.gradients)
        reason = f"a second backward after one forward raised {type(error.__cause__).__name__}"
        return skipped(f"{reason}: forward is called before each", note=reason)
    if late:
        return _explained(scene, again, scene.first.gradients)
    if scene.differing(second, again):
        return _explained(scene, second, again)
    return kept("called backward again after one forward")


def _explained(scene: Scene, now: list[Any], was: list[Any]) -> Ruling:
    """Why a later backward gives another answer: random numbers, sums that grow, or a cache that was changed."""
    once = _forward_backward(scene)
    drawn, twice = _drawn_by_backward(scene)
    clause, steady = "second-backward", not scene.differing(once, twice)
    if drawn or not (steady or _adds_up(scene, once, twice)):
        source = f"draws from {drawn}" if drawn else "draws random numbers of its own"
        what, kind = f"called again, backward {source}", "random"
        way = "draw in forward and keep what was drawn"
    elif not steady:
        what, kind = "each backward adds to the gradients of the one before", "stale"
        way = "start from zero in each backward, or declare that the layer accumulates"
    elif not scene.differing(once, scene.first.gradients):
        scene.redo = True
        if _one_cache_per_forward(scene):
            reason = "each forward serves one backward, a second one takes what an earlier forward left"
            return skipped(f"{reason}: forward is called before each", note=reason)
        what, kind, way = "at a second backward after one forward", "stale", "leave what forward cached unchanged"
    else:
        what, kind, way = "at a later forward and backward with the same values", "stale", _KEEP
    if not scene.redo:
        scene.hopeless = f"backward is not repeatable ({kind})"
    found = scene.apart(now, was)
    return broken("called backward again", *(scene.finding(clause, kind, what, name, d, way) for name, d in found))


def _forward_backward(scene: Scene) -> list[Any]:
    scene.forward()
    scene.ready = False
    return scene.calls.backward(copies(scene.first.upstream))


def _drawn_by_backward(scene: Scene) -> tuple[str, list[Any]]:
    """Which random source a backward moves, if any, and what it returned."""
    scene.forward()
    states = [*scene.calls.frozen.sources(), *sources_in(scene.calls.target)]
    before = [source.read() for source in states]
    scene.ready = False
    gradients = scene.calls.backward(copies(scene.first.upstream))
    moved = [source.name for source, state in zip(states, before, strict=True) if source.moved_from(state)]
    return (moved[0] if moved else ""), gradients


def _adds_up(scene: Scene, once: list[Any], twice: list[Any]) -> bool:
    """Whether two successive answers differ by the first one."""
    first = scene.first.gradients
    steps: list[Any] = []
    for a, b in zip(once, twice, strict=False):
        old, new = numbers(a), numbers(b)
        if a is None or b is None:
            steps.append(None)
        elif old is None or new is None or old.shape != new.shape:
            return False
        else:
            steps.append(new - old)
    return not scene.differing(steps, first, scene.rearranged)


def _one_cache_per_forward(scene: Scene) -> bool:
    """Whether two forwards serve two backwards, as in a layer that keeps its caches on a stack."""
    scene.forward()
    scene.forward()
    scene.ready = False
    try:
        answers = [scene.calls.backward(copies(scene.first.upstream)) for _ in range(2)]
    except LayerError:
        return False
    return not any(scene.differing(answer, scene.first.gradients) for answer in answers)


def backward_random(scene: Scene) -> Ruling:
    """Two backwards from different random states agree."""
    frozen = scene.calls.frozen
    if not frozen.moving:
        return skipped("forward draws no random number")
    if scene.redo or not scene.ready:
        scene.forward()
    frozen.shift()
    # The next clause starts from a forward again, with the random state put back.
    scene.ready = False
    gradients = scene.calls.backward(copies(scene.first.upstream))
    what = f"with {frozen.moving[0]} moved between forward and backward"
    way = "keep in forward what was drawn"
    return scene.judged("backward-random", "random", what, gradients, scene.first.gradients, way)
