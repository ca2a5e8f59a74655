"""One forward and one backward on a copy: gradients that only show once backward has run.

Most layers say by what they hold, or by the code of their methods, where the gradient of a parameter is. Some do not:
they assign it under a name put together at run time, or return it in a dict.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.calls import quiet
from pytest_gradcheck.randomness import Frozen

from . import foreign, places
from .binding import find_named, gradient_names
from .objects import ObjectTarget
from .places import RETURNED, AbsentError, Path, Place


def places_after_backward(
    layer: Any, copy: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any], left: Sequence[Place]
) -> list[Place]:
    """Of the parameters without a gradient those for which backward has made one, in attributes or as returned.

    copy: of the layer, which runs. left: what may be a parameter. A layer that cannot run has none: the check itself
    will say why it cannot.
    """
    before = {path: _value(copy, path) for place in left for path in _beside(place)}
    try:
        with quiet(), Frozen(copy):
            target = ObjectTarget(copy, inputs, kwargs)
            outputs = target.forward([argument.value.copy() for argument in target.arguments])
            returned = target.pull([_upstream(y) for y in outputs])
    except Exception:
        return []
    found = []
    for place in left:
        made = tuple(path for path in _beside(place) if _is_made(copy, path, before[path]))
        if made:
            found.append(Place(place.name, place.path, made))
        elif isinstance(returned, dict) and _is_named(returned, place, target):
            found.append(Place(place.name, place.path, RETURNED))
    return found


def _beside(place: Place) -> list[Path]:
    """Where a gradient would stand: beside the parameter, or under its name in the layer's books of gradients."""
    last = place.path[-1]
    if place.gradients:
        return list(place.gradients)
    named = [(*place.path[:-1], name) for name in gradient_names(last)[1:]] if isinstance(last, str) else []
    # A tensor can carry its own.
    return [*named, (*place.path, "grad")]


def _value(layer: Any, path: Path) -> Any:
    try:
        found = places.look(layer, path)
    except AbsentError:
        return None
    found = foreign.plain(found)
    return found.copy() if isinstance(found, np.ndarray) else found


def _is_made(layer: Any, path: Path, before: Any) -> bool:
    """Whether there is a number now that was not there before."""
    now = _value(layer, path)
    if not isinstance(now, (np.ndarray, float)):
        return False
    return before is None or np.shape(now) != np.shape(before) or not np.array_equal(now, before)


def _is_named(returned: dict[Any, Any], place: Place, target: ObjectTarget) -> bool:
    return place.name not in target.inputs.names and find_named(returned, place.name) is not None


def _upstream(output: Any) -> Any:
    shape = np.shape(output)
    return np.asarray(np.random.default_rng(0).standard_normal(shape)).astype(output.dtype)
