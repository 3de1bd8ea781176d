"""Pooling: maxima with their places, dilated maxima, pyramids, and atrous pyramids (ASPP)."""

import keras
from keras import layers, ops

from segbook.layers import conv_block, resize_to, separable_block


@keras.saving.register_keras_serializable(package="segbook")
class MaxPoolWithIndices(layers.Layer):
    """Take the maximum of each 2x2 window, and where in the window it is.

    SegNet (Badrinarayanan, Kendall and Cipolla, 2017), section 3. An odd size is completed by its
    last row or column. Plain reshapes, so that it compiles on every backend; an index is 0 to 3 in
    reading order, so two bits would hold it.

    Call it on features `(n, h, w, c)`; it returns `(values, indices)`, both
    `(n, ceil(h / 2), ceil(w / 2), c)`, the indices int32.
    """

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


def check_rates(rates):
    """Raise unless `rates` are atrous rates.

    Args:
        rates: Positive integers, one a branch.

    Raises:
        ValueError: If there is none, or one is not a positive integer.
    """
    if not rates or any(not isinstance(rate, int) or rate < 1 for rate in rates):
        raise ValueError(
            f"rates={rates!r} must be positive integers, one a branch, such as (6, 12, 18) for "
            "output stride 16 and (12, 24, 36) for output stride 8."
        )


def aspp_sum(x, num_classes, rates=(6, 12, 18, 24), hidden=None, dropout=0.5, name="aspp"):
    """Score features at several atrous rates and add the scores: the ASPP of DeepLab v2.

    DeepLab v2 (Chen et al., 2017), section 3.2.

    Args:
        x: Features `(n, h, w, c)`.
        num_classes: Number of classes.
        rates: Atrous rate of each branch; the paper's ASPP-L, or (2, 4, 8, 12) for ASPP-S.
        hidden: Channels of two hidden layers in each branch, "fc6" (3x3) and "fc7" (1x1), as in the
            paper's VGG-16 network: 1024. None: a branch is one 3x3 convolution, as in its ResNet.
        dropout: Share of hidden units that is dropped while training.
        name: Prefix of the names of the layers.

    Returns:
        Scores `(n, h, w, num_classes)`.

    Raises:
        ValueError: If a rate is not a positive integer.
    """
    check_rates(rates)
    scores = []
    for i, rate in enumerate(rates, start=1):
        branch, kernel, dilation = x, 3, rate
        if hidden:
            for layer, size, atrous in (("fc6", 3, rate), ("fc7", 1, 1)):
                prefix = f"{name}_{layer}_{i}"
                branch = conv_block(
                    branch, hidden, size, dilation=atrous, normalize=False, name=prefix
                )
                branch = layers.Dropout(dropout, name=f"{prefix}_dropout")(branch)
            kernel, dilation = 1, 1
        score = layers.Conv2D(
            num_classes, kernel, dilation_rate=dilation, padding="same", name=f"{name}_score_{i}"
        )
        scores.append(score(branch))
    return layers.Add(name=f"{name}_sum")(scores) if len(scores) > 1 else scores[0]


def image_pooling(x, filters, name="image_pooling"):
    """Give every place the average of the whole picture, through a 1x1 convolution.

    DeepLab v3 (Chen et al., 2017), section 3.3. While training on a single picture its batch
    normalisation sees one value a channel and gives its shift alone: train with a batch of 2 or
    more, or freeze batch normalisation.

    Args:
        x: Features `(n, h, w, c)`.
        filters: Number of output channels.
        name: Prefix of the names of the layers.

    Returns:
        Features `(n, h, w, filters)`, the same at every place of a picture.
    """
    pooled = AdaptiveAveragePooling(1, name=name)(x)
    pooled = conv_block(pooled, filters, 1, name=f"{name}_conv")
    return resize_to(pooled, x, name=f"{name}_up")


def aspp(x, filters=256, rates=(6, 12, 18), separable=False, pool=True, dropout=0.5, name="aspp"):
    """Concatenate a 1x1, several atrous 3x3 and an image pooling branch: the ASPP of DeepLab v3.

    DeepLab v3 (Chen et al., 2017), section 3.3; separable as in DeepLab v3+ (Chen et al., 2018),
    section 3.2. With 2048 channels in and the defaults, 15,535,104 trainable parameters.

    Args:
        x: Features `(n, h, w, c)`.
        filters: Channels of each branch and of the result.
        rates: Atrous rates: (6, 12, 18) at output stride 16, the double at 8.
        separable: Whether the 3x3 convolutions are depthwise separable.
        pool: Whether there is an image pooling branch.
        dropout: Share of the result that is dropped while training.
        name: Prefix of the names of the layers.

    Returns:
        Features `(n, h, w, filters)`.

    Raises:
        ValueError: If a rate is not a positive integer.
    """
    check_rates(rates)
    block = separable_block if separable else conv_block
    branches = [conv_block(x, filters, 1, name=f"{name}_0")]
    for i, rate in enumerate(rates, start=1):
        branches.append(block(x, filters, 3, dilation=rate, name=f"{name}_{i}"))
    if pool:
        branches.append(image_pooling(x, filters, name=f"{name}_pool"))
    x = layers.Concatenate(name=f"{name}_concat")(branches)
    x = conv_block(x, filters, 1, name=f"{name}_project")
    return layers.Dropout(dropout, name=f"{name}_dropout")(x)


def pyramid_pooling(x, bins=(1, 2, 3, 6), name="pyramid"):
    """Concatenate features with their averages over regions of several sizes.

    PSPNet (Zhao et al., 2017), section 3.2.

    Args:
        x: Features `(n, h, w, c)`.
        bins: Number of regions in each direction, one a level.
        name: Prefix of the names of the layers.

    Returns:
        Features `(n, h, w, c + len(bins) * (c // len(bins)))`.
    """
    channels = x.shape[-1] // len(bins)
    levels = [x]
    for size in bins:
        level = AdaptiveAveragePooling(size, name=f"{name}_{size}")(x)
        level = conv_block(level, channels, 1, name=f"{name}_{size}_conv")
        levels.append(resize_to(level, x, name=f"{name}_{size}_up"))
    return layers.Concatenate(name=f"{name}_concat")(levels)
