"""U-Net, as in the paper and as everyone uses it."""

import keras
from keras import layers

from segbook.backbones import get_backbone
from segbook.layers import center_crop_to, conv_block, crop_to
from segbook.models.parts import check_arguments


def unet(
    num_classes,
    *,
    encoder=None,
    weights=None,
    input_shape=(None, None, 3),
    width=None,
    depth=None,
    padding="same",
    up="transposed",
    batch_norm=False,
    dropout=0.5,
):
    """Make a U-Net, all its own or on an encoder.

    Ronneberger, Fischer and Brox, 2015, section 2; 31,030,658 parameters for one channel and two
    classes, as in the paper, 31,033,045 for three channels and 21 classes. For a laptop:
    `unet(num_classes, width=16, depth=3)`, 0.48 million.

    With `padding="valid"` as in the paper, the logits are smaller than the picture: 388x388 of
    572x572; `unet_output_size` tells. With "same" they have the picture's size, for any size; odd
    sizes are rounded up on the way down and cropped on the way up.

    The up-convolutions have no ReLU of their own: the paper's figure 1 shows none.

    With an encoder, its features at strides 2 to 32 take the place of the contracting path, and the
    expanding path goes on to the picture's own size, where there is nothing to add:
    `unet(num_classes, encoder="efficientnet_lite0", weights="imagenet", batch_norm=True)`, 5.40
    million for 21 classes. Sizes that the encoder rounds down are completed by their last row and
    column. The features of "xception", whose first convolutions have no padding, lie up to 3 pixels
    off.

    Args:
        num_classes: Number of classes.
        encoder: None for the paper's own contracting path; or the name of a backbone, one of
            `backbones.BUILDERS`, or a functional model with five outputs at strides 2 to 32.
        weights: Weights of an encoder given by name: None, "imagenet" or a path.
        input_shape: `(height, width, channels)`; height and width may be None.
        width: Channels of the first level; they double at each level. None: the paper's 64, or 16
            with an encoder.
        depth: Number of poolings. None: the paper's 4; an encoder always has 5.
        padding: "same", or "valid" as in the paper, without an encoder.
        up: Up-convolution: "transposed", a 2x2 transposed convolution, or "bilinear", a bilinear
            resize by 2 and a 2x2 convolution, which has as many parameters.
        batch_norm: Whether batch normalisation follows each 3x3 convolution; the paper has none. An
            encoder stays as it is.
        dropout: Share of the units at the end of the contracting path that is dropped while
            training. The paper does not give its share; the authors' code has 0.5.

    Returns:
        A functional model from pictures `(n, h, w, channels)` in [0, 1] to float32 logits
        `(n, h, w, num_classes)`, smaller with "valid" padding.

    Raises:
        ValueError: If an argument does not fit; the message says what is allowed.
    """
    if padding not in ("same", "valid"):
        raise ValueError(f"padding={padding!r} must be 'same' or 'valid'.")
    if up not in ("transposed", "bilinear"):
        raise ValueError(f"up={up!r} must be 'transposed' or 'bilinear'.")
    if encoder is not None:
        if padding != "same" or depth not in (None, 5):
            raise ValueError(
                f"padding={padding!r} and depth={depth} must be 'same' and None with an encoder."
            )
        depth, width = 5, width or 16
    elif weights is not None:
        raise ValueError(f"weights={weights!r} must be None without an encoder.")
    depth, width = 4 if depth is None else depth, width or 64
    if depth < 1:
        raise ValueError(f"depth={depth} must be 1 or more.")
    check_arguments(num_classes, input_shape, minimum=2**depth)
    if padding == "valid":
        for size in input_shape[:2]:
            if size is not None:
                unet_output_size(size, depth)

    image = keras.Input(input_shape, name="image")
    if encoder is None:
        skips, x = _contract(image, width, depth, padding, batch_norm, dropout)
    else:
        encoder = get_backbone(encoder, input_shape, weights=weights, output_stride=32)
        *skips, x = encoder(image)
        skips = [None, *skips]
    x = layers.Dropout(dropout, name="bottom_dropout")(x)

    for level in reversed(range(depth)):
        name, filters, skip = f"up{level + 1}", width * 2**level, skips[level]
        x = _up(x, filters, up, name)
        if encoder is not None:
            # What encoders lose where they round down or do not pad: 7 pixels in all at most.
            margin = 2 if level else 8
            x = crop_to(x, skip if level else image, margin=margin, name=f"{name}_crop")
        elif padding == "same":
            x = crop_to(x, skip, name=f"{name}_crop")
        else:
            skip = center_crop_to(skip, x, name=f"{name}_crop")
        if skip is not None:
            x = layers.Concatenate(name=f"{name}_concat")([skip, x])
        x = _double_conv(x, filters, padding, batch_norm, name)
    logits = layers.Conv2D(num_classes, 1, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="unet")


def _contract(x, width, depth, padding, batch_norm, dropout):
    """Return the features before each pooling, and those at the bottom."""
    skips = []
    for level in range(depth):
        x = _double_conv(x, width * 2**level, padding, batch_norm, f"down{level + 1}")
        if level == depth - 1:
            x = layers.Dropout(dropout, name=f"down{level + 1}_dropout")(x)
        skips.append(x)
        x = layers.MaxPooling2D(2, padding=padding, name=f"pool{level + 1}")(x)
    return skips, _double_conv(x, width * 2**depth, padding, batch_norm, "bottom")


def unet_output_size(size, depth=4):
    """Tell the size of the logits of a U-Net with "valid" padding.

    Args:
        size: Height or width of the picture, in pixels.
        depth: Number of poolings.

    Returns:
        Height or width of the logits, in pixels: 388 for 572.

    Raises:
        ValueError: If the picture is too small, or if an odd number of samples reaches a pooling,
            so that skips would not line up; the message names the next size that fits.
    """
    fits = size
    while _valid_size(fits, depth) is None:
        fits += 1
    if fits != size:
        raise ValueError(
            f"size={size} does not fit a U-Net of depth {depth} with padding='valid', which needs "
            f"an even number of samples before each pooling: {fits} is the next size that fits. "
            "Mirror the picture at its border up to that size, or use padding='same'."
        )
    return _valid_size(size, depth)


def _valid_size(size, depth):
    for _ in range(depth):
        size -= 4
        if size < 2 or size % 2:
            return None
        size //= 2
    size -= 4
    for _ in range(depth):
        size = 2 * size - 4
    return size if size > 0 else None


def _double_conv(x, filters, padding, batch_norm, name):
    for i in (1, 2):
        x = conv_block(x, filters, batch_norm=batch_norm, padding=padding, name=f"{name}_conv{i}")
    return x


def _up(x, filters, up, name):
    if up == "transposed":
        return layers.Conv2DTranspose(filters, 2, strides=2, name=f"{name}_transposed")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_bilinear")(x)
    return layers.Conv2D(filters, 2, padding="same", name=f"{name}_conv")(x)
