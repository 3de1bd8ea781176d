"""The things that stand in a street: trees, lamp posts, people and cars, each drawn in metres."""

import numpy as np

from .drawing import Canvas, color, noise_tile
from .street_layers import CAR, PERSON, POLE, TREE, Scene, wrap

PAINTS = (
    (0.75, 0.12, 0.12),
    (0.15, 0.3, 0.62),
    (0.88, 0.88, 0.9),
    (0.16, 0.17, 0.2),
    (0.55, 0.57, 0.6),
    (0.85, 0.65, 0.15),
    (0.2, 0.45, 0.36),
    (0.5, 0.16, 0.3),
)
CLOTHES = (
    (0.8, 0.25, 0.2),
    (0.2, 0.35, 0.6),
    (0.9, 0.75, 0.3),
    (0.25, 0.5, 0.4),
    (0.85, 0.85, 0.82),
    (0.35, 0.2, 0.4),
    (0.15, 0.16, 0.2),
    (0.55, 0.4, 0.28),
)
SKINS = ((0.93, 0.76, 0.64), (0.78, 0.57, 0.42), (0.55, 0.37, 0.26), (0.36, 0.24, 0.18))


def pick(options, chance: float):
    """Return one of several options, chosen by a uniform number."""
    return options[int(chance * len(options))]


def shadow(canvas: Canvas, scene: Scene, x: float, scale: float, width: float, depth: float):
    """Darken the ground around an object's foot, stretched away from the sun."""
    view = canvas.place(scene.vanishing + x * scale, scene.ground(scale), scale, 2.2 * width, 1.0)
    if view is None:
        return
    flat = depth * scale * scene.camera_height
    view.shade(
        view.ellipse(-0.5 * scene.sun * width, 0, 1.35 * width, flat), 0.4 + flat * view.per_y, 0.45
    )


def tree(canvas: Canvas, scene: Scene, x: float, scale: float, u: list[float]) -> None:
    """Draw a tree.

    Args:
        canvas: The whole picture.
        scene: The camera and the light.
        x: Where it stands, metres.
        scale: Picture heights in a metre.
        u: Uniform numbers that choose its looks.
    """
    tall, radius = 4.5 + 4 * u[0], 1.3 + 1.0 * u[1]
    centre = tall - radius
    shadow(canvas, scene, x, scale, radius * 0.8, 1.0)
    view = canvas.place(
        scene.vanishing + x * scale, scene.ground(scale), scale, 1.4 * radius, tall * 1.15
    )
    if view is None:
        return
    lean = 0.3 * (u[2] - 0.5)
    bark = color(0.36, 0.27, 0.2) * (
        1 + 0.35 * scene.sun * np.minimum(np.maximum(view.x * 5, -1), 1)
    )
    trunk = view.taper(-0.05, centre, (-0.2, 0.2), (lean - 0.1, lean + 0.1))
    view.paint(trunk, scene.lit(bark, scale), TREE)

    tile = noise_tile()
    rows, columns = wrap(view.y * 14 + u[3] * 256), wrap(view.x * 14 + u[4] * 256)
    leaf = tile[rows, columns]
    clump = tile[wrap(view.y * 5 + u[4] * 256), wrap(view.x * 5 + u[3] * 256)]
    stretch = 0.85 + 0.5 * u[5]
    p, q = (view.x - lean) * (1 / radius), (view.y - centre) * (1 / (radius * stretch))
    inside = 1.0 - np.sqrt(p * p + q * q) + 0.3 * clump + 0.14 * leaf
    green = pick(((0.3, 0.46, 0.2), (0.22, 0.4, 0.2), (0.4, 0.48, 0.2), (0.62, 0.45, 0.17)), u[6])
    light = 0.85 + 0.3 * q + 0.25 * scene.sun * p + 0.4 * clump + 0.22 * leaf
    view.paint(inside * (radius * view.per_y * 0.7), scene.lit(color(*green) * light, scale), TREE)


def pole(canvas: Canvas, scene: Scene, x: float, scale: float, u: list[float]) -> None:
    """Draw a lamp post whose arm reaches over the road; the arguments are those of `tree`."""
    tall = 5.0 + 1.5 * u[0]
    reach = 1.1 if x < 0 else -1.1
    view = canvas.place(scene.vanishing + x * scale, scene.ground(scale), scale, 1.7, tall * 1.08)
    if view is None:
        return
    # A post is never thinner than a pixel of a picture 96 high: it can always be learnt.
    half = max(0.085, 0.0056 / scale)
    steel = color(*pick(((0.27, 0.29, 0.3), (0.42, 0.43, 0.44), (0.2, 0.3, 0.27)), u[1]))
    steel = scene.lit(
        steel * (1 + 0.35 * scene.sun * np.minimum(np.maximum(view.x / half, -1), 1)), scale
    )
    view.paint(view.box(-half, -0.03, half, tall), steel, POLE)
    low, high = min(0, reach), max(0, reach)
    view.paint(view.box(low, tall - 0.08, high, tall + 0.06), steel, POLE)
    view.paint(view.box(-1.6 * half, -0.03, 1.6 * half, 0.7), steel * 0.9, POLE)
    lamp = view.ellipse(reach, tall - 0.1, 0.36, 0.16)
    dusk = 1 - scene.daylight
    glass = scene.lit(color(0.75, 0.75, 0.7), scale) * (1 - dusk) + color(1.0, 0.9, 0.62) * dusk
    view.paint(lamp, glass, POLE)
    if dusk > 0.4:
        halo = view.ellipse(reach, tall - 0.1, 1.2, 1.2) * (1 / (1.2 * view.per_y))
        halo = np.maximum(halo, 0)
        view.image += halo * halo * dusk * 0.5 * color(1.0, 0.85, 0.5)


def person(canvas: Canvas, scene: Scene, x: float, scale: float, u: list[float]) -> None:
    """Draw a person, standing or walking; the arguments are those of `tree`."""
    size = scale * (0.88 + 0.2 * u[0])
    shadow(canvas, scene, x, scale, 0.35, 0.3)
    view = canvas.place(scene.vanishing + x * scale, scene.ground(scale), size, 0.55, 1.8)
    if view is None:
        return
    side = 1 + 0.25 * scene.daylight * scene.sun * np.minimum(np.maximum(view.x * 4, -1), 1)
    shirt = scene.lit(color(*pick(CLOTHES, u[1])) * side, scale)
    trousers = scene.lit(color(*pick(CLOTHES[::-1], u[2] * 0.7)) * (0.75 * side), scale)
    skin = scene.lit(color(*pick(SKINS, u[3])) * side, scale)
    hair = scene.lit(
        color(*pick(((0.15, 0.1, 0.08), (0.4, 0.25, 0.12), (0.7, 0.6, 0.4)), u[4])), scale
    )
    stride = 0.05 + 0.22 * u[5]
    both = view.mirrored()
    if u[6] < 0.3:
        skirt = view.taper(0.45, 0.95, (-0.3, 0.3), (-0.16, 0.16))
        both.paint(both.taper(0, 0.5, (0.03, 0.16), (0.03, 0.17)), skin, PERSON)
        view.paint(skirt, trousers, PERSON)
    else:
        both.paint(
            both.taper(0, 0.92, (stride - 0.05, stride + 0.12), (-0.02, 0.19)), trousers, PERSON
        )
    both.paint(
        both.taper(0.72, 1.4, (0.22 + 0.4 * stride, 0.33 + 0.4 * stride), (0.1, 0.24)),
        shirt * 0.85,
        PERSON,
    )
    view.paint(view.taper(0.84, 1.46, (-0.18, 0.18), (-0.23, 0.23)), shirt, PERSON)
    view.paint(view.ellipse(0, 1.62, 0.135, 0.16), hair, PERSON)
    view.paint(view.ellipse(0.03 * scene.sun, 1.585, 0.1, 0.125), skin, PERSON)


def car(
    canvas: Canvas, scene: Scene, x: float, scale: float, oncoming: bool, u: list[float]
) -> None:
    """Draw a car: the flank that the camera sees, then its rear, or its front if it is oncoming.

    Args:
        canvas: The whole picture.
        scene: The camera and the light.
        x: Where its middle is, metres.
        scale: Picture heights in a metre at its nearer end.
        oncoming: Whether it faces the camera.
        u: Uniform numbers that choose its looks.
    """
    tall = 1.42 + 0.3 * u[0]
    body = color(*pick(PAINTS, u[1]))
    shadow(canvas, scene, x, scale, 1.15, 1.2)
    if abs(x) > 0.95:
        _flank(canvas, scene, x - 0.9 if x > 0 else x + 0.9, scale, tall, body, oncoming)
    view = canvas.place(scene.vanishing + x * scale, scene.ground(scale), scale, 1.1, 1.1 * tall)
    if view is None:
        return
    lit = scene.lit(body * 0.9, scale)
    dark, glass = color(0.06, 0.06, 0.07), scene.lit(color(0.22, 0.27, 0.33), scale)
    belt = 0.92
    both = view.mirrored()
    both.paint(both.box(0.55, 0, 0.86, 0.5), dark, CAR)
    view.paint(view.taper(belt - 0.1, tall, (-0.86, 0.86), (-0.62, 0.62)), lit * 1.12, CAR)
    pane = view.taper(belt, tall - 0.12, (-0.74, 0.74), (-0.56, 0.56))
    shine = 1 + 0.9 * np.minimum(np.maximum(view.y - 0.25 * view.x - belt, 0), 0.5)
    view.paint(pane, glass * shine)
    view.paint(
        view.taper(0.26, belt, (-0.87, 0.87), (-0.9, 0.9)), lit * (0.78 + 0.28 * view.y), CAR
    )
    view.paint(view.box(-0.84, 0.22, 0.84, 0.44), scene.lit(body * 0.3 + 0.12, scale), CAR)
    dusk = 1 - scene.daylight
    if oncoming:
        view.paint(view.box(-0.42, 0.5, 0.42, 0.7), dark)
        lamp = color(0.95, 0.95, 0.88)
    else:
        view.paint(view.box(-0.26, 0.52, 0.26, 0.66), scene.lit(color(0.9, 0.88, 0.75), scale))
        lamp = color(0.85, 0.1, 0.08) * (0.75 + 0.25 * dusk)
    both.paint(both.box(0.54, 0.62, 0.84, 0.8), lamp)


def _flank(canvas, scene, x, scale, tall, body, oncoming) -> None:
    """Draw a car's side, a plane along the road at `x`, from the distance of `scale` 4.3 m onwards."""
    length = 4.3
    end = scale / (1 + length * scale)
    left, right = sorted((scene.vanishing + x * scale, scene.vanishing + x * end))
    top = min(scene.horizon + (scene.camera_height - tall) * s for s in (scale, end))
    view = canvas.crop(left, top, right, scene.ground(scale))
    if view is None:
        return
    columns = np.maximum((view.x - scene.vanishing) * (1 / x), 0.5 * end)
    view.y = scene.camera_height - (view.y - scene.horizon) / columns
    view.x = 1 / columns - 1 / scale
    view.per_y = columns * canvas.per_y
    view.per_x = view.per_y * columns * abs(x)
    lit = scene.lit(body * (1 + 0.3 * scene.daylight * (1 if scene.sun * x < 0 else -1)), scale)
    glass = scene.lit(color(0.18, 0.22, 0.28), scale)
    foot, head = ((1.1, 4.2), (1.9, 3.6)) if oncoming else ((0.1, 3.2), (0.6, 2.4))
    view.paint(view.taper(0.85, tall, foot, head), lit, CAR)
    inner = (foot[0] + 0.3, foot[1] - 0.3), (head[0] + 0.1, head[1] - 0.1)
    view.paint(view.taper(0.92, tall - 0.12, *inner), glass)
    view.paint(view.box(0, 0.26, length, 0.93), lit * (0.8 + 0.25 * view.y), CAR)
    for wheel in (0.8, 3.45):
        view.paint(view.ellipse(wheel, 0.33, 0.34, 0.33), color(0.06, 0.06, 0.07), CAR)
        view.paint(view.ellipse(wheel, 0.33, 0.17, 0.17), scene.lit(color(0.6, 0.6, 0.62), scale))
