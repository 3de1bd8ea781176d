"""A world of several cues: each shape's class is written on the cue of its own colour."""

import numpy as np

from segbook.palette import palette
from segbook.samples import Samples, Task
from segbook.worlds.drawing import (
    Canvas,
    check_knob,
    check_range,
    check_request,
    cloud,
    color,
    finish,
    shape_in_cell,
    uniforms,
)

CLASSES = ("background", "cue", "light", "dark")
CUES = 4
SLOTS = 6


def cues(
    count: int,
    size=64,
    seed: int = 0,
    *,
    number: tuple[int, int] = (3, 5),
    noise: float = 0.02,
) -> Samples:
    """Return pictures of shapes, each of the class that the cue of its own colour shows.

    Four discs stand one above the other at the left edge, in any order, of four hues a quarter of
    the colour circle apart, which turns from picture to picture. Two of them have a white dot, two
    a black one. The shapes in the right half are "light" where the disc of their hue has a white
    dot and "dark" where it has a black one. Every picture has as many white dots as black ones, and
    every colour as often with one as with the other: what counts is which dot goes with which hue.
    A summary of the picture must keep that for every hue at once; chapter 11 measures which can.

    Args:
        count: How many pictures, 1 or more.
        size: Height and width in pixels, or `(height, width)`; 32 or more.
        seed: Which pictures, 0 or more.
        number: Fewest and most shapes in a picture, 1 to 6.
        noise: Standard deviation of the camera's noise, 0 to 0.3, where 1 is the full range.

    Returns:
        `Samples` with float32 pictures `(count, height, width, 3)` and uint8 masks.

    Raises:
        ValueError: If an argument is out of its range; the message names it.
    """
    height, width = check_request(count, size, seed, smallest=32)
    fewest, most = check_range("number", number, 1, SLOTS, whole=True)
    noise = check_knob("noise", noise, 0, 0.3)
    images = np.empty((count, height, width, 3), np.float32)
    masks = np.empty((count, height, width), np.uint8)
    aspect = width / height
    for index in range(count):
        u = uniforms(seed, index, 16 + SLOTS * 8).tolist()
        canvas = Canvas.blank(height, width)
        canvas.image[:] = color(0.42, 0.43, 0.46) * (1 + 0.12 * cloud(canvas, u[0], u[1]))
        # The first two of a random order are light.
        light = sorted(range(CUES), key=lambda cue: u[3 + cue])[: CUES // 2]
        places = sorted(range(CUES), key=lambda cue: u[7 + cue])
        for cue in range(CUES):
            y = (places[cue] + 0.5) / CUES
            x = -0.37 * aspect
            canvas.paint(canvas.ellipse(x, y, 0.095, 0.095), _hue(u[2], cue), CLASSES.index("cue"))
            dot = color(1, 1, 1) if cue in light else color(0, 0, 0)
            canvas.paint(canvas.ellipse(x, y, 0.045, 0.045), dot)
        cells = sorted(range(SLOTS), key=lambda cell: u[16 + 8 * cell])
        for cell in cells[: int(fewest + (most - fewest + 1) * u[11])]:
            v = u[17 + 8 * cell : 24 + 8 * cell]
            cue = int(CUES * v[4])
            label = CLASSES.index("light" if cue in light else "dark")
            inside, _ = shape_in_cell(canvas, aspect, cell, v)
            canvas.paint(inside, _hue(u[2], cue), label)
        images[index] = finish(canvas.image, noise, seed, index)
        masks[index] = canvas.mask
    return Samples(images, masks, Task(CLASSES, palette(CLASSES)))


def _hue(turn: float, cue: int):
    """Return the full colour at a place of the colour circle, a quarter further for each cue."""
    place = 6 * ((turn + cue / CUES) % 1)
    channels = (abs(place - 3) - 1, 2 - abs(place - 2), 2 - abs(place - 4))
    return color(*(0.08 + 0.84 * min(max(value, 0), 1) for value in channels))
