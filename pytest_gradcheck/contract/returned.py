"""Clauses on what backward returned: number, None, shape, dtype, device, finiteness. They need no further call.

All but the last speak before any number is compared; a finding here is said in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from pytest_gradcheck.errors import GradCheckError
from pytest_gradcheck.settings import Settings
from pytest_gradcheck.verdict import MOST_INDICES, Finding

from .compare import numbers
from .records import FirstCall, Ruling, broken, kept


def count(first: FirstCall, settings: Settings) -> Ruling:
    """One gradient per differentiated argument."""
    names, returned = first.names, len(first.gradients)
    if returned == len(names):
        return kept(f"{returned} returned for {', '.join(names)}")
    message = (
        f"backward of {first.calls.target.name} returned {_many(returned, 'gradient')} for "
        f"{_many(len(names), 'argument')} ({', '.join(names)}): return one per argument, in the order of forward"
    )
    return broken("counted what backward returned", Finding("shape", message, clause="count"))


def missing(first: FirstCall, settings: Settings) -> Ruling:
    """None only where zero is true: whether it is, the comparison of the numbers says."""
    absent = [name for name, g in _named(first) if g is None]
    if not absent:
        return kept("no gradient is None")
    return kept(f"None for {', '.join(absent)} is compared as zero", note=f"backward returned None for {absent[0]}")


def shape(first: FirstCall, settings: Settings) -> Ruling:
    """Each gradient has its argument's shape."""
    found = []
    for (name, g), value in zip(_named(first), first.values, strict=False):
        if g is None:
            continue
        array = numbers(g)
        if array is None:
            words = f"is {_not_numbers(g)}: return an array of numbers of shape {value.shape}"
        elif array.shape != value.shape:
            words = f"has shape {array.shape}, {name} has {value.shape}: {_way_to(value.shape, array.shape)}"
        else:
            continue
        message = f"the gradient of {name} that {first.calls.target.name} returns {words}"
        found.append(Finding("shape", message, argument=name, total=value.size, clause="shape"))
    return broken("compared with the argument's shape", *found) if found else kept("each as its argument's")


def dtype(first: FirstCall, settings: Settings) -> Ruling:
    """Each gradient that has a dtype has its argument's; lists and Python numbers have none."""
    found = []
    for (name, g), value in zip(_named(first), first.values, strict=False):
        if not isinstance(g, (np.ndarray, np.generic)) or _like(g.dtype, value.dtype) or numbers(g) is None:
            continue
        if settings.precision is not None and _like(g.dtype, _shown_as(settings.precision)):
            continue
        way = "compute it without the detour through" if _narrower(g.dtype, value.dtype) else "cast it back from"
        message = (
            f"the gradient of {name} that {first.calls.target.name} returns is {g.dtype}, "
            f"{name} is {value.dtype}: {way} {g.dtype}"
        )
        found.append(Finding("dtype", message, argument=name, total=value.size, clause="dtype"))
    return broken("compared with the argument's dtype", *found) if found else kept("each as its argument's")


def _shown_as(precision: str) -> np.dtype[Any]:
    # numpy has no bfloat16; arrays of it are shown as float32.
    return np.dtype("float32" if precision == "bfloat16" else precision)


def device(first: FirstCall, settings: Settings) -> Ruling:
    """Each gradient of an array type lies where its argument lies."""
    found = []
    for (name, g), value in zip(_named(first), first.values, strict=False):
        here, there = _device(value), _device(g)
        if there is not None and here is not None and here.split(":")[0] != there.split(":")[0]:
            message = f"the gradient of {name} lies on {there}, {name} on {here}: return it on {here}"
            found.append(Finding("dtype", message, argument=name, total=value.size, clause="device"))
    return broken("compared with the argument's device", *found) if found else kept("each where its argument is")


def finite(first: FirstCall, settings: Settings) -> Ruling:
    """Each gradient is finite where the true one is, and fits its dtype: a difference quotient at two steps tells."""
    found, grown = [], []
    for i, ((name, g), value) in enumerate(zip(_named(first), first.values, strict=False)):
        array = None if g is None else numbers(g)
        if array is None or array.dtype.kind not in "fciub" or array.shape != value.shape or np.isfinite(array).all():
            continue
        places = [tuple(int(k) for k in place) for place in np.argwhere(~np.isfinite(array))]
        asked = (places[0], places[len(places) // 2], places[-1])
        if all(_grows(first, i, place, _most(array, place)) for place in asked):
            held = f" (or is more than {array.dtype} holds)" if array.dtype.itemsize < 8 else ""
            grown.append(f"the gradient of {name} is infinite where the forward's own slope is{held}")
            continue
        word = "NaN" if np.isnan(array).any() else "infinite"
        message = (
            f"the gradient of {name} that {first.calls.target.name} returns is {word} at {_at(name, places[0])} "
            f"({len(places)} of {value.size} entries), where the forward is finite and has a finite slope: "
            f"guard the division, the logarithm or the 0 * inf there"
        )
        listed = tuple(places[:MOST_INDICES])
        found.append(Finding("nonfinite", message, name, listed, len(places), value.size, clause="finite"))
    if found:
        return broken("looked for NaN and infinity", *found)
    return kept(grown[0], note=grown[0]) if grown else kept("no NaN and no infinity")


def _not_numbers(g: Any) -> str:
    if isinstance(g, np.ndarray):
        return f"an array of dtype {g.dtype}, not of numbers"
    return f"a {type(g).__name__}, not an array"


def _named(first: FirstCall) -> Iterator[tuple[str, Any]]:
    return zip(first.names, first.gradients, strict=False)


#: Steps at which a slope is looked at, a hundred times smaller each; those of narrower types end earlier.
_STEPS = (1e-2, 1e-4, 1e-6, 1e-8)
#: By which part a slope that has no limit grows from one of them to the next, at least: that of x ** 0.9998 at zero.
_GROWTH = 1e-3
#: A slope measured in so few digits may be that of a gradient that its dtype does not hold.
_FULL = 0.9


def _most(array: Any, place: tuple[int, ...]) -> float:
    """A slope from which on an infinite entry may be a finite one that the dtype does not hold."""
    # The upstream may be what makes it so large: 200 times exp(6) is more than float16 has.
    held = np.isinf(array[place]) and array.dtype.kind in "fc"
    return _FULL * float(np.finfo(array.dtype).max) if held else np.inf


def _grows(first: FirstCall, argument: int, place: tuple[int, ...], most: float) -> bool:
    """Whether the difference quotient at an entry has no finite limit, on either side, or one above `most`."""
    value = first.values[argument]
    size = max(1.0, abs(float(value[place])))
    steps = _STEPS if value.dtype.itemsize >= 8 else _STEPS[:2]
    for side in (1.0, -1.0):
        slopes = [_quotient(first, argument, place, side * step * size) for step in steps]
        known = [slope for slope in slopes if np.isfinite(slope)]
        if len(known) > 1 and not _without_limit(known) and max(known) < most:
            return False
    return True


def _without_limit(slopes: Sequence[float]) -> bool:
    """Whether slopes at ever smaller steps grow as those of a power or a logarithm do: each time by about the same.

    Those that have a limit grow by less and less: by a tenth of it where the rest is as large as a square root.
    """
    growth = [b / a - 1.0 if a else np.inf if b else 0.0 for a, b in pairwise(slopes)]
    return all(g > _GROWTH for g in growth) and not growth[-1] < 0.3 * growth[0]


def _quotient(first: FirstCall, argument: int, place: tuple[int, ...], step: float) -> float:
    """The size of the outputs' slopes; an output whose upstream is zero counts too: 0 times infinity is no number."""
    moved = [np.array(value) for value in first.values]
    moved[argument][place] += step
    try:
        outputs = first.calls.forward(moved)
    except GradCheckError:
        return float("nan")
    changes = zip(first.upstream, outputs, first.outputs, strict=False)
    return sum(float(np.abs(np.where(u == 0, 1.0, u) * (now - was)).sum()) for u, now, was in changes) / abs(step)


def _way_to(wanted: tuple[int, ...], got: tuple[int, ...]) -> str:
    extra = len(got) - len(wanted)
    if extra > 0 and got[extra:] == wanted:
        return f"sum it over {'its first axis' if extra == 1 else f'its first {extra} axes'}"
    if int(np.prod(got)) == int(np.prod(wanted)):
        transposed = len(got) > 1 and got == wanted[::-1]
        return "transpose it" if transposed else f"reshape it to {wanted}"
    if len(got) == len(wanted) and all(w in (1, n) for w, n in zip(wanted, got, strict=True)):
        return "sum over the axes along which forward broadcasts, and keep them"
    return "return it in the argument's shape"


def _like(a: Any, b: Any) -> bool:
    # Byte order is no property of the gradient.
    return bool(a.kind == b.kind and a.itemsize == b.itemsize)


def _narrower(a: Any, b: Any) -> bool:
    return bool(a.kind != "c" and (a.kind != b.kind or a.itemsize < b.itemsize))


def _device(array: Any) -> str | None:
    if isinstance(array, np.ndarray):
        return "cpu"
    where = None if isinstance(array, type) else getattr(array, "device", None)
    if where is None or callable(where):
        return None
    words = str(where).lower()
    return "cpu" if "cpu" in words else words


def _at(name: str, place: tuple[int, ...]) -> str:
    return f"{name}{list(place)}" if place else name


def _many(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
