"""One colour for each class name, the same in every figure, safe for colour-blind readers.

Within `streets`, CamVid or `digits` every two colours, void included, differ by at least 15 in
CIEDE2000, with normal vision and under full protanopia, deuteranopia and tritanopia as simulated by
Machado, Oliveira and Fernandes (2009, table 1).
"""

import numpy as np

VOID_COLOR = (0, 0, 0)

SEQUENCE = (
    (100, 34, 216),
    (211, 140, 49),
    (26, 138, 119),
    (208, 18, 80),
    (36, 35, 100),
    (98, 57, 21),
    (167, 102, 255),
    (162, 187, 153),
    (83, 210, 253),
    (255, 222, 39),
)

CLASS_COLORS = {
    "background": (240, 240, 240),
    "sky": (100, 179, 255),
    "building": (98, 64, 61),
    "road": (100, 100, 121),
    "pavement": (200, 159, 178),
    "tree": (49, 140, 106),
    "car": (9, 44, 131),
    "person": (208, 9, 13),
    "pole": (246, 230, 3),
    "marking": (255, 255, 255),
    "sign": (236, 125, 10),
    "fence": (181, 187, 144),
    "bicyclist": (141, 65, 208),
    "ground": (240, 240, 240),
    "vegetation": (49, 140, 106),
    "water": (83, 210, 253),
    "void": VOID_COLOR,
} | {str(digit): color for digit, color in enumerate(SEQUENCE)}


def palette(class_names) -> np.ndarray:
    """Return the colours of a list of classes.

    A class in `CLASS_COLORS` has its colour there; the others take the colours of `SEQUENCE` in
    turn, a third darker each time the ten are used up.

    Args:
        class_names: Names in the order of the class ids.

    Returns:
        uint8 array `(num_classes, 3)`, RGB.
    """
    others = [name for name in class_names if name not in CLASS_COLORS]
    colors = dict(CLASS_COLORS)
    for position, name in enumerate(others):
        rounds, index = divmod(position, len(SEQUENCE))
        colors[name] = tuple(channel * 2**rounds // 3**rounds for channel in SEQUENCE[index])
    return np.array([colors[name] for name in class_names], np.uint8).reshape(-1, 3)
