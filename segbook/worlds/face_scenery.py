"""What is behind the people of `faces`: a park, a room or a night, and round things in them."""

import numpy as np

from segbook.worlds.drawing import Canvas, cloud, color, colors
from segbook.worlds.face_hair import balloon
from segbook.worlds.face_head import Head
from segbook.worlds.face_people import CLOTHES, pick

WALLS = colors(
    (0.93, 0.86, 0.72), (0.7, 0.82, 0.84), (0.85, 0.72, 0.66), (0.66, 0.72, 0.6), (0.8, 0.76, 0.86)
)
LEAVES = colors((0.36, 0.56, 0.26), (0.26, 0.48, 0.26), (0.52, 0.6, 0.26), (0.78, 0.52, 0.2))
SKY, HORIZON, GRASS, SUN = colors(
    (0.42, 0.66, 0.92), (0.85, 0.91, 0.95), (0.48, 0.66, 0.3), (1.0, 0.93, 0.6)
)
NIGHT, DUSK = colors((0.07, 0.08, 0.2), (0.36, 0.2, 0.36))
WOOD, PAPER, INK, FRAME = colors(
    (0.55, 0.38, 0.25), (0.96, 0.94, 0.9), (0.15, 0.13, 0.15), (0.42, 0.27, 0.15)
)


def paint_scenery(canvas: Canvas, u: list[float]) -> None:
    """Paint what is behind all.

    Args:
        canvas: A `blank` canvas.
        u: Sixteen numbers in [0, 1).
    """
    paint = (_park, _room, _night)[0 if u[0] < 0.4 else 1 if u[0] < 0.8 else 2]
    paint(canvas, u[1:])


def _park(canvas: Canvas, u: list[float]) -> None:
    blend = np.minimum(canvas.y * (1 / 0.6), 1)
    canvas.image[:] = SKY + blend * (HORIZON - SKY)
    soft = cloud(canvas, u[0], u[1])
    canvas.image += np.minimum(np.maximum(soft * 1.5 - 0.2, 0), 1) * 0.8 * (1 - canvas.image)
    wide = canvas.x[0, -1]
    Head(canvas, (2 * u[2] - 1) * wide, 0.14, 0.08).disc(0, 0, 1, 1, SUN)
    for hill in range(3):
        horizon = 0.42 + 0.12 * hill + 0.1 * u[3 + hill]
        bend = canvas.x - (2 * u[6 + hill] - 1) * wide
        edge = horizon + (0.12 + 0.1 * u[9]) * bend * bend
        green = pick(LEAVES[:3], u[3 + hill]) * (1.15 - 0.1 * hill)
        canvas.paint((canvas.y - edge) * canvas.unit, green * (1 + 0.12 * soft))
    for tree in range(5):
        x = (2 * ((u[10] + 0.37 * tree) % 1) - 1) * wide
        size = 0.05 + 0.05 * ((u[11] + 0.61 * tree) % 1)
        head = Head(canvas, x, 0.46 + 0.8 * size, size)
        head.paint(0, -1.2, 0.2, 0.9, lambda v: v.box(-0.12, -2, 0.12, -0.5), WOOD)
        leaf = pick(LEAVES, (u[12] + 0.29 * tree) % 1)
        head.disc(0, 0, 0.9, 1.1, leaf)
        head.disc(-0.25, 0.3, 0.5, 0.55, leaf * 1.15)


def _room(canvas: Canvas, u: list[float]) -> None:
    wall = pick(WALLS, u[0])
    canvas.image[:] = wall * (1.04 - 0.18 * canvas.y)
    if u[1] < 0.4:
        stripe = (np.floor(canvas.x * 14 + 50).astype(np.int32) & 1) * 0.06
        canvas.image *= 1 - stripe
    elif u[1] < 0.6:
        across, along = canvas.x * 12 + 50, canvas.y * 12
        across, along = across - np.floor(across) - 0.5, along - np.floor(along) - 0.5
        canvas.image *= 1 - 0.1 * (across * across + along * along < 0.05)
    floor = 0.6 + 0.12 * u[2]
    plank = np.floor(canvas.x / (canvas.y + 0.2) * 12 + 90).astype(np.int32) & 1
    canvas.paint((canvas.y - floor) * canvas.unit, WOOD * (0.95 + 0.1 * plank))
    canvas.paint(canvas.box(-9, floor - 0.03, 9, floor), PAPER * 0.95)
    wide = canvas.x[0, -1]
    if u[3] < 0.6:  # a window
        head = Head(canvas, (2 * u[4] - 1) * wide, 0.28, 0.2)
        head.paint(0, 0, 0.9, 1.1, lambda v: v.box(-0.85, -1, 0.85, 1), PAPER)
        for side in (-1, 1):
            for low in (-0.92, 0.04):
                left = 0.04 if side > 0 else -0.78
                head.paint(
                    side * 0.41, low + 0.44, 0.4, 0.5,
                    lambda v, left=left, low=low: v.box(left, low, left + 0.74, low + 0.88),
                    lambda v: SKY + (0.5 - 0.4 * v.y) * (HORIZON - SKY),
                )  # fmt: skip
    if u[5] < 0.6:  # a landscape in a frame
        head = Head(canvas, (2 * ((u[4] + 0.5) % 1) - 1) * wide, 0.2 + 0.15 * u[6], 0.13)
        head.paint(0, 0, 1.3, 1.0, lambda v: v.box(-1.2, -0.9, 1.2, 0.9), FRAME)
        head.paint(0, 0, 1.1, 0.8, lambda v: v.box(-1.05, -0.75, 1.05, 0.75), HORIZON * 0.95)
        head.paint(
            0, -0.3, 1.1, 0.6,
            lambda v: np.minimum(v.box(-1.05, -0.75, 1.05, 0.75), v.ellipse(0.4, -1, 1.4, 1)),
            pick(LEAVES, u[7]),
        )  # fmt: skip
    if u[8] < 0.6:  # bunting
        for flag in range(int(wide * 2 / 0.12) + 1):
            x = -wide + 0.12 * flag
            y = 0.06 + 0.16 * x * x
            head = Head(canvas, x, y, 0.05)
            head.paint(
                0, 0, 1, 1.1, lambda v: v.polygon((0, -1), (0.8, 0.8), (-0.8, 0.8)),
                pick(CLOTHES, (u[9] + 0.3 * flag) % 1),
            )  # fmt: skip


def _night(canvas: Canvas, u: list[float]) -> None:
    canvas.image[:] = NIGHT + canvas.y * (DUSK - NIGHT)
    wide = canvas.x[0, -1]
    for lamp in range(12):
        x = (2 * ((u[0] + 0.618 * lamp) % 1) - 1) * wide
        y = 0.05 + 0.75 * ((u[1] + 0.414 * lamp) % 1)
        size = 0.02 + 0.05 * ((u[2] + 0.73 * lamp) % 1)
        head = Head(canvas, x, y, size)
        view = head.view(0, 0, 1, 1)
        if view is not None:
            cover = np.minimum(np.maximum(view.ellipse(0, 0, 1, 1) + 0.5, 0), 1) * 0.55
            view.image += cover * pick(CLOTHES, (u[3] + 0.21 * lamp) % 1)
    canvas.paint((canvas.y - 0.66) * canvas.unit, DUSK * (1.2 - 0.6 * canvas.y))


def paint_thing(canvas: Canvas, u: list[float], sun: float) -> None:
    """Paint one round thing that is no face: a ball, a clock, a sunflower or a balloon.

    Args:
        canvas: A `blank` canvas.
        u: Six numbers in [0, 1).
        sun: From where the light comes, -1 (left) to 1.
    """
    wide = canvas.x[0, -1]
    x, y, size = (2 * u[1] - 1) * wide, 0.1 + 0.75 * u[2], 0.05 + 0.09 * u[3]
    head, paint = Head(canvas, x, y, size, 0.3 * (u[5] - 0.5)), pick(CLOTHES, u[4])
    if u[0] < 0.3:
        balloon(canvas, x, y, size, paint, sun)
    elif u[0] < 0.55:
        head.disc(0, 0, 1, 1, lambda v: paint * (0.85 + 0.2 * sun * v.x + 0.25 * v.y))
        band = lambda v: np.minimum(v.ellipse(0, 0, 1, 1), (0.28 - np.abs(v.x)) * v.unit)  # noqa: E731
        head.paint(0, 0, 0.3, 1, band, PAPER)
        head.disc(0.3 * sun, 0.5, 0.2, 0.16, np.minimum(paint + 0.4, 1))
    elif u[0] < 0.78:
        head.disc(0, 0, 1, 1, FRAME)
        head.disc(0, 0, 0.86, 0.86, PAPER)
        for a, b in ((0, 0.72), (0.72, 0), (0, -0.72), (-0.72, 0)):
            head.disc(a, b, 0.07, 0.07, INK)
        head.paint(0, 0.2, 0.1, 0.4, lambda v: v.box(-0.05, -0.08, 0.05, 0.55), INK)
        head.paint(0.2, 0, 0.4, 0.1, lambda v: v.box(-0.08, -0.05, 0.42, 0.05), INK)
    else:
        petal = color(0.97, 0.78, 0.2)
        for a, b in ((0.7, 0), (0.5, 0.5), (0, 0.7), (-0.5, 0.5), (-0.7, 0), (-0.5, -0.5),
                     (0, -0.7), (0.5, -0.5)):  # fmt: skip
            head.disc(a, b, 0.32, 0.32, petal)
        head.disc(0, 0, 0.55, 0.55, WOOD * 0.8)
