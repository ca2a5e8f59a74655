"""Guesses: small arguments that a constructor takes, and small inputs at which forward and backward run."""

from __future__ import annotations

import inspect
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from pytest_gradcheck.adapters import adapt
from pytest_gradcheck.calls import quiet
from pytest_gradcheck.errors import AdapterError, GradCheckError, UnknownLayer
from pytest_gradcheck.suites.signatures import Arguments, forward_arguments

#: So many combinations of layer and inputs are tried.
MOST_TRIALS = 400

Shape = tuple[int, ...]

#: Sizes differ, so that a transposed axis does not fit by chance: 3 rows, 4 columns, 5 more.
PLAIN: tuple[Shape, ...] = ((3, 4), (4,), (2, 3, 4), (2, 3, 6, 6), (2, 6, 6, 3), (3, 5), (4, 4), ())
WEIGHTS: tuple[Shape, ...] = ((4, 5), (5, 4), (4, 4), (4,), (3, 4), (5, 3, 3, 3), (3, 3, 3, 5), (5, 5))
OFFSETS: tuple[Shape, ...] = ((5,), (4,), (), (3,), (1, 5), (5, 1), (1, 4))

_WEIGHT = ("w", "weight", "weights", "kernel", "filters", "theta", "a", "u", "v", "m")
_OFFSET = ("b", "bias", "beta", "gamma", "scale", "shift", "offset")
_LABEL = ("y", "t", "label", "labels", "target", "targets", "y_true", "classes", "idx", "index", "indices")
_FRACTION = (
    "p", "rate", "prob", "drop", "dropout", "alpha", "eps", "epsilon", "momentum", "lr", "slope", "negative_slope",
    "temperature", "lam", "scale", "keep",
)  # fmt: skip

#: Values of whole-number arguments of a constructor, in order: the first is the last axis of the likeliest input.
NUMBERS: tuple[tuple[int, ...], ...] = ((4, 5, 3, 2), (4, 4, 4, 4), (3, 5, 3, 1), (2, 2, 2, 2))


@dataclass(frozen=True, slots=True)
class Maker:
    """A way to make a layer; `sure` where nothing in it is guessed."""

    make: Callable[[], Any]
    sure: bool = False


def makers(kind: type) -> Iterator[Maker]:
    """Ways to make an instance of a class, the likeliest first; none where an argument has no likely value."""
    needed = required(kind)
    if needed is None:
        return
    if not needed:
        yield Maker(kind, sure=True)
        return
    seen: set[str] = set()
    for numbers in NUMBERS:
        counted = iter([*numbers, *(numbers[-1],) * len(needed)])
        values = [_value(parameter, counted) for parameter in needed]
        if any(value is None for value in values) or repr(values) in seen:
            continue
        seen.add(repr(values))
        words = {parameter.name: value for parameter, value in zip(needed, values, strict=True)}
        yield Maker(partial(_made, kind, needed, words))


def _made(kind: type, needed: Sequence[inspect.Parameter], words: dict[str, Any]) -> Any:
    by_position = [words[p.name] for p in needed if p.kind is p.POSITIONAL_ONLY]
    return kind(*by_position, **{p.name: words[p.name] for p in needed if p.kind is not p.POSITIONAL_ONLY})


def required(kind: type) -> list[inspect.Parameter] | None:
    """The arguments that a class must be given; None where its signature cannot be read."""
    try:
        parameters = inspect.signature(kind).parameters.values()
    except (TypeError, ValueError):
        return None
    loose = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in parameters if p.default is p.empty and p.kind not in loose]


def no_maker(kind: Any) -> str:
    """Why there is no way to make a layer."""
    needed = required(kind) if isinstance(kind, type) else None
    if needed is None:
        return "its signature cannot be read"
    return f"no value is likely for {', '.join(p.name for p in needed if _value(p, iter([4])) is None)}"


def _value(parameter: inspect.Parameter, numbers: Iterator[int]) -> Any:
    name, annotation = parameter.name.lower(), str(parameter.annotation)
    if "str" in annotation or "Callable" in annotation:
        return None
    if name in ("rng", "generator", "random_state"):
        return np.random.default_rng(0)
    if annotation.endswith(("bool", "'bool'>")):
        return True
    if ("float" in annotation and "ndarray" not in annotation) or name in _FRACTION:
        return 0.5
    if name.endswith("shape"):
        return (2, 2)
    if name in ("weight", "weights", "w", "kernel"):
        return array((4, 5), name)
    if name in ("b", "bias"):
        return array((5,), name)
    return next(numbers)


def first_that_runs(
    ways: Sequence[Maker], declared: Callable[[], tuple[Any, ...]] | None, wrt: Any
) -> tuple[Any, tuple[Any, ...]] | str:
    """The first layer and inputs at which forward and backward run and shapes agree, else the first that run at all.

    declared: gives the inputs where they are not to be guessed. Where nothing runs: why, in words. Raises AdapterError
    where it is the adapter of another package that raises, at whatever inputs.
    """
    nearly, reasons, trials = None, [], 0
    refused: list[AdapterError] = []
    for way, inputs in _trials(ways, declared):
        trials += 1
        if isinstance(inputs, str):
            reasons.append(inputs)
            continue
        try:
            said = _trial(way, inputs, wrt)
        except AdapterError as error:
            refused.append(error)
            said = _short(error)
        if said == "":
            return way.make(), inputs
        if said == SHAPES and nearly is None:
            nearly = way, inputs
        elif said != SHAPES:
            reasons.append(said)
    if nearly is not None:
        return nearly[0].make(), nearly[1]
    if refused and len(refused) == trials:
        raise refused[0]
    if reasons and reasons[0].startswith("NotImplementedError"):
        return "it is abstract: its forward or backward raises NotImplementedError"
    if reasons and all(reason.startswith(UNMADE) for reason in reasons):
        return reasons[0]
    # What was tried first is the likeliest, so its reason tells most.
    return f"no small inputs fit ({trials} tried): {reasons[0]}" if reasons else "no small inputs fit"


SHAPES = "the gradients have other shapes than the inputs"
UNMADE = "cannot be made: its constructor raised "


def _trials(
    ways: Sequence[Maker], declared: Callable[[], tuple[Any, ...]] | None
) -> Iterator[tuple[Maker, tuple[Any, ...] | str]]:
    most = max(1, MOST_TRIALS // max(1, len(ways)))
    for way in ways:
        try:
            layer = _silently(way.make)
        except Exception as error:
            yield way, f"{UNMADE}{_short(error)}"
            continue
        if declared is not None:
            yield way, declared()
            continue
        arguments = forward_arguments(layer)
        if arguments is None or (not arguments.required and not arguments.open and not arguments.names):
            yield way, "the arguments of its forward cannot be read"
            continue
        for inputs in combinations(arguments, most):
            yield way, inputs


def combinations(arguments: Arguments, most: int) -> Iterator[tuple[Any, ...]]:
    """Small inputs, the likeliest first: each argument's likeliest shapes, then less likely ones together."""
    names = arguments.names[: arguments.required] or arguments.names[:1] or ("input0",)
    choices = [candidates(name, first=i == 0) for i, name in enumerate(names)]
    # Of many arguments only the likeliest shapes, or their product would not end.
    while len(choices) > 1 and np.prod([float(len(c)) for c in choices]) > 50_000:
        choices = [c[: max(2, len(c) - 1)] for c in choices]
        if all(len(c) <= 2 for c in choices):
            break
    ranked = sorted(product(*(range(len(c)) for c in choices)), key=lambda ranks: (sum(ranks), ranks))
    for ranks in ranked[:most]:
        yield tuple(make() for make in (choice[rank] for choice, rank in zip(choices, ranks, strict=True)))


def candidates(name: str, first: bool) -> Sequence[Callable[[], Any]]:
    """Ways to make one input, the likeliest first."""
    word = name.lower()
    plain = [partial(array, shape, name) for shape in PLAIN]
    if first:
        return [*plain, _labels]
    if "mask" in word:
        return [_mask, *plain[:2]]
    if word in _LABEL:
        return [_labels, *plain[:2], _one_hot, partial(array, (3,), name)]
    if word in _WEIGHT or word.startswith(("w_", "w1", "w2", "weight")):
        return [partial(array, shape, name) for shape in WEIGHTS]
    if word in _OFFSET or word.startswith(("b_", "b1", "b2", "bias")):
        return [partial(array, shape, name) for shape in OFFSETS]
    return plain


def _labels() -> Any:
    return np.arange(3) % 4


def _one_hot() -> Any:
    return np.eye(4)[:3]


def _mask() -> Any:
    return np.arange(12).reshape(3, 4) % 3 > 0


def array(shape: Shape, name: str) -> Any:
    """An ordinary array of this shape; arguments of different names get different numbers."""
    seed = [sum(name.encode()), *shape]
    return np.asarray(np.random.default_rng(seed).standard_normal(shape))


def _trial(way: Maker, inputs: tuple[Any, ...], wrt: Any) -> str:
    """Whether forward and backward run at these inputs: nothing, or what is wrong."""
    try:
        return str(_silently(lambda: _run(way.make(), inputs, wrt)))
    except (UnknownLayer, AdapterError):
        # Two adapters that claim it do so at any inputs; one that raises may do so at these alone.
        raise
    except Exception as error:
        return _short(error)


def _run(layer: Any, inputs: tuple[Any, ...], wrt: Any) -> str:
    target = adapt(layer, inputs, {}, wrt)
    outputs = target.forward([argument.value.copy() for argument in target.arguments])
    if not all(np.isfinite(y).all() for y in outputs):
        return "its output is not finite"
    upstream = [array(y.shape, "upstream").astype(y.dtype) for y in outputs]
    gradients = target.backward(upstream)
    shapes = [np.shape(gradient) for gradient in gradients]
    return "" if shapes == [argument.value.shape for argument in target.arguments] else SHAPES


def _silently(action: Callable[[], Any]) -> Any:
    """What an action returns; a trial prints nothing and warns of nothing."""
    with quiet(), warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return action()


def _short(error: Exception) -> str:
    said = " ".join(str(error).split())[:200]
    return said if isinstance(error, GradCheckError) else f"{type(error).__name__}: {said}".rstrip(": ")
