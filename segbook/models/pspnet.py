"""PSPNet: pyramid pooling."""

import keras
from keras import layers

from segbook.backbones import get_backbone
from segbook.layers import conv_block
from segbook.layers.pyramids import pyramid_pooling
from segbook.models.parts import auxiliary_head, check_arguments, score_pixels


def pspnet(
    num_classes,
    backbone="resnet50",
    *,
    output_stride=8,
    input_shape=(None, None, 3),
    weights=None,
    bins=(1, 2, 3, 6),
    width=512,
    auxiliary=False,
    dropout=0.1,
):
    """Make a PSPNet.

    Zhao et al., 2017, section 3. For a laptop: `pspnet(num_classes,
    small_encoder(output_stride=8), width=96)`, 0.83 million.

    Deviation: the authors' ResNet begins with three 3x3 convolutions, the one of
    `keras.applications` with one 7x7.

    Args:
        num_classes: Number of classes.
        backbone: Name of a backbone, or a functional model with five outputs that was built with
            this output stride.
        output_stride: Stride of the coarsest features: 32, 16 or 8.
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: Weights of a backbone given by name: None, "imagenet" or a path.
        bins: Regions in each direction, one a level of the pyramid.
        width: Channels of the last 3x3 convolution.
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
    if not bins or min(bins) < 1:
        raise ValueError(f"bins={bins!r} must be positive integers, such as (1, 2, 3, 6).")
    image = keras.Input(input_shape, name="image")
    features = get_backbone(backbone, input_shape, weights=weights, output_stride=output_stride)(
        image
    )
    x = pyramid_pooling(features[-1], bins)
    x = conv_block(x, width, 3, name="head")
    x = layers.Dropout(dropout, name="head_dropout")(x)
    side = auxiliary_head(features[-2], num_classes) if auxiliary else None
    outputs = score_pixels(x, num_classes, image, auxiliary=side)
    return keras.Model(image, outputs, name="pspnet")
