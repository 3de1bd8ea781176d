"""From pairs of files to `Samples`: decode, check, resize."""

import numpy as np

from segbook.datasets.decode import read_picture, resize_mask, resize_picture
from segbook.samples import Samples
from segbook.validation import ids_text, refuse, unknown_ids


def read_pair(pair, read_mask, task, size=None):
    """Read one picture and its mask.

    Args:
        pair: `(picture path, mask path)`.
        read_mask: Function from a path to an integer array `(height, width)` of class ids.
        task: The classes that the ids stand for.
        size: `(height, width)` to resize to, or None.

    Returns:
        uint8 arrays `(height, width, 3)` and `(height, width)`.

    Raises:
        ValueError: With the file's name, what was found and what was expected.
    """
    picture_path, mask_path = pair
    picture = _named(picture_path, read_picture)
    mask = _named(mask_path, read_mask)
    if picture.shape[:2] != mask.shape:
        raise ValueError(
            f"{mask_path}: mask of size {_text(mask.shape)}, expected {_text(picture.shape[:2])} "
            f"as its picture {picture_path.name}"
        )
    unknown = unknown_ids(mask, task.num_classes, task.void)
    if unknown:
        raise ValueError(
            f"{mask_path}: unknown {ids_text(unknown)}, expected 0..{task.num_classes - 1} "
            f"or void {task.void}"
        )
    if size is not None:
        picture, mask = resize_picture(picture, size), resize_mask(mask, size)
    return picture, mask


def load(pairs, read_mask, task, size=None, what="samples", how=""):
    """Read all pairs into memory.

    Args:
        pairs: List of `(picture path, mask path)`.
        read_mask: Function from a path to an integer array `(height, width)` of class ids.
        task: The classes that the ids stand for.
        size: `(height, width)` to resize to, or None when all pictures have one size.
        what: The name of what is read, for errors.
        how: How to get it, one line, for errors.

    Returns:
        `Samples`: float32 pictures in [0, 1], uint8 masks.

    Raises:
        DataError: Listing the first few files with what is wrong in each.
    """
    check_size(size)
    images, masks, problems = None, None, []
    for position, pair in enumerate(pairs):
        try:
            picture, mask = read_pair(pair, read_mask, task, size)
            if images is None:
                images = np.empty((len(pairs), *picture.shape), np.float32)
                masks = np.empty((len(pairs), *mask.shape), np.uint8)
            if mask.shape != masks.shape[1:]:
                raise ValueError(
                    f"{pair[0]}: picture of size {_text(mask.shape)}, expected "
                    f"{_text(masks.shape[1:])} as the first; pass `size` to resize all"
                )
            np.divide(picture, 255, out=images[position], dtype=np.float32)
            masks[position] = mask
        except ValueError as error:
            problems.append(str(error))
    refuse(what, problems, how)
    return Samples(images, masks, task)


def check_size(size):
    """Refuse a size that is neither None nor `(height, width)`, both positive integers.

    Raises:
        ValueError: Saying what was given.
    """
    if size is None:
        return
    pair = isinstance(size, tuple | list) and len(size) == 2
    if not (pair and all(isinstance(n, int | np.integer) and n > 0 for n in size)):
        raise ValueError(f"`size` is {size!r}; allowed: None or (height, width) in pixels")


def _named(path, read):
    try:
        return read(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def _text(size):
    return f"{size[0]}x{size[1]}"
