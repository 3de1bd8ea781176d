"""What models share: the checks of their arguments, the auxiliary head and the scores."""

import keras
from keras import layers

from segbook.layers.blocks import conv_block
from segbook.layers.resize import logits_like


def check_arguments(num_classes, input_shape, *, minimum=1):
    """Raise when the number of classes or the size of the pictures cannot work.

    Args:
        num_classes: Number of classes, void not counted; 1 is one logit a pixel, object against
            background.
        input_shape: `(height, width, channels)`; height and width may be None.
        minimum: Smallest height and width that the model can take.

    Raises:
        ValueError: If `num_classes` is less than 1, `input_shape` does not fit, or Keras is set to
            pictures with their channels first.
    """
    if num_classes < 1:
        raise ValueError(f"num_classes={num_classes} must be 1 or more.")
    if len(input_shape) != 3 or not input_shape[-1]:
        raise ValueError(
            f"input_shape={tuple(input_shape)} must be (height, width, channels); height and width "
            "may be None, channels may not."
        )
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            f"image_data_format={keras.config.image_data_format()!r} must be 'channels_last'; call "
            "keras.config.set_image_data_format('channels_last')."
        )
    if any(size is not None and size < minimum for size in input_shape[:2]):
        raise ValueError(
            f"input_shape={tuple(input_shape)} is too small: this model needs pictures of at least "
            f"{minimum}x{minimum}. Give larger pictures, or resize them first."
        )


def multi_grid_option(backbone, multi_grid):
    """Choose the multi-grid of a ResNet: factors on the dilation of its last three blocks.

    DeepLab v3 (Chen et al., 2017), section 3.2.

    Args:
        backbone: Name of a backbone, or a functional model.
        multi_grid: Three factors. None: (1, 2, 4) for a ResNet given by name, else none.

    Returns:
        Further arguments for `get_backbone`.

    Raises:
        ValueError: If factors are given for another backbone.
    """
    if isinstance(backbone, str) and backbone.startswith("resnet"):
        return {"multi_grid": (1, 2, 4) if multi_grid is None else multi_grid}
    if multi_grid is not None:
        raise ValueError(
            f"multi_grid={multi_grid!r} is for a ResNet by name, such as backbone='resnet50'; with "
            "another backbone leave multi_grid=None."
        )
    return {}


def auxiliary_head(x, num_classes, *, width=None, dropout=0.1, spatial_dropout=False):
    """Score features halfway through a network, for a second loss.

    PSPNet (Zhao et al., 2017), section 4; the shape is that of torchvision's FCN head.

    Args:
        x: Features `(n, h, w, c)`.
        num_classes: Number of classes.
        width: Channels of the 3x3 convolution; None for a quarter of `c`.
        dropout: Share of its units that is dropped while training.
        spatial_dropout: Whether whole channels are dropped.

    Returns:
        Scores `(n, h, w, num_classes)`.
    """
    x = conv_block(x, width or x.shape[-1] // 4, 3, name="auxiliary_head")
    drop = layers.SpatialDropout2D if spatial_dropout else layers.Dropout
    x = drop(dropout, name="auxiliary_dropout")(x)
    return layers.Conv2D(num_classes, 1, name="auxiliary_score")(x)


def score_pixels(x, num_classes, image, *, auxiliary=None):
    """Score features with a 1x1 convolution and resize the scores to the picture.

    Args:
        x: Features `(n, h, w, c)`.
        num_classes: Number of classes.
        image: The picture `(n, H, W, channels)`.
        auxiliary: Scores of an auxiliary head, resized likewise, or None.

    Returns:
        float32 logits `(n, H, W, num_classes)`; with `auxiliary` a list of two such logits.
    """
    logits = logits_like(layers.Conv2D(num_classes, 1, name="score")(x), image)
    if auxiliary is None:
        return logits
    return [logits, logits_like(auxiliary, image, name="auxiliary")]
