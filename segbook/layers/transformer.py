"""Transformer blocks on feature maps: overlapping patches, attention with fewer keys, mix-FFN."""

from keras import initializers, layers


def patch_embedding(x, filters, kernel_size=3, *, strides=2, name=None):
    """Merge overlapping patches into vectors: a strided convolution and layer normalisation.

    SegFormer (Xie et al., 2021), section 3.1, "Overlapped Patch Merging". The picture is padded by
    half a kernel on every side, as in the authors' code, so patches are centred on every
    `strides`-th pixel, the first one included.

    Args:
        x: Pictures or features `(n, h, w, c)`.
        filters: Number of output channels.
        kernel_size: Size of a patch in samples, odd.
        strides: Distance between neighbouring patches in samples.
        name: Prefix of the names of the layers.

    Returns:
        Features `(n, ceil(h / strides), ceil(w / strides), filters)`.
    """
    x = layers.ZeroPadding2D(kernel_size // 2, name=name and f"{name}_padding")(x)
    x = layers.Conv2D(
        filters, kernel_size, strides=strides, kernel_initializer=_convolution(), name=name
    )(x)
    return layer_normalization(x, name=name and f"{name}_norm")


def transformer_block(x, heads, *, reduction=1, expansion=4, drop_path=0.0, name=None):
    """Add attention over all places, then a mix-FFN, each after layer normalisation.

    SegFormer (Xie et al., 2021), section 3.1. The shape stays.

    Args:
        x: Features `(n, h, w, c)`.
        heads: Number of attention heads; divides `c`.
        reduction: Side of the squares of places that share one key and one value, the paper's
            R is its square. At most the height and the width of the features.
        expansion: Channels inside the mix-FFN per channel of `x`.
        drop_path: Share of the pictures whose sum leaves a branch out, while training (stochastic
            depth; Huang et al., 2016).
        name: Prefix of the names of the layers.

    Returns:
        Features `(n, h, w, c)`.

    Raises:
        ValueError: If `heads` does not divide the number of channels.
    """
    channels = x.shape[-1]
    if channels % heads:
        raise ValueError(f"heads={heads} must divide the number of channels, {channels}.")

    def named(part):
        return name and f"{name}_{part}"

    y = layer_normalization(x, name=named("norm1"))
    y = reduced_attention(y, heads, reduction=reduction, name=named("attention"))
    x = layers.Add(name=named("add1"))([x, _drop_path(y, drop_path, named("drop1"))])
    y = layer_normalization(x, name=named("norm2"))
    y = mix_ffn(y, expansion=expansion, name=named("ffn"))
    return layers.Add(name=named("add2"))([x, _drop_path(y, drop_path, named("drop2"))])


def reduced_attention(x, heads, *, reduction=1, name=None):
    """Let every place attend to squares of places: Keras's multi-head attention with fewer keys.

    SegFormer (Xie et al., 2021), section 3.1, "Efficient Self-Attention": a convolution as large as
    its stride makes one key and value of `reduction x reduction` places. What is left at the right
    and lower border is no key, as in the authors' code.

    Args:
        x: Features `(n, h, w, c)`.
        heads: Number of heads; divides `c`.
        reduction: Side of a square, in places.
        name: Name of the attention layer and prefix of the others.

    Returns:
        Features `(n, h, w, c)`.
    """
    keys = x
    if reduction > 1:
        keys = layers.Conv2D(
            x.shape[-1],
            reduction,
            strides=reduction,
            kernel_initializer=_convolution(),
            name=name and f"{name}_reduce",
        )(x)
        keys = layer_normalization(keys, name=name and f"{name}_reduce_norm")
    return layers.MultiHeadAttention(
        heads,
        x.shape[-1] // heads,
        attention_axes=(1, 2),
        kernel_initializer=_linear(),
        name=name,
    )(x, keys)


def mix_ffn(x, *, expansion=4, name=None):
    """Apply a dense layer, a depthwise 3x3 convolution, GELU and a second dense layer.

    SegFormer (Xie et al., 2021), section 3.1, equation 3. The zeros around the picture tell the
    convolution where the border is, so no positions need to be added (Islam et al., 2020).

    Args:
        x: Features `(n, h, w, c)`.
        expansion: Channels inside per channel of `x`.
        name: Prefix of the names of the layers.

    Returns:
        Features `(n, h, w, c)`.
    """
    channels = x.shape[-1]
    y = layers.Dense(expansion * channels, kernel_initializer=_linear(), name=name and f"{name}_1")(
        x
    )
    y = layers.DepthwiseConv2D(
        3,
        padding="same",
        depthwise_initializer=_convolution(),
        name=name and f"{name}_depthwise",
    )(y)
    y = layers.Activation("gelu", name=name and f"{name}_gelu")(y)
    return layers.Dense(channels, kernel_initializer=_linear(), name=name and f"{name}_2")(y)


def layer_normalization(x, *, name=None):
    """Normalise each place over its channels, with the epsilon of the authors' transformers.

    Ba, Kiros and Hinton, 2016, section 3.

    Args:
        x: Features `(n, h, w, c)`.
        name: Name of the layer.

    Returns:
        Features `(n, h, w, c)` of mean 0 and variance 1 over the channels, scaled and shifted.
    """
    return layers.LayerNormalization(epsilon=1e-6, name=name)(x)


# As in the authors' code. One initializer for each layer: Keras draws an initializer's seed when it
# is made, so that a shared one gives equal numbers to layers of equal shape.
def _linear():
    """Make an initializer for a linear map: small numbers."""
    return initializers.TruncatedNormal(stddev=0.02)


def _convolution():
    """Make an initializer for a convolution, with the variance that He et al. derive."""
    return initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def _drop_path(x, rate, name):
    """Leave a whole branch out for some of the pictures, and scale what is left."""
    if not rate:
        return x
    return layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=name)(x)
