"""The floor: what guesses without learning score, beside which a trained score means something."""

import numpy as np

from segbook.checks import check_range
from segbook.samples import Samples


def color_table(samples: Samples, images, *, levels: int = 24, strips: int = 12) -> np.ndarray:
    """Guess each pixel's class by its colour and its height in the picture.

    A pixel gets the class that pixels of its cell, as coarse a colour in the same strip of height,
    had most often in `samples`. If several had equally many, or if no pixel had any, the class that
    is most frequent in the strip decides, which matters where pictures are few.

    Args:
        samples: Pictures float32 `(n, height, width, 3)` in [0, 1] with masks to count. Void pixels
            are left out.
        images: Pictures to guess, float32 `(m, height, width, 3)` in [0, 1], of any size.
        levels: In how many steps each colour channel is cut, 1 or more.
        strips: In how many strips the height is cut, 1 or more; 1 leaves the colour alone.

    Returns:
        float32 array `(m, height, width, C)`: 1 for the guess, 0 for every other class, so that it
        serves where logits do.

    Raises:
        ValueError: If `levels` or `strips` is less than 1.
    """
    check_range("levels", levels, 1)
    check_range("strips", strips, 1)
    classes, cells = samples.task.num_classes, levels**3 * strips
    counts = np.zeros(cells * classes, np.int64)
    for image, mask in zip(samples.images, samples.masks, strict=True):
        known = mask != samples.task.void
        pairs = _cells(image, levels, strips)[known] * classes + mask[known]
        counts += np.bincount(pairs, minlength=len(counts))
    counts = counts.reshape(-1, strips, classes)
    of_strips = counts.sum(axis=0)
    of_strips[of_strips.sum(axis=1) == 0] = of_strips.sum(axis=0)
    decides = of_strips / (1 + of_strips.sum(axis=1, keepdims=True))  # less than one pixel
    most = (counts + decides).argmax(axis=-1).ravel()
    guesses = np.stack([most[_cells(image, levels, strips)] for image in images])
    return np.eye(classes, dtype="float32")[guesses]


def _cells(image, levels: int, strips: int) -> np.ndarray:
    """Return the number of each pixel's cell, `(height, width)`: its colour, then its strip."""
    steps = np.minimum((np.asarray(image) * levels).astype(np.int64), levels - 1)
    strip = np.arange(len(steps))[:, None] * strips // len(steps)
    red, green, blue = np.moveaxis(steps, -1, 0)
    return ((red * levels + green) * levels + blue) * strips + strip
