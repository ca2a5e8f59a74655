"""numpy-ml: every layer, activation and loss, and beyond these its modules and its dropout wrapper.

The package teaches: it is written to be read, in plain numpy, with a backward by hand for everything. Its version
0.1.2 takes four names from `collections` that Python 3.10 removed there; they are put back here before it is imported.
"""

from __future__ import annotations

import collections
import collections.abc
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.real_packages import numpy_ml_modules as composed
from benchmarks.real_packages.base import Check, Inputs, Package, Rng, normal
from benchmarks.real_packages.numpy_ml_causes import CAUSES, PLAIN
from pytest_gradcheck import declare

HOME = "numpy_ml.neural_nets"
#: Where to look for what, and the base class that everything of a group has.
GROUPS = {
    "layer": ("layers.layers", "LayerBase"),
    "activation": ("activations.activations", "ActivationBase"),
    "loss": ("losses.losses", "ObjectiveBase"),
    "module": ("modules.modules", "ModuleBase"),
    "wrapper": ("wrappers.wrappers", "WrapperBase"),
}


def part(group: str) -> Any:
    """The module of the package that holds a group."""
    for name in ("Hashable", "Mapping", "Iterable", "Callable"):
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of gym, which its reinforcement learning would like to have
        return import_module(f"{HOME}.{GROUPS[group][0]}")


def found() -> list[tuple[str, str]]:
    """Every class of each group but its abstract base."""
    return [(kind.__name__, group) for group in GROUPS for kind in kinds(group)]


def kinds(group: str) -> list[type]:
    home = part(group)
    base = getattr(home, GROUPS[group][1])
    classes = [thing for thing in vars(home).values() if isinstance(thing, type) and issubclass(thing, base)]
    return [kind for kind in classes if kind is not base and kind.__module__ == home.__name__]


def layer(name: str, inputs: Inputs, variant: str = "", restart: bool = False, **options: Any) -> Check:
    """A check of one layer, made with these options; `restart` for those that cannot be called a second time."""

    def make() -> Any:
        made = getattr(part("layer"), name)(**options)
        return declare.module(made, restart=True) if restart else made

    return Check(name, make, inputs, variant, theirs=CAUSES.get((name, variant), ""))


def by_hand(name: str, make: Callable[[], Any], inputs: Inputs, variant: str = "") -> Check:
    """A check of something that is made here."""
    return Check(name, make, inputs, variant, theirs=CAUSES.get((name, variant), ""))


def integers(high: int, *shape: int) -> Inputs:
    return lambda rng: (rng.integers(0, high, shape),)


def listed(*shapes: tuple[int, ...]) -> Inputs:
    return lambda rng: ([rng.standard_normal(shape) for shape in shapes],)


def repeated_words(rng: Rng) -> tuple[Any, ...]:
    return (np.array([[0, 3, 3, 1], [5, 2, 5, 5]]),)


IMAGE = normal((2, 6, 5, 3))
SERIES = normal((2, 7, 3))
QUERIES = normal((2, 3, 4), (2, 5, 4), (2, 5, 3))


def layers() -> list[Check]:
    """Each layer in the ways its documentation offers; what fails alone stands in a variant of its own."""
    three = listed((4, 3), (4, 3), (4, 3))
    return [
        layer("DotProductAttention", QUERIES, PLAIN, restart=True),
        layer("DotProductAttention", QUERIES, "no scale", restart=True, scale=False),
        layer("DotProductAttention", QUERIES, "used twice"),
        layer("DotProductAttention", QUERIES, "dropout", restart=True, dropout_p=0.5),
        layer("Add", three, act_fn="Tanh"),
        layer("Multiply", three, act_fn="Sigmoid"),
        layer("Flatten", normal((3, 2, 4)), "first"),
        layer("Flatten", normal((3, 2, 4)), "last", keep_dim="last"),
        layer("BatchNorm2D", normal((4, 3, 2, 3))),
        layer("BatchNorm1D", normal((6, 4))),
        layer("LayerNorm2D", normal((3, 4, 2, 3))),
        layer("LayerNorm1D", normal((4, 6))),
        layer("Embedding", integers(7, 3, 4), n_out=3, vocab_size=7),
        *(layer("Embedding", distinct_words, f"pool {p}", n_out=3, vocab_size=7, pool=p) for p in ("sum", "mean")),
        *(
            layer("Embedding", repeated_words, f"pool {p}, repeated word", n_out=3, vocab_size=7, pool=p)
            for p in ("sum", "mean")
        ),
        *(layer("FullyConnected", normal((5, 4)), act, n_out=3, act_fn=act) for act in ACTIVATED),
        layer("Softmax", normal((4, 5)), "2-D"),
        layer("Softmax", normal((2, 3, 4)), "3-D"),
        layer("Softmax", normal((2, 2, 3, 4)), "4-D"),
        layer("Softmax", normal((4, 5)), "dim 0", dim=0),
        layer("SparseEvolution", normal((5, 6)), "as released", n_out=4, act_fn="Tanh", epsilon=1),
        by_hand("SparseEvolution", sparse, normal((5, 6)), "mask made by hand"),
        *convolutions(),
        *recurrent(),
    ]  # fmt: skip


def sparse() -> Any:
    """The layer with the parameters that its own initialisation fails to draw."""
    made, rng = part("layer").SparseEvolution(n_out=4, act_fn="Tanh", epsilon=1), np.random.default_rng(4)
    W, b = rng.standard_normal((6, 4)), rng.standard_normal((1, 4))
    made.parameters = {"W": W, "b": b, "W_mask": rng.integers(0, 2, W.shape)}
    made.gradients = {"W": np.zeros_like(W), "b": np.zeros_like(b)}
    made.derived_variables, made.is_initialized = {"Z": []}, True
    return made


ACTIVATED = ("Affine(slope=2, intercept=1)", "ReLU", "Tanh", "Sigmoid", "Leaky ReLU(alpha=0.1)")


def distinct_words(rng: Rng) -> tuple[Any, ...]:
    return (np.array([[0, 3, 6, 1], [5, 2, 3, 4]]),)


def convolutions() -> list[Check]:
    one: dict[str, Any] = {"out_ch": 2, "kernel_width": 3, "act_fn": "Tanh"}
    two: dict[str, Any] = {"out_ch": 2, "kernel_shape": (3, 2), "act_fn": "Tanh"}
    window: dict[str, Any] = {"kernel_shape": (2, 2)}
    return [
        layer("Conv1D", SERIES, PLAIN, **one),
        layer("Conv1D", SERIES, "same", pad="same", **one),
        layer("Conv1D", SERIES, "causal", pad="causal", **one),
        layer("Conv1D", SERIES, "stride 2", stride=2, **one),
        layer("Conv1D", SERIES, "dilation 1", dilation=1, **one),
        layer("Conv2D", IMAGE, PLAIN, **two),
        layer("Conv2D", IMAGE, "same", pad="same", **two),
        layer("Conv2D", IMAGE, "pad 1", pad=1, **two),
        layer("Conv2D", normal((2, 7, 6, 3)), "stride 2", stride=2, **two),
        layer("Conv2D", IMAGE, "stride 2, a row left over", stride=2, **two),
        layer("Conv2D", IMAGE, "dilation 1", dilation=1, **two),
        layer("Pool2D", IMAGE, "max", **window),
        layer("Pool2D", IMAGE, "max, stride 2", stride=2, **window),
        layer("Pool2D", IMAGE, "max, pad 1", pad=1, **window),
        layer("Pool2D", IMAGE, "average", mode="average", **window),
        layer("Pool2D", IMAGE, "average, pad 1", mode="average", pad=1, **window),
        layer("Deconv2D", normal((2, 4, 3, 3)), PLAIN, **two),
        layer("Deconv2D", normal((2, 4, 3, 3)), "stride 2", stride=2, **two),
        layer("Deconv2D", normal((2, 4, 3, 3)), "pad 1", pad=1, **two),
    ]


def recurrent() -> list[Check]:
    steps = normal((2, 3, 4))
    return [
        layer("RNNCell", normal((3, 4)), "one step", restart=True, n_out=2),
        by_hand("RNNCell", lambda: declare.module(unrolled("RNNCell"), restart=True), steps, "four steps"),
        layer("RNNCell", normal((3, 4)), "after flush_gradients", n_out=2),
        by_hand("LSTMCell", lambda: declare.module(unrolled("LSTMCell"), restart=True), normal((2, 3, 1)), "one step"),
        by_hand("LSTMCell", lambda: declare.module(unrolled("LSTMCell"), restart=True), steps, "four steps"),
        by_hand("LSTMCell", lambda: unrolled("LSTMCell"), steps, "after flush_gradients"),
        layer("RNN", steps, "as released", n_out=2),
        layer("LSTM", steps, "as released", n_out=2),
        by_hand("RNN", lambda: declare.module(with_cell("RNN"), restart=True), steps, "cell made by hand"),
        by_hand("LSTM", lambda: declare.module(with_cell("LSTM"), restart=True), steps, "cell made by hand"),
    ]


class Unrolled:
    """A cell of the package run over the last axis of its input, as its own RNN class would."""

    def __init__(self, cell: Any) -> None:
        self.cell = cell

    def forward(self, X: Any) -> Any:
        outputs = [self.cell.forward(X[:, :, t]) for t in range(X.shape[2])]
        return np.dstack([y[0] if isinstance(y, tuple) else y for y in outputs])

    def backward(self, upstream: Any) -> Any:
        steps = reversed(range(upstream.shape[2]))
        return np.dstack([self.cell.backward(upstream[:, :, t]) for t in steps][::-1])

    def flush_gradients(self) -> None:
        self.cell.flush_gradients()


def unrolled(name: str) -> Unrolled:
    """A cell with its parameters drawn, unrolled."""
    return Unrolled(started_cell(name))


def started_cell(name: str) -> Any:
    cell = getattr(part("layer"), name)(n_out=2)
    cell.n_in = 3
    cell._init_params()
    return cell


def with_cell(name: str) -> Any:
    """An RNN or LSTM of the package around a cell that its own constructor fails to make."""
    kind = getattr(part("layer"), name)
    made = kind.__new__(kind)
    made.cell, made.is_initialized = started_cell(f"{name}Cell"), True
    return made


def activations() -> list[Check]:
    """Each activation with its `grad`, and its `grad` with its `grad2`."""
    points: dict[str, Inputs] = {"HardSigmoid": normal((4, 5), scale=2.0)}
    checks = []
    for kind in kinds("activation"):
        inputs = points.get(kind.__name__, normal((4, 5)))
        for variant, f, derivative in (("grad", "fn", "grad"), ("grad2", "grad", "grad2")):
            make = elementwise(kind, f, derivative)
            checks.append(Check(kind.__name__, make, inputs, variant, theirs=CAUSES.get((kind.__name__, variant), "")))
    return checks


def elementwise(kind: type, f: str, derivative: str) -> Callable[[], Any]:
    def make() -> Any:
        act = kind()

        def floats(x: Any) -> Any:
            # The first derivative of a ReLU is an array of integers.
            return np.asarray(getattr(act, f)(x), float)

        return declare.elementwise(floats, getattr(act, derivative))

    return make


def scalar(loss: Callable[..., Any], grad: Callable[..., Sequence[Any]]) -> Any:
    """A loss and its gradient as a layer with a number for its output."""

    def forward(*inputs: Any) -> Any:
        return np.asarray(loss(*inputs)), inputs

    def backward(upstream: Any, inputs: Any) -> Any:
        return tuple(upstream * g for g in grad(*inputs))

    return declare.functions(forward, backward)


def losses() -> list[Check]:
    """Each loss with respect to what its `grad` says it is the gradient of."""
    return [
        Check("SquaredError", squared_error, normal((3, 4))),
        Check("CrossEntropy", cross_entropy, normal((3, 4))),
        Check("VAELoss", vae_loss, lambda rng: (rng.uniform(0.1, 0.9, (3, 4)), *normal((3, 2), (3, 2))(rng))),
        wgan("critic", normal((4,), (4,), (4, 3))),
        wgan("generator", normal((4,))),
        wgan("critic, more fake than real", normal((5,), (3,), (4, 3))),
        by_hand("NCELoss", lambda: nce([1, 4, 4]), NCE, "no target among the noise"),
        by_hand("NCELoss", lambda: nce([1, 0, 4]), NCE, "a target among the noise"),
    ]


NCE = normal((3, 1, 4), (6, 4), (1, 6))


def squared_error() -> Any:
    tanh, loss = part("activation").Tanh(), part("loss").SquaredError()
    y = np.random.default_rng(3).standard_normal((3, 4))
    return scalar(lambda z: loss.loss(y, tanh(z)), lambda z: (loss.grad(y, tanh(z), z, tanh),))


def cross_entropy() -> Any:
    loss, y = part("loss").CrossEntropy(), np.eye(4)[[2, 0, 3]]
    return scalar(lambda z: loss.loss(y, softmax(z)), lambda z: (loss.grad(y, softmax(z)),))


def softmax(z: Any) -> Any:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def vae_loss() -> Any:
    loss, y = part("loss").VAELoss(), np.random.default_rng(3).integers(0, 2, (3, 4)).astype(float)

    def grad(*inputs: Any) -> Any:
        # Documented in this order: of y_pred, of the logarithm of the variance, of the mean.
        prediction, log_variance, mean = loss.grad(y, *inputs)
        return prediction, mean, log_variance

    return scalar(lambda *inputs: loss.loss(y, *inputs), grad)


def wgan(variant: str, inputs: Inputs) -> Check:
    def make() -> Any:
        loss = part("loss").WGAN_GPLoss()
        if variant == "generator":
            return scalar(lambda fake: loss.loss(fake, "G"), lambda fake: (loss.grad(fake, "G"),))
        return scalar(
            lambda fake, real, slope: loss.loss(fake, "C", real, slope),
            lambda fake, real, slope: loss.grad(fake, "C", real, slope),
        )

    return Check("WGAN_GPLoss", make, inputs, variant, theirs=CAUSES.get(("WGAN_GPLoss", variant), ""))


class Noise:
    """A noise distribution with the one attribute that the loss reads where the samples are given."""

    probs = np.array([0.1, 0.2, 0.3, 0.1, 0.2, 0.1])


def nce(samples: Sequence[int]) -> Any:
    target = np.array([0, 2, 2])

    def forward(X: Any, W: Any, b: Any) -> Any:
        loss = part("loss").NCELoss(6, Noise(), len(samples))
        loss.n_in = X.shape[-1]
        loss._init_params()
        loss.parameters = {"W": W, "b": b}
        return np.asarray(loss.loss(X, target, np.array(samples))[0]), loss

    def backward(upstream: Any, loss: Any) -> Any:
        loss.gradients = {key: np.zeros_like(value) for key, value in loss.parameters.items()}
        dX = loss.grad(update_params=False)
        return upstream * dX, upstream * loss.gradients["W"], upstream * loss.gradients["b"]

    return declare.functions(forward, backward)


def checks() -> list[Check]:
    """All of them, in the order of the groups."""
    return [*layers(), *activations(), *losses(), *composed.modules(part), *composed.wrappers(part)]


PACKAGE = Package(
    title="numpy-ml",
    distribution="numpy-ml",
    found=found,
    checks=checks,
    unchecked={
        "RBM": "contrastive divergence: its backward takes no upstream and is not the derivative of its forward, "
        "which returns nothing",
    },
)
