"""Clauses on other sizes: a smaller and a larger batch in between, a batch of one, an empty batch.

What a layer does at sizes that nobody declared is its own affair: an exception there is a skip, no number is compared
with a derivative, and a shape is judged only where the batch axis is declared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pytest_gradcheck.calls import Calls
from pytest_gradcheck.errors import LayerError
from pytest_gradcheck.target import Array
from pytest_gradcheck.verdict import Finding

from .between import KEEP, returned
from .compare import numbers
from .records import Ruling, broken, kept, skipped, unchanged
from .scene import Scene, copies, fitted, resumed
from .written import upstream_names


@dataclass
class Tour:
    """Calls of one layer at other sizes: which were accepted, what was wrong there, whether it came back.

    visited: word -> the length along the batch axis that was accepted; refused: word -> why not.
    findings: what was wrong at those sizes; astray: what was wrong with the numbers, there or on the return.
    sample: length, values, outputs and gradients at the first size accepted.
    """

    visited: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    astray: list[Finding] = field(default_factory=list)
    sample: tuple[int, Sequence[Array], Sequence[Array], Sequence[Any]] | None = None


def other_sizes(scene: Scene) -> Ruling:
    """Calls with a smaller and a larger batch in between change nothing."""
    tour = _tour(scene)
    went = {word: n for word, n in tour.visited.items() if word in ("smaller", "larger")}
    found = [*tour.astray, *(f for f in tour.findings if f.clause == "other-sizes")]
    if found:
        return broken(f"called a copy with {_lengths(tour.visited)} along the batch axis in between", *found)
    if not went:
        return skipped(next(iter(tour.refused.values()), "no other size fits"))
    return kept(f"called a copy with {_lengths(went)} along the batch axis in between")


def batch_of_one(scene: Scene) -> Ruling:
    """A batch of one is served."""
    return _single(scene, "one", "batch-of-one")


def empty_batch(scene: Scene) -> Ruling:
    """An empty batch is served."""
    return _single(scene, "empty", "empty-batch")


def _single(scene: Scene, word: str, clause: str) -> Ruling:
    tour = _tour(scene)
    found = [f for f in tour.findings if f.clause == clause]
    if found:
        return broken(f"called a copy with a batch of {tour.visited[word]}", *found)
    if word not in tour.visited:
        return skipped(tour.refused.get(word, "the batch has that size already"))
    return kept(f"called a copy with a batch of {tour.visited[word]}")


def _tour(scene: Scene) -> Tour:
    if not isinstance(scene.tour, Tour):
        scene.tour = Tour()
        _travel(scene, scene.tour)
    return scene.tour


def _travel(scene: Scene, tour: Tour) -> None:
    """Smaller first, then larger, then the original; on a copy, so that no half-made call spoils the layer."""
    axis, length = scene.settings.batch_axis or 0, _batch_length(scene)
    if length is None or scene.first.untouched is None:
        reason = f"the first input has no entries along axis {axis}" if length is None else "the layer cannot be copied"
        tour.refused = dict.fromkeys(_CLAUSE_OF, reason)
        return
    copy, together = scene.copy(), _resized_together(scene, axis, length)
    # A layer that drew numbers of its own at first use is another layer than its copy, which is then its own measure.
    original = None if scene.copy_agrees else resumed(copy, scene.first.values, scene.first.upstream)
    for word, n in _lengths_to_try(scene, length).items():
        # Where the inputs cannot change their length together, perhaps the first one can alone.
        for places in (together, together[:1]) if len(together) > 1 and not tour.visited else (together,):
            try:
                _visit(scene, tour, copy, word, _values(scene, places, n))
            except LayerError as error:
                tour.refused[word] = f"a batch of {n} raised {type(error.__cause__).__name__}"
                continue
            tour.visited[word], together = n, places
            break
    if tour.visited:
        answer = resumed(copy, scene.first.values, scene.first.upstream)
        what = f"after calls with {_lengths(tour.visited)} along axis {axis}, a length of {length} again"
        tour.astray += returned(scene, "other-sizes", what, copy, answer, original).findings
        tour.astray += _as_a_fresh_one(scene, tour, copy, length)


def _values(scene: Scene, places: Sequence[int], n: int) -> list[Array]:
    axis = scene.settings.batch_axis or 0
    return [_resized(v, axis, n) if i in places else v for i, v in enumerate(scene.first.values)]


def _as_a_fresh_one(scene: Scene, tour: Tour, copy: Calls, length: int) -> tuple[Finding, ...]:
    """Whether a fresh copy whose first call is at another size gives there what the travelled one gave."""
    spare = scene.spare()
    if tour.sample is None or spare is None or not scene.copy_agrees:
        return ()
    n, values, outputs, gradients = tour.sample
    try:
        fresh_outputs, fresh = resumed(spare, values, scene.first.upstream)
    except LayerError:
        return ()
    if scene.differing(fresh_outputs, outputs, scene.rearranged):
        return ()
    what = f"at a length of {n} after one of {length}, where a fresh copy gives another gradient"
    found = scene.judged("other-sizes", "stale", what, gradients, fresh, KEEP).findings
    # To read every random state takes longer than a small layer's calls: it is done where it matters.
    return () if found and copy.frozen.strayed() else found


_ROWS = 64

#: The clause that judges each size tried, in the order of the tour.
_CLAUSE_OF = {"smaller": "other-sizes", "one": "batch-of-one", "empty": "empty-batch", "larger": "other-sizes"}


def _visit(scene: Scene, tour: Tour, copy: Calls, word: str, values: Sequence[Array]) -> None:
    # The larger batch is only there to leave something behind: copies to compare it with would be the largest of all.
    small = word != "larger"
    own = [small or v is w for v, w in zip(values, scene.first.values, strict=True)]
    given = [np.array(v) if copied else v for v, copied in zip(values, own, strict=True)]
    # Of the larger batch nothing is kept either: its outputs are looked at before the next call.
    outputs = copy.forward(given) if small else copy.borrowed(given)
    upstream = fitted(scene.first.upstream, outputs)
    offered = copies(upstream) if small else upstream
    gradients = copy.backward(offered)
    clause, names = _CLAUSE_OF[word], (*scene.names, *upstream_names(scene.first))
    for name, now, was in zip(names, (*given, *offered), (*values, *upstream), strict=False):
        if name not in scene.written and not unchanged(now, was):
            message = f"{scene.layer} writes into {name} of shape {was.shape}: work on a copy"
            tour.findings.append(Finding("mutation", message, name, total=was.size, clause=clause))
    length = values[0].shape[scene.settings.batch_axis or 0]
    if tour.sample is None and 0 < length <= _ROWS:
        tour.sample = length, values, outputs, gradients
    if scene.settings.batch_axis is not None:
        tour.findings += _misfits(scene, clause, values, outputs, gradients)


def _misfits(
    scene: Scene, clause: str, values: Sequence[Array], outputs: Sequence[Array], gradients: Sequence[Any]
) -> list[Finding]:
    """Gradients of a wrong shape, or not finite, at a size that the declared batch axis makes legal."""
    found = []
    judge_finite = clause != "empty-batch" and all(np.isfinite(y).all() for y in outputs)
    for name, g, value in zip(scene.names, gradients, values, strict=False):
        array = None if g is None else numbers(g)
        if array is None:
            continue
        if array.shape != value.shape:
            message = f"{scene.layer}: given {name} of shape {value.shape}, its gradient has shape {array.shape}"
            message += ": take the size from the input, not from an earlier call"
            found.append(Finding("shape", message, name, total=value.size, clause=clause))
        elif judge_finite and not np.isfinite(array).all():
            message = (
                f"{scene.layer}: given {name} of shape {value.shape}, its gradient is not finite: guard the division"
            )
            found.append(Finding("nonfinite", message, name, total=value.size, clause=clause))
    return found


def _batch_length(scene: Scene) -> int | None:
    axis, values = scene.settings.batch_axis or 0, scene.first.values
    if not values or values[0].ndim <= axis or not values[0].shape[axis]:
        return None
    return int(values[0].shape[axis])


def _resized_together(scene: Scene, axis: int, length: int) -> tuple[int, ...]:
    arguments = scene.calls.target.arguments
    alike = (i for i, v in enumerate(scene.first.values) if v.ndim > axis and v.shape[axis] == length)
    return tuple(i for i in alike if i == 0 or arguments[i].role == "input")


def _lengths_to_try(scene: Scene, length: int) -> dict[str, int]:
    # Some rows less and more do as well as many, and cost less.
    smaller, larger = min((length + 1) // 2, _ROWS), length + min(max(1, length // 4), _ROWS)
    wanted = {"smaller": smaller, "one": 1, "empty": 0, "larger": larger}
    skip = scene.settings.skip or {}
    lengths = {word: n for word, n in wanted.items() if n != length and _CLAUSE_OF[word] not in skip}
    if lengths.get("smaller") == lengths.get("one"):
        lengths.pop("smaller", None)
    return lengths


def _resized(array: Array, axis: int, n: int) -> Array:
    length = array.shape[axis]
    if n <= length:
        return np.asarray(array[(slice(None),) * axis + (slice(n),)])
    return np.concatenate([array, array[(slice(None),) * axis + (slice(n - length),)]], axis)


def _lengths(visited: dict[str, int]) -> str:
    return ", ".join(str(n) for n in visited.values())
