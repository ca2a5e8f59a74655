"""Slopes: what outputs do to either side of a point, and when a declared gradient is not between the two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .ladder import LARGEST
from .noise import DIGITS, DUST, STAIR
from .scales import Floats
from .stencil import Index

#: (argument, position) of entries that are moved together.
Entries = tuple[tuple[int, int], ...]
#: The lowest and the highest slope of one output, and their doubt.
Known = tuple[float, float, float]
Mask = npt.NDArray[np.bool_]

#: The looks before a breach is believed, as shares of the first step, for as long as they can tell.
NEARER = (1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12)
#: Larger steps where rounding hides what slopes are at the first one, and those at which a kink has its slopes still.
WIDER, FARTHER = (16.0, 256.0), (2.7, 7.3)
#: One-sided slopes tell nothing where so large a part of them is in doubt, and much where it is no more than FINE.
VAGUE, FINE = 0.5, 1e-2
#: Slopes of this part of the largest need not tell anything.
MINOR = 1e-3
#: A jump has a slope so many times that of the other side, at the least.
STEEP = 4.0


@dataclass(frozen=True, slots=True)
class Slopes:
    """One-sided slopes of all outputs (flat, concatenated) along one direction, and how far they may be off.

    noise: what rounding alone makes of them, a part of the doubt.
    by: at which multiple of the first step each was formed, 1 where there is none.
    """

    left: Floats
    right: Floats
    doubt: Floats
    noise: Floats
    left_jumps: Mask
    right_jumps: Mask
    by: Floats | None = None

    def nearness(self, j: int) -> float:
        """The multiple of the first step at which the slopes of output j were formed."""
        return 1.0 if self.by is None else float(self.by[j])


@dataclass(frozen=True, slots=True)
class Breach:
    """A direction in which the declared gradient lies outside the one-sided slopes.

    entries: (argument, position) of what was moved, one for a single entry; declared, low, high: along it.
    """

    entries: tuple[tuple[int, int], ...]
    declared: float
    low: float
    high: float
    doubt: float

    @property
    def known(self) -> Known:
        """The slopes and their doubt."""
        return self.low, self.high, self.doubt

    @property
    def size(self) -> float:
        """How far the declared gradient is outside."""
        return max(self.low - self.declared, self.declared - self.high)


def grows(whole: Floats, half: Floats, noise: Floats) -> Mask:
    """Whether a one-sided slope grows as the step falls: there is a jump on that side."""
    return np.asarray((np.abs(half) > 1.3 * np.abs(whole) + 4 * noise) & (np.abs(half - whole) > 0.1 * np.abs(half)))


def doubts(slopes: Slopes) -> Floats:
    """How far slopes may be off; where one side jumps, what it does is no doubt about the other."""
    one, left, right = slopes.left_jumps ^ slopes.right_jumps, np.abs(slopes.left), np.abs(slopes.right)
    jump, other = np.where(slopes.left_jumps, left, right), np.where(slopes.left_jumps, right, left)
    return np.where(one, _beside(jump, other, slopes.doubt), slopes.doubt)


def _beside(jump: Any, size: Any, doubt: Any) -> Any:
    """How far a slope of this size may be off, beside one that grows like a jump and is larger by far."""
    return np.where(jump >= STEEP * size, np.minimum(doubt, 0.1 * size + 1e-6), doubt)


def sizes(slopes: Slopes) -> Floats:
    """How large the slope is of those sides that do not jump, whichever is larger."""
    sides = ((slopes.left, slopes.left_jumps), (slopes.right, slopes.right_jumps))
    left, right = (np.where(jumps, 0.0, np.abs(slope)) for slope, jumps in sides)
    return np.maximum(left, right)


def _in_doubt(slopes: Slopes, declared: Floats, least: float, minute: float) -> Floats:
    """How large a part of each slope is in doubt; all of it where both sides jump, nothing of those below `least`.

    Nor of those that are `minute` even with what they may be off by.
    """
    size, doubt = np.maximum(sizes(slopes), np.abs(declared)), doubts(slopes)
    part = doubt / np.where(size > 0.0, size, 1.0)
    part[slopes.left_jumps & slopes.right_jumps] = np.inf
    part[(size <= least) | (size + doubt <= minute)] = 0.0
    return part


def settled(
    look: Callable[[float], Slopes],
    slopes: Slopes,
    declared: Floats,
    outputs: Index,
    minute: float = 0.0,
    coarse: bool = False,
) -> tuple[Slopes, Index]:
    """The slopes, at a nearer step for outputs of which they tell more there; and outputs of which they tell nothing.

    A kink has slopes of its own however near one looks; what bends or oscillates within the step has others there.

    look: the slopes at a multiple of the first step. declared: per output. outputs: those that are asked about.
    minute: slopes of that size are nothing beside others (max(z, 0)^2 has the slope zero at zero, and one as large as
    the step beside it). coarse: whether the forward's rounding is so large that steps may be lost in it.
    Where the slopes of a nearer step are not those of the next one, and none nearer are better, the doubt is infinite.
    """
    if coarse:
        slopes = _wider(look, slopes, declared, outputs)
    least = MINOR * float(np.abs(declared[outputs]).max(initial=0.0))
    part, fresh = _in_doubt(slopes, declared, least, minute), np.zeros(slopes.doubt.size, bool)
    lost = np.zeros_like(fresh)
    for by in NEARER:
        if not ((part > FINE) | fresh)[outputs].any():
            break
        closer = look(by)
        there = _in_doubt(closer, declared, least, minute)
        # Half of a step may agree with it by chance, where the step is some periods of what oscillates.
        lost |= fresh & ~_holds(slopes, closer)
        part[lost] = np.inf
        nearer = (part > FINE) & (there < part)
        if coarse:
            # A nearer step that is lost in rounding moves nothing, which is no slope of zero.
            nearer &= closer.noise <= slopes.doubt
        better = outputs[nearer[outputs]]
        slopes, part[better] = _taken(slopes, closer, by, better), there[better]
        fresh[:] = lost[better] = False
        fresh[better] = True
    return replace(slopes, doubt=np.where(lost, np.inf, slopes.doubt)), outputs[part[outputs] > VAGUE]


def _wider(look: Callable[[float], Slopes], slopes: Slopes, declared: Floats, outputs: Index) -> Slopes:
    """The slopes, at a larger step for outputs that the first one moves by less than rounding hides."""
    lost = _lost(slopes, declared)
    for by in WIDER:
        at = outputs[lost[outputs] > VAGUE]
        if not at.size:
            break
        wider = look(by)
        there = _lost(wider, declared)
        better = at[there[at] < lost[at]]
        slopes, lost[better] = _taken(slopes, wider, by, better), there[better]
    return slopes


def _lost(slopes: Slopes, declared: Floats) -> Floats:
    """How large a part of each slope rounding may be; all there is where an output moves by no digit."""
    size = np.maximum(np.maximum(np.abs(slopes.left), np.abs(slopes.right)), np.abs(declared))
    still = (slopes.left == 0.0) & (slopes.right == 0.0) & (slopes.noise > 0.0)
    return np.asarray(np.where(still, np.inf, slopes.noise / np.where(size > 0.0, size, 1.0)))


def _holds(slopes: Slopes, closer: Slopes) -> Mask:
    """Whether slopes are what a nearer step shows as well, but for its rounding and for sides that jump."""
    left = np.abs(closer.left - slopes.left) <= slopes.doubt + closer.noise
    right = np.abs(closer.right - slopes.right) <= slopes.doubt + closer.noise
    left, right = left | (slopes.left_jumps & closer.left_jumps), right | (slopes.right_jumps & closer.right_jumps)
    return np.asarray(left & right)


def _taken(slopes: Slopes, closer: Slopes, by: float, outputs: Index) -> Slopes:
    ones = np.ones(slopes.doubt.size)
    slopes, closer = replace(slopes, by=ones if slopes.by is None else slopes.by), replace(closer, by=by * ones)
    parts = {field.name: np.array(getattr(slopes, field.name)) for field in fields(Slopes)}
    for name, part in parts.items():
        part[outputs] = getattr(closer, name)[outputs]
    return Slopes(**parts)


def between(slopes: Slopes, j: int) -> Known | None:
    """The lowest and the highest slope of output j and their doubt; None where there is none.

    At a jump the side that does not jump has a slope of its own, and that alone is right.
    """
    sides = [
        float(s[j])
        for s, jumps in ((slopes.left, slopes.left_jumps), (slopes.right, slopes.right_jumps))
        if not jumps[j]
    ]
    if not sides or not np.isfinite(sides).all():
        return None
    doubt, steepest = float(slopes.doubt[j]), max(abs(float(slopes.left[j])), abs(float(slopes.right[j])))
    if len(sides) == 1:
        doubt = float(_beside(steepest, abs(sides[0]), doubt))
    return min(sides), max(sides), doubt


def unseen(slopes: Slopes, j: int, minute: float) -> float:
    """The part of output j's larger slope, or of a minute one, that an error may be and fit into the doubt."""
    known = between(slopes, j)
    size = max(abs(known[0]), abs(known[1])) if known else 0.0
    return known[2] / max(size, minute) if known and size else 0.0


def breach_of(slopes: Slopes, j: int, entries: Entries, declared: float) -> Breach | None:
    """The breach of the rule by output j along a direction, if there is one."""
    known = between(slopes, j)
    return known and _breach(known, entries, declared)


def _breach(known: Known, entries: Entries, declared: float) -> Breach | None:
    low, high, doubt = known
    return None if low - doubt <= declared <= high + doubt else Breach(entries, declared, low, high, doubt)


def persisting(
    look: Callable[[float], Slopes],
    j: int,
    entries: Entries,
    declared: float,
    reach: tuple[float, float],
    y: float,
    seen: Slopes | None = None,
    coarse: bool = False,
) -> Breach | None:
    """The breach of output j as it is much closer; None where some look says that there is none, and no sharper one.

    What looks like a kink may be a bend on a scale smaller than the step; or the last digit of numbers near one, of
    which the output takes the difference: then a step across many digits shows what they follow.

    look: the slopes at a multiple of the first step. reach: that step, and how far it may grow. y: the output.
    seen: the slopes of the breach. Those at a nearer step than the first tell more than any between the two.
    coarse: as in `settled`.
    """
    nearest, last = (1.0, None) if seen is None else (seen.nearness(j), between(seen, j))
    breach, nearest = _nearer(lambda by: between(look(by), j), entries, declared, last, nearest, coarse)
    return None if breach is None or _is_digits(look, j, breach, nearest, reach, y) else breach


def _nearer(
    known_at: Callable[[float], Known | None],
    entries: Entries,
    declared: float,
    last: Known | None,
    nearest: float,
    coarse: bool,
) -> tuple[Breach | None, float]:
    """The breach at steps nearer than `nearest`, None where it is gone; and the step that told.

    last: the slopes at that step; where it is the first one they tell no more than those of another.
    """
    first = None if last is None else _breach(last, entries, declared)
    breach = None if nearest == 1.0 else first
    # Slopes of their own are not outdone by what rounding makes of nearer ones.
    solid = breach is not None and last is not None and _is_sharp(last)
    inside: float | None = None
    for by in [by for by in NEARER if by < nearest]:
        known = known_at(by)
        if known is None:
            continue
        if inside is not None and known[2] >= inside:
            return None, by
        if coarse and breach is None and inside is None and first is not None and known[2] > first.size:
            # Nearer than this rounding hides any breach (float32): a kink has the same slopes further off.
            farther = [known_at(by) for by in FARTHER]
            held = last is not None and all(known is not None and _alike(known, last) for known in farther)
            return (first if held else None), nearest
        if breach is None or known[2] <= 0.25 * breach.size:
            breach = _breach(known, entries, declared)
            if breach is None:
                # In doubt as it still is, it may hide what a sharper look shows.
                inside = known[2]
                continue
            solid = _is_sharp(known) and last is not None and _alike(known, last)
            inside, nearest, last = None, by, known
        # A look that cannot tell a breach is no reason to overlook that there is none.
        elif not solid and max(known[0] - declared, declared - known[1]) <= 0.05 * breach.size:
            return None, by
        if known[2] > 10 * breach.size:
            break
    return breach, nearest


def _is_sharp(known: Known) -> bool:
    return known[2] <= VAGUE * max(abs(known[0]), abs(known[1]))


def _alike(known: Known, last: Known) -> bool:
    """Whether slopes are those of the look before: a kink keeps its own, what oscillates has others at each step."""
    return max(abs(known[0] - last[0]), abs(known[1] - last[1])) <= known[2] + last[2]


def _is_digits(
    look: Callable[[float], Slopes], j: int, breach: Breach, nearest: float, reach: tuple[float, float], y: float
) -> bool:
    """Whether a breach is gone at a larger step, which moves the output by many last digits of numbers near one.

    An output that does not move at all has digits of numbers of unknown size: then the first step at which it moves
    tells, or one not much larger. One that moves by no digit of one, and not in proportion to the step, is a rest.

    nearest: the smallest step at which the breach was seen, as a part of the first.
    """
    step, largest = reach
    still, seen_at = breach.low == breach.high == 0.0, nearest * step
    if breach.size * max(step, largest) <= DUST * (abs(y) or 1.0):
        return True
    if largest < seen_at:
        return False
    far = DIGITS * STAIR / breach.size
    if not still and far < seen_at / 16:
        return False
    if still and far > largest:
        # Nothing that a small entry's own size can move would be seen: it is moved by parts of one as well.
        largest = max(largest, LARGEST)
    far, enough = min(max(far, seen_at), largest), np.inf if still else DIGITS * DIGITS * STAIR / breach.size
    while far <= largest:
        slopes = look(far / step)
        sides = float(slopes.left[j]), float(slopes.right[j])
        known, moves = between(slopes, j), any(sides)
        beyond = known and _breach(known, breach.entries, breach.declared)
        gone = known is not None and (beyond is None or beyond.size <= breach.size / DIGITS)
        # Where both sides seem to jump, too: what moves by no digit of one at either step has no slope of its own.
        low, high = known[:2] if known else (min(sides), max(sides))
        if max(abs(low), abs(high)) * far < STAIR:
            gone |= max(abs(low - breach.low), abs(high - breach.high)) > 0.5 * breach.size
        if gone and (moves or not still):
            return True
        if moves:
            enough = min(enough, DIGITS * DIGITS * far)
        if far > enough:
            return False
        far *= 16 if still else 4
    return False


def outside(slopes: Slopes, declared: Floats) -> Mask:
    """Where what is declared lies outside the slopes, for all outputs at once; as `breach_of` for one."""
    left = [np.where(slopes.left_jumps, bad, slopes.left) for bad in (np.inf, -np.inf)]
    right = [np.where(slopes.right_jumps, bad, slopes.right) for bad in (np.inf, -np.inf)]
    low, high = np.minimum(left[0], right[0]), np.maximum(left[1], right[1])
    doubt = doubts(slopes)
    told = np.isfinite(low) & np.isfinite(high)
    return np.asarray(told & ((declared < low - doubt) | (declared > high + doubt)))
