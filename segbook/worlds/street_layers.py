"""The parts of a street that fill the picture: sky, skyline and ground."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from segbook.worlds.drawing import Canvas, color, noise_tile

SKY, BUILDING, ROAD, PAVEMENT, TREE, CAR, PERSON, POLE, MARKING = range(9)


@dataclass
class Scene:
    """A camera over a straight road, and the light.

    Lengths are in metres, x to the right of the camera. In the picture a metre at distance z
    measures 1 / z picture heights; this `scale` stands for distance throughout.
    """

    vanishing: float
    horizon: float
    camera_height: float
    road: tuple[float, float]
    pavement: float
    daylight: float
    sun: float
    tint: np.ndarray
    haze: np.ndarray
    haze_amount: float

    def ground(self, scale: float) -> float:
        """Return the picture's y of the ground at a scale."""
        return self.horizon + self.camera_height * scale

    def air(self, scale):
        """Return a function from a surface's colour and brightness to its look at a scale.

        The surface is lit by the scene's light, and hazy with distance.
        """
        haze = self.haze_amount / (1 + 55 * scale)
        gain, veil = self.tint * (1 - haze), self.haze * haze
        return lambda paint, light=1.0: (paint * gain) * light + veil


def wrap(values, size: int = 256) -> np.ndarray:
    """Return indices into a noise tile whose size is a power of two."""
    return np.floor(values).astype(np.int32) & (size - 1)


def fraction(values):
    """Return the fractional part."""
    return values - np.floor(values)


def paint_sky(canvas: Canvas, scene: Scene, drift: list[float]) -> None:
    """Paint a gradient with clouds and the sun's glow down to the horizon.

    Args:
        canvas: The whole picture.
        scene: The camera and the light.
        drift: Three uniform numbers: where the clouds are (two) and how many.
    """
    view = canvas.crop(-9, 0, 9, scene.horizon)
    day = scene.daylight
    top = color(0.13, 0.2, 0.42) * (1 - day) + color(0.25, 0.5, 0.86) * day
    low = color(0.93, 0.6, 0.45) * (1 - day) + color(0.8, 0.89, 0.97) * day
    height = np.maximum(scene.horizon - view.y, 0)
    blend = height / (height + 0.16)
    sky = low + (top - low) * blend
    # Clouds lie in a plane overhead, so they crowd together towards the horizon.
    far = 1 / (height + 0.12)
    across = wrap((view.x - scene.vanishing) * far * 110 + drift[0] * 1024, 1024)
    cloud = noise_tile(1024, 8, 128)[wrap(far * 75 + drift[1] * 1024, 1024), across]
    cover = np.minimum(np.maximum(cloud * 1.5 + (drift[2] * 1.3 - 0.75), 0), 1)
    cover = cover * cover * (3 - 2 * cover) * 0.85
    white = color(0.98, 0.78, 0.7) * (1 - day) + color(0.99, 0.99, 1.0) * day
    sky = sky + cover * (white * (1 - 0.12 * cover) - sky)
    aside, above = view.x - scene.sun * 0.55, height - 0.16
    glow = 0.5 / (1 + 14 * (aside * aside + above * above))
    view.image[:] = sky + glow * (color(1.0, 0.9, 0.7) - sky)
    view.mask[:] = SKY


def paint_skyline(canvas: Canvas, scene: Scene, drift: list[float]) -> None:
    """Paint far houses and woods on the horizon.

    Args:
        canvas: The whole picture.
        scene: The camera and the light.
        drift: Three uniform numbers.
    """
    view = canvas.crop(-9, scene.horizon - 0.12, 9, scene.horizon + 0.02)
    tile = noise_tile()
    offset = int(drift[0] * 256)
    block = np.floor(view.x * 18 + drift[1] * 100).astype(np.int32) & 255
    house = 0.03 + 0.03 * tile[offset][block]
    wood = 0.022 + 0.02 * tile[(offset + 77) & 255][wrap(view.x * 150 + drift[2] * 256)]
    up = scene.horizon - view.y
    grey = color(0.5, 0.47, 0.5) * (1 + 0.25 * tile[(offset + 30) & 255][block])
    view.paint((house - up) * view.unit, scene.air(0.006)(grey), BUILDING)
    rows = np.arange(len(view.y))[:, None] & 255
    leaves = color(0.3, 0.42, 0.3) * (1 + 0.2 * tile[rows, wrap(view.x * 300)])
    view.paint((wood - up) * view.unit, scene.air(0.008)(leaves), TREE)


@dataclass
class Ground:
    """What the ground looks like.

    Args:
        road: The road's colour.
        pavement: The pavement's colour.
        lanes: x of the dashed lines, metres.
        crossing: Distance of a zebra crossing, metres; 0 for none.
        wear: How faded the markings are, 0 to 1.
        drift: A uniform number.
        shadow: Function from distance (an array) to the x where the houses' shadow ends.
    """

    road: np.ndarray
    pavement: np.ndarray
    lanes: tuple[float, ...]
    crossing: float
    wear: float
    drift: float
    shadow: Callable[[np.ndarray], np.ndarray]


def paint_ground(canvas: Canvas, scene: Scene, look: Ground) -> None:
    """Paint road, kerbs, pavements and lane markings, and the houses' shadow on them."""
    view = canvas.crop(-9, scene.horizon, 9, 1)
    scale = np.maximum(view.y - scene.horizon, 0.001) * (1 / scene.camera_height)
    far = 1 / scale
    x = (view.x - scene.vanishing) * far
    per_x = scale * view.unit
    per_far = per_x * scale * scene.camera_height
    tile = noise_tile()
    rows = wrap(far * 9 + look.drift * 256)
    grain = tile[rows, wrap(x * 13)] * np.minimum(per_x * 0.09, 1)
    patches = tile[wrap(far * 1.3), wrap(x * 2.1 + look.drift * 256)]
    left, right = scene.road

    # Pavement everywhere, slabs of 0.9 m, then the kerb, then the road over it.
    joint = np.minimum(
        abs(fraction(x * 1.1) - 0.5) * per_x, abs(fraction(far * 1.1) - 0.5) * per_far
    )
    joint = np.maximum(1 - 2.2 * joint, 0) * np.minimum(per_far * 0.05, 1)
    tone = 1 + 0.07 * grain + 0.07 * patches - 0.13 * joint
    view.image[:] = look.pavement * tone
    view.mask[:] = PAVEMENT
    inside = np.minimum(x - left, right - x)
    view.paint((inside + 0.28) * per_x, look.pavement * 1.13)
    middle = (left + right) / 2
    track = abs(abs(x - middle) - (right - left) * 0.25)
    track = 1 - np.minimum(abs(track - 0.75) * 2.2, 1)
    asphalt = look.road * (1 + 0.1 * grain + 0.09 * patches - 0.06 * track)
    view.paint(inside * per_x, asphalt, ROAD)
    gutter = 1 - np.minimum(abs(inside - 0.12) * 5, 1)
    view.image *= 1 - 0.25 * gutter

    paint = color(0.93, 0.92, 0.88) * (1 - look.wear) + look.road * look.wear
    paint = paint * (1 + 0.12 * grain)
    dash = (0.25 - abs(fraction(far * (1 / 6) + look.drift) - 0.5)) * 6 * per_far
    line = -99 * np.ones_like(x)
    for lane in look.lanes:
        line = np.maximum(line, np.minimum((0.17 - abs(x - lane)) * per_x, dash))
    line = np.maximum(line, (0.15 - abs(inside - 0.45)) * per_x)
    near = look.crossing
    if near:
        stripe = (0.25 - abs(fraction(x) - 0.5)) * per_x
        stripe = np.minimum(stripe, (inside - 0.5) * per_x)
        band = np.minimum(far - near, near + 3 - far)
        line = np.where(band > -1.2, np.minimum(stripe, band * per_far), line)
    view.paint(line, paint, MARKING)

    shade = (look.shadow(far) - x) * scene.sun * per_x
    view.shade(shade, 1 + 0.15 * per_x, 0.42 * scene.daylight)
    view.image[:] = scene.air(scale)(view.image)
