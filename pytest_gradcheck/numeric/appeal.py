"""Appeal: what speaks for an entry that seems wrong. An accusation stands where nothing does.

Two things may, beside a declared gradient that trembles by as much. Other steps, at which the slope is what is
declared: nearer ones, where the first was beyond the function's own scale, and farther ones, where it was among last
digits. And the outputs, where they could not show so small a gap: of all that the entry moves it is asked by how much
each may be off unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from .ladder import LARGEST, SIGMAS, Estimate
from .noise import DIGITS, STAIR
from .probe import SINGLE, Prober
from .scales import Floats
from .stencil import Block, Claim

#: From one step to the next smaller one at which an entry must still be wrong.
CLOSER = 64.0
#: A measured slope is not by chance so near to the declared one, as a part of the gap, at two steps in turn.
CHANCE = 1e-3
#: Outputs that are whole multiples of this, or of more, are rounded on purpose.
GRAIN = 2.0**-16
#: Larger steps at which an entry is looked at whose step moves nothing.
LOOKS = 16


class Appeal:
    """The looks that may clear one entry, a block of its own.

    accused: the estimate by which it seems wrong. pilot: what tells the best step of a look at a part of the outputs.
    claim_of: from an upstream to what backward declares for it; None where nothing is to be declared anew.
    """

    def __init__(
        self,
        prober: Prober,
        pilot: Estimate,
        block: Block,
        claim: Claim,
        accused: Estimate,
        claim_of: Callable[[list[Floats]], Claim] | None = None,
    ) -> None:
        self.prober, self.pilot, self.block, self.claim = prober, pilot, block, claim
        self.accused, self.claim_of = accused, claim_of
        self.direction = prober.direction(block, 0)

    @cached_property
    def sides(self) -> list[tuple[Floats, Floats]]:
        """Each output to either side, at the largest step of the accusation."""
        plus, minus = self.prober.stencil.pair(self.block, self.direction, self.accused.step)
        return list(zip(plus, minus, strict=True))

    @property
    def still(self) -> bool:
        """Whether no output moves at that step."""
        return all(np.array_equal(p, m) for p, m in self.sides)

    @property
    def largest(self) -> float:
        """The largest upstream: by how much a last digit may weigh."""
        return max((float(np.abs(u).max(initial=0.0)) for u in self.claim.upstream), default=0.0)

    # ---------------------------------------------------------------- other steps

    def nearer(self) -> bool:
        """Whether the entry is right at smaller steps, where its slope is what a derivative is.

        At a step far beyond the function's own scale what is measured may seem to converge, by chance or because the
        function is smooth there. It is looked at down to where the rounding would hide the gap. Slopes that grow as the
        step falls are no slopes yet: outputs oscillate within it, and what seems to be rounding is more of that.
        """
        first, step, agreed = self.accused, self.accused.step / CLOSER, 0
        while step > 1e-14 and agreed < 2:
            closer = self.prober.pilot(self.block, self.claim, step=step)
            growing = closer.seen > DIGITS * first.seen
            if not closer.finite or (SIGMAS * closer.noise > first.gap / 4 and not growing):
                return False
            if closer.seen > 0.0 and closer.gap <= closer.bar <= first.gap / 4:
                return True
            # What trembles as much as the bar says does not agree so well, and twice: the bar is of the oscillation.
            agreed = agreed + 1 if closer.seen > 0.0 and closer.gap <= CHANCE * first.gap else 0
            step /= DIGITS if growing else CLOSER
        return agreed >= 2

    def farther(self) -> bool:
        """Whether an entry that moves nothing does so at a larger step, by about what is declared.

        What a sum of 1e10 loses of it is no error. A rounded output, too, moves by about as much in the end: to be told
        from that, two steps must agree closely, but where the gap is no more than last digits of one.
        """
        first = self.accused
        minute = first.gap * first.step <= DIGITS * STAIR * self.largest
        # An entry of 1e-9 is moved by parts of one as well.
        step, unit = 8 * first.step, self.prober.stencil.unit_of(self.block.argument, int(self.block.positions()[0]))
        largest, agreed = LARGEST * max(1.0, 1.0 / unit), 0
        wider = max(8.0, (8 * largest / step) ** (1 / LOOKS))
        while step <= 8 * largest and agreed < 2:
            far = self.prober.ladder(self.block, self.claim, self.direction, min(step, largest), SINGLE)
            size = abs(far.declared)
            close = far.gap <= max(min(far.bar, size / DIGITS), size / (DIGITS * DIGITS))
            if far.finite and far.seen > 0.0:
                agreed += 2 if minute and far.gap <= far.bar else int(close)
            step *= wider
        return agreed >= 2

    def beyond_last_digits(self) -> Estimate:
        """The entry at a larger step, where the gap is so small that it may be the last digits of numbers near one.

        x (1 + tanh(x)) of a large negative x moves in slopes of 2^-53, each of them smooth: only a step across many
        of them shows what they follow. Where that agrees, the gap is no error.
        """
        gap = self.accused.gap
        step = DIGITS * STAIR * self.largest / gap
        while self.accused.step < step <= LARGEST:
            far = self.prober.ladder(self.block, self.claim, self.direction, step, SINGLE)
            if far.finite and far.bar <= gap / 4 and far.gap <= far.bar + gap / DIGITS:
                return far._replace(truncation=far.truncation + gap / DIGITS)
            step *= 4
        return self.accused

    # ---------------------------------------------------------------- what outputs cannot show

    def within(self, rests: Sequence[Floats]) -> bool:
        """Whether the gap is no more than the rests of larger numbers that cancel, in outputs that the entry moves.

        rests: by how much each output changes where the inputs change in their last digits; all of them count where
        the entry moves none.
        """
        still, total = self.still, 0.0
        for u, r, (p, m) in zip(self.claim.upstream, rests, self.sides, strict=True):
            off = np.maximum(r, grain(p, m))
            total += float((np.abs(u) * np.where(still | (p != m), off, 0.0)).sum())
        return self.accused.gap * self.accused.step <= SIGMAS * total

    def hardly_moves(self) -> bool:
        """Whether no output moves by more than a few of its last digits, or entries move within a structure only."""
        if self.accused.seen == 0.0 or self.prober.stencil.is_structured(self.block.argument):
            return True
        sides = zip(self.sides, self.prober.noise.eps, strict=True)
        return all(bool((np.abs(p - m) <= DIGITS * e * np.abs(p)).all()) for (p, m), e in sides)

    def only_rests_move(self) -> bool:
        """Whether all that moves are rests: outputs that are about zero, and move by less than the last digit of one.

        Of a divergence between equal distributions a step may show one term and not the other, which is lost in the
        rounding of a logarithm. An output that is as small itself has digits of its own.
        """
        moved = False
        for (p, m), y in zip(self.sides, self.prober.stencil.center, strict=True):
            moves = np.abs(p - m)
            if ((moves > 0.0) & ((moves > STAIR) | (np.abs(y) > moves))).any():
                return False
            moved |= bool(moves.any())
        return moved

    def hidden_by_rounding(self) -> bool:
        """Whether a gap this small may be what outputs would have moved by, had their rounding let them.

        A saturated softmax has gradients of 1e-16 that leave its largest output where it is. Such outputs are masked
        out: what is left is compared again, and must agree.
        """
        accused, upstream, prober = self.accused, self.claim.upstream, self.prober
        sizes = zip(upstream, prober.stencil.center, prober.noise.eps, strict=True)
        unseen = max(e * float(np.abs(u * y).max(initial=0.0)) for u, y, e in sizes) / accused.step
        if self.claim_of is None or accused.gap > unseen * 2**accused.rungs:
            return False
        moved = [np.where(p != m, u, 0.0) for (p, m), u in zip(self.sides, upstream, strict=True)]
        if all(map(np.array_equal, moved, upstream)):
            return False
        masked = self.claim_of(moved)
        masked.masked = True
        # What is left may tremble more than it shows, and a larger step makes less of that.
        sharp = prober.sharp(self.block, masked, 0, self.pilot, SINGLE)
        far = prober.ladder(self.block, masked, self.direction, prober.ceiling / 3, SINGLE)
        return any(e.finite and e.gap <= max(e.bar, 1e-3 * abs(e.value)) for e in (sharp, far) if e.bar < accused.gap)


def grain(plus: Floats, minus: Floats) -> Floats:
    """Of what power of two two outputs are whole multiples, zero where that is no rounding of larger numbers.

    The difference of two numbers of 1e10 is a multiple of 2^-19, whatever its own size, and no shift of the inputs in
    their last digits need show it. What rounds more coarsely than `GRAIN` does so on purpose.
    """
    found = np.minimum(_lowest_bit(plus), _lowest_bit(minus))
    return np.where(found <= GRAIN, found, 0.0)


def _lowest_bit(y: Floats) -> Floats:
    mantissa, exponent = np.frexp(np.abs(y))
    digits = np.where(np.isfinite(mantissa), mantissa * 2.0**53, 0.0).astype(np.int64)
    return np.where(digits == 0, np.inf, np.ldexp((digits & -digits).astype(float), exponent - 53))
