"""Bring a picture and its mask to one size and keep them aligned."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from segbook.samples import VOID


@dataclass(frozen=True)
class Frame:
    """The size that all pairs of a data set get, and how.

    Args:
        size: `(height, width)` of all results.
        resize: Whether pictures are scaled to it.
        pad: Whether they keep their proportions, black and void at the right and the bottom.
    """

    size: tuple[int, int]
    resize: bool
    pad: bool

    def picture(self, picture):
        """Fit a picture, uint8 `(height, width, 3)`, into the frame."""
        return self._padded(resize_picture(picture, self._inner(picture)), 0)

    def mask(self, mask):
        """Fit a mask, uint8 `(height, width)`, into the frame."""
        return self._padded(resize_mask(mask, self._inner(mask)), VOID)

    def _inner(self, array):
        height, width = array.shape[:2]
        if not self.resize:
            return height, width
        if not self.pad:
            return self.size
        factor = min(self.size[0] / height, self.size[1] / width)
        return max(1, round(height * factor)), max(1, round(width * factor))

    def _padded(self, array, fill):
        if array.shape[:2] == self.size:
            return array
        result = np.full((*self.size, *array.shape[2:]), fill, array.dtype)
        result[: array.shape[0], : array.shape[1]] = array
        return result


def resize_picture(picture, size):
    """Resize a picture: area means where it shrinks, bilinear interpolation where it grows.

    Either way no pixel of the picture is left out, so fine stripes turn grey and not into coarse
    ones: where only one side shrinks, Pillow widens the interpolation along it.

    Args:
        picture: uint8 array `(height, width, 3)`.
        size: `(height, width)` of the result.

    Returns:
        uint8 array `(*size, 3)`.
    """
    if picture.shape[:2] == tuple(size):
        return picture
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
