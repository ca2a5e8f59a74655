"""Batch normalisation with a hand-written backward.

Mean and variance depend on every row of the batch, so each input reaches the output along three paths: directly,
through the mean and through the variance. Forgetting one of the last two is the classic mistake.
"""

import numpy as np
import pytest


class BatchNorm:
    """y = gamma (x - mean) / sqrt(variance + eps) + beta, the statistics taken over the batch.

    x: (batch, features); the parameters gamma and beta, (features,), are held in the layer, and backward leaves
    their gradients beside them in `grads`.
    """

    def __init__(self, gamma, beta, eps=1e-5):
        self.params = {"gamma": gamma, "beta": beta}
        self.grads = {}
        self.eps = eps

    def forward(self, x):
        self.spread = np.sqrt(x.var(axis=0) + self.eps)
        self.normal = (x - x.mean(axis=0)) / self.spread
        return self.params["gamma"] * self.normal + self.params["beta"]

    def backward(self, upstream):
        self.grads = {"gamma": (upstream * self.normal).sum(axis=0), "beta": upstream.sum(axis=0)}
        d_normal = upstream * self.params["gamma"]
        through_mean = d_normal.mean(axis=0)
        through_variance = self.normal * (d_normal * self.normal).mean(axis=0)
        return (d_normal - through_mean - through_variance) / self.spread


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.gradcheck
def test_batch_norm(rng):
    layer = BatchNorm(gamma=rng.uniform(0.5, 2, size=5), beta=rng.standard_normal(5))
    return layer, rng.standard_normal((8, 5))


def test_features_of_unlike_size(gradcheck, rng):
    layer = BatchNorm(gamma=np.ones(3), beta=np.zeros(3))
    gradcheck(layer, rng.standard_normal((6, 3)) * [1e-3, 1.0, 1e3] + [0.0, 5.0, -2e3])


def test_a_batch_of_two(gradcheck, rng):
    # Two rows normalise to nearly +1 and -1: almost nothing is left of the gradient, and that little must be right.
    gradcheck(BatchNorm(gamma=np.ones(4), beta=np.zeros(4)), rng.standard_normal((2, 4)))


def test_output_is_normal(rng):
    y = BatchNorm(gamma=np.ones(4), beta=np.zeros(4)).forward(3 + 2 * rng.standard_normal((50, 4)))
    assert np.allclose(y.mean(axis=0), 0)
    assert np.allclose(y.var(axis=0), 1, atol=1e-4)
