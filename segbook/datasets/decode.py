"""Decode one picture or one mask, and resize both so that they stay aligned."""

import numpy as np
from PIL import Image, ImageOps

EIGHT_BIT = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}


def open_image(path):
    """Open and decode an 8-bit image file, turned upright if its EXIF data say so.

    Args:
        path: The file.

    Returns:
        A `PIL.Image.Image`.

    Raises:
        ValueError: Saying what was found instead of a readable 8-bit image.
    """
    if path.stat().st_size == 0:
        raise ValueError("the file is empty, 0 bytes")
    try:
        image = Image.open(path)
        image.load()
    except (OSError, SyntaxError, ValueError) as error:  # Pillow calls a bad chunk a SyntaxError
        raise ValueError(f"not a readable image ({error})".replace(str(path), path.name)) from error
    if image.mode not in EIGHT_BIT:
        raise ValueError(f"mode {image.mode}, expected 8 bits a channel")
    return ImageOps.exif_transpose(image)


def opaque(image):
    """Return the image without its alpha channel.

    Raises:
        ValueError: If a pixel is not opaque: its colour would depend on a background.
    """
    if not image.has_transparency_data:
        return image
    alpha = np.asarray(image.convert("RGBA"))[..., 3]
    if alpha.min() < 255:
        raise ValueError(f"{np.mean(alpha < 255):.1%} of the pixels are not opaque, expected all")
    return image


def read_picture(path):
    """Read a picture: grey, palette and EXIF-rotated files become upright RGB.

    Args:
        path: The file.

    Returns:
        uint8 array `(height, width, 3)`.

    Raises:
        ValueError: Saying what was found and what was expected.
    """
    return np.asarray(opaque(open_image(path)).convert("RGB"))


def read_ids(path):
    """Read a mask whose pixel values, grey levels or palette positions, are class ids.

    Args:
        path: The file.

    Returns:
        uint8 array `(height, width)`.

    Raises:
        ValueError: Saying what was found and what was expected.
    """
    image = open_image(path)
    if image.mode not in ("1", "L", "P"):
        raise ValueError(f"mode {image.mode}, expected one label a pixel (mode L or P)")
    return np.asarray(image).astype(np.uint8)


def resize_picture(picture, size):
    """Resize a picture: area means where it shrinks, bilinear interpolation where it grows.

    Args:
        picture: uint8 array `(height, width, 3)`.
        size: `(height, width)` of the result.

    Returns:
        uint8 array `(*size, 3)`.
    """
    shrinks = size[0] <= picture.shape[0] and size[1] <= picture.shape[1]
    method = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(picture).resize((size[1], size[0]), method))


def resize_mask(mask, size):
    """Resize a mask to the nearest label, pixel centres matched with those of the picture.

    Args:
        mask: integer array `(height, width)`.
        size: `(height, width)` of the result.

    Returns:
        Array `size` of the same dtype; no label that was not there before.
    """
    rows, columns = (
        (np.arange(new) * 2 + 1) * old // (2 * new)
        for new, old in zip(size, mask.shape, strict=True)
    )
    return mask[rows[:, None], columns]
