"""Standing: a group of entries and what its probes have said of it; outcome: what is said of a whole argument."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from .kinks import KinkJudgement
from .ladder import Estimate
from .scales import Floats, Group, rms
from .search import Finds
from .sharpness import detection_limit
from .stencil import Block, Claim

#: Where errors of this share of the group's own size would pass, the group has not been checked.
BLIND = 0.1
#: A gradient that is twice the true one is off by half of itself: more draws are made where two of them might pass.
TELLING = 0.5


@dataclass(slots=True)
class Standing:
    """A group of entries and what its probes have said so far.

    suspect: its entries must be looked at one by one. settled: nothing more is to be learnt by draws.
    left: so many of the block's entries were parted from it. beside: its entries were parted from larger ones, beside
    which they could not be told from zero.
    """

    block: Block
    group: Group
    claim: Claim
    pilot: Estimate
    draws: list[Estimate] = field(default_factory=list)
    suspect: bool = False
    settled: bool = False
    left: int = 0
    beside: bool = False
    #: After so many draws: `limit`, and what the best of them could not tell from zero. Both are asked for repeatedly.
    _told: dict[int, tuple[float, float]] = field(default_factory=dict, init=False)

    @property
    def limit(self) -> float:
        """The smallest |error x step| that would have been caught."""
        return self._reached()[0]

    def _reached(self) -> tuple[float, float]:
        drawn = len(self.draws)
        if drawn not in self._told:
            known = [e for e in (self.pilot, *self.draws) if e.agrees]
            reaches = [e.reach for e in known]
            # By chance the terms of one direction may cancel: what another direction left counts for all at its step.
            left = [max([o.truncation for o in known if o.step == e.step]) for e in known]
            wide = [r + t - e.truncation for e, r, t in zip(known, reaches, left, strict=True)]
            self._told[drawn] = detection_limit(wide), min(reaches, default=np.inf)
        return self._told[drawn]

    @property
    def open(self) -> bool:
        """Whether a gradient twice the true one may pass in two entries, and further draws would tell."""
        limit, best = self._reached()
        return limit > TELLING * self.floor >= 2 * best

    @property
    def size(self) -> float:
        """How large its entries are: as declared, or as outputs move that a declared accuracy alone excuses."""
        if self.group.typical > 0.0:
            return self.group.typical
        told = [e for e in (self.pilot, *self.draws) if e.finite and e.forgiven > 0.0]
        excused = [e.gap for e in told if e.gap > e.bar - e.forgiven]
        return max(excused, default=0.0) / math.sqrt(max(1, self.block.size))

    @property
    def hidden(self) -> bool:
        """Whether not even an error of the group's own size, in some of its entries, would have been seen."""
        seen = BLIND * self.size * min(self.group.size, 16) ** 0.5
        # Where the forward moves in stairs one draw of several may agree by chance, with a bar as small as its luck.
        limit, best = self._reached()
        lucky = len(self.draws) > 1 and limit > self.size
        return bool((lucky or best > seen) and seen > 0)

    @property
    def floor(self) -> float:
        """The size that a relative error of the smallest entry refers to."""
        return max(self.group.smallest, 1e-3 * self.group.typical)

    @property
    def count(self) -> int:
        """How many entries it speaks for."""
        return self.block.size - self.left

    def parted(self, weight: Floats) -> tuple[Standing, tuple[Block, Group]] | None:
        """The entries of which an error as large as themselves would have been caught, and others, to be asked anew.

        None where all are of one kind. weight: |gradient x unit| of each entry of the argument.
        """
        index = self.block.index
        mine = weight[slice(*index)] if isinstance(index, tuple) else weight[index]
        below = mine < self.limit
        small = np.flatnonzero(below)
        if small.size in (0, mine.size):
            return None
        positions = small + index[0] if isinstance(index, tuple) else index[small]
        large = mine[~below]
        told = Group(None, large.size, rms(large), float(large.min()))
        group = Group(positions, positions.size, rms(mine[small]), float(mine[small].min()))
        return replace(self, group=told, left=small.size), (Block(self.block.argument, positions), group)


@dataclass(slots=True)
class ArgumentOutcome:
    """What was found for one argument.

    relative, absolute: the sharpness. worst: largest gap over its bar among estimates that count.
    finds: entries measured one by one; settled: what is wrong there has had its second opinion already.
    kinks: the kink rule's judgement; rough: how many outputs or entries are on or near a kink.
    blind: why nothing could be told, or nothing. still: whether no output moved at all.
    hidden: entries too small beside the others to be told from zero; infinite: entries whose slope is infinite;
    one_sided: entries that can move to one side only; left_domain: whether steps had to shrink to stay in the domain.
    """

    argument: int
    relative: float = 0.0
    absolute: float = 0.0
    worst: float = 0.0
    finds: Finds = field(default_factory=Finds)
    kinks: KinkJudgement = field(default_factory=KinkJudgement)
    rough: int = 0
    covered: int = 0
    blind: str = ""
    still: bool = True
    hidden: int = 0
    infinite: int = 0
    one_sided: int = 0
    left_domain: bool = False
    settled: bool = False
