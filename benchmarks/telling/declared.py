"""Right layers of the corpus with shapes and domains: read off the inputs on which their authors would test them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.corpus import load
from benchmarks.corpus.base import Case
from benchmarks.corpus.outcome import layer_of, settings_of
from pytest_gradcheck import domain as dom

from .base import Array, Telling

#: The narrowest that holds all draws is declared. Symmetry and the like are seen in matrices of two rows or more alone.
STRUCTURES = (dom.simplex, dom.positive_definite, dom.orthogonal, dom.symmetric, dom.unit, dom.sorted_)
BOXES = (dom.interval(0, 1), dom.interval(-1, 1), dom.positive, dom.negative)

#: What no draw shows: where these layers are not defined, or have no gradient at all.
KNOWN = {
    "inverse": dom.positive_definite,
    "determinant": dom.positive_definite,
    "inverse-ill-conditioned": dom.positive_definite,
    "determinant-singular": dom.positive_definite,
    "solve": dom.positive_definite,
    "singular-values": dom.positive_definite,
    # Routing by an order that a tie does not decide fits no slope there, whatever is declared.
    "sort": dom.distinct,
    "sort-values": dom.distinct,
    "median": dom.distinct,
    "top-two": dom.distinct,
    "symmetric-cholesky": dom.positive_definite,
    "power-log-of-zero-fixed": dom.nonnegative,
    # Its gradient is 0 / 0 for a row of zeros.
    "l2-normalisation-eps-fixed": dom.positive,
    # The accuracy that these declare is theirs near the numbers that they were written for.
    "solver-exp": dom.interval(-3, 3),
    "solver-trapezoid": dom.interval(0.1, 5),
    # Faster, narrower or coarser than any step far out; made for numbers of one size.
    "right-bump": dom.interval(-3, 3),
    "right-floor": dom.interval(-9, 9),
    "right-chirp": dom.interval(-9, 9),
    "right-sin-1e4": dom.interval(-9, 9),
    "right-tiny-inputs": dom.interval(-1e-19, 1e-19),
    # A thousand squared is infinite in float16.
    "layer-norm-float16": dom.interval(-10, 10),
}

#: No domain says where these have the gradient that they declare: where eigenvalues are apart, where nothing is tied.
UNDECLARED = ("symmetric-eigenvalues", "singular-values", "fan-out")

#: Larger layers are the same code as a smaller one of their series, and more than Hypothesis can fill with numbers.
LARGEST = 2000
#: So many draws tell a domain from chance.
DRAWS = 20


def right_layers() -> Iterator[Telling]:
    """Every right case of the corpus as a telling one, with literal sizes."""
    for case in load():
        if case.bug is None and case.name not in UNDECLARED and (declared := _declared(case)) is not None:
            yield declared


def _declared(case: Case) -> Telling | None:
    draws = [case.inputs(np.random.default_rng(seed)) for seed in range(DRAWS)]
    first = draws[0]
    if any(not isinstance(x, np.ndarray) or x.dtype.kind != "f" for x in first) or sum(x.size for x in first) > LARGEST:
        return None
    given, domain, dtypes = {}, {}, {}
    for place, x in enumerate(first):
        name = f"x{place}"
        given[name] = " ".join(map(str, x.shape))
        domain[name] = _domain([draw[place] for draw in draws])
        dtypes[name] = x.dtype.name
    told = settings_of(case)
    names = told.pop("domain", {}).values()
    domain |= dict(zip(given, names, strict=False))
    domain |= {"x0": KNOWN[case.name]} if case.name in KNOWN else {}
    return Telling(case.name, "", lambda wrong: layer_of(case), given, 0, domain, {}, dtypes, told)


def _domain(seen: Sequence[Array]) -> dom.Domain:
    """The narrowest known domain of all that was seen."""
    shape = seen[0].shape
    square = len(shape) >= 2 and shape[-1] == shape[-2] > 1
    for candidate in STRUCTURES:
        fits = square if candidate.matrix else bool(shape) and shape[-1] > 2
        if fits and all(candidate.contains(x) for x in seen):
            return candidate
    for box in BOXES:
        if all(box.contains(x) for x in seen):
            return box
    return dom.anything
