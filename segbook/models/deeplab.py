"""DeepLab v1, v2, v3 and v3+."""

import keras
from keras import layers

from segbook.backbones import get_backbone
from segbook.layers import conv_block, logits_like, resize_to, separable_block
from segbook.layers.pyramids import aspp, aspp_sum, check_rates
from segbook.models.parts import (
    auxiliary_head,
    check_arguments,
    multi_grid_option,
    score_pixels,
)


def deeplab_v1(
    num_classes,
    backbone="vgg16",
    *,
    input_shape=(None, None, 3),
    weights=None,
    rate=12,
    width=1024,
    average_pool=None,
    dropout=0.5,
):
    """Make a DeepLab v1 with a large field of view (DeepLab-LargeFOV).

    Chen et al., 2015, section 3: VGG-16 at output stride 8 and an "fc6" of 3x3 at rate 12;
    20,505,429 parameters for 21 classes. The dense CRF that follows in the paper is no part of the
    network. For a laptop:
    `deeplab_v1(num_classes, small_encoder(output_stride=8), rate=4, width=128)`, 0.75 million.

    Deviation: "fc6" and "fc7" always start at random; the paper converts those of VGG-16.

    Args:
        num_classes: Number of classes.
        backbone: Name of a backbone, built at output stride 8, or a functional model with five
            outputs, at the output stride it was built with. The paper's "vgg16" is
            `vgg16(output_stride=8, pool_size=3)`.
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: Weights of a backbone given by name: None, "imagenet" or a path.
        rate: Atrous rate of "fc6".
        width: Channels of "fc6" and "fc7".
        average_pool: Whether an average over 3x3 samples stands before "fc6", as in the authors'
            published network; the paper does not mention it. None: only for the name "vgg16".
        dropout: Share of the units of "fc6" and "fc7" that is dropped while training.

    Returns:
        A functional model from pictures `(n, h, w, channels)` in [0, 1] to float32 logits
        `(n, h, w, num_classes)`, resized bilinearly.

    Raises:
        ValueError: If an argument does not fit; the message says what is allowed.
    """
    check_arguments(num_classes, input_shape, minimum=32)
    check_rates((rate,))
    image = keras.Input(input_shape, name="image")
    x = _stride_8(backbone, input_shape, weights)(image)[-1]
    if average_pool is None:
        average_pool = backbone == "vgg16"
    if average_pool:
        x = layers.AveragePooling2D(3, 1, padding="same", name="pool5a")(x)
    x = aspp_sum(x, num_classes, (rate,), hidden=width, dropout=dropout, name="field")
    return keras.Model(image, logits_like(x, image), name="deeplab_v1")


def deeplab_v2(
    num_classes,
    backbone="resnet101",
    *,
    input_shape=(None, None, 3),
    weights=None,
    rates=(6, 12, 18, 24),
    hidden=None,
    dropout=0.5,
):
    """Make a DeepLab v2: atrous spatial pyramid pooling by addition.

    Chen et al., 2017, section 3: ResNet-101 at output stride 8 and four 3x3 score convolutions, or,
    with `backbone="vgg16"` and `hidden=1024`, the paper's DeepLab-ASPP-L on VGG-16. The CRF and the
    three scales of the input are no part of the network. For a laptop:
    `deeplab_v2(num_classes, small_encoder(output_stride=8), rates=(1, 2, 4, 6))`, 0.63 million.

    Deviation: hidden layers always start at random; the paper converts "fc6" and "fc7" of VGG-16.

    Args:
        num_classes: Number of classes.
        backbone: Name of a backbone, built at output stride 8, or a functional model with five
            outputs, at the output stride it was built with.
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: Weights of a backbone given by name: None, "imagenet" or a path.
        rates: Atrous rate of each branch.
        hidden: Channels of two hidden layers in each branch; None for none.
        dropout: Share of those hidden units that is dropped while training.

    Returns:
        A functional model from pictures `(n, h, w, channels)` in [0, 1] to float32 logits
        `(n, h, w, num_classes)`, resized bilinearly.

    Raises:
        ValueError: If an argument does not fit; the message says what is allowed.
    """
    check_arguments(num_classes, input_shape, minimum=32)
    check_rates(rates)
    image = keras.Input(input_shape, name="image")
    x = _stride_8(backbone, input_shape, weights)(image)[-1]
    x = aspp_sum(x, num_classes, rates, hidden=hidden, dropout=dropout)
    return keras.Model(image, logits_like(x, image), name="deeplab_v2")


def deeplab_v3(
    num_classes,
    backbone="resnet50",
    *,
    output_stride=16,
    input_shape=(None, None, 3),
    weights=None,
    multi_grid=None,
    rates=None,
    width=256,
    auxiliary=False,
    dropout=0.5,
):
    """Make a DeepLab v3: atrous spatial pyramid pooling by concatenation, with image pooling.

    Chen et al., 2017, section 3. For a laptop: `deeplab_v3(num_classes,
    small_encoder(output_stride=16), width=48)`, 0.80 million.

    Deviations, all torchvision's: a 3x3 convolution between the pyramid and the scores, dropout of
    0.5 where the authors' code has 0.1, and the auxiliary head. `segbook.pretrained.torchvision`
    loads torchvision's weights.

    Args:
        num_classes: Number of classes.
        backbone: Name of a backbone, or a functional model with five outputs that was built with
            this output stride.
        output_stride: Stride of the coarsest features: 16 or 8.
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: Weights of a backbone given by name: None, "imagenet" or a path.
        multi_grid: Factors on the dilation of a ResNet's last three blocks. None: the paper's
            (1, 2, 4) for a ResNet given by name, else none. torchvision has (1, 1, 1).
        rates: Atrous rates. None: the paper's (6, 12, 18) at output stride 16, the double at 8.
        width: Channels of each branch and of the head.
        auxiliary: Whether a second output gives logits from the features before the last stage, for
            a second loss, as in torchvision.
        dropout: Share of the pyramid's features that is dropped while training.

    Returns:
        A functional model from pictures `(n, h, w, channels)` in [0, 1] to float32 logits
        `(n, h, w, num_classes)`; with `auxiliary` to a list of two such logits.

    Raises:
        ValueError: If an argument does not fit; the message says what is allowed.
    """
    check_arguments(num_classes, input_shape, minimum=32)
    options = multi_grid_option(backbone, multi_grid)
    default_rates = atrous_rates(output_stride)
    image = keras.Input(input_shape, name="image")
    features = get_backbone(
        backbone, input_shape, weights=weights, output_stride=output_stride, **options
    )(image)
    x = aspp(features[-1], width, rates or default_rates, dropout=dropout)
    x = conv_block(x, width, 3, name="head")
    side = auxiliary_head(features[-2], num_classes) if auxiliary else None
    outputs = score_pixels(x, num_classes, image, auxiliary=side)
    return keras.Model(image, outputs, name="deeplab_v3")


def deeplab_v3plus(
    num_classes,
    backbone="xception",
    *,
    output_stride=16,
    input_shape=(None, None, 3),
    weights=None,
    rates=None,
    width=256,
    low_width=48,
    fine_width=None,
    separable=True,
    dropout=0.1,
):
    """Make a DeepLab v3+: DeepLab v3's pyramid and a decoder that adds features at stride 4.

    Chen et al., 2018, section 3. For a laptop: `deeplab_v3plus(num_classes,
    small_encoder(output_stride=16), width=64, low_width=16)`, 0.67 million.

    Deviation: the default backbone is the Xception of `keras.applications`; the paper's has more
    layers and strided convolutions in place of pooling.

    Args:
        num_classes: Number of classes.
        backbone: Name of a backbone, or a functional model with five outputs that was built with
            this output stride.
        output_stride: Stride of the coarsest features: 16 or 8.
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: Weights of a backbone given by name: None, "imagenet" or a path.
        rates: Atrous rates. None: the paper's (6, 12, 18) at output stride 16, the double at 8.
        width: Channels of the pyramid's branches and of the decoder.
        low_width: Channels to which the features at stride 4 are reduced.
        fine_width: Channels of a further step of the decoder, at stride 2, for what is a few pixels
            wide; None for none, as in the paper.
        separable: Whether the 3x3 convolutions of pyramid and decoder are depthwise separable.
        dropout: Share of the pyramid's features that is dropped while training; 0.1 in the authors'
            code.

    Returns:
        A functional model from pictures `(n, h, w, channels)` in [0, 1] to float32 logits
        `(n, h, w, num_classes)`.

    Raises:
        ValueError: If an argument does not fit; the message says what is allowed.
    """
    check_arguments(num_classes, input_shape, minimum=32)
    default_rates = atrous_rates(output_stride)
    image = keras.Input(input_shape, name="image")
    features = get_backbone(backbone, input_shape, weights=weights, output_stride=output_stride)(
        image
    )
    low = conv_block(features[1], low_width, 1, name="low")
    x = aspp(features[-1], width, rates or default_rates, separable=separable, dropout=dropout)
    x = layers.Concatenate(name="decoder_concat")([resize_to(x, low, name="decoder_up"), low])
    block = separable_block if separable else conv_block
    for i in (1, 2):
        x = block(x, width, 3, name=f"decoder_{i}")
    if fine_width is not None:
        x = conv_block(x, fine_width, 1, name="fine_in")
        x = resize_to(x, features[0], name="fine_up")
        x = layers.Concatenate(name="fine_concat")([x, features[0]])
        x = block(x, fine_width, 3, name="fine")
    return keras.Model(image, score_pixels(x, num_classes, image), name="deeplab_v3plus")


def atrous_rates(output_stride):
    """Tell the atrous rates that DeepLab v3 uses at an output stride (section 4).

    Args:
        output_stride: 16 or 8.

    Returns:
        (6, 12, 18) at 16 and (12, 24, 36) at 8: the same distances in the picture.

    Raises:
        ValueError: If the output stride is neither.
    """
    if output_stride not in (16, 8):
        raise ValueError(f"output_stride={output_stride!r} must be 16 or 8.")
    return (6, 12, 18) if output_stride == 16 else (12, 24, 36)


def _stride_8(backbone, input_shape, weights):
    """Build a backbone given by name at output stride 8; leave a model as it is."""
    if isinstance(backbone, keras.Model):
        return get_backbone(backbone, input_shape, weights=weights)
    options = {"pool_size": 3} if backbone == "vgg16" else {}
    return get_backbone(backbone, input_shape, weights=weights, output_stride=8, **options)
