"""A head's own coordinates, in half heights of it, and the shapes that are drawn in them."""

import numpy as np

from segbook.worlds.drawing import Canvas
from segbook.worlds.face_people import Look

BACKGROUND, SKIN, HAIR, EYES, NOSE, MOUTH = range(6)


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
