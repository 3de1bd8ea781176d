"""A film of a street, and which car or person each of its pixels belongs to."""

import math

import numpy as np

from segbook.palette import palette
from segbook.samples import Samples, Task
from segbook.worlds.drawing import Canvas, check_knob, check_request, finish, uniforms
from segbook.worlds.streets import CLASSES, DRAW, MIDDLE, SLOTS, _scene, _surroundings

NEAREST, FARTHEST = MIDDLE * math.sqrt(8), MIDDLE / math.sqrt(8)
STEP = 0.1  # seconds between two frames
SENTINEL = 254  # no class: where a thing has painted, it is gone


def street_film(frames: int, size=96, seed: int = 0, *, density: float = 1.0, noise: float = 0.015):
    """Return the frames of a film, ten a second: the camera stands, cars drive and people walk.

    The scene is one of `streets`, with the same nine classes. Half of the cars are parked. Each
    frame has noise of its own. The bytes are the same on every machine, as those of `streets`.

    Args:
        frames: How many frames, 1 or more.
        size: Height and width in pixels, or `(height, width)`; 32 or more.
        seed: Which film, 0 or more.
        density: How many cars, people, trees and poles, as a multiple of the usual; 0 to 2.
        noise: Standard deviation of the camera's noise, 0 to 0.3, where 1 is the full range.

    Returns:
        `Samples` in the order of the film, and uint8 things `(frames, height, width)`: the number
        of the car or person that a pixel shows, the same in every frame, or 0.

    Raises:
        ValueError: If an argument is out of its range; the message names it.
    """
    height, width = check_request(frames, size, seed, smallest=32)
    density = check_knob("density", density, 0, 2)
    noise = check_knob("noise", noise, 0, 0.3)
    u = uniforms(seed, 0, 64 * 12, stream=2).reshape(64, 12).tolist()
    scene, still = _scene(u[0], 0.35 + 0.65 * u[0][0]), Canvas.blank(height, width)
    _surroundings(still, scene, u[1:22], crossing=0.0, look_alike=0.5)
    actors = _actors(scene, u[22:], density)
    images = np.empty((frames, height, width, 3), np.float32)
    masks, things = np.empty((2, frames, height, width), np.uint8)
    for frame in range(frames):
        canvas = Canvas(still.image.copy(), still.mask.copy(), still.x, still.y, still.unit)
        things[frame] = _act(canvas, scene, actors, frame * STEP)
        images[frame] = finish(canvas.image, noise, seed, frame)
        masks[frame] = canvas.mask
    return Samples(images, masks, Task(CLASSES, palette(CLASSES))), things


def _actors(scene, u, density):
    """Choose who is in the film: how to draw them, a place, a velocity, a number, looks.

    Places are x and distance in metres, velocities in metres a second.
    """
    left, right = scene.road
    middle = (left + right) / 2
    rows, actors, number = iter(u), [], 0
    for name, slots in SLOTS.items():
        for slot in range(slots):
            chance, spread, side, place, *looks = next(rows)
            if chance >= 0.5 * density:
                continue
            spread = (slot + spread) / slots
            side = slot % 2 if name == "pole" else side
            far = (1 + (NEAREST / FARTHEST - 1) * spread * spread) / NEAREST
            kerb, out = (right, 1) if side < 0.5 else (left, -1)
            speed = np.zeros(2)
            if name == "car" and place < 0.5:
                x = kerb - out * 1.1
            elif name == "car":
                x, speed[1] = (middle + kerb) / 2 - out * 0.5, out * (4 + 12 * (place - 0.5))
            elif name == "person":
                x = kerb + out * (0.5 + place * (scene.pavement - 0.8))
                speed[0] = (1.2 if looks[6] < 0.5 else -1.2) * (looks[7] < 0.8)
            elif name == "tree":
                x = kerb + out * (scene.pavement * 0.4 + 2.5 * place)
            else:
                x = kerb + out * 0.4
            number += name in ("car", "person")
            own = number if name in ("car", "person") else 0
            actors.append((name, x, far, speed, own, looks))
    return actors


def _act(canvas, scene, actors, seconds):
    """Draw all at one time, from far to near, and return the number of the thing at each pixel."""
    things = np.zeros(canvas.mask.shape, np.uint8)
    now = [
        (far + speed[1] * seconds, x + speed[0] * seconds, name, speed, number, looks)
        for name, x, far, speed, number, looks in actors
    ]
    for far, x, name, speed, number, looks in sorted(now, key=lambda actor: -actor[0]):
        if not 0.7 / NEAREST < far < 1.2 / FARTHEST:
            continue
        if name == "person" and speed[0]:
            swing = looks[5] + 1.6 * seconds
            looks = [*looks[:5], abs(2 * (swing - math.floor(swing)) - 1), *looks[6:]]
        before = canvas.mask.copy()
        canvas.mask[:] = SENTINEL
        DRAW[name](canvas, scene, x, 1 / far, looks)
        own = canvas.mask != SENTINEL
        np.copyto(canvas.mask, before, where=~own)
        things[own] = number
    return things
