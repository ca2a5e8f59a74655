"""Every function of torch.nn.functional, at inputs of the shapes that its documentation names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.real_packages.base import Check, Inputs, Package, Reasoned, Rng, normal, uniform

#: What stands in the same namespace and is no function of tensors.
HELPERS = (
    "Optional", "assert_int_or_pair", "boolean_dispatch", "handle_torch_function", "has_torch_function",
    "has_torch_function_unary", "has_torch_function_variadic",
)  # fmt: skip


def functional() -> Any:
    """The namespace; ImportError without torch."""
    import torch.nn.functional as functions

    return functions


def found() -> list[tuple[str, str]]:
    """Every public function."""
    names = [name for name in dir(functional()) if not name.startswith("_") and name not in HELPERS]
    things = [(name, getattr(functional(), name)) for name in names]
    return [(name, "function") for name, thing in things if callable(thing) and not isinstance(thing, type)]


def f(
    name: str,
    inputs: Inputs,
    variant: str = "",
    settings: Mapping[str, Reasoned] | None = None,
    theirs: str = "",
    **kwargs: Any,
) -> Check:
    """A check of one function, with keyword arguments as it takes them."""
    return Check(name, lambda: getattr(functional(), name), inputs, variant, kwargs, settings or {}, theirs)


MATRIX = normal((3, 4))
SERIES = normal((2, 3, 8))
IMAGE = normal((2, 3, 6, 5))
VOLUME = normal((2, 2, 4, 4, 3))


def with_(inputs: Inputs, *more: Callable[[Rng], Any]) -> Inputs:
    """Further arguments, such as labels, behind the arrays."""
    return lambda rng: (*inputs(rng), *(draw(rng) for draw in more))


def whole(high: int, *shape: int, low: int = 0) -> Callable[[Rng], Any]:
    """Labels from `low` to `high` - 1."""
    return lambda rng: rng.integers(low, high, shape)


def signs(*shape: int, dtype: type = np.int64) -> Callable[[Rng], Any]:
    """Labels of -1 and 1."""
    return lambda rng: (2 * rng.integers(0, 2, shape) - 1).astype(dtype)


def chances(*shape: int) -> Callable[[Rng], Any]:
    """Probabilities that sum to one along the last axis."""
    return lambda rng: rng.dirichlet(np.ones(shape[-1]), shape[:-1])


def numbers(*shape: int) -> Callable[[Rng], Any]:
    """A normal array."""
    return lambda rng: rng.standard_normal(shape)


def activations() -> list[Check]:
    smooth = ("gelu", "logsigmoid", "mish", "sigmoid", "silu", "softplus", "softsign", "tanh", "tanhshrink")
    kinked = (
        "celu", "elu", "hardshrink", "hardswish", "hardtanh", "leaky_relu", "relu", "relu6", "selu",
        "softshrink", "rrelu",
    )  # fmt: skip
    inplace = ("celu_", "elu_", "hardtanh_", "leaky_relu_", "relu_", "rrelu_", "selu_")
    wide = normal((4, 5), scale=2.0)
    return [
        *(f(name, wide) for name in (*smooth, *kinked, *inplace)),
        f("hardsigmoid", wide, theirs=SIXTH),
        f("gelu", wide, "tanh", approximate="tanh"),
        f("rrelu", wide, "training", training=True),
        f("threshold", with_(wide, lambda rng: 0.1, lambda rng: 3.0)),
        f("threshold_", with_(wide, lambda rng: 0.1, lambda rng: 3.0)),
        f("prelu", normal((2, 3, 4), (3,))),
        f("glu", MATRIX),
        *(f(name, MATRIX, dim=1) for name in ("softmax", "softmin", "log_softmax")),
        f("gumbel_softmax", MATRIX, tau=0.7),
    ]


def linear() -> list[Check]:
    labels = with_(normal((5, 3)), whole(5, 2, 4))
    return [
        f("linear", normal((5, 3), (4, 3), (4,))),
        f("bilinear", normal((5, 3), (5, 2), (4, 3, 2), (4,))),
        f("conv1d", normal((2, 4, 8), (6, 2, 3), (6,)), groups=2, padding=1),
        f("conv2d", normal((2, 3, 6, 5), (4, 3, 3, 2), (4,)), stride=2, padding=1),
        f("conv3d", normal((1, 2, 4, 4, 3), (2, 2, 2, 2, 2), (2,)), dilation=2),
        f("conv_transpose1d", normal((2, 3, 5), (3, 4, 3), (4,)), stride=2),
        f("conv_transpose2d", normal((2, 3, 4, 3), (3, 2, 3, 2), (2,)), stride=2, output_padding=1),
        f("conv_transpose3d", normal((1, 2, 3, 2, 2), (2, 2, 2, 2, 2), (2,))),
        f("conv_tbc", normal((5, 2, 3), (3, 3, 4), (4,))),
        f("embedding", lambda rng: (rng.integers(0, 7, (3, 4)), rng.standard_normal((7, 3)))),
        *(
            f("embedding_bag", lambda rng: (rng.integers(0, 7, (3, 4)), rng.standard_normal((7, 3))), mode, mode=mode)
            for mode in ("sum", "mean", "max")
        ),
        f("scaled_dot_product_attention", normal((2, 2, 4, 3), (2, 2, 5, 3), (2, 2, 5, 3))),
        f("scaled_dot_product_attention", normal((2, 2, 4, 3), (2, 2, 4, 3), (2, 2, 4, 3)), "causal", is_causal=True),
        Check("multi_head_attention_forward", attention, normal((3, 2, 4), (5, 2, 4), (12, 4), (12,), (4, 4), (4,))),
        Check("linear_cross_entropy", lambda: functional().linear_cross_entropy, lambda rng: (
            rng.standard_normal((4, 3)), rng.standard_normal((5, 3)), labels(rng)[1][0])),
    ]  # fmt: skip


def attention() -> Any:
    """Multi-head attention as a function of what is differentiated in it: its other arguments are switches."""
    from pytest_gradcheck import declare

    def multi_head_attention_forward(query: Any, memory: Any, W: Any, b: Any, Wo: Any, bo: Any) -> Any:
        run = functional().multi_head_attention_forward
        return run(query, memory, memory, 4, 2, W, b, None, None, False, 0.0, Wo, bo)

    return declare.torch(multi_head_attention_forward)


def norms() -> list[Check]:
    return [
        f("batch_norm", with_(normal((6, 3), (3,)), lambda rng: rng.uniform(0.5, 2.0, 3), numbers(3), numbers(3)),
          "evaluation", {"wrt": (("input", "weight", "bias"), "torch gives running statistics no gradient")}),
        Check("batch_norm", lambda: functional().batch_norm, lambda rng: (
            rng.standard_normal((6, 3)), None, None, rng.standard_normal(3), rng.standard_normal(3)), "training",
            {"training": True}),
        f("group_norm", lambda rng: (rng.standard_normal((3, 4, 5)), 2, *normal((4,), (4,))(rng))),
        f("instance_norm", SERIES),
        f("layer_norm", lambda rng: (rng.standard_normal((3, 4, 5)), (4, 5), *normal((4, 5), (4, 5))(rng))),
        f("rms_norm", lambda rng: (rng.standard_normal((3, 4, 5)), (5,), *normal((5,))(rng))),
        f("local_response_norm", IMAGE, size=2),
        f("normalize", MATRIX),
        f("normalize", MATRIX, "p = 3", p=3.0),
    ]  # fmt: skip


def pools() -> list[Check]:
    return [
        f("avg_pool1d", SERIES, kernel_size=3, stride=2),
        f("avg_pool2d", IMAGE, kernel_size=2, padding=1),
        f("avg_pool3d", VOLUME, kernel_size=2),
        f("adaptive_avg_pool1d", SERIES, output_size=3),
        f("adaptive_avg_pool2d", IMAGE, output_size=(3, 2)),
        f("adaptive_avg_pool3d", VOLUME, output_size=2),
        *(f(f"adaptive_max_pool1d{i}", SERIES, output_size=3) for i in ("", "_with_indices")),
        *(f(f"adaptive_max_pool2d{i}", IMAGE, output_size=(3, 2)) for i in ("", "_with_indices")),
        *(f(f"adaptive_max_pool3d{i}", VOLUME, output_size=2) for i in ("", "_with_indices")),
        *(f(f"max_pool1d{i}", SERIES, kernel_size=3, stride=2) for i in ("", "_with_indices")),
        *(f(f"max_pool2d{i}", IMAGE, kernel_size=2, padding=1) for i in ("", "_with_indices")),
        *(f(f"max_pool3d{i}", VOLUME, kernel_size=2) for i in ("", "_with_indices")),
        *(f(f"fractional_max_pool2d{i}", IMAGE, kernel_size=2, output_size=3) for i in ("", "_with_indices")),
        *(
            f(f"fractional_max_pool3d{i}", normal((2, 2, 5, 5, 4)), kernel_size=2, output_size=2)
            for i in ("", "_with_indices")
        ),
        *(f(f"lp_pool{n}d", x, norm_type=2.0, kernel_size=2) for n, x in ((1, SERIES), (2, IMAGE), (3, VOLUME))),
        f("max_unpool1d", unpooled(1, (2, 3, 8)), kernel_size=2),
        f("max_unpool2d", unpooled(2, (2, 3, 4, 6)), kernel_size=2),
        f("max_unpool3d", unpooled(3, (1, 2, 4, 4, 2)), kernel_size=2),
    ]


def unpooled(axes: int, shape: tuple[int, ...]) -> Inputs:
    """What max pooling gives: the maxima and where they were."""

    def draw(rng: Rng) -> tuple[Any, ...]:
        import torch

        pool = getattr(functional(), f"max_pool{axes}d")
        maxima, places = pool(torch.from_numpy(rng.standard_normal(shape)), 2, return_indices=True)
        return maxima.numpy(), places.numpy()

    return draw


def random() -> list[Check]:
    names = ("dropout", "alpha_dropout", "feature_alpha_dropout")
    return [
        *(f(name, IMAGE, p=0.4, training=True) for name in names),
        f("dropout1d", SERIES, p=0.4),
        f("dropout2d", IMAGE, p=0.4),
        f("dropout3d", VOLUME, p=0.4),
    ]


def losses() -> list[Check]:
    pair = normal((4, 3), (4, 3))
    return [
        *(f(name, pair) for name in ("l1_loss", "mse_loss", "smooth_l1_loss", "huber_loss")),
        f("binary_cross_entropy", with_(uniform(0.1, 0.9, (4, 3)), lambda rng: rng.uniform(0.1, 0.9, (4, 3)))),
        f("binary_cross_entropy_with_logits", with_(normal((4, 3)), lambda rng: rng.uniform(0.1, 0.9, (4, 3)))),
        f("cross_entropy", with_(normal((4, 3)), whole(3, 4))),
        f("cross_entropy", with_(normal((4, 3)), chances(4, 3)), "chances"),
        f("cross_entropy", with_(normal((4, 3)), whole(3, 4)), "smoothed", label_smoothing=0.2),
        f("nll_loss", with_(normal((4, 3)), whole(3, 4))),
        f("kl_div", with_(normal((4, 3)), chances(4, 3)), reduction="batchmean"),
        f("poisson_nll_loss", normal((4, 3), (4, 3))),
        f("gaussian_nll_loss", with_(pair, lambda rng: rng.uniform(0.5, 2.0, (4, 3)))),
        f("hinge_embedding_loss", with_(normal((4, 3)), signs(4, 3))),
        f("soft_margin_loss", with_(normal((4, 3)), signs(4, 3))),
        f("margin_ranking_loss", with_(normal((4,), (4,)), signs(4))),
        f("cosine_embedding_loss", with_(pair, signs(4))),
        f("multi_margin_loss", with_(normal((4, 3)), whole(3, 4))),
        f("multilabel_margin_loss", with_(normal((2, 4)), lambda rng: np.array([[3, 0, -1, 1], [2, -1, 0, 0]]))),
        f("multilabel_soft_margin_loss", with_(normal((4, 3)), whole(2, 4, 3))),
        f("triplet_margin_loss", normal((4, 3), (4, 3), (4, 3))),
        f("triplet_margin_with_distance_loss", normal((4, 3), (4, 3), (4, 3))),
        f("ctc_loss", ctc, "of log-chances", theirs=CTC),
        Check("ctc_loss", behind_log_softmax, ctc, "behind log_softmax"),
        f("cosine_similarity", pair),
        f("pairwise_distance", pair),
        f("pdist", normal((5, 3)), settings={
            "skip": ({"empty-batch": "torch's own backward ends the process there"},
                     "the backward of pdist divides by zero on an empty batch, and the process ends")}),
    ]  # fmt: skip


def ctc(rng: Rng) -> tuple[Any, ...]:
    """Logarithms of chances (time, batch, classes), labels, and the lengths of both."""
    logits = rng.standard_normal((7, 2, 4))
    log_chances = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return log_chances, np.array([[1, 2, 2], [3, 1, 1]]), np.array([7, 6]), np.array([3, 2])


CTC = (
    "the gradient of log_probs is that of the logits of the log_softmax before it: exp(log_probs) is added "
    "to the derivative"
)
SIXTH = "the slope 1/6 is rounded to float32 before it multiplies a float64 upstream: a relative error of 3e-8"


def behind_log_softmax() -> Any:
    """The loss as a function of logits."""
    from pytest_gradcheck import declare

    def ctc_loss(logits: Any, *more: Any) -> Any:
        return functional().ctc_loss(functional().log_softmax(logits, -1), *more)

    return declare.torch(ctc_loss)


def shapes() -> list[Check]:
    squares = normal((2, 4, 4, 3))
    return [
        *(
            f("pad", IMAGE, mode, pad=(1, 2, 1, 0), mode=mode)
            for mode in ("constant", "reflect", "replicate", "circular")
        ),
        *(
            f("interpolate", IMAGE, mode, size=(8, 9), mode=mode)
            for mode in ("nearest", "bilinear", "bicubic", "area", "nearest-exact")
        ),
        f("upsample", IMAGE, scale_factor=2),
        f("upsample_nearest", IMAGE, scale_factor=2),
        f("upsample_bilinear", IMAGE, scale_factor=2),
        f("pixel_shuffle", squares, upscale_factor=2),
        f("pixel_unshuffle", normal((2, 1, 4, 6)), downscale_factor=2),
        f("channel_shuffle", squares, groups=2),
        f("unfold", IMAGE, kernel_size=(2, 3)),
        f("fold", normal((2, 12, 8)), output_size=(3, 5), kernel_size=2),
        f("affine_grid", normal((2, 2, 3)), size=(2, 3, 4, 5), align_corners=False),
        *(
            f("grid_sample", with_(IMAGE, lambda rng: rng.uniform(-1.1, 1.1, (2, 4, 3, 2))), mode, mode=mode,
              align_corners=False)
            for mode in ("bilinear", "bicubic", "nearest")
        ),
    ]  # fmt: skip


def checks() -> list[Check]:
    """All of them, by subject."""
    return [*activations(), *linear(), *norms(), *pools(), *random(), *losses(), *shapes()]


PACKAGE = Package(
    title="torch.nn.functional",
    distribution="torch",
    found=found,
    checks=checks,
    unchecked={
        "one_hot": "takes and gives integers: it has no gradient",
        "native_channel_shuffle": "has no backward: torch raises, and says so",
        "grouped_mm": "takes bfloat16 matrices on a GPU alone",
        "scaled_grouped_mm": "takes float8 matrices on a GPU alone",
        "scaled_mm": "takes float8 matrices, and has no backward",
    },
)
