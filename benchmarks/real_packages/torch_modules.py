"""Every module of torch.nn, with its parameters, in float64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.real_packages.base import Check, Inputs, Package, Reasoned, normal, uniform
from benchmarks.real_packages.torch_functional import CTC, SIXTH, chances, ctc, signs, unpooled, whole, with_


def nn() -> Any:
    """The namespace; ImportError without torch."""
    import torch.nn

    return torch.nn


def found() -> list[tuple[str, str]]:
    """Every module class that stands in torch.nn but the base class."""
    base = nn().Module
    classes = [(name, thing) for name, thing in vars(nn()).items() if isinstance(thing, type)]
    return [(name, "module") for name, kind in sorted(classes) if issubclass(kind, base) and kind is not base]


def m(
    name: str,
    inputs: Inputs,
    *options: Any,
    variant: str = "",
    settings: Mapping[str, Reasoned] | None = None,
    theirs: str = "",
    kwargs: Mapping[str, Any] | None = None,
    **named: Any,
) -> Check:
    """A check of one module, made with these options from a fixed random state."""

    def make() -> Any:
        import torch

        torch.manual_seed(0)
        made = getattr(nn(), name)(*options, **named).double()
        if name in STARTED:
            made(*map(torch.from_numpy, inputs(np.random.default_rng(0))))
        return made

    return Check(name, make, inputs, variant, kwargs or {}, settings or {}, theirs)


ROWS = normal((4, 3))
SERIES = normal((2, 3, 8))
IMAGE = normal((2, 3, 6, 5))
VOLUME = normal((2, 2, 4, 4, 3))
WIDE = normal((4, 5), scale=2.0)


#: torch cannot copy these before a first forward has made their buffers.
STARTED = tuple(f"Lazy{kind}Norm{n}d" for kind in ("Batch", "Instance") for n in (1, 2, 3))


def activations() -> list[Check]:
    plain = (
        "CELU", "ELU", "GELU", "Hardshrink", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid", "Mish", "PReLU",
        "RReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink",
    )  # fmt: skip
    return [
        *(m(name, WIDE) for name in plain),
        m("Hardsigmoid", WIDE, theirs=SIXTH),
        m("GLU", normal((3, 4))),
        m("Threshold", WIDE, 0.1, 3.0),
        *(m(name, ROWS, 1) for name in ("Softmax", "Softmin", "LogSoftmax")),
        m("Softmax2d", IMAGE),
        m("AdaptiveLogSoftmaxWithLoss", with_(normal((5, 6)), whole(9, 5)), 6, 9, [3, 6]),
    ]


def linear() -> list[Check]:
    tokens = with_(lambda rng: (), whole(7, 3, 4))
    return [
        m("Linear", normal((5, 3)), 3, 4),
        m("Bilinear", normal((5, 3), (5, 2)), 3, 2, 4),
        m("Identity", ROWS),
        m("Embedding", tokens, 7, 3),
        m("EmbeddingBag", tokens, 7, 3),
        m("EmbeddingBag", tokens, 7, 3, variant="max", mode="max"),
        *(m(f"Conv{n}d", x, c, 4, 3, padding=1) for n, x, c in ((1, SERIES, 3), (2, IMAGE, 3), (3, VOLUME, 2))),
        *(m(f"ConvTranspose{n}d", x, c, 2, 2) for n, x, c in ((1, SERIES, 3), (2, IMAGE, 3), (3, VOLUME, 2))),
        *(m(f"LazyConv{n}d", x, 4, 3, padding=1) for n, x in ((1, SERIES), (2, IMAGE), (3, VOLUME))),
        *(m(f"LazyConvTranspose{n}d", x, 2, 2) for n, x in ((1, SERIES), (2, IMAGE), (3, VOLUME))),
        m("LazyLinear", normal((5, 3)), 4),
        Check("Sequential", lambda: nn().Sequential(nn().Linear(3, 4), nn().Tanh()), normal((5, 3))),
        m("CosineSimilarity", normal((4, 3), (4, 3))),
        m("PairwiseDistance", normal((4, 3), (4, 3))),
    ]


KEPT = (
    "forward never takes channel 0 out of its running sum (`c > pre_pad` for `c >= pre_pad`), so that it stands in the "
    "window of every later channel; backward uses the right windows, and the gradient of channel 0 lacks those terms"
)


def norms() -> list[Check]:
    axes = ((1, SERIES, 3), (2, IMAGE, 3), (3, VOLUME, 2))
    return [
        *(m(f"BatchNorm{n}d", x, c) for n, x, c in axes),
        *(m(f"InstanceNorm{n}d", x, c, affine=True) for n, x, c in axes),
        *(m(f"LazyBatchNorm{n}d", x) for n, x, _ in axes),
        *(m(f"LazyInstanceNorm{n}d", x, affine=True) for n, x, _ in axes),
        m("GroupNorm", normal((3, 4, 5)), 2, 4),
        m("LayerNorm", normal((3, 4, 5)), (4, 5)),
        m("RMSNorm", normal((3, 4, 5)), 5),
        m("LocalResponseNorm", IMAGE, 2),
        m("CrossMapLRN2d", normal((2, 6, 3, 2)), 3, theirs=KEPT),
    ]


def pools() -> list[Check]:
    axes = ((1, SERIES), (2, IMAGE), (3, VOLUME))
    return [
        *(m(f"AvgPool{n}d", x, 2) for n, x in axes),
        *(m(f"MaxPool{n}d", x, 2) for n, x in axes),
        *(m(f"AdaptiveAvgPool{n}d", x, 2) for n, x in axes),
        *(m(f"AdaptiveMaxPool{n}d", x, 2) for n, x in axes),
        *(m(f"LPPool{n}d", x, 2.0, 2) for n, x in axes),
        m("FractionalMaxPool2d", IMAGE, 2, output_size=3),
        m("FractionalMaxPool3d", normal((2, 2, 5, 5, 4)), 2, output_size=2),
        m("MaxUnpool1d", unpooled(1, (2, 3, 8)), 2),
        m("MaxUnpool2d", unpooled(2, (2, 3, 4, 6)), 2),
        m("MaxUnpool3d", unpooled(3, (1, 2, 4, 4, 2)), 2),
    ]


def shapes() -> list[Check]:
    pads = ("Circular", "Constant", "Reflection", "Replication", "Zero")
    axes = ((1, SERIES), (2, IMAGE), (3, VOLUME))
    values = {"Constant": (0.5,)}
    return [
        *(m(f"{pad}Pad{n}d", x, 1, *values.get(pad, ())) for pad in pads for n, x in axes),
        *(m(name, IMAGE, scale_factor=2) for name in ("Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d")),
        m("PixelShuffle", normal((2, 4, 4, 3)), 2),
        m("PixelUnshuffle", normal((2, 1, 4, 6)), 2),
        m("ChannelShuffle", normal((2, 4, 4, 3)), 2),
        m("Flatten", IMAGE),
        m("Unflatten", normal((3, 6)), 1, (2, 3)),
        m("Unfold", IMAGE, (2, 3)),
        m("Fold", normal((2, 12, 8)), (3, 5), 2),
        *(m(f"Dropout{n}d", x, 0.4) for n, x in axes),
        *(m(name, IMAGE, 0.4) for name in ("Dropout", "AlphaDropout", "FeatureAlphaDropout")),
    ]


def recurrent() -> list[Check]:
    steps = normal((4, 2, 3))
    sizes = (6, 2, 5)
    return [
        *(m(name, steps, 3, 2) for name in ("RNN", "GRU", "LSTM")),
        *(m(name, normal((2, 3)), 3, 2) for name in ("RNNCell", "GRUCell", "LSTMCell")),
        m("LSTM", steps, 3, 2, variant="two layers, both ways", num_layers=2, bidirectional=True),
        m("MultiheadAttention", normal((3, 2, 4), (5, 2, 4), (5, 2, 4)), 4, 2),
        m("TransformerEncoderLayer", normal((3, 2, 6)), *sizes, dropout=0.0),
        m("TransformerEncoderLayer", normal((3, 2, 6)), *sizes, variant="norm first", norm_first=True, dropout=0.0),
        m("TransformerDecoderLayer", normal((3, 2, 6), (4, 2, 6)), *sizes, dropout=0.0),
        m("Transformer", normal((3, 2, 6), (4, 2, 6)), 6, 2, 1, 1, 5, dropout=0.0),
        Check("TransformerEncoder", stack("Encoder"), normal((3, 2, 6))),
        Check("TransformerDecoder", stack("Decoder"), normal((3, 2, 6), (4, 2, 6))),
    ]


def stack(word: str) -> Any:
    def make() -> Any:
        import torch

        torch.manual_seed(0)
        layer = getattr(nn(), f"Transformer{word}Layer")(6, 2, 5, dropout=0.0)
        return getattr(nn(), f"Transformer{word}")(layer, 2).double()

    return make


def losses() -> list[Check]:
    pair = normal((4, 3), (4, 3))
    even = whole(2, 4, 3)
    shares = with_(uniform(0.1, 0.9, (4, 3)), lambda rng: rng.uniform(0.1, 0.9, (4, 3)))
    return [
        *(m(name, pair) for name in ("L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss", "PoissonNLLLoss")),
        m("BCELoss", shares),
        m("BCEWithLogitsLoss", shares),
        *(m(name, with_(ROWS, whole(3, 4))) for name in ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss")),
        m("NLLLoss2d", with_(IMAGE, whole(3, 2, 6, 5))),
        m("KLDivLoss", with_(ROWS, chances(4, 3)), reduction="batchmean"),
        m("GaussianNLLLoss", with_(pair, lambda rng: rng.uniform(0.5, 2.0, (4, 3)))),
        *(m(name, with_(ROWS, signs(4, 3))) for name in ("HingeEmbeddingLoss", "SoftMarginLoss")),
        m("MarginRankingLoss", with_(normal((4,), (4,)), signs(4))),
        m("CosineEmbeddingLoss", with_(pair, signs(4))),
        m("MultiLabelMarginLoss", with_(normal((2, 4)), lambda rng: np.array([[3, 0, -1, 1], [2, -1, 0, 0]]))),
        m("MultiLabelSoftMarginLoss", with_(ROWS, even)),
        *(m(f"TripletMargin{word}Loss", normal((4, 3), (4, 3), (4, 3))) for word in ("", "WithDistance")),
        m("CTCLoss", ctc, theirs=CTC),
        m("LinearCrossEntropyLoss", with_(normal((4, 3)), whole(5, 4)), 3, 5),
    ]


def checks() -> list[Check]:
    """All of them, by subject."""
    return [*activations(), *linear(), *norms(), *pools(), *shapes(), *recurrent(), *losses()]


CONTAINER = "holds modules and has no forward of its own"
BASE = "is a base class without a forward"
PACKAGE = Package(
    title="torch.nn",
    distribution="torch",
    found=found,
    checks=checks,
    unchecked={
        **dict.fromkeys(("ModuleDict", "ModuleList", "ParameterDict", "ParameterList"), CONTAINER),
        **dict.fromkeys(("Container", "RNNBase", "RNNCellBase"), BASE),
        "DataParallel": "needs several GPUs",
        "SyncBatchNorm": "needs several processes with a GPU each",
    },
)
