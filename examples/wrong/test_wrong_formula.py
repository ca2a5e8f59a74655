"""Wrong formulas: seven layers whose backward has the right shape and the wrong numbers.

Each test is expected to fail, strictly. To read what the check says of them, let them:

    pytest examples/wrong --runxfail
"""

import numpy as np
import pytest

from pytest_gradcheck import GradientMismatch

pytestmark = pytest.mark.xfail(strict=True, raises=GradientMismatch, reason="wrong on purpose")


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape)


class MeanSquare:
    """Every entry has a share of 1/n in a mean; this backward hands each of them the whole."""

    def forward(self, x):
        self.x = x.copy()
        return (x**2).mean()

    def backward(self, upstream):
        return upstream * 2 * self.x


@pytest.mark.gradcheck
def test_factor():
    return MeanSquare(), normal(4, 5)


class Subtract:
    """x - y: the second input enters with a minus, its gradient leaves without one."""

    def forward(self, x, y):
        return x - y

    def backward(self, upstream):
        return upstream, upstream


@pytest.mark.gradcheck
def test_sign():
    x, y = normal(2, 3, 4)
    return Subtract(), x, y


class Sigmoid:
    """The local gradient alone: what arrives from above is not multiplied in."""

    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, upstream):
        return self.y * (1 - self.y)


@pytest.mark.gradcheck
def test_upstream():
    return Sigmoid(), normal(3, 4)


class SigmoidTwice:
    """The derivative is taken at the output, as if it were the input."""

    def sigmoid(self, z):
        return 1 / (1 + np.exp(-z))

    def forward(self, x):
        self.y = self.sigmoid(x)
        return self.y

    def backward(self, upstream):
        return upstream * self.sigmoid(self.y) * (1 - self.sigmoid(self.y))


@pytest.mark.gradcheck
def test_local():
    return SigmoidTwice(), normal(3, 4)


class Ridge:
    """Squared residuals and a penalty on the weights: the gradient of the penalty is forgotten."""

    def forward(self, w, X, y):
        self.w, self.X, self.residuals = w.copy(), X.copy(), X @ w - y
        return 0.5 * (self.residuals**2).sum() + 0.05 * (w**2).sum()

    def backward(self, upstream):
        return (
            upstream * self.X.T @ self.residuals,
            upstream * np.outer(self.residuals, self.w),
            -upstream * self.residuals,
        )


@pytest.mark.gradcheck
def test_term():
    return Ridge(), normal(3), normal(5, 3), normal(5)


class Log10:
    """1 / ln 10 is 0.4342944819...; four digits of it are not enough."""

    def forward(self, x):
        self.x = x.copy()
        return np.log10(x)

    def backward(self, upstream):
        return 0.4343 * upstream / self.x


@pytest.mark.gradcheck
def test_small():
    return Log10(), 1 + normal(3, 4) ** 2


class FrozenBias:
    """x W + b, where the bias never learns."""

    def forward(self, x, W, b):
        self.x, self.W, self.b = x.copy(), W.copy(), b.copy()
        return x @ W + b

    def backward(self, upstream):
        return upstream @ self.W.T, self.x.T @ upstream, np.zeros_like(self.b)


@pytest.mark.gradcheck
def test_zero():
    return FrozenBias(), normal(5, 3), normal(3, 4), normal(4)
