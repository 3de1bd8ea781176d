"""A world of thin cracks: broken bones as an X-ray camera sees them."""

import itertools

import numpy as np

from segbook.palette import palette
from segbook.samples import Samples, Task
from segbook.worlds.drawing import (
    Canvas,
    check_knob,
    check_request,
    cloud,
    direction,
    finish,
    uniforms,
)

CLASSES = ("background", "bone", "crack")
PIECES = 14


def cracks(
    count: int,
    size=128,
    seed: int = 0,
    *,
    width: float = 0.012,
    rate: float = 1.0,
    contrast: float = 0.4,
    noise: float = 0.03,
) -> Samples:
    """Return X-ray pictures of a bone, a share of them with a thin crack across it.

    The crack is a jagged dark line, which may branch. Vessels cross the bone as smooth, fainter
    lines and are no cracks. The bytes depend only on the arguments, as for `streets`.

    Args:
        count: How many pictures, 1 or more.
        size: Height and width in pixels, or `(height, width)`; 32 or more.
        seed: Which pictures, 0 or more.
        width: Of a crack, in picture heights, 0.004 to 0.05; the mask is at least 1.2 pixels wide.
        rate: In which share of the pictures there is a crack, 0 to 1.
        contrast: How much darker a crack is than the bone, 0 to 1.
        noise: Standard deviation of the camera's noise, 0 to 0.3, where 1 is the full range.

    Returns:
        `Samples` with float32 pictures `(count, height, width, 3)` and uint8 masks.

    Raises:
        ValueError: If an argument is out of its range; the message names it.
    """
    high, wide = check_request(count, size, seed, smallest=32)
    thick = check_knob("width", width, 0.004, 0.05)
    rate = check_knob("rate", rate, 0, 1)
    contrast = check_knob("contrast", contrast, 0, 1)
    noise = check_knob("noise", noise, 0, 0.3)
    images = np.empty((count, high, wide, 3), np.float32)
    masks = np.empty((count, high, wide), np.uint8)
    for index in range(count):
        u = uniforms(seed, index, 32 + 2 * PIECES + 8).tolist()
        canvas = Canvas.blank(high, wide, channels=1)
        along = direction(0.5 + 0.5 * (u[0] - 0.5), 1.0)
        middle = 0.14 * (u[1] - 0.5), 0.5
        half = 0.15 + 0.07 * u[2]
        inside = _bone(canvas, u, along, middle, half)
        for k in range(3):
            _vessel(canvas, u[16 + 4 * k : 20 + 4 * k], along, middle, half, contrast, inside)
        if u[3] < rate:
            _crack(canvas, u, along, middle, half, max(thick, 1.2 / high) / 2, contrast, inside)
        images[index] = finish(canvas.image, noise, seed, index)
        masks[index] = canvas.mask
    return Samples(images, masks, Task(CLASSES, palette(CLASSES)))


def _at(along, middle, far, aside):
    """Return the point `far` along the bone and `aside` across it."""
    return (
        middle[0] + far * along[0] - aside * along[1],
        middle[1] + far * along[1] + aside * along[0],
    )


def _bone(canvas, u, along, middle, half):
    """Paint soft tissue and a shaft with bright walls; return its inside in pixels."""
    soft, fine = cloud(canvas, u[4], u[5]), cloud(canvas, u[6], u[7], 4)
    right, down = canvas.x - middle[0], canvas.y - middle[1]
    far = right * along[0] + down * along[1]
    aside = down * along[0] - right * along[1]
    canvas.image += 0.04
    flesh = (2.2 * half - np.abs(aside) + 0.03 * soft) * canvas.unit
    canvas.paint(flesh * 0.1, 0.2 * (1 + 0.2 * soft))
    # The shaft widens towards its ends.
    here = half * (0.85 + 0.7 * far * far) + 0.006 * soft
    inside = here - np.abs(aside)
    wall = np.minimum(np.maximum(1.3 - inside * (22 + 8 * u[8]), 0), 1)
    grey = (0.5 + 0.3 * wall) * (1 + 0.22 * fine * (1 - wall) + 0.06 * soft)
    inside = inside * canvas.unit
    canvas.paint(inside, grey, CLASSES.index("bone"))
    return inside


def _crack(canvas, u, along, middle, half, thick, contrast, inside):
    """Draw a jagged line across the bone, and perhaps a branch."""
    steps = u[32:]
    far, slope = 0.5 * (u[9] - 0.5), 1.2 * (u[10] - 0.5)
    reach = 1.3 * half
    first, last = (-1.0, 1.0) if u[11] < 0.6 else (-1.0, -0.2 + 0.8 * u[12])
    points = []
    for k in range(PIECES + 1):
        aside = (first + (last - first) * k / PIECES) * reach
        points.append(_at(along, middle, far + slope * aside + 0.045 * (steps[k] - 0.5), aside))
    lines = list(itertools.pairwise(points))
    if u[13] < 0.5:
        start = points[PIECES // 2]
        turn = 1 if u[14] < 0.5 else -1
        bend = start[0] + turn * 0.06 * along[0], start[1] + turn * 0.06 * along[1]
        bend = bend[0] - 0.05 * along[1], bend[1] + 0.05 * along[0]
        end = bend[0] + turn * 0.07 * along[0], bend[1] + turn * 0.07 * along[1]
        lines += [(start, bend), (bend, end)]
    depth = np.full(canvas.mask.shape, -canvas.unit, np.float32)
    for start, end in lines:
        _join(depth, canvas, start, end, thick)
    depth = np.minimum(depth, inside)
    cover = np.minimum(np.maximum(depth + 0.5, 0), 1)
    canvas.image *= 1 - contrast * cover
    np.copyto(canvas.mask, CLASSES.index("crack"), where=depth > 0)


def _join(depth, canvas, start, end, thick):
    """Add a piece of a line to the union of pieces, where it can matter."""
    height, width = depth.shape
    part = canvas.crop(
        min(start[0], end[0]) - thick,
        min(start[1], end[1]) - thick,
        max(start[0], end[0]) + thick,
        max(start[1], end[1]) + thick,
    )
    if part is None:
        return
    left = int((part.x[0, 0] + width / height / 2) * height)
    top = int(part.y[0, 0] * height)
    here = depth[top : top + part.y.shape[0], left : left + part.x.shape[1]]
    np.maximum(here, part.strip(start, end, thick), out=here)


def _vessel(canvas, u, along, middle, half, contrast, inside):
    """Draw a smooth faint line that runs along the bone more than across it."""
    far, aside = 0.7 * (u[0] - 0.5), 1.2 * half * (u[1] - 0.5)
    start = _at(along, middle, far, aside)
    end = _at(along, middle, far + 0.1 + 0.15 * u[2], aside + 0.12 * (u[3] - 0.5))
    line = np.minimum(canvas.strip(start, end, 0.006), inside)
    cover = np.minimum(np.maximum(line + 0.5, 0), 1)
    canvas.image *= 1 - 0.6 * contrast * cover
