"""66 wrong backwards that public projects shipped or discussed, and the right twin of each.

Every layer is written anew from the mathematics and from the mistake told in the thread or commit that
`origin` names; no line of the projects is in here. `accepted` adds right layers that checkers refused.
"""

from __future__ import annotations

from benchmarks.corpus.base import Case

from . import (
    accepted,
    accumulate_route,
    factor_sign,
    region_dtype,
    shape_small_nonfinite,
    swap_stale_mutation,
    term_reduction,
    transpose_upstream_local,
    zero_random,
)

CASES: list[Case] = [
    *factor_sign.CASES,
    *transpose_upstream_local.CASES,
    *term_reduction.CASES,
    *accumulate_route.CASES,
    *swap_stale_mutation.CASES,
    *region_dtype.CASES,
    *shape_small_nonfinite.CASES,
    *zero_random.CASES,
    *accepted.CASES,
]
