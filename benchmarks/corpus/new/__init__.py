"""Cases made against the checker: what an adversary of a gradient checker would put in front of it.

Errors that cancel or hide, kinks and ties and jumps, layers that need a word of explanation, every breach of the
protocol that we know of with its right twin, and a great many layers that are right and hard to accept.
"""

from __future__ import annotations

from benchmarks.corpus.base import Case

from . import (
    cancelling,
    declared,
    form,
    hard_algebra,
    hard_losses,
    hard_scales,
    hard_shapes,
    kinks,
    memory,
    mutation,
    randomness,
    state,
)

CASES: list[Case] = [
    *cancelling.CASES,
    *kinks.CASES,
    *declared.CASES,
    *mutation.CASES,
    *memory.CASES,
    *state.CASES,
    *randomness.CASES,
    *form.CASES,
    *hard_shapes.CASES,
    *hard_scales.CASES,
    *hard_losses.CASES,
    *hard_algebra.CASES,
]
