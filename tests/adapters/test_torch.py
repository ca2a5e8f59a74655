"""torch: Functions, modules, operators and declared functions, each with a wrong twin."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check, declare
from pytest_gradcheck.adapters import adapt
from pytest_gradcheck.errors import InvalidInput
from tests.adapters.differences import normal, wrong

torch = pytest.importorskip("torch", reason="needs the extra pytest-gradcheck[torch]")
# Arrays of a dozen numbers: threads would only wait for each other.
torch.set_num_threads(1)
Function: Any = torch.autograd.Function
Module: Any = torch.nn.Module


class Scale(Function):
    """x w k and the sum of x: two outputs, an integer argument."""

    factor = 1.0

    @staticmethod
    def forward(ctx: Any, x: Any, w: Any, k: Any) -> Any:
        ctx.save_for_backward(x, w)
        ctx.k = k
        return x * w * k, x.sum()

    @staticmethod
    def backward(ctx: Any, upstream: Any, of_sum: Any) -> Any:
        x, w = ctx.saved_tensors
        return upstream * w * ctx.k + of_sum, 1.0 * upstream * x * ctx.k, None


class WrongScale(Scale):
    @staticmethod
    def backward(ctx: Any, upstream: Any, of_sum: Any) -> Any:
        dx, dw, dk = Scale.backward(ctx, upstream, of_sum)
        return dx, 1.01 * dw, dk


class Once(Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Any) -> Any:
        return upstream * ctx.saved_tensors[0].cos()


class Separate(Function):
    """forward without ctx, and setup_context."""

    @staticmethod
    def forward(x: Any, w: Any) -> Any:
        return x @ w

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        x, w = ctx.saved_tensors
        return upstream @ w.T, x.T @ upstream


class Lazy(Function):
    """Computes only what is asked, the second input wrongly where it alone is asked."""

    @staticmethod
    def forward(ctx: Any, x: Any, w: Any) -> Any:
        ctx.save_for_backward(x, w)
        return x * w

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        x, w = ctx.saved_tensors
        first, second = ctx.needs_input_grad
        dx = upstream * w if first else None
        dw = upstream * (x if first else w) if second else None
        return dx, dw


@pytest.mark.parametrize("layer", [Scale, Scale.apply], ids=["class", "apply"])
def test_a_function_with_two_outputs_and_a_constant(layer: Any) -> None:
    target = adapt(layer, (normal(3), normal(3, seed=1), 2), {})
    assert (target.name, [a.name for a in target.arguments]) == ("Scale", ["x", "w"])
    assert target.passed_through == (("k", "int, a constant to torch"),)
    assert wrong(layer, normal(3), normal(3, seed=1), 2) == []


def test_a_wrong_function_is_seen() -> None:
    assert wrong(WrongScale, normal(3), normal(3, seed=1), 2) == ["w"]


@pytest.mark.parametrize(("layer", "inputs"), [(Once, [(3,)]), (Separate, [(4, 3), (3, 2)])])
def test_right_functions(layer: Any, inputs: Any) -> None:
    assert wrong(layer, *(normal(*shape) for shape in inputs)) == []
    tensors = [torch.from_numpy(normal(*shape)).requires_grad_() for shape in inputs]
    assert wrong(layer, *tensors) == []


@pytest.mark.parametrize(
    ("returned", "count", "shape"),
    [
        (lambda g: g, 1, (3,)),
        (lambda g: (g, g, g), 3, (3,)),
        (lambda g: (g[:1], g), 2, (1,)),
        (lambda g: (g.float(), g), 2, (3,)),
        (lambda g: (None, g), 2, ()),
    ],
    ids=["too few", "too many", "a shape torch would sum", "a dtype torch would cast", "None"],
)
def test_what_a_function_returns_reaches_the_contract_as_it_is(returned: Any, count: int, shape: Any) -> None:
    class Odd(Lazy):
        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            return returned(upstream)

    target = adapt(Odd, (normal(3), normal(3)), {})
    (y,) = target.forward([normal(3), normal(3)])
    gradients = target.backward([np.ones_like(y)])
    assert (len(gradients), np.shape(gradients[0])) == (count, shape)


def test_a_none_for_an_input_that_was_left_out() -> None:
    """As in torch's own example of a linear function without its bias: torch drops a None at the end."""

    class Linear(Function):
        @staticmethod
        def forward(ctx: Any, x: Any, w: Any, b: Any = None) -> Any:
            ctx.save_for_backward(x, w)
            return x @ w

        @staticmethod
        def gradients(ctx: Any, upstream: Any) -> Any:
            x, w = ctx.saved_tensors
            return upstream @ w.T, x.T @ upstream, None

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            return Linear.gradients(ctx, upstream)

    class TooMany(Linear):
        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            return *Linear.gradients(ctx, upstream)[:2], upstream.sum(0)

    class TooFew(Linear):
        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            return Linear.gradients(ctx, upstream)[0], None, None

    inputs = normal(4, 3), normal(3, 2)
    assert check(Linear, *inputs).passed
    assert [finding.clause for finding in check(TooMany, *inputs).findings] == ["count"]
    assert check(TooFew, *inputs).findings[0].argument == "w"


def test_asking_for_one_input_alone() -> None:
    assert wrong(Lazy, normal(3), normal(3, seed=1)) == []
    (clause,) = clauses(Lazy, normal(3), normal(3, seed=1))
    assert (clause.name, clause.state) == ("needs_input_grad", "broken")
    assert clause.detail == (
        "the gradient of w differs where only it is asked for (ctx.needs_input_grad) from where all are"
    )
    assert [c.state for c in clauses(Separate, normal(4, 3), normal(3, 2))] == ["kept"]


def clauses(layer: Any, *inputs: Any) -> Any:
    target = adapt(layer, inputs, {})
    y = target.forward([np.array(a.value) for a in target.arguments])
    return target.own_clauses([normal(*part.shape) for part in y])


class Dense(Module):
    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 3)
        self.norm = torch.nn.BatchNorm1d(3)
        self.factor = factor

    def forward(self, x: Any, state: Any, *, shift: Any = 0.0) -> Any:
        out = Separate.apply(self.norm(x), self.linear.weight.T * state["h"])
        if self.factor != 1:
            out = out + (self.factor - 1) * (out - out.detach())
        return out + self.linear.bias + shift, {"state": x.sum(0)}


def test_a_module_with_nested_inputs_and_outputs() -> None:
    layer = Dense().double()
    before = copy.deepcopy(layer.state_dict())
    inputs = (normal(4, 3), {"h": torch.from_numpy(normal(3))})
    target = adapt(layer, inputs, {"shift": normal(4, 3)})
    names = ["x", "state['h']", "linear.weight", "linear.bias", "norm.weight", "norm.bias"]
    assert [a.name for a in target.arguments] == names
    assert wrong(layer, *inputs, kwargs={"shift": normal(4, 3)}) == []
    assert wrong(layer, *inputs, wrt=["linear.weight", "x"]) == []
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_a_wrong_module() -> None:
    layer = Dense(1.1).double()
    found = wrong(layer, normal(4, 3), {"h": normal(3)})
    assert found == ["x", "state['h']", "linear.weight", "norm.weight", "norm.bias"]


def test_frozen_parameters_are_passed_through() -> None:
    layer = torch.nn.Linear(3, 2).double()
    layer.bias.requires_grad_(False)
    target = adapt(layer, (normal(4, 3),), {})
    assert target.passed_through == (("bias", "requires_grad=False"),)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_low_precision_has_a_float64_twin(dtype: str) -> None:
    layer = torch.nn.Linear(3, 2).to(getattr(torch, dtype))
    x = torch.from_numpy(normal(4, 3)).to(getattr(torch, dtype))
    target = adapt(layer, (x,), {})
    wide = target.widened()
    assert wide is not None
    assert wide.forward([a.value.astype(np.float64) for a in target.arguments])[0].dtype == np.float64
    assert (target.rounding is not None) == (dtype == "bfloat16")
    close = {"float32": 1e-5, "bfloat16": 0.2, "float16": 2e-2}[dtype]
    assert wrong(layer, x, close=close) == []


def test_a_float32_module_given_float64_arrays_is_copied_in_float64() -> None:
    layer = torch.nn.Linear(3, 2)
    target = adapt(layer, (normal(4, 3),), {})
    assert target.remarks == ("the module was copied in float64, the type of the inputs",)
    assert layer.weight.dtype == torch.float32
    assert wrong(layer, normal(4, 3)) == []


def test_a_lazy_module_makes_its_parameters_first_on_a_copy() -> None:
    layer = torch.nn.Sequential(torch.nn.LazyLinear(2), torch.nn.BatchNorm1d(2))
    target = adapt(layer, (normal(4, 3),), {})
    assert [a.value.shape for a in target.arguments] == [(4, 3), (2, 3), (2,), (2,), (2,)]
    assert target.layer.training
    assert target.layer[1].num_batches_tracked == 0
    assert torch.nn.parameter.is_lazy(layer[0].weight)
    assert wrong(layer, normal(4, 3)) == []


def test_a_lazy_module_that_cannot_be_copied_is_refused_in_one_sentence() -> None:
    with pytest.raises(InvalidInput, match=r"^LazyBatchNorm1d is lazy, and torch cannot copy it yet: call it once,"):
        adapt(torch.nn.LazyBatchNorm1d(), (normal(4, 3),), {})


def test_the_selected_rest_is_widened_too() -> None:
    layer = torch.nn.Linear(3, 2)
    target = adapt(layer, (normal(4, 3, dtype=np.float32),), {}, "weight")
    wide = target.widened()
    assert wide is not None
    assert wide.forward([target.arguments[0].value.astype(np.float64)])[0].dtype == np.float64


def test_a_layer_that_returns_its_input_is_in_place_by_declaration() -> None:
    class Doubling(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            return 2 * upstream

    for layer in (Doubling, torch.nn.ReLU(inplace=True), torch.relu_):
        target = adapt(layer, (normal(4, 3),), {})
        values = [normal(4, 3)]
        outputs = [target.forward(values)[0] for _ in range(2)]
        assert np.array_equal(values[0], normal(4, 3))
        assert np.array_equal(outputs[0], outputs[1])
        assert wrong(layer, normal(4, 3)) == []


def test_the_first_backward_of_an_in_place_layer_reads_what_forward_wrote() -> None:
    # torch keeps the output of elu_ for its backward, and it stands in the memory of the input.
    target = adapt(torch.nn.functional.elu_, (normal(4, 3),), {})
    target.forward([normal(4, 3)])
    x = normal(4, 3)
    assert np.allclose(target.backward([np.ones((4, 3))])[0], np.where(x > 0, 1, np.exp(x)))
    torch.manual_seed(3)
    target = adapt(torch.nn.functional.rrelu_, (normal(4, 3),), {"training": True})
    first = target.forward([normal(4, 3)])[0].copy()
    torch.manual_seed(3)
    assert np.array_equal(first, target.forward([normal(4, 3)])[0])


def test_what_wrt_leaves_out_requires_no_gradient() -> None:
    inputs = (normal(5, 3), normal(3), normal(3) ** 2 + 1)
    for wrt in ("input", ("input", "weight")):
        weight = () if wrt == "input" else (normal(3),)
        # torch raises where a running mean requires a gradient.
        report = check(torch.nn.functional.batch_norm, *inputs, *weight, wrt=wrt)
        assert report.passed
        assert [a.name for a in report.arguments] == ([wrt] if isinstance(wrt, str) else list(wrt))


def test_a_layer_that_clobbers_its_input_is_seen_writing() -> None:
    target = adapt(torch.nn.Sequential(torch.nn.ReLU(inplace=True), torch.nn.Tanh()), (normal(4, 3),), {})
    values = [normal(4, 3)]
    target.forward(values)
    assert values[0].min() == 0


def square(factor: float, name: str) -> Any:
    @torch.library.custom_op(f"gradcheck_tests::{name}", mutates_args=(), schema="(Tensor x, float scale) -> Tensor")
    def op(x: Any, scale: Any) -> Any:
        return scale * x * x

    def setup(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.x, ctx.scale = inputs

    def backward(ctx: Any, upstream: Any) -> Any:
        return factor * 2 * ctx.scale * ctx.x * upstream, None

    op.register_autograd(backward, setup_context=setup)
    return op


def test_operators_of_torch_library() -> None:
    right, bad = square(1.0, "square"), square(1.5, "bad_square")
    ops = torch.ops.gradcheck_tests
    for layer in (right, ops.square, ops.square.default):
        assert wrong(layer, normal(3), 0.5) == []
    assert wrong(bad, normal(3), 0.5) == ["x"]
    target = adapt(ops.square, (normal(3), 0.5), {})
    assert (target.name, [a.name for a in target.arguments]) == ("gradcheck_tests::square", ["x"])


def test_functions_of_torch_and_declared_ones() -> None:
    assert wrong(torch.nn.functional.gelu, normal(3)) == []
    assert wrong(torch.sin, normal(3)) == []
    assert wrong(declare.torch(lambda x, y: torch.linalg.solve(x, y)), normal(3, 3), normal(3)) == []
    assert wrong(declare.torch(lambda x: x * x.detach()), normal(3)) == ["x"]


def test_complex_numbers_follow_torch() -> None:
    z, w = normal(3) + 1j * normal(3, seed=1), normal(3, seed=2) + 1j * normal(3, seed=3)
    f = declare.torch(lambda z, w: (z * w.conj(), (z.abs() ** 2).sum()))
    assert wrong(f, z, torch.from_numpy(w)) == []

    class Conjugated(Function):
        @staticmethod
        def forward(ctx: Any, z: Any) -> Any:
            return z * 2j

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            return upstream * 2j

    assert wrong(Conjugated, z) == ["z"]


def test_labels_and_non_differentiable_outputs() -> None:
    assert wrong(torch.nn.functional.cross_entropy, normal(4, 3), np.array([0, 2, 1, 1])) == []
    target = adapt(declare.torch(lambda x: (x * 2, x.detach() * 3, x.argmax())), (normal(3),), {})
    assert len(target.forward([normal(3)])) == 1
    assert target.remarks == ("output 1 needs no gradient in torch: left out",)


def test_an_operator_without_backward_says_so() -> None:
    @torch.library.custom_op("gradcheck_tests::silent", mutates_args=(), schema="(Tensor x) -> Tensor")
    def op(x: Any) -> Any:
        return x * 2

    with pytest.raises(RuntimeError, match="no autograd formula"):
        wrong(op, normal(3))


@pytest.mark.parametrize("layer", [torch.nn.Dropout(0.5), torch.nn.LSTM(3, 2)])
def test_modules_with_randomness_and_flat_weights(layer: Any) -> None:
    target = adapt(layer.double(), (normal(4, 3),), {})
    values = [np.array(a.value) for a in target.arguments]
    torch.manual_seed(3)
    first = target.forward(values)
    torch.manual_seed(3)
    assert np.array_equal(target.forward(values)[0], first[0])
    if isinstance(layer, torch.nn.LSTM):
        assert wrong(layer, normal(4, 3)) == []
    assert all(clause.state == "kept" for clause in clauses(layer, normal(4, 3)))


def test_an_upstream_of_any_layout() -> None:
    target = adapt(torch.nn.Linear(3, 2).double(), (normal(4, 3),), {})
    target.forward([a.value for a in target.arguments])
    u = normal(4, 2)
    expected = target.backward([u])[0]
    read_only = u.copy()
    read_only.flags.writeable = False
    for other in (np.asfortranarray(u), u[::-1].copy()[::-1], read_only, np.repeat(u, 2, axis=0)[::2]):
        assert np.allclose(target.backward([other])[0], expected)
    assert target.backward([np.broadcast_to(np.float64(1), (4, 2))])[0].shape == (4, 3)


class ByHand:
    """Tensors, but no autograd: backward is written by hand."""

    factor = 1.0

    def forward(self, x: Any, w: Any, labels: Any) -> Any:
        assert isinstance(x, torch.Tensor)
        assert isinstance(labels, torch.Tensor)
        self.kept = x, w
        return x @ w, {"sum": x.sum(), "labels": labels}

    def backward(self, upstream: Any) -> Any:
        x, w = self.kept
        u, rest = upstream
        assert isinstance(u, torch.Tensor)
        return u @ w.T + rest["sum"], self.factor * x.T @ u, None


def test_a_backward_by_hand_in_tensors() -> None:
    inputs = torch.from_numpy(normal(4, 3)), torch.from_numpy(normal(3, 2)), torch.arange(3)
    layer = ByHand()
    target = adapt(layer, inputs, {})
    assert [a.name for a in target.arguments] == ["x", "w"]
    assert target.passed_through == (("labels", "int64 array, not differentiated"),)
    assert wrong(layer, *inputs) == []
    layer.factor = 1.1
    assert wrong(layer, *inputs) == ["w"]
    z = torch.from_numpy(normal(3) + 1j * normal(3, seed=1))
    assert wrong((lambda z: (z * 2j, None), lambda u, _: u * -2j), z) == []
    target = adapt(layer, (inputs[0].bfloat16(), inputs[1].bfloat16(), inputs[2]), {})
    assert target.forward([a.value for a in target.arguments])[0].dtype == np.float32
