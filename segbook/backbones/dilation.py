"""Turn strides into dilation: the same weights compute the same features at more places.

DeepLab (Chen et al., 2015), section 3.1. Where a layer loses its stride, the layers after it take
their samples twice as far apart. `resnet`, `mobilenet_v2` and `xception` say which layers of a
network change for an output stride; `rebuild` makes the changed network.
"""

import keras
from keras import layers

from segbook.layers.pooling import DilatedMaxPooling


def resnet(output_stride, depths, multi_grid):
    """List the changes that give a ResNet of `keras.applications` an output stride.

    Args:
        output_stride: Stride of the coarsest features: 32, 16 or 8.
        depths: Number of blocks in each of the four stages.
        multi_grid: Factors on the dilation of the last stage's three blocks.

    Returns:
        Changes for `rebuild`.
    """
    changes, dilation = {}, 1
    for stage, stride in ((4, 16), (5, 32)):
        if stride > output_stride:
            dilation *= 2
            for layer in ("0", "1"):
                changes[f"conv{stage}_block1_{layer}_conv"] = {"strides": 1}
        for block in range(depths[stage - 2]):
            factor = multi_grid[block] if stage == 5 else 1
            changes[f"conv{stage}_block{block + 1}_2_conv"] = {"dilation_rate": dilation * factor}
    return changes


def mobilenet_v2(output_stride):
    """List the changes that give the MobileNetV2 of `keras.applications` an output stride.

    Args:
        output_stride: Stride of the coarsest features: 32, 16 or 8.

    Returns:
        Changes for `rebuild`.
    """
    changes, dilation = {}, 1
    for first, last, stride in ((6, 12, 16), (13, 16, 32)):
        changes[f"block_{first}_depthwise"] = {"dilation_rate": dilation}
        if stride > output_stride:
            changes[f"block_{first}_depthwise"] |= {"strides": 1, "padding": "same"}
            changes[f"block_{first}_pad"] = {"padding": 0}
            dilation *= 2
        for block in range(first + 1, last + 1):
            changes[f"block_{block}_depthwise"] = {"dilation_rate": dilation}
    return changes


def xception(output_stride):
    """List the changes that give the Xception of `keras.applications` an output stride.

    Args:
        output_stride: Stride of the coarsest features: 32, 16 or 8.

    Returns:
        Changes for `rebuild`.
    """
    changes, dilation = {}, 1
    # The shortcut is the strided 1x1 convolution of that place; its own name counts up.
    for pool, shortcut, blocks, stride in (
        ("block4_pool", 2, range(5, 14), 16),
        ("block13_pool", 3, range(14, 15), 32),
    ):
        if stride > output_stride:
            changes[pool] = DilatedMaxPooling(3, dilation, name=pool)
            changes[shortcut] = {"strides": 1}
            dilation *= 2
        for block in blocks:
            for i in (1, 2, 3):
                changes[f"block{block}_sepconv{i}"] = {"dilation_rate": dilation}
    return changes


def rebuild(model, changes):
    """Make a network again with some layers changed and the same weights.

    Args:
        model: A functional model.
        changes: By layer: a layer to take its place, or entries of its configuration to change. The
            key is the layer's name or, for a strided 1x1 convolution without a name of its own, its
            position among these.

    Returns:
        A functional model; `model` stays as it is.
    """
    shortcuts = [
        layer.name
        for layer in model.layers
        if isinstance(layer, layers.Conv2D) and layer.kernel_size == (1, 1) != layer.strides
    ]

    def clone(layer):
        key = layer.name
        if key in shortcuts and key not in changes:
            key = shortcuts.index(key)
        change = changes.get(key, {})
        if isinstance(change, layers.Layer):
            return change
        return type(layer).from_config(layer.get_config() | change)

    changed = keras.models.clone_model(model, clone_function=clone)
    changed.set_weights(model.get_weights())
    return changed
