"""Target: the one form that every adapter turns a layer into.

The check sees nothing but this: named arguments that are real float arrays, a forward from such arrays
to output arrays, and a backward from upstream arrays to whatever the layer returned as gradients.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .verdict import Clause

if TYPE_CHECKING:
    from .elsewhere import Elsewhere

Array = npt.NDArray[Any]


def is_masked(array: Any) -> bool:
    """Whether some entries of an array are masked: no part of what a layer computes, and yet there as numbers."""
    masked: Any = sys.modules.get("numpy.ma")
    return masked is not None and isinstance(array, masked.MaskedArray) and bool(masked.is_masked(array))


@dataclass(frozen=True, slots=True)
class Argument:
    """One differentiated array of a layer.

    name: as in forward's signature, else `input0`; parameters by their own name ("W").
    value: the caller's array. It is read, never written; the check hands copies to the layer.
    role: "input" or "parameter".
    """

    name: str
    value: Array
    role: str = "input"


class Target:
    """A layer with its inputs: what is perturbed, how forward runs, what backward declares.

    Subclasses (one per convention, in `adapters/`) implement `forward` and `backward`; both see arrays only.

    name: of the layer, for messages.
    arguments: what is differentiated, in the order in which `forward` takes values and `backward` returns gradients.
    passed_through: (name, reason) of arguments that are not differentiated.
    layer: the user's object, searched for random Generators and copied by `fresh`.
    positions: names of the inputs as the caller gave them, for `wrt` by position; empty where they are the arguments.
    remarks: what the adapter has to say in the report (a surrogate and its reason).
    rounding: relative rounding of the layer's arithmetic where it is coarser than its arrays' (bfloat16 is shown as
        float32, numpy has no such type); None where the dtype tells.
    returned: what the layer itself returned at the last forward, kept where `keeps` is set, for the next layer of a
        chain: tensors of their own type, integers, and all that the check does not differentiate.
    batched: whether `forward` also takes all values with one more axis in front, and gives outputs with it.
    """

    name: str
    convention: str = "layer"
    arguments: tuple[Argument, ...]
    passed_through: tuple[tuple[str, str], ...] = ()
    layer: Any = None
    positions: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    rounding: float | None = None
    batched: bool = False
    keeps: bool = False
    returned: Any = None

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs at these values, one array per output; shapes may differ from the arguments' own.

        The layer gets the very arrays of `values` (so that a write into an input can be seen); where it has
        parameters they are set to the given ones first.
        """
        raise NotImplementedError

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """What the layer declares for the last forward: one gradient per argument, as it returned them.

        Nothing is converted: a wrong number, shape, dtype or None must reach the contract as it is.
        """
        raise NotImplementedError

    def steady(self, values: Sequence[Array]) -> Callable[[], Sequence[Array]] | None:
        """The outputs at these very arrays, asked for again and again while their numbers change in place.

        It is `forward` with everything made ready that stays the same from call to call, for the many evaluations that
        no backward follows. None where each forward is put together anew.
        """
        return None

    def keep(self, out: Any) -> Any:
        """Remember what the layer returned, where that is asked for: an array that is held could still change."""
        if self.keeps:
            self.returned = out
        return out

    def fresh(self) -> Target | None:
        """A target around a deep copy of the layer as it is now, or None where it cannot be copied."""
        # What belongs to the class stays one for all instances, so that a cache held there is seen by both.
        shared = {id(value): value for kind in type(self.layer).__mro__[:-1] for value in vars(kind).values()}
        try:
            twin = copy.copy(self)
            twin.layer = copy.deepcopy(self.layer, shared)
        except Exception:
            return None
        return twin

    def restrict(self, positions: Sequence[int]) -> None:
        """Of the arguments only these will be asked for: some layers refuse a gradient for others (`wrt`)."""

    def widened(self) -> Target | None:
        """A target that computes in float64 where this one takes float32; None where there is none.

        Layers of plain numpy code take either, so this is the target itself.
        """
        return self

    def elsewhere(self) -> Elsewhere | None:
        """Where the arrays of this target live, after a forward; None for this process's memory, and where in doubt."""
        return None

    def parameters(self) -> tuple[Array, ...]:
        """Arrays held in the layer that no call should change (the parameters), as they are now."""
        return ()

    def spoilt(self) -> Sequence[tuple[str, Array, Array]]:
        """Name, present and given array of each input that is passed through and that the layer has written into.

        Each is told once; from then on every forward gets it as it was given.
        """
        return ()

    def own_clauses(self, upstream: Sequence[Array]) -> tuple[Clause, ...]:
        """Clauses of this convention alone (accumulated gradients, `needs_input_grad`), tried after a forward.

        They may call forward and backward again at the last values; "broken" ones say in `detail` what is wrong.
        """
        return ()


@dataclass
class FunctionTarget(Target):
    """A target made of two callables; what the simplest adapters and the tests build."""

    name: str
    arguments: tuple[Argument, ...]
    run: Callable[..., Any]
    pull: Callable[[Sequence[Array]], Sequence[Any]]
    layer: Any = None

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """What `run` returns, as a tuple of arrays."""
        out = self.run(*values)
        return out if isinstance(out, tuple) else (np.asarray(out),)

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """What `pull` returns."""
        return self.pull(upstream)
