"""One planting: a right layer that passes, the same layer with one wrong entry, and what the check says of each."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import isfinite
from typing import Any

import numpy as np

from benchmarks.corpus import load
from benchmarks.corpus.base import Array, Case
from benchmarks.corpus.outcome import TimedOut, layer_of, limited, settings_of
from benchmarks.corpus.reference import copies, steady
from pytest_gradcheck.checking import check
from pytest_gradcheck.errors import GradCheckError
from pytest_gradcheck.verdict import Report

from .inputs import changed
from .layer import Error, Planted, listed

#: Layers of more entries and checks of more seconds are left out.
MOST_ENTRIES, MOST_SECONDS = 400, 60.0
#: An error is so many times the stated sharpness, in an entry of so much of the root mean square of its gradient.
ABOVE, SHARE = 10.0, 0.1
#: What a report says of entries of which no error was excluded.
SMALL = "too small beside the others to be told from zero"
#: What such layers declare for an entry may be zero with another seed, and a part of zero is no error.
DRAWING = re.compile("dropout|redrawn")


@dataclass(frozen=True)
class Planting:
    """A planted error. seed, number: of the search; seeds, right, wrong: of the two checks, without the error and with.

    change: what was done to the inputs.
    """

    seed: int
    number: int
    case: str
    change: str
    error: Error
    seeds: tuple[int, int]
    right: Report
    wrong: Report

    @property
    def admitted(self) -> bool:
        """Whether the report says of some entries that it cannot tell them; the error may be in one of these."""
        return any(SMALL in note for note in self.wrong.notes)

    def __str__(self) -> str:
        argument = self.right.arguments[self.error.argument]
        entry = [int(i) for i in np.unravel_index(self.error.entry, argument.shape)]
        stated = [report.sharpness.get(argument.name) for report in (self.right, self.wrong)]
        before, after = ("none" if number is None else f"{number:.1e}" for number in stated)
        notes = " ".join("; ".join(dict.fromkeys(self.right.notes + self.wrong.notes)).split())
        return (
            f"--seed {self.seed} --number {self.number}: {self.case}, inputs {self.change}; "
            f"{argument.name}{entry} off by {self.error.share:.1e} of itself; sharpness {before} then {after}; "
            f"seeds {self.seeds[0]} then {self.seeds[1]}; notes: {notes or 'none'}"
        )


class UnusableError(Exception):
    """There is nothing to plant; the message says why in a few words, so that it can be counted."""


@cache
def right_cases() -> tuple[Case, ...]:
    """The right layers of the corpus."""
    return tuple(case for case in load() if case.bug is None)


def drawn(seed: int, number: int) -> tuple[Case, np.random.Generator]:
    """The case of a number, and the stream of all else that is drawn for it, which no other number shares."""
    rng = np.random.default_rng([seed, number])
    return right_cases()[rng.integers(len(right_cases()))], rng


def planting(seed: int, number: int, least: float = 0.1) -> Planting | str:
    """What became of one planting, or why there was none.

    least: the smallest error, as a part of the entry.
    """
    case, rng = drawn(seed, number)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with limited(MOST_SECONDS):
                change, inputs, layer = _usable(case, rng)
                seeds = int(rng.integers(1 << 30)), int(rng.integers(1 << 30))
                right = _checked(Planted(layer), inputs, case, seeds[0])
                error = _error(case, inputs, right, least, rng)
                wrong = _checked(Planted(layer_of(case), error), inputs, case, seeds[1])
        except UnusableError as reason:
            return str(reason)
        except TimedOut:
            return f"takes more than {MOST_SECONDS:g} s"
    return Planting(seed, number, case.name, change, error, seeds, right, wrong)


def _usable(case: Case, rng: np.random.Generator) -> tuple[str, list[Array], Any]:
    change, inputs = changed(case, rng)
    layer = layer_of(case)
    if DRAWING.search(case.name):
        raise UnusableError("draws at random")
    if not hasattr(layer, "forward") or not hasattr(layer, "backward"):
        raise UnusableError("has no forward and backward of its own")
    if sum(x.size for x in inputs) > MOST_ENTRIES:
        raise UnusableError(f"has more than {MOST_ENTRIES} entries")
    return change, inputs, layer


def _checked(layer: Planted, inputs: Sequence[Array], case: Case, seed: int) -> Report:
    steady()
    try:
        return check(layer, *inputs, seed=seed, **settings_of(case))
    except GradCheckError as error:
        which = "right" if layer.error is None else "wrong"
        raise UnusableError(f"check of the {which} layer raised {type(error).__name__}") from error


def _error(case: Case, inputs: Sequence[Array], right: Report, least: float, rng: np.random.Generator) -> Error:
    """An error that must be seen, given what the report of the right layer claims."""
    if not right.passed:
        raise UnusableError(f"right layer: {right.verdict}")
    if any("kink" in note for note in right.notes):
        raise UnusableError("notes mention kinks")
    arguments = right.arguments[: len(inputs)]
    if [a.shape for a in arguments] != [x.shape for x in inputs]:
        raise UnusableError("arguments are not its inputs")
    stated = {i: a.sharpness for i, a in enumerate(arguments) if a.sharpness is not None and isfinite(a.sharpness)}
    if not stated:
        raise UnusableError("states no sharpness")
    argument = int(rng.choice(list(stated)))
    size = np.abs(_declared(case, inputs, argument, rng))
    entries = np.flatnonzero(size > SHARE * np.sqrt(np.mean(size**2)))
    if not entries.size:
        raise UnusableError("declares zeros alone")
    return Error(argument, int(rng.choice(entries)), max(least, ABOVE * stated[argument]))


def _declared(case: Case, inputs: Sequence[Array], argument: int, rng: np.random.Generator) -> Array:
    """The declared gradient of one input, flat, for an upstream of which no entry is small."""
    layer = layer_of(case)
    steady()
    output = layer.forward(*copies(inputs))
    if isinstance(output, tuple | list):
        raise UnusableError("has several outputs")
    upstream = rng.choice([-1.0, 1.0], np.shape(output)) * rng.uniform(1.0, 2.0, np.shape(output))
    gradients = listed(layer.backward(np.asarray(upstream, dtype=np.asarray(output).dtype)))
    if len(gradients) != len(inputs) or gradients[argument] is None:
        raise UnusableError("declares no array for an input")
    return np.array(gradients[argument], dtype=float).reshape(-1)
