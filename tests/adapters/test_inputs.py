"""What is differentiated and what is not, names and wrt, and one sentence for each unusable input."""

from __future__ import annotations

import subprocess
import sys
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

from pytest_gradcheck import check, declare
from pytest_gradcheck.adapters import adapt
from pytest_gradcheck.errors import InvalidInput, LayerError, MissingExtra, UnknownLayer
from tests.adapters.differences import normal, wrong


class Product:
    """x times the sum of all else that is a number."""

    def forward(self, x: Any, y: Any = 1.0, *rest: Any) -> Any:
        self.x, self.y = x, y
        return x * y

    def backward(self, upstream: Any) -> Any:
        return upstream * self.y, (upstream * self.x).sum() if np.ndim(self.y) == 0 else upstream * self.x


class Free:
    def forward(self, *given: Any) -> Any:
        self.given = given
        return given[0] * 2.0

    def backward(self, upstream: Any) -> Any:
        return 2.0 * upstream


def test_numbers_and_lists_are_arrays() -> None:
    target = adapt(Product(), ([1.0, 2.0], 3.0), {})
    assert [(a.name, a.value.shape, str(a.value.dtype)) for a in target.arguments] == [
        ("x", (2,), "float64"),
        ("y", (), "float64"),
    ]
    assert wrong(Product(), [1.0, 2.0], 3.0) == []
    assert wrong(Product(), [[1.0, 2.0]], np.float64(3.0)) == []


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (np.arange(3), "int64 array, not differentiated"),
        (np.array([True, False]), "bool array, not differentiated"),
        (np.array(["a"]), "<U1 array, not differentiated"),
        ([1, 2], "int64 array, not differentiated"),
        (3, "int, not differentiated"),
        ("mean", "str, not differentiated"),
        (None, "None, not differentiated"),
        (np.sin, "ufunc, not an array"),
    ],
)
def test_what_is_no_float_is_passed_through_with_the_reason(given: Any, reason: str) -> None:
    target = adapt(Free(), (normal(3), given), {})
    assert target.passed_through == (("input1", reason),)
    assert wrong(Free(), normal(3), given) == []
    with pytest.raises(InvalidInput) as it:
        adapt(Free(), (normal(3), given), {}, "input1")
    assert str(it.value) == f"wrt asks for 'input1' ({reason}): cast input1 to float or leave it out of wrt"


def test_constants_reach_the_layer_as_they_are_but_not_the_callers_own_arrays() -> None:
    layer, labels = Free(), np.arange(3)
    adapt(layer, (normal(3), labels, (3, 3), "same"), {}).forward([normal(3)])
    assert layer.given[2:] == ((3, 3), "same")
    assert np.array_equal(layer.given[1], labels)
    assert layer.given[1] is not labels


def test_the_layer_gets_the_very_arrays_of_the_check() -> None:
    layer, values = Product(), [normal(3), normal(3)]
    adapt(layer, (normal(3), normal(3)), {}).forward(values)
    assert layer.x is values[0]


Pair = namedtuple("Pair", "h c")


def test_nested_inputs_are_named_and_rebuilt() -> None:
    class Nested:
        def forward(self, state: Any, table: Any) -> Any:
            assert isinstance(state, Pair)
            self.state, self.table = state, table
            return state.h * table["a"][1] + state.c[0]

        def backward(self, upstream: Any) -> Any:
            dh = upstream * self.table["a"][1]
            return Pair(dh, [upstream]), {"a": (None, upstream * self.state.h)}

    state, table = Pair(normal(2), [normal(2, seed=1)]), {"a": (1, normal(2, seed=2))}
    target = adapt(Nested(), (state, table), {})
    assert [a.name for a in target.arguments] == ["state.h", "state.c[0]", "table['a'][1]"]
    assert target.passed_through == (("table['a'][0]", "int, not differentiated"),)
    assert wrong(Nested(), state, table) == []
    for wanted, names in (("state", 2), ("state.c[0]", 1), (1, 1), (["table", 0], 3)):
        assert len(adapt(Nested(), (state, table), {}, wanted).arguments) == names  # type: ignore[arg-type] # a tree of arrays
        assert wrong(Nested(), state, table, wrt=wanted) == []


def test_complex_numbers_are_shown_as_real_ones() -> None:
    class Turn:
        factor = 2j

        def forward(self, z: Any) -> Any:
            return z * 2j

        def backward(self, upstream: Any) -> Any:
            return upstream * np.conj(self.factor)

    z = normal(3) + 1j * normal(3, seed=1)
    (argument,) = adapt(Turn(), (z,), {}).arguments
    assert argument.value.shape == (3, 2)
    assert np.array_equal(argument.value[:, 1], z.imag)
    assert wrong(Turn(), z) == []
    assert wrong(Turn(), z.astype(np.complex64), close=1e-5) == []
    Turn.factor = -2j
    assert wrong(Turn(), z) == ["z"]


def test_a_report_says_how_complex_numbers_are_shown() -> None:
    def backward(upstream: Any, z: Any) -> Any:
        return upstream * 2 * z

    z = normal(3) + 1j * normal(3, seed=1)
    report = check((lambda z: (np.abs(z) ** 2, z), backward), z)
    assert report.passed
    assert report.notes[0].startswith("complex, shown as (real, imaginary): z; the gradient is dL/dRe + i dL/dIm")
    assert not any("complex" in note for note in check((lambda z: (z**2, z), backward), z.real).notes)


class Metres(np.ndarray[Any, Any]):
    """A subclass that carries something besides its numbers."""

    unit = ""

    def __array_finalize__(self, source: Any) -> None:
        self.unit = getattr(source, "unit", "")


class Travel:
    """Takes arrays of a subclass, and looks at what they carry."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def forward(self, x: Any) -> Any:
        assert x.unit == "m"
        self.y = np.tanh(np.asarray(x))
        return self.y

    def backward(self, upstream: Any) -> Any:
        return self.factor * upstream * (1 - self.y**2)


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_an_array_of_a_subclass_reaches_the_layer_as_one(dtype: str) -> None:
    x = normal(3).astype(dtype).view(Metres)
    x.unit = "m"
    assert check(Travel(), x).passed
    assert check(Travel(1.01), x).verdict == "fail"
    assert type(adapt(Travel(), (x,), {}).arguments[0].value) is np.ndarray


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_matrix_is_multiplied_as_its_author_does() -> None:
    class Times:
        factor = 1.0

        def forward(self, x: Any, W: Any) -> Any:
            self.x, self.W = x, W
            return x * W

        def backward(self, upstream: Any) -> Any:
            return self.factor * upstream * self.W.T, self.x.T * upstream

    x, W = np.matrix(normal(2, 3)), np.matrix(normal(3, 4, seed=1))
    assert check(Times(), x, W).passed
    Times.factor = 1.01
    assert check(Times(), x, W).findings[0].argument == "x"


def test_hidden_entries_are_refused_and_a_mask_that_hides_none_is_no_matter() -> None:
    x = np.ma.masked_greater(np.array([0.5, 9.0]), 1.0)
    with pytest.raises(InvalidInput) as it:
        check(Travel(), x)
    assert str(it.value) == (
        "x of Travel is a masked array, of which some entries are hidden: give x.filled() or x.compressed()"
    )
    square = (lambda x: (x**2, x), lambda upstream, x: upstream * 2 * x)
    assert check(square, np.ma.array([0.5, 9.0])).passed
    masked = (lambda x: (np.ma.masked_greater(x, 1.0), x), lambda upstream, x: upstream)
    with pytest.raises(LayerError, match=r"returned a masked array: return its data, filled or compressed$"):
        check(masked, np.array([0.5, 9.0]))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            [[1.0, 2.0], [3.0]],
            "no argument of Free is a float array (input0: list with rows of unequal lengths, not an array): "
            "give input0 as an array of floats",
        ),
        ([], "no argument of Free holds an array (input0): give arrays of floats"),
        ({}, "no argument of Free holds an array (input0): give arrays of floats"),
        (
            range(3),
            "no argument of Free is a float array (input0: range, not an array): give input0 as an array of floats",
        ),
        (
            np.array([1.0, 2.0], dtype=object),
            "no argument of Free is a float array (input0: object array, not differentiated): cast input0 to float",
        ),
    ],
    ids=["ragged", "empty list", "empty dict", "range", "objects"],
)
def test_what_holds_no_floats_is_told_with_the_way_out(given: Any, sentence: str) -> None:
    with pytest.raises(InvalidInput) as it:
        check(Free(), given)
    assert str(it.value) == sentence


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16])
def test_a_list_of_numpys_numbers_is_an_array(kind: Any) -> None:
    x = adapt(Product(), ([kind(1.0), kind(2.0)], 3.0), {}).arguments[0]
    assert (x.name, x.value.shape, x.value.dtype) == ("x", (2,), np.dtype(kind))


def test_a_real_gradient_of_a_complex_argument_lacks_its_imaginary_part() -> None:
    def backward(upstream: Any, z: Any) -> Any:
        return (upstream * 2 * z).real

    z = normal(3) + 1j * normal(3, seed=1)
    target = adapt((lambda z: (np.abs(z) ** 2, z), backward), (z,), {})
    (y,) = target.forward([a.value for a in target.arguments])
    (gradient,) = target.backward([np.ones_like(y)])
    assert np.array_equal(gradient, np.stack([2 * z.real, np.zeros(3)], -1))
    assert wrong((lambda z: (np.abs(z) ** 2, z), backward), z) == ["z"]


def test_labels_alone_have_no_gradient() -> None:
    with pytest.raises(InvalidInput) as it:
        adapt(Product(), (np.arange(3), 2), {})
    assert str(it.value) == (
        "no argument of Product is a float array (x: int64 array, not differentiated): cast x to float"
    )


@pytest.mark.parametrize(
    ("inputs", "wrt", "message"),
    [
        ((np.array([[1.0, np.inf]]),), None, "x[0, 1] of Product is inf: give finite values to differentiate at"),
        ((1.0, np.nan), None, "y of Product is nan: give finite values to differentiate at"),
        ((), None, "Product has no inputs and no parameters: give the inputs after the layer"),
        ((1.0, 2.0), "W", "wrt names 'W': Product has the arguments 'x', 'y'"),
        ((1.0, 2.0), 2, "wrt is 2: Product has the arguments 'x', 'y', counted from 0"),
        ((1.0, 2.0), [], "wrt is empty: name at least one argument of Product, 'x', 'y'"),
    ],
)
def test_unusable_inputs(inputs: Any, wrt: Any, message: str) -> None:
    with pytest.raises(InvalidInput) as it:
        adapt(Product(), inputs, {}, wrt)
    assert str(it.value) == message


def test_an_infinite_mask_is_no_matter_where_it_is_not_differentiated() -> None:
    mask = np.array([0.0, -np.inf])
    target = adapt(Product(), (normal(2), mask), {}, "x")
    assert target.passed_through == (("y", "left out by wrt"),)


class Half:
    def forward(self, x: Any) -> Any:
        return x


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Half(), "an object with forward and backward (has forward, no backward)"),
        (Half, "an object with forward and backward (Half is a class: give an instance, Half())"),
        (3, "an object with forward and backward (no forward, no backward)"),
        ((np.sin, 3), "a pair of functions (its backward is a int, not a function)"),
        ((np.sin,), "a pair of functions (a tuple of 1, not (forward, backward))"),
        (np.sin, "a pullback (calling it returned ndarray, not (output, pullback))"),
        (lambda x: x[7], "a pullback (calling it raised IndexError (index 7 is out of bounds for axis 0 with size 3))"),
    ],
)
def test_an_unknown_layer_hears_what_was_tried_and_what_is_missing(layer: Any, words: str) -> None:
    with pytest.raises(UnknownLayer) as it:
        adapt(layer, (normal(3),), {})
    assert words in str(it.value)
    assert str(it.value).endswith(": declare it with pytest_gradcheck.declare")


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "forward of Returns returned None: return float arrays"),
        ("y", "forward of Returns returned str: return float arrays"),
        ((1.0, None), "forward of Returns returned None at [1]: return float arrays"),
        (np.arange(3), "forward of Returns returned int64, not a float array: it has no gradient"),
        ((), "forward of Returns returned nothing, not a float array: it has no gradient"),
    ],
)
def test_an_output_that_has_no_gradient(returned: Any, message: str) -> None:
    class Returns(Half):
        def forward(self, x: Any) -> Any:
            return returned

        def backward(self, upstream: Any) -> Any:
            return upstream

    with pytest.raises(LayerError) as it:
        adapt(Returns(), (normal(3),), {}).forward([normal(3)])
    assert str(it.value) == message


@pytest.mark.parametrize(
    ("returned", "found"),
    [
        (None, [None, None]),
        (1.0, [1.0]),
        ((1.0, 2.0, 3.0), [1.0, 2.0, 3.0]),
        ([None, "dy"], [None, "dy"]),
        ({"dx": 1.0}, [1.0, None]),
    ],
)
def test_what_backward_returns_reaches_the_contract_as_it_is(returned: Any, found: list[Any]) -> None:
    class Odd(Product):
        def backward(self, upstream: Any) -> Any:
            return returned

    target = adapt(Odd(), (1.0, 2.0), {})
    target.forward([np.array(1.0), np.array(2.0)])
    assert list(target.backward([np.array(1.0)])) == found


def test_gradients_under_foreign_names() -> None:
    class Odd(Product):
        def backward(self, upstream: Any) -> Any:
            return {"alpha": 1.0}

    target = adapt(Odd(), (1.0, 2.0), {})
    target.forward([np.array(1.0), np.array(2.0)])
    with pytest.raises(
        LayerError, match=r"^backward of Odd returned gradients named \['alpha'\]: name them as the arg"
    ):
        target.backward([np.array(1.0)])


@pytest.mark.parametrize("framework", ["torch", "jax", "autograd"])
def test_without_the_framework_its_extra_is_named(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, framework, None)
    layer = getattr(declare, framework)(lambda x: x)
    with pytest.raises(MissingExtra) as it:
        layer.target((normal(3),), {})
    assert str(it.value) == f"{framework} is not installed: pip install 'pytest-gradcheck[{framework}]'"


def test_recognition_imports_no_framework() -> None:
    code = (
        "import sys, numpy as np\n"
        "from pytest_gradcheck.adapters import adapt\n"
        "from tests.adapters.test_functions import Affine, AFFINE, affine_forward, affine_backward\n"
        "adapt(Affine(), AFFINE, {})\n"
        "adapt((affine_forward, affine_backward), AFFINE, {})\n"
        "found = {'torch', 'jax', 'autograd', 'pytensor', 'scipy', 'pytest_gradcheck.engine'} & set(sys.modules)\n"
        "print(sorted(found))\n"
    )
    for line, expected in (("", "[]"), ("import autograd\n", "['autograd'")):
        if line:
            pytest.importorskip("autograd", reason="needs a framework to see that it would be found")
        run = subprocess.run([sys.executable, "-c", line + code], capture_output=True, text=True, check=True)
        assert run.stdout.strip().startswith(expected)


class Nested:
    """The product of what one nested input holds; its gradient is nested as the input, unless `named` names it."""

    def __init__(self, named: Any = lambda name, gradient: gradient, factor: float = 1.0) -> None:
        self.named, self.factor = named, factor

    def forward(self, state: Any) -> Any:
        self.state = state
        a, b = state.values() if isinstance(state, dict) else state
        return a * b

    def backward(self, upstream: Any) -> Any:
        keyed = isinstance(self.state, dict)
        a, b = self.state.values() if keyed else self.state
        gradients = [upstream * b, self.factor * upstream * a if b.dtype.kind == "f" else None]
        return self.named("state", dict(zip(self.state, gradients, strict=True)) if keyed else gradients)


AS_IT_IS, BY_NAME, BY_D_NAME = (
    lambda name, gradient: gradient,
    lambda name, gradient: {name: gradient},
    lambda name, gradient: {f"d{name}": gradient},
)


@pytest.mark.parametrize("named", [AS_IT_IS, BY_NAME, BY_D_NAME], ids=["as it is", "by name", "by d name"])
@pytest.mark.parametrize(
    ("state", "last"),
    [
        ({"a": normal(3), "b": normal(3, seed=1)}, "state['b']"),
        # A key that is the argument's own name, and one that might be its gradient's.
        ({"dstate": normal(3), "state": normal(3, seed=1)}, "state['state']"),
        ((normal(3), normal(3, seed=1)), "state[1]"),
        ([normal(3), normal(3, seed=1)], "state[1]"),
        ([normal(3), np.array([1, 0, 1])], None),
        ({"a": normal(3), "mask": np.array([1, 0, 1])}, None),
    ],
)
def test_the_gradient_of_one_nested_input_is_nested_likewise(state: Any, last: str | None, named: Any) -> None:
    assert wrong(Nested(named), state) == []
    assert wrong(Nested(named, 1.1), state) == ([last] if last else [])


def test_nested_and_plain_inputs_in_one_dict_of_gradients() -> None:
    class Gated:
        factor = 1.0

        def forward(self, p: Any, x: Any) -> Any:
            self.p, self.x = p, x
            return np.tanh(x @ p["enc"]["W"]) * p["gain"][0]

        def backward(self, upstream: Any) -> Any:
            W, gain = self.p["enc"]["W"], self.p["gain"][0]
            y = np.tanh(self.x @ W)
            inner = upstream * gain * (1 - y**2)
            return {
                "p": {"enc": {"W": self.factor * self.x.T @ inner}, "gain": [(upstream * y).sum(0)]},
                "x": inner @ W.T,
            }

    inputs = {"enc": {"W": normal(3, 2)}, "gain": [normal(2)]}, normal(4, 3)
    assert wrong(Gated(), *inputs) == []
    assert wrong(type("Twin", (Gated,), {"factor": 1.01})(), *inputs) == ["p['enc']['W']"]
