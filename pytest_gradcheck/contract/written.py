"""Clauses on what the layer wrote: the inputs, the parameters and the upstream stay as they were given."""

from __future__ import annotations

import numpy as np

from pytest_gradcheck.settings import Settings
from pytest_gradcheck.target import Array
from pytest_gradcheck.verdict import MOST_INDICES, Finding

from .compare import difference
from .records import FirstCall, Ruling, broken, kept, skipped, unchanged

_COPY = "work on a copy"


def inputs(first: FirstCall, settings: Settings) -> Ruling:
    """No argument is changed by forward or backward."""
    if not first.given:
        return skipped("the arrays given to the layer were not kept")
    found = []
    for i, (name, now, was) in enumerate(zip(first.names, first.given, first.values, strict=True)):
        if not unchanged(now, was):
            stage = "forward" if i in first.changed_by_forward else "backward"
            found.append(_written(first, stage, name, now, was, "mutation-inputs"))
    found += [_written(first, stage, name, now, was, "mutation-inputs") for stage, name, now, was in first.spoilt]
    return broken("compared with copies", *found) if found else kept("as they were after forward and backward")


def parameters(first: FirstCall, settings: Settings) -> Ruling:
    """No array that the layer holds as a parameter is changed by forward or backward."""
    if not first.held:
        return skipped("the layer declares no parameters of its own")
    found = []
    for i, (now, was) in enumerate(zip(first.calls.target.parameters(), first.held, strict=False)):
        if not unchanged(np.asarray(now), was):
            name = f"parameter {i} of shape {was.shape}"
            found.append(_written(first, "a call", name, np.asarray(now), was, "mutation-parameters"))
    return broken("compared with copies", *found) if found else kept("as they were after forward and backward")


def upstream(first: FirstCall, settings: Settings) -> Ruling:
    """The upstream is not changed by backward."""
    if not first.given_upstream:
        return skipped("the upstream given to the layer was not kept")
    found = []
    for name, now, was in zip(upstream_names(first), first.given_upstream, first.upstream, strict=True):
        if not unchanged(now, was):
            found.append(_written(first, "backward", name, now, was, "mutation-upstream"))
    return broken("compared with a copy", *found) if found else kept("as it was after backward")


def written(first: FirstCall) -> frozenset[str]:
    """Names of the arrays that the first call changed: what is said of them once need not be said again."""
    if first.written is not None:
        return first.written
    given = (*first.given, *first.given_upstream)
    kept_as = (*first.values, *first.upstream) if first.given else first.upstream
    names = (*first.names, *upstream_names(first)) if first.given else upstream_names(first)
    pairs = zip(names, given, kept_as, strict=False)
    return frozenset([name for name, now, was in pairs if not unchanged(now, was)])


def settled(first: FirstCall) -> FirstCall:
    """The first call without the arrays that the layer was given: what was written into is known by name."""
    return first._replace(given=(), given_upstream=(), written=written(first))


def upstream_names(first: FirstCall) -> tuple[str, ...]:
    """What the upstream arrays are called in messages."""
    many = len(first.upstream)
    return ("upstream",) if many == 1 else tuple(f"upstream{i}" for i in range(many))


def _written(first: FirstCall, stage: str, name: str, now: Array, was: Array, clause: str) -> Finding:
    what = f"{stage} of {first.calls.target.name} writes into {name}"
    apart = difference(now, was)
    if apart is None or apart.words:
        message = f"{what}: its shape {was.shape} became {now.shape}: {_COPY}"
        return Finding("mutation", message, name, total=was.size, clause=clause)
    place = f" at index {list(apart.index)}" if apart.index else ""
    message = f"{what}, first{place}: {apart.was:.6g} became {apart.now:.6g} ({apart.count} of {apart.total} entries)"
    listed = apart.indices[:MOST_INDICES]
    return Finding("mutation", f"{message}: {_COPY}", name, listed, apart.count, apart.total, clause=clause)
