"""Your own folder of pictures and masks."""

from pathlib import Path

import numpy as np

from segbook.checks import check_class_names
from segbook.datasets.disk.decode import blends, colors_reader, ids_reader
from segbook.datasets.disk.find import nested, pair_folders, without_extension
from segbook.datasets.disk.load import Files, load
from segbook.palette import palette as book_palette
from segbook.samples import VOID, Task


def folder(
    images,
    masks,
    class_names,
    *,
    palette=None,
    tolerance=None,
    ids=None,
    void=None,
    mask_end="",
    size=None,
    pad=False,
    lazy=False,
    cache=None,
):
    """Read pictures and masks from two folders and all in them; a mask has its picture's name.

    The mask of `images/alice/1.jpg` is `masks/alice/1.png`, and its name "alice/1": with it
    `split_by_group` keeps all of Alice on one side. Folders whose names start with a dot are left
    out, and `masks` where it is in `images`.

    Masks are of one of two kinds. Either a pixel's value, or its position in a palette PNG, says
    the class: leave `palette` out. Or a pixel's colour says it: give `palette`. Masks of 0 and 255
    have two classes, `ids=(0, 255)`, for a network with one logit too.

    Args:
        images: Folder of pictures: PNG, JPEG, BMP, TIFF, WebP or GIF.
        masks: Folder of masks, without loss in compression (not JPEG).
        class_names: The classes in the order of their ids.
        palette: RGB colour of each class in the masks, `(num_classes, 3)`, or None.
        tolerance: With `palette`, how far a pixel's colour may be from a class's: a pixel gets the
            nearest class within this Euclidean distance in RGB, what is farther from all becomes
            void, and `folder_blends` counts it. None refuses all other colours.
        ids: Pixel value of each class in the masks; None for 0, 1, 2, ...
        void: Pixel values, or with `palette` RGB colours, that mean "no label here"; None for the
            value 255, or no colour.
        mask_end: What masks' names have after their picture's, such as "_mask".
        size: `(height, width)` of the results; None leaves pictures as large as they are.
        pad: Keep proportions and fill up with black and void, see `load`.
        lazy: Read pictures when they are used, for data larger than the memory.
        cache: A folder for decoded arrays, or None.

    Returns:
        `Samples`: float32 pictures in [0, 1], uint8 masks.

    Raises:
        MissingData: If there is nothing to read.
        DataError: Listing the first few files with what is wrong in each.
        ValueError: If arguments do not fit together.
    """
    class_names = check_class_names(class_names)
    if palette is not None and ids is not None:
        raise ValueError("palette and ids are both given; it must be one of them.")
    if tolerance is not None and (palette is None or not tolerance >= 0):
        raise ValueError(f"tolerance={tolerance} must be 0 or more, beside a palette.")
    if palette is None:
        values = tuple(range(len(class_names)) if ids is None else ids)
        void_values = (VOID,) if void is None and VOID not in values else tuple(void or ())
        _check_values(values, void_values, len(class_names))
        reader, colors = ids_reader(values, void_values), book_palette(class_names)
    else:
        colors = np.asarray(palette)
        if colors.shape != (len(class_names), 3) or colors.min() < 0 or colors.max() > 255:
            raise ValueError(
                f"palette of shape {colors.shape} must be ({len(class_names)}, 3), one RGB "
                "colour of 0..255 a class."
            )
        colors = colors.astype(np.uint8)
        values, void_values = colors.tolist(), np.asarray(() if void is None else void).tolist()
        reader = colors_reader(values, void_values, tolerance)
    pairs, names, what = _pairs(images, masks, mask_end)
    decoding = f"{values} {void_values} {tolerance}"
    files = Files(pairs, reader, Task(class_names, colors), what, decoding=decoding, names=names)
    return load(files, size, pad=pad, lazy=lazy, cache=cache)


def folder_blends(images, masks, palette, tolerance, *, void=(), mask_end=""):
    """Measure how many pixels of each mask are too far from every colour and become void.

    Args:
        images: As for `folder`, and so the others.
        masks: See `images`.
        palette: See `images`.
        tolerance: See `images`.
        void: See `images`.
        mask_end: See `images`.

    Returns:
        float array `(count,)`: the share of such pixels of each mask, in the order of `folder`.

    Raises:
        MissingData: If there is nothing to read.
        DataError: If some pictures have no mask or some masks no picture.
        ValueError: If a mask cannot be read.
    """
    pairs, _, _ = _pairs(images, masks, mask_end)
    return blends([mask for _, mask in pairs], [*map(tuple, palette), *map(tuple, void)], tolerance)


def _pairs(images, masks, mask_end):
    """Match pictures and masks; give the pictures' names and what is read, too."""
    images, masks = Path(images).expanduser(), Path(masks).expanduser()
    what = f"folder {images.name}"
    subfolders = sorted({*nested(images, masks), *nested(masks, images)})
    pairs = pair_folders(images, masks, what, ends=("", mask_end), subfolders=subfolders)
    return pairs, [without_extension(picture, images) for picture, _ in pairs], what


def _check_values(ids, void, count):
    for name, values in {"ids": ids, "void": void}.items():
        if not all(isinstance(i, int | np.integer) and 0 <= i <= 255 for i in values):
            raise ValueError(f"{name}={values} must be pixel values, integers 0..255.")
    if len(set(ids)) != count:
        raise ValueError(f"ids={ids} must be {count} different values, one a class.")
    if set(ids) & set(void):
        raise ValueError(f"ids={ids} and void={void} must have no value in common.")
