"""A world in which a shape's class is written far away from the shape."""

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

CLASSES = ("background", "cue", "warm", "cold")
SLOTS = 6


def echo(
    count: int,
    size=64,
    seed: int = 0,
    *,
    distance: float = 0.45,
    number: tuple[int, int] = (2, 4),
    noise: float = 0.03,
) -> Samples:
    """Return pictures of shapes whose class depends on the colour of a cue in another place.

    One disc, the cue, is orange or blue. The shapes in the right half are all "warm" in a picture
    with an orange cue and "cold" with a blue one; their own colour and form say nothing. A model
    whose receptive field does not reach from the shapes to the cue can only guess. The bytes depend
    only on the arguments, as for `streets`.

    Args:
        count: How many pictures, 1 or more.
        size: Height and width in pixels, or `(height, width)`; 32 or more.
        seed: Which pictures, 0 or more.
        distance: From the cue's middle to the middle of the picture, where the region of the shapes
            begins, in picture widths; 0.1 to 0.45. At 0.45 the cue is at the left edge.
        number: Fewest and most shapes in a picture, 1 to 6.
        noise: Standard deviation of the camera's noise, 0 to 0.3, where 1 is the full range.

    Returns:
        `Samples` with float32 pictures `(count, height, width, 3)` and uint8 masks.

    Raises:
        ValueError: If an argument is out of its range; the message names it.
    """
    height, width = check_request(count, size, seed, smallest=32)
    distance = check_knob("distance", distance, 0.1, 0.45)
    fewest, most = check_range("number", number, 1, SLOTS, whole=True)
    noise = check_knob("noise", noise, 0, 0.3)
    images = np.empty((count, height, width, 3), np.float32)
    masks = np.empty((count, height, width), np.uint8)
    aspect = width / height
    for index in range(count):
        u = uniforms(seed, index, 8 + SLOTS * 8).tolist()
        canvas = Canvas.blank(height, width)
        night = color(0.13, 0.16, 0.29) + color(0.2, 0.16, 0.12) * canvas.y
        canvas.image[:] = night * (1 + 0.35 * cloud(canvas, u[0], u[1]))
        warm = u[2] < 0.5
        cue = color(0.95, 0.55, 0.1) if warm else color(0.15, 0.45, 0.95)
        disc = canvas.ellipse(-distance * aspect, 0.15 + 0.7 * u[3], 0.045, 0.045)
        canvas.paint(disc, cue, CLASSES.index("cue"))
        label = CLASSES.index("warm" if warm else "cold")
        cells = sorted(range(SLOTS), key=lambda cell: u[8 + 8 * cell])
        for cell in cells[: int(fewest + (most - fewest + 1) * u[4])]:
            _shape(canvas, aspect, label, cell, u[9 + 8 * cell : 16 + 8 * cell])
        images[index] = finish(canvas.image, noise, seed, index)
        masks[index] = canvas.mask
    return Samples(images, masks, Task(CLASSES, palette(CLASSES)))


def _shape(canvas, aspect: float, label: int, cell: int, u: list[float]) -> None:
    """Draw a shape of any colour, brighter above."""
    inside, _, y = shape_in_cell(canvas, aspect, cell, u)
    paint = color(*(0.4 + 0.55 * value for value in u[4:7]))
    canvas.paint(inside, paint * (1 - 1.2 * (canvas.y - y)), label)
