"""Bench: one wrong argument with what was measured of it, and the few further measurements that hypotheses share.

Most questions need no new entry of the numeric gradient: with J v known for three random directions v, whether declared
is the gradient for another upstream u', or at another point, is whether `declared . v` equals `u' . J v`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from pytest_gradcheck.evidence import ArgumentEvidence, Evidence, OutOfBudget

from .guess import Constant, Floats, Mask, constants, rms

#: What a right explanation may leave of the discrepancy it explains.
REST = 1e-4
#: The same for directional derivatives from one central difference.
REST_ALONG = 1e-3
DIRECTIONS = 3
STEP = 1e-5


class Bench:
    """What hypotheses look at.

    declared, numeric, bar, wrong: as in `ArgumentEvidence`; measured: where numeric is known.
    telling: entries known right or wrong where either gradient is not zero: two zeros agree under every hypothesis.
    """

    def __init__(self, evidence: Evidence, position: int, argument: ArgumentEvidence) -> None:
        self.evidence, self.position, self.argument = evidence, position, argument
        self.name, self.value = argument.name, np.asarray(argument.value, dtype=np.float64)
        self.declared, self.numeric, self.bar = argument.declared, argument.numeric, argument.bar
        if not argument.about:
            self._fill()
        self.measured: Mask = np.isfinite(self.numeric)
        self.bar = np.where(self.measured, self.bar, 0.0)
        self.wrong: Mask = argument.wrong & self.measured
        with np.errstate(all="ignore"):
            self.residual: Floats = np.where(self.measured, self.declared - self.numeric, np.nan)
        self.telling: Mask = self.wrong | (self.measured & self._clear())
        self.rng = np.random.default_rng(position + 1)

    def _fill(self) -> None:
        # Entries that passed inside a block are right, though never measured alone.
        passed = ~np.isfinite(self.numeric)
        known = np.abs(self.bar[~passed & np.isfinite(self.bar)])
        self.numeric = np.where(passed, self.declared, self.numeric)
        self.bar = np.where(passed, np.maximum(known.max(initial=0.0), 1e-9 * np.abs(self.declared)), self.bar)

    def _clear(self) -> Mask:
        """Entries that are not zero in both gradients, and whose bar would show an error like the wrong ones'."""
        size = np.maximum(np.abs(self.declared), np.abs(np.nan_to_num(self.numeric)))
        bad = self.wrong & (size > 0)
        relative = float(np.median(np.abs(self.residual[bad]) / size[bad])) if bad.any() else 1.0
        return np.asarray((size > 0) & (self.bar < 0.5 * relative * size), dtype=np.bool_)

    # ---------------------------------------------------------------- what is known

    @property
    def complete(self) -> bool:
        """Whether every entry was measured."""
        return bool(self.measured.all())

    @property
    def everywhere(self) -> bool:
        """Whether every telling entry is wrong."""
        return bool(self.wrong[self.telling].all())

    @cached_property
    def alone(self) -> bool:
        """Whether no other argument is wrong."""
        return not any(bool(a.wrong.any()) for _, a in self.others)

    @property
    def count(self) -> int:
        """How many measured entries are wrong."""
        return int(self.wrong.sum())

    @property
    def upstream(self) -> Floats:
        """The upstream of the first output."""
        return self.evidence.upstream[0]

    @property
    def output(self) -> Floats:
        """The first output."""
        return self.evidence.outputs[0]

    @cached_property
    def discrepancy(self) -> float:
        """Size of declared minus numeric on the wrong entries."""
        return rms(self.residual[self.wrong])

    @cached_property
    def alike(self) -> bool:
        """Whether the layer has one output, of this argument's shape."""
        return len(self.evidence.outputs) == 1 and self.output.shape == self.value.shape and self.value.ndim > 0

    @cached_property
    def others(self) -> list[tuple[int, ArgumentEvidence]]:
        """The other arguments that have evidence, by position."""
        every = enumerate(self.evidence.arguments)
        return [(i, a) for i, a in every if a is not None and i != self.position]

    @cached_property
    def known_constants(self) -> list[Constant]:
        """Factors worth recognising here."""
        shapes = {f"output {i}" if i else "the output": y.shape for i, y in enumerate(self.evidence.outputs)}
        shapes |= {a.name: np.shape(a.value) for a in self.evidence.target.arguments}
        return constants(shapes)

    def explains(self, prediction: Floats, where: Mask | None = None, bar: Floats | None = None) -> bool:
        """Whether declared is this prediction on the measured entries (or those of `where`), within the bars."""
        where = self.measured if where is None else where & self.measured
        if not np.isfinite(prediction[where]).all() or not (where & self.wrong).any():
            return False
        bar = self.bar if bar is None else bar
        slack = 4 * bar + REST * np.abs(self.residual) + 0.1 * REST * self.discrepancy
        return bool((np.abs(self.declared - prediction) <= slack)[where].all())

    # ---------------------------------------------------------------- along a few directions

    @cached_property
    def directions(self) -> list[Floats]:
        """Random signs times magnitudes in [1, 2], the same for all points."""
        shape = self.value.shape
        return [self.rng.choice((-1.0, 1.0), shape) * self.rng.uniform(1, 2, shape) for _ in range(DIRECTIONS)]

    @cached_property
    def declared_along(self) -> list[float]:
        """declared . v for each direction."""
        return [float((self.declared * v).sum()) for v in self.directions]

    @cached_property
    def moved(self) -> list[tuple[Floats, ...]]:
        """J v at the point of the check, for each direction."""
        return [self.derivative(self.evidence.values, v) for v in self.directions]

    @cached_property
    def gap_along(self) -> float:
        """Largest |(declared - numeric) . v|: what an explanation has to close."""
        right = [self._dot(self.evidence.upstream, dy) for dy in self.moved]
        return max(abs(d - n) for d, n in zip(self.declared_along, right, strict=True))

    def right_for(self, upstream: Sequence[Floats]) -> bool:
        """Whether declared is the gradient that another upstream would give; costs nothing after the first time."""
        return all(
            self._closes(d, self._dot(upstream, dy)) for d, dy in zip(self.declared_along, self.moved, strict=True)
        )

    def right_at(self, values: Sequence[Floats], upstream: Sequence[Floats] | None = None) -> bool:
        """Whether declared is the gradient at another point; two evaluations where it is not, six where it is."""
        upstream = self.evidence.upstream if upstream is None else upstream
        for direction, declared in zip(self.directions, self.declared_along, strict=True):
            try:
                dy = self.derivative(values, direction)
            except OutOfBudget:
                raise
            except Exception:  # the layer refuses this point: not a candidate
                return False
            if any(a.shape != b.shape for a, b in zip(dy, upstream, strict=False)):
                return False
            if not self._closes(declared, self._dot(upstream, dy)):
                return False
        return True

    def derivative(
        self, values: Sequence[Floats], direction: Floats, position: int | None = None
    ) -> tuple[Floats, ...]:
        """J v by one central difference, v along one argument (this one)."""
        position = self.position if position is None else position
        h = STEP * (rms(values[position]) or 1.0)
        up, down = ([*values] for _ in range(2))
        up[position] = values[position] + h * direction
        down[position] = values[position] - h * direction
        pairs = zip(self.evidence.forward(up), self.evidence.forward(down), strict=True)
        with np.errstate(all="ignore"):
            return tuple((p - m) / (2 * h) for p, m in pairs)

    def replaced(self, position: int, value: Floats) -> tuple[Floats, ...]:
        """The values of the check with one argument exchanged."""
        return tuple(value if i == position else v for i, v in enumerate(self.evidence.values))

    def _closes(self, declared: float, other: float) -> bool:
        return bool(abs(declared - other) <= REST_ALONG * self.gap_along)

    @staticmethod
    def _dot(upstream: Sequence[Floats], dy: Sequence[Floats]) -> float:
        return float(sum((u * d).sum() for u, d in zip(upstream, dy, strict=True)))

    # ---------------------------------------------------------------- structure of the layer

    @cached_property
    def elementwise(self) -> bool:
        """Whether each output entry depends on the same entry of this argument alone; one evaluation."""
        if not self.alike or self.value.size < 2:
            return False
        half = np.arange(self.value.size).reshape(self.value.shape) % 2 == 0
        shift = np.where(half, 1e-3 * (rms(self.value) or 1.0) * self.directions[0], 0.0)
        (moved,) = self.evidence.forward(self.replaced(self.position, self.value + shift))
        return bool((moved == self.output)[~half].all() and (moved != self.output)[half].any())

    def columns(self, entries: Sequence[tuple[int, ...]]) -> list[tuple[Floats, ...]]:
        """Contributions u * dy/dx of single entries to each output; two evaluations an entry."""
        found = []
        for index in entries:
            unit = np.zeros_like(self.value)
            unit[index] = 1.0
            dy = self.derivative(self.evidence.values, unit)
            found.append(tuple(u * d for u, d in zip(self.evidence.upstream, dy, strict=True)))
        return found

    def declares(self, upstream: Sequence[Floats], values: Sequence[Floats] | None = None) -> Floats | None:
        """What backward declares for this argument with another upstream or at another point; one evaluation."""
        values = self.evidence.values if values is None else values
        try:
            given = self.evidence.gradients(values, upstream)[self.position]
            given = np.asarray(given, dtype=np.float64)
        except OutOfBudget:
            raise
        except Exception:  # a backward may refuse what the check never asked of it
            return None
        return given if given.shape == self.value.shape else None
