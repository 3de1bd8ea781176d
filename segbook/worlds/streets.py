"""Procedural road scenes with exact masks."""

import math

import numpy as np

from segbook.palette import palette
from segbook.samples import Samples, Task
from segbook.worlds.drawing import (
    Canvas,
    check_knob,
    check_range,
    check_request,
    color,
    colors,
    finish,
    uniforms,
)
from segbook.worlds.street_houses import Row, paint_houses
from segbook.worlds.street_layers import Ground, Scene, paint_ground, paint_sky, paint_skyline
from segbook.worlds.street_objects import car, person, pick, pole, tree

CLASSES = ("sky", "building", "road", "pavement", "tree", "car", "person", "pole", "marking")
# Picture heights in a metre in the middle of the range of distances (20 m).
MIDDLE = 0.05
HOUSES = 9
SLOTS = {"car": 8, "person": 13, "tree": 9, "pole": 7}
DRAW = {"car": car, "person": person, "tree": tree, "pole": pole}
WALLS = colors(
    (0.78, 0.68, 0.55),
    (0.72, 0.45, 0.36),
    (0.85, 0.8, 0.7),
    (0.6, 0.66, 0.7),
    (0.83, 0.7, 0.45),
    (0.66, 0.52, 0.46),
    (0.7, 0.74, 0.66),
    (0.8, 0.6, 0.55),
)
ACCENTS = colors(
    (0.45, 0.22, 0.17),
    (0.3, 0.3, 0.34),
    (0.2, 0.38, 0.34),
    (0.62, 0.2, 0.2),
    (0.25, 0.32, 0.5),
)


def streets(
    count: int,
    size=96,
    seed: int = 0,
    *,
    density: float = 1.0,
    light: tuple[float, float] = (0.35, 1.0),
    noise: float = 0.015,
    scale_range: float = 8.0,
    look_alike: float = 0.5,
    rarity: float = 0.0,
) -> Samples:
    """Return road scenes in perspective: a road between houses, with trees, cars and people.

    Picture i depends on nothing but i, the seed, the size and the knobs; every size shows the same
    scene, and a knob changes only what it names. The bytes are the same on every machine: see
    `drawing`.

    Args:
        count: How many pictures, 1 or more.
        size: Height and width in pixels, or `(height, width)`; 32 or more.
        seed: Which data set, 0 or more.
        density: How many cars, people, trees and poles, as a multiple of the usual; 0 to 2.
        light: Darkest and brightest time of day, 0 (dusk) to 1 (noon); each picture draws its own.
        noise: Standard deviation of the camera's noise, 0 to 0.3, where 1 is the full range.
        scale_range: How many times larger the nearest object is than an equal farthest; 1 to 16.
        look_alike: How alike walls, road and pavement are, from 0 (coloured walls, pale pavement)
            to 1 (the same grey, half of the walls blank, so that only the surroundings tell).
        rarity: The share of people and poles that is left out, 0 to 1.

    Returns:
        `Samples` with float32 pictures `(count, height, width, 3)` and uint8 masks.

    Raises:
        ValueError: If an argument is out of its range; the message names it.
    """
    height, width = check_request(count, size, seed, smallest=32)
    density = check_knob("density", density, 0, 2)
    noise = check_knob("noise", noise, 0, 0.3)
    scale_range = check_knob("scale_range", scale_range, 1, 16)
    look_alike = check_knob("look_alike", look_alike, 0, 1)
    rarity = check_knob("rarity", rarity, 0, 1)
    darkest, brightest = check_range("light", light, 0, 1)
    images = np.empty((count, height, width, 3), np.float32)
    masks = np.empty((count, height, width), np.uint8)
    for index in range(count):
        u = uniforms(seed, index, 64 * 12).reshape(64, 12).tolist()
        canvas = Canvas.blank(height, width)
        scene = _scene(u[0], darkest + (brightest - darkest) * u[0][0])
        crossing = 8 + 14 * u[1][8] if u[1][9] < 0.45 else 0.0
        _surroundings(canvas, scene, u[1:22], crossing, look_alike)
        _objects(canvas, scene, u[22:], crossing, density, scale_range, rarity)
        images[index] = finish(canvas.image, noise, seed, index)
        masks[index] = canvas.mask
    return Samples(images, masks, Task(CLASSES, palette(CLASSES)))


def _scene(u: list[float], daylight: float) -> Scene:
    """Choose camera and light."""
    road = 3.7 + 1.0 * u[1]
    shift = 1.6 * (u[2] - 0.5)
    dusk = 1 - daylight
    return Scene(
        vanishing=0.3 * (u[3] - 0.5),
        horizon=0.4 + 0.1 * u[4],
        camera_height=2.4 + 1.0 * u[5],
        road=(shift - road, shift + road),
        pavement=2.2 + 1.6 * u[6],
        daylight=daylight,
        sun=-1.0 if u[7] < 0.5 else 1.0,
        tint=color(1.02 - 0.38 * dusk, 1.0 - 0.5 * dusk, 0.97 - 0.4 * dusk),
        haze=color(0.8 - 0.1 * dusk, 0.86 - 0.3 * dusk, 0.92 - 0.34 * dusk),
        haze_amount=0.4 + 0.5 * u[8],
    )


def _surroundings(
    canvas: Canvas, scene: Scene, u: list[list[float]], crossing: float, look_alike: float
) -> None:
    """Paint all that is no object."""
    first = u[0]
    paint_sky(canvas, scene, first[0:3])
    paint_skyline(canvas, scene, first[3:6])
    asphalt = color(0.4, 0.4, 0.42) * (0.85 + 0.3 * first[6])
    pale = color(0.66, 0.62, 0.58)
    row = _houses(u[2 : 2 + 2 * HOUSES], asphalt, look_alike)
    left, right = scene.road
    middle = (left + right) / 2
    side = 0 if scene.sun < 0 else 1
    edge = (left - scene.pavement, right + scene.pavement)[side]
    tall = row.tall[side * HOUSES :]
    near = row.near[side]

    def shadow(far):
        # The shadow's end moves from one house's to the next one's over 3 m.
        house = np.searchsorted(near, far, side="right") - 1
        before = np.maximum(house - 1, 0)
        blend = np.minimum((far - near[house]) * (1 / 3), 1)
        return edge - scene.sun * 0.55 * (tall[before] + blend * (tall[house] - tall[before]))

    ground = Ground(
        road=asphalt,
        pavement=pale + look_alike * (asphalt - pale),
        lanes=(middle,) if first[7] < 0.6 else (middle, (left + middle) / 2, (right + middle) / 2),
        crossing=crossing,
        wear=0.35 * first[10],
        drift=first[11],
        shadow=shadow,
    )
    paint_ground(canvas, scene, ground)
    paint_houses(canvas, scene, row, first[5])


def _houses(u: list[list[float]], asphalt, look_alike: float) -> Row:
    """Choose the houses of both sides."""
    near, gaps = [], []
    for side in range(2):
        distance, edges = 0.0, []
        for number, chance in enumerate(u[side * HOUSES : (side + 1) * HOUSES]):
            edges.append(distance)
            gap = chance[0] < 0.22
            gaps.append(gap)
            distance += 2 + 0.6 * number if gap else (7 + 9 * chance[1]) * (1 + 0.12 * number)
        near.append(np.array(edges, np.float32))
    chance = np.array(u, np.float32).T
    blank = (chance[6] < 0.5 * look_alike).astype(np.float32)
    wall = np.concatenate([pick(WALLS, c[2]) for c in u], 1)[:, :, 0]
    dull = asphalt[:, 0] * (0.95 + 0.3 * chance[7])
    return Row(
        near=(near[0], near[1]),
        tall=np.where(gaps, 0, 4.5 + 9 * chance[3] * chance[3]).astype(np.float32),
        storey=2.7 + 0.7 * chance[4],
        bay=1.8 + 1.4 * chance[5],
        glass=(0.35 + 0.3 * chance[8]) * (1 - blank),
        wall=wall + np.maximum(blank * look_alike, 0.2 * look_alike) * (dull - wall),
        accent=np.concatenate([pick(ACCENTS, c[9]) for c in u], 1)[:, :, 0],
        shop=(chance[10] < 0.35) * (1 - blank),
    )


def _objects(canvas, scene, u, crossing, density, scale_range, rarity) -> None:
    """Paint cars, people, trees and poles from far to near."""
    left, right = scene.road
    middle = (left + right) / 2
    nearest, farthest = MIDDLE * math.sqrt(scale_range), MIDDLE / math.sqrt(scale_range)
    things = []
    numbers = iter(u)
    for name, slots in SLOTS.items():
        for slot in range(slots):
            chance, spread, side, place, *looks = next(numbers)
            if chance >= 0.5 * density or (name in ("person", "pole") and looks[-1] < rarity):
                continue
            if name != "person":
                spread = (slot + spread) / slots
            if name == "pole":
                side = slot % 2
            scale = nearest / (1 + (nearest / farthest - 1) * spread * spread)
            kerb, out = (right, 1) if side < 0.5 else (left, -1)
            if name == "car":
                x = kerb - out * 1.1 if place < 0.4 else (middle + kerb) / 2 - out * 0.5
            elif name == "person":
                x = kerb + out * (0.5 + place * (scene.pavement - 0.8))
                if slot < 3 and farthest * (crossing + 1.5) < 1 < nearest * (crossing + 1.5):
                    x, scale = left + 0.6 + place * (right - left - 1.2), 1 / (crossing + 1.5)
            elif name == "tree":
                x = kerb + out * (scene.pavement * 0.4 + 2.5 * place)
            else:
                x = kerb + out * 0.4
            things.append((scale, DRAW[name], x, looks))
    for scale, draw, x, looks in sorted(things, key=lambda thing: thing[0]):
        draw(canvas, scene, x, scale, looks)
