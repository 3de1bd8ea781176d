"""Attention over places, channels, crosses and object regions."""

import math

import keras
from keras import layers, ops

from segbook.layers.blocks import conv_block
from segbook.layers.precision import widen


class _Projected(layers.Layer):
    """What position and criss-cross attention share: three 1x1 convolutions and a learnt weight."""

    def __init__(self, *, reduction=8, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, input_shape):
        """Make the convolutions and `gamma`, which starts at zero."""
        channels = input_shape[-1]
        if channels < self.reduction:
            raise ValueError(
                f"reduction={self.reduction} must be at most the number of channels, {channels}."
            )
        inner = channels // self.reduction
        self.query = self._projection(inner, "query")
        self.key = self._projection(inner, "key")
        self.value = self._projection(channels, "value")
        for projection in (self.query, self.key, self.value):
            projection.build(input_shape)
        self.gamma = self.add_weight(shape=(), initializer="zeros", name="gamma")

    def _projection(self, filters, name):
        return layers.Conv2D(
            filters, 1, data_format="channels_last", dtype=self.dtype_policy, name=name
        )

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape

    def get_config(self):
        """Return the configuration of the layer."""
        return {**super().get_config(), "reduction": self.reduction}

    def _multiply_adds(self, input_shape, attended):
        _, height, width, channels = input_shape
        inner = channels // self.reduction
        projections = channels * (2 * inner + channels)
        return height * width * (projections + attended * (inner + channels))


@keras.saving.register_keras_serializable(package="segbook")
class PositionAttention(_Projected):
    """Let every place attend to every other: `gamma * attention + x`, with `gamma` zero at first.

    DANet (Fu et al., 2019), section 3.2; the identity at the start. The attention map has
    `(h w)^2` entries, in float32. Call it on features `(n, h, w, c)`; the shape stays.

    Args:
        reduction: Channels of the input per channel of the queries and keys. Equation 1 has as many
            (1); the authors' code an eighth (8).
    """

    def call(self, x):
        """Return the attended features."""
        _, height, width, channels = ops.shape(x)
        query, key, value = (
            ops.reshape(project(x), (-1, height * width, project.filters))
            for project in (self.query, self.key, self.value)
        )
        energy = ops.matmul(widen(query), ops.transpose(widen(key), (0, 2, 1)))
        attention = ops.cast(ops.softmax(energy, axis=-1), value.dtype)
        context = ops.matmul(attention, value)
        context = ops.reshape(context, (-1, height, width, channels))
        return ops.cast(self.gamma, x.dtype) * context + x

    def multiply_adds(self, input_shape):
        """Return the multiply-adds for an input of shape `(n, h, w, c)`, per picture."""
        return self._multiply_adds(input_shape, attended=input_shape[1] * input_shape[2])


@keras.saving.register_keras_serializable(package="segbook")
class CrissCrossAttention(_Projected):
    """Let every place attend to its row and its column: `gamma * attention + x`.

    CCNet (Huang et al., 2019), section 3.2; the identity at the start. The softmax runs over the
    `h + w - 1` places of the cross together; the centre is counted once. Applied twice it reaches
    every place. Call it on features `(n, h, w, c)`; the shape stays.

    Args:
        reduction: Channels of the input per channel of the queries and keys.
    """

    def call(self, x):
        """Return the attended features."""
        height = ops.shape(x)[1]
        # Columns are (n, w, h, c), so that both directions are plain matrix products.
        query, key, value = (project(x) for project in (self.query, self.key, self.value))
        query, key = widen(query), widen(key)
        query_column, key_column, value_column = (
            ops.transpose(y, (0, 2, 1, 3)) for y in (query, key, value)
        )
        row = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        column = ops.matmul(query_column, ops.transpose(key_column, (0, 1, 3, 2)))
        column = column - 1e9 * ops.eye(height, dtype=column.dtype)
        column = ops.transpose(column, (0, 2, 1, 3))
        attention = ops.softmax(ops.concatenate([column, row], axis=-1), axis=-1)
        attention = ops.cast(attention, value.dtype)
        column = ops.transpose(attention[..., :height], (0, 2, 1, 3))
        context = ops.matmul(attention[..., height:], value)
        context = context + ops.transpose(ops.matmul(column, value_column), (0, 2, 1, 3))
        return ops.cast(self.gamma, x.dtype) * context + x

    def multiply_adds(self, input_shape):
        """Return the multiply-adds for an input of shape `(n, h, w, c)`, per picture."""
        return self._multiply_adds(input_shape, attended=input_shape[1] + input_shape[2])


@keras.saving.register_keras_serializable(package="segbook")
class ChannelAttention(layers.Layer):
    """Let every channel attend to every other: `gamma * attention + x`, with `gamma` zero at first.

    DANet (Fu et al., 2019), section 3.3, equation 3: the softmax of the similarity of channels. The
    authors' published code takes the softmax of `max - similarity` instead, which attends most to
    the channels that are least alike; this layer follows the paper.

    Call it on features `(n, h, w, c)`; the shape stays.
    """

    def build(self, input_shape):
        """Make `gamma`, which starts at zero."""
        self.gamma = self.add_weight(shape=(), initializer="zeros", name="gamma")

    def call(self, x):
        """Return the attended features."""
        _, height, width, channels = ops.shape(x)
        flat = ops.reshape(x, (-1, height * width, channels))
        wide = widen(flat)
        energy = ops.matmul(ops.transpose(wide, (0, 2, 1)), wide)
        attention = ops.cast(ops.softmax(energy, axis=-1), x.dtype)
        context = ops.matmul(flat, ops.transpose(attention, (0, 2, 1)))
        context = ops.reshape(context, (-1, height, width, channels))
        return ops.cast(self.gamma, x.dtype) * context + x

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape

    def multiply_adds(self, input_shape):
        """Return the multiply-adds for an input of shape `(n, h, w, c)`, per picture."""
        _, height, width, channels = input_shape
        return 2 * height * width * channels**2


@keras.saving.register_keras_serializable(package="segbook")
class ObjectRegions(layers.Layer):
    """Average the features of each soft object region.

    OCRNet (Yuan, Chen and Wang, 2020), section 3.2, equation 2: the weights of a region are the
    softmax of its logits over all places, so they sum to one over space.

    Call it on `[features, logits]`, shapes `(n, h, w, c)` and `(n, h, w, num_classes)`; the result
    is `(n, 1, num_classes, c)`, one vector a region.
    """

    def call(self, inputs):
        """Return the region vectors."""
        features, logits = inputs
        height, width, channels = ops.shape(features)[1:]
        classes = logits.shape[-1]
        weights = ops.reshape(region_weights(logits), (-1, height * width, classes))
        flat = ops.reshape(widen(features), (-1, height * width, channels))
        regions = ops.matmul(ops.transpose(weights, (0, 2, 1)), flat)
        return ops.cast(regions[:, None], features.dtype)

    def compute_output_shape(self, input_shape):
        """Return the shape of the region vectors."""
        features, logits = input_shape
        return (features[0], 1, logits[3], features[3])

    def multiply_adds(self, input_shape):
        """Return the multiply-adds for inputs of these shapes, per picture."""
        (_, height, width, channels), logits = input_shape
        return height * width * channels * logits[3]


def region_weights(logits):
    """Turn logits into the weights of soft object regions, which sum to one over space.

    Args:
        logits: `(n, h, w, num_classes)`.

    Returns:
        Weights of the same shape, float32 at least.
    """
    height, width, classes = ops.shape(logits)[1:]
    flat = ops.reshape(widen(logits), (-1, height * width, classes))
    return ops.reshape(ops.softmax(flat, axis=1), (-1, height, width, classes))


@keras.saving.register_keras_serializable(package="segbook")
class ScaledDotProduct(layers.Layer):
    """Give each place a mixture of region values, weighted by how well keys match its query.

    OCRNet (Yuan, Chen and Wang, 2020), section 3.2, equations 3 and 4.

    Call it on `[query, key, value]`, shapes `(n, h, w, k)`, `(n, 1, regions, k)` and
    `(n, 1, regions, c)`; the result is `(n, h, w, c)`.
    """

    def call(self, inputs):
        """Return the mixtures."""
        query, key, value = inputs
        energy = ops.matmul(widen(query), ops.transpose(widen(key), (0, 1, 3, 2)))
        attention = ops.softmax(energy / math.sqrt(query.shape[-1]), axis=-1)
        return ops.matmul(ops.cast(attention, value.dtype), value)

    def compute_output_shape(self, input_shape):
        """Return the shape of the mixtures."""
        query, _, value = input_shape
        return (*query[:3], value[3])

    def multiply_adds(self, input_shape):
        """Return the multiply-adds for inputs of these shapes, per picture."""
        (_, height, width, keys), (_, _, regions, _), (*_, channels) = input_shape
        return height * width * regions * (keys + channels)


def object_context(features, logits, *, key_channels=256, filters=512, dropout=0.05, name="ocr"):
    """Add to each place the regions that it resembles: object-contextual representations.

    OCRNet (Yuan, Chen and Wang, 2020), section 3.2, equations 2 to 5. As in the authors' code,
    dropout takes whole channels.

    Args:
        features: `(n, h, w, c)`.
        logits: Coarse logits that say which region is where, `(n, h, w, num_classes)`.
        key_channels: Channels of queries, keys and values.
        filters: Channels of the result.
        dropout: Share of the result's channels that is dropped while training.
        name: Prefix of the names of the layers.

    Returns:
        Features `(n, h, w, filters)`.
    """
    regions = ObjectRegions(name=f"{name}_regions")([features, logits])
    query, key = features, regions
    for i in (1, 2):
        query = conv_block(query, key_channels, 1, name=f"{name}_query_{i}")
        key = conv_block(key, key_channels, 1, name=f"{name}_key_{i}")
    value = conv_block(regions, key_channels, 1, name=f"{name}_value")
    context = ScaledDotProduct(name=f"{name}_attention")([query, key, value])
    context = conv_block(context, features.shape[-1], 1, name=f"{name}_up")
    x = layers.Concatenate(name=f"{name}_concat")([context, features])
    x = conv_block(x, filters, 1, name=f"{name}_fuse")
    return layers.SpatialDropout2D(dropout, name=f"{name}_dropout")(x)
