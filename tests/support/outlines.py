"""What is inside an outline, in exact fractions, and how COCO writes masks."""

from fractions import Fraction

import numpy as np

SIZE = 13, 17  # of the pictures that are drawn on


def inside(points, size=SIZE):
    """Cast a ray to the left of each centre and count what it crosses, edges on it included."""
    points = [tuple(map(Fraction, point)) for point in np.asarray(points, float).tolist()]
    mask = np.zeros(size, bool)
    for i, j in np.ndindex(*size):
        x, y = j + Fraction(1, 2), i + Fraction(1, 2)
        for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
            if (y0 <= y) != (y1 <= y):
                mask[i, j] ^= x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x
    return mask


def packed(lengths):
    """Pack lengths as COCO does: differences, five bits a character, low ones first."""
    text = ""
    for i, length in enumerate(lengths):
        number = length - (lengths[i - 2] if i > 2 else 0)
        while True:
            code, number = number & 31, number >> 5
            done = number == (-1 if code & 16 else 0)
            text += chr(48 + code + (0 if done else 32))
            if done:
                break
    return text


def lengths_of(mask):
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    first = [0] if flat[0] else []
    return first + np.diff([0, *edges, len(flat)]).tolist()
