"""An LSTM cell as a pair of functions, forward with a cache and backward from it, and an unrolled sequence of them.

The cell has two outputs, the hidden state and the memory, and the memory also feeds the hidden state: both
upstream gradients meet there and add.
"""

import numpy as np
import pytest


def sigmoid(z):
    return 0.5 * (1 + np.tanh(0.5 * z))


def lstm_forward(x, h, c, Wx, Wh, b):
    """One step: x (batch, inputs), h and c (batch, units), the four gates side by side in Wx, Wh and b."""
    z = x @ Wx + h @ Wh + b
    i, f, o, g = np.split(z, 4, axis=1)
    i, f, o, g = sigmoid(i), sigmoid(f), sigmoid(o), np.tanh(g)
    memory = f * c + i * g
    squashed = np.tanh(memory)
    return (o * squashed, memory), (x, h, c, Wx, Wh, i, f, o, g, squashed)


def lstm_backward(upstream, cache):
    d_hidden, d_memory = upstream
    x, h, c, Wx, Wh, i, f, o, g, squashed = cache
    d_memory = d_memory + d_hidden * o * (1 - squashed**2)
    d_z = np.concatenate(
        [
            d_memory * g * i * (1 - i),
            d_memory * c * f * (1 - f),
            d_hidden * squashed * o * (1 - o),
            d_memory * i * (1 - g**2),
        ],
        axis=1,
    )
    return d_z @ Wx.T, d_z @ Wh.T, d_memory * f, x.T @ d_z, h.T @ d_z, d_z.sum(axis=0)


class Sequence:
    """The cell unrolled over time: x (steps, batch, inputs) to the hidden state of every step."""

    def forward(self, x, Wx, Wh, b):
        h = c = np.zeros((x.shape[1], len(Wh)))
        hidden, self.caches = [], []
        for step in x:
            (h, c), cache = lstm_forward(step, h, c, Wx, Wh, b)
            hidden.append(h)
            self.caches.append(cache)
        return np.stack(hidden)

    def backward(self, upstream):
        d_x, d_h, d_c = [], 0.0, 0.0
        d_parameters = [0.0, 0.0, 0.0]
        for d_hidden, cache in zip(reversed(upstream), reversed(self.caches), strict=True):
            step, d_h, d_c, *d_step = lstm_backward((d_hidden + d_h, d_c), cache)
            d_x.append(step)
            # The same weights serve every step: their gradients add.
            d_parameters = [total + new for total, new in zip(d_parameters, d_step, strict=True)]
        return np.stack(d_x[::-1]), *d_parameters


def weights(rng, inputs=3, units=4):
    return [
        rng.standard_normal((inputs, 4 * units)) / np.sqrt(inputs),
        rng.standard_normal((units, 4 * units)) / np.sqrt(units),
        rng.standard_normal(4 * units),
    ]


@pytest.mark.gradcheck
def test_cell():
    rng = np.random.default_rng(0)
    x, h, c = rng.standard_normal((2, 3)), rng.standard_normal((2, 4)), rng.standard_normal((2, 4))
    return (lstm_forward, lstm_backward), x, h, c, *weights(rng)


@pytest.mark.parametrize("steps", [1, 5])
def test_sequence(gradcheck, steps):
    rng = np.random.default_rng(1)
    gradcheck(Sequence(), rng.standard_normal((steps, 2, 3)), *weights(rng))
