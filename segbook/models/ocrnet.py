"""OCRNet: object-contextual representations."""

import keras

from segbook.backbones import get_backbone
from segbook.layers.attention import object_context
from segbook.layers.blocks import conv_block
from segbook.layers.resize import resize_to
from segbook.models.parts import auxiliary_head, check_arguments, score_pixels


def ocrnet(
    num_classes,
    backbone="resnet101",
    *,
    output_stride=8,
    input_shape=(None, None, 3),
    weights=None,
    width=512,
    key_channels=256,
    auxiliary=False,
    dropout=0.05,
):
    """Make an OCRNet: each place sees the object regions that it resembles.

    Yuan, Chen and Wang, 2020, section 3. For a laptop: `ocrnet(num_classes,
    small_encoder(output_stride=8), width=64, key_channels=32)`, 0.76 million.

    The regions come from auxiliary logits, which need a loss of their own to become regions of
    classes; without it they are attention that learns from the first loss alone. As in the paper:
    `ocrnet(num_classes, auxiliary=True)`, compiled with `loss=[loss, loss]` and
    `loss_weights=[1.0, 0.4]`, fitted to `[masks, masks]`. Afterwards
    `keras.Model(model.input, model.outputs[0])` gives the logits alone.

    With `num_classes=1` there is one region only, whose context is the same at every place.

    Deviation: the authors' ResNet begins with three 3x3 convolutions, the one of
    `keras.applications` with one 7x7.

    Args:
        num_classes: Number of classes.
        backbone: Name of a backbone, or a functional model with five outputs that was built with
            this output stride.
        output_stride: Stride of the coarsest features: 32, 16 or 8.
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: Weights of a backbone given by name: None, "imagenet" or a path.
        width: Channels of the pixel features, of the result and of the auxiliary head.
        key_channels: Channels of queries, keys and values.
        auxiliary: Whether the auxiliary logits are a second output, for their loss.
        dropout: Share of the channels before the scores and before the auxiliary scores that is
            dropped while training.

    Returns:
        A functional model from pictures `(n, h, w, channels)` in [0, 1] to float32 logits
        `(n, h, w, num_classes)`; with `auxiliary` to a list of two such logits.

    Raises:
        ValueError: If an argument does not fit; the message says what is allowed.
    """
    check_arguments(num_classes, input_shape, minimum=32)
    image = keras.Input(input_shape, name="image")
    features = get_backbone(backbone, input_shape, weights=weights, output_stride=output_stride)(
        image
    )
    side = auxiliary_head(
        features[-2], num_classes, width=width, dropout=dropout, spatial_dropout=True
    )
    x = conv_block(features[-1], width, 3, name="pixels")
    regions = resize_to(side, x, name="regions")
    x = object_context(x, regions, key_channels=key_channels, filters=width, dropout=dropout)
    outputs = score_pixels(x, num_classes, image, auxiliary=side if auxiliary else None)
    return keras.Model(image, outputs, name="ocrnet")
