"""Right formulas that misbehave: five layers that remember, overwrite, round, overflow or roll the dice.

Each test is expected to fail, strictly. To read what the check says of them, let them:

    pytest examples/wrong --runxfail
"""

import numpy as np
import pytest

from pytest_gradcheck import GradientMismatch

pytestmark = pytest.mark.xfail(strict=True, raises=GradientMismatch, reason="wrong on purpose")


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape)


class Square:
    """What backward needs is kept from the first call for ever: right once, wrong from the second call on."""

    def __init__(self):
        self.x = None

    def forward(self, x):
        if self.x is None:
            self.x = x.copy()
        return x**2

    def backward(self, upstream):
        return 2 * self.x * upstream


@pytest.mark.gradcheck
def test_stale():
    return Square(), normal(3, 4)


class Relu:
    """Saves an array by clearing entries in the caller's upstream."""

    def forward(self, x):
        self.x = x.copy()
        return np.maximum(x, 0)

    def backward(self, upstream):
        upstream[self.x <= 0] = 0
        return upstream


@pytest.mark.gradcheck
def test_mutation():
    return Relu(), normal(3, 4)


class Tanh:
    """The gradient of a float64 array comes back as float32."""

    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, upstream):
        return (upstream * (1 - self.y**2)).astype(np.float32)


@pytest.mark.gradcheck
def test_dtype():
    return Tanh(), normal(3, 4)


class Softplus:
    """The forward is safe for large inputs, the backward divides infinity by infinity."""

    def forward(self, x):
        self.x = x.copy()
        return np.logaddexp(0, x)

    def backward(self, upstream):
        with np.errstate(over="ignore", invalid="ignore"):
            return upstream * np.exp(self.x) / (1 + np.exp(self.x))


@pytest.mark.gradcheck
def test_nonfinite():
    return Softplus(), np.array([-2.0, 0.5, 3.0, 800.0])


class Dropout:
    """Backward draws a mask of its own instead of the one that forward used."""

    def __init__(self, keep=0.5, seed=0):
        self.keep, self.rng = keep, np.random.default_rng(seed)

    def mask(self, shape):
        return (self.rng.random(shape) < self.keep) / self.keep

    def forward(self, x):
        return x * self.mask(x.shape)

    def backward(self, upstream):
        return upstream * self.mask(upstream.shape)


@pytest.mark.gradcheck
def test_random():
    return Dropout(), normal(5, 6)
