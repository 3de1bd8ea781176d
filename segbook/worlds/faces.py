"""Procedural group pictures: several people, the parts of their faces, boxes and landmarks."""

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
    finish,
    uniforms,
)
from segbook.worlds.face_drawing import FEET, draw
from segbook.worlds.face_hair import balloon
from segbook.worlds.face_people import CLOTHES, Mood, person, pick
from segbook.worlds.face_scenery import paint_scenery, paint_thing

CLASSES = ("background", "skin", "hair", "eyes", "nose", "mouth")
LANDMARKS = ("left eye", "right eye", "nose", "left corner", "right corner")
LARGEST = 0.62  # the height of the largest head, in picture heights
MOST = 8
SLOTS, ROW = 6, 16  # rows of random numbers for a person, and their length
GROUND = 0.64  # above it nobody's feet are
TRIES = 24
HIDDEN = 0.5  # the largest share of a head's box that may lie behind another person
SENTINEL = 254  # no class: where a person has been painted, it is gone


@dataclass(frozen=True, eq=False)
class Faces:
    """The faces of one picture, from the farthest to the nearest.

    Args:
        boxes: float32 array `(n, 4)`: left, top, right, bottom of the head without hair, hat and
            ears, in pixels from the picture's left and upper edge; also what is hidden, but
            nothing outside the picture.
        landmarks: float32 array `(n, 5, 2)`: x and y in pixels of what `LANDMARKS` names, left and
            right as seen; hidden or not, even outside the picture.
        people: int64 array `(n,)`: who it is.
        visible: float32 array `(n,)`: the share of the head in the picture that nobody hides.
    """

    boxes: np.ndarray
    landmarks: np.ndarray
    people: np.ndarray
    visible: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)


def faces(
    count: int,
    size=128,
    seed: int = 0,
    *,
    people=range(100),
    group: tuple[int, int] = (1, 5),
    scale_range: float = 8.0,
    hats: float = 0.25,
    things: int = 3,
    noise: float = 0.015,
) -> tuple[Samples, list[Faces]]:
    """Return pictures of groups of people, the parts of their faces, and where each face is.

    Picture i depends on nothing but i, the seed, the size and the knobs; every size shows the same
    scene. A person has a look that depends on the number alone, so that `people=range(80)` and
    `people=range(80, 100)` are two sets without a person in common. The classes are those of
    `datasets.fasseg`: brows and beards are hair, ears and necks are skin, clothes and hats are
    background. The bytes are the same on every machine: see `drawing`.

    Args:
        count: How many pictures, 1 or more.
        size: Height and width in pixels, or `(height, width)`; 32 or more.
        seed: Which data set, 0 or more.
        people: The numbers of those who may appear, each 0 or more; nobody is in a picture twice.
        group: The least and the most people in a picture, 0 to 8; fewer where there is no room.
        scale_range: How many times larger the largest head, 0.62 of the picture's height, is than
            the smallest; 1 to 8.
        hats: The share of people who wear a hat, 0 to 1.
        things: How many balls, clocks, flowers and balloons are around, 0 to 8.
        noise: Standard deviation of the camera's noise, 0 to 0.3, where 1 is the full range.

    Returns:
        `Samples` with float32 pictures `(count, height, width, 3)` and uint8 masks; a list of
        `count` `Faces`.

    Raises:
        ValueError: If an argument is out of its range; the message names it.
    """
    height, width = check_request(count, size, seed, smallest=32)
    people = np.asarray(people) if len(people) else np.zeros(0, np.int64)
    if people.ndim != 1 or people.dtype.kind not in "iu" or (people.size and people.min() < 0):
        raise ValueError(f"people is {people!r}; it must be whole numbers, each 0 or more")
    if len(np.unique(people)) != len(people):
        raise ValueError("people names somebody twice; each number must be there once")
    least, most = check_range("group", group, 0, MOST, whole=True)
    if most > len(people):
        raise ValueError(f"group is {group!r}; people has {len(people)} numbers only")
    scale_range = check_knob("scale_range", scale_range, 1, 8)
    hats = check_knob("hats", hats, 0, 1)
    things = int(check_knob("things", things, 0, 8))
    noise = check_knob("noise", noise, 0, 0.3)
    images = np.empty((count, height, width, 3), np.float32)
    masks = np.empty((count, height, width), np.uint8)
    found = []
    for index in range(count):
        u = uniforms(seed, index, (2 + MOST + MOST * SLOTS) * ROW).reshape(-1, ROW).tolist()
        canvas = Canvas.blank(height, width)
        sun = 1.0 if u[1][0] < 0.5 else -1.0
        paint_scenery(canvas, u[0])
        for thing in range(things):
            paint_thing(canvas, u[2 + thing], sun)
        number = least + int(u[1][1] * (most - least + 1))
        group_ = _places(u[2 + MOST :], number, people, scale_range, width / height)
        found.append(_paint_people(canvas, group_, hats, sun, u[1]))
        images[index] = finish(canvas.image, noise, seed, index)
        masks[index] = canvas.mask
    return Samples(images, masks, Task(CLASSES, palette(CLASSES))), found


def _places(u, number, people, scale_range, aspect):
    """Choose who is there and where: rows of half a head's height, x, y, person, numbers."""
    left, sizes = list(people), []
    for slot in range(number):
        row = u[slot * SLOTS]
        who = left.pop(int(row[0] * len(left)))
        # As many small heads as large ones, in steps of equal ratios; many people stand back.
        largest = LARGEST / (1 + 0.09 * (number - 1))
        smallest = LARGEST / scale_range
        span = largest / smallest if largest > smallest else 1.0
        sizes.append(
            (smallest * _power(span, row[1]) / 2, who, u[slot * SLOTS : (slot + 1) * SLOTS])
        )
    placed = []
    for half, who, rows in sorted(sizes, key=lambda each: -each[0]):
        for attempt in range(TRIES):
            chance, other = rows[1 + attempt // 8][2 * (attempt % 8) :][:2]
            x = (2 * chance - 1) * max(aspect / 2 - 0.55 * half, 0)
            highest = max(0.75 * half, GROUND - FEET * half)  # nobody stands in the air
            y = highest + other * max(1 - 0.9 * half - highest, 0)
            if all(_free(x, y, half, *there[:3]) for there in placed):
                placed.append((half, x, y, who, rows[4] + rows[5]))
                break
            if attempt % 8 == 7:
                half *= 0.75
                if half < LARGEST / scale_range / 2:
                    break
    return sorted(placed, key=lambda each: each[0])


def _power(base: float, exponent: float) -> float:
    """Return nearly base ** exponent with operations that are the same on every machine."""
    # Bisection on square roots: the binary digits of the exponent, sixteen of them.
    result, root = 1.0, base
    for _ in range(16):
        root, exponent = math.sqrt(root), 2 * exponent
        if exponent >= 1:
            result, exponent = result * root, exponent - 1
    return result


def _free(x, y, half, other_half, other_x, other_y) -> bool:
    """Tell whether two people can stand so: little of the farther one's face is hidden."""
    if half > other_half:
        (x, y, half), (other_x, other_y, other_half) = (other_x, other_y, other_half), (x, y, half)
    wide, tall = 0.8 * half, half
    hidden = 0.0
    # The nearer one's head with its hair, then the shoulders and what is below.
    for reach, top, bottom in ((1.35, -1.5, 1.3), (1.5, 1.3, 99.0)):
        across = min(x + wide, other_x + reach * other_half) - max(
            x - wide, other_x - reach * other_half
        )
        along = min(y + tall, other_y + bottom * other_half) - max(
            y - tall, other_y + top * other_half
        )
        hidden += max(across, 0) * max(along, 0) / (4 * wide * tall)
    return hidden <= HIDDEN


def _paint_people(canvas: Canvas, group, hats, sun, u) -> Faces:
    """Paint all from the farthest to the nearest, and tell where their faces are."""
    owner = np.full(canvas.mask.shape, -1, np.int8)
    ovals, marks, numbers = [], [], []
    for half, x, y, who, chances in group:
        before = canvas.mask.copy()
        canvas.mask[:] = SENTINEL
        mood = Mood.of(chances, hats)
        oval, landmarks = draw(canvas, person(int(who)), mood, x, y, half, sun)
        _keep(canvas, before, owner, len(numbers))
        ovals.append(oval)
        marks.append(landmarks)
        numbers.append(who)
    if group and u[2] < 0.2:  # a balloon in front, beside the nearest head
        before = canvas.mask.copy()
        canvas.mask[:] = SENTINEL
        half, x, y = group[-1][:3]
        side = 1 if u[3] < 0.5 else -1
        where = x + side * (1.1 + 0.4 * u[4]) * half, y + (1.4 * u[5] - 0.6) * half
        radius = (0.4 + 0.2 * u[6]) * half
        # It may touch those behind, and covers nobody.
        if all(
            abs(far_x - where[0]) + abs(far_y - where[1]) > radius + 0.6 * far
            for far, far_x, far_y, *_ in group
        ):
            balloon(canvas, *where, radius, pick(CLOTHES, u[7]), sun)
        _keep(canvas, before, owner, -1)
    return _faces(canvas, ovals, marks, numbers, owner)


def _keep(canvas, before, owner, number) -> None:
    """Note who has painted which pixels, and put back the mask where nobody has."""
    own = canvas.mask != SENTINEL
    owner[own] = number
    np.copyto(canvas.mask, before, where=~own)


def _faces(canvas, ovals, marks, numbers, owner) -> Faces:
    boxes, visible = [], []
    for number, oval in enumerate(ovals):
        rows, columns = np.flatnonzero(oval.any(1)), np.flatnonzero(oval.any(0))
        boxes.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
        visible.append((owner[oval] == number).mean())
    height, width = canvas.mask.shape
    places = np.array(marks, np.float64).reshape(-1, len(LANDMARKS), 2)
    places = places * height + (width / 2, 0.0)
    return Faces(
        np.array(boxes, np.float32).reshape(-1, 4),
        places.astype(np.float32),
        np.array(numbers, np.int64),
        np.array(visible, np.float32),
    )
