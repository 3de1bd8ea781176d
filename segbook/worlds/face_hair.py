"""Hair, beards, glasses and hats of the people of `faces`, in half heights of the head."""

import numpy as np

from segbook.worlds.drawing import Canvas, color, colors
from segbook.worlds.face_head import BACKGROUND, HAIR, Head, bow, oval
from segbook.worlds.face_people import CLOTHES, Look, Mood, pick

DARK, GOLD, STRAW = colors((0.1, 0.08, 0.1), (0.95, 0.78, 0.3), (0.9, 0.76, 0.48))


def back_hair(head: Head, look: Look, mood: Mood, lit) -> None:
    """Draw the hair behind the head."""
    paint, half = lit(look.hair * 0.82), look.half
    if look.style == "long":
        head.paint(
            0, -0.35, half + 0.34, 1.6,
            lambda v: np.maximum(
                v.ellipse(0, 0.2, half + 0.22, 0.98), v.box(-half - 0.22, -1.7, half + 0.22, 0.2)
            ),
            paint, HAIR,
        )  # fmt: skip
    elif look.style == "bob":
        head.paint(
            0, 0, half + 0.3, 1.25,
            lambda v: np.maximum(
                v.ellipse(0, 0.15, half + 0.25, 1.0), v.box(-half - 0.25, -0.85, half + 0.25, 0.15)
            ),
            paint, HAIR,
        )  # fmt: skip
    elif look.style == "afro":
        head.disc(0, 0.42, half + 0.5, 1.1, paint, HAIR)
    elif look.style == "bun" and mood.hat is None:
        head.disc(0, 1.2, 0.36, 0.34, paint, HAIR)
    elif look.style == "pigtails":
        for side in (-1, 1):
            head.disc(side * (half + 0.32), 0.1, 0.27, 0.48, paint, HAIR)
    elif look.style == "curls":
        for x, y in ((-0.75, 0.2), (0.75, 0.2), (-0.82, -0.15), (0.82, -0.15)):
            head.disc(x * half / 0.8, y, 0.27, 0.27, paint, HAIR)


def front_hair(head: Head, look: Look, mood: Mood, lit) -> None:
    """Draw the hair over the forehead."""
    style, half = look.style, look.half
    if style == "bald":
        if look.age > 0.45:
            for side in (-1, 1):
                x = side * (half - 0.02)
                head.disc(x, 0.28, 0.11, 0.24, lit(look.hair), HAIR)
        return
    recede = 0.16 * look.age if look.beard else 0.05 * look.age
    line = {"bob": 0.36, "pigtails": 0.5, "spikes": 0.56, "afro": 0.5}.get(style, 0.54) + recede
    curve = {"bob": 0.05, "parted": 0.2}.get(style, 0.75)
    slant = 0.3 if style == "parted" else 0.0
    thick = {"short": 0.05, "afro": 0.16}.get(style, 0.09)

    def cap(v):
        edge = line - curve * v.x * v.x + slant * v.x
        inside = np.minimum(oval(v, look, thick), (v.y - edge) * v.unit)
        return np.minimum(inside, (v.y + 0.15) * v.unit)

    def strands(v):
        wave = v.x * 4.5 + v.y
        wave = np.abs(wave - np.floor(wave) - 0.5)
        return lit(look.hair)(v) * (0.9 + 0.4 * wave)

    head.paint(0, 0.5, half + 0.2, 0.7, cap, strands if head.unit > 10 else lit(look.hair), HAIR)
    if style == "curls" and mood.hat is None:
        for x, y in ((-0.6, 0.72), (-0.22, 0.95), (0.22, 0.95), (0.6, 0.72)):
            head.disc(x, y, 0.28, 0.26, lit(look.hair), HAIR)
    if style == "spikes" and mood.hat is None:
        for x in (-0.45, -0.15, 0.15, 0.45):
            y = 0.92 - 0.4 * x * x
            head.paint(
                x, y + 0.1, 0.24, 0.36,
                lambda v, x=x, y=y: v.polygon((x - 0.17, y - 0.1), (x + 0.17, y - 0.1),
                                              (x * 1.25, y + 0.36)),
                lit(look.hair), HAIR,
            )  # fmt: skip


def beard(head: Head, look: Look, shift, lit) -> None:
    """Draw beard and moustache, below the mouth that comes later."""
    if look.beard is None:
        return
    x, paint = 1.2 * shift, lit(look.hair * 0.95)
    if look.beard == "full":

        def full(v):
            edge = -0.22 - 0.5 * (look.half * look.half - v.x * v.x)
            sides = np.maximum(edge - v.y, np.abs(v.x) - look.half * 0.86)
            return np.minimum(oval(v, look, 0.05), np.minimum(sides, -0.02 - v.y) * v.unit)

        head.paint(0, -0.55, 0.95, 0.56, full, paint, HAIR)
    if look.beard == "goatee":
        head.disc(x, -0.84, 0.24, 0.26, paint, HAIR)
    head.paint(x, -0.42, 0.36, 0.16, lambda v: bow(v, x, -0.41, 0.34, 0.085, -0.07), paint, HAIR)


def glasses(head: Head, look: Look, eyes) -> None:
    """Draw glasses; the mask shows what is behind them."""
    if look.glasses is None:
        return
    thick = max(0.028, 0.55 / head.unit)
    wide, high = (0.27, 0.25) if look.glasses == "round" else (0.28, 0.2)
    for x, y in eyes:

        def rim(v, x=x, y=y):
            if look.glasses == "round":
                return v.ellipse(x, y, wide, high)
            return v.box(x - wide, y - high, x + wide, y + high)

        if look.glasses == "sun":
            view = head.view(x, y, wide + 0.06, high + 0.06)
            if view is not None:
                cover = np.minimum(np.maximum(rim(view) + 0.5, 0), 1) * 0.72
                view.image += cover * (DARK - view.image)
        head.paint(
            x, y, wide + 0.08, high + 0.08,
            lambda v, rim=rim: thick * v.unit - np.abs(rim(v)), DARK,
        )  # fmt: skip
    (left, y), (right, _) = eyes
    bridge = left + wide, right - wide
    if bridge[0] < bridge[1]:
        head.paint(
            (left + right) / 2, y, 0.2, 0.1,
            lambda v: v.box(bridge[0], y - thick, bridge[1], y + thick), DARK,
        )  # fmt: skip


def hat(head: Head, look: Look, mood: Mood, lit) -> None:
    """Draw a hat; it is background, as clothes are."""
    if mood.hat is None:
        return
    paint, half = pick(CLOTHES, mood.hue), look.half
    other = pick(CLOTHES, (mood.hue + 0.4) % 1)
    if mood.hat == "party":

        def stripes(v):
            rows = v.y * 4 + v.x * 2
            return np.where((np.floor(rows).astype(np.int32) & 1) == 1, other, paint)

        head.paint(
            0, 1.3, 0.5, 0.65,
            lambda v: v.polygon((-0.46, 0.78), (0.46, 0.78), (0, 1.8)), stripes, BACKGROUND,
        )  # fmt: skip
        head.disc(0, 1.8, 0.13, 0.13, GOLD, BACKGROUND)
        return
    brim = 0.5

    def crown(v):
        return np.minimum(oval(v, look, 0.14), (v.y - brim) * v.unit)

    head.paint(0, 0.85, half + 0.25, 0.5, crown, lit(STRAW if mood.hat == "straw" else paint), 0)
    if mood.hat == "beanie":
        head.paint(
            0, brim, half + 0.2, 0.2,
            lambda v: v.box(-half * 0.98, brim - 0.12, half * 0.98, brim + 0.12), lit(other), 0,
        )  # fmt: skip
        head.disc(0, 1.22, 0.16, 0.16, other, BACKGROUND)
    elif mood.hat == "straw":
        head.paint(
            0, brim + 0.1, half + 0.1, 0.12,
            lambda v: v.box(-half, brim, half, brim + 0.2), paint, BACKGROUND,
        )  # fmt: skip
        head.disc(0, brim, half + 0.55, 0.14, lit(STRAW * 0.95), BACKGROUND)
    else:
        side = 1 if mood.turn >= 0 else -1
        head.disc(side * 0.45, brim, 0.75, 0.11, lit(paint * 0.75), BACKGROUND)


def balloon(canvas: Canvas, x, y, radius, paint, sun) -> None:
    """Draw a balloon on its string, which may hide what is behind it."""
    head = Head(canvas, x, y, radius)
    head.paint(
        0, -1.9, 0.06, 0.9,
        lambda v: v.box(-0.3 / v.unit, -2.7, 0.3 / v.unit, -1.1), color(0.9, 0.9, 0.9),
    )  # fmt: skip
    head.paint(
        0, 0, 0.9, 1.05, lambda v: v.ellipse(0, 0, 0.85, 1),
        lambda v: paint * (0.9 + 0.25 * sun * v.x + 0.12 * v.y), BACKGROUND,
    )  # fmt: skip
    head.disc(0.35 * sun, 0.4, 0.14, 0.2, np.minimum(paint + 0.35, 1), BACKGROUND)
