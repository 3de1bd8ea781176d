"""VGG networks of any width and depth, and VGG-16."""

import keras
from keras import layers

from segbook.backbones.applications import application
from segbook.backbones.arguments import STRIDES, check_channels, check_output_stride
from segbook.backbones.preprocessing import CaffePreprocessing
from segbook.layers.blocks import conv_block

VGG16_DEPTHS = (2, 2, 3, 3, 3)


def vgg(
    input_shape=(None, None, 3),
    *,
    width=64,
    depths=VGG16_DEPTHS,
    output_stride=32,
    pool_size=2,
    batch_norm=False,
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
        batch_norm: Whether batch normalisation follows each convolution.
        name: Name of the model.

    Returns:
        A functional model from pictures in [0, 1] to five feature maps, the pooled output of each
        block, with `width * (1, 2, 4, 8, 8)` channels.

    Raises:
        ValueError: If the output stride is none of these.
    """
    check_output_stride(output_stride, (32, 16, 8), name)
    image = keras.Input(input_shape)
    x = CaffePreprocessing(name="preprocessing")(image)
    features, dilation = [], 1
    blocks = zip(depths, (1, 2, 4, 8, 8), STRIDES, strict=True)
    for block, (depth, factor, stride) in enumerate(blocks, start=1):
        for i in range(1, depth + 1):
            x = conv_block(
                x,
                factor * width,
                dilation=dilation,
                batch_norm=batch_norm,
                name=f"block{block}_conv{i}",
            )
        step = 2 if stride <= output_stride else 1
        x = layers.MaxPooling2D(pool_size, step, padding="same", name=f"block{block}_pool")(x)
        dilation *= 2 // step
        features.append(x)
    return keras.Model(image, features, name=name)


def vgg16(input_shape=(None, None, 3), *, weights=None, output_stride=32, pool_size=2):
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
