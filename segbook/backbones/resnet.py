"""ResNets whose stride is in the 3x3 convolution ("v1.5"), as torchvision has them.

The ResNet of the paper and of `keras.applications` has it in the first 1x1 convolution of a stage,
which skips three of four places; here every place is seen.
"""

import keras
from keras import layers

from segbook.backbones import preprocessing
from segbook.backbones.arguments import (
    STRIDES,
    check_channels,
    check_multi_grid,
    check_output_stride,
)
from segbook.layers.blocks import conv_block
from segbook.pretrained.torchvision import load_torchvision


def resnet_v1_5(
    input_shape=(None, None, 3),
    *,
    depths=(3, 4, 6, 3),
    width=64,
    output_stride=32,
    multi_grid=None,
    name="resnet_v1_5",
):
    """Make a ResNet of bottleneck blocks of any width and depth, with torchvision's details.

    He et al., 2016, with the stride in the 3x3 convolution, no bias before batch normalisation of
    epsilon 1e-5, padding by zeros on all sides alike, and ImageNet's mean and deviation inside.
    Sizes are rounded up. A stage that loses its stride is dilated from its second block on, as with
    torchvision's `replace_stride_with_dilation`: the same weights compute the same features at more
    places, up to the border.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        depths: Number of blocks in each of four stages.
        width: Channels of the first convolution.
        output_stride: Stride of the coarsest features: 32, 16 or 8.
        multi_grid: Factors on the dilation of the last stage's blocks, one a block; None for none.
        name: Name of the model.

    Returns:
        A functional model from RGB pictures in [0, 1] to five feature maps with
        `width * (1, 4, 8, 16, 32)` channels.

    Raises:
        ValueError: If an argument does not fit.
    """
    check_output_stride(output_stride, (32, 16, 8), name)
    multi_grid = multi_grid or (1,) * depths[-1]
    check_multi_grid(multi_grid, depths[-1])
    if output_stride == 32 and multi_grid[0] != 1:
        raise ValueError(
            f"multi_grid={multi_grid!r} of {name} with output_stride=32 must begin with 1: the "
            "block that has the stride cannot be dilated."
        )
    image = keras.Input(input_shape)
    x = preprocessing.standardized(image)
    x = layers.ZeroPadding2D(3, name="stem_pad")(x)
    x = conv_block(x, width, 7, strides=2, padding="valid", name="stem")
    features = [x]
    # No feature is negative here, so that zeros around them win no maximum.
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="stem_pool")(x)
    dilation = 1
    for stage, (depth, stride) in enumerate(zip(depths, STRIDES[1:], strict=True), start=1):
        step, before = 1 if stage == 1 else 2, dilation
        if stride > output_stride:
            step, dilation = 1, 2 * dilation
        for block in range(1, depth + 1):
            # What a lost stride would have skipped, only the blocks after it must skip.
            rate = before if block == 1 else dilation
            x = _bottleneck(
                x,
                width * 2 ** (stage - 1),
                strides=step if block == 1 else 1,
                dilation=rate * multi_grid[block - 1] if stage == 4 else rate,
                name=f"stage{stage}_block{block}",
            )
        features.append(x)
    return keras.Model(image, features, name=name)


def resnet50_v1_5(
    input_shape=(None, None, 3), *, weights=None, output_stride=32, multi_grid=(1, 1, 1)
):
    """Make torchvision's ResNet-50, dilated on request: see `resnet_v1_5`.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: None for random weights, or torchvision's: the path of its classifier's file, such
            as `resnet50-0676ba61.pth`.
        output_stride: Stride of the coarsest features: 32, 16 or 8.
        multi_grid: Factors on the dilation of the last stage's three blocks; DeepLab v3 has
            (1, 2, 4), torchvision (1, 1, 1).

    Returns:
        A functional model from RGB pictures in [0, 1] to five feature maps with 64, 256, 512, 1024
        and 2048 channels. 23,561,152 parameters.

    Raises:
        ValueError: If an argument does not fit, or the file is not of this network.
    """
    return _published(
        "resnet50_v1_5", (3, 4, 6, 3), input_shape, weights, output_stride, multi_grid
    )


def resnet101_v1_5(
    input_shape=(None, None, 3), *, weights=None, output_stride=32, multi_grid=(1, 1, 1)
):
    """Make torchvision's ResNet-101, dilated on request: see `resnet_v1_5`.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: None for random weights, or torchvision's: the path of its classifier's file, such
            as `resnet101-63fe2227.pth`.
        output_stride: Stride of the coarsest features: 32, 16 or 8.
        multi_grid: Factors on the dilation of the last stage's three blocks; DeepLab v3 has
            (1, 2, 4), torchvision (1, 1, 1).

    Returns:
        A functional model from RGB pictures in [0, 1] to five feature maps with 64, 256, 512, 1024
        and 2048 channels. 42,605,504 parameters.

    Raises:
        ValueError: If an argument does not fit, or the file is not of this network.
    """
    return _published(
        "resnet101_v1_5", (3, 4, 23, 3), input_shape, weights, output_stride, multi_grid
    )


def _published(name, depths, input_shape, weights, output_stride, multi_grid):
    check_channels(input_shape, weights, name)
    if weights == "imagenet":
        raise ValueError(
            f"weights='imagenet' of {name} must be None or the path of the file that torchvision "
            f"downloads for its {name.removesuffix('_v1_5')}."
        )
    model = resnet_v1_5(
        input_shape, depths=depths, output_stride=output_stride, multi_grid=multi_grid, name=name
    )
    if weights is not None:
        load_torchvision(model, weights)
    return model


def _bottleneck(x, width, *, strides, dilation, name):
    """Add to features, or to their projection, what three convolutions make of them."""
    shortcut = x
    if x.shape[-1] != 4 * width:
        shortcut = conv_block(
            x, 4 * width, 1, strides=strides, activation=None, name=f"{name}_shortcut"
        )
    x = conv_block(x, width, 1, name=f"{name}_conv1")
    padding = "same"
    if strides > 1:
        # Keras's "same" pads even sizes at the bottom and right only.
        x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
        padding = "valid"
    x = conv_block(
        x, width, 3, strides=strides, dilation=dilation, padding=padding, name=f"{name}_conv2"
    )
    x = conv_block(x, 4 * width, 1, activation=None, name=f"{name}_conv3")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_out")(x)
