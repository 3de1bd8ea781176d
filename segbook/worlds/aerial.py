"""A world seen from the air: towns in regions that differ, in metres."""

from dataclasses import dataclass

import numpy as np

from segbook.palette import palette
from segbook.samples import Samples, Task
from segbook.worlds.drawing import (
    Canvas,
    check_knob,
    check_request,
    check_whole,
    color,
    colors,
    direction,
    finish,
    noise_tile,
    uniforms,
)

CLASSES = ("ground", "building", "road", "vegetation", "water")
GROUND, BUILDING, ROAD, VEGETATION, WATER = range(5)
ROOFS = colors(
    (0.62, 0.3, 0.22),
    (0.42, 0.43, 0.47),
    (0.78, 0.76, 0.72),
    (0.45, 0.34, 0.28),
    (0.7, 0.52, 0.36),
    (0.3, 0.36, 0.42),
)
SOILS = colors((0.45, 0.55, 0.3), (0.72, 0.62, 0.42), (0.55, 0.56, 0.48), (0.56, 0.44, 0.34))
WATERS = color(0.16, 0.3, 0.36)
LEAVES = colors((0.16, 0.34, 0.14), (0.32, 0.38, 0.16), (0.14, 0.28, 0.2), (0.4, 0.32, 0.14))


@dataclass(frozen=True, eq=False, kw_only=True)
class AerialSamples(Samples):
    """`Samples` that know where they are from.

    Args:
        regions: int64 array `(count,)`: the region of each picture.
        metres: float64 array `(count,)`: the side of a pixel on the ground.
    """

    regions: np.ndarray
    metres: np.ndarray


@dataclass
class Region:
    """What the towns of a region have in common; lengths in metres."""

    along: tuple[float, float]
    block: float
    road: float
    lots: int
    built: float
    wooded: float
    roofs: tuple
    soil: np.ndarray
    leaf: np.ndarray
    paving: np.ndarray
    water: np.ndarray
    river: float
    light: np.ndarray


def aerial(
    count: int,
    size=256,
    seed: int = 0,
    *,
    metres: float = 0.6,
    regions: int = 4,
    look_alike: float = 0.6,
    noise: float = 0.015,
) -> AerialSamples:
    """Return towns from above: houses, roads, trees, rivers; each region has a style of its own.

    Picture i lies in region `i % regions`. A region has its own roofs, soil, leaves, size of blocks
    and light, the same for every seed; a picture is another place there. Things have a size in
    metres: with half the `metres` and twice the `size` you see the same place, finer. The bytes
    depend only on the arguments, as for `streets`.

    Args:
        count: How many pictures, 1 or more.
        size: Height and width in pixels, or `(height, width)`; 32 or more.
        seed: Which places, 0 or more.
        metres: Side of a pixel on the ground, 0.1 to 4.
        regions: How many regions, 1 to 64.
        look_alike: How alike things are in colour, from 0 to 1, where every second roof is grey as
            roads are, the others nearly as the soil, and water as dark as leaves.
        noise: Standard deviation of the camera's noise, 0 to 0.3, where 1 is the full range.

    Returns:
        `AerialSamples`: float32 pictures `(count, height, width, 3)`, uint8 masks, the region of
        each picture (`regions`) and the side of its pixels (`metres`).

    Raises:
        ValueError: If an argument is out of its range; the message names it.
    """
    height, width = check_request(count, size, seed, smallest=32)
    metres = check_knob("metres", metres, 0.1, 4)
    regions = check_whole("regions", regions, 1, 64)
    look_alike = check_knob("look_alike", look_alike, 0, 1)
    noise = check_knob("noise", noise, 0, 0.3)
    images = np.empty((count, height, width, 3), np.float32)
    masks = np.empty((count, height, width), np.uint8)
    where = np.arange(count) % regions
    styles = [_style(number, look_alike) for number in range(regions)]
    for index in range(count):
        u = uniforms(seed, index, 16).tolist()
        canvas = Canvas.blank(height, width)
        canvas.x = ((np.arange(width)[None] + 0.5) * metres).astype(np.float32)
        canvas.y = ((np.arange(height)[:, None] + 0.5) * metres).astype(np.float32)
        canvas.unit = 1 / metres
        _town(canvas, styles[where[index]], u, uniforms(seed, index, 5 * 64 * 64, stream=2))
        images[index] = finish(canvas.image, noise, seed, index)
        masks[index] = canvas.mask
    task = Task(CLASSES, palette(CLASSES))
    return AerialSamples(images, masks, task, regions=where, metres=np.full(count, metres))


def _style(number: int, look_alike: float) -> Region:
    """Choose what a region looks like."""
    u = uniforms(11, number, 16).tolist()
    soil, leaf = SOILS[number % len(SOILS)], LEAVES[number % len(LEAVES)]
    grey = color(0.36, 0.357, 0.35) + 0.26 * u[8]
    first = number % len(ROOFS)
    second = (number + 1 + int(2 * u[0])) % len(ROOFS)
    return Region(
        along=direction(u[1], u[2]),
        block=70 + 60 * u[3],
        road=3.2 + 2.6 * u[4],
        lots=3 + int(2 * u[5]),
        built=0.55 + 0.3 * u[6],
        wooded=0.1 + 0.25 * u[7],
        roofs=(
            ROOFS[first] + 0.7 * look_alike * (soil - ROOFS[first]),
            ROOFS[second] + look_alike * (grey - ROOFS[second]),
        ),
        soil=soil,
        leaf=leaf,
        paving=grey,
        water=WATERS + 0.9 * look_alike * (leaf - WATERS),
        river=9 + 16 * u[9],
        light=color(1.0 + 0.12 * (u[10] - 0.5), 1.0, 1.0 + 0.2 * (u[11] - 0.5)),
    )


def _noise(x, y, metres: float):
    """Return soft noise over places in metres; its largest features are `metres` wide."""
    rows, columns = _whole(y * (128 / metres), 1024), _whole(x * (128 / metres), 1024)
    return noise_tile(1024, 8, 128)[rows, columns]


def _whole(values, size: int = 64):
    """Return indices into a table that repeats; its size is a power of two."""
    return np.floor(values).astype(np.int64) & (size - 1)


def _bends(p, chances):
    """Return how far a river is off its straight line at each place along it, -1 to 1."""
    far = p * (1 / 90)
    low = _whole(far)
    part = far - np.floor(far)
    part = part * part * (3 - 2 * part)
    return (chances[low] + part * (chances[(low + 1) & 63] - chances[low])) * 2 - 1


def _town(canvas, style, u, chances):
    """Paint a place: ground, woods, river, roads, houses, trees."""
    table = chances.astype(np.float32).reshape(5, 64, 64)
    x, y = canvas.x + 700 * u[0], canvas.y + 700 * u[1]
    along = style.along
    p, q = along[0] * x + along[1] * y, along[0] * y - along[1] * x
    soft, fine = _noise(x, y, 60), _noise(x, y, 9)
    unit = canvas.unit
    block = {name: depth * unit for name, depth in _blocks(p, q, style, table).items()}
    canvas.image += style.soil * ((1 + 0.18 * soft) * (1 + 0.14 * fine))
    furrows = np.abs((q - np.floor(q * 0.25) * 4) * 0.5 - 1)
    canvas.paint(block["field"], style.soil * (0.72 + 0.22 * furrows))
    canvas.paint(block["wood"], style.leaf * (1 + 0.35 * fine), VEGETATION)
    # Rivers flow 420 m apart, along the streets of the region and up to 55 m beside them.
    off = q + 420 * u[2] + 55 * _bends(p, table[4, 0])
    river = (style.river - np.abs(off - np.floor(off * (1 / 420)) * 420 - 210)) * unit
    canvas.paint(river + 3 * unit, style.soil * 0.8, GROUND)
    canvas.paint(river, style.water * (1 + 0.12 * soft), WATER)
    canvas.paint(block["road"], style.paving * (1 + 0.1 * fine), ROAD)
    canvas.paint(block["line"], 0.8 * color(1, 1, 0.95))
    dry = -river - 5 * unit
    shadow = np.minimum(_houses(p + 2.5, q + 2.0, style, table)[0] * unit, dry)
    canvas.shade(shadow, 1, 0.45)
    depth, side, roof = _houses(p, q, style, table)
    kind = np.where(roof < 0.75, 0.0, 1.0).astype(np.float32)
    paint = style.roofs[0] + (style.roofs[1] - style.roofs[0]) * kind
    paint = paint * (np.where(side > 0, 1.12, 0.85).astype(np.float32) * (0.9 + 0.3 * (roof % 0.1)))
    canvas.paint(np.minimum(depth * unit, dry), paint * (1 + 0.06 * fine), BUILDING)
    _trees(canvas, x, y, style, table, np.minimum(dry, 0) + block["wood"])
    canvas.image *= style.light


def _blocks(p, q, style, table):
    """Return, in metres, the insides of roads, their lines, woods and fields."""
    size = style.block
    i, j = np.floor(p * (1 / size)), np.floor(q * (1 / size))
    a, b = p - i * size, q - j * size
    near = np.minimum(a, size - a), np.minimum(b, size - b)
    kind = table[0][_whole(j), _whole(i)]
    inner = np.minimum(*near)
    lot = inner - style.road - 2
    return {
        "road": style.road - inner,
        "line": 0.25 - inner,
        "wood": np.where(kind < style.wooded, lot, -9),
        "field": np.where(kind > 0.9, lot, -9),
    }


def _houses(p, q, style, table):
    """Return the inside of houses in metres, which side of the ridge, and a number a house."""
    size, margin = style.block, style.road + 2.5
    i, j = np.floor(p * (1 / size)), np.floor(q * (1 / size))
    lot = (size - 2 * margin) / style.lots
    a, b = (p - i * size - margin) * (1 / lot), (q - j * size - margin) * (1 / lot)
    c, d = np.floor(a), np.floor(b)
    inside = (c >= 0) & (c < style.lots) & (d >= 0) & (d < style.lots)
    block = _whole(j), _whole(i)
    place = _whole(j * style.lots + d), _whole(i * style.lots + c)
    wide, deep = 0.24 + 0.16 * table[1][place], 0.2 + 0.14 * table[2][place]
    u = a - c - 0.5 - 0.12 * (table[3][place] - 0.5)
    v = b - d - 0.5 - 0.12 * (table[4][place] - 0.5)
    depth = np.minimum(wide - np.abs(u), deep - np.abs(v)) * lot
    kind, chance = table[0][block], (table[1][place] * 7 + table[3][place] * 5) % 1
    standing = inside & (chance < style.built) & (kind >= style.wooded) & (kind <= 0.9)
    return np.where(standing, depth, -9), v, table[4][place]


def _trees(canvas, x, y, style, table, wood):
    """Paint round crowns, one at most in each square of 8 m, close together in woods."""
    i, j = np.floor(x * 0.125), np.floor(y * 0.125)
    place = _whole(j), _whole(i)
    radius = 2 + 1.6 * table[1][place]
    across = x - (i + 0.5) * 8 - (8 - 2 * radius) * (table[2][place] - 0.5)
    down = y - (j + 0.5) * 8 - (8 - 2 * radius) * (table[3][place] - 0.5)
    depth = radius - np.sqrt(across * across + down * down)
    chance = table[4][place]
    stands = np.where(wood > 1, chance < 0.85, chance < 0.3 * style.wooded + 0.08)
    free = (canvas.mask == GROUND) | (canvas.mask == VEGETATION)
    inside = np.where(stands & free, depth, -9) * canvas.unit
    bright = 0.8 + 0.25 * np.minimum(np.maximum(depth, 0), 1.5) - 0.12 * (across + down) / radius
    canvas.paint(inside, style.leaf * (bright * (0.9 + 0.4 * table[2][place])), VEGETATION)
