"""A two-dimensional convolution with a hand-written backward, as its author would test it.

The forward gathers the patches under the kernel and multiplies; the backward scatters them back. An input pixel
lies under several patches, so its gradient is the sum of what each of them sends.
"""

import numpy as np
import pytest


class Convolution:
    """Cross-correlation of images with kernels.

    x: (batch, channels, height, width); W: (filters, channels, rows, columns); b: (filters,).
    """

    def __init__(self, stride=1, padding=0):
        self.stride, self.padding = stride, padding

    def forward(self, x, W, b):
        p = self.padding
        padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, W.shape[2:], axis=(2, 3))
        patches = windows[:, :, :: self.stride, :: self.stride]
        self.cache = padded.shape, patches, W
        return np.einsum("nchwij,fcij->nfhw", patches, W) + b[:, None, None]

    def backward(self, upstream):
        padded_shape, patches, W = self.cache
        d_W = np.einsum("nfhw,nchwij->fcij", upstream, patches)
        d_b = upstream.sum(axis=(0, 2, 3))
        d_patches = np.einsum("nfhw,fcij->nchwij", upstream, W)
        return self.scatter(d_patches, padded_shape), d_W, d_b

    def scatter(self, d_patches, padded_shape):
        d_padded = np.zeros(padded_shape)
        _, _, height, width, rows, columns = d_patches.shape
        s = self.stride
        for i in range(rows):
            for j in range(columns):
                d_padded[:, :, i : i + s * height : s, j : j + s * width : s] += d_patches[..., i, j]
        p = self.padding
        return d_padded[:, :, p : d_padded.shape[2] - p, p : d_padded.shape[3] - p]


def images_and_kernels(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((2, 3, 7, 6)), rng.standard_normal((4, 3, 3, 2)), rng.standard_normal(4)


def test_convolution(gradcheck):
    gradcheck(Convolution(), *images_and_kernels())


@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.gradcheck
def test_stride_and_padding(stride, padding):
    # The marker checks what the test returns: the layer, then its inputs.
    return Convolution(stride, padding), *images_and_kernels(seed=1)


def test_forward_is_the_definition():
    x, W, b = images_and_kernels()
    y = Convolution(stride=2, padding=1).forward(x, W, b)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    assert np.isclose(y[1, 3, 2, 1], (padded[1, :, 4:7, 2:4] * W[3]).sum() + b[3])
