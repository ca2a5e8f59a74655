"""The caller's inputs as the core sees them (named real float arrays) and as the layer takes them.

Complex arrays are shown to the core as real ones with a last axis of two (real, imaginary): one entry each.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import FunctionType, MethodType
from typing import Any

import numpy as np

from pytest_gradcheck.errors import InvalidInput, LayerError
from pytest_gradcheck.target import Argument, Array, Target, is_masked

from . import foreign, tree

Judge = Callable[[Any], tuple[Array | None, str]]
Keep = Callable[[Any], Any]


#: How complex arguments are shown, and which gradient is asked of them.
COMPLEX = "complex, shown as (real, imaginary): {}; the gradient is dL/dRe + i dL/dIm: derivatives enter conjugated"


class Inputs:
    """The inputs of one check, taken apart once and put together again for each forward.

    arguments: what is differentiated, in order. passed_through: (name, reason) of the rest. names: of all inputs.
    leaves: the caller's own objects that are differentiated, in the order of the arguments.
    plain: whether they are float arrays of numpy and nothing else, which the layer takes as they are.
    wide: whether tensors of bfloat16 are given to the layer in the type of the values instead.
    judge: a leaf as an array, or None and why it is not differentiated. keep: a constant as the layer takes it.
    owner: the layer's name, for messages.
    """

    __slots__ = (
        "_constants", "_kinds", "_originals", "_restored", "_template", "arguments", "leaves", "names", "owner",
        "passed_through", "plain", "wide",
    )  # fmt: skip

    def __init__(
        self,
        values: tuple[Any, ...],
        names: Sequence[str],
        judge: Judge | None = None,
        keep: Keep | None = None,
        owner: str = "the layer",
    ) -> None:
        self._template, self.names, self.owner = values, tuple(names), owner
        self.plain = judge is None and all(type(value) is np.ndarray and value.dtype.kind == "f" for value in values)
        self.wide = False
        self._constants: list[Any] = []
        #: The caller's arrays among the constants by position, and those of them that the layer writes into.
        self._originals: dict[int, tuple[str, Array]] = {}
        self._restored: tuple[int, ...] = ()
        self._kinds: list[str] = []
        self.passed_through: tuple[tuple[str, str], ...] = ()
        if self.plain:
            self.leaves: list[Any] = list(values)
            self.arguments = tuple(map(Argument, names, values))
        else:
            self.leaves = []
            self.arguments = tuple(self._take_apart(judge or as_differentiable, keep or own_copy))

    def _take_apart(self, judge: Judge, keep: Keep) -> Iterator[Argument]:
        passed = []
        for top, name in zip(self._template, self.names, strict=True):
            for path, leaf in tree.leaves(top, name):
                if is_masked(leaf):
                    hidden = "is a masked array, of which some entries are hidden"
                    raise InvalidInput(f"{path} of {self.owner} {hidden}: give {path}.filled() or {path}.compressed()")
                value, reason = judge(leaf)
                if value is None:
                    passed.append((path, reason))
                    self._kinds.append("constant")
                    if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fciub":
                        self._originals[len(self._constants)] = path, leaf
                    self._constants.append(keep(leaf))
                else:
                    self.leaves.append(leaf)
                    is_complex = value.dtype.kind == "c"
                    self._kinds.append("complex" if is_complex else "real")
                    yield Argument(path, to_real(value) if is_complex else value)
        self.passed_through = tuple(passed)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a report must say for its indices and numbers to be read: which arguments are complex."""
        kinds = [kind for kind in self._kinds if kind != "constant"]
        found = [argument.name for kind, argument in zip(kinds, self.arguments, strict=False) if kind == "complex"]
        return (COMPLEX.format(", ".join(found)),) if found else ()

    def rebuilt(self, values: Sequence[Array]) -> Sequence[Any]:
        """The inputs as the layer takes them, holding the very arrays given."""
        if self.plain:
            return values
        if "complex" in self._kinds:
            kinds = [kind for kind in self._kinds if kind != "constant"]
            values = [to_complex(v) if kind == "complex" else v for kind, v in zip(kinds, values, strict=True)]
        natives = [foreign.as_given(leaf, self.wide) for leaf in self.leaves]
        return self.placed([v if make is None else make(v) for v, make in zip(values, natives, strict=True)])

    def placed(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """The inputs with these leaves, arrays of any framework, where the differentiated ones were."""
        if self.plain:
            return tuple(leaves)
        for i in self._restored:
            self._constants[i] = self._originals[i][1].copy()
        given, constants = iter(leaves), iter(self._constants)
        filled = (next(constants) if kind == "constant" else next(given) for kind in self._kinds)
        return tuple(tree.rebuild(top, filled) for top in self._template)

    def spoilt(self) -> list[tuple[str, Array, Array]]:
        """Name, present and given array of each constant that the layer wrote into; each forward gets it as it was."""
        found = []
        for i, (name, was) in self._originals.items():
            now = self._constants[i]
            if isinstance(now, np.ndarray) and i not in self._restored and not np.array_equal(now, was, equal_nan=True):
                found.append((name, now.copy(), was))
                self._restored = (*self._restored, i)
        return found

    def gradients(self, returned: Any) -> list[Any]:
        """What backward returned, one per argument; where the number is wrong, as it was returned.

        returned: a tuple or list by position (of all inputs, or of the differentiated ones), a dict by name, or
        one gradient by itself.
        """
        if self.plain:
            if type(returned) is tuple:
                return list(returned)
            if type(returned) is np.ndarray:
                return [returned]
        if returned is None:
            return [None] * len(self.arguments)
        returned = tree.mapped(foreign.plain, returned)
        if isinstance(returned, dict):
            return self._in_real(self._by_name(returned))
        if not isinstance(returned, (tuple, list)) or (len(self._template) == 1 and tree.is_numbers(returned)):
            returned = (returned,)
        return self._in_real(self._by_position(returned))

    def _by_position(self, returned: Sequence[Any]) -> list[Any]:
        if self.plain:
            return list(returned)
        tops = self._kinds_by_input()
        pairs: Iterable[tuple[Any, Any, list[str]]]
        if len(returned) == len(tops):
            pairs = zip(self._template, returned, tops, strict=True)
        elif len(returned) == len(self.arguments):
            return list(returned)
        else:
            asked = [
                (top, kinds) for top, kinds in zip(self._template, tops, strict=True) if set(kinds) != {"constant"}
            ]
            if len(returned) == len(asked):
                pairs = zip([top for top, _ in asked], returned, [kinds for _, kinds in asked], strict=True)
            elif self._is_as_the_input(returned):
                pairs = zip(self._template, (returned,), tops, strict=True)
            else:
                return list(returned)
        gradients = []
        for top, gradient, kinds in pairs:
            parts = tree.aligned(top, gradient)
            if len(parts) == len(kinds):
                parts = [part for part, kind in zip(parts, kinds, strict=True) if kind != "constant"]
            gradients += parts
        return gradients

    def _is_as_the_input(self, returned: Any) -> bool:
        """Whether a gradient is nested as the one input there is."""
        if len(self._template) != 1:
            return False
        (top,) = self._template
        if isinstance(top, dict):
            return isinstance(returned, dict) and all(key in top and alike(top[key], g) for key, g in returned.items())
        return tree.is_container(top) and not isinstance(returned, dict) and len(returned) == len(top)

    def _kinds_by_input(self) -> list[list[str]]:
        kinds = iter(self._kinds)
        return [[next(kinds) for _ in range(tree.count(top))] for top in self._template]

    def _by_name(self, returned: dict[Any, Any]) -> list[Any]:
        names = [argument.name for argument in self.arguments]
        known = {key for name in (*names, *self.names) for key in gradient_names(name)}
        if self._is_as_the_input(returned) and not known & set(returned) - set(self._template[0]):
            return self._by_position((returned,))
        if not known & set(returned):
            said = ", ".join(map(repr, names))
            returned_names = f"backward of {self.owner} returned gradients named {list(returned)}"
            raise LayerError(f"{returned_names}: name them as the arguments, {said}")
        if self.plain:
            return [find_named(returned, name) for name in names]
        tops = []
        for top, name, kinds in zip(self._template, self.names, self._kinds_by_input(), strict=True):
            # A nested input is named as a whole, or leaf by leaf.
            leaves = [find_named(returned, path) for path, _ in tree.leaves(top, name)]
            alone = any(leaf is not None for leaf in leaves)
            parts = leaves if alone else tree.aligned(top, find_named(returned, name))
            if len(parts) == len(kinds):
                parts = [part for part, kind in zip(parts, kinds, strict=True) if kind != "constant"]
            tops += parts
        return tops

    def _in_real(self, gradients: list[Any]) -> list[Any]:
        if "complex" not in self._kinds:
            return gradients
        kinds = [kind for kind in self._kinds if kind != "constant"]
        if len(kinds) != len(gradients):
            return gradients
        shown = zip(kinds, gradients, self.arguments, strict=True)
        return [as_shown(g, a.value.shape[:-1]) if kind == "complex" else g for kind, g, a in shown]


class Bound(Target):
    """A target around `Inputs`: what the conventions of hand-written layers share."""

    inputs: Inputs
    outputs: Outputs
    kwargs: dict[str, Any]

    def bind(self, inputs: Inputs) -> None:
        """Take the inputs of the check, and their names and notes."""
        self.inputs, self.arguments = inputs, inputs.arguments
        self.passed_through, self.positions = inputs.passed_through, inputs.names
        self.remarks = inputs.remarks
        self.note_coarse(inputs.leaves)

    def prepared(self, function: Callable[..., Any], values: Sequence[Array]) -> Callable[[], Sequence[Array]] | None:
        """Calls of a function at these very arrays, for `steady`; None where its inputs are put together each time.

        Each call gets views of its own, since a layer may ask whether it is given the array that it was given last.
        """
        if not self.inputs.plain or self.keeps:
            return None
        # No backward follows before another forward: what the last one needs is as large as the layer's own.
        self.outputs = NOTHING
        given, kwargs, name = tuple(values), self.kwargs, self.name
        only = given[0] if len(given) == 1 and not kwargs else None

        def outputs() -> Sequence[Array]:
            # Of one array alone no list is made: a hundredth of a forward of 20 microseconds.
            out = function(*[v.view() for v in given], **kwargs) if only is None else function(only.view())
            if type(out) is np.ndarray and out.dtype.kind == "f":
                return (out,)
            return take_outputs(out, name).arrays

        return outputs

    def note_coarse(self, leaves: Iterable[Any]) -> None:
        """Say that some are of a type that numpy has not: bars and steps are then those of that type."""
        if self.rounding is None and any(map(foreign.is_coarse, leaves)):
            self.rounding = foreign.COARSE
            self.remarks = (*self.remarks, "bfloat16 is shown as float32: numpy has no such type")

    def widened(self) -> Target | None:
        """Itself, since plain code takes either; where tensors are of bfloat16 a twin that is not given such."""
        if self.rounding is None:
            return self
        twin = copy.copy(self)
        twin.inputs, twin.rounding = copy.copy(self.inputs), None
        twin.inputs.wide = True
        return twin


def alike(value: Any, gradient: Any) -> bool:
    """Whether a gradient is nested where its value is; None stands for any."""
    return gradient is None or tree.is_container(gradient) == tree.is_container(value)


def own_copy(constant: Any) -> Any:
    """A constant that the layer may write into without the caller's array changing."""
    if foreign.home(constant) == "torch":
        return constant.detach().clone()
    if isinstance(constant, list):  # of numbers, or it would have been taken apart
        return copy.deepcopy(constant)
    return constant.copy() if isinstance(constant, np.ndarray) else constant


def as_differentiable(leaf: Any) -> tuple[Array | None, str]:
    """The leaf as a float or complex array, or None and the reason why it is not differentiated."""
    if isinstance(leaf, np.ndarray):
        array = np.asarray(leaf)
    elif isinstance(leaf, (bool, int, str, bytes)) or leaf is None:
        return None, f"{type(leaf).__name__}, not differentiated" if leaf is not None else "None, not differentiated"
    elif isinstance(leaf, (float, complex, np.generic)) or tree.is_numbers(leaf):
        try:
            array = np.asarray(leaf)
        except ValueError:
            return None, "list with rows of unequal lengths, not an array"
    else:
        array = foreign.plain(leaf)
        if not isinstance(array, np.ndarray):
            return None, f"{type(leaf).__name__}, not an array"
    if array.dtype.kind in "fc":
        return array, ""
    return None, f"{array.dtype} array, not differentiated"


GRADIENT_NAMES = (
    "d{}", "d_{}", "grad_{}", "{}_grad", "dLd{}", "dL_d{}", "g{}", "grad{}", "{}_gradient", "gradient_{}",
)  # fmt: skip


def find_named(gradients: dict[Any, Any], name: str) -> Any:
    """The gradient of an argument in a dict that names it `x`, `dx`, `d_x`, `grad_x`, `x_grad` or `dLdx`."""
    for key in gradient_names(name):
        if key in gradients:
            return gradients[key]
    return None


@lru_cache(maxsize=2048)
def gradient_names(name: str) -> tuple[str, ...]:
    """The names under which authors hold the gradient of an argument, the plainest first.

    Of `_W` they are `_dW` or `dW` and the like: what is private has a private gradient.
    """
    bare = name.lstrip("_") or name
    names = [form.format(bare) for form in GRADIENT_NAMES]
    if bare == name:
        return (name, *names)
    under = name[: len(name) - len(bare)]
    return (name, *(under + each for each in names), f"{name}_grad", *names)


def to_real(array: Any) -> Array:
    """A complex array (…) as a real one (…, 2): real part, imaginary part; its own memory where that is possible."""
    array = np.ascontiguousarray(array) if np.ndim(array) else np.asarray(array)
    real = np.float32 if array.dtype == np.complex64 else np.float64
    shown: Array = array.reshape(*array.shape, 1).view(real)
    return shown


def as_shown(gradient: Any, shape: tuple[int, ...]) -> Any:
    """A gradient of a complex argument as a real array; one without an imaginary part has zeros there."""
    if not isinstance(gradient, (np.ndarray, np.generic)) or gradient.shape != shape or gradient.dtype.kind not in "fc":
        return gradient
    array = np.asarray(gradient)
    return to_real(array if array.dtype.kind == "c" else array + 0j)


def to_complex(array: Array) -> Array:
    """A real array (…, 2) as the complex array (…) that it shows."""
    array = np.ascontiguousarray(array)
    view: Array = array.view(np.complex64 if array.dtype == np.float32 else np.complex128)[..., 0]
    return view


@dataclass(slots=True)
class Outputs:
    """How the last output was nested and which of its leaves are differentiable, to build the upstream alike.

    arrays: the differentiable leaves as real arrays. natives: how an upstream becomes what its output was.
    plain: whether the output is one array of numpy, so that the upstream is as it is.
    owner: the layer's name, for messages.
    """

    template: Any
    kinds: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    arrays: tuple[Array, ...]
    natives: tuple[foreign.Native | None, ...] = (None,)
    plain: bool = False
    owner: str = "the layer"

    @property
    def several(self) -> bool:
        """Whether the output is a tuple, list or dict rather than one array."""
        return tree.is_container(self.template)

    def upstream(self, arrays: Sequence[Array]) -> Any:
        """The upstream nested as the output; zero for outputs that are not differentiable."""
        if len(arrays) != len(self.arrays):
            numbers = f"returned {len(self.arrays)} arrays, the upstream has {len(arrays)}"
            raise LayerError(f"forward of {self.owner} {numbers}: return as many at all sizes of the inputs")
        if self.plain:
            return arrays[0]
        given = iter(arrays)
        filled = (
            np.zeros(shape) if kind == "constant" else to_complex(next(given)) if kind == "complex" else next(given)
            for kind, shape in zip(self.kinds, self.shapes, strict=True)
        )
        made = (u if make is None else make(u) for u, make in zip(filled, self.natives, strict=True))
        return tree.rebuild(self.template, made)


#: Before the first forward, and between two.
NOTHING = Outputs(None, (), (), ())


def take_outputs(out: Any, name: str) -> Outputs:
    """The output of a forward, taken apart; LayerError where there is no float array in it."""
    if type(out) is np.ndarray and out.dtype.kind == "f":
        return Outputs(None, ("real",), (out.shape,), (out,), plain=True, owner=name)
    kinds, shapes, arrays = [], [], []
    natives = tuple(foreign.native(leaf) for _, leaf in tree.leaves(out))
    for path, leaf in tree.leaves(out):
        if is_masked(leaf):
            raise LayerError(f"forward of {name} returned a masked array: return its data, filled or compressed")
        value, reason = as_differentiable(leaf)
        if value is None and not isinstance(foreign.plain(leaf), (bool, int, np.ndarray, np.generic)):
            where = f" at {path}" if path else ""
            raise LayerError(f"forward of {name} returned {reason.split(',')[0]}{where}: return float arrays")
        kinds.append("constant" if value is None else "complex" if value.dtype.kind == "c" else "real")
        shapes.append(np.shape(leaf))
        if value is not None:
            arrays.append(to_real(value) if kinds[-1] == "complex" else value)
    if not arrays:
        what = np.asarray(out).dtype if kinds else "nothing"
        raise LayerError(f"forward of {name} returned {what}, not a float array: it has no gradient")
    template = out if tree.is_container(out) else None
    return Outputs(template, tuple(kinds), tuple(shapes), tuple(arrays), natives, owner=name)


def input_names(function: Callable[..., Any], number: int, skip: int = 0) -> list[str]:
    """Names of the first `number` positional arguments of a function, `input0` and so on where it has none."""
    names = positional_names(function)[skip : skip + number]
    return [*names, *(f"input{i}" for i in range(len(names), number))]


def positional_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the positional arguments of a callable, without `self`; none where it has no signature."""
    plain = function.__func__ if type(function) is MethodType else function
    if type(plain) is FunctionType and "__wrapped__" not in plain.__dict__:
        code = plain.__code__
        return code.co_varnames[int(plain is not function) : code.co_argcount]
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))


def apart(function: Callable[..., Any], outputs: Outputs, more: int = 0) -> bool:
    """Whether a backward takes one upstream per output, each by itself, before its `more` other arguments.

    `backward(dh, dc)` and `backward(dh, dc=None)` do; `backward(upstream)` and `backward(upstream, retain=True)` take
    them nested as the outputs were.
    """
    if not isinstance(outputs.template, (tuple, list)) or len(outputs.template) < 2:
        return False
    return len(outputs.template) + more <= capacity(getattr(function, "__func__", function), int(_is_bound(function)))


def _is_bound(function: Callable[..., Any]) -> bool:
    return isinstance(function, MethodType)


@lru_cache(maxsize=512)
def capacity(function: Callable[..., Any], skip: int) -> float:
    """How many arrays a function may take by position: those without a default, or with None for one."""
    try:
        parameters = list(inspect.signature(function).parameters.values())[skip:]
    except (TypeError, ValueError):
        return 0
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return float("inf")
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and (p.default is p.empty or p.default is None) for p in parameters)
