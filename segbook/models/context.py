"""Models with attention: DANet, CCNet and OCRNet."""

import keras
from keras import layers

from segbook.attention import (
    ChannelAttention,
    CrissCrossAttention,
    PositionAttention,
    object_context,
)
from segbook.backbones import get_backbone
from segbook.layers import conv_block, logits_like, resize_to
from segbook.models.common import auxiliary_head, check_arguments


def danet(
    num_classes,
    backbone="resnet101",
    output_stride=8,
    input_shape=(None, None, 3),
    weights=None,
    width=512,
    auxiliary=False,
    dropout=0.1,
):
    """Make a DANet: position and channel attention side by side.

    Fu et al., 2019, section 3. For a laptop: `danet(num_classes, small_encoder(output_stride=8),
    width=48)`, 0.74 million.

    Args:
        num_classes: Number of classes.
        backbone: Name of a backbone, or a functional model with five outputs that was built with
            this output stride.
        output_stride: Stride of the coarsest features: 32, 16 or 8.
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: Weights of a backbone given by name: None, "imagenet" or a path.
        width: Channels of both branches: a quarter of a ResNet's features, 512, at least 8.
        auxiliary: Whether the two branches alone give a second and a third output, for losses of
            their own, as in the authors' code.
        dropout: Share of the features before each score layer that is dropped while training.

    Returns:
        A functional model from pictures `(n, h, w, channels)` in [0, 1] to float32 logits
        `(n, h, w, num_classes)`; with `auxiliary` to a list of three such logits: both branches,
        position, channel.

    Raises:
        ValueError: If an argument does not fit; the message says what is allowed.
    """
    check_arguments(num_classes, input_shape, minimum=32)
    image = keras.Input(input_shape, name="image")
    features = get_backbone(backbone, input_shape, weights, output_stride)(image)[-1]
    branches = []
    for name, attention in (("position", PositionAttention), ("channel", ChannelAttention)):
        x = conv_block(features, width, 3, name=f"{name}_in")
        x = attention(name=f"{name}_attention")(x)
        branches.append(conv_block(x, width, 3, name=f"{name}_out"))
    both = layers.Add(name="sum")(branches)
    heads = [("logits", both)]
    if auxiliary:
        heads += zip(("position_logits", "channel_logits"), branches, strict=True)
    outputs = []
    for name, x in heads:
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
        x = layers.Conv2D(num_classes, 1, name=f"{name}_score")(x)
        outputs.append(logits_like(x, image, name=name))
    return keras.Model(image, outputs if auxiliary else outputs[0], name="danet")


def ccnet(
    num_classes,
    backbone="resnet101",
    output_stride=8,
    input_shape=(None, None, 3),
    weights=None,
    recurrence=2,
    width=512,
    auxiliary=False,
    dropout=0.1,
):
    """Make a CCNet: criss-cross attention, applied again with the same weights.

    Huang et al., 2019, section 3. For a laptop: `ccnet(num_classes,
    small_encoder(output_stride=8), width=48)`, 0.74 million. Deviation: the category consistency
    loss of the paper's later version is left out.

    Args:
        num_classes: Number of classes.
        backbone: Name of a backbone, or a functional model with five outputs that was built with
            this output stride.
        output_stride: Stride of the coarsest features: 32, 16 or 8.
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: Weights of a backbone given by name: None, "imagenet" or a path.
        recurrence: Times that the attention is applied, the paper's R; 2 reaches every place.
        width: Channels of the attention and the head, at least 8.
        auxiliary: Whether a second output gives logits from the features before the last stage, for
            a second loss with weight 0.4.
        dropout: Share of the last features that is dropped while training.

    Returns:
        A functional model from pictures `(n, h, w, channels)` in [0, 1] to float32 logits
        `(n, h, w, num_classes)`; with `auxiliary` to a list of two such logits.

    Raises:
        ValueError: If an argument does not fit; the message says what is allowed.
    """
    check_arguments(num_classes, input_shape, minimum=32)
    if recurrence < 1:
        raise ValueError(f"recurrence={recurrence} must be 1 or more.")
    image = keras.Input(input_shape, name="image")
    features = get_backbone(backbone, input_shape, weights, output_stride)(image)
    x = conv_block(features[-1], width, 3, name="attention_in")
    attention = CrissCrossAttention(name="attention")
    for _ in range(recurrence):
        x = attention(x)
    x = conv_block(x, width, 3, name="attention_out")
    x = layers.Concatenate(name="concat")([features[-1], x])
    x = conv_block(x, width, 3, name="head")
    x = layers.Dropout(dropout, name="head_dropout")(x)
    x = layers.Conv2D(num_classes, 1, name="score")(x)
    outputs = logits_like(x, image)
    if auxiliary:
        side = auxiliary_head(features[-2], num_classes, dropout=0.1)
        outputs = [outputs, logits_like(side, image, name="auxiliary")]
    return keras.Model(image, outputs, name="ccnet")


def ocrnet(
    num_classes,
    backbone="resnet101",
    output_stride=8,
    input_shape=(None, None, 3),
    weights=None,
    width=512,
    key_channels=256,
    auxiliary=True,
    dropout=0.05,
):
    """Make an OCRNet: each place sees the object regions that it resembles.

    Yuan, Chen and Wang, 2020, section 3. The regions come from auxiliary logits, which need a loss
    of their own: the paper weighs it 0.4 against 1 for the logits. For a laptop:
    `ocrnet(num_classes, small_encoder(output_stride=8), width=64, key_channels=32)`, 0.76 million.

    Args:
        num_classes: Number of classes.
        backbone: Name of a backbone, or a functional model with five outputs that was built with
            this output stride.
        output_stride: Stride of the coarsest features: 32, 16 or 8.
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: Weights of a backbone given by name: None, "imagenet" or a path.
        width: Channels of the pixel features and of the result.
        key_channels: Channels of queries, keys and values.
        auxiliary: Whether the auxiliary logits are a second output, for their loss.
        dropout: Share of the last features that is dropped while training.

    Returns:
        A functional model from pictures `(n, h, w, channels)` in [0, 1] to a list of two float32
        logits `(n, h, w, num_classes)`, the second auxiliary; without `auxiliary` to the first.

    Raises:
        ValueError: If an argument does not fit; the message says what is allowed.
    """
    check_arguments(num_classes, input_shape, minimum=32)
    image = keras.Input(input_shape, name="image")
    features = get_backbone(backbone, input_shape, weights, output_stride)(image)
    side = auxiliary_head(features[-2], num_classes, width=width, dropout=dropout)
    x = conv_block(features[-1], width, 3, name="pixels")
    regions = resize_to(side, x, name="regions")
    x = object_context(x, regions, key_channels, width, dropout)
    x = layers.Conv2D(num_classes, 1, name="score")(x)
    outputs = logits_like(x, image)
    if auxiliary:
        outputs = [outputs, logits_like(side, image, name="auxiliary")]
    return keras.Model(image, outputs, name="ocrnet")
