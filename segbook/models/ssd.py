"""SSD: boxes in one pass, from feature maps of several scales."""

import math

import keras
from keras import layers

from segbook.backbones import get_backbone
from segbook.layers import conv_block
from segbook.models.parts import check_arguments

RARE = math.log(0.01 / 0.99)  # the logit of one in a hundred


def ssd(
    num_classes,
    shapes_per_cell=(4, 6, 6),
    *,
    backbone="efficientnet_lite0",
    weights=None,
    input_shape=(None, None, 3),
    width=None,
    first=3,
    more=0,
):
    """Make a single-shot detector on the feature maps of an encoder.

    Liu et al. 2016, section 2.1: a 3x3 convolution on each map gives offsets and scores for each
    prior. The paper's encoder is a VGG-16 and has four more maps behind it; here it is any with
    five outputs, and `more` maps follow. The scores begin as if one prior in a hundred had a box
    (Lin et al. 2017, "Focal Loss", section 4.1): the first steps are not spent on background.

    `detection.prior_boxes(size, strides, shapes)` gives the priors in the same order, with strides
    2, 4, 8, ... from `2 ** first` on.

    Args:
        num_classes: Number of classes, background not counted.
        shapes_per_cell: How many priors a cell has, one number a map; the default has those of the
            paper at strides 8, 16 and 32.
        backbone: Name of a backbone, or a functional model with five outputs.
        weights: Weights of a backbone given by name: None, "imagenet" or a path.
        input_shape: `(height, width, channels)`; height and width may be None.
        width: Channels of a further 3x3 convolution before each map's answers; None for none, as in
            the paper.
        first: Which of the encoder's maps is the first, 1 to 5: its stride is `2 ** first`.
        more: How many maps follow the encoder's last, each of half the size.

    Returns:
        A functional model from pictures `(n, h, w, channels)` in [0, 1] to float32 outputs
        `(n, priors, 5 + num_classes)`: four offsets, and the logits of background and the classes.

    Raises:
        ValueError: If an argument does not fit; the message says what is allowed.
    """
    check_arguments(num_classes, input_shape)
    if not 1 <= first <= 5 or more < 0:
        raise ValueError(f"first={first} must be 1 to 5, and more={more} must be 0 or more.")
    maps = 6 - first + more
    if len(shapes_per_cell) != maps or min(shapes_per_cell) < 1:
        raise ValueError(
            f"shapes_per_cell={shapes_per_cell!r} must be {maps} numbers, each 1 or more: one for "
            f"each map from stride {2**first} to {2 ** (5 + more)}."
        )
    image = keras.Input(input_shape, name="image")
    encoder = get_backbone(backbone, input_shape, weights=weights, output_stride=32)
    features = list(encoder(image))[first - 1 :]
    for extra in range(more):
        channels = features[-1].shape[-1]
        name = f"extra{extra + 1}"
        features.append(conv_block(features[-1], channels, strides=2, name=name))
    answers = [
        _answer(x, count, num_classes, width, f"map{first + place}")
        for place, (x, count) in enumerate(zip(features, shapes_per_cell, strict=True))
    ]
    outputs = layers.Concatenate(axis=1, dtype="float32", name="boxes")(answers)
    return keras.Model(image, outputs, name="ssd")


def _answer(x, count, num_classes, width, name):
    """Return offsets and logits of a map, `(n, h * w * count, 5 + num_classes)`."""
    if width:
        x = conv_block(x, width, name=f"{name}_conv")
    offsets = layers.Conv2D(4 * count, 3, padding="same", dtype="float32", name=f"{name}_offsets")
    scores = layers.Conv2D(
        (1 + num_classes) * count,
        3,
        padding="same",
        dtype="float32",
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=_Rare(1 + num_classes),
        name=f"{name}_scores",
    )
    offsets = layers.Reshape((-1, 4), name=f"{name}_boxes")(offsets(x))
    scores = layers.Reshape((-1, 1 + num_classes), name=f"{name}_logits")(scores(x))
    return layers.Concatenate(name=name, dtype="float32")([offsets, scores])


@keras.saving.register_keras_serializable(package="segbook")
class _Rare(keras.initializers.Initializer):
    """Biases with which every class but background has a probability of a hundredth."""

    def __init__(self, classes):
        self.classes = classes

    def __call__(self, shape, dtype=None):
        """Return the biases `(count * classes,)`."""
        one = [0.0] + [RARE] * (self.classes - 1)
        return keras.ops.convert_to_tensor(one * (shape[0] // self.classes), dtype or "float32")

    def get_config(self):
        """Give the arguments that rebuild the initializer."""
        return {"classes": self.classes}
