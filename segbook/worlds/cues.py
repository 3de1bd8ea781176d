"""A world of several cues: a shape's class is written on the cue of its own two colours."""

from dataclasses import dataclass

import numpy as np

from segbook.palette import palette
from segbook.samples import VOID, Samples, Task
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
CUES = 4  # each pair of one of two colours at the left and one of two at the right
SLOTS = 6


@dataclass(frozen=True, eq=False, kw_only=True)
class CueSamples(Samples):
    """`Samples` that know which disc each shape obeys.

    The pairs of colours have numbers: 0 and 1 share their left colour, 2 and 3 the other one; 0 and
    2 share their right colour, 1 and 3 the other one.

    Args:
        pairs: uint8 array `(count, height, width)`: the number of the pair of colours, 0 to 3, at
            each pixel of a disc or a shape, and `task.void` elsewhere.
        light: bool array `(count, 4)`: whether the disc of each pair has a white dot.
    """

    pairs: np.ndarray
    light: np.ndarray

    @property
    def hard(self) -> np.ndarray:
        """Where no colour alone tells light from dark: bool array `(count,)`.

        Each colour is then on one disc with a white dot and on one with a black dot. So it is in
        two of the six ways to give two white dots to four discs.
        """
        return self.light[:, 0] == self.light[:, 3]


def cues(
    count: int,
    size=64,
    seed: int = 0,
    *,
    number: tuple[int, int] = (3, 5),
    noise: float = 0.02,
) -> CueSamples:
    """Return pictures of shapes, each of the class that the cue of its own two colours shows.

    Four discs stand one above the other at the left edge, in any order. The left half of each has
    one of two opposite hues, the right half one of two opposite hues of a draw of its own, which
    may come close to the first. Both draws change from picture to picture. The four discs show the
    four pairs. Two of them have a white dot, two a black one. The shapes in the right half have two
    halves as well: a shape is "light" where the disc of the same pair has a white dot, and "dark"
    where it has a black one.

    Nothing near a shape says which it is: over many pictures every pair of colours is as often
    light as dark, and every picture has as many white dots as black ones. In two pictures of six
    no colour alone tells either, because each is on one disc of either kind.

    Args:
        count: How many pictures, 1 or more.
        size: Height and width in pixels, or `(height, width)`; 32 or more.
        seed: Which pictures, 0 or more.
        number: Fewest and most shapes in a picture, 1 to 6.
        noise: Standard deviation of the camera's noise, 0 to 0.3, where 1 is the full range.

    Returns:
        `CueSamples`: float32 pictures `(count, height, width, 3)` and uint8 masks, and which pair
        of colours is where (`pairs`), which pair is light (`light`), which pictures are `hard`.

    Raises:
        ValueError: If an argument is out of its range; the message names it.
    """
    height, width = check_request(count, size, seed, smallest=32)
    fewest, most = check_range("number", number, 1, SLOTS, whole=True)
    noise = check_knob("noise", noise, 0, 0.3)
    images = np.empty((count, height, width, 3), np.float32)
    masks = np.empty((count, height, width), np.uint8)
    which = np.full((count, height, width), VOID, np.uint8)
    lights = np.zeros((count, CUES), bool)
    aspect = width / height
    for index in range(count):
        u = uniforms(seed, index, 16 + SLOTS * 8).tolist()
        canvas = Canvas.blank(height, width)
        canvas.image[:] = color(0.42, 0.43, 0.46) * (1 + 0.12 * cloud(canvas, u[0], u[1]))
        # The first two of a random order are light.
        light = sorted(range(CUES), key=lambda cue: u[4 + cue])[: CUES // 2]
        lights[index, light] = True
        places = sorted(range(CUES), key=lambda cue: u[8 + cue])
        pairs = [(_hue(u[2] + i / 2), _hue(u[3] + j / 2)) for i in range(2) for j in range(2)]
        for cue in range(CUES):
            x, y = -0.37 * aspect, (places[cue] + 0.5) / CUES
            disc = canvas.ellipse(x, y, 0.095, 0.095)
            _paint_halves(canvas, disc, x, pairs[cue], CLASSES.index("cue"))
            which[index, disc > 0] = cue
            dot = color(1, 1, 1) if cue in light else color(0, 0, 0)
            canvas.paint(canvas.ellipse(x, y, 0.045, 0.045), dot)
        cells = sorted(range(SLOTS), key=lambda cell: u[16 + 8 * cell])
        for cell in cells[: int(fewest + (most - fewest + 1) * u[12])]:
            v = u[17 + 8 * cell : 24 + 8 * cell]
            cue = int(CUES * v[4])
            label = CLASSES.index("light" if cue in light else "dark")
            inside, x, _ = shape_in_cell(canvas, aspect, cell, v)
            _paint_halves(canvas, inside, x, pairs[cue], label)
            which[index, inside > 0] = cue
        images[index] = finish(canvas.image, noise, seed, index)
        masks[index] = canvas.mask
    task = Task(CLASSES, palette(CLASSES))
    return CueSamples(images, masks, task, pairs=which, light=lights)


def _paint_halves(canvas, inside, x, pair, label):
    """Paint a shape in one colour at the left of x, and in another at its right."""
    left, right = pair
    canvas.paint(inside, left, label)
    canvas.paint(np.minimum(inside, (canvas.x - x) * canvas.unit), right, label)


def _hue(turn: float):
    """Return the full colour at a place of the colour circle, given in turns."""
    place = 6 * (turn % 1)
    channels = (abs(place - 3) - 1, 2 - abs(place - 2), 2 - abs(place - 4))
    return color(*(0.08 + 0.84 * min(max(value, 0), 1) for value in channels))
