"""Right numbers in the wrong place: seven layers whose gradients go astray.

Each test is expected to fail, strictly. To read what the check says of them, let them:

    pytest examples/wrong --runxfail
"""

import numpy as np
import pytest

from pytest_gradcheck import GradientMismatch

pytestmark = pytest.mark.xfail(strict=True, raises=GradientMismatch, reason="wrong on purpose")


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape)


class Affine:
    """x W + b, to be made wrong in one line by each of the layers below."""

    def forward(self, x, W, b):
        self.x, self.W = x.copy(), W.copy()
        return x @ W + b

    def backward(self, upstream):
        return upstream @ self.W.T, self.weight(upstream), self.bias(upstream)

    def weight(self, upstream):
        return self.x.T @ upstream

    def bias(self, upstream):
        return upstream.sum(axis=0)


class TransposedWeight(Affine):
    """W is square, so its gradient fits either way round."""

    def weight(self, upstream):
        return upstream.T @ self.x


@pytest.mark.gradcheck
def test_transpose():
    return TransposedWeight(), normal(5, 2), normal(2, 2), normal(2)


class BiasOverFeatures(Affine):
    """As many rows as features: the sum over the wrong axis has the right shape."""

    def bias(self, upstream):
        return upstream.sum(axis=1)


@pytest.mark.gradcheck
def test_reduction():
    return BiasOverFeatures(), normal(4, 3), normal(3, 4), normal(4)


class BiasAsRow(Affine):
    """The bias has shape (4,), its gradient (1, 4)."""

    def bias(self, upstream):
        return upstream.sum(axis=0, keepdims=True)


@pytest.mark.gradcheck
def test_shape():
    return BiasAsRow(), normal(5, 3), normal(3, 4), normal(4)


class Embedding:
    """Rows picked from a table: a row picked twice keeps the last gradient instead of the sum."""

    def __init__(self, picked):
        self.picked = picked

    def forward(self, table):
        self.shape = table.shape
        return table[self.picked]

    def backward(self, upstream):
        d_table = np.zeros(self.shape)
        d_table[self.picked] = upstream
        return d_table


@pytest.mark.gradcheck
def test_accumulate():
    return Embedding(picked=[4, 1, 4, 0, 1]), normal(6, 3)


class MaxOfRow:
    """The largest entry of each row: its gradient is sent to the first of the row, wherever the largest was."""

    def forward(self, x):
        self.shape = x.shape
        return x.max(axis=1)

    def backward(self, upstream):
        d_x = np.zeros(self.shape)
        d_x[:, 0] = upstream
        return d_x


@pytest.mark.gradcheck
def test_route():
    return MaxOfRow(), normal(2, 6)


class Multiply:
    """x * y: a product switches its inputs, the gradient of x is y; here it is not switched."""

    def forward(self, x, y):
        self.x, self.y = x.copy(), y.copy()
        return x * y

    def backward(self, upstream):
        return upstream * self.x, upstream * self.y


@pytest.mark.gradcheck
def test_swap():
    x, y = normal(2, 3, 4)
    return Multiply(), x, y


class SmoothRelu:
    """e^x up to zero, then the line 1 + x: backward knows the first half alone."""

    def forward(self, x):
        self.x = x.copy()
        return np.where(x < 0, np.exp(np.minimum(x, 0)), 1 + x)

    def backward(self, upstream):
        return upstream * np.exp(self.x)


@pytest.mark.gradcheck
def test_region():
    return SmoothRelu(), normal(4, 6)
