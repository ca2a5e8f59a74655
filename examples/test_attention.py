"""Scaled dot-product attention with several heads and an optional causal mask, backward written by hand.

The softmax couples all positions of a row: its backward is `a * (d_a - sum(d_a * a))`. Leave the sum out and the
result still looks like a gradient.
"""

import numpy as np
import pytest


class Attention:
    """softmax(q kᵀ / sqrt(d)) v for every head; q, k, v: (batch, heads, positions, d)."""

    def __init__(self, causal=False):
        self.causal = causal

    def forward(self, q, k, v):
        self.scale = 1 / np.sqrt(q.shape[-1])
        scores = np.einsum("bhid,bhjd->bhij", q, k) * self.scale
        if self.causal:
            future = np.triu(np.ones(scores.shape[-2:], dtype=bool), k=1)
            scores = np.where(future, -np.inf, scores)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        self.cache = q, k, v, weights
        return weights @ v

    def backward(self, upstream):
        q, k, v, weights = self.cache
        d_weights = np.einsum("bhid,bhjd->bhij", upstream, v)
        d_v = np.einsum("bhij,bhid->bhjd", weights, upstream)
        d_scores = weights * (d_weights - (d_weights * weights).sum(axis=-1, keepdims=True))
        d_scores *= self.scale
        return d_scores @ k, np.einsum("bhij,bhid->bhjd", d_scores, q), d_v


class SelfAttention:
    """x (batch, positions, width) attends to itself through four square projections Wq, Wk, Wv, Wo."""

    def __init__(self, heads):
        self.heads = heads
        self.attention = Attention(causal=True)

    def forward(self, x, Wq, Wk, Wv, Wo):
        mixed = self.join(self.attention.forward(*(self.split(x @ W) for W in (Wq, Wk, Wv))))
        self.cache = x, (Wq, Wk, Wv), Wo, mixed
        return mixed @ Wo

    def backward(self, upstream):
        x, projections, Wo, mixed = self.cache
        d_Wo = np.einsum("bpi,bpj->ij", mixed, upstream)
        d_parts = [self.join(d) for d in self.attention.backward(self.split(upstream @ Wo.T))]
        # x is used three times, so three gradients arrive at it and add.
        d_x = sum(d @ W.T for d, W in zip(d_parts, projections, strict=True))
        return d_x, *(np.einsum("bpi,bpj->ij", x, d) for d in d_parts), d_Wo

    def split(self, x):
        batch, positions, width = x.shape
        return x.reshape(batch, positions, self.heads, width // self.heads).transpose(0, 2, 1, 3)

    def join(self, x):
        batch, heads, positions, d = x.shape
        return x.transpose(0, 2, 1, 3).reshape(batch, positions, heads * d)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.gradcheck
def test_attention(causal):
    rng = np.random.default_rng(0)
    return Attention(causal), *(rng.standard_normal((2, 2, 5, 3)) for _ in "qkv")


def test_self_attention(gradcheck):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 4, 6))
    gradcheck(SelfAttention(heads=2), x, *(rng.standard_normal((6, 6)) / np.sqrt(6) for _ in range(4)))


def test_keys_and_queries_of_other_lengths(gradcheck):
    rng = np.random.default_rng(2)
    q, k, v = rng.standard_normal((1, 2, 3, 4)), rng.standard_normal((1, 2, 5, 4)), rng.standard_normal((1, 2, 5, 2))
    gradcheck(Attention(), q, k, v)
