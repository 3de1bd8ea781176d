"""Pooling: maxima with their places, dilated maxima, averages over a grid of regions."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="segbook")
class MaxPoolWithIndices(layers.Layer):
    """Take the maximum of each 2x2 window, and where in the window it is.

    SegNet (Badrinarayanan, Kendall and Cipolla, 2017), section 3. An odd size is completed by its
    last row or column. Plain reshapes, so that it compiles on every backend; an index is 0 to 3 in
    reading order, so two bits would hold it.

    Call it on features `(n, h, w, c)`; it returns `(values, indices)`, both
    `(n, ceil(h / 2), ceil(w / 2), c)`, the indices int32.
    """

    window = (2, 2, 1)  # kernel, stride and dilation, for receptive fields

    def call(self, x):
        """Return the maxima and their indices."""
        height, width = ops.shape(x)[1:3]
        if x.shape[1] is None or x.shape[1] % 2:
            x = ops.concatenate([x, x[:, -1:]], axis=1)[:, : height + height % 2]
        if x.shape[2] is None or x.shape[2] % 2:
            x = ops.concatenate([x, x[:, :, -1:]], axis=2)[:, :, : width + width % 2]
        height, width, channels = ops.shape(x)[1:]
        windows = ops.reshape(x, (-1, height // 2, 2, width // 2, 2, channels))
        windows = ops.transpose(windows, (0, 1, 3, 2, 4, 5))
        windows = ops.reshape(windows, (-1, height // 2, width // 2, 4, channels))
        return ops.max(windows, axis=3), ops.cast(ops.argmax(windows, axis=3), "int32")

    def compute_output_spec(self, x):
        """Return the shapes and types of the maxima and the indices."""
        shape = (x.shape[0], *(size and -(-size // 2) for size in x.shape[1:3]), x.shape[3])
        return (
            keras.KerasTensor(shape, dtype=self.compute_dtype),
            keras.KerasTensor(shape, dtype="int32"),
        )


@keras.saving.register_keras_serializable(package="segbook")
class MaxUnpool(layers.Layer):
    """Put each value back where `MaxPoolWithIndices` found it, and zero elsewhere.

    SegNet (Badrinarayanan, Kendall and Cipolla, 2017), section 3.

    Call it on `[values, indices]`, both `(n, h, w, c)`; the result is `(n, 2h, 2w, c)`.
    """

    def call(self, inputs):
        """Return the values in their places."""
        values, indices = inputs
        height, width, channels = ops.shape(values)[1:]
        places = ops.reshape(ops.arange(4, dtype="int32"), (4, 1))
        here = ops.cast(indices[:, :, :, None, :] == places, values.dtype)
        windows = here * values[:, :, :, None, :]
        windows = ops.reshape(windows, (-1, height, width, 2, 2, channels))
        windows = ops.transpose(windows, (0, 1, 3, 2, 4, 5))
        return ops.reshape(windows, (-1, 2 * height, 2 * width, channels))

    def compute_output_shape(self, input_shape):
        """Return the shape of the unpooled values."""
        batch, height, width, channels = input_shape[0]
        return (batch, height and 2 * height, width and 2 * width, channels)


@keras.saving.register_keras_serializable(package="segbook")
class DilatedMaxPooling(layers.Layer):
    """Take the maximum of samples `dilation` apart, from each sample towards the bottom right.

    What remains of a strided pooling layer when its stride is turned into dilation: sampled at
    every second place it equals pooling with stride 2 and "same" padding, for even sizes.

    Args:
        pool_size: Number of samples in each direction.
        dilation: Distance between the samples.
    """

    def __init__(self, pool_size=2, dilation=1, **kwargs):
        super().__init__(**kwargs)
        self.pool_size = pool_size
        self.dilation = dilation

    @property
    def window(self):
        """Kernel, stride and dilation, for receptive fields."""
        return self.pool_size, 1, self.dilation

    def call(self, x):
        """Return the maxima, as many as there are samples in `x`."""
        lowest = -65504.0 if self.compute_dtype == "float16" else -3e38
        reach = self.dilation * (self.pool_size - 1)
        for axis in (1, 2):
            size = ops.shape(x)[axis]
            padding = [(0, 0)] * 4
            padding[axis] = (0, reach)
            padded = ops.pad(x, padding, constant_values=lowest)
            for start in range(self.dilation, reach + 1, self.dilation):
                window = slice(start, start + size)
                x = ops.maximum(x, padded[:, window] if axis == 1 else padded[:, :, window])
        return x

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape

    def get_config(self):
        """Return the configuration of the layer."""
        return {**super().get_config(), "pool_size": self.pool_size, "dilation": self.dilation}


@keras.saving.register_keras_serializable(package="segbook")
class AdaptiveAveragePooling(layers.Layer):
    """Average over `bins` x `bins` regions that together cover a picture of any size.

    Region `i` spans `floor(i h / bins)` to `ceil((i + 1) h / bins)`, so neighbours may share a row;
    for `bins` = 1 it is global average pooling. PSPNet (Zhao et al., 2017), section 3.2.

    Args:
        bins: Number of regions in each direction.
    """

    def __init__(self, bins, **kwargs):
        super().__init__(**kwargs)
        self.bins = bins

    def call(self, x):
        """Return the averages, `(n, bins, bins, c)`."""
        if self.bins == 1:
            return ops.mean(x, axis=(1, 2), keepdims=True)
        height, width = ops.shape(x)[1:3]
        x = ops.einsum("bh,nhwc->nbwc", self._shares(height, x.dtype), x)
        return ops.einsum("bw,nawc->nabc", self._shares(width, x.dtype), x)

    def _shares(self, size, dtype):
        """Return the share of each sample in each region, `(bins, size)`."""
        region = ops.arange(self.bins, dtype="int32")[:, None]
        sample = ops.arange(size, dtype="int32")[None, :]
        start = region * size // self.bins
        end = -(-(region + 1) * size // self.bins)
        inside = ops.cast((sample >= start) & (sample < end), "float32")
        return ops.cast(inside / ops.sum(inside, axis=1, keepdims=True), dtype)

    def compute_output_shape(self, input_shape):
        """Return the shape of the averages."""
        return (input_shape[0], self.bins, self.bins, input_shape[3])

    def get_config(self):
        """Return the configuration of the layer."""
        return {**super().get_config(), "bins": self.bins}
