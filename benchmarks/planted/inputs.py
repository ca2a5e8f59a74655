"""How the inputs that a case draws are made harder."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.corpus.base import Array, Case

#: The share of entries that become zero.
ZEROS = 0.3


def _as_drawn(x: Array, rng: np.random.Generator) -> Array:
    return x


def _scaled(x: Array, rng: np.random.Generator) -> Array:
    return np.asarray(x * 10.0 ** rng.integers(-6, 4))


def _scaled_by_entry(x: Array, rng: np.random.Generator) -> Array:
    return np.asarray(x * 10.0 ** rng.integers(-4, 3, x.shape))


def _with_zeros(x: Array, rng: np.random.Generator) -> Array:
    return np.where(rng.random(x.shape) < ZEROS, 0.0, x)


def _rounded(x: Array, rng: np.random.Generator) -> Array:
    return np.asarray(np.round(x))


#: Each change, by what a line says of it.
CHANGES: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "as drawn": _as_drawn,
    "scaled by a power of ten": _scaled,
    "scaled entry by entry": _scaled_by_entry,
    "with zeros": _with_zeros,
    "rounded to integers": _rounded,
}


def changed(case: Case, rng: np.random.Generator) -> tuple[str, list[Array]]:
    """The case's inputs after a random change, and which it was; inputs of a structure would leave it, and stay."""
    drawn = case.inputs(rng)
    word = "as drawn" if "domain" in case.settings else list(CHANGES)[rng.integers(len(CHANGES))]
    return word, _each(drawn, CHANGES[word], rng)


def _each(
    drawn: Sequence[Array], change: Callable[[Array, np.random.Generator], Array], rng: np.random.Generator
) -> list[Array]:
    # What overflows in its own dtype does so without a word: the check refuses it, and that is counted.
    with np.errstate(over="ignore"):
        return [np.array(change(x, rng) if x.dtype.kind == "f" else x, dtype=x.dtype) for x in drawn]
