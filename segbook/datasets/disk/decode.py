"""Decode one picture or one mask."""

import json

import numpy as np
from PIL import Image, ImageOps

from segbook.checks import ids_text
from segbook.samples import VOID

EIGHT_BIT = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}
EXIF_ORIENTATION = 0x0112


def open_upright(path):
    """Open and decode an image file, turned upright if its EXIF data say so.

    Args:
        path: The file.

    Returns:
        A `PIL.Image.Image` of any mode.

    Raises:
        ValueError: Saying what was found instead of a readable image.
    """
    if path.stat().st_size == 0:
        raise ValueError("the file is empty, 0 bytes")
    try:
        # Opened here, so that the file of a damaged picture is closed too.
        with open(path, "rb") as file, Image.open(file) as image:
            image.load()
            return ImageOps.exif_transpose(image)
    # Pillow calls a bad chunk a SyntaxError.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"not a readable image ({error})".replace(str(path), path.name)) from error


def open_image(path):
    """Open and decode an 8-bit image file, turned upright if its EXIF data say so.

    Args:
        path: The file.

    Returns:
        A `PIL.Image.Image` without transparency.

    Raises:
        ValueError: Saying what was found instead of a readable 8-bit image.
    """
    image = open_upright(path)
    if image.mode not in EIGHT_BIT:
        raise ValueError(f"mode {image.mode}, expected 8 bits a channel")
    if image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
        if alpha.min() < 255:
            share = np.mean(alpha < 255)
            raise ValueError(f"{share:.1%} of the pixels are transparent, expected none")
    return image


def named(path, read):
    """Read a file and put its name before what is wrong with it.

    Args:
        path: The file.
        read: Function of the path.

    Returns:
        What `read` gives.

    Raises:
        ValueError: If `read` raises it or OSError.
    """
    try:
        return read(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def read_json(path):
    """Read what a labelling tool wrote.

    Args:
        path: The file.

    Returns:
        A dict.

    Raises:
        ValueError: If it is no JSON file that starts with a brace.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"not a readable JSON file ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"a {type(content).__name__} in JSON, expected an object in braces")
    return content


def upright_size(path):
    """Read `(height, width)` of a picture from its header, as it is after EXIF rotation.

    Args:
        path: The file.

    Returns:
        `(height, width)`, or None if the header cannot be read.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(EXIF_ORIENTATION, 1) in (5, 6, 7, 8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    return (width, height) if turned else (height, width)


def read_picture(path):
    """Read a picture: grey, palette and EXIF-rotated files become upright RGB.

    Args:
        path: The file.

    Returns:
        uint8 array `(height, width, 3)`.

    Raises:
        ValueError: Saying what was found and what was expected.
    """
    return np.asarray(open_image(path).convert("RGB"))


def ids_reader(ids, void_ids=(VOID,)):
    """Make a reader of masks whose pixel values, or positions in a palette, stand for classes.

    Args:
        ids: The pixel value of each class.
        void_ids: The pixel values that become void.

    Returns:
        A function from a path to a uint8 array `(height, width)` of class ids and void; it raises
        ValueError, saying what was found and what was expected.
    """
    table = np.full(256, -1, np.int16)
    table[list(void_ids)] = VOID
    table[list(ids)] = np.arange(len(ids))
    expected = f"expected {_ranges(ids)}" + (f" or void {_ranges(void_ids)}" if void_ids else "")

    def read(path):
        image = open_image(path)
        if image.mode == "LA":
            image = image.convert("L")
        if image.mode not in ("1", "L", "P"):
            raise ValueError(f"mode {image.mode}, expected one label a pixel (mode L or P)")
        values = np.asarray(image).astype(np.uint8)
        mask = table[values]
        if mask.min() < 0:
            raise ValueError(
                f"unknown {ids_text(np.unique(values[mask < 0]).tolist())}, {expected}"
            )
        return mask.astype(np.uint8)

    return read


def colors_reader(colors, void_colors=(), tolerance=None):
    """Make a reader of masks that show each class in a colour.

    Args:
        colors: RGB of each class, `(num_classes, 3)`.
        void_colors: RGB of what becomes void.
        tolerance: None for exact colours. Otherwise a pixel gets the class of the nearest colour,
            and what is farther from all of them, as `nearest_colors` measures, becomes void.

    Returns:
        A function from a path to a uint8 array `(height, width)` of class ids and void; it raises
        ValueError if a pixel has any other colour, or with `tolerance` if all pixels have.
    """
    known = [*map(tuple, colors), *map(tuple, void_colors)]
    ids = np.array([*range(len(colors)), *[VOID] * len(void_colors)], np.uint8)
    within = tolerance or 0

    def read(path):
        nearest, distance = nearest_colors(read_picture(path), known)
        if tolerance is None and distance.max() > 0:
            wrong = np.unique(read_picture(path)[distance > 0], axis=0).tolist()
            raise ValueError(f"unknown {ids_text(wrong, 'colour')}, expected one of {len(known)}")
        if distance.min() > within:
            raise ValueError(
                f"every pixel is {distance.min():.0f} or more from each of {len(known)} colours, "
                f"expected some within {within}"
            )
        return np.where(distance <= within, ids[nearest], VOID).astype(np.uint8)

    return read


def blends(paths, colors, tolerance):
    """Measure which share of each mask's pixels is farther than a distance from all colours.

    Args:
        paths: The files.
        colors: RGB values, `(count, 3)`.
        tolerance: The distance in RGB.

    Returns:
        float array `(count,)`.

    Raises:
        ValueError: If a file cannot be read.
    """
    pictures = (named(path, read_picture) for path in paths)
    return np.array([np.mean(nearest_colors(each, colors)[1] > tolerance) for each in pictures])


def nearest_colors(picture, colors):
    """Find the colour of a list that is nearest to each pixel.

    Args:
        picture: uint8 array `(height, width, 3)`.
        colors: RGB values, `(count, 3)`.

    Returns:
        The position in `colors`, an integer array `(height, width)`, and the Euclidean distance in
        RGB, a float array `(height, width)`.
    """
    codes = picture.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1])
    codes, inverse = np.unique(codes, return_inverse=True)
    found = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1)
    distances = np.linalg.norm(found[:, None] - np.asarray(colors, float), axis=2)
    inverse = inverse.reshape(picture.shape[:2])
    return distances.argmin(1)[inverse], distances.min(1)[inverse]


def _ranges(ids):
    """Write `(0, 1, 2, 7)` as `0..2, 7`."""
    runs = []
    for i in sorted(ids):
        if runs and runs[-1][1] == i - 1:
            runs[-1][1] = i
        else:
            runs.append([i, i])
    return ", ".join(str(a) if a == b else f"{a}..{b}" for a, b in runs)
