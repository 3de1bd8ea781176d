"""Outlines and runs of pixels, as labelling tools write them, turned into masks.

A pixel belongs to an outline if its centre does: the pixel in row `i` and column `j` has its centre
at x = `j + 0.5`, y = `i + 0.5`. A centre on a left or upper edge is in, on a right or lower edge it
is out, so that outlines with a common edge neither share a pixel nor leave one out.
"""

import numpy as np


def polygon(points, size):
    """Mark the pixels inside a polygon; what it goes around twice is outside again.

    Args:
        points: x and y of each corner in pixels, `(count, 2)`, 3 or more; they may lie outside.
        size: `(height, width)` of the picture.

    Returns:
        bool array `size`.

    Raises:
        ValueError: If there are fewer points, or numbers that are none.
    """
    points = _points(points)
    if len(points) < 3:
        raise ValueError(f"a polygon of {len(points)} points, expected 3 or more")
    height, width = size
    # Each edge changes the side of all pixels to its right.
    crossed = np.zeros((height, width + 1), bool)
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        # From the upper end, so that the next polygon's same edge has the same places.
        (x0, y0), (x1, y1) = sorted((start.tolist(), end.tolist()), key=lambda point: point[1])
        first, last = np.ceil(np.clip([y0 - 0.5, y1 - 0.5], 0, height)).astype(int)
        rows = np.arange(first, last)
        if len(rows):
            x = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            crossed[rows, np.ceil(np.clip(x - 0.5, 0, width)).astype(int)] ^= True
    return np.logical_xor.accumulate(crossed[:, :width], axis=1)


def rectangle(points, size):
    """Mark the pixels inside a rectangle.

    Args:
        points: x and y of two opposite corners in pixels.
        size: `(height, width)` of the picture.

    Returns:
        bool array `size`.

    Raises:
        ValueError: If there are other than two points.
    """
    (left, top), (right, bottom) = _two(points, "a rectangle", "opposite corners")
    return polygon([(left, top), (right, top), (right, bottom), (left, bottom)], size)


def circle(points, size):
    """Mark the pixels inside a circle, and those whose centre is on it.

    Args:
        points: x and y in pixels of the centre and of a point on the circle.
        size: `(height, width)` of the picture.

    Returns:
        bool array `size`.

    Raises:
        ValueError: If there are other than two points.
    """
    (x, y), (rim_x, rim_y) = _two(points, "a circle", "the centre and one on the rim")
    rows, columns = (np.arange(length) + 0.5 for length in size)
    squares = (rows[:, None] - y) ** 2 + (columns - x) ** 2
    return squares <= (rim_x - x) ** 2 + (rim_y - y) ** 2


def runs(counts, size):
    """Mark pixels by the lengths of runs, column by column, outside and inside in turn.

    Args:
        counts: Lengths of the runs, of which the first is outside; a list, or the text in which
            COCO packs them.
        size: `(height, width)` of the picture.

    Returns:
        bool array `size`.

    Raises:
        ValueError: If the runs do not fill the picture.
    """
    lengths = _unpack(counts) if isinstance(counts, str) else counts
    lengths = np.asarray(lengths)
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or lengths.min() < 0:
        raise ValueError("runs that are no lengths, integers of 0 or more")
    if lengths.sum() != size[0] * size[1]:
        raise ValueError(f"runs of {lengths.sum()} pixels, expected {size[0]} x {size[1]}")
    inside = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return inside.reshape(size[::-1]).T


def _unpack(text):
    """Read numbers of five bits a character, each less that two before it from the fourth on.

    The sixth bit says that more bits of the number follow; the last has its sign as the fifth.
    """
    numbers, number, shift = [], 0, 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64:
            raise ValueError(f"runs with the character {character!r}, which is none of COCO's")
        number |= (code & 31) << shift
        shift += 5
        if not code & 32:
            number -= (code & 16) << (shift - 4)
            numbers.append(number + (numbers[-2] if len(numbers) > 2 else 0))
            number, shift = 0, 0
    if shift:
        raise ValueError("runs that break off")
    return numbers


def _points(points):
    try:
        found = np.asarray(points, float)
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.ndim != 2 or found.shape[1] != 2 or not np.isfinite(found).all():
        raise ValueError("points that are no pairs of numbers x, y")
    return found


def _two(points, shape, which):
    found = _points(points)
    if len(found) != 2:
        raise ValueError(f"{shape} of {len(found)} points, expected 2: {which}")
    return found
