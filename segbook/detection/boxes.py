"""Boxes: left, top, right, bottom in pixels from the picture's left and upper edge, Keras's xyxy.

Conversions, cropping and clipping are in `keras.utils.bounding_boxes`; here is what it lacks.
"""

import numpy as np
from keras import ops
from keras.utils import bounding_boxes

from segbook.checks import SHOWN

EDGES = ("left", "top", "right", "bottom")


def check_boxes(boxes, size=None, *, where="boxes"):
    """Refuse boxes that are none: of zero size, with swapped corners, not finite, or outside.

    Args:
        boxes: Array `(n, 4)`; `[]` for none.
        size: `(height, width)` of the picture, which every box must touch; None for any.
        where: What to call them in an error, such as a file's name.

    Returns:
        float32 array `(n, 4)`.

    Raises:
        ValueError: With `where` and each box that is wrong.
    """
    boxes = np.asarray(boxes, np.float32)
    if boxes.size == 0:
        return boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"{where} of shape {boxes.shape} must be (n, 4): {', '.join(EDGES)}.")
    problems = []
    for number, (left, top, right, bottom) in enumerate(boxes.tolist()):
        name = f"box {number} ({left:g}, {top:g}, {right:g}, {bottom:g})"
        if not np.isfinite(boxes[number]).all():
            problems.append(f"{name} is not finite")
        elif left > right or top > bottom:
            problems.append(f"{name} has swapped corners")
        elif left == right or top == bottom:
            problems.append(f"{name} has zero size")
        elif size and (right <= 0 or bottom <= 0 or left >= size[1] or top >= size[0]):
            problems.append(f"{name} is outside a picture of {size[0]}x{size[1]}")
    if problems:
        more = "" if len(problems) <= SHOWN else f"; {len(problems) - SHOWN} more"
        raise ValueError(f"{where}: {'; '.join(problems[:SHOWN])}{more}.")
    return boxes


def box_iou(boxes, others):
    """Compute the intersection over union of each box with each other.

    Args:
        boxes: Array `(n, 4)`.
        others: Array `(m, 4)`.

    Returns:
        float32 array `(n, m)`; 0 where both have no area.
    """
    boxes, others = (np.asarray(each, np.float32).reshape(-1, 4) for each in (boxes, others))
    if not len(boxes) or not len(others):
        return np.zeros((len(boxes), len(others)), np.float32)
    return ops.convert_to_numpy(bounding_boxes.compute_iou(boxes, others, "xyxy"))


def boxes_of_mask(mask, label=None):
    """Find the box around each piece of a mask.

    Args:
        mask: Integer or bool array `(height, width)`.
        label: The class whose pieces count; None for all that is not 0.

    Returns:
        float32 array `(n, 4)`, a box for each 8-connected piece.
    """
    from scipy import ndimage

    chosen = np.asarray(mask) != 0 if label is None else np.asarray(mask) == label
    pieces, _ = ndimage.label(chosen, np.ones((3, 3)))
    found = [
        (columns.start, rows.start, columns.stop, rows.stop)
        for rows, columns in ndimage.find_objects(pieces)
    ]
    return np.array(found, np.float32).reshape(-1, 4)
