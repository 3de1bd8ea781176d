"""Blocks of a convolution, batch normalisation and an activation."""

import keras
from keras import layers

# Keras's own default of 0.99 needs about 500 steps before the moving statistics are usable.
BATCH_NORM_MOMENTUM = 0.9


def batch_normalization(x, *, name=None):
    """Normalise over the batch, with momentum 0.9 and epsilon 1e-5.

    These are the defaults of PyTorch, in which most of the published models are written. DeepLab v3
    and v3+ have momentum 0.9997, which needs tens of thousands of steps.

    Args:
        x: Features `(n, h, w, c)`.
        name: Name of the layer.

    Returns:
        Features of the same shape.
    """
    return layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, epsilon=1e-5, name=name)(x)


def conv_block(
    x,
    filters,
    kernel_size=3,
    *,
    strides=1,
    dilation=1,
    batch_norm=True,
    use_bias=None,
    activation="relu",
    padding="same",
    name=None,
):
    """Apply a convolution, batch normalisation and an activation.

    Args:
        x: Features `(n, h, w, c)`.
        filters: Number of output channels.
        kernel_size: Size of the kernel, in samples.
        strides: Stride of the convolution.
        dilation: Distance between the kernel's samples.
        batch_norm: Whether batch normalisation follows.
        use_bias: Whether the convolution has a bias. None: only without batch normalisation, which
            would remove it.
        activation: Activation after the normalisation, or None.
        padding: "same" or "valid".
        name: Prefix of the names of the layers: `name`, `name_bn`, `name_relu`.

    Returns:
        Features `(n, ceil(h / strides), ceil(w / strides), filters)` with "same" padding.
    """
    x = layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        dilation_rate=dilation,
        padding=padding,
        use_bias=not batch_norm if use_bias is None else use_bias,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    if batch_norm:
        x = batch_normalization(x, name=name and f"{name}_bn")
    if activation:
        x = layers.Activation(activation, name=name and f"{name}_{activation}")(x)
    return x


def separable_block(
    x, filters, kernel_size=3, *, strides=1, dilation=1, inner_activation=True, name=None
):
    """Apply a depthwise and a 1x1 convolution, each with batch normalisation and ReLU.

    DeepLab v3+ (Chen et al., 2018), section 3.1 (atrous separable convolution). On a CPU,
    TensorFlow's XLA makes depthwise convolutions many times slower; Keras leaves it off there.

    Kernels start as He et al. (2015) say: normal, with variance 2 over the number of samples that
    an output is made of, `kernel_size**2` in the depthwise convolution and `c` in the 1x1. The
    authors' code has deviations of 0.33 and 0.06 whatever `c` is. Keras's "he_normal" counts `c`
    times too many samples in a depthwise kernel, which then starts `sqrt(c)` times too small.

    Args:
        x: Features `(n, h, w, c)`.
        filters: Number of output channels.
        kernel_size: Size of the depthwise kernel, in samples.
        strides: Stride of the depthwise convolution.
        dilation: Distance between the depthwise kernel's samples.
        inner_activation: Whether batch normalisation and ReLU also stand between the two.
        name: Prefix of the names of the layers.

    Returns:
        Features `(n, ceil(h / strides), ceil(w / strides), filters)`.
    """
    prefix = name and f"{name}_depthwise"
    x = layers.DepthwiseConv2D(
        kernel_size,
        strides=strides,
        dilation_rate=dilation,
        padding="same",
        use_bias=False,
        # One output for each channel: the fan out is what an output is made of.
        depthwise_initializer=keras.initializers.VarianceScaling(2.0, mode="fan_out"),
        name=prefix,
    )(x)
    if inner_activation:
        x = batch_normalization(x, name=prefix and f"{prefix}_bn")
        x = layers.ReLU(name=prefix and f"{prefix}_relu")(x)
    return conv_block(x, filters, 1, name=name and f"{name}_pointwise")
