"""An object with forward and backward that holds parameters and their gradients.

The check works on a deep copy, so that the author's layer keeps its parameters and gradients. They are written in
place, so that every other name of the same array sees them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.errors import InvalidInput, LayerError, UnknownLayer
from pytest_gradcheck.target import Argument, Array, Target
from pytest_gradcheck.verdict import Clause

from . import foreign, places, trial
from .binding import as_shown, find_named, gradient_names, to_complex, to_real
from .objects import ObjectTarget, missing
from .places import RETURNED, AbsentError, Path, Place

#: A layer with a method of such a name adds to its gradients until the method sets them to zero.
ZEROING = (
    "zero_grad", "zero_grads", "zero_gradients", "zero_gradient", "flush_gradients", "reset_gradients", "reset_grads",
    "reset_grad", "clear_gradients", "clear_grads",
)  # fmt: skip


class ModuleTarget(ObjectTarget):
    """A layer whose parameters are checked like its inputs.

    held: where the parameters and their gradients are.
    accumulates: whether backward adds to the gradients it holds; None where the author does not say, then a method
        that sets them to zero says so.
    restart: whether each forward starts from the layer as it was given, for layers that keep a history of their calls.
    left: arrays in it that have no gradient.
    """

    convention = "object with forward, backward and parameters"

    def __init__(
        self,
        layer: Any,
        inputs: tuple[Any, ...],
        kwargs: dict[str, Any],
        held: Sequence[Place],
        accumulates: bool | None = None,
        restart: bool = False,
        left: Sequence[Place] = (),
    ) -> None:
        super().__init__(copy_of(layer), inputs, kwargs)
        self.held = tuple(held)
        self.zeroing = zeroing_of(layer)
        self.pristine = copy_of(layer) if restart else None
        self.called: Any = None
        self.accumulates = self.zeroing is not None if accumulates is None else accumulates
        taken = {argument.name for argument in self.arguments}
        # The values are the author's own arrays, so that a report compares what the author holds.
        parameters = [
            Argument(f"layer.{p.name}" if p.name in taken else p.name, _array_at(layer, p), "parameter")
            for p in self.held
        ]
        self.positions = (*self.positions, *(argument.name for argument in parameters))
        self.arguments = (*self.arguments, *parameters)
        self.passed_through = (*self.passed_through, *places.without_gradient(layer, self.held, left))
        #: What the author holds, to make what the layer is given like it.
        self.own = [places.look(layer, place.path) for place in self.held]
        self.note_coarse(self.own)

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs at these values, the last of which are the parameters."""
        if self.pristine is not None:
            self.layer, self.called = copy_of(self.pristine), None
        first = len(values) - len(self.held)
        for place, own, value in zip(self.held, self.own, values[first:], strict=True):
            self._set(place, own, value)
        self._forget()
        return super().forward(values[:first])

    def steady(self, values: Sequence[Array]) -> None:
        """Nothing stays the same: each forward is given its parameters."""
        return

    def _set(self, place: Place, own: Any, value: Array) -> None:
        value = to_complex(value) if _is_complex(own) else value
        current = places.look(self.layer, place.path)
        if isinstance(current, float):
            # A plain number: no other name can share it.
            places.put(self.layer, place.path, value[()])
            return
        wide = self.inputs.wide
        if foreign.is_coarse(current) == (foreign.is_coarse(own) and not wide) and foreign.fill(current, value):
            return
        made = foreign.alike(own, value, wide)
        places.replace(self.layer, current, made)
        if foreign.home(current) == "torch" and current.grad is not None:
            made.grad = foreign.alike(made, foreign.plain(current.grad).astype(value.dtype), wide)
        self._recast(place, value)

    def _recast(self, place: Place, value: Array) -> None:
        """Gradients that the layer writes in place get the dtype of their parameter, or they would round it."""
        for path in place.gradients:
            try:
                found = places.look(self.layer, path)
            except AbsentError:
                continue
            shown = foreign.plain(found)
            if isinstance(shown, np.ndarray) and shown.shape == value.shape and shown.dtype != value.dtype:
                cast = foreign.alike(found, shown.astype(value.dtype), self.inputs.wide)
                places.replace(self.layer, found, cast)

    def _forget(self) -> None:
        # Some layers keep every input since the gradients were last set to zero.
        if self.zeroing is not None and self.accumulates and self.pristine is None:
            getattr(self.layer, self.zeroing)()

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """The gradients returned for the inputs, then those held in the layer for the parameters."""
        if self.pristine is not None:
            # A layer with a history has one backward for each forward: each starts from what forward left.
            self.called = self.layer if self.called is None else self.called
            self.layer = copy_of(self.called)
        if self.accumulates:
            self._zero()
        return self._gradients(upstream)

    def _gradients(self, upstream: Sequence[Array]) -> list[Any]:
        returned = self.pull(upstream)
        if any(place.gradients == RETURNED for place in self.held):
            gradients = self._returned(returned)
        else:
            gradients = [*self.inputs.gradients(returned), *(self._held_gradient(place) for place in self.held)]
        first = max(0, len(gradients) - len(self.held))
        # As inputs are: complex numbers are shown as two real ones each.
        held = [
            as_shown(gradient, np.shape(own)) if _is_complex(own) else gradient
            for gradient, own in zip(gradients[first:], self.own, strict=False)
        ]
        return self.scaled([*gradients[:first], *held], upstream)

    def _returned(self, returned: Any) -> list[Any]:
        if isinstance(returned, dict):
            inputs = self.inputs.gradients(returned) if self.inputs.arguments else []
            return [*inputs, *(find_named(returned, place.name) for place in self.held)]
        items = list(returned) if isinstance(returned, (tuple, list)) else [returned]
        first = len(items) - len(self.held)
        if first < 0:
            return items
        return [*self.inputs.gradients(tuple(items[:first])), *items[first:]]

    def _held_gradient(self, place: Place) -> Any:
        for path in place.gradients:
            try:
                found = places.look(self.layer, path)
            except AbsentError:
                continue
            # A copy: the layer may write its next gradient into the same array.
            found = foreign.plain(found)
            return found.copy() if isinstance(found, np.ndarray) else found
        if len(place.gradients) == 1:
            where = ".".join(map(str, place.gradients[0]))
            words = f"after backward there is no {where}, where the gradient of {place.name} is said to be"
            self.remarks = (*(remark for remark in self.remarks if remark != words), words)
        return None

    def _zero(self) -> None:
        for place in self.held:
            for path in place.gradients:
                try:
                    found = places.look(self.layer, path)
                except AbsentError:
                    continue
                if foreign.is_array(found):
                    nothing = np.zeros_like(foreign.plain(found))
                    if not foreign.fill(found, nothing):
                        places.put(self.layer, path, foreign.alike(found, nothing))
                elif found is not None:
                    places.put(self.layer, path, 0.0)

    def parameters(self) -> tuple[Array, ...]:
        """The parameters as the layer holds them now."""
        return tuple(_array_at(self.layer, place) for place in self.held)

    def own_clauses(self, upstream: Sequence[Array]) -> tuple[Clause, ...]:
        """After a forward: whether a layer said to accumulate adds the second gradient to the first."""
        if not self.accumulates or self.pristine is not None or any(place.gradients == RETURNED for place in self.held):
            return ()
        # Copies: a layer that writes into its upstream would be told of twice, here in words that mislead.
        self.backward([u.copy() for u in upstream])
        once = [self._held_gradient(place) for place in self.held]
        self._gradients([u.copy() for u in upstream])
        for place, first in zip(self.held, once, strict=True):
            second = self._held_gradient(place)
            if not isinstance(first, np.ndarray) or not isinstance(second, np.ndarray):
                continue
            if not np.allclose(second, 2 * first, rtol=64 * float(np.finfo(first.dtype).eps), atol=0):
                said = f"{self.name} is said to accumulate, but a second backward did not double the gradient of "
                return (Clause("accumulation", "broken", said + place.name),)
        return (Clause("accumulation", "kept", "two backwards without setting to zero gave twice the gradient"),)


def _array_at(layer: Any, place: Place) -> Array:
    """The array at a place as real numbers; of a plain number one without axes."""
    array: Array = np.asarray(foreign.plain(places.look(layer, place.path)))
    return to_real(array) if array.dtype.kind == "c" else array


def _is_complex(leaf: Any) -> bool:
    return "complex" in str(getattr(leaf, "dtype", ""))


def zeroing_of(layer: Any) -> str | None:
    """The name of the method with which a layer sets its gradients to zero, None where it has none."""
    return next((name for name in ZEROING if callable(getattr(layer, name, None))), None)


def copy_of(layer: Any) -> Any:
    """A deep copy of a layer; where it cannot be copied, a shallow one with arrays, dicts and lists of its own."""
    try:
        return copy.deepcopy(layer)
    except Exception:
        try:
            twin = copy.copy(layer)
        except Exception as cause:
            told = f"{type(layer).__name__} holds parameters and cannot be copied: {type(cause).__name__} ({cause})"
            raise LayerError(f"{told}; the check works on a copy, so let copy.copy make one") from cause
        for name, value in places.attributes(layer).items():
            if isinstance(value, (np.ndarray, dict, list)):
                try:
                    setattr(twin, name, copy.deepcopy(value))
                except Exception:
                    setattr(twin, name, copy.copy(value))
        return twin


def started(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The layer, or a copy that has run forward once where the layer makes its parameters then.

    Such a layer holds None, or nothing, in its dict of parameters. Its first values are drawn from a fixed state of
    numpy's global generator, so that two checks see the same ones.
    """
    if getattr(layer, "is_initialized", True) is not False and not _empty(places.attributes(layer).get("parameters")):
        return layer
    twin = copy_of(layer)
    state = np.random.get_state()
    try:
        np.random.seed(0)
        twin.forward(*copy.deepcopy(inputs), **kwargs)
    except Exception as cause:
        raised = f"{type(cause).__name__} ({cause})"
        raise LayerError(f"forward of {type(layer).__name__} raised {raised} while it made its parameters") from cause
    finally:
        np.random.set_state(state)
    return twin


def _empty(book: Any) -> bool:
    return isinstance(book, dict) and bool(book) and all(value is None for value in book.values())


def adapt(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Target | None:
    """A target around a layer that holds parameters with their gradients, or None."""
    if missing(layer) is not None:
        return None
    layer = started(layer, inputs, kwargs)
    held, left = found(layer, inputs, kwargs)
    # A layer without parameters may keep its inputs until it is told to forget them.
    if held or zeroing_of(layer):
        return ModuleTarget(layer, inputs, kwargs, held, left=left)
    if not (unchecked := places.without_gradient(layer, held, left)):
        return None
    target = ObjectTarget(layer, inputs, kwargs)
    target.passed_through = (*target.passed_through, *unchecked)
    return target


def found(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Place], list[Place]]:
    """The parameters of a layer, and what has no gradient; a trial tells where backward has yet to make one."""
    held, left = places.find(layer)
    doubtful = [place for place in held if places.is_doubtful(layer, place)]
    tried = [*left, *places.numbers(layer), *doubtful]
    if not tried:
        return held, left
    more = trial.places_after_backward(layer, copy_of(layer), inputs, kwargs, tried)
    held, left = [place for place in held if place not in doubtful], [*left, *doubtful]
    # What backward returns is read as a whole: either all parameters are there, or none.
    return held + [place for place in more if not held or place.gradients != RETURNED], left


def declared(
    layer: Any,
    inputs: tuple[Any, ...],
    kwargs: dict[str, Any],
    parameters: Any = None,
    gradients: Any = None,
    accumulates: bool | None = None,
    restart: bool = False,
) -> ModuleTarget:
    """The target of `declare.module`; InvalidInput where a declared name is not there, UnknownLayer for no layer."""
    if (why := missing(layer)) is not None:
        shown = f"{type(layer).__name__} is no module ({why})"
        raise UnknownLayer(f"{shown}: give declare.module an object with forward and backward")
    layer = started(layer, inputs, kwargs)
    if parameters is None:
        held, left = found(layer, inputs, kwargs)
    else:
        held, left = _declared_places(layer, parameters, gradients), places.find(layer)[1]
    return ModuleTarget(layer, inputs, kwargs, held, accumulates, restart, left)


def _declared_places(layer: Any, parameters: Any, gradients: Any) -> list[Place]:
    if isinstance(parameters, dict):
        names, gradients = list(parameters), parameters if gradients is None else gradients
    else:
        names = [parameters] if isinstance(parameters, str) else list(parameters)
    return [
        _declared_place(layer, name, _declared_gradient(name, gradients, i, len(names))) for i, name in enumerate(names)
    ]


def _declared_gradient(name: str, gradients: Any, position: int, number: int) -> str | None:
    """Where the gradient of one parameter is said to be; InvalidInput where that is not said of all of them."""
    if gradients is None or gradients == "returned":
        return gradients  # type: ignore[no-any-return] # None or the one word
    if isinstance(gradients, str):
        gradients = [gradients]
    if isinstance(gradients, dict):
        if name not in gradients:
            raise InvalidInput(f"gradients of declare.module names no {name!r}: it names {', '.join(gradients)}")
        return str(gradients[name])
    if len(gradients) != number:
        words = f"declare.module got {number} parameters and {len(gradients)} gradients"
        raise InvalidInput(f"{words}: give one gradient for each parameter, in their order")
    return str(list(gradients)[position])


def _declared_place(layer: Any, name: str, gradient: str | None) -> Place:
    try:
        path = places.parse(layer, name)
    except AbsentError:
        known = ", ".join(sorted(places.attributes(layer))) or "nothing"
        raise InvalidInput(f"{type(layer).__name__} holds no {name!r}: it holds {known}") from None
    value = places.look(layer, path)
    if not foreign.is_floats(value) and not isinstance(value, float):
        what = f"{value.dtype} array" if foreign.is_array(value) else type(value).__name__
        raise InvalidInput(f"parameter {name!r} of {type(layer).__name__} is a {what}: only float arrays are checked")
    if gradient == "returned":
        return Place(name, path, RETURNED)
    if gradient is None:
        beside = [(*path[:-1], key) for key in gradient_names(str(path[-1]))[1:]]
        return Place(name, path, (*beside, (*path, "grad")))
    return Place(name, path, (_loose(layer, gradient),))


def _loose(layer: Any, text: str) -> Path:
    """The path of a gradient, which may not exist before backward has run."""
    words = text.split(".")
    for known in range(len(words), 0, -1):
        try:
            return (*places.parse(layer, ".".join(words[:known])), *words[known:])
        except AbsentError:
            continue
    return tuple(words)
