"""The table of models of the README, counted from the models themselves."""

from unittest import mock

from segbook import models  # first, so that Keras starts without log lines
from segbook.complexity import cost

import keras

CLASSES = 21
SIZE = 512

# Builder, its arguments, the paper, the output stride, what is faithful, what departs.
ROWS = (
    (
        models.fcn,
        {"stride": 32},
        "Long et al., 2015",
        32,
        "VGG-16, 7x7x4096 fc6, fixed bilinear last layer",
        '"same" padding in place of 100 pixels; fc6, fc7 start at random',
    ),
    (models.fcn, {"stride": 16}, "Long et al., 2015", 16, "the same, score on pool4", "the same"),
    (
        models.fcn,
        {"stride": 8},
        "Long et al., 2015",
        8,
        "the same, scores on pool4 and pool3",
        "the same",
    ),
    (
        models.unet,
        {},
        "Ronneberger et al., 2015",
        1,
        'every layer; `padding="valid"` gives 388 of 572',
        '"same" padding by default',
    ),
    (
        models.segnet,
        {},
        "Badrinarayanan et al., 2017",
        1,
        "13 + 13 convolutions, unpooling by index",
        "odd sizes are completed",
    ),
    (
        models.deeplab_v1,
        {},
        "Chen et al., 2015",
        8,
        "VGG-16, pool5a, LargeFOV: fc6 3x3 at rate 12",
        "no CRF; fc6, fc7 start at random",
    ),
    (
        models.deeplab_v2,
        {},
        "Chen et al., 2017a",
        8,
        "ResNet-101, sum of rates 6, 12, 18, 24",
        "no CRF, one scale",
    ),
    (
        models.deeplab_v3,
        {},
        "Chen et al., 2017b",
        16,
        "ResNet-50, multi-grid 1, 2, 4, rates 6, 12, 18, image pooling",
        "torchvision's: a 3x3 convolution before the scores, dropout 0.5",
    ),
    (
        models.deeplab_v3plus,
        {},
        "Chen et al., 2018",
        16,
        "separable pyramid and decoder, 48 channels at stride 4",
        "Xception of keras.applications",
    ),
    (
        models.fcn_resnet,
        {},
        "torchvision",
        8,
        "ResNet-50 with the stride in its 3x3 convolutions, loads torchvision's weights",
        "no skips",
    ),
    (
        models.pspnet,
        {},
        "Zhao et al., 2017",
        8,
        "ResNet-50, bins 1, 2, 3, 6",
        "ResNet begins with one 7x7",
    ),
    (
        models.danet,
        {},
        "Fu et al., 2019",
        8,
        "ResNet-101, position and channel attention",
        "channel attention as in the paper, not as in the code",
    ),
    (
        models.ccnet,
        {},
        "Huang et al., 2019",
        8,
        "ResNet-101, criss-cross attention, R = 2",
        "no category consistency loss; ResNet begins with one 7x7",
    ),
    (
        models.ocrnet,
        {},
        "Yuan et al., 2020",
        8,
        "ResNet-101, object regions from auxiliary logits",
        "ResNet begins with one 7x7",
    ),
    (
        models.segformer,
        {},
        "Xie et al., 2021",
        4,
        "B0: overlapping patches, reduced keys, mix-FFN, dense decoder",
        "one epsilon in every layer normalisation",
    ),
)


def models_table() -> str:
    """Build every model at the size of its paper and count what it costs.

    Returns:
        A Markdown table: 21 classes, a picture of 512x512.
    """
    lines = [
        "| model | paper | parameters | multiply-adds at 512x512 | output stride "
        "| faithful | departs |",
        "|---|---|---:|---:|---:|---|---|",
    ]

    # Counting needs no random numbers, and 600 million of them take half a minute.
    def zeros(initializer, shape, dtype=None):
        return keras.ops.zeros(shape, dtype)

    for build, arguments, paper, stride, faithful, departs in ROWS:
        with mock.patch.object(keras.initializers.VarianceScaling, "__call__", zeros):
            total = cost(build(CLASSES, **arguments), SIZE)
        call = ", ".join(f"{key}={value}" for key, value in arguments.items())
        lines.append(
            f"| `{build.__name__}({call})` | {paper} | {total.parameters:,} | "
            f"{total.multiply_adds / 1e9:.1f} G | {stride} | {faithful} | {departs} |"
        )
    return "\n".join(lines)
