"""Choose an encoder by name, or check one that was built already."""

import itertools

import keras

from segbook.backbones.applications import (
    densenet121,
    efficientnet_b0,
    mobilenet_v2,
    resnet50,
    resnet101,
    xception,
)
from segbook.backbones.efficientnet_lite import efficientnet_lite0
from segbook.backbones.resnet import resnet50_v1_5, resnet101_v1_5
from segbook.backbones.vgg import vgg16

BUILDERS = {
    "vgg16": vgg16,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "resnet50_v1_5": resnet50_v1_5,
    "resnet101_v1_5": resnet101_v1_5,
    "mobilenet_v2": mobilenet_v2,
    "xception": xception,
    "efficientnet_b0": efficientnet_b0,
    "efficientnet_lite0": efficientnet_lite0,
    "densenet121": densenet121,
}


def get_backbone(
    backbone, input_shape=(None, None, 3), *, weights=None, output_stride=None, **options
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
    return BUILDERS[backbone](
        input_shape, weights=weights, output_stride=output_stride or 32, **options
    )


def _output_stride(model):
    """Tell the output stride: that of the third feature, 8, and 2 for each that is coarser.

    Encoders round odd sizes up or down, so that the picture's height over the feature's tells less.
    """
    _, height, width, channels = model.input_shape
    shapes = model.compute_output_shape((1, height or 256, width or 256, channels))
    areas = [shape[1] * shape[2] for shape in shapes[2:]]
    return 8 * 2 ** sum(after < before for before, after in itertools.pairwise(areas))
