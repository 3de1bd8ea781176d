"""Real handwriting: scikit-learn's bundled 8x8 digits, alone and several on a canvas."""

from functools import cache

import numpy as np

from segbook.palette import palette
from segbook.samples import Samples, Task
from segbook.worlds.drawing import (
    Canvas,
    check_knob,
    check_range,
    check_request,
    color,
    finish,
    noise_tile,
    uniforms,
)

CLASSES = ("background", *"0123456789")
# The first digits of scikit-learn's 1,797 are for training, the rest for testing.
TRAINING = 1200
SLOTS, TRIES = 10, 8


def digits(
    count: int,
    size=96,
    seed: int = 0,
    *,
    split: str = "train",
    number: tuple[int, int] = (2, 5),
    scale: tuple[float, float] = (0.25, 0.45),
    texture: float = 0.5,
    noise: float = 0.015,
) -> Samples:
    """Return pictures of several handwritten digits with a mask of the strokes.

    Each 8x8 digit is enlarged by bicubic interpolation, turned a little and inked where the
    interpolated intensity is above 0.4; those pixels are its mask. Digits hardly overlap. The bytes
    depend only on the arguments, as for `streets`; each size shows the same scene.

    Args:
        count: How many pictures, 1 or more.
        size: Height and width in pixels, or `(height, width)`; 16 or more.
        seed: Which pictures, 0 or more.
        split: "train" or "test", the first 1,200 and the last 597 digits of scikit-learn's set. Its
            neighbours are often by the same hand, so the test digits are mostly by other people:
            the nearest training digit has the same class for 96.5% of them, for 98% in a random
            split.
        number: Fewest and most digits in a picture, 1 to 10; one that finds no place is left out.
        scale: Smallest and largest height of a digit in shorter sides of the picture, 0.05 to 1.
        texture: Strength of the paper's texture, 0 to 1.
        noise: Standard deviation of the camera's noise, 0 to 0.3, where 1 is the full range.

    Returns:
        `Samples` with float32 pictures `(count, height, width, 3)` and uint8 masks: 0 is
        background, 1 + d is the digit d.

    Raises:
        ValueError: If an argument is out of its range; the message names it.
    """
    height, width = check_request(count, size, seed, smallest=16)
    glyphs, labels = _handwriting(split)
    fewest, most = check_range("number", number, 1, SLOTS, whole=True)
    smallest, largest = check_range("scale", scale, 0.05, 1)
    texture = check_knob("texture", texture, 0, 1)
    noise = check_knob("noise", noise, 0, 0.3)
    images = np.empty((count, height, width, 3), np.float32)
    masks = np.empty((count, height, width), np.uint8)
    short = min(height, width) / height
    aspect = width / height
    for index in range(count):
        u = uniforms(seed, index, 8 + SLOTS * 24).tolist()
        canvas = Canvas.blank(height, width)
        ink = _paper(canvas, u[:7], texture)
        placed = []
        for slot in range(int(fewest + (most - fewest + 1) * u[7])):
            v = u[8 + 24 * slot : 32 + 24 * slot]
            tall = short * (smallest + (largest - smallest) * v[0])
            for attempt in range(TRIES):
                x = (aspect - tall) * (v[8 + 2 * attempt] - 0.5)
                y = 0.5 + (1 - tall) * (v[9 + 2 * attempt] - 0.5)
                if all(
                    (x - a) * (x - a) + (y - b) * (y - b) > 0.2 * (tall + c) * (tall + c)
                    for a, b, c in placed
                ):
                    placed.append((x, y, tall))
                    glyph = int(v[1] * len(glyphs))
                    _write(canvas, glyphs[glyph], 1 + int(labels[glyph]), x, y, tall, ink, v[2:6])
                    break
        images[index] = finish(canvas.image, noise, seed, index)
        masks[index] = canvas.mask
    return Samples(images, masks, Task(CLASSES, palette(CLASSES)))


def digit_crops(
    count: int,
    size: int = 32,
    seed: int = 0,
    *,
    split: str = "train",
    texture: float = 0.5,
    noise: float = 0.015,
) -> tuple[np.ndarray, np.ndarray]:
    """Return small pictures, each of one digit or none, with their classes.

    The classes are those of `digits`, all equally frequent. A digit fills 0.6 to 0.9 of the height
    and is near the middle. Half the pictures of class 0 are empty paper; on the others a part of a
    digit may reach in from the border, so that a classifier slid over a large picture answers only
    near a digit's middle.

    Args:
        count: How many pictures, 1 or more.
        size: Height and width in pixels, 16 or more.
        seed: Which pictures, 0 or more.
        split: "train" or "test", as for `digits`.
        texture: Strength of the paper's texture, 0 to 1.
        noise: Standard deviation of the camera's noise, 0 to 0.3, where 1 is the full range.

    Returns:
        float32 pictures `(count, size, size, 3)` in [0, 1] and uint8 classes `(count,)`: 0 is
        background, 1 + d is the digit d.

    Raises:
        ValueError: If an argument is out of its range; the message names it.
    """
    height, width = check_request(count, size, seed, smallest=16)
    glyphs, labels = _handwriting(split)
    texture = check_knob("texture", texture, 0, 1)
    noise = check_knob("noise", noise, 0, 0.3)
    images = np.empty((count, height, width, 3), np.float32)
    classes = np.empty(count, np.uint8)
    for index in range(count):
        u = uniforms(seed, index, 24, stream=2).tolist()
        canvas = Canvas.blank(height, width)
        ink = _paper(canvas, u[:7], texture)
        wanted = int(u[7] * len(CLASSES))
        choices = np.flatnonzero(labels == wanted - 1) if wanted else np.arange(len(labels))
        glyph = choices[int(u[8] * len(choices))]
        tall = 0.6 + 0.3 * u[9]
        x, y = 0.16 * (u[10] - 0.5), 0.5 + 0.16 * (u[11] - 0.5)
        if wanted == 0:
            side = (0.45 + 0.3 * u[12]) * (1 if u[13] < 0.5 else -1)
            x, y = (x + side, y + u[14] - 0.5) if u[15] < 0.5 else (x + u[14] - 0.5, y + side)
        if wanted or u[16] < 0.5:
            _write(canvas, glyphs[glyph], wanted, x, y, tall, ink, u[17:21])
        images[index] = finish(canvas.image, noise, seed, index)
        classes[index] = wanted
    return images, classes


@cache
def _handwriting(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return glyphs `(n, 80, 80)`, eight times enlarged with a margin of a cell, and digits."""
    if split not in ("train", "test"):
        raise ValueError(f'split is {split!r}; it must be "train" or "test"')
    from sklearn.datasets import load_digits

    data = load_digits()
    chosen = slice(0, TRAINING) if split == "train" else slice(TRAINING, None)
    cells = (data.images[chosen] / 16).astype(np.float32)
    return _enlarge(_enlarge(np.pad(cells, ((0, 0), (1, 1), (1, 1))))), data.target[chosen]


def _enlarge(pictures: np.ndarray) -> np.ndarray:
    """Enlarge `(n, side, side)` eight times a side along the last axis, and swap the last two axes.

    Twice applied, it enlarges both axes: bicubic interpolation (Catmull and Rom 1974).
    """
    side = pictures.shape[2]
    position = (np.arange(8 * side, dtype=np.float32) + 0.5) / 8 - 0.5
    low = np.floor(position)
    t = position - low
    weights = (
        ((2 - t) * t - 1) * t / 2,
        ((3 * t - 5) * t * t + 2) / 2,
        ((4 - 3 * t) * t + 1) * t / 2,
        (t - 1) * t * t / 2,
    )
    large = np.zeros((*pictures.shape[:2], 8 * side), np.float32)
    for tap, weight in enumerate(weights):
        source = (low.astype(int) + tap - 1).clip(0, side - 1)
        large += weight * pictures[:, :, source]
    return large.transpose(0, 2, 1)


def _paper(canvas: Canvas, u: list[float], texture: float) -> np.ndarray:
    """Fill the canvas with paper, or chalkboard, and return an ink that stands out on it."""
    tint = color(u[0], u[1], u[2])
    tile = noise_tile(1024, 8, 128)
    rows = (canvas.y * 500 + u[3] * 1024).astype(np.int32) & 1023
    columns = (canvas.x * 500 + u[4] * 1024 + 1024).astype(np.int32) & 1023
    if u[5] < 0.7:
        paper, ink = 0.72 + 0.22 * tint, 0.04 + 0.42 * (1 - tint)
    else:
        paper, ink = 0.1 + 0.25 * tint, 0.75 + 0.25 * (1 - tint)
    canvas.image[:] = paper + 0.16 * texture * tile[rows, columns]
    canvas.image += (0.1 * texture * (u[6] - 0.5)) * (canvas.x + canvas.y)
    return ink


def _write(canvas, glyph, label, x, y, tall, ink, u) -> None:
    """Write one enlarged glyph, `tall` picture heights high, its middle at (x, y)."""
    reach = 0.75 * tall
    view = canvas.crop(x - reach, y - reach, x + reach, y + reach)
    if view is None:
        return
    turn, slant = 0.4 * (u[0] - 0.5), 0.3 * (u[1] - 0.5)
    step = 64 / tall
    right, down = (view.x - x) * step, (view.y - y) * step
    # A shear along each axis is a small turn; the glyph's middle is at 39.5.
    across = right + (slant - turn) * down + 39.5
    along = down + turn * right + 39.5
    inside = (across > 0) & (across < 78) & (along > 0) & (along < 78)
    across, along = np.where(inside, across, 0), np.where(inside, along, 0)
    column, row = across.astype(np.int32), along.astype(np.int32)
    a, b = across - column, along - row
    upper = glyph[row, column] * (1 - a) + glyph[row, column + 1] * a
    lower = glyph[row + 1, column] * (1 - a) + glyph[row + 1, column + 1] * a
    value = upper * (1 - b) + lower * b
    pixels_per_cell = tall * canvas.unit / 8
    view.paint((value - 0.4) * pixels_per_cell, ink * (0.85 + 0.3 * u[2]), label)
