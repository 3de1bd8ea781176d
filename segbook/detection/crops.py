"""Cut what a detector found out of a picture, and put an answer for it back in its place."""

import numpy as np
from scipy import ndimage

from segbook.augment import resample
from segbook.checks import check_range
from segbook.detection.boxes import check_boxes
from segbook.samples import VOID


def _squares(boxes, margin):
    """Return left, top and side of a square around each box."""
    side = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) * (1 + 2 * margin)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.concatenate([middle - side[:, None] / 2, side[:, None]], 1).astype(np.float64)


def cut(image, boxes, size, *, margin=0.3, mask=None):
    """Cut a square around each box out of a picture, and bring it to one size.

    Squares that shrink are blurred first, with a Gaussian of half a pixel for each pixel that a
    step grows by, as in `augment.warp`.

    Args:
        image: float array `(height, width, channels)`.
        boxes: Array `(n, 4)`, in pixels.
        size: Height and width of the results, in pixels.
        margin: How far a square reaches beyond its box on each side, as a share of the box's longer
            side; 0 or more.
        mask: Integer array `(height, width)`, which is cut likewise; None for none.

    Returns:
        float32 array `(n, size, size, channels)`, black outside the picture; with `mask` also an
        array `(n, size, size)`, void outside it.

    Raises:
        ValueError: If the picture has not three axes, or a box has no size.
    """
    image = np.asarray(image, np.float32)
    if image.ndim != 3:
        raise ValueError(
            f"image of shape {image.shape} must be (height, width, channels); a grey one becomes "
            "that by np.repeat(image[..., None], 3, axis=-1)."
        )
    check_range("margin", margin, 0)
    boxes = check_boxes(boxes)
    masks = np.zeros(image.shape[:2], np.uint8) if mask is None else np.asarray(mask)
    crops = np.empty((len(boxes), size, size, image.shape[-1]), np.float32)
    labels = np.empty((len(boxes), size, size), masks.dtype)
    for number, (left, top, side) in enumerate(_squares(boxes, margin)):
        step = side / size
        reach = 2 * step + 1  # what the blur needs
        x0, y0 = (int(max(np.floor(edge - reach), 0)) for edge in (left, top))
        x1, y1 = (int(np.ceil(edge + side + reach)) for edge in (left, top))
        part, own = image[y0:y1, x0:x1], masks[y0:y1, x0:x1]
        if not own.size:  # the square lies outside
            crops[number], labels[number] = 0, VOID
            continue
        if step > 1:
            sigma = 0.5 * (step - 1)
            part = ndimage.gaussian_filter(part, (sigma, sigma, 0), mode="nearest")
        half = 0.5 * step - 0.5
        matrix = np.array([[[step, 0, left - x0 + half], [0, step, top - y0 + half]]])
        crop, label = resample(part[None], own[None], matrix, (size, size))
        crops[number], labels[number] = crop[0], label[0]
    return crops if mask is None else (crops, labels)


def paste(labels, boxes, size, *, margin=0.3, background=0):
    """Put the masks of crops back where `cut` took them from: its inverse.

    Where several crops lie, background gives way, and the crop of the largest box, which is the
    nearest in most pictures, wins.

    Args:
        labels: Integer array `(n, s, s)`.
        boxes: Array `(n, 4)`, in pixels.
        size: `(height, width)` of the picture.
        margin: As for `cut`.
        background: The label of what no crop shows.

    Returns:
        Array `(height, width)` of the dtype of `labels`.

    Raises:
        ValueError: If there is not a mask for each box, or a box has no size.
    """
    labels, boxes = np.asarray(labels), check_boxes(boxes)
    if labels.ndim != 3 or len(labels) != len(boxes):
        raise ValueError(f"labels of shape {labels.shape} must be ({len(boxes)}, s, s).")
    result = np.full(size, background, labels.dtype)
    squares = _squares(boxes, margin)
    for number in np.argsort(squares[:, 2], kind="stable"):
        left, top, side = squares[number]
        x0, y0 = (int(max(np.ceil(edge - 0.5), 0)) for edge in (left, top))
        x1 = int(min(np.ceil(left + side - 0.5), size[1]))
        y1 = int(min(np.ceil(top + side - 0.5), size[0]))
        if x0 >= x1 or y0 >= y1:
            continue
        step = side / labels.shape[1]
        last = labels.shape[1] - 1
        rows = np.clip(((np.arange(y0, y1) + 0.5 - top) / step).astype(int), 0, last)
        columns = np.clip(((np.arange(x0, x1) + 0.5 - left) / step).astype(int), 0, last)
        part = labels[number][np.ix_(rows, columns)]
        np.copyto(result[y0:y1, x0:x1], part, where=(part != background) & (part != VOID))
    return result
