"""The table of models of the README, counted from the models themselves."""

from segbook.complexity import cost
from segbook.models.ccnet import ccnet
from segbook.models.danet import danet
from segbook.models.deeplab import deeplab_v1, deeplab_v2, deeplab_v3, deeplab_v3plus
from segbook.models.fcn import fcn
from segbook.models.ocrnet import ocrnet
from segbook.models.pspnet import pspnet
from segbook.models.segnet import segnet
from segbook.models.unet import unet

CLASSES = 21
SIZE = 512

# Builder, its arguments, the paper, the output stride, what is faithful, what departs.
ROWS = (
    (
        fcn,
        {"stride": 32},
        "Long et al., 2015",
        32,
        "VGG-16, 7x7x4096 fc6, fixed bilinear last layer",
        '"same" padding in place of 100 pixels',
    ),
    (fcn, {"stride": 16}, "Long et al., 2015", 16, "the same, score on pool4", "the same"),
    (fcn, {"stride": 8}, "Long et al., 2015", 8, "the same, scores on pool4 and pool3", "the same"),
    (
        unet,
        {},
        "Ronneberger et al., 2015",
        1,
        'every layer; `padding="valid"` gives 388 of 572',
        '"same" padding by default',
    ),
    (
        segnet,
        {},
        "Badrinarayanan et al., 2017",
        1,
        "13 + 13 convolutions, unpooling by index",
        "odd sizes are completed",
    ),
    (deeplab_v1, {}, "Chen et al., 2015", 8, "VGG-16, LargeFOV: fc6 3x3 at rate 12", "no CRF"),
    (
        deeplab_v2,
        {},
        "Chen et al., 2017a",
        8,
        "ResNet-101, sum of rates 6, 12, 18, 24",
        "no CRF, one scale",
    ),
    (
        deeplab_v3,
        {},
        "Chen et al., 2017b",
        16,
        "ResNet-50, multi-grid 1, 2, 4, rates 6, 12, 18, image pooling",
        "torchvision's 3x3 convolution before the scores",
    ),
    (
        deeplab_v3plus,
        {},
        "Chen et al., 2018",
        16,
        "separable pyramid and decoder, 48 channels at stride 4",
        "Xception of keras.applications",
    ),
    (
        pspnet,
        {},
        "Zhao et al., 2017",
        8,
        "ResNet-50, bins 1, 2, 3, 6",
        "ResNet begins with one 7x7",
    ),
    (
        danet,
        {},
        "Fu et al., 2019",
        8,
        "ResNet-101, position and channel attention",
        "no multi-grid in the ResNet",
    ),
    (
        ccnet,
        {},
        "Huang et al., 2019",
        8,
        "ResNet-101, criss-cross attention, R = 2",
        "no category consistency loss",
    ),
    (
        ocrnet,
        {},
        "Yuan et al., 2020",
        8,
        "ResNet-101, object regions from auxiliary logits",
        "ResNet begins with one 7x7",
    ),
)


def models_table():
    """Build every model at the size of its paper and count what it costs.

    Returns:
        A Markdown table: 21 classes, a picture of 512x512.
    """
    lines = [
        "| model | paper | parameters | multiply-adds at 512x512 | output stride "
        "| faithful | departs |",
        "|---|---|---:|---:|---:|---|---|",
    ]
    for build, arguments, paper, stride, faithful, departs in ROWS:
        total = cost(build(CLASSES, **arguments), SIZE)
        call = ", ".join(f"{key}={value}" for key, value in arguments.items())
        lines.append(
            f"| `{build.__name__}({call})` | {paper} | {total.parameters:,} | "
            f"{total.multiply_adds / 1e9:.1f} G | {stride} | {faithful} | {departs} |"
        )
    return "\n".join(lines)
