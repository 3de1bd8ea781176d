"""A world of small, rare lesions in pictures of a head, and of people who mark them."""

import math
from dataclasses import dataclass

import numpy as np

from segbook.palette import palette
from segbook.samples import Samples, Task
from segbook.worlds.drawing import (
    Canvas,
    check_knob,
    check_range,
    check_request,
    check_whole,
    cloud,
    direction,
    finish,
    uniforms,
)

CLASSES = ("background", "lesion")
SLOTS = 8
VESSELS = 5
RATERS = 7


@dataclass(frozen=True, eq=False, kw_only=True)
class LesionSamples(Samples):
    """`Samples` that know which lesion is where, and what each person marked.

    Args:
        things: uint8 array `(count, height, width)`: the number of the lesion at each pixel, from
            1, and 0 where there is none.
        votes: uint8 array `(count, raters, height, width)`: 1 where a person marked a lesion.
    """

    things: np.ndarray
    votes: np.ndarray


def lesions(
    count: int,
    size=128,
    seed: int = 0,
    *,
    rate: float = 0.5,
    number: tuple[int, int] = (1, 3),
    radius: tuple[float, float] = (0.015, 0.04),
    contrast: float = 0.3,
    raters: int = 3,
    disagreement: float = 0.5,
    noise: float = 0.03,
) -> LesionSamples:
    """Return slices of drawn heads, a share of them with small bright lesions.

    Vessels are as bright as lesions, but thin. Each person has a habit, the same in every picture:
    to draw wide or narrow, to overlook what is faint, and to take a vessel for a lesion. The bytes
    depend only on the arguments, as for `streets`; the heads do not change with the knobs.

    Args:
        count: How many pictures, 1 or more.
        size: Height and width in pixels, or `(height, width)`; 32 or more.
        seed: Which pictures, 0 or more.
        rate: The base rate: in which share of the pictures there are lesions, 0 to 1.
        number: Fewest and most lesions in such a picture, 1 to 8; where two would touch, one less.
        radius: Of the smallest and the largest lesion, in picture heights, 0.005 to 0.1.
        contrast: How much brighter than its surroundings the brightest lesion is, 0 to 0.5; the
            faintest has 0.4 of it.
        raters: How many people marked each picture, 1 to 7.
        disagreement: How strong the habits are, 0 (everybody marks the truth) to 1.
        noise: Standard deviation of the camera's noise, 0 to 0.3, where 1 is the full range.

    Returns:
        `LesionSamples`: float32 pictures `(count, height, width, 3)`, uint8 masks of the truth,
        the number of each lesion (`things`), and a mask of each person (`votes`).

    Raises:
        ValueError: If an argument is out of its range; the message names it.
    """
    height, width = check_request(count, size, seed, smallest=32)
    rate = check_knob("rate", rate, 0, 1)
    number = check_range("number", number, 1, SLOTS, whole=True)
    radius = check_range("radius", radius, 0.005, 0.1)
    contrast = check_knob("contrast", contrast, 0, 0.5)
    raters = check_whole("raters", raters, 1, RATERS)
    disagreement = check_knob("disagreement", disagreement, 0, 1)
    noise = check_knob("noise", noise, 0, 0.3)
    habits = uniforms(7, 7, RATERS * 4).reshape(RATERS, 4).tolist()[:raters]
    images = np.empty((count, height, width, 3), np.float32)
    masks, things = np.empty((2, count, height, width), np.uint8)
    votes = np.zeros((count, raters, height, width), np.uint8)
    for index in range(count):
        u = uniforms(seed, index, 24 + 16 * (SLOTS + VESSELS)).tolist()
        canvas = Canvas.blank(height, width, channels=1)
        middle, wide, tall = _head(canvas, u)
        spots = [u[24 + 16 * k : 40 + 16 * k] for k in range(SLOTS + VESSELS)]
        for spot in spots[SLOTS:]:
            _vessel(canvas, spot, middle, wide, tall, contrast, habits, disagreement, votes[index])
        chosen = _choose(spots[:SLOTS], u, rate, number, radius, middle, wide, tall)
        for label, (x, y, size_of, spot) in enumerate(chosen, start=1):
            lesion = _lesion(canvas, x, y, size_of, spot, contrast, label)
            _mark(votes[index], lesion, size_of * height, spot, habits, disagreement)
        things[index] = canvas.mask
        masks[index] = canvas.mask > 0
        images[index] = finish(canvas.image, noise, seed, index)
    task = Task(CLASSES, palette(CLASSES))
    return LesionSamples(images, masks, task, things=things, votes=votes)


def _head(canvas, u):
    """Paint skull, brain and ventricles; return the middle and the radii of the brain."""
    x, y = 0.05 * (u[0] - 0.5), 0.5 + 0.04 * (u[1] - 0.5)
    wide, tall = 0.33 + 0.03 * u[2], 0.4 + 0.03 * u[3]
    folds = cloud(canvas, u[4], u[5], 4)
    canvas.image += 0.02
    for grow, grey in ((1.13, 0.62), (1.08, 0.1)):
        canvas.paint(canvas.ellipse(x, y, wide * grow, tall * grow), grey)
    brain = canvas.ellipse(x, y, wide, tall)
    depth = brain * (1 / canvas.unit)
    # Grey matter lies where the depth, bent by noise, is small.
    bent = np.minimum(np.maximum((depth + 0.045 * folds - 0.05) * 45 + 0.5, 0), 1)
    canvas.paint(brain, (0.34 + 0.12 * bent) * (1 + 0.12 * cloud(canvas, u[6], u[7])))
    furrows = np.minimum(np.maximum((0.06 - depth - 0.03 * folds) * 30, 0), 1)
    canvas.image *= 1 - 0.5 * furrows * np.minimum(np.maximum(folds * 4, 0), 1) * (brain > 0)
    canvas.paint(0.003 * canvas.unit - np.abs(canvas.x - x) * canvas.unit + 0 * brain, 0.25)
    canvas.paint(-canvas.ellipse(x, y, wide * 1.13, tall * 1.13), 0.02)
    for side in (-1, 1):
        turn = 0.3 + 0.2 * u[8]
        long = math.sqrt(1 + turn * turn)
        for down, along in ((-0.07, -1), (0.06, 1)):
            inside = canvas.turned_ellipse(
                x + side * (0.045 + 0.015 * u[9]),
                y + down,
                (side * along * turn / long, 1 / long),
                0.075 + 0.03 * u[10],
                0.022 + 0.02 * u[11],
            )
            canvas.paint(inside, 0.1)
    return (x, y), wide, tall


def _place(spot, middle, wide, tall):
    """Return a place in the brain, further from its edge than a lesion is wide."""
    along = direction(spot[0], spot[1])
    far = 0.84 * math.sqrt(spot[2])
    return middle[0] + far * wide * along[0], middle[1] + far * tall * along[1]


def _choose(spots, u, rate, number, radius, middle, wide, tall):
    """List (x, y, radius, numbers) of the lesions that a picture has; none touches another."""
    chosen = []
    most = int(number[0] + (number[1] - number[0] + 1) * u[13]) if u[12] < rate else 0
    for spot in spots[:most]:
        x, y = _place(spot, middle, wide, tall)
        size = radius[0] + (radius[1] - radius[0]) * spot[3] * spot[3]
        if all(_distance(x - a, y - b) > 1.8 * (size + c) for a, b, c, _ in chosen):
            chosen.append((x, y, size, spot))
    return chosen


def _distance(x, y):
    return math.sqrt(x * x + y * y)


def _lesion(canvas, x, y, size, spot, contrast, label):
    """Paint a lesion with a soft edge; return its inside."""
    stretch = math.sqrt(0.75 + 0.5 * spot[6])
    along = direction(spot[4], spot[5])
    inside = canvas.turned_ellipse(x, y, along, size * stretch, size / stretch)
    cover = np.minimum(np.maximum(inside * (0.8 / (size * canvas.unit)) + 0.5, 0), 1)
    canvas.image += contrast * (0.4 + 0.6 * spot[7]) * cover
    np.copyto(canvas.mask, label, where=inside > 0)
    return inside


def _mark(votes, inside, radius, spot, habits, disagreement):
    """Let everybody mark a lesion, each with a habit."""
    for vote, habit, chance in zip(votes, habits, spot[8:], strict=False):
        faint = 1 - spot[7]
        if chance < disagreement * faint * (0.2 + 0.6 * habit[1]):
            continue
        wider = disagreement * radius * (1.1 * habit[0] - 0.4 + 0.3 * (chance - 0.5))
        vote[inside + wider > 0] = 1


def _vessel(canvas, spot, middle, wide, tall, contrast, habits, disagreement, votes):
    """Paint a vessel, as bright as a lesion but thin; some people take it for one."""
    x, y = _place(spot, middle, wide, tall)
    along = direction(spot[4], spot[5])
    inside = canvas.turned_ellipse(x, y, along, 0.03 + 0.05 * spot[6], 0.008)
    canvas.image += contrast * (0.4 + 0.6 * spot[7]) * np.minimum(np.maximum(inside + 0.5, 0), 1)
    for vote, habit, chance in zip(votes, habits, spot[8:], strict=False):
        if chance < 0.25 * disagreement * habit[2]:
            vote[canvas.ellipse(x, y, 0.02, 0.02) > 0] = 1
