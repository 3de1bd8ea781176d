"""The rows of houses along a street."""

from dataclasses import dataclass

import numpy as np

from segbook.worlds.drawing import Canvas, color, noise_tile
from segbook.worlds.street_layers import BUILDING, Scene, wrap

# The height of no house, so low that no pixel comes near.
NONE = np.float32(-999)


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


@dataclass
class Walls:
    """One wall for each picture column; all fields are arrays `(1, width)`.

    Args:
        house: Which house.
        tall: Height, metres; negative for none.
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
    tall = np.where((far < 150) & (row.tall[house] > 0), row.tall[house], NONE)
    street = Walls(house, tall, scale, far, scale * scale * abs(edge), 1 + shine.astype(np.float32))

    last = np.where(on_left, houses - 1, 2 * houses - 1)
    behind = np.minimum(house + 1, last)
    front = 1 / np.concatenate(row.near)[behind].clip(0.1)
    stands = (behind > house) & (front > 0.006) & (row.tall[behind] > 0)
    tall = np.where(stands, row.tall[behind], NONE)
    dim = np.full_like(scale, 1 - 0.16 * scene.daylight)
    facing = Walls(behind, tall, front, aside / front, front, dim)

    cover = street.inside(canvas, scene)
    facing.paint(canvas, scene, row, drift, np.where(cover < 0.5, facing.inside(canvas, scene), -1))
    street.paint(canvas, scene, row, drift, cover)
