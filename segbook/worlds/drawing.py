"""What the worlds draw with: reproducible random numbers, noise, and a canvas with an exact mask.

Pixels are made only with float32 and float64 +, -, *, / and sqrt, comparisons and table look-ups.
IEEE 754 fixes the result of each to the last bit, so every machine and NumPy version gives the same
bytes; sin, exp, pow, matrix products and library sums are not used, because theirs may differ.
"""

import math
from functools import cache

import numpy as np


def uniforms(seed: int, index: int, count: int, stream: int = 0) -> np.ndarray:
    """Return uniform random numbers that depend on nothing but the arguments.

    They are the raw output of the Philox generator, which NumPy keeps stable (NEP 19).

    Args:
        seed: The seed of the data set.
        index: The picture's position in the data set.
        count: How many numbers.
        stream: Independent numbers for another purpose.

    Returns:
        float64 array `(count,)` with values in [0, 1).
    """
    key = np.array([seed, index], np.uint64)
    counter = np.array([0, 0, 0, stream], np.uint64)
    raw = np.random.Philox(key=key, counter=counter).random_raw(count)
    return (raw >> np.uint64(11)) * 2.0**-53


@cache
def noise_tile(size: int = 256, coarsest: int = 8, finest: int = 128) -> np.ndarray:
    """Return periodic value noise, octaves each octave 0.6 times as strong as the one before.

    Args:
        size: Height and width of the tile, pixels.
        coarsest: Cells a side of the first octave.
        finest: Cells a side of the last octave.

    Returns:
        float32 array `(size, size)` with values in [-1, 1] and mean near 0.
    """
    tile = np.zeros((size, size))
    amplitude, total, cells = 1.0, 0.0, coarsest
    while cells <= finest:
        lattice = uniforms(7, cells, cells * cells).reshape(cells, cells) * 2 - 1
        position = np.arange(size) * (cells / size)
        low = position.astype(int)
        fraction = position - low
        fraction = fraction * fraction * (3 - 2 * fraction)
        high = (low + 1) % cells
        rows = lattice[low] + fraction[:, None] * (lattice[high] - lattice[low])
        tile += amplitude * (rows[:, low] + fraction * (rows[:, high] - rows[:, low]))
        total += amplitude
        amplitude *= 0.6
        cells *= 2
    return (tile * (1.6 / total)).clip(-1, 1).astype(np.float32)


def color(red: float, green: float, blue: float) -> np.ndarray:
    """Return a colour of values in [0, 1] as a float32 array `(3, 1, 1)`."""
    return np.array([[[red]], [[green]], [[blue]]], np.float32)


def colors(*values) -> list[np.ndarray]:
    """Return one `color` for each (red, green, blue)."""
    return [color(*value) for value in values]


class Canvas:
    """A picture and its mask in the making, with the coordinates of the pixel centres.

    Shapes are given as "inside" arrays: the distance to the edge in pixels, positive inside.
    Colours fade over one pixel at the edge; the mask changes where a pixel's centre is inside.

    Args:
        image: float32 array `(3, height, width)`.
        mask: uint8 array `(height, width)`.
        x: float32 array `(1, width)`, coordinates of the pixel centres.
        y: float32 array `(height, 1)`.
        unit: Pixels in one unit of `x` and `y`.
    """

    def __init__(self, image, mask, x, y, unit):
        self.image, self.mask, self.x, self.y, self.unit = image, mask, x, y, unit

    @classmethod
    def blank(cls, height: int, width: int, channels: int = 3) -> "Canvas":
        """Return a black canvas; its unit is its height, x is 0 at the centre and y at the top."""
        y = ((np.arange(height) + 0.5) / height).astype(np.float32)[:, None]
        x = ((np.arange(width) + 0.5 - width / 2) / height).astype(np.float32)[None]
        image = np.zeros((channels, height, width), np.float32)
        return cls(image, np.zeros((height, width), np.uint8), x, y, height)

    def crop(self, left: float, top: float, right: float, bottom: float) -> "Canvas | None":
        """Return a view of a box of a `blank` canvas and a pixel more, or None if it is outside."""
        height, width = self.mask.shape
        x0 = max(int(left * self.unit + width / 2) - 1, 0)
        x1 = min(int(right * self.unit + width / 2) + 2, width)
        y0, y1 = max(int(top * self.unit) - 1, 0), min(int(bottom * self.unit) + 2, height)
        if x0 >= x1 or y0 >= y1:
            return None
        image, mask = self.image[:, y0:y1, x0:x1], self.mask[y0:y1, x0:x1]
        return Canvas(image, mask, self.x[:, x0:x1], self.y[y0:y1], self.unit)

    def place(self, x, y, scale, half_width, height, below=0.1) -> "Canvas | None":
        """Return the view of an object in its own metres: x to the right, y up from its foot.

        Args:
            x: Where its foot's centre is on this `blank` canvas.
            y: As `x`.
            scale: Picture heights in one metre.
            half_width: How far the view reaches to the left and to the right, metres.
            height: How far it reaches up, metres.
            below: How far it reaches below the foot, metres.
        """
        reach = half_width * scale
        view = self.crop(x - reach, y - height * scale, x + reach, y + below * scale)
        if view is not None:
            view.x, view.y = (view.x - x) * (1 / scale), (y - view.y) * (1 / scale)
            view.unit = self.unit * scale
        return view

    def mirrored(self) -> "Canvas":
        """Return the same view with |x| for x: what is drawn appears on both sides."""
        return Canvas(self.image, self.mask, np.abs(self.x), self.y, self.unit)

    def box(self, left, bottom, right, top):
        """Return the inside of a box, `bottom` < `top`."""
        across = np.minimum(self.x - left, right - self.x)
        return np.minimum(across, np.minimum(self.y - bottom, top - self.y)) * self.unit

    def polygon(self, *points):
        """Return the inside of a convex polygon, its corners in the order from +x towards +y."""
        edges = []
        for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
            across, along = x1 - x0, y1 - y0
            size = self.unit / math.sqrt(across * across + along * along)
            edges.append((-along * size, across * size, (x0 * along - y0 * across) * size))
        slope_x, slope_y, shift = np.array(edges, np.float32).T[:, :, None, None]
        return np.minimum.reduce(slope_x * self.x + (slope_y * self.y + shift))

    def taper(self, bottom, top, foot, head):
        """Return the inside of a trapezoid with level ends.

        Args:
            bottom: The lower end's y.
            top: The upper end's y.
            foot: Left and right x of the lower end.
            head: Left and right x of the upper end.
        """
        lower, upper = ((foot[0], bottom), (foot[1], bottom)), ((head[1], top), (head[0], top))
        return self.polygon(*lower, *upper)

    def ellipse(self, x, y, radius_x, radius_y):
        """Return the inside of an ellipse, exact at the edge and nearly so close to it."""
        u, v = (self.x - x) * (1 / radius_x), (self.y - y) * (1 / radius_y)
        return (1 - np.sqrt(u * u + v * v)) * (min(radius_x, radius_y) * self.unit)

    def turned_ellipse(self, x, y, along, long, short):
        """Return the inside of an ellipse whose axis `long` has the direction `along`."""
        right, down = self.x - x, self.y - y
        u = (along[0] * right + along[1] * down) * (1 / long)
        v = (along[0] * down - along[1] * right) * (1 / short)
        return (1 - np.sqrt(u * u + v * v)) * (min(long, short) * self.unit)

    def strip(self, start, end, half_width):
        """Return the inside of a line with round ends, from (x, y) to (x, y)."""
        (x0, y0), (x1, y1) = start, end
        across, down = x1 - x0, y1 - y0
        right, below = self.x - x0, self.y - y0
        place = (right * across + below * down) * (1 / (across * across + down * down))
        place = np.minimum(np.maximum(place, 0), 1)
        right, below = right - place * across, below - place * down
        return (half_width - np.sqrt(right * right + below * below)) * self.unit

    def paint(self, inside, paint, label=None):
        """Lay a colour over a shape.

        Args:
            inside: Distance to the edge in pixels, `(height, width)`.
            paint: Colour, broadcastable to `(3, height, width)`.
            label: The class that the mask gets, or None to leave the mask as it is.
        """
        cover = np.minimum(np.maximum(inside + 0.5, 0), 1)
        change = paint - self.image
        change *= cover
        self.image += change
        if label is not None:
            np.copyto(self.mask, label, where=inside > 0)

    def shade(self, inside, softness, strength):
        """Darken a shape with a soft edge `softness` pixels wide, by `strength` at most."""
        cover = np.minimum(np.maximum(inside * (1 / softness), 0), 1)
        self.image *= 1 - strength * cover


def direction(u: float, v: float) -> tuple[float, float]:
    """Return a unit vector (x, y) from two numbers in [0, 1), not quite evenly spread."""
    x, y = u - 0.5, v - 0.5
    length = math.sqrt(x * x + y * y)
    return (x / length, y / length) if length > 0 else (1.0, 0.0)


def cloud(canvas: Canvas, down: float, right: float, finer: int = 1) -> np.ndarray:
    """Return soft noise over a `blank` canvas, from a place of a large tile.

    Args:
        canvas: The canvas.
        down: The place along the height of the tile, in [0, 1).
        right: The place along its width, in [0, 1).
        finer: How many times smaller than usual its features are.

    Returns:
        float32 array `(height, width)` with values in [-1, 1].
    """
    scale = 300 * finer
    rows = (canvas.y * scale + down * 1024).astype(np.int32) & 1023
    columns = (canvas.x * scale + right * 1024 + 1024 * finer).astype(np.int32) & 1023
    return noise_tile(1024, 8, 128)[rows, columns]


def shape_in_cell(canvas: Canvas, aspect: float, cell: int, u: list[float]):
    """Return a disc, a square or a triangle in one of the 2 x 3 cells of the right half.

    Args:
        canvas: A `blank` canvas.
        aspect: Its width over its height.
        cell: Which cell, 0 to 5.
        u: Numbers in [0, 1): size, place along x and along y, form.

    Returns:
        Distance to the edge in pixels, positive inside, `(height, width)`; x and y of the middle.
    """
    wide, tall = aspect / 4, 1 / 3
    radius = (0.28 + 0.15 * u[0]) * min(wide, tall)
    x = wide * (cell % 2) + radius + (wide - 2 * radius) * u[1]
    y = tall * (cell // 2) + radius + (tall - 2 * radius) * u[2]
    if u[3] < 1 / 3:
        return canvas.ellipse(x, y, radius, radius), x, y
    if u[3] < 2 / 3:
        half = 0.88 * radius
        return canvas.box(x - half, y - half, x + half, y + half), x, y
    low, high = y + 0.8 * radius, y - radius
    return canvas.polygon((x - radius, low), (x, high), (x + radius, low)), x, y


def finish(image: np.ndarray, noise: float, seed: int, index: int) -> np.ndarray:
    """Add the camera's noise to a picture and round it to multiples of 1/255.

    Args:
        image: float32 array `(3, height, width)`.
        noise: Standard deviation, in units of the full range.
        seed: The seed of the data set.
        index: The picture's position in the data set.

    Returns:
        float32 array `(height, width, 3)` with values in [0, 1].
    """
    if noise > 0:
        key = np.array([seed, index], np.uint64)
        counter = np.array([0, 0, 0, 1], np.uint64)
        words = np.random.Philox(key=key, counter=counter).random_raw((image.size + 1) // 2)
        quarters = words.astype("<u8").view(np.uint8).reshape(4, -1)[:, : image.size]
        # Four uniform bytes add up to a bell with mean 510 and standard deviation 147.8.
        total = quarters.astype(np.uint16)
        total = (total[0] + total[1]) + (total[2] + total[3])
        bell = (total.astype(np.float32) - 510) * (1 / 147.8)
        image = image + noise * bell.reshape(image.shape)
    levels = np.rint(np.minimum(np.maximum(image, 0), 1) * 255)
    return np.ascontiguousarray(levels.transpose(1, 2, 0)) / np.float32(255)


def check_knob(name: str, value: float, low: float, high: float) -> float:
    """Return a knob's value as a float, or raise ValueError if it is not in [low, high]."""
    if not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; it must be between {low:g} and {high:g}")
    return float(value)


def check_whole(name: str, value: int, low: int, high: int) -> int:
    """Return a knob's value as an int, or raise ValueError if it is no integer in [low, high]."""
    if not isinstance(value, int | np.integer) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; it must be an integer from {low} to {high}")
    return int(value)


def check_range(name: str, value, low: float, high: float, whole: bool = False) -> tuple:
    """Return a knob's (least, most), or raise ValueError if not low <= least <= most <= high."""
    fits = np.shape(value) == (2,) and low <= value[0] <= value[1] <= high
    if not fits or (whole and any(int(end) != end for end in value)):
        kind = "whole numbers" if whole else "numbers"
        raise ValueError(
            f"{name} is {value!r}; it must be two {kind} (least, most) from {low:g} to {high:g}"
        )
    return tuple(value)


def check_request(count: int, size, seed: int, smallest: int) -> tuple[int, int]:
    """Return (height, width) of the pictures asked for, or raise ValueError naming the argument."""

    def whole(value, least):
        return isinstance(value, int | np.integer) and value >= least

    if not whole(count, 1):
        raise ValueError(f"count is {count!r}; it must be an integer, 1 or more")
    if not whole(seed, 0) or seed >= 2**63:
        raise ValueError(f"seed is {seed!r}; it must be an integer from 0 to 2**63 - 1")
    sides = (size, size) if np.isscalar(size) else tuple(size)
    if len(sides) != 2 or not all(whole(side, smallest) for side in sides):
        raise ValueError(
            f"size is {size!r}; it must be an integer or (height, width), {smallest} or more"
        )
    return int(sides[0]), int(sides[1])
