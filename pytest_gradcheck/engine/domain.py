"""Where an operation may be asked for a gradient: the bounds of an argument and the points without a slope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Domain:
    """An open interval, less the points where the operation has no slope.

    name: the word for messages ("positive").
    low, high: bounds, neither of them included.
    kinks: points inside without a single slope: a kink, or a pole.
    """

    name: str
    low: float = -inf
    high: float = inf
    kinks: tuple[float, ...] = ()

    def __contains__(self, value: object) -> bool:
        return isinstance(value, (int, float)) and self.low < value < self.high and value not in self.kinks

    def sample(
        self, rng: np.random.Generator, shape: Sequence[int] = (), margin: float = 0.05
    ) -> npt.NDArray[np.float64]:
        """Random numbers of ordinary size in this domain, float64, each at least `margin` from bounds and kinks.

        Where a bound is infinite, values stay within about 2 of the other bound (or of zero).
        """
        low = self.low if self.low > -inf else min(self.high, 2.0) - 4.0
        high = self.high if self.high < inf else max(self.low, -2.0) + 4.0
        values = rng.uniform(low + margin, high - margin, size=tuple(shape))
        for kink in self.kinks:
            side = np.where(values < kink, -1.0, 1.0)
            values = np.where(np.abs(values - kink) < margin, kink + side * margin * rng.uniform(1, 2), values)
        return np.asarray(values, dtype=np.float64)


REAL = Domain("real")
POSITIVE = Domain("positive", low=0.0)
NOT_ZERO = Domain("real, kink at zero", kinks=(0.0,))
AWAY_FROM_ZERO = Domain("not zero", kinks=(0.0,))
