"""Prior boxes, what each of them should answer, and back from its answer to a box.

Liu et al. 2016, "SSD: Single Shot MultiBox Detector", section 2.
"""

import itertools
import math

import numpy as np
from keras import ops
from keras.utils import bounding_boxes

from segbook.detection.boxes import box_iou, check_boxes

VARIANCES = (0.1, 0.1, 0.2, 0.2)  # of the authors' code; the paper does not name them
AT_ONCE = 2**24  # pairs of box and prior


def prior_boxes(size, strides, shapes):
    """Lay boxes of fixed shapes over a picture, at the cells of several feature maps.

    A map has `ceil(size / stride)` cells along a side, as convolutions and pooling with "same"
    padding give. SSD divides the picture into equal cells instead; both agree where a stride
    divides the size.

    Args:
        size: `(height, width)` of the picture, in pixels.
        strides: One number of pixels a map, from fine to coarse.
        shapes: For each map a list of `(width, height)` in pixels.

    Returns:
        float32 array `(priors, 4)`: map by map, row by row, cell by cell, shape by shape.

    Raises:
        ValueError: If there are not as many lists of shapes as strides, or a length is not above 0.
    """
    if len(strides) != len(shapes) or not len(strides):
        raise ValueError(
            f"shapes has {len(shapes)} lists; it must have one for each of {len(strides)} strides."
        )
    maps = []
    for stride, sides in zip(strides, shapes, strict=True):
        sides = np.asarray(sides, np.float64).reshape(-1, 2)
        if stride <= 0 or not (sides > 0).all() or not len(sides):
            raise ValueError(
                f"shapes {sides.tolist()} at stride {stride}: lengths must be above 0 pixels."
            )
        rows, columns = (math.ceil(length / stride) for length in size)
        y, x = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
        middles = (np.stack([x, y], -1)[:, :, None] + 0.5) * stride
        maps.append(np.concatenate([middles - sides / 2, middles + sides / 2], -1).reshape(-1, 4))
    return np.concatenate(maps).astype(np.float32)


def match(boxes, priors, *, iou=0.5):
    """Decide which box each prior answers for.

    Every box gets one prior, whatever their IoU: the largest IoU of all chooses first, then the
    largest of the boxes and priors that are left. Every other prior answers for the box with which
    it has the largest IoU, if that is above `iou`. Of equal ones the first counts.

    Args:
        boxes: Array `(n, 4)` of the true boxes.
        priors: Array `(p, 4)`, p no less than n.
        iou: The least IoU at which a prior answers for a box that is not its own.

    Returns:
        int64 array `(p,)`: the number of a box, or -1 for background.

    Raises:
        ValueError: If there are more boxes than priors.
    """
    return _match(box_iou(boxes, priors), iou)


def _match(overlap, iou):
    """Match by a table of IoUs, `(n, p)`, which is used up."""
    boxes, priors = overlap.shape
    if not boxes:
        return np.full(priors, -1, np.int64)
    if boxes > priors:
        raise ValueError(f"{boxes} boxes must not be more than the {priors} priors.")
    found = np.where(overlap.max(0) > iou, overlap.argmax(0), -1)
    for _ in range(boxes):
        box, prior = np.unravel_index(overlap.argmax(), overlap.shape)
        found[prior] = box
        overlap[box] = overlap[:, prior] = -1
    return found


def encode(boxes, priors, *, classes=None, iou=0.5, size=None, names=None):
    """Write what the network should answer for each of several pictures.

    Args:
        boxes: A list with an array `(n, 4)` of true boxes a picture, in pixels.
        priors: Array `(p, 4)`.
        classes: A list with an int array `(n,)` a picture, from 1 on; None for 1, the only class
            there is.
        iou: As for `match`.
        size: `(height, width)` of the pictures, which every box must touch; None for any.
        names: What to call the pictures in an error, such as their files; None for their numbers.

    Returns:
        float32 array `(pictures, p, 5)`: the class, 0 for background, and four offsets: of the
        middle along x and y, in tenths of the prior's width and height, and of the logarithms of
        width and height, in fifths.

    Raises:
        ValueError: If a box has no size, or a class is less than 1.
    """
    names = [f"picture {number}" for number in range(len(boxes))] if names is None else names
    boxes = [check_boxes(each, size, where=name) for each, name in zip(boxes, names, strict=True)]
    classes = [np.ones(len(each), np.int64) for each in boxes] if classes is None else classes
    for own, each, name in zip(classes, boxes, names, strict=True):
        if np.shape(own) != (len(each),) or (np.asarray(own) < 1).any():
            raise ValueError(f"{name}: classes {own} must be {len(each)} numbers from 1 on.")
    targets = np.zeros((len(boxes), len(priors), 5), np.float32)
    starts = np.cumsum([0] + [len(each) for each in boxes])
    every = np.concatenate([np.zeros((0, 4), np.float32), *boxes])
    numbers = np.concatenate([np.zeros(0, np.int64), *classes])
    # One call for many pictures: small calls cost more than what they compute.
    step = max(AT_ONCE // len(priors), 1)
    tables = [box_iou(every[i : i + step], priors) for i in range(0, len(every), step)]
    table = np.concatenate([np.zeros((0, len(priors)), np.float32), *tables])
    matches = [_match(table[i:j], iou) for i, j in itertools.pairwise(starts)]
    picture, prior = np.nonzero(np.reshape(matches, targets.shape[:2]) >= 0)
    if len(picture):
        own = np.array([starts[i] + matches[i][j] for i, j in zip(picture, prior, strict=True)])
        targets[picture, prior, 0] = numbers[own]
        offsets = bounding_boxes.encode_box_to_deltas(
            priors[prior], every[own], "xyxy", "xyxy", "center_xywh", list(VARIANCES)
        )
        targets[picture, prior, 1:] = ops.convert_to_numpy(offsets)
    return targets


def decode(offsets, priors):
    """Move the priors by what the network answered: the inverse of `encode`.

    Args:
        offsets: Array `(..., p, 4)`.
        priors: Array `(p, 4)`.

    Returns:
        float32 array `(..., p, 4)` of boxes in pixels.
    """
    offsets = np.asarray(offsets, np.float32)
    # exp(88) is where float32 ends; an offset that large comes of a network not yet trained.
    offsets = np.concatenate([offsets[..., :2], np.clip(offsets[..., 2:], -80, 80)], -1)
    # On PyTorch, Keras multiplies what it is given by a tensor.
    priors, offsets = (ops.convert_to_tensor(each, "float32") for each in (priors, offsets))
    boxes = bounding_boxes.decode_deltas_to_boxes(
        priors, offsets, "xyxy", "xyxy", "center_xywh", list(VARIANCES)
    )
    return ops.convert_to_numpy(boxes)
