"""jax: `custom_vjp`, `custom_jvp` through its transposed form, jitted functions, declared functions; any pytree.

float64 is switched on in a context, for calls with float64 arrays only. jax's gradient of a complex number is the
conjugate of dL/dRe + i dL/dIm, and its upstreams are conjugated likewise.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from pytest_gradcheck import elsewhere
from pytest_gradcheck.errors import LayerError
from pytest_gradcheck.target import Argument, Array, Target
from pytest_gradcheck.verdict import Clause

from .binding import as_differentiable, input_names, to_complex, to_real
from .extras import need


class JaxTarget(Target):
    """A function of jax arrays, differentiated by `jax.vjp` at the values of the last forward."""

    convention = "jax"

    def __init__(self, layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        jax = need("jax")

        self.layer, self.kwargs = layer, kwargs
        self.name = getattr(layer, "__name__", type(layer).__name__)
        self.positions = tuple(input_names(layer, len(inputs)))
        fixed = set(getattr(layer, "nondiff_argnums", ()))
        found, self.nesting = jax.tree_util.tree_flatten_with_path(inputs, is_leaf=lambda leaf: leaf is None)
        self.leaves: list[Any] = [leaf for _, leaf in found]
        self.places: list[int] = []
        arguments, passed = [], []
        for place, (path, leaf) in enumerate(found):
            top = path[0].idx
            name = self.positions[top] + jax.tree_util.keystr(path[1:])
            array, reason = (None, "in nondiff_argnums") if top in fixed else as_array(leaf)
            if array is None:
                passed.append((name, reason))
                self.leaves[place] = leaf.copy() if isinstance(leaf, np.ndarray) else leaf
            else:
                self.places.append(place)
                arguments.append(Argument(name, to_real(array) if array.dtype.kind == "c" else array))
        self.arguments, self.passed_through = tuple(arguments), tuple(passed)
        self.kinds = ["c" if np.iscomplexobj(self.leaves[place]) else "f" for place in self.places]
        self.casts = [getattr(self.leaves[place], "dtype", None) for place in self.places]
        if any(str(dtype) == "bfloat16" for dtype in self.casts):
            self.rounding = 2.0**-7
            self.remarks = ("bfloat16 is shown as float32: numpy has no such type",)

    def _given(self, values: Sequence[Array]) -> list[Any]:
        jnp = need("jax.numpy")
        given = []
        for value, kind, cast in zip(values, self.kinds, self.casts, strict=True):
            # A copy: jax may keep numpy's own memory, which the check goes on to write.
            array = jnp.array(to_complex(value) if kind == "c" else value, copy=True)
            given.append(array.astype(cast) if str(cast) == "bfloat16" else array)
        return given

    def _whole(self, *given: Any) -> Any:
        """The layer as a function of what is differentiated alone."""
        jax = need("jax")

        leaves = list(self.leaves)
        for place, leaf in zip(self.places, given, strict=True):
            leaves[place] = leaf
        return self.layer(*jax.tree_util.tree_unflatten(self.nesting, leaves), **self.kwargs)

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs at these values, which are kept for the backward."""
        jax = need("jax")

        self.wide = any(value.dtype.itemsize == 8 for value in values)
        with precision(self.wide):
            self.given = self._given(values)
            leaves, self.out = jax.tree_util.tree_flatten(self.keep(self._whole(*self.given)))
        arrays = [as_array(leaf)[0] for leaf in leaves]
        self.outputs = [
            None if a is None else (a.dtype, str(leaf.dtype)) for a, leaf in zip(arrays, leaves, strict=True)
        ]
        self.shapes = [np.shape(leaf) for leaf in leaves]
        shown = tuple(to_real(a) if a.dtype.kind == "c" else a for a in arrays if a is not None)
        if not shown:
            what = str(getattr(leaves[0], "dtype", type(leaves[0]).__name__)) if leaves else "nothing"
            raise LayerError(f"{self.name} returned {what}, not a float array: it has no gradient")
        return shown

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """What `jax.vjp` returns at the last values."""
        jax = need("jax")

        with precision(self.wide):
            _, pull = jax.vjp(self._whole, *self.given)
            return [self._shown(g) for g in pull(self._upstream(upstream))]

    def _upstream(self, upstream: Sequence[Array]) -> Any:
        jax = need("jax")

        given = iter(upstream)
        leaves: list[Any] = []
        for kind, shape in zip(self.outputs, self.shapes, strict=True):
            if kind is None:
                leaves.append(np.zeros(shape, jax.dtypes.float0))
                continue
            u = np.array(next(given))
            array = np.conj(to_complex(u)) if kind[0].kind == "c" else u
            leaves.append(jax.numpy.array(array, dtype=kind[1]))
        return jax.tree_util.tree_unflatten(self.out, leaves)

    @staticmethod
    def _shown(gradient: Any) -> Any:
        array, _ = as_array(gradient)
        if array is None:
            return gradient
        return to_real(np.conj(array)) if array.dtype.kind == "c" else array

    def widened(self) -> Target | None:
        """The same function; it computes in float64 where it is given float64, unless it casts."""
        if self.rounding is None:
            return self
        twin = copy.copy(self)
        twin.casts, twin.rounding = [None] * len(self.casts), None
        return twin

    def elsewhere(self) -> elsewhere.Elsewhere | None:
        """The device on which jax puts arrays, where all are real numbers that numpy knows."""
        plain = all(kind == "f" and str(cast) != "bfloat16" for kind, cast in zip(self.kinds, self.casts, strict=True))
        real = all(kind is None or kind[0].kind == "f" for kind in self.outputs)
        where = [device.platform for array in self.given for device in array.devices()]
        alone = len(where) == len(self.given) and (elsewhere.forced or "cpu" not in where)
        return Arrays(self._there) if plain and real and alone and self.wide else None

    def _there(self, values: Sequence[Any]) -> list[Any]:
        """The outputs that are differentiated, at arrays of jax."""
        jax = need("jax")

        leaves = jax.tree_util.tree_leaves(self._whole(*values))
        return [leaf for leaf, kind in zip(leaves, self.outputs, strict=True) if kind is not None]

    def own_clauses(self, upstream: Sequence[Array]) -> tuple[Clause, ...]:
        """Whether the forward that is differentiated (`fwd` of a custom_vjp) returns what the function returns."""
        jax = need("jax")

        with precision(self.wide):
            plain = jax.tree_util.tree_leaves(self._whole(*self.given))
            pulled = jax.tree_util.tree_leaves(jax.vjp(self._whole, *self.given)[0])
        for i, (a, b) in enumerate(zip(plain, pulled, strict=True)):
            x, y = np.asarray(a, np.complex128), np.asarray(b, np.complex128)
            eps = 64 * float(jax.numpy.finfo(a.dtype).eps) if as_array(a)[0] is not None else 0.0
            if x.shape != y.shape or np.abs(x - y).max(initial=0) > eps * max(1.0, np.abs(x).max(initial=0)):
                words = f"output {i} of {self.name} differs between the function and the fwd that jax differentiates"
                return (Clause("fwd-agrees", "broken", f"{words}: let fwd return (output, residuals)"),)
        return (Clause("fwd-agrees", "kept", "the function and its differentiated form return the same"),)


class Arrays(elsewhere.Elsewhere):
    """Arrays of jax, which never change: what is moved is another array."""

    #: Each slab would be a new array of the whole size, and each of its sizes be compiled.
    slab, slices = 1 << 60, False

    def __init__(self, call: Callable[[Sequence[Any]], Sequence[Any]]) -> None:
        self.xp, self.call = need("jax.numpy"), call

    def put(self, array: Array) -> Any:
        """A copy: jax may keep numpy's own memory."""
        return self.xp.array(array, copy=True)

    def take(self, array: Any) -> Array:
        """A copy, for numpy's would be read-only."""
        return np.array(array)

    def run(self, values: Sequence[Any]) -> Sequence[Any]:
        """The layer as it is; a new array for each call."""
        return self.call(values)

    def flat(self, output: Any) -> Any:
        """See `Elsewhere`."""
        return output.reshape(-1).astype(self.xp.float64)

    def copy(self, array: Any) -> Any:
        """The same array."""
        return array

    def replaced(self, array: Any, where: Any, numbers: Any) -> Any:
        """Another array."""
        if isinstance(where, slice) and array.shape == getattr(numbers, "shape", None):
            return numbers
        return array.at[where].set(numbers)

    def share(self, one: Any, other: Any) -> bool:
        """What cannot change may lie where it will."""
        return False

    def working(self) -> AbstractContextManager[Any]:
        """With float64."""
        return precision(True)


def as_array(leaf: Any) -> tuple[Array | None, str]:
    """A leaf as a float or complex array, bfloat16 as float32; or None and why it is not differentiated."""
    dtype = getattr(leaf, "dtype", None)
    if dtype is None or isinstance(leaf, (np.ndarray, np.generic)):
        return as_differentiable(leaf)
    if str(dtype) == "bfloat16":
        return np.asarray(leaf).astype(np.float32), ""
    if getattr(dtype, "kind", "") in ("f", "c"):
        return np.array(leaf), ""
    return None, f"{dtype} array, not differentiated"


def precision(wide: bool) -> AbstractContextManager[Any]:
    """A context in which jax has float64; one that does nothing where it is not asked for."""
    if not wide:
        return nullcontext()
    jax = need("jax")
    holder = jax if hasattr(jax, "enable_x64") else need("jax.experimental")
    context: AbstractContextManager[Any] = holder.enable_x64(True)
    return context


def adapt(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Target | None:
    """A target around a layer of jax, or None."""
    modules = (str(getattr(layer, "__module__", "")), type(layer).__module__)
    if callable(layer) and any(module.partition(".")[0] in ("jax", "jaxlib") for module in modules):
        return JaxTarget(layer, inputs, kwargs)
    return None


def declared(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Target:
    """The target of a function of jax arrays; MissingExtra without jax."""
    need("jax")
    return JaxTarget(layer, inputs, kwargs)
