"""The parts of a street that fill the picture: sky, skyline, ground and the rows of buildings."""

from dataclasses import dataclass

import numpy as np

from .drawing import Canvas, color, noise_tile

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
    leaves = color(0.3, 0.42, 0.3) * (1 + 0.2 * tile[: len(view.y)][:, wrap(view.x * 300)[0]])
    view.paint((wood - up) * view.unit, scene.air(0.008)(leaves), TREE)


def paint_ground(canvas: Canvas, scene: Scene, grey: dict, marks: dict, shadow) -> None:
    """Paint road, kerbs, pavements and lane markings.

    Args:
        canvas: The whole picture.
        scene: The camera and the light.
        grey: Colours "road" and "pavement".
        marks: "lanes" (x of the dashed lines), "crossing" (distance of a zebra crossing),
            "wear" (how faded the paint is, 0 to 1), "drift" (a uniform number).
        shadow: Function from distance (an array) to the x where the houses' shadow ends.
    """
    view = canvas.crop(-9, scene.horizon, 9, 1)
    scale = np.maximum(view.y - scene.horizon, 0.001) * (1 / scene.camera_height)
    far = 1 / scale
    x = (view.x - scene.vanishing) * far
    per_x = scale * view.unit
    per_far = per_x * scale * scene.camera_height
    tile = noise_tile()
    rows = wrap(far * 9 + marks["drift"] * 256)
    grain = tile[rows, wrap(x * 13)] * np.minimum(per_x * 0.09, 1)
    patches = tile[wrap(far * 1.3), wrap(x * 2.1 + marks["drift"] * 256)]
    left, right = scene.road

    # Pavement everywhere, slabs of 0.9 m, then the kerb, then the road over it.
    joint = np.minimum(
        abs(fraction(x * 1.1) - 0.5) * per_x, abs(fraction(far * 1.1) - 0.5) * per_far
    )
    joint = np.maximum(1 - 2.2 * joint, 0) * np.minimum(per_far * 0.05, 1)
    tone = 1 + 0.07 * grain + 0.07 * patches - 0.13 * joint
    view.image[:] = grey["pavement"] * tone
    view.mask[:] = PAVEMENT
    inside = np.minimum(x - left, right - x)
    view.paint((inside + 0.28) * per_x, grey["pavement"] * 1.13)
    middle = (left + right) / 2
    track = abs(abs(x - middle) - (right - left) * 0.25)
    track = 1 - np.minimum(abs(track - 0.75) * 2.2, 1)
    asphalt = grey["road"] * (1 + 0.1 * grain + 0.09 * patches - 0.06 * track)
    view.paint(inside * per_x, asphalt, ROAD)
    gutter = 1 - np.minimum(abs(inside - 0.12) * 5, 1)
    view.image *= 1 - 0.25 * gutter

    paint = color(0.93, 0.92, 0.88) * (1 - marks["wear"]) + grey["road"] * marks["wear"]
    paint = paint * (1 + 0.12 * grain)
    dash = (0.25 - abs(fraction(far * (1 / 6) + marks["drift"]) - 0.5)) * 6 * per_far
    line = -99 * np.ones_like(x)
    for lane in marks["lanes"]:
        line = np.maximum(line, np.minimum((0.15 - abs(x - lane)) * per_x, dash))
    line = np.maximum(line, (0.13 - abs(inside - 0.45)) * per_x)
    near = marks["crossing"]
    if near:
        stripe = (0.25 - abs(fraction(x) - 0.5)) * per_x
        stripe = np.minimum(stripe, (inside - 0.5) * per_x)
        band = np.minimum(far - near, near + 3 - far)
        line = np.where(band > -1.2, np.minimum(stripe, band * per_far), line)
    view.paint(line, paint, MARKING)

    shade = (shadow(far) - x) * scene.sun * per_x
    view.shade(shade, 1 + 0.15 * per_x, 0.42 * scene.daylight)
    view.image[:] = scene.air(scale)(view.image)


@dataclass
class Row:
    """The houses on both sides, as arrays with an entry a house: the left side's, then the right's.

    Args:
        near: Distance of the front, one sorted list a side, metres.
        tall: Height, metres; 0 for a gap between houses.
        storey: Height of a storey, metres.
        bay: Distance between windows, metres.
        glass: Share of a bay and a storey that is window; 0 for a blank wall.
        wall: Colours `(3, houses)`.
        accent: Colours of roof and awnings `(3, houses)`.
        shop: 1 where the ground floor is a shop.
    """

    near: tuple[np.ndarray, np.ndarray]
    tall: np.ndarray
    storey: np.ndarray
    bay: np.ndarray
    glass: np.ndarray
    wall: np.ndarray
    accent: np.ndarray
    shop: np.ndarray


def paint_houses(canvas: Canvas, scene: Scene, row: Row, drift: float) -> None:
    """Paint the houses: first the walls that face the camera, then those along the street.

    A picture column meets each wall at one distance, so all houses are painted at once, each
    column with its own house.

    Args:
        canvas: The whole picture.
        scene: The camera and the light.
        row: The houses.
        drift: A uniform number.
    """
    aside = canvas.x - scene.vanishing
    on_left = aside < 0
    edge = np.where(on_left, scene.road[0] - scene.pavement, scene.road[1] + scene.pavement)
    edge = edge.astype(np.float32)
    scale = np.maximum(aside / edge, 0.004)
    far = 1 / scale
    houses = len(row.near[0])
    left = np.searchsorted(row.near[0], far, side="right") - 1
    right = np.searchsorted(row.near[1], far, side="right") - 1 + houses
    house = np.where(on_left, left, right)
    shine = np.where(on_left == (scene.sun < 0), -0.22, 0.22) * scene.daylight
    tall = np.where(far < 150, row.tall[house], 0).astype(np.float32)
    street = Walls(house, tall, scale, far, scale * scale * abs(edge), 1 + shine.astype(np.float32))

    last = np.where(on_left, houses - 1, 2 * houses - 1)
    behind = np.minimum(house + 1, last)
    front = 1 / np.concatenate(row.near)[behind].clip(0.1)
    tall = np.where((behind > house) & (front > 0.006), row.tall[behind], 0).astype(np.float32)
    dim = np.full_like(scale, 1 - 0.16 * scene.daylight)
    facing = Walls(behind, tall, front, aside / front, front, dim)

    cover = street.inside(canvas, scene)
    facing.paint(canvas, scene, row, drift, np.where(cover < 0.5, facing.inside(canvas, scene), -1))
    street.paint(canvas, scene, row, drift, cover)


@dataclass
class Walls:
    """One wall for each picture column; all fields are arrays `(1, width)`.

    Args:
        house: Which house.
        tall: Height, metres; 0 for none.
        scale: Picture heights in a metre of height.
        along: Metres along the wall.
        per_along: Picture heights in a metre along the wall.
        light: Brightness.
    """

    house: np.ndarray
    tall: np.ndarray
    scale: np.ndarray
    along: np.ndarray
    per_along: np.ndarray
    light: np.ndarray

    def inside(self, canvas: Canvas, scene: Scene) -> np.ndarray:
        """Return the distance to the upper or lower end in pixels, `(height, width)`."""
        foot = scene.horizon + scene.camera_height * self.scale
        head = foot - self.tall * self.scale
        return np.minimum(canvas.y - head, foot - canvas.y) * canvas.unit

    def paint(self, canvas: Canvas, scene: Scene, row: Row, drift: float, inside) -> None:
        """Paint the pixels that the walls cover; `inside` as `inside` returns it."""
        rows, columns = np.nonzero(inside > -0.5)
        house = self.house[0, columns]
        storey, bay, glass, shop = np.stack([row.storey, row.bay, row.glass, row.shop])[:, house]
        tall, scale, along, per_along, light = np.concatenate(
            [self.tall, self.scale, self.along, self.per_along, self.light]
        )[:, columns]
        up = (scene.horizon - canvas.y[rows, 0]) / scale + scene.camera_height
        per_up, per_along = scale * canvas.unit, per_along * canvas.unit
        tile = noise_tile()

        level, place = up / storey, along / bay
        floor, column = np.floor(level), np.floor(place)
        gap_up = (0.34 - abs(level - floor - 0.52)) * storey * per_up
        gap_along = (0.5 * glass - abs(place - column - 0.5)) * bay * per_along
        window = np.minimum(np.minimum(gap_up, gap_along), (tall - 1.3 - up) * per_up)
        window = np.where((up < storey) & (shop > 0), -9, window)
        sharp = np.minimum(bay * per_along * 0.35, 1) * (glass > 0)
        frame = np.minimum(np.maximum(1.5 + 0.05 * per_up + window, 0), 1) * sharp
        window = np.minimum(np.maximum(window + 0.5, 0), 1) * sharp
        # A shop: glass between 0.5 and 2.4 m, and a striped awning above it.
        bays = along * 0.4
        pane = (0.45 - abs(bays - np.floor(bays) - 0.5)) * 2.5 * per_along
        pane = np.minimum(pane, np.minimum(up - 0.5, 2.4 - up) * per_up)
        pane = np.minimum(np.maximum(pane + 0.5, 0), 1) * shop
        awning = np.minimum(up - 2.3, 3.0 - up) * per_up
        awning = np.minimum(np.maximum(awning + 0.5, 0), 1) * shop
        roof = np.minimum(np.maximum((up - tall + 0.7) * per_up, 0), 1)
        stripe = along * 1.2
        stripe = (stripe - np.floor(stripe) > 0.5) * np.minimum(per_along * 0.3, 1) * awning

        texture = tile[wrap(up * 11), wrap(along * 11)] * np.minimum(per_up * 0.1, 1)
        stain = tile[wrap(up * 2), wrap(along * 2 + drift * 256)]
        tone = light * (1 + 0.07 * texture + 0.06 * stain - 0.12 / (1 + up * up))
        trim = np.maximum(awning, roof)
        wall = row.wall[:, house] * (1 + 0.16 * frame)
        wall += trim * (row.accent[:, house] + 0.45 * stripe - wall)
        wall *= tone
        chance = tile[wrap(floor * 37 + house * 11), wrap(column * 53 + drift * 256)]
        glazing = np.maximum(window, pane)
        pale = light * (0.12 + 0.4 * np.maximum(chance, 0) + 0.12 * (level - floor))
        wall += glazing * (color(0.75, 0.9, 1.05)[:, 0] * pale - wall)

        haze = scene.haze_amount / (1 + 55 * scale)
        wall *= scene.tint[:, 0]
        wall += haze * (scene.haze[:, 0] - wall)
        dusk = 1 - scene.daylight
        lamp = np.maximum(window, pane * 0.8) * (chance > 0.5 - 0.7 * dusk) * (0.9 * dusk)
        wall += lamp.astype(np.float32) * (color(1.0, 0.82, 0.5)[:, 0] - wall)
        inside = inside[rows, columns]
        below = canvas.image[:, rows, columns]
        cover = np.minimum(inside + 0.5, 1)
        canvas.image[:, rows, columns] = below + cover * (wall - below)
        canvas.mask[rows, columns] = np.where(inside > 0, BUILDING, canvas.mask[rows, columns])
