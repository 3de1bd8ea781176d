"""How a person is drawn: shoulders, head and features, in half heights of the head."""

import numpy as np

from segbook.worlds.drawing import Canvas, colors
from segbook.worlds.face_hair import DARK, GOLD, back_hair, beard, front_hair, glasses, hat
from segbook.worlds.face_head import BACKGROUND, EYES, HAIR, MOUTH, NOSE, SKIN, Head, bow, oval
from segbook.worlds.face_people import Look, Mood

HIPS, FEET = 5.6, 12.0  # how far below the middle of the head
WHITE, PUPIL, TEETH, THROAT, BLUSH = colors(
    (0.97, 0.97, 0.96), (0.05, 0.04, 0.05), (0.98, 0.97, 0.93), (0.35, 0.08, 0.1), (0.95, 0.35, 0.3)
)


def draw(canvas: Canvas, look: Look, mood: Mood, x, y, scale, sun):
    """Draw a person.

    Args:
        canvas: The whole picture, a `blank` canvas.
        look: Who it is.
        mood: What they do.
        x: Where the middle of the head is.
        y: As `x`.
        scale: Picture heights in half the height of the head.
        sun: From where the light comes, -1 (left) to 1.

    Returns:
        bool `(height, width)`, where the head's oval is, hidden or not; landmarks, a list of five
        `(x, y)` on the canvas: the eyes, the tip of the nose, the corners of the mouth.
    """
    head = Head(canvas, x, y, scale, mood.tilt)
    shift = 0.16 * mood.turn

    def lit(paint, amount=0.16):
        return lambda v: paint * (1 + amount * sun * v.x + 0.07 * v.y)

    back_hair(head, look, mood, lit)
    _shoulders(Head(canvas, x, y, scale), look, sun)
    for side in (-1, 1):
        ear = side * (look.half - 0.02) - 0.5 * shift
        head.disc(ear, 0.0, 0.13, 0.2, lit(look.skin * 0.92), SKIN)
        if look.earrings and head.unit > 8:
            head.disc(ear * 1.02, -0.24, 0.06, 0.06, GOLD)
    inside = np.zeros(canvas.mask.shape, bool)
    view = head.view(0, 0, 0.95, 1.02)
    if view is not None:
        shape = oval(view, look)
        view.paint(shape, lit(look.skin)(view), SKIN)
        whole = Canvas(inside[None], inside, canvas.x, canvas.y, canvas.unit)
        marked = Head(whole, x, y, scale, mood.tilt).view(0, 0, 0.95, 1.02)
        np.copyto(marked.mask, True, where=shape > 0)
    _skin_marks(head, look, shift)
    beard(head, look, shift, lit)
    corners = _mouth(head, look, mood, shift)
    tip = _nose(head, look, shift, sun)
    eyes = _eyes(head, look, mood, shift)
    front_hair(head, look, mood, lit)
    glasses(head, look, eyes)
    hat(head, look, mood, lit)
    return inside, [head.at(*point) for point in (*eyes, tip, *corners)]


def _shoulders(head: Head, look: Look, sun) -> None:
    """Draw neck, clothes and legs, down to the lower end of the picture."""
    down = (1 - head.y) / head.scale
    head.paint(0, -1.1, 0.34, 0.7, lambda v: v.box(-0.31, -1.75, 0.31, -0.5), look.skin * 0.8, SKIN)
    if down < 1.3:
        return
    if down > HIPS:
        low = -min(down + 0.2, FEET)
        leg = look.second * 0.75
        for side in (-1, 1):
            x, middle = 0.55 * side, (low - HIPS) / 2
            head.paint(
                x, middle, 0.6, (-HIPS - low) / 2 + 0.1,
                lambda v, x=x: v.box(x - 0.46, low, x + 0.46, 0.3 - HIPS), leg, BACKGROUND,
            )  # fmt: skip
            head.disc(x * 1.25, low, 0.62, 0.24, DARK, BACKGROUND)
    low = -min(down + 0.2, HIPS)
    view = head.view(0, (low - 1.2) / 2, 1.7, (-1.2 - low) / 2)
    if view is None:
        return
    inside = np.maximum(
        view.ellipse(0, -2.45, 1.5, 1.12), view.taper(low, -2.45, (-1.25, 1.25), (-1.5, 1.5))
    )
    collar = view.ellipse(0, -1.22, 0.42, 0.36)
    cloth = look.clothes
    if look.pattern:
        rows = np.floor(view.y * 3.2).astype(np.int32) & 1
        if look.pattern == 2:
            rows = rows & np.floor(view.x * 3.2).astype(np.int32)
        cloth = np.where(rows == 1, look.second, cloth)
    cloth = cloth * (1 + 0.1 * sun * view.x)
    view.paint(np.minimum(inside, -collar), cloth, BACKGROUND)


def _skin_marks(head: Head, look: Look, shift) -> None:
    """Draw cheeks, freckles and the lines of age."""
    if head.unit < 7:
        return
    for side in (-1, 1):
        x = side * 0.42 + shift
        view = head.view(x, -0.3, 0.2, 0.16)
        if view is not None:
            glow = np.minimum(
                np.maximum(view.ellipse(x, -0.3, 0.2, 0.16) / (0.12 * head.unit), 0), 1
            )
            view.image += glow * 0.3 * (BLUSH * look.skin - view.image * 0.75)
        for number in range(4 if look.freckles and head.unit > 16 else 0):
            spot = x + 0.09 * (number - 1.5), -0.2 - 0.07 * (number & 1)
            head.disc(*spot, 0.022, 0.022, look.skin * 0.72)
    for line in range(int(4 * look.age - 0.9) if head.unit > 12 else 0):
        y = 0.46 + 0.09 * line
        head.paint(
            shift,
            y,
            0.36,
            0.06,
            lambda v, y=y: bow(v, shift, y, 0.34, 0.013, -0.03),
            look.skin * 0.85,
        )
    if look.age > 0.55 and head.unit > 12:
        for side in (-1, 1):
            x = side * 0.34 + shift

            def crease(v, x=x, side=side):
                return (0.016 - np.abs((v.x - x) - side * 0.45 * (-0.38 - v.y))) * v.unit

            head.paint(x, -0.44, 0.1, 0.12, crease, look.skin * 0.84)


def _eyes(head: Head, look: Look, mood: Mood, shift) -> list:
    """Draw eyes and brows; return the eyes' middles."""
    middles, size, y = [], look.eye, 0.06
    for side in (-1, 1):
        # The eye on the side to which the head turns is farther away, and narrower.
        wide = size * 1.18 * (1 - 0.12 * side * mood.turn)
        x = side * look.apart + 1.1 * shift
        middles.append((x, y))
        high = max(size * 0.9 * mood.lids, 0.035)
        head.disc(x, y + 0.02, wide + 0.035, high + 0.04, look.skin * 0.62)
        if mood.lids > 0.1:
            head.disc(x, y, wide, high, WHITE, EYES)
            round_, gaze = size * 0.72, x + 0.35 * size * mood.gaze
            for radius, paint in ((round_, look.iris), (round_ * 0.55, PUPIL)):
                if head.unit * radius > 0.4:
                    reach = wide, high

                    def ball(v, radius=radius, gaze=gaze, x=x, reach=reach):
                        return np.minimum(
                            v.ellipse(gaze, y, radius, radius), v.ellipse(x, y, *reach)
                        )

                    head.paint(x, y, *reach, ball, paint)
            if head.unit > 12:
                head.disc(gaze + 0.3 * round_, y + 0.3 * round_, 0.025, 0.03, WHITE)
        else:
            head.paint(
                x, y, wide, 0.06, lambda v, x=x, w=wide: bow(v, x, y, w, 0.03, 0.03), DARK, EYES
            )
        brow = y + size + 0.14 + mood.brows
        slope = 0.1 * side * (0.3 - mood.brows * 6) * 0.5

        def arch(v, x=x, brow=brow, slope=slope):
            return bow(v, x, brow + slope * (v.x - x), 0.21, look.brow, -0.07)

        head.paint(x, brow, 0.23, 0.17, arch, look.hair * 0.85, HAIR)
    return middles


def _nose(head: Head, look: Look, shift, sun):
    """Draw the nose; return its tip."""
    x, wide = 1.45 * shift, look.nose
    top, low = 0.16, -0.26 - 0.06 * look.age
    bridge, middle = 1.15 * shift, (top + low) / 2

    def shape(v):
        along = (v.y - low) * (1 / (top - low))
        half = wide * (1 - 0.72 * along)
        slope = (half - np.abs(v.x - x - (bridge - x) * along)) * v.unit
        body = np.minimum(slope, np.minimum(v.y - low, top - v.y) * v.unit)
        return np.maximum(body, v.ellipse(x, low, wide, 0.1))

    def paint(v):
        return look.skin * (0.88 - 0.03 * v.y + 0.5 * sun * (v.x - x))

    head.paint((x + bridge) / 2, middle - 0.05, 0.34, 0.3, shape, paint, NOSE)
    if head.unit > 9:
        for side in (-1, 1):
            head.disc(x + side * 0.5 * wide, low - 0.03, 0.045, 0.028, look.skin * 0.5)
        head.disc(x + 0.2 * wide * sun, low + 0.06, 0.05, 0.05, np.minimum(look.skin * 1.15, 1))
    return x, low


def _mouth(head: Head, look: Look, mood: Mood, shift) -> list:
    """Draw the mouth; return its corners."""
    x, y, half = 1.2 * shift, -0.56, 0.25 + 0.07 * max(mood.smile, 0) - 0.1 * mood.gape
    bend = 0.13 * mood.smile
    open_ = mood.gape + (0.06 if mood.smile > 0.45 else 0)
    thick = look.lip + 0.6 * open_ + 0.02
    reach = half + 0.02, thick + abs(bend) + 0.05
    head.paint(x, y, *reach, lambda v: bow(v, x, y, half, thick, bend), look.lips, MOUTH)
    if open_ > 0:
        inner = half * 0.86

        def hole(v):
            return bow(v, x, y, inner, 0.6 * open_ + 0.01, bend * 0.75)

        def teeth(v):
            return np.minimum(hole(v), (v.y - y - 0.2 * open_ + 0.03) * v.unit)

        head.paint(x, y, *reach, hole, THROAT)
        head.paint(x, y, *reach, teeth, TEETH)
    elif head.unit > 9:
        head.paint(x, y, *reach, lambda v: bow(v, x, y, half, 0.014, bend), look.lips * 0.6)
    return [(x - half, y + bend), (x + half, y + bend)]
