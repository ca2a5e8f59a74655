"""torch: `autograd.Function`, `nn.Module` with its parameters, operators of `torch.library`, declared functions.

The arrays of the check and the tensors of the layer share memory wherever torch allows it, so that a write into an
input is seen. A complex gradient is dL/dRe + i dL/dIm, torch's own convention.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_gradcheck import elsewhere
from pytest_gradcheck.errors import InvalidInput
from pytest_gradcheck.target import Argument, Array, Target
from pytest_gradcheck.verdict import Clause

from . import tree
from .binding import Inputs, input_names, positional_names, take_outputs, to_real
from .extras import need
from .tensors import Tensors, anchored, enter, judged, kept, to_numpy, upstream_tensor

#: `own_clauses` asks for so many single inputs at most.
MOST_SINGLE = 8


@dataclass(frozen=True, slots=True)
class Spec:
    """How the layer takes one argument: its device, and a dtype where numpy has none."""

    device: Any
    cast: Any = None
    is_complex: bool = False


class TorchTarget(Target):
    """A layer of tensors, differentiated by torch's engine."""

    convention = "torch"

    def __init__(
        self, layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any], *, name: str, names: Sequence[str]
    ) -> None:
        self.layer, self.name = layer, name
        self.device = self._device(inputs)
        self.inputs = Inputs(inputs, names, judged, lambda leaf: kept(leaf, self.device))
        self.kwargs = {key: tree.mapped(lambda leaf: kept(leaf, self.device), value) for key, value in kwargs.items()}
        self.arguments = self.inputs.arguments
        self.passed_through, self.positions = self.inputs.passed_through, self.inputs.names
        self.specs = [self._spec(leaf) for leaf in self.inputs.leaves]
        self._name_coarsest(self.inputs.leaves)
        self.differentiable: tuple[bool, ...] | None = None
        #: The arguments that require a gradient; None for all.
        self.asked: Sequence[int] | None = None
        #: Whether an input itself is an output (`ctx.mark_dirty`, `relu_`); None before the first forward.
        self.in_place: bool | None = None
        #: Of the last forward: where gradients arrive, what the layer was given, and what it gave.
        self.anchors: list[Any] = []
        self.tensors: list[Any] = []
        self.outputs: list[Any] = []

    def _device(self, inputs: tuple[Any, ...]) -> Any:
        found = (getattr(leaf, "device", None) for _, leaf in tree.leaves(inputs) if not isinstance(leaf, np.ndarray))
        return next((device for device in found if device is not None), "cpu")

    def _spec(self, leaf: Any) -> Spec:
        torch = need("torch")

        if isinstance(leaf, np.ndarray):
            return Spec(self.device, None, leaf.dtype.kind == "c")
        return Spec(leaf.device, torch.bfloat16 if leaf.dtype == torch.bfloat16 else None, leaf.is_complex())

    def _name_coarsest(self, leaves: Sequence[Any]) -> None:
        torch = need("torch")

        if any(getattr(leaf, "dtype", None) == torch.bfloat16 for leaf in leaves):
            self.rounding = float(torch.finfo(torch.bfloat16).eps)
            self.remarks = (*self.remarks, "bfloat16 is shown as float32: numpy has no such type")

    def forward(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs at these values, recorded by torch for the backward."""
        if self.in_place is None:
            return self._first(values)
        given = [value.copy() for value in values] if self.in_place else values
        self.anchors, out = self._run(given, self._asked)
        return self._taken(out)

    def steady(self, values: Sequence[Array]) -> Callable[[], Sequence[Array]] | None:
        """The layer at tensors that share the memory of these very arrays, recorded as in every forward.

        Each call gets tensors of its own, since a layer may remember what it made of the last ones.
        """
        torch = need("torch")

        plain = not any(spec.cast is not None or spec.is_complex for spec in self.specs) and not self.keeps
        if self.in_place is not False or not plain or torch.device(self.device).type != "cpu":
            return None
        with torch.enable_grad():
            entered = [
                enter(v, spec, i in self._asked)[1] for i, (v, spec) in enumerate(zip(values, self.specs, strict=True))
            ]
        if any(tensor.data_ptr() != v.ctypes.data for tensor, v in zip(entered, values, strict=True) if v.size):
            return None
        self.anchors, self.tensors, self.outputs = [], [], []
        alone = self.shown.template is None and self.shown.kinds == ("real",)

        def outputs() -> Sequence[Array]:
            with torch.enable_grad():
                out = self._call([tensor.view_as(tensor) for tensor in entered])
            if alone and type(out) is torch.Tensor and out.is_floating_point() and out.dtype != torch.bfloat16:
                return (to_numpy(out),)
            return self._taken(out)

        return outputs

    def _first(self, values: Sequence[Array]) -> tuple[Array, ...]:
        """The first forward, which shows whether an input is itself an output.

        Writing is what such a layer says it does. The check's arrays get their values back; since torch may keep
        what was written for the backward, the layer is called again, on copies, from the same random state.
        """
        torch = need("torch")

        state, saved = torch.get_rng_state(), [value.copy() for value in values]
        self.anchors, out = self._run(values, self._asked)
        self.in_place = any(leaf is tensor for _, leaf in tree.leaves(out) for tensor in self.tensors)
        if not self.in_place:
            return self._taken(out)
        torch.set_rng_state(state)
        for value, before in zip(values, saved, strict=True):
            value[...] = before
        return self.forward(values)

    @property
    def _asked(self) -> Sequence[int]:
        return range(len(self.specs)) if self.asked is None else self.asked

    def restrict(self, positions: Sequence[int]) -> None:
        """Only these require a gradient: torch refuses to go back to the running mean of a batch norm."""
        self.asked = tuple(positions)

    def _run(self, values: Sequence[Array], asked: Sequence[int]) -> tuple[list[Any], Any]:
        """The leaves to differentiate for the arguments asked for (None for the others), and the output."""
        torch = need("torch")

        with torch.enable_grad():
            entered = [enter(v, spec, i in asked) for i, (v, spec) in enumerate(zip(values, self.specs, strict=True))]
            self.tensors = [tensor for _, tensor in entered]
            out = self._call(self.tensors)
        return [anchor for anchor, _ in entered], out

    def _call(self, tensors: list[Any]) -> Any:
        return self.layer(*self.inputs.placed(tensors), **self.kwargs)

    def _taken(self, out: Any) -> tuple[Array, ...]:
        torch = need("torch")

        tensors = [leaf for _, leaf in tree.leaves(self.keep(out))]
        self.shown = take_outputs(tree.mapped(to_numpy, out), self.name)
        floats = [t for t, kind in zip(tensors, self.shown.kinds, strict=True) if kind != "constant"]
        if self.differentiable is None:
            flags = tuple(isinstance(t, torch.Tensor) and t.requires_grad for t in floats)
            self.differentiable = flags if any(flags) else (True,) * len(flags)
            left = [i for i, flag in enumerate(self.differentiable) if not flag]
            if left:
                words = f"output {', '.join(map(str, left))} needs no gradient in torch: left out"
                self.remarks = (*self.remarks, words)
        self.outputs = [t for t, flag in zip(floats, self.differentiable, strict=True) if flag]
        return tuple(y for y, flag in zip(self.shown.arrays, self.differentiable, strict=True) if flag)

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """What torch's engine returns for the arguments; None where the output does not depend on one."""
        return self._engine(self.anchors, self.outputs, upstream)

    def _engine(self, anchors: Sequence[Any], outputs: Sequence[Any], upstream: Sequence[Array]) -> list[Any]:
        torch = need("torch")

        asked = [anchor for anchor in anchors if anchor is not None]
        pairs = [(y, upstream_tensor(u, y)) for y, u in zip(outputs, upstream, strict=True) if y.requires_grad]
        if not pairs or not asked:
            return [None] * len(anchors)
        ys, us = zip(*pairs, strict=True)
        found = iter(torch.autograd.grad(ys, asked, us, allow_unused=True, retain_graph=True))
        return [None if anchor is None else shown(next(found)) for anchor in anchors]

    def elsewhere(self) -> elsewhere.Elsewhere | None:
        """The tensors' device, where it is one, and all are real numbers of numpy's types that no call writes."""
        torch = need("torch")

        device = torch.device(self.device)
        plain = all(torch.device(s.device) == device and s.cast is None and not s.is_complex for s in self.specs)
        outputs = self.in_place is False and all(
            isinstance(y, torch.Tensor) and y.is_floating_point() and y.device == device and y.layout == torch.strided
            for y in self.outputs
        )
        away = device.type != "cpu" or elsewhere.forced
        return Tensors(device, self._there) if plain and outputs and away else None

    def _there(self, values: Sequence[Any]) -> list[Any]:
        """The outputs that are differentiated, at tensors of the layer's device, recorded as in every forward."""
        torch = need("torch")

        with torch.enable_grad():
            tensors = [anchored(v, i in self._asked)[1] for i, v in enumerate(values)]
            found = [leaf for _, leaf in tree.leaves(self._call(tensors))]
        floats = [leaf for leaf, kind in zip(found, self.shown.kinds, strict=True) if kind != "constant"]
        return [y for y, flag in zip(floats, self.differentiable or (), strict=True) if flag]

    def widened(self) -> Target | None:
        """The same layer in float64, where it runs there; itself where it takes float64 already."""
        if all(a.value.dtype == np.float64 for a in self.arguments) and not any(spec.cast for spec in self.specs):
            return self
        twin = copy.copy(self)
        twin.specs = [Spec(spec.device, None, spec.is_complex) for spec in self.specs]
        twin.kwargs = {key: tree.mapped(_double, value) for key, value in self.kwargs.items()}
        twin.rounding, twin.differentiable = None, None
        try:
            twin.layer = self._double_layer()
            twin.forward([a.value.astype(np.float64) for a in self.arguments])
        except Exception:
            return None
        return twin

    def _double_layer(self) -> Any:
        return self.layer

    def own_clauses(self, upstream: Sequence[Array]) -> tuple[Clause, ...]:
        """Whether asking for the gradient of one input alone (`ctx.needs_input_grad`) gives the same gradient."""
        if len(self._asked) < 2:
            return ()
        torch = need("torch")

        values = [a.value.copy() for a in self.arguments]
        state = torch.get_rng_state()
        try:
            whole = self._alone(values, self._asked, upstream, state)
        except RuntimeError as cause:
            # It has looked at what backward returned, and has refused it.
            said = f"torch does not take what backward returns: {' '.join(str(cause).split())[:200]}"
            return (Clause("needs_input_grad", "skipped", said),)
        for i, argument in [(i, self.arguments[i]) for i in self._asked[:MOST_SINGLE]]:
            try:
                alone = self._alone(values, (i,), upstream, state)[i]
            except Exception as cause:
                said = f"{type(cause).__name__} ({' '.join(str(cause).split())[:200]})"
                asked = f"with only {argument.name} requiring a gradient (ctx.needs_input_grad)"
                return (Clause("needs_input_grad", "broken", f"{asked} {self.name} raises {said}"),)
            if not _same(alone, whole[i]):
                said = f"the gradient of {argument.name} differs where only it is asked for (ctx.needs_input_grad)"
                return (Clause("needs_input_grad", "broken", f"{said} from where all are"),)
        return (Clause("needs_input_grad", "kept", "each input asked for alone gave the same gradient"),)

    def _alone(self, values: Sequence[Array], asked: Sequence[int], upstream: Sequence[Array], state: Any) -> list[Any]:
        torch = need("torch")

        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(state)
            anchors, out = self._run([v.copy() for v in values], asked)
        floats = [leaf for _, leaf in tree.leaves(out) if isinstance(leaf, torch.Tensor) and _is_float(leaf)]
        flags = self.differentiable or (True,) * len(floats)
        outputs = [y for y, flag in zip(floats, flags, strict=True) if flag]
        return self._engine(anchors, outputs, upstream)


class FunctionTarget(TorchTarget):
    """A subclass of `autograd.Function`: its own backward is called, so that what it returns is seen as it is.

    torch's engine would sum, cast and count what a backward returns before anyone could look at it.
    """

    convention = "torch.autograd.Function"

    def _call(self, tensors: list[Any]) -> Any:
        return self.layer.apply(*self.inputs.placed(tensors), **self.kwargs)

    def backward(self, upstream: Sequence[Array]) -> Sequence[Any]:
        """What the Function's backward returns for the last forward."""
        torch = need("torch")

        nodes = [y.grad_fn for y in self.outputs]
        node, own = nodes[0], getattr(type(nodes[0]), "_forward_cls", None)
        if own is not self.layer or any(other is not node for other in nodes):
            return super().backward(upstream)
        given = iter([upstream_tensor(u, y) for u, y in zip(upstream, self.outputs, strict=True)])
        with torch.no_grad():
            returned = own.backward(node, *self._one_each(given))
        return self.inputs.gradients(tree.mapped(to_numpy, self._as_many(returned)))

    def _as_many(self, returned: Any) -> Any:
        """One gradient per input: torch drops a None at the end, which stands for an input that was left out."""
        number = len(self.inputs.names)
        if isinstance(returned, tuple) and all(gradient is None for gradient in returned[number:]):
            return returned[:number]
        return returned

    def _one_each(self, given: Iterator[Any]) -> Iterator[Any]:
        """One upstream per output of the Function, zero for those that need no gradient."""
        torch = need("torch")

        flags = iter(self.differentiable or ())
        for kind, shape in zip(self.shown.kinds, self.shown.shapes, strict=True):
            differentiable = kind != "constant" and next(flags, True)
            yield next(given) if differentiable else torch.zeros(shape, device=self.device)


class ModuleTarget(TorchTarget):
    """An `nn.Module` with its parameters, those that require a gradient.

    It runs on a copy, each time from the buffers as they were, so that statistics and power iterations stand still.
    """

    convention = "torch.nn.Module"

    def __init__(self, layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        layer, remarks = _own_module(layer, inputs, kwargs)
        self.remarks = remarks
        self.trained = [(name, p) for name, p in layer.named_parameters() if p.requires_grad and _is_float(p)]
        super().__init__(
            layer, inputs, kwargs, name=type(layer).__name__, names=input_names(layer.forward, len(inputs))
        )
        frozen = [(name, "requires_grad=False") for name, p in layer.named_parameters() if not p.requires_grad]
        taken = {argument.name for argument in self.arguments}
        held = [
            Argument(f"layer.{name}" if name in taken else name, parameter_array(p), "parameter")
            for name, p in self.trained
        ]
        self.first = len(self.arguments)
        self.arguments = (*self.arguments, *held)
        self.positions = (*self.positions, *(argument.name for argument in held))
        self.passed_through = (*self.passed_through, *frozen)
        self.specs += [self._spec(p) for _, p in self.trained]
        self._name_coarsest([p for _, p in self.trained])

    def _device(self, inputs: tuple[Any, ...]) -> Any:
        return next((p.device for _, p in self.trained), None) or super()._device(inputs)

    def _call(self, tensors: list[Any]) -> Any:
        torch = need("torch")

        held: dict[str, Any] = {name: buffer.clone() for name, buffer in self.layer.named_buffers()}
        held.update({name: t for (name, _), t in zip(self.trained, tensors[self.first :], strict=True)})
        inputs = self.inputs.placed(tensors[: self.first])
        return torch.func.functional_call(self.layer, held, inputs, self.kwargs)

    def _double_layer(self) -> Any:
        return copy.deepcopy(self.layer).double()


def shown(gradient: Any) -> Any:
    """A gradient of torch as the core sees it: real, of the dtype that numpy has."""
    array = to_numpy(gradient)
    return to_real(array) if isinstance(array, np.ndarray) and array.dtype.kind == "c" else array


def parameter_array(parameter: Any) -> Array:
    """A parameter as a real array of its own."""
    array = np.array(to_numpy(parameter))
    return to_real(array) if array.dtype.kind == "c" else array


def _own_module(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """A copy of a module, in float64 where a float32 module is given numpy's float64, and what to say of it."""
    torch = need("torch")

    lazy = any(torch.nn.parameter.is_lazy(p) for p in (*layer.parameters(), *layer.buffers()))
    try:
        layer = copy.deepcopy(layer)
    except Exception as cause:
        if lazy:
            way = "call it once, which makes its parameters"
            raise InvalidInput(f"{type(layer).__name__} is lazy, and torch cannot copy it yet: {way}") from cause
        return layer, ()
    if lazy:
        _make_parameters(layer, inputs, kwargs)
    given = [leaf.dtype for _, leaf in tree.leaves(inputs) if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f"]
    held = {p.dtype for p in layer.parameters() if p.is_floating_point()}
    if given and all(dtype == np.float64 for dtype in given) and held == {torch.float32}:
        return layer.double(), ("the module was copied in float64, the type of the inputs",)
    return layer, ()


def _make_parameters(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """One forward of a lazy module, which then has its parameters, always the same; its statistics stand still."""
    torch = need("torch")

    modes = [(module, module.training) for module in layer.modules()]
    dtype = next((p.dtype for p in layer.parameters()), None)
    given = tree.mapped(lambda leaf: _cast(kept(leaf, "cpu"), dtype), inputs)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        layer.eval()(*given, **kwargs)
    for module, training in modes:
        module.training = training


def _cast(leaf: Any, dtype: Any) -> Any:
    torch = need("torch")

    return leaf.to(dtype) if dtype is not None and isinstance(leaf, torch.Tensor) and _is_float(leaf) else leaf


def _double(leaf: Any) -> Any:
    torch = need("torch")

    return leaf.double() if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else leaf


def _is_float(tensor: Any) -> bool:
    return bool(tensor.is_floating_point() or tensor.is_complex())


def _same(a: Any, b: Any) -> bool:
    if a is None or b is None:
        present = b if a is None else a
        return present is None or not np.any(present)
    if np.shape(a) != np.shape(b):
        return False
    scale = 64 * float(np.finfo(np.asarray(b).dtype).eps) * float(np.abs(b).max(initial=0))
    return bool(np.allclose(a, b, rtol=0, atol=scale, equal_nan=True))


def adapt(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Target | None:
    """A target around a layer of torch, or None."""
    torch: Any = sys.modules.get("torch")
    if not hasattr(torch, "nn") or not hasattr(torch, "autograd"):
        return None
    owner = getattr(layer, "__self__", None)
    if isinstance(owner, type) and getattr(layer, "__name__", "") == "apply":
        layer = owner
    if isinstance(layer, type):
        return function_target(layer, inputs, kwargs) if issubclass(layer, torch.autograd.Function) else None
    if isinstance(layer, torch.nn.Module):
        return ModuleTarget(layer, inputs, kwargs)
    module = str(getattr(layer, "__module__", None) or type(layer).__module__)
    if callable(layer) and module.partition(".")[0] == "torch":
        return declared(layer, inputs, kwargs)
    return None


def function_target(layer: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Target:
    """The target of an `autograd.Function`; its forward takes `ctx` first, unless it has a `setup_context`."""
    torch = need("torch")

    separate = layer.setup_context is not torch.autograd.Function.setup_context
    names = input_names(layer.forward, len(inputs), skip=0 if separate else 1)
    return FunctionTarget(layer, inputs, kwargs, name=layer.__name__, names=names)


def declared(layer: Callable[..., Any], inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Target:
    """The target of a function of tensors, or of an operator; MissingExtra without torch."""
    need("torch")
    operator = getattr(layer, "_opoverload", layer)
    operator = getattr(operator, "default", operator)
    schema = getattr(operator, "_schema", None)
    names = [a.name for a in schema.arguments] if schema is not None else list(positional_names(layer))
    names = [*names[: len(inputs)], *(f"input{i}" for i in range(len(names), len(inputs)))]
    name = schema.name if schema is not None else getattr(layer, "__name__", type(layer).__name__)
    return TorchTarget(layer, inputs, kwargs, name=name, names=names)
