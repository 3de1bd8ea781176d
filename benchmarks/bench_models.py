"""Set training steps of our models beside plain Keras, and layers and attentions side by side."""

from segbook.layers import (
    AdaptiveAveragePooling,
    CrissCrossAttention,
    CropLike,
    PositionAttention,
    ResizeLike,
)
from segbook.backbones import resnet50, small_encoder
from segbook.complexity import cost
from segbook import models
from segbook.models import deeplab_v3, unet

import json
import resource
import subprocess
import sys
import time

import keras
import numpy as np
from keras import layers, ops

CLASSES, SIZE, BATCH = 21, 128, 2
ROUNDS = 8


def plain_unet():
    """Write the U-Net of the paper, with "same" padding, as plainly as Keras allows."""

    def block(x, filters):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        return layers.Conv2D(filters, 3, padding="same", activation="relu")(x)

    image = x = keras.Input((SIZE, SIZE, 3))
    skips = []
    for filters in (64, 128, 256, 512):
        x = block(x, filters)
        if filters == 512:
            x = layers.Dropout(0.5)(x)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dropout(0.5)(block(x, 1024))
    for filters in (512, 256, 128, 64):
        x = layers.Conv2DTranspose(filters, 2, strides=2)(x)
        x = block(layers.Concatenate()([skips.pop(), x]), filters)
    return keras.Model(image, layers.Conv2D(CLASSES, 1)(x))


def plain_deeplab_v3():
    """Write the head of DeepLab v3 as plainly as Keras allows, on the same dilated ResNet."""

    def block(x, kernel=3, rate=1):
        x = layers.Conv2D(256, kernel, dilation_rate=rate, padding="same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization()(x))

    image = keras.Input((SIZE, SIZE, 3))
    encoder = resnet50((SIZE, SIZE, 3), output_stride=16, multi_grid=(1, 2, 4))
    x = encoder(image)[-1]
    pooled = block(layers.GlobalAveragePooling2D(keepdims=True)(x), 1)
    pooled = layers.UpSampling2D(SIZE // 16)(pooled)
    branches = [block(x, 1), *(block(x, 3, rate) for rate in (6, 12, 18)), pooled]
    x = layers.Dropout(0.5)(block(layers.Concatenate()(branches), 1))
    x = layers.Conv2D(CLASSES, 1)(block(x))
    return keras.Model(image, layers.UpSampling2D(16, interpolation="bilinear")(x))


def compare_steps(name, ours, plain):
    """Print how long our training step takes, as a multiple of plain Keras code.

    Args:
        name: What the models are called.
        ours: Our model.
        plain: The same graph in plain Keras.
    """
    rng = np.random.default_rng(0)
    height, width = ours.input_shape[1:3]
    x = rng.random((BATCH, height, width, 3), "float32")
    y = rng.integers(0, CLASSES, (BATCH, height, width))
    seconds = {"ours": [], "plain": []}
    for model in (ours, plain):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(1e-3), loss)
        for _ in range(2):
            model.train_on_batch(x, y)
    for _ in range(ROUNDS):
        for kind, model in (("ours", ours), ("plain", plain)):
            start = time.perf_counter()
            model.train_on_batch(x, y)
            seconds[kind].append(time.perf_counter() - start)
    ratios = np.array(seconds["ours"]) / np.array(seconds["plain"])
    print(
        f"{name} at {height}x{width}: a training step takes {np.median(seconds['ours']):.3f} s, "
        f"{np.median(ratios):.2f} times as long as plain Keras code "
        f"({ratios.min():.2f} to {ratios.max():.2f})"
    )


class PlainResize(layers.Layer):
    """What `ResizeLike` does, by Keras's own operation."""

    def call(self, inputs):
        """Resize the first input to the size of the second."""
        x, like = inputs
        return ops.image.resize(x, ops.shape(like)[1:3], interpolation="bilinear")


class First(layers.Layer):
    """What `CropLike` does where there is nothing to crop."""

    def call(self, inputs):
        """Return the first input."""
        return inputs[0]


def plain_copy(model):
    """Copy a model with Keras's own layers in place of ours, where Keras has them.

    Args:
        model: A functional model whose sizes are fixed and divisible by its strides.

    Returns:
        A functional model of the same graph.
    """

    def clone(layer):
        if isinstance(layer, ResizeLike):
            return PlainResize(dtype=layer.dtype_policy, name=layer.name)
        if isinstance(layer, CropLike):
            return First(dtype=layer.dtype_policy, name=layer.name)
        if isinstance(layer, AdaptiveAveragePooling) and layer.bins == 1:
            return layers.GlobalAveragePooling2D(keepdims=True, name=layer.name)
        return type(layer).from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=clone)


# Laptop sizes, as in the docstrings of the models; SegNet has no copy, as Keras does not unpool.
LAPTOP = {
    "fcn": {},
    "unet": {"width": 16, "depth": 3},
    "deeplab_v1": {"stride": 8, "rate": 4, "width": 128},
    "deeplab_v2": {"stride": 8, "rates": (1, 2, 4, 6)},
    "deeplab_v3": {"stride": 16, "width": 48},
    "deeplab_v3plus": {"stride": 16, "width": 64, "low_width": 16},
    "pspnet": {"stride": 8, "width": 96},
    "danet": {"stride": 8, "width": 48},
    "ccnet": {"stride": 8, "width": 48},
    "ocrnet": {"stride": 8, "width": 64, "key_channels": 32},
}


def compare_copies():
    """Compare a step of each model of laptop size with its plain copy."""
    image = (SIZE, SIZE, 3)
    for name, options in LAPTOP.items():
        options = {"input_shape": image, **options}
        if name != "unet":
            stride = options.pop("stride", 32)
            options["backbone"] = small_encoder(image, output_stride=stride)
        ours = getattr(models, name)(CLASSES, **options)
        compare_steps(f"{name} for a laptop", ours, plain_copy(ours))


LAYERS = {
    "depthwise 3x3": lambda c: layers.DepthwiseConv2D(3, padding="same", use_bias=False),
    "grouped 3x3": lambda c: layers.Conv2D(c, 3, padding="same", use_bias=False, groups=c),
    "1x1": lambda c: layers.Conv2D(c, 1, use_bias=False),
    "full 3x3": lambda c: layers.Conv2D(c, 3, padding="same", use_bias=False),
    "batch norm": lambda c: layers.BatchNormalization(),
}


def compare_layers(shape=(8, 45, 60, 128)):
    """Print how long a training step of a 1x1 convolution and one layer takes, plain and by XLA.

    Args:
        shape: Shape of its features.
    """
    x = np.random.default_rng(0).random(shape, "float32")
    print(
        f"one layer and a 1x1 convolution before it on {shape}, a training step, "
        "milliseconds (plain, jit_compile=True):"
    )
    for name, build in LAYERS.items():
        medians = []
        for jit in (False, True):
            features = keras.Input(shape[1:])
            # The 1x1 before it asks for the gradient of the layer's input.
            model = keras.Model(features, build(shape[-1])(layers.Conv2D(shape[-1], 1)(features)))
            model.compile(keras.optimizers.SGD(1e-6), "mse", jit_compile=jit)
            seconds = []
            for _ in range(ROUNDS):
                start = time.perf_counter()
                model.train_on_batch(x, x)
                seconds.append(time.perf_counter() - start)
            medians.append(1000 * float(np.median(seconds[2:])))
        print(f"    {name:14} {medians[0]:7.1f} {medians[1]:7.1f}")


ATTENTION = {"criss-cross": CrissCrossAttention, "full": PositionAttention}


def measure_attention(kind, size):
    """Print the time and the memory of training steps of one attention, as JSON.

    Runs in a process of its own, since a process's peak memory never falls.

    Args:
        kind: A key of `ATTENTION`.
        size: Height and width of the features.
    """
    features = keras.Input((size, size, 512))
    layer = ATTENTION[kind]()
    x = layer(features)
    if kind == "criss-cross":
        x = layer(x)
    model = keras.Model(features, x)
    model.compile(keras.optimizers.SGD(1e-6), "mse")
    x = np.random.default_rng(0).random((1, size, size, 512), "float32")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        model.train_on_batch(x, x)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(
        json.dumps(
            {
                "seconds": float(np.median(seconds[1:])),
                "megabytes": peak / 1024,
                "multiply_adds": cost(model, size).multiply_adds,
            }
        )
    )


def compare_attention(size):
    """Print what full attention costs as a multiple of criss-cross attention applied twice.

    Args:
        size: Height and width of the features.
    """
    measured = {}
    for kind in ATTENTION:
        command = [sys.executable, __file__, kind, str(size)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        measured[kind] = json.loads(output.splitlines()[-1])
    cross, full = measured["criss-cross"], measured["full"]
    print(
        f"attention at {size}x{size}, 512 channels, one training step: full "
        f"{full['seconds']:.2f} s and {full['megabytes']:.0f} MB, criss-cross (R = 2) "
        f"{cross['seconds']:.2f} s and {cross['megabytes']:.0f} MB; full costs "
        f"{full['seconds'] / cross['seconds']:.1f} times the time, "
        f"{full['megabytes'] / cross['megabytes']:.1f} times the memory and "
        f"{full['multiply_adds'] / cross['multiply_adds']:.1f} times the multiply-adds"
    )


def main():
    """Compare the attentions, then the training steps."""
    # First, since a new process's peak memory counts what its parent holds.
    for size in (64, 97):
        compare_attention(size)
    print("the paper, at 97x97: full costs 11.1 times the memory and 6.5 times the multiply-adds")
    compare_layers()
    compare_copies()
    image = (SIZE, SIZE, 3)
    compare_steps("U-Net", unet(CLASSES, input_shape=image), plain_unet())
    compare_steps("DeepLab v3", deeplab_v3(CLASSES, input_shape=image), plain_deeplab_v3())


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure_attention(sys.argv[1], int(sys.argv[2]))
    else:
        main()
