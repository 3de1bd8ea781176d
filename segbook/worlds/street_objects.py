"""The things that stand in a street: trees, lamp posts, people and cars, each drawn in metres."""

import numpy as np

from segbook.worlds.drawing import Canvas, colors, noise_tile
from segbook.worlds.street_layers import CAR, PERSON, POLE, TREE, Scene, wrap

PAINTS = colors(
    (0.75, 0.12, 0.12),
    (0.15, 0.3, 0.62),
    (0.88, 0.88, 0.9),
    (0.16, 0.17, 0.2),
    (0.55, 0.57, 0.6),
    (0.85, 0.65, 0.15),
    (0.2, 0.45, 0.36),
    (0.5, 0.16, 0.3),
)
CLOTHES = colors(
    (0.8, 0.25, 0.2),
    (0.2, 0.35, 0.6),
    (0.9, 0.75, 0.3),
    (0.25, 0.5, 0.4),
    (0.85, 0.85, 0.82),
    (0.35, 0.2, 0.4),
    (0.55, 0.4, 0.28),
    (0.2, 0.2, 0.24),
    (0.15, 0.2, 0.32),
    (0.3, 0.27, 0.25),
)
LEAVES = colors((0.32, 0.5, 0.2), (0.22, 0.42, 0.2), (0.44, 0.52, 0.2), (0.66, 0.47, 0.17))
STEELS = colors((0.12, 0.13, 0.14), (0.22, 0.23, 0.24), (0.08, 0.2, 0.16))
SKINS = colors((0.93, 0.76, 0.64), (0.78, 0.57, 0.42), (0.55, 0.37, 0.26), (0.36, 0.24, 0.18))
HAIR = colors((0.15, 0.1, 0.08), (0.4, 0.25, 0.12), (0.72, 0.62, 0.4), (0.5, 0.5, 0.5))
BARK, TYRE, HUB = colors((0.36, 0.27, 0.2), (0.06, 0.06, 0.07), (0.6, 0.6, 0.62))
GLASS, PLATE, GRILLE = colors((0.2, 0.25, 0.3), (0.85, 0.84, 0.74), (0.1, 0.1, 0.11))
HEADLIGHT, TAIL_LIGHT = colors((0.96, 0.95, 0.86), (0.82, 0.09, 0.07))
LAMP_OFF, LAMP_ON, GLOW = colors((0.75, 0.75, 0.7), (1.0, 0.9, 0.62), (1.0, 0.85, 0.5))


def pick(options, chance: float):
    """Return one of several options, chosen by a uniform number."""
    return options[int(chance * len(options))]


def shadow(view: Canvas, scene: Scene, scale: float, width: float, depth: float) -> None:
    """Darken the ground around an object's foot, stretched away from the sun.

    Args:
        view: The object's place.
        scene: The camera and the light.
        scale: Picture heights in a metre.
        width: The object's half width, metres.
        depth: Its half depth, metres.
    """
    flat = depth * scale * scene.camera_height
    inside = view.ellipse(-0.4 * scene.sun * width, 0, 1.3 * width, flat)
    view.shade(inside, 0.4 + flat * view.unit, 0.45)


def tree(canvas: Canvas, scene: Scene, x: float, scale: float, u: list[float]) -> None:
    """Draw a tree.

    Args:
        canvas: The whole picture.
        scene: The camera and the light.
        x: Where it stands, metres.
        scale: Picture heights in a metre.
        u: Uniform numbers that choose its looks.
    """
    radius, stretch = 1.2 + 1.1 * u[1], 0.9 + 0.5 * u[5]
    centre = 1.6 + 2.2 * u[0] + radius * stretch
    lean = 0.3 * (u[2] - 0.5)
    foot = scene.vanishing + x * scale, scene.ground(scale)
    air = scene.air(scale)
    view = canvas.place(*foot, scale, 1.4 * radius, centre, 2.5 * scale)
    if view is None:
        return
    shadow(view, scene, scale, 0.8 * radius, 0.7)
    side = 1 + 0.35 * scene.sun * np.minimum(np.maximum(view.x * 5, -1), 1)
    trunk = view.taper(-0.05, centre, (-0.2, 0.2), (lean - 0.1, lean + 0.1))
    view.paint(trunk, air(BARK, side), TREE)

    height = 1.5 * radius * stretch
    centre_y = foot[1] - centre * scale
    view = canvas.place(foot[0] + lean * scale, centre_y, scale, 1.5 * radius, height, height)
    if view is None:
        return
    up, across = view.y + u[3] * 19, view.x + u[4] * 19
    leaf = noise_tile(256, 64, 128)[wrap(up * 26), wrap(across * 26)]
    clump = noise_tile(1024, 8, 128)[wrap(up * 100, 1024), wrap(across * 100, 1024)]
    p, q = view.x * (1 / radius), view.y * (1 / (radius * stretch))
    inside = 1.0 - np.sqrt(p * p + q * q) + 0.42 * clump + 0.2 * leaf
    light = 0.9 + 0.32 * q + 0.25 * scene.sun * p + 0.55 * clump + 0.38 * leaf
    view.paint(
        inside * (radius * view.unit * 0.7), air(pick(LEAVES, u[6]), np.maximum(light, 0.3)), TREE
    )


def pole(canvas: Canvas, scene: Scene, x: float, scale: float, u: list[float]) -> None:
    """Draw a lamp post whose arm reaches over the road; the arguments are those of `tree`."""
    tall = 5.2 + 0.8 * u[0]
    foot = scene.vanishing + x * scale, scene.ground(scale)
    view = canvas.place(*foot, scale, 1.7, tall + 0.2)
    if view is None:
        return
    air, dusk = scene.air(scale), 1 - scene.daylight
    # A post is never thinner than 1.5 pixels of a picture 96 high: it can always be learnt.
    half = max(0.12, 0.008 / scale)
    reach = -1.2 if x > 0 else 1.2
    post = np.maximum(
        view.box(-half, -0.03, half, tall), view.box(-1.6 * half, -0.03, 1.6 * half, 0.7)
    )
    arm = view.box(min(0, reach), tall - 0.1, max(0, reach), tall + 0.08)
    side = 1 + 0.35 * scene.sun * np.minimum(np.maximum(view.x * (1 / half), -1), 1)
    view.paint(np.maximum(post, arm), air(pick(STEELS, u[1]), side), POLE)
    glass = air(LAMP_OFF) * (1 - dusk) + LAMP_ON * dusk
    view.paint(view.ellipse(reach, tall - 0.1, 0.36, 0.15), glass, POLE)
    lamp = foot[0] + reach * scale, foot[1] - (tall - 0.1) * scale
    view = canvas.place(*lamp, scale, 1.3, 1.3, 1.3)
    if view is not None and dusk > 0.3:
        halo = np.maximum(view.ellipse(0, 0, 1.3, 1.3) * (1 / (1.3 * view.unit)), 0)
        view.image += halo * halo * (dusk * 0.6) * GLOW


def person(canvas: Canvas, scene: Scene, x: float, scale: float, u: list[float]) -> None:
    """Draw a person, standing or walking; the arguments are those of `tree`."""
    size = scale * (0.9 + 0.2 * u[0])
    view = canvas.place(scene.vanishing + x * scale, scene.ground(scale), size, 0.6, 1.85, scale)
    if view is None:
        return
    near = view.unit > 6
    if near:
        shadow(view, scene, scale, 0.35, 0.3)
    air, both = scene.air(scale), view.mirrored()
    side = 1 + 0.3 * scene.daylight * scene.sun * np.minimum(np.maximum(view.x * 4, -1), 1)
    shirt = air(pick(CLOTHES[:7], u[1]), side)
    trousers = air(pick(CLOTHES[4:], u[2]), side)
    skin = air(pick(SKINS, u[3]), side)
    stride = 0.04 + 0.2 * u[5]
    if u[6] < 0.3:
        both.paint(both.box(0.03, 0, 0.16, 0.55), skin, PERSON)
        view.paint(view.taper(0.42, 0.98, (-0.32, 0.32), (-0.17, 0.17)), trousers, PERSON)
    else:
        leg = both.taper(0, 0.94, (stride - 0.04, stride + 0.11), (-0.04, 0.2))
        both.paint(leg, trousers, PERSON)
    if near:
        out = 0.22 + 0.5 * stride
        arm = both.taper(0.74, 1.44, (out, out + 0.1), (0.12, 0.25))
        both.paint(arm, shirt * 0.82, PERSON)
        both.paint(both.ellipse(out + 0.05, 0.74, 0.055, 0.065), skin, PERSON)
    view.paint(view.taper(0.86, 1.47, (-0.18, 0.18), (-0.22, 0.22)), shirt, PERSON)
    view.paint(view.ellipse(0, 1.63, 0.13, 0.16), skin, PERSON)
    if near:
        cap = np.minimum(view.ellipse(0, 1.65, 0.145, 0.16), (view.y - 1.63) * view.unit)
        view.paint(cap, air(pick(HAIR, u[4])), PERSON)


def car(canvas: Canvas, scene: Scene, x: float, scale: float, u: list[float]) -> None:
    """Draw a car that drives on the right: the flank that the camera sees, then top and end.

    The arguments are those of `tree`; `scale` is that of the car's nearer end.
    """
    high = scene.camera_height
    tall, length = 1.45 + 0.3 * u[0], 4.2
    facing = 2 * x < scene.road[0] + scene.road[1]
    # Distances behind the nearer end at which the cabin begins, its roof begins, and they end.
    cabin, roof, roof_end, cabin_end = (1.15, 1.85, 3.5, 4.1) if facing else (0.1, 0.65, 2.6, 3.2)

    def at(aside, up, depth):
        shrink = 1 / (1 + depth * scale)
        return (x + aside) * shrink - x, high - (high - up) * shrink

    def panel(lower, upper):
        return view.polygon(
            at(-lower[0], *lower[1:]), at(*lower), at(*upper), at(-upper[0], *upper[1:])
        )

    foot = scene.vanishing + x * scale, scene.ground(scale)
    reach = max(1.65, abs(at(0.9 if x < 0 else -0.9, 0, length)[0]))
    view = canvas.place(*foot, scale, reach, at(0, tall, roof_end)[1], 4 * scale)
    if view is None:
        return
    shadow(view, scene, scale, 0.95, 1.0)
    air, both, near = scene.air(scale), view.mirrored(), view.unit > 5
    body = pick(PAINTS, u[1])
    out = -1 if x > 0 else 1
    if abs(x) > 0.95:
        _flank(view, at, out, body, air, 1 + 0.25 * scene.daylight * scene.sun * out)
    view.paint(panel((0.9, 0.9, 0), (0.9, 0.9, length)), air(body * 1.1 + 0.03), CAR)
    if abs(x) > 0.95:
        corners = at(out * 0.85, 0.88, cabin), at(out * 0.9, 0.88, cabin_end)
        corners += at(out * 0.66, tall, roof_end), at(out * 0.65, tall, roof)
        view.paint(view.polygon(*corners[::out]), air(body * 0.9), CAR)
        if near:
            corners = at(out * 0.82, 0.97, cabin + 0.3), at(out * 0.82, 0.97, cabin_end - 0.3)
            corners += (
                at(out * 0.72, tall - 0.1, roof_end - 0.1),
                at(out * 0.72, tall - 0.1, roof + 0.1),
            )
            view.paint(view.polygon(*corners[::out]), air(GLASS * 0.9))
    view.paint(panel((0.7, tall, roof), (0.7, tall, roof_end)), air(body * 1.15 + 0.06), CAR)
    view.paint(panel((0.89, 0.93, cabin), (0.7, tall, roof)), air(body * 0.95), CAR)
    sky = np.minimum(np.maximum(view.y - 0.3 * view.x - 0.9, 0), 0.6)
    pane = panel((0.74, 0.97, cabin), (0.63, tall - 0.1, roof))
    view.paint(pane, air(GLASS, 0.75 + 1.6 * sky))
    if near:
        both.paint(both.box(0.55, -0.02, 0.86, 0.5), TYRE, CAR)
    end = view.taper(0.24, 0.93, (-0.88, 0.88), (-0.9, 0.9))
    view.paint(end, air(body, 0.65 + 0.25 * view.y), CAR)
    if near:
        view.paint(view.box(-0.85, 0.2, 0.85, 0.4), air(body * 0.3 + 0.1), CAR)
        half = 0.45 if facing else 0.26
        view.paint(view.box(-half, 0.48, half, 0.64), air(GRILLE if facing else PLATE))
    lamp = HEADLIGHT if facing else TAIL_LIGHT
    lamp = air(lamp) * scene.daylight + lamp * (1 - scene.daylight)
    both.paint(both.box(0.52, 0.58, 0.82, 0.78), lamp)


def _flank(view, at, out, body, air, light) -> None:
    """Draw the side of a car's body with its wheels; `at` as in `car`, `out` its direction in x."""
    corners = at(out * 0.85, 0.26, 0), at(out * 0.9, 0.26, 4.2)
    corners += at(out * 0.9, 0.9, 4.2), at(out * 0.85, 0.93, 0)
    view.paint(view.polygon(*corners[::out]), air(body, light * (0.8 + 0.25 * view.y)), CAR)
    for depth in (0.8, 3.4) if view.unit > 5 else ():
        x, y = at(out * 0.9, 0.33, depth)
        wide = max(abs(at(out * 0.9, 0.33, depth + 0.34)[0] - x), 0.02)
        view.paint(view.ellipse(x, y, wide, 0.34), TYRE, CAR)
        if wide * view.unit > 3:
            view.paint(view.ellipse(x, y, 0.5 * wide, 0.17), air(HUB))
