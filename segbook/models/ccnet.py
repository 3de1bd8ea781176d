"""CCNet: criss-cross attention."""

import keras
from keras import layers

from segbook.backbones import get_backbone
from segbook.layers.attention import CrissCrossAttention
from segbook.layers.blocks import conv_block
from segbook.models.parts import auxiliary_head, check_arguments, score_pixels


def ccnet(
    num_classes,
    backbone="resnet101",
    *,
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
    small_encoder(output_stride=8), width=48)`, 0.74 million.

    Deviations: the category consistency loss of the paper's later version is left out. The authors'
    ResNet begins with three 3x3 convolutions, the one of `keras.applications` with one 7x7, and
    their code has leaky ReLU (slope 0.01) in the head, here ReLU.

    Args:
        num_classes: Number of classes.
        backbone: Name of a backbone, or a functional model with five outputs that was built with
            this output stride.
        output_stride: Stride of the coarsest features: 32, 16 or 8.
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: Weights of a backbone given by name: None, "imagenet" or a path.
        recurrence: Times that the attention is applied, the paper's R; 2 reaches every place.
        width: Channels of the attention, the head and the auxiliary head, at least 8.
        auxiliary: Whether a second output gives logits from the features before the last stage, for
            a second loss with weight 0.4.
        dropout: Share of the channels before the scores that is dropped while training.

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
    features = get_backbone(backbone, input_shape, weights=weights, output_stride=output_stride)(
        image
    )
    x = conv_block(features[-1], width, 3, name="attention_in")
    attention = CrissCrossAttention(name="attention")
    for _ in range(recurrence):
        x = attention(x)
    x = conv_block(x, width, 3, name="attention_out")
    x = layers.Concatenate(name="concat")([features[-1], x])
    x = conv_block(x, width, 3, name="head")
    x = layers.SpatialDropout2D(dropout, name="head_dropout")(x)
    side = None
    if auxiliary:
        side = auxiliary_head(features[-2], num_classes, width=width, spatial_dropout=True)
    outputs = score_pixels(x, num_classes, image, auxiliary=side)
    return keras.Model(image, outputs, name="ccnet")
