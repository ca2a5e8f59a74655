"""For each word wrong layers whose cause is that word, and the sentence that is printed."""

from __future__ import annotations

import numpy as np
import pytest

from .made import named, normal, sigmoid, softmax, uniform
from .wrong import FACTORS, MASK, OTHER_MASK, PLACES, Wrong, ema

FORMULAS = [
    Wrong(
        "upstream",
        "ignored",
        "the declared gradient of x ignores the upstream gradient",
        lambda x: np.exp(x).mean(1),
        lambda u, y, x: np.exp(x) / 4,
        (normal(3, 4),),
    ),
    Wrong(
        "upstream",
        "squared",
        "the declared gradient of w uses the upstream gradient twice",
        lambda x, w: x @ w,
        lambda u, y, x, w: (np.outer(u, w), x.T @ (u * u)),
        (normal(4, 3), normal(3)),
    ),
    Wrong(
        "upstream",
        "summed",
        "backward of x uses the sum of upstream over all entries where the upstream gradient belongs",
        lambda x: np.exp(x),
        lambda u, y, x: u.sum() * y,
        (normal(5),),
    ),
    Wrong(
        "upstream",
        "sign-lost",
        "the declared gradient of x loses the sign of upstream",
        lambda x: np.exp(x),
        lambda u, y, x: np.abs(u) * y,
        (normal(5),),
    ),
    Wrong(
        "local",
        "at-output",
        "the derivative of x is taken at the layer's output in place of its input",
        sigmoid,
        lambda u, y, x: u * sigmoid(y) * sigmoid(-y),
        (normal(6),),
    ),
    Wrong(
        "local",
        "passed-on",
        "upstream is passed on to x as if the layer were the identity",
        lambda x: np.sin(x),
        lambda u, y, x: u.copy(),
        (normal(6),),
    ),
    Wrong(
        "local",
        "forward-returned",
        "the declared local gradient of x is the layer's output, not its derivative",
        lambda x: np.cosh(x),
        lambda u, y, x: u * y,
        (normal(5),),
    ),
    Wrong(
        "local",
        "behind",
        "the local gradient of the step that W leads to is wrong",
        lambda W, x: np.tanh(W @ x),
        lambda u, y, W, x: (np.outer(u * (1 - y), x), W.T @ (u * (1 - y))),
        (normal(4, 3), normal(3)),
    ),
    Wrong(
        "local",
        "unknown",
        "the local gradient of x is wrong, and no known cause fits: all 6 entries of x are wrong",
        lambda x: np.arctan(x),
        lambda u, y, x: u / (1 + x),
        (uniform(6),),
    ),
    Wrong(
        "term",
        "product-half",
        "one half of the product rule is missing: the other factor depends on x too",
        lambda x: x * sigmoid(x),
        lambda u, y, x: u * sigmoid(x),
        (normal(7),),
    ),
    Wrong(
        "term",
        "mean-path",
        "the declared gradient of x lacks the path through the mean along axis 1",
        lambda x: x - x.mean(1, keepdims=True),
        lambda u, y, x: u.copy(),
        (normal(4, 5),),
    ),
    Wrong(
        "term",
        "decay",
        "the declared gradient of w lacks a multiple of w, as of a penalty on its square",
        lambda X, w: ((X @ w) ** 2).sum() + 2 * (w @ w),
        lambda u, y, X, w: (2 * u * np.outer(X @ w, w), 2 * u * X.T @ (X @ w)),
        (normal(6, 4), normal(4)),
    ),
    Wrong(
        "term",
        "weight-left-out",
        "the factor w is left out in the declared gradient of x",
        lambda x, w: np.tanh(x) @ w,
        lambda u, y, x, w: (u[:, None] * (1 - np.tanh(x) ** 2), np.tanh(x).T @ u),
        (normal(4, 3), uniform(3)),
    ),
    Wrong(
        "term",
        "not-carried",
        "the paths of x to all but the first of its outputs are missing",
        ema,
        lambda u, y, x: u * (1 - y * y),
        (normal(6),),
    ),
    Wrong(
        "random",
        "another-mask",
        "backward of x drops other entries than forward",
        lambda x: x * MASK,
        lambda u, y, x: u * OTHER_MASK,
        (normal(3, 4),),
    ),
]

PARTS = [
    Wrong(
        "term",
        "diagonal-only",
        "the terms by which an entry of x moves the other outputs are missing",
        softmax,
        lambda u, y, x: u * y * (1 - y),
        (normal(3, 5),),
    ),
    Wrong(
        "upstream",
        "averaged",
        "backward of x uses the mean of upstream over all entries where the upstream gradient belongs",
        np.exp,
        lambda u, y, x: u.mean() * y,
        (normal(3, 4),),
    ),
    Wrong(
        "random",
        "mask-forgotten",
        "backward of x drops other entries than forward",
        lambda x: x * MASK,
        lambda u, y, x: u * 1.0,
        (normal(3, 4),),
    ),
]

WRONG = [*FACTORS, *PLACES, *FORMULAS, *PARTS]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda w: f"{w.kind}-{w.name}")
def test_the_first_cause_and_its_sentence(wrong: Wrong) -> None:
    first = named(wrong.run, wrong.back, *wrong.inputs)[0]
    assert (first.kind, first.message) == (wrong.kind, wrong.sentence)


def test_every_word_of_the_numbers_has_at_least_two_layers() -> None:
    kinds = [w.kind for w in WRONG]
    words = {"factor", "sign", "small", "dtype", "zero", "transpose", "swap", "reduction", "accumulate", "route"}
    words |= {"region", "upstream", "local", "term"}
    assert {w for w in words if kinds.count(w) < 2} == set()
