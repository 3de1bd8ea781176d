"""A world of cells that touch, as under a fluorescence microscope."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from segbook.palette import palette
from segbook.samples import Samples, Task
from segbook.worlds.drawing import (
    Canvas,
    check_knob,
    check_request,
    cloud,
    color,
    direction,
    finish,
    uniforms,
)

CLASSES = ("background", "cell")
SEAM = 0.014  # picture heights between two cells that touch
LEAST = 0.0012  # squared picture heights that a cell shows at least


@dataclass(frozen=True, eq=False, kw_only=True)
class CellSamples(Samples):
    """`Samples` that know which cell is where.

    Args:
        things: uint8 array `(count, height, width)`: the number of the cell at each pixel, from 1,
            and 0 where there is none. Cells that touch are neighbours here; in the mask a seam of
            background lies between them.
    """

    things: np.ndarray


def cells(
    count: int,
    size=128,
    seed: int = 0,
    *,
    across: float = 5.0,
    touching: float = 0.7,
    seam: float = 0.35,
    noise: float = 0.03,
) -> CellSamples:
    """Return cells on a dark ground that lie close together and share borders.

    Where two cells meet, the mask has a thin seam of background, at least 2 pixels wide, as in the
    masks that U-Net learnt from (Ronneberger, Fischer and Brox 2015, figure 3): so its connected
    pieces are the cells. In the picture the seam is hardly darker than the cells. The bytes depend
    only on the arguments, as for `streets`.

    Args:
        count: How many pictures, 1 or more.
        size: Height and width in pixels, or `(height, width)`; 32 or more.
        seed: Which pictures, 0 or more.
        across: Cells side by side along the height of the picture, about; 2 to 10.
        touching: How closely they lie, from 0 (each alone) to 1 (a closed sheet).
        seam: How much darker the seams are than the cells beside them, 0 to 1.
        noise: Standard deviation of the camera's noise, 0 to 0.3, where 1 is the full range.

    Returns:
        `CellSamples`: float32 pictures `(count, height, width, 3)`, uint8 masks, and the number of
        the cell at each pixel (`things`).

    Raises:
        ValueError: If an argument is out of its range; the message names it.
    """
    height, width = check_request(count, size, seed, smallest=32)
    across = check_knob("across", across, 2, 10)
    touching = check_knob("touching", touching, 0, 1)
    seam = check_knob("seam", seam, 0, 1)
    noise = check_knob("noise", noise, 0, 0.3)
    images = np.empty((count, height, width, 3), np.float32)
    masks, things = np.empty((2, count, height, width), np.uint8)
    for index in range(count):
        canvas = Canvas.blank(height, width)
        look = uniforms(seed, index, 8, stream=2).tolist()
        inside, second, owner, glow = _sheet(canvas, look, seed, index, across, touching)
        gap = inside - second
        wide = max(1.75, SEAM * height)
        masks[index], things[index] = _pieces(owner, inside > 0, gap > wide)
        _paint(canvas, look, inside, gap, glow, seam, wide)
        images[index] = finish(canvas.image, noise, seed, index)
    return CellSamples(images, masks, Task(CLASSES, palette(CLASSES)), things=things)


def _sheet(canvas, look, seed, index, across, touching):
    """Lay the cells out.

    Returns:
        float32 arrays `(height, width)`: the distance to the edge of the cell that a pixel is
        deepest in, and of the next one, in pixels, positive inside; the number of the first; its
        brightness.
    """
    height, width = canvas.mask.shape
    step = 1 / across
    x = canvas.x + 0.16 * step * cloud(canvas, look[0], look[1])
    y = canvas.y + 0.16 * step * cloud(canvas, look[2], look[3])
    rows, columns = math.ceil(across / 0.87) + 2, math.ceil(across * width / height) + 2
    u = uniforms(seed, index, rows * columns * 8).reshape(rows, columns, 8).tolist()
    first = np.full((height, width), -0.3 * height, np.float32)
    second, owner = first.copy(), np.zeros((height, width), np.uint8)
    glow, number = np.zeros((height, width), np.float32), 0
    for row in range(rows):
        for column in range(columns):
            v = u[row][column]
            if v[0] < 0.45 - 0.4 * touching or number == 255:
                continue
            number += 1
            middle = (column - 0.75 + 0.5 * (row % 2) + 0.36 * (v[1] - 0.5)) * step
            middle -= width / height / 2
            down = (row - 0.75 + 0.36 * (v[2] - 0.5)) * 0.87 * step
            radius = step * (0.3 + 0.27 * touching) * (0.8 + 0.4 * v[3])
            stretch = math.sqrt(0.7 + 0.6 * v[6])
            reach = 2.2 * radius
            left, right = middle + width / height / 2 - reach, middle + width / height / 2 + reach
            box = (
                slice(max(int((down - reach) * height), 0), max(int((down + reach) * height), 0)),
                slice(max(int(left * height), 0), max(int(right * height), 0)),
            )
            part = Canvas(None, None, x[box], y[box], height)
            along = direction(v[4], v[5])
            depth = part.turned_ellipse(middle, down, along, radius * stretch, radius / stretch)
            here = depth > first[box]
            second[box] = np.maximum(second[box], np.minimum(first[box], depth))
            owner[box][here] = number
            glow[box][here] = 0.55 + 0.45 * v[7]
            first[box] = np.maximum(first[box], depth)
    return first, second, owner, glow


def _pieces(owner, inside, apart):
    """Return mask and numbers; of each cell the largest piece is kept, if it is large enough."""
    pieces, number = ndimage.label(inside & apart)
    sizes = np.bincount(pieces.ravel(), minlength=number + 1)
    owners = np.zeros(number + 1, np.uint8)
    owners[pieces.ravel()] = owner.ravel()
    largest = np.zeros(256, int)
    np.maximum.at(largest, owners[1:], sizes[1:])
    keep = (sizes == largest[owners]) & (sizes > LEAST * owner.shape[0] * owner.shape[0])
    keep[0] = False
    mask = keep[pieces]
    kept = np.zeros(256, np.uint8)
    names = np.unique(owner[mask])
    kept[names] = np.arange(1, len(names) + 1)
    whole = inside & ((pieces == 0) | mask)
    return mask.astype(np.uint8), np.where(whole, kept[owner], 0).astype(np.uint8)


def _paint(canvas, look, inside, gap, glow, seam, wide):
    """Paint ground, light around the cells, their bodies, and the seams."""
    unit = canvas.unit
    soft = cloud(canvas, look[4], look[5])
    canvas.image[:] = color(0.02, 0.04, 0.09) * (1 + 0.5 * soft)
    away = np.minimum(inside, 0) * (22 / unit)
    canvas.image += color(0.02, 0.12, 0.12) / (1 + away * away)
    dome = np.minimum(np.maximum(inside * (13 / unit), 0), 1)
    grain = cloud(canvas, look[6], look[7])
    body = glow * (1 - seam * (1 - dome)) * (1 + 0.3 * grain)
    rim = 1 - np.minimum(gap * (0.5 / wide), 1)
    canvas.paint(inside, color(0.13, 0.72, 0.55) * (body * (1 - seam * rim)))
    core = np.minimum(np.maximum(inside * (18 / unit) - 0.8, 0), 1) * (0.8 + 0.4 * soft)
    canvas.paint(core - 0.5, color(0.45, 0.3, 0.95) * (0.35 + 0.65 * glow))
