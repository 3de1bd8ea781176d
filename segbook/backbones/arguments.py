"""Checks of the arguments that all encoders share."""

STRIDES = (2, 4, 8, 16, 32)


def check_output_stride(output_stride, allowed, name):
    """Raise unless a backbone can have this output stride.

    Args:
        output_stride: Stride of the coarsest features.
        allowed: The output strides that the backbone can have.
        name: Name of the backbone, for the message.

    Raises:
        ValueError: If it cannot.
    """
    if output_stride not in allowed:
        raise ValueError(
            f"output_stride={output_stride!r} of {name} must be one of {allowed}."
            + (
                ""
                if 8 in allowed
                else " For a smaller one choose a ResNet, VGG, Xception or MobileNetV2."
            )
        )


def check_multi_grid(multi_grid, blocks):
    """Raise unless `multi_grid` has a factor for each block of the last stage.

    Args:
        multi_grid: Factors on the dilation.
        blocks: Number of blocks.

    Raises:
        ValueError: If it has another number of factors, or one is less than 1.
    """
    if len(multi_grid) != blocks or any(factor < 1 for factor in multi_grid):
        raise ValueError(
            f"multi_grid={multi_grid!r} must be {blocks} factors, 1 or more, one a block of the "
            "last stage, such as (1, 2, 4)."
        )


def check_channels(input_shape, weights, name):
    """Raise when weights are asked for pictures that do not have three channels.

    Args:
        input_shape: `(height, width, channels)`.
        weights: None, "imagenet" or a path.
        name: Name of the backbone, for the message.

    Raises:
        ValueError: If they do not.
    """
    if weights is not None and input_shape[-1] != 3:
        raise ValueError(
            f"input_shape={tuple(input_shape)} has {input_shape[-1]} channels, but the weights "
            f"{weights!r} of {name} need 3 (RGB). Give pictures of 3 channels, or weights=None."
        )
