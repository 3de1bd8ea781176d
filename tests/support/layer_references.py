"""Layers as their definitions read: NumPy, one sample of the kernel after the other."""

import numpy as np


def resize(x, height, width):
    """Bilinear resize with half-pixel centres and repeated edges, one axis after the other."""
    for axis, size in ((1, height), (2, width)):
        source = (np.arange(size) + 0.5) * x.shape[axis] / size - 0.5
        source = np.clip(source, 0, x.shape[axis] - 1)
        low = np.floor(source).astype(int)
        high = np.minimum(low + 1, x.shape[axis] - 1)
        share = np.expand_dims(source - low, tuple(a for a in range(4) if a != axis))
        x = np.take(x, low, axis) * (1 - share) + np.take(x, high, axis) * share
    return x


def convolve(x, kernel, bias=0.0, *, strides=1, dilation=1, depthwise=False):
    """Convolution with "same" padding by zeros, an odd one at the bottom and right.

    `kernel` is `(h, w, channels in, channels out)`, `(h, w, channels, 1)` if depthwise.
    """
    sizes = [-(-size // strides) for size in x.shape[1:3]]
    pads = [(0, 0)]
    for size, before, samples in zip(sizes, x.shape[1:3], kernel.shape[:2], strict=True):
        pad = max((size - 1) * strides + (samples - 1) * dilation + 1 - before, 0)
        pads.append((pad // 2, pad - pad // 2))
    x = np.pad(x.astype("float64"), [*pads, (0, 0)])
    total = bias
    for i, j in np.ndindex(kernel.shape[:2]):
        rows, columns = (
            slice(k * dilation, k * dilation + (size - 1) * strides + 1, strides)
            for k, size in zip((i, j), sizes, strict=True)
        )
        seen = x[:, rows, columns]
        total = total + (seen * kernel[i, j, :, 0] if depthwise else seen @ kernel[i, j])
    return total


def normalize(x, scale, shift, mean, variance, epsilon=1e-5):
    """Batch normalisation in use."""
    return scale * (x - mean) / np.sqrt(variance + epsilon) + shift


def relu(x):
    return np.maximum(x, 0)


def block(x, weights, **options):
    """A convolution, batch normalisation and ReLU, of the next five of an iterator of weights."""
    kernel = next(weights)
    return relu(normalize(convolve(x, kernel, **options), *(next(weights) for _ in range(4))))


def regions(x, bins):
    """Averages over `bins` x `bins` regions that together cover the picture."""
    batch, height, width, channels = x.shape
    averages = np.zeros((batch, bins, bins, channels))
    for i, j in np.ndindex(bins, bins):
        rows = slice(i * height // bins, -(-(i + 1) * height // bins))
        columns = slice(j * width // bins, -(-(j + 1) * width // bins))
        averages[:, i, j] = x[:, rows, columns].mean((1, 2))
    return averages


def softmax(x, axis=-1):
    x = np.exp(x - x.max(axis, keepdims=True))
    return x / x.sum(axis, keepdims=True)
