"""Encoders: functional models that give one feature map at each stride, finest first.

Every backbone takes pictures in [0, 1] and has five outputs, at strides 2, 4, 8, 16 and 32, but
never coarser than its output stride: with output stride 8 the last three are all at stride 8.
"""

import keras
from keras import layers

from segbook.applications import (
    CaffePreprocessing,
    application,
    check_channels,
    check_output_stride,
    densenet121,
    efficientnet_b0,
    mobilenet_v2,
    resnet50,
    resnet101,
    xception,
)
from segbook.layers import conv_block
from segbook.pooling import DilatedMaxPooling

STRIDES = (2, 4, 8, 16, 32)
VGG16_DEPTHS = (2, 2, 3, 3, 3)


def small_encoder(input_shape=(None, None, 3), width=16, output_stride=32, name="small_encoder"):
    """Make an encoder for laptops: 0.6 million parameters at the default width.

    Five stages of 3x3 convolutions with batch normalisation, each ended by 2x2 max pooling; the
    first stage has one convolution, the others two. Sizes are rounded up. With a smaller output
    stride the same weights compute the same features at more places: pooling and the convolutions
    after it are dilated instead.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        width: Channels of the first stage; they double up to `8 * width`.
        output_stride: Stride of the coarsest features: 32, 16 or 8.
        name: Name of the model.

    Returns:
        A functional model from pictures in [0, 1] to five feature maps with
        `width * (1, 2, 4, 8, 8)` channels.

    Raises:
        ValueError: If the output stride is none of these.
    """
    check_output_stride(output_stride, (32, 16, 8), "small_encoder")
    image = keras.Input(input_shape)
    x, features, dilation = image, [], 1
    for stage, (factor, stride) in enumerate(zip((1, 2, 4, 8, 8), STRIDES, strict=True), start=1):
        for i in range(1 if stage == 1 else 2):
            x = conv_block(x, factor * width, dilation=dilation, name=f"block{stage}_conv{i + 1}")
        if stride > output_stride:
            x = DilatedMaxPooling(2, dilation, name=f"block{stage}_pool")(x)
            dilation *= 2
        else:
            x = layers.MaxPooling2D(2, padding="same", name=f"block{stage}_pool")(x)
        features.append(x)
    return keras.Model(image, features, name=name)


def vgg(
    input_shape=(None, None, 3),
    width=64,
    depths=VGG16_DEPTHS,
    output_stride=32,
    pool_size=2,
    normalize=False,
    name="vgg",
):
    """Make a VGG of any width and depth (Simonyan and Zisserman, 2015).

    The layers bear the names of `keras.applications.VGG16`. Pooling has "same" padding, so that
    odd sizes are rounded up and lose nothing; for multiples of 32 the result is the same.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        width: Channels of the first block; the paper's 64. They double up to `8 * width`.
        depths: Number of 3x3 convolutions in each of five blocks.
        output_stride: Stride of the coarsest features: 32, 16 or 8. As in DeepLab v1, pooling
            beyond it has stride 1 and the convolutions after it are dilated.
        pool_size: Size of the pooling windows: the paper's 2, or DeepLab's 3.
        normalize: Whether batch normalisation follows each convolution.
        name: Name of the model.

    Returns:
        A functional model from pictures in [0, 1] to five feature maps, the pooled output of each
        block, with `width * (1, 2, 4, 8, 8)` channels.

    Raises:
        ValueError: If the output stride is none of these.
    """
    check_output_stride(output_stride, (32, 16, 8), name)
    image = x = keras.Input(input_shape)
    if input_shape[-1] == 3:
        x = CaffePreprocessing(name="preprocessing")(x)
    features, dilation = [], 1
    blocks = zip(depths, (1, 2, 4, 8, 8), STRIDES, strict=True)
    for block, (depth, factor, stride) in enumerate(blocks, start=1):
        for i in range(1, depth + 1):
            x = conv_block(
                x,
                factor * width,
                dilation=dilation,
                normalize=normalize,
                name=f"block{block}_conv{i}",
            )
        step = 2 if stride <= output_stride else 1
        x = layers.MaxPooling2D(pool_size, step, padding="same", name=f"block{block}_pool")(x)
        dilation *= 2 // step
        features.append(x)
    return keras.Model(image, features, name=name)


def vgg16(input_shape=(None, None, 3), weights=None, output_stride=32, pool_size=2):
    """Make the VGG-16 of `keras.applications` with its preprocessing inside.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: None for random weights, "imagenet", or the path of a weights file of
            `keras.applications.VGG16(include_top=False)`.
        output_stride: Stride of the coarsest features: 32, 16 or 8, as in `vgg`.
        pool_size: Size of the pooling windows: the paper's 2, or DeepLab's 3.

    Returns:
        A functional model from RGB pictures in [0, 1] to the five pooled feature maps with 64, 128,
        256, 512 and 512 channels. 14,714,688 parameters.

    Raises:
        ValueError: If the output stride is none of these, or weights are asked for and the pictures
            do not have 3 channels.
        ConnectionError: If the weights cannot be downloaded.
    """
    check_channels(input_shape, weights, "vgg16")
    model = vgg(input_shape, output_stride=output_stride, pool_size=pool_size, name="vgg16")
    if weights is not None:
        model.set_weights(application("VGG16", weights).get_weights())
    return model


BUILDERS = {
    "vgg16": vgg16,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "mobilenet_v2": mobilenet_v2,
    "xception": xception,
    "efficientnet_b0": efficientnet_b0,
    "densenet121": densenet121,
}


def get_backbone(
    backbone, input_shape=(None, None, 3), weights=None, output_stride=None, **options
):
    """Return a backbone by name, or check one that was built already.

    Args:
        backbone: A name, one of `BUILDERS`, or a functional model with five outputs at strides 2,
            4, 8, 16 and 32 (or its output stride), such as `small_encoder()` gives.
        input_shape: `(height, width, channels)` of the pictures.
        weights: None, "imagenet" or a path, for a backbone given by name.
        output_stride: Stride of the coarsest features, which a model must have been built with.
            None: 32 for a name, any for a model.
        **options: More arguments of the function behind the name.

    Returns:
        A functional model with five outputs.

    Raises:
        ValueError: If the name is unknown, the model does not have five outputs or this output
            stride, or `weights` is given with a model.
    """
    if isinstance(backbone, keras.Model):
        if len(backbone.outputs) != 5:
            raise ValueError(
                f"backbone {backbone.name!r} has {len(backbone.outputs)} outputs; it must have "
                "five: features at strides 2, 4, 8, 16 and 32, such as small_encoder() gives."
            )
        if weights is not None:
            raise ValueError(
                f"weights={weights!r} is for a backbone given by name; load the weights of "
                f"{backbone.name!r} before you pass it, and leave weights=None."
            )
        actual = _output_stride(backbone)
        if output_stride not in (None, actual):
            raise ValueError(
                f"output_stride={output_stride}, but backbone {backbone.name!r} was built with "
                f"{actual}. Build it with output_stride={output_stride}, such as "
                f"small_encoder(output_stride={output_stride}), or give output_stride={actual}."
            )
        return backbone
    if backbone not in BUILDERS:
        raise ValueError(
            f"backbone={backbone!r} is unknown; it must be one of {', '.join(BUILDERS)}, or a "
            "functional model with features at strides 2, 4, 8, 16 and 32."
        )
    return BUILDERS[backbone](input_shape, weights, output_stride=output_stride or 32, **options)


def _output_stride(model):
    height = model.input_shape[1] or 256
    shape = (1, height, model.input_shape[2] or 256, model.input_shape[3])
    return round(height / model.compute_output_shape(shape)[-1][1])
