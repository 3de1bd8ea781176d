"""How a person is drawn: head, features, hair, hat and shoulders, in half heights of the head."""

import numpy as np

from segbook.worlds.drawing import Canvas, color, colors
from segbook.worlds.face_people import CLOTHES, Look, Mood, pick

BACKGROUND, SKIN, HAIR, EYES, NOSE, MOUTH = range(6)
HIPS, FEET = 5.6, 12.0  # how far below the middle of the head
WHITE, DARK, PUPIL, TEETH, THROAT = colors(
    (0.97, 0.97, 0.96), (0.1, 0.08, 0.1), (0.05, 0.04, 0.05), (0.98, 0.97, 0.93), (0.35, 0.08, 0.1)
)
GOLD, STRAW, BLUSH = colors((0.95, 0.78, 0.3), (0.9, 0.76, 0.48), (0.95, 0.35, 0.3))


class Head:
    """A head's place in a picture: x to the right, y up, the chin at -1, the crown at 1.

    Args:
        canvas: The whole picture, a `blank` canvas.
        x: Where the head's middle is on it.
        y: As `x`.
        scale: Picture heights in half the height of the head.
        tilt: Tangent of half the angle by which it leans.
    """

    def __init__(self, canvas: Canvas, x: float, y: float, scale: float, tilt: float = 0.0):
        self.canvas, self.x, self.y, self.scale = canvas, x, y, scale
        # Rational, so that every machine gets the same bits.
        self.cos = (1 - tilt * tilt) / (1 + tilt * tilt)
        self.sin = 2 * tilt / (1 + tilt * tilt)
        self.unit = canvas.unit * scale

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the head is on the whole picture."""
        return (
            self.x + self.scale * (x * self.cos + y * self.sin),
            self.y + self.scale * (x * self.sin - y * self.cos),
        )

    def view(self, x: float, y: float, reach_x: float, reach_y: float) -> Canvas | None:
        """Return the part of the picture around a point, in the head's coordinates."""
        middle_x, middle_y = self.at(x, y)
        cos, sin = abs(self.cos) * self.scale, abs(self.sin) * self.scale
        across, along = reach_x * cos + reach_y * sin, reach_x * sin + reach_y * cos
        view = self.canvas.crop(
            middle_x - across, middle_y - along, middle_x + across, middle_y + along
        )
        if view is not None:
            right, down = (view.x - self.x) * (1 / self.scale), (view.y - self.y) * (1 / self.scale)
            view.x, view.y = right * self.cos + down * self.sin, right * self.sin - down * self.cos
            view.unit = self.unit
        return view

    def paint(self, x, y, reach_x, reach_y, shape, paint, label=None) -> None:
        """Lay a colour, or what a function of the view gives, over a shape around a point."""
        view = self.view(x, y, reach_x, reach_y)
        if view is not None:
            view.paint(shape(view), paint(view) if callable(paint) else paint, label)

    def disc(self, x, y, radius_x, radius_y, paint, label=None) -> None:
        """Paint an ellipse."""
        self.paint(
            x, y, radius_x, radius_y, lambda v: v.ellipse(x, y, radius_x, radius_y), paint, label
        )


def oval(view: Canvas, look: Look, grow: float = 0.0):
    """Return the inside of the head: an egg, narrower at the chin, `grow` larger all around."""
    across = view.x * (1 / (look.half + grow))
    wide = across * (1 + look.taper * (0.25 - view.y))
    tall = view.y * (1 / (1 + grow))
    return (1 - np.sqrt(wide * wide + tall * tall)) * (look.half * view.unit)


def bow(view: Canvas, x, y, half, thick, bend):
    """Return the inside of a lens whose ends are `bend` higher than its middle."""
    along = (view.x - x) * (1 / half)
    along = along * along
    return (thick * (1 - along) - np.abs(view.y - y - bend * along)) * view.unit


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

    _back_hair(head, look, mood, lit)
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
    _beard(head, look, shift, lit)
    corners = _mouth(head, look, mood, shift)
    tip = _nose(head, look, shift, sun)
    eyes = _eyes(head, look, mood, shift)
    _front_hair(head, look, mood, lit)
    _glasses(head, look, eyes)
    _hat(head, look, mood, lit)
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


def _beard(head: Head, look: Look, shift, lit) -> None:
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


def _back_hair(head: Head, look: Look, mood: Mood, lit) -> None:
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


def _front_hair(head: Head, look: Look, mood: Mood, lit) -> None:
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


def _glasses(head: Head, look: Look, eyes) -> None:
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


def _hat(head: Head, look: Look, mood: Mood, lit) -> None:
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
