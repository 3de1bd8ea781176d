"""Fully convolutional networks: FCN-32s, FCN-16s and FCN-8s."""

import keras
from keras import layers

from segbook.backbones import get_backbone
from segbook.layers import CropLike, bilinear_transposed, crop_to, logits_like
from segbook.models.parts import check_arguments


def fcn(
    num_classes,
    *,
    stride=8,
    backbone="vgg16",
    input_shape=(None, None, 3),
    weights=None,
    fc_kernel=None,
    fc_width=None,
    dropout=0.5,
    skip_scales=(1.0, 1.0),
    up=None,
):
    """Make an FCN-32s, FCN-16s or FCN-8s.

    Long, Shelhamer and Darrell, 2015, section 4, and the authors' published networks. With the
    default backbone and 21 classes they have 136,152,917, 134,815,994 and 134,489,759 parameters.
    For a laptop: `fcn(num_classes, stride=8, backbone=small_encoder())`, 0.75 million for 9
    classes.

    As in the paper, all score layers start at zero, the transposed convolutions inside start as
    bilinear and are learnt, and the last one stays bilinear. Deviations: "same" padding where the
    authors pad the picture by 100 and crop at an offset; here feature maps align at the top left.
    "fc6" and "fc7" always start at random; the paper converts those of VGG-16's classifier.

    Args:
        num_classes: Number of classes.
        stride: Stride of the finest score map: 32, 16 or 8.
        backbone: Name of a backbone, or a functional model with features at strides 2 to 32. What
            is said of "vgg16" also holds for a model of this name, such as `backbones.vgg16()`.
        input_shape: `(height, width, channels)`; height and width may be None.
        weights: Weights of a backbone given by name: None, "imagenet" or a path.
        fc_kernel: Kernel size of "fc6". None: the paper's 7 for "vgg16", else 3.
        fc_width: Channels of "fc6" and "fc7". None: the paper's 4096 for "vgg16", else as many as
            the deepest feature has.
        dropout: Share of the units of "fc6" and "fc7" that is dropped while training.
        skip_scales: Factors on the features at strides 16 and 8 before they are scored; the
            authors' "at once" FCN-8s has (0.01, 0.0001).
        up: The last up-sampling: "transposed", a fixed bilinear transposed convolution between all
            pairs of classes as in the paper, or "bilinear", a resize, which gives the same values
            except at the border and is twice as fast for a small network at stride 32. None:
            "transposed" for "vgg16", else "bilinear".

    Returns:
        A functional model from pictures `(n, h, w, channels)` in [0, 1] to float32 logits
        `(n, h, w, num_classes)`.

    Raises:
        ValueError: If an argument does not fit; the message says what is allowed.
    """
    if stride not in (32, 16, 8):
        raise ValueError(f"stride={stride} must be 32, 16 or 8.")
    if up not in (None, "transposed", "bilinear"):
        raise ValueError(f"up={up!r} must be 'transposed', 'bilinear' or None.")
    check_arguments(num_classes, input_shape, minimum=32)
    encoder = get_backbone(backbone, input_shape, weights=weights, output_stride=32)
    paper = encoder.name == "vgg16"  # by name or built: `vgg16()` bears it
    image = keras.Input(input_shape, name="image")
    _, _, at8, at16, at32 = encoder(image)

    x = at32
    width = fc_width or (4096 if paper else at32.shape[-1])
    for name, kernel in (("fc6", fc_kernel or (7 if paper else 3)), ("fc7", 1)):
        x = layers.Conv2D(
            width,
            kernel,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=name,
        )(x)
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    x = _score(x, num_classes, "score_fc7")

    skips = [("pool4", at16, skip_scales[0]), ("pool3", at8, skip_scales[1])]
    for name, features, scale in skips[: {32: 0, 16: 1, 8: 2}[stride]]:
        if scale != 1:
            features = layers.Rescaling(scale, name=f"scale_{name}")(features)
        x = bilinear_transposed(num_classes, 2, name=f"upscore_{name}")(x)
        x = layers.Add(name=f"fuse_{name}")(
            [
                crop_to(x, features, margin=2, name=f"crop_{name}"),
                _score(features, num_classes, f"score_{name}"),
            ]
        )
    if (up or ("transposed" if paper else "bilinear")) == "bilinear":
        logits = logits_like(x, image)
    else:
        x = bilinear_transposed(
            num_classes, stride, trainable=False, dtype="float32", name=f"upscore{stride}"
        )(x)
        logits = CropLike(margin=stride, dtype="float32", name="logits")([x, image])
    return keras.Model(image, logits, name=f"fcn{stride}s")


def _score(x, num_classes, name):
    return layers.Conv2D(num_classes, 1, kernel_initializer="zeros", name=name)(x)
