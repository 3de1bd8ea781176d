"""From the outputs of a detector to boxes: scores, a threshold, non-maximum suppression."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from segbook.checks import check_range
from segbook.detection.boxes import box_iou
from segbook.detection.priors import decode


@dataclass(frozen=True, eq=False)
class Found:
    """What a detector found in one picture, the surest first.

    Args:
        boxes: float32 array `(n, 4)`, in pixels.
        scores: float32 array `(n,)` in [0, 1].
        classes: int64 array `(n,)`, from 1 on.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)

    def above(self, threshold: float) -> "Found":
        """Return those whose score is at least `threshold`."""
        kept = self.scores >= threshold
        return Found(self.boxes[kept], self.scores[kept], self.classes[kept])


def suppress(boxes, scores, *, overlap=0.45, most=200):
    """Keep the surest of the boxes that lie on top of each other: non-maximum suppression.

    Args:
        boxes: Array `(n, 4)`.
        scores: Array `(n,)`; of equal scores the first counts as the surer.
        overlap: A box goes when its IoU with one that is kept is above this, 0 to 1.
        most: How many are kept at most.

    Returns:
        int64 array: the numbers of the boxes that are kept, the surest first.

    Raises:
        ValueError: If there is not a score for each box, a score is NaN, or `overlap` is outside
            0 to 1.
    """
    check_range("overlap", overlap, 0, 1)
    boxes, scores = np.asarray(boxes, np.float32).reshape(-1, 4), np.asarray(scores)
    if scores.shape != (len(boxes),) or np.isnan(scores).any():
        raise ValueError(f"scores of shape {scores.shape} must be {len(boxes)} numbers, none NaN.")
    crossing = box_iou(boxes, boxes) > overlap
    left, kept = np.argsort(-scores, kind="stable"), []
    while len(left) and len(kept) < most:
        kept.append(left[0])
        left = left[1:][~crossing[left[0], left[1:]]]
    return np.array(kept, np.int64)


def find(outputs, priors, size, *, threshold=0.5, overlap=0.45, most=200):
    """Turn the outputs of `models.ssd` into boxes.

    Args:
        outputs: float array `(n, p, 5 + C)`: offsets and logits.
        priors: float array `(p, 4)`.
        size: `(height, width)` of the pictures; boxes are cut off there.
        threshold: The least probability of a box.
        overlap: As for `suppress`, which each class has for itself. 1 suppresses nothing.
        most: How many boxes of a picture are kept at most; of each class twice as many, the surest,
            come before the suppression.

    Returns:
        A list of n `Found`.

    Raises:
        ValueError: If the outputs do not belong to the priors, or an option is outside 0 to 1.
    """
    check_range("threshold", threshold, 0, 1)
    outputs = np.asarray(outputs, np.float32)
    if outputs.ndim != 3 or outputs.shape[1] != len(priors) or outputs.shape[2] < 6:
        raise ValueError(
            f"outputs of shape {outputs.shape} must be (n, {len(priors)}, 5 + classes): are these "
            "the priors of this model at this size?"
        )
    probabilities = ops.convert_to_numpy(keras.activations.softmax(outputs[..., 4:]))[..., 1:]
    limits = np.array([size[1], size[0], size[1], size[0]], np.float32)
    boxes = np.clip(decode(outputs[..., :4], priors), 0, limits)
    return [
        _found(*pair, threshold, overlap, most) for pair in zip(boxes, probabilities, strict=True)
    ]


def _found(boxes, probabilities, threshold, overlap, most):
    solid = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    parts = []
    for number, scores in enumerate(probabilities.T, start=1):
        chosen = np.flatnonzero((scores >= threshold) & solid)
        chosen = chosen[np.argsort(-scores[chosen], kind="stable")[: 2 * most]]
        kept = chosen[suppress(boxes[chosen], scores[chosen], overlap=overlap, most=most)]
        parts.append((boxes[kept], scores[kept], np.full(len(kept), number, np.int64)))
    boxes, scores, classes = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(-scores, kind="stable")[:most]
    return Found(boxes[order], scores[order], classes[order])
