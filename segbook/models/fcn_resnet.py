"""The FCN of torchvision: one head on the dilated features of a ResNet."""

import keras
from keras import layers

from segbook.backbones import get_backbone
from segbook.layers.blocks import conv_block
from segbook.models.parts import auxiliary_head, check_arguments, score_pixels


def fcn_resnet(
    num_classes,
    backbone="resnet50_v1_5",
    *,
    output_stride=8,
    input_shape=(None, None, 3),
    weights=None,
    width=None,
    auxiliary=False,
    dropout=0.1,
):
    """Make torchvision's `fcn_resnet50` or `fcn_resnet101`: an FCN without skips.

    A 3x3 convolution and a 1x1 score on the last features, which dilation keeps at output stride 8,
    and a bilinear resize. Long et al., 2015, have skips on a VGG-16 instead: that is `fcn`.
    `segbook.pretrained.torchvision` loads torchvision's weights. For a laptop:
    `fcn_resnet(num_classes, small_encoder(output_stride=8))`, 0.63 million.

    Args:
        num_classes: Number of classes.
        backbone: Name of a backbone, or a functional model with five outputs that was built with
            this output stride.
        output_stride: Stride of the coarsest features: 32, 16 or 8.
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: Weights of a backbone given by name: None or a path.
        width: Channels of the 3x3 convolution; None for a quarter of the features'.
        auxiliary: Whether a second output gives logits from the features before the last stage, for
            a second loss, as in torchvision.
        dropout: Share of the head's features that is dropped while training.

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
    x = conv_block(features[-1], width or features[-1].shape[-1] // 4, 3, name="head")
    x = layers.Dropout(dropout, name="head_dropout")(x)
    side = auxiliary_head(features[-2], num_classes) if auxiliary else None
    outputs = score_pixels(x, num_classes, image, auxiliary=side)
    return keras.Model(image, outputs, name="fcn_resnet")
