"""The people of `faces`: how each one looks, in every picture, and what moods they have."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from segbook.worlds.drawing import color, colors, uniforms

POPULATION = 15  # the seed of all people: a person looks the same in every data set
SKINS = colors(
    (0.98, 0.83, 0.73),
    (0.93, 0.73, 0.58),
    (0.83, 0.61, 0.44),
    (0.68, 0.46, 0.31),
    (0.5, 0.32, 0.22),
    (0.34, 0.21, 0.15),
)
HAIRS = colors(
    (0.1, 0.08, 0.08),
    (0.2, 0.12, 0.08),
    (0.38, 0.22, 0.12),
    (0.56, 0.35, 0.17),
    (0.86, 0.69, 0.36),
    (0.7, 0.3, 0.12),
)
DYES = colors((0.3, 0.4, 0.8), (0.85, 0.35, 0.6), (0.25, 0.6, 0.5))
GREY = color(0.78, 0.78, 0.8)
IRISES = colors((0.3, 0.18, 0.1), (0.25, 0.45, 0.65), (0.3, 0.5, 0.3), (0.4, 0.3, 0.15))
CLOTHES = colors(
    (0.83, 0.25, 0.22),
    (0.18, 0.4, 0.66),
    (0.95, 0.74, 0.25),
    (0.2, 0.55, 0.45),
    (0.92, 0.9, 0.86),
    (0.45, 0.27, 0.55),
    (0.93, 0.52, 0.3),
    (0.2, 0.22, 0.28),
    (0.55, 0.75, 0.85),
    (0.9, 0.55, 0.65),
)
STYLES = ("short", "parted", "bob", "long", "curls", "afro", "bun", "pigtails", "spikes", "bald")
GLASSES = ("round", "square", "sun")
BEARDS = ("full", "moustache", "goatee")


def pick(options, chance: float):
    """Return one of several options, chosen by a number in [0, 1)."""
    return options[int(chance * len(options))]


@dataclass(frozen=True, eq=False)
class Look:
    """What stays the same of a person; lengths in half heights of the head.

    Args:
        skin: Colour of the skin; the others are colours of hair, eyes, lips and clothes.
        age: From 0, a child, to 1.
        half: Half the head's width.
        taper: How much the chin is narrower than the forehead.
        eye: Size of the eyes; `apart` is their distance from the middle.
        nose: Half its width.
        lip: Thickness of the lips.
        brow: Thickness of the brows.
        style: One of `STYLES`; `beard` and `glasses` are of `BEARDS` and `GLASSES`, or None.
        pattern: 0 plain, 1 striped, 2 dotted clothes.
    """

    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    lips: np.ndarray
    clothes: np.ndarray
    second: np.ndarray
    age: float
    half: float
    taper: float
    eye: float
    apart: float
    nose: float
    lip: float
    brow: float
    style: str
    beard: str | None
    glasses: str | None
    freckles: bool
    earrings: bool
    pattern: int


@cache
def person(number: int) -> Look:
    """Return the look of a person, which depends on nothing but the number."""
    u = uniforms(POPULATION, number, 32).tolist()
    age = u[0] * u[0] if u[1] < 0.5 else u[0]
    tone = u[2] * (len(SKINS) - 1)
    low = int(tone)
    skin = SKINS[low] + (tone - low) * (SKINS[low + 1] - SKINS[low])
    dark = u[2] * 0.6
    hair = pick(HAIRS, u[3] * (1 - dark)) if u[4] < 0.93 else pick(DYES, u[3])
    grey = max(0.0, min(1.0, (age - 0.5) * 3.2 - u[5]))
    hair = hair + grey * (GREY - hair)
    bearded = age > 0.18 and u[6] < 0.36
    styles = STYLES[:2] + STYLES[4:6] + STYLES[8:] if bearded else STYLES
    style = pick(styles, u[7])
    if style == "bald" and age < 0.3:
        style = "short"
    lipstick = not bearded and u[8] < 0.4
    rouge = color(0.78, 0.16, 0.22) if lipstick else skin * color(0.86, 0.55, 0.52)
    child = max(0.0, 1 - age / 0.15)
    return Look(
        skin=skin,
        hair=hair,
        iris=pick(IRISES, u[9] * (1 - dark)),
        lips=rouge,
        clothes=pick(CLOTHES, u[10]),
        second=pick(CLOTHES, u[11]),
        age=age,
        half=0.72 + 0.14 * u[12] + 0.05 * child,
        taper=0.05 + 0.15 * u[13],
        eye=0.125 + 0.035 * u[14] + 0.03 * child,
        apart=0.3 + 0.06 * u[15],
        nose=0.13 + 0.08 * u[16] - 0.03 * child,
        lip=0.045 + 0.045 * u[17],
        brow=0.035 + 0.035 * u[18],
        style=style,
        beard=pick(BEARDS, u[19]) if bearded else None,
        glasses=pick(GLASSES, u[20]) if u[22] < 0.22 + 0.25 * age else None,
        freckles=u[21] < 0.2,
        earrings=not bearded and u[23] < 0.35,
        pattern=int(3 * u[24]),
    )


@dataclass(frozen=True)
class Mood:
    """What a person does in one picture; lengths in half heights of the head.

    Args:
        smile: From -1, the corners of the mouth down, to 1, up.
        gape: How far the mouth is open.
        lids: How far the eyes are open: 0 shut, 1 wide.
        brows: How far the brows are raised.
        gaze: Where the eyes look, from -1, left, to 1.
        turn: Where the head is turned, from -1, left, to 1.
        tilt: Tangent of half the angle by which the head leans.
        hat: "party", "beanie", "straw" or "cap", or None.
        hue: The hat's colour, a number in [0, 1).
    """

    smile: float
    gape: float
    lids: float
    brows: float
    gaze: float
    turn: float
    tilt: float
    hat: str | None
    hue: float

    @classmethod
    def of(cls, u: list[float], hats: float) -> "Mood":
        """Choose a mood by twelve numbers in [0, 1); `hats` is the share of people with a hat."""
        smile = 1.5 * u[0] - 0.5
        return cls(
            smile=smile,
            gape=0.0 if u[1] < 0.55 else 0.22 * u[1] * u[2],
            lids=0.06 if u[3] < 0.07 else 0.65 + 0.35 * u[4] - 0.2 * max(smile, 0),
            brows=0.08 * (2 * u[5] - 0.7),
            gaze=2 * u[6] - 1,
            turn=2 * u[7] - 1,
            tilt=0.14 * (u[8] + u[9] - 1) * 2,
            hat=pick(("party", "beanie", "straw", "cap"), u[10] / hats) if u[10] < hats else None,
            hue=u[11],
        )
