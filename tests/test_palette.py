import numpy as np
import pytest

from segbook.palette import CLASS_COLORS, SEQUENCE, palette

STREETS = ("sky", "building", "road", "pavement", "tree", "car", "person", "pole", "marking")
CAMVID = (
    *("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "person"),
    *("bicyclist", "void"),
)
AERIAL = ("ground", "building", "road", "vegetation", "water", "void")
FIELDS = [
    ("background", "cell", "void"),
    ("background", "right chamber", "muscle", "left chamber", "void"),
]
DIGITS = ("background", *"0123456789", "void")

# Machado, Oliveira and Fernandes 2009, table 1, severity 1.0; they act on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def lab(colors, vision):
    srgb = np.asarray(colors, float) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.transpose(vision), 0, 1)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750]]
    to_xyz.append([0.0193339, 0.1191920, 0.9503041])
    xyz = linear @ np.transpose(to_xyz) / [0.95047, 1, 1.08883]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def ciede2000(one, two):
    """Sharma, Wu and Dalal 2005, equations 2 to 22, for a single pair."""
    (l1, a1, b1), (l2, a2, b2) = one, two
    mean_chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = (1 - np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7))) / 2
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2([b1, b2], [a1, a2])) % 360
    grey = c1 * c2 == 0
    dh = 0 if grey else (h2 - h1 + 180) % 360 - 180
    h = h1 + h2 if grey else (h1 + dh / 2) % 360
    big_dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(dh / 2))
    lightness, c = (l1 + l2) / 2, (c1 + c2) / 2
    t = 1 - 0.17 * np.cos(np.radians(h - 30)) + 0.24 * np.cos(np.radians(2 * h))
    t += 0.32 * np.cos(np.radians(3 * h + 6)) - 0.20 * np.cos(np.radians(4 * h - 63))
    rotation = -np.sin(np.radians(60 * np.exp(-(((h - 275) / 25) ** 2))))
    rotation *= 2 * np.sqrt(c**7 / (c**7 + 25.0**7))
    dl = (l2 - l1) / (1 + 0.015 * (lightness - 50) ** 2 / np.sqrt(20 + (lightness - 50) ** 2))
    dc = (c2 - c1) / (1 + 0.045 * c)
    dh = big_dh / (1 + 0.015 * c * t)
    return np.sqrt(dl**2 + dc**2 + dh**2 + rotation * dc * dh)


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_difference_equals_published_pairs(one, two, expected):
    assert ciede2000(one, two) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("names", [STREETS, CAMVID, DIGITS, AERIAL, *FIELDS], ids="-".join)
@pytest.mark.parametrize("vision", VISION)
def test_every_pair_is_distinguishable(names, vision):
    # The worst pair, over all vision types, measures 16.5 (streets and CamVid) and 17.6 (digits).
    colors = lab(palette(names), VISION[vision])
    for first in range(len(names)):
        for second in range(first):
            difference = ciede2000(colors[first], colors[second])
            assert difference > 15, (names[first], names[second], difference)


def test_red_and_green_of_equal_lightness_would_fail():
    red_green = lab([(200, 80, 60), (110, 130, 60)], VISION["deuteranopia"])
    assert ciede2000(*red_green) < 15


def test_palette():
    colors = palette(STREETS)
    assert colors.dtype == np.uint8
    assert colors.shape == (9, 3)
    assert tuple(colors[0]) == CLASS_COLORS["sky"]
    assert palette([]).shape == (0, 3)


def test_other_classes_take_the_sequence_by_position():
    colors = palette(["cat", "background", "dog", *(f"thing {i}" for i in range(9))])
    assert tuple(colors[0]) == SEQUENCE[0]
    assert tuple(colors[1]) == CLASS_COLORS["background"]
    assert tuple(colors[2]) == SEQUENCE[1]
    assert len(np.unique(colors, axis=0)) == 12
