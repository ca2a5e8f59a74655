"""Confirmations of what is wrong in numpy-ml."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.real_packages.confirm import LONG, Breaks, Wrong, breaks, confirms, wrong
from benchmarks.real_packages.numpy_ml import Noise, part, sparse, started_cell, with_cell

ours = partial(confirms, "numpy_ml")


def drawn(*shapes: tuple[int, ...]) -> list[Any]:
    rng = np.random.default_rng(7)
    return [rng.standard_normal(shape) for shape in shapes]


@ours("DotProductAttention (used twice)")
def attention_twice() -> Breaks:
    layer = part("layer").DotProductAttention()
    q, k, v, u = drawn((2, 3, 4), (2, 5, 4), (2, 5, 3), (2, 3, 3))
    layer.forward(q, k, v)
    layer.backward(u.copy())
    layer.flush_gradients()
    layer.forward(q, k, v)
    return breaks(lambda: layer.backward(u.copy()))


@ours("DotProductAttention (dropout)")
def attention_dropout() -> Wrong:
    """Y = W V with W = 2 softmax(M S), S = Q K^T / sqrt(d): the gradient of S is 2 M J(softmax) (u V^T)."""
    q, k, v, u = drawn((2, 3, 4), (2, 5, 4), (2, 5, 3), (2, 3, 3))

    def run(q: Any) -> tuple[Any, Any]:
        np.random.seed(0)
        layer = part("layer").DotProductAttention(dropout_p=0.5)
        return layer, layer.forward(q, k, v)

    layer, _ = run(q)
    declared = layer.backward(u.copy())[0]
    np.random.seed(0)
    mask = np.random.rand(2, 3, 5) >= 0.5
    p = np.exp(mask * (q @ k.swapaxes(1, 2)) / 2)
    p /= p.sum(-1, keepdims=True)
    dp = 2 * u @ v.swapaxes(1, 2)
    formula = (mask * p * (dp - (p * dp).sum(-1, keepdims=True))) @ k / 2
    return wrong(lambda q: np.sum(u * run(q)[1]), q, declared, formula)


def repeated_word(pool: str) -> Wrong:
    """A row of W stands in the sum as often as its word stands in the bag."""
    words, (u,) = np.array([[0, 3, 3, 1], [5, 2, 5, 5]]), drawn((2, 1, 3))
    layer = part("layer").Embedding(n_out=3, vocab_size=7, pool=pool)
    W = layer.parameters["W"]

    def total(W: Any) -> Any:
        layer.parameters["W"] = W
        return np.sum(u * layer.forward(words, retain_derived=False))

    layer.forward(words)
    layer.backward(u)
    counts = np.array([[np.sum(bag == word) for bag in words] for word in range(7)])
    formula = counts @ u[:, 0, :] / (1 if pool == "sum" else 4)
    return wrong(total, W, layer.gradients["W"], formula)


@ours("Embedding (pool sum, repeated word)")
def repeated_word_summed() -> Wrong:
    return repeated_word("sum")


@ours("Embedding (pool mean, repeated word)")
def repeated_word_averaged() -> Wrong:
    return repeated_word("mean")


@ours("Softmax (4-D)")
def softmax_four_axes() -> Breaks:
    layer, (x, u) = part("layer").Softmax(), drawn((2, 2, 3, 4), (2, 2, 3, 4))
    layer.forward(x)
    return breaks(lambda: layer.backward(u))


@ours("Softmax (dim 0)")
def softmax_first_axis() -> Wrong:
    """dx = y (u - sum(u y)), the sum along the axis of the softmax."""
    layer, (x, u) = part("layer").Softmax(dim=0), drawn((4, 5), (4, 5))
    y = layer.forward(x)
    return wrong(lambda x: np.sum(u * layer._fwd(x)), x, layer.backward(u), y * (u - (u * y).sum(axis=0)))


@ours("SparseEvolution (as released)")
def sparse_cannot_start() -> Breaks:
    return breaks(lambda: part("layer").SparseEvolution(n_out=4, epsilon=1).forward(drawn((5, 6))[0]))


@ours("SparseEvolution (mask made by hand)")
def sparse_weights() -> Wrong:
    """Y = tanh(X (W M) + b): the gradient of W is X^T dZ times the mask."""
    layer, (x, u) = sparse(), drawn((5, 6), (5, 4))
    W, mask = layer.parameters["W"], layer.parameters["W_mask"]
    y = layer.forward(x)
    layer.backward(u)
    declared = layer.gradients["W"]

    def total(W: Any) -> Any:
        layer.parameters["W"] = W
        return np.sum(u * layer.forward(x, retain_derived=False))

    return wrong(total, W, declared, (x.T @ (u * (1 - y**2))) * mask)


@ours("Pool2D (max, pad 1)")
def padded_maxima() -> Breaks:
    layer, (x, u) = part("layer").Pool2D((2, 2), pad=1), drawn((2, 6, 5, 3), (2, 7, 6, 3))
    layer.forward(x)
    return breaks(lambda: layer.backward(u))


def after_flush(name: str) -> Breaks:
    cell, (x, u) = started_cell(name), drawn((4, 3), (4, 2))
    cell.forward(x)
    cell.backward(u)
    cell.flush_gradients()
    cell.forward(x)
    return breaks(lambda: cell.backward(u))


@ours("RNNCell (after flush_gradients)")
def cell_after_flush() -> Breaks:
    return after_flush("RNNCell")


@ours("LSTMCell (after flush_gradients)")
def memory_cell_after_flush() -> Breaks:
    return after_flush("LSTMCell")


@ours("RNN (as released)")
def rnn_cannot_be_made() -> Breaks:
    return breaks(lambda: part("layer").RNN(n_out=2))


@ours("LSTM (as released)")
def lstm_cannot_be_made() -> Breaks:
    return breaks(lambda: part("layer").LSTM(n_out=2))


@ours("LSTM (cell made by hand)")
def lstm_unpacks() -> Breaks:
    layer, (x, u) = with_cell("LSTM"), drawn((2, 3, 4), (2, 2, 4))
    layer.forward(x)
    shape = layer.backward(u).shape
    return Breaks(f"the gradient of an input of shape {x.shape} has shape {shape}" if shape != x.shape else "")


@ours("WGAN_GPLoss (critic)")
def critic() -> Wrong:
    """L = mean(fake) - mean(real) + penalty: the gradient of fake is +1/n."""
    loss, (fake, real, slopes) = part("loss").WGAN_GPLoss(), drawn((4,), (4,), (4, 3))
    declared = loss.grad(fake, "C", real, slopes)[0]
    return wrong(lambda fake: loss.loss(fake, "C", real, slopes), fake, declared, np.full(4, 1 / LONG(4)))


@ours("WGAN_GPLoss (critic, more fake than real)")
def critic_penalty() -> Wrong:
    """The penalty is 10 mean((|g| - 1)^2) over the m rows g: its gradient is 20 / m (|g| - 1) g / |g|."""
    loss, (fake, real, g) = part("loss").WGAN_GPLoss(), drawn((5,), (3,), (4, 3))
    size = np.linalg.norm(g, axis=1, keepdims=True)
    declared = loss.grad(fake, "C", real, g)[2]
    return wrong(lambda g: loss.loss(fake, "C", real, g), g, declared, 20 / 4 * (size - 1) * g / size)


@ours("NCELoss (a target among the noise)")
def target_as_noise() -> Wrong:
    """L = -sum log s(z_target) - sum log(1 - s(z_noise)): the bias of each class gathers s - 1 and s."""
    (x, W, b), target, noise = drawn((3, 1, 4), (6, 4), (1, 6)), np.array([0, 2, 2]), np.array([1, 0, 4])

    def made(b: Any) -> tuple[Any, Any]:
        loss = part("loss").NCELoss(6, Noise(), 3)
        loss.n_in = 4
        loss._init_params()
        loss.parameters = {"W": W, "b": b}
        return loss, loss.loss(x, target, noise)[0]

    loss, _ = made(b)
    loss.grad(update_params=False)
    formula = np.zeros(6)
    for row, word in zip(x[:, 0], target, strict=True):
        formula[word] += sigmoid(row @ W[word] + b[0, word] - np.log(Noise.probs[word])) - 1
        for other in noise:
            formula[other] += sigmoid(row @ W[other] + b[0, other] - np.log(Noise.probs[other]))
    return wrong(lambda b: made(b)[1], b, loss.gradients["b"], formula[None])


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


@ours("BidirectionalLSTM (merge multiply)")
def misspelt_mode() -> Breaks:
    module, (x, u) = part("module").BidirectionalLSTM(n_out=2, merge_mode="multiply"), drawn((2, 3, 4), (2, 2, 4))
    module.forward(x)
    return breaks(lambda: module.backward(u))


@ours("MultiHeadedAttentionModule (one step each)")
def heads_write() -> Breaks:
    module, (x, u) = part("module").MultiHeadedAttentionModule(n_heads=2, dropout_p=0.5), drawn((3, 6), (3, 1, 6))
    module.forward(x, x, x)
    before = u.copy()
    module.backward(u)
    return changed(before, u)


@ours("MultiHeadedAttentionModule (four steps)")
def heads_of_sequences() -> Breaks:
    module, (x,) = part("module").MultiHeadedAttentionModule(n_heads=2), drawn((2, 4, 6))
    return breaks(lambda: module.forward(x, x, x))


@ours("SkipConnectionIdentityModule (after flush_gradients)")
def module_after_flush() -> Breaks:
    kernel = {"kernel_shape1": (3, 3), "kernel_shape2": (3, 3)}
    module, (x,) = part("module").SkipConnectionIdentityModule(out_ch=2, **kernel), drawn((2, 5, 5, 2))
    module.forward(x)
    module.flush_gradients()
    return breaks(lambda: module.forward(x))


@ours("Dropout (nothing dropped)")
def dropout_writes() -> Breaks:
    layer, (x, u) = dropped(0.0), drawn((5, 4), (5, 3))
    layer.forward(x)
    u.flags.writeable = False
    return breaks(lambda: layer.backward(u))


@ours("Dropout (half dropped)")
def dropout_unmasked() -> Wrong:
    """Y = 2 tanh((M x) W): the gradient of x is M ((2 u (1 - tanh^2)) W^T)."""
    layer, (x, u) = dropped(0.5), drawn((5, 4), (5, 3))
    W = layer._base_layer.parameters["W"]

    def run(x: Any) -> Any:
        np.random.seed(0)
        return layer.forward(x, retain_derived=False)

    np.random.seed(0)
    y = layer.forward(x) / 2
    declared = layer.backward(u.copy())
    np.random.seed(0)
    mask = np.random.rand(5, 4) >= 0.5
    return wrong(lambda x: np.sum(u * run(x)), x, declared, mask * ((2 * u * (1 - y**2)) @ W.T))


def dropped(p: float) -> Any:
    inner = part("layer").FullyConnected(n_out=3, act_fn="Tanh")
    inner.n_in = 4
    inner._init_params()
    return part("wrapper").Dropout(inner, p)


def changed(before: Any, now: Any) -> Breaks:
    """The first entry of an array that a call has written."""
    places = np.argwhere(before != now)
    if not len(places):
        return Breaks("")
    at = tuple(map(int, places[0]))
    return Breaks(f"upstream{list(at)} was {before[at]:.6g} before the call and is {now[at]:.6g} after it")
