"""A world of organs inside each other: slices through drawn hearts."""

import math
from dataclasses import dataclass

import numpy as np

from segbook.palette import palette
from segbook.samples import Samples, Task
from segbook.worlds.drawing import (
    Canvas,
    check_knob,
    check_request,
    check_whole,
    cloud,
    direction,
    finish,
    uniforms,
)

CLASSES = ("background", "right chamber", "muscle", "left chamber")
FIELD = 160.0  # millimetres from the top of a picture to its bottom
TIP = 1.12  # where the muscle ends, if the left chamber ends at 1
RIGHT = 0.85  # where the right chamber ends


@dataclass(frozen=True, eq=False, kw_only=True)
class OrganSamples(Samples):
    """`Samples` that know which slices belong together, and how large things are.

    Args:
        patients: int64 array `(count,)`: whose heart a slice shows.
        spacing: float64 array `(count, 3)`: millimetres from slice to slice, from row to row and
            from column to column.
        volumes: float64 array `(count,)`: how much the left chamber of this heart holds, in
            millilitres, by the formula of an ellipsoid.
    """

    patients: np.ndarray
    spacing: np.ndarray
    volumes: np.ndarray


def organs(
    count: int,
    size=128,
    seed: int = 0,
    *,
    slices: int = 8,
    contrast: float = 1.0,
    noise: float = 0.03,
) -> OrganSamples:
    """Return slices through hearts, from the base to the tip: two chambers and a ring of muscle.

    The left chamber lies inside the muscle, the right one beside it. The left chamber is half an
    ellipsoid, so that its volume is known without counting. Every heart is cut into equally many
    slices; longer hearts have slices further apart. A picture is 160 mm high. The bytes depend only
    on the arguments, as for `streets`; patient `p` has the pictures from `p * slices` on.

    Args:
        count: How many pictures, 1 or more; of the last patient some slices may be missing.
        size: Height and width in pixels, or `(height, width)`; 32 or more.
        seed: Which patients, 0 or more.
        slices: How many slices a heart is cut into, 1 to 64.
        contrast: How much muscle differs from what surrounds the heart, 0 to 1.
        noise: Standard deviation of the camera's noise, 0 to 0.3, where 1 is the full range.

    Returns:
        `OrganSamples`: float32 pictures `(count, height, width, 3)`, uint8 masks, whose slice each
        is (`patients`), its measures (`spacing`) and the left chamber's volume (`volumes`).

    Raises:
        ValueError: If an argument is out of its range; the message names it.
    """
    height, width = check_request(count, size, seed, smallest=32)
    slices = check_whole("slices", slices, 1, 64)
    contrast = check_knob("contrast", contrast, 0, 1)
    noise = check_knob("noise", noise, 0, 0.3)
    images = np.empty((count, height, width, 3), np.float32)
    masks = np.empty((count, height, width), np.uint8)
    patients = np.arange(count) // slices
    spacing, volumes = np.empty((count, 3)), np.empty(count)
    for index in range(count):
        u = uniforms(seed, int(patients[index]), 32, stream=3).tolist()
        radius, long = 20 + 9 * u[0], 65 + 30 * u[1]
        stretch = math.sqrt(0.85 + 0.3 * u[2])
        depth = TIP * (index % slices + 0.5) / slices
        canvas = Canvas.blank(height, width, channels=1)
        _chest(canvas, u, depth)
        _heart(canvas, u, depth, radius / FIELD, stretch, contrast)
        images[index] = finish(canvas.image, noise, seed, index)
        masks[index] = canvas.mask
        spacing[index] = long * TIP / slices, FIELD / height, FIELD / height
        # Half an ellipsoid, cubic millimetres to millilitres.
        volumes[index] = 2 / 3 * math.pi * radius * radius * long / 1000
    task = Task(CLASSES, palette(CLASSES))
    given = {"patients": patients, "spacing": spacing, "volumes": volumes}
    return OrganSamples(images, masks, task, **given)


def _chest(canvas, u, depth):
    """Paint skin, fat, lungs, spine and liver."""
    soft = cloud(canvas, u[3], u[4])
    fine = cloud(canvas, u[5], u[6] + 0.03 * depth, 3)
    canvas.image += 0.02
    canvas.paint(canvas.ellipse(0, 0.52, 0.62, 0.44), 0.62 * (1 + 0.15 * soft))
    canvas.paint(canvas.ellipse(0, 0.52, 0.57, 0.4), 0.3 * (1 + 0.3 * fine))
    for side in (-1, 1):
        lung = canvas.turned_ellipse(side * 0.3, 0.5, direction(0.5 + 0.12 * side, 1), 0.33, 0.2)
        canvas.paint(lung, 0.07 * (1 + 0.6 * fine))
    canvas.paint(canvas.ellipse(0, 0.83, 0.07, 0.07), 0.5 * (1 + 0.2 * soft))
    canvas.paint(canvas.ellipse(0.07, 0.7, 0.035, 0.035), 0.75)
    if depth > 0.45:
        rise = 0.28 * (depth - 0.45)
        canvas.paint(canvas.ellipse(-0.2, 0.95 - rise, 0.34, 0.28), 0.36 * (1 + 0.2 * fine))


def _heart(canvas, u, depth, radius, stretch, contrast):
    """Paint fat around the heart, the right chamber, the muscle and the left chamber."""
    x = 0.05 + 0.08 * (u[7] - 0.5) + 0.05 * depth
    y = 0.5 + 0.06 * (u[8] - 0.5) + 0.03 * depth
    along = direction(0.5 + 0.3 * (u[9] - 0.5), 1)
    toward = direction(0.2, 0.3 + 0.3 * u[10])
    fine = cloud(canvas, u[11], u[12] + 0.02 * depth, 3)
    wall = (0.05 + 0.02 * u[13]) * (1 - 0.35 * depth)

    def shrink(end):
        return math.sqrt(max(1 - (depth / end) * (depth / end), 0))

    outer = radius * shrink(TIP) + wall * min(shrink(TIP) * 2, 1)
    inner, right = radius * shrink(1.0), 1.15 * radius * shrink(RIGHT)
    fat = canvas.turned_ellipse(x - 0.02, y, along, outer * 1.7, outer * 1.35)
    canvas.paint(fat, 0.52 * (1 + 0.25 * fine))
    tissue = 0.2 + (1 - contrast) * 0.25
    if right > 0.015:
        to_x, to_y = x + toward[0] * outer * 0.85, y + toward[1] * outer * 0.85
        across = (-toward[1], toward[0])
        rim = canvas.turned_ellipse(to_x, to_y, across, right * 1.35 + 0.015, right + 0.015)
        canvas.paint(rim, tissue)
        chamber = canvas.turned_ellipse(to_x, to_y, across, right * 1.35, right)
        canvas.paint(chamber, 0.72 * (1 + 0.12 * fine), CLASSES.index("right chamber"))
    ring = canvas.turned_ellipse(x, y, along, outer * stretch, outer / stretch)
    canvas.paint(ring, tissue * (1 + 0.25 * fine), CLASSES.index("muscle"))
    if inner > 0:
        chamber = canvas.turned_ellipse(x, y, along, inner * stretch, inner / stretch)
        canvas.paint(chamber, 0.8 * (1 + 0.1 * fine), CLASSES.index("left chamber"))
        for turn in (u[14], u[15]):
            post = direction(turn, 0.9)
            place = x + 0.55 * inner * post[0], y + 0.55 * inner * post[1]
            canvas.paint(canvas.ellipse(*place, inner * 0.16 + 1e-4, inner * 0.16 + 1e-4), 0.35)
