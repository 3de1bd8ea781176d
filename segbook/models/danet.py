"""DANet: position and channel attention."""

import keras
from keras import layers

from segbook.backbones import get_backbone
from segbook.layers.attention import ChannelAttention, PositionAttention
from segbook.layers.blocks import conv_block
from segbook.layers.resize import logits_like
from segbook.models.parts import check_arguments, multi_grid_option


def danet(
    num_classes,
    backbone="resnet101",
    *,
    output_stride=8,
    input_shape=(None, None, 3),
    weights=None,
    multi_grid=None,
    width=512,
    auxiliary=False,
    dropout=0.1,
):
    """Make a DANet: position and channel attention side by side.

    Fu et al., 2019, section 3. For a laptop: `danet(num_classes, small_encoder(output_stride=8),
    width=48)`, 0.74 million.

    Two things differ between the paper and the authors' code: the queries and keys of position
    attention have an eighth of the channels, as in the code, and channel attention is the paper's.

    Args:
        num_classes: Number of classes.
        backbone: Name of a backbone, or a functional model with five outputs that was built with
            this output stride.
        output_stride: Stride of the coarsest features: 32, 16 or 8.
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: Weights of a backbone given by name: None, "imagenet" or a path.
        multi_grid: Factors on the dilation of a ResNet's last three blocks. None: (1, 2, 4)
            for a ResNet given by name, the paper's dilations 4, 8, 16 (section 4.2), else none.
        width: Channels of both branches: a quarter of a ResNet's features, 512, at least 8.
        auxiliary: Whether the two branches alone give a second and a third output, for losses of
            their own, as in the authors' code.
        dropout: Share of the channels before each score layer that is dropped while training.

    Returns:
        A functional model from pictures `(n, h, w, channels)` in [0, 1] to float32 logits
        `(n, h, w, num_classes)`; with `auxiliary` to a list of three such logits: both branches,
        position, channel.

    Raises:
        ValueError: If an argument does not fit; the message says what is allowed.
    """
    check_arguments(num_classes, input_shape, minimum=32)
    options = multi_grid_option(backbone, multi_grid)
    image = keras.Input(input_shape, name="image")
    features = get_backbone(
        backbone, input_shape, weights=weights, output_stride=output_stride, **options
    )(image)[-1]
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
        x = layers.SpatialDropout2D(dropout, name=f"{name}_dropout")(x)
        x = layers.Conv2D(num_classes, 1, name=f"{name}_score")(x)
        outputs.append(logits_like(x, image, name=name))
    return keras.Model(image, outputs if auxiliary else outputs[0], name="danet")
