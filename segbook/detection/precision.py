"""Average precision: how well boxes with scores find the true ones."""

from dataclasses import dataclass

import numpy as np

from segbook.checks import check_range
from segbook.detection.boxes import box_iou


@dataclass(frozen=True, eq=False)
class Ranking:
    """All boxes that were found, the surest first, and whether each is right.

    Args:
        scores: float array `(n,)`.
        right: bool array `(n,)`.
        total: How many true boxes there are.
    """

    scores: np.ndarray
    right: np.ndarray
    total: int

    @property
    def precision(self) -> np.ndarray:
        """The share of right ones among the first 1, 2, ..., n."""
        return np.cumsum(self.right) / np.arange(1, len(self.right) + 1)

    @property
    def recall(self) -> np.ndarray:
        """The share of the true boxes found by the first 1, 2, ..., n."""
        return (
            np.cumsum(self.right) / self.total if self.total else np.full(len(self.right), np.nan)
        )

    @property
    def average_precision(self) -> float:
        """The area under the highest precision at each recall or more; NaN without true boxes."""
        if not self.total:
            return float("nan")
        precision = self.precision
        # Each right box adds a step of 1/total to the recall.
        highest = np.maximum.accumulate(precision[::-1])[::-1]
        return float(highest[self.right].sum() / self.total)


def rank(found, truths, *, iou=0.5, hard=None):
    """Decide which boxes of one class are right, as PASCAL VOC does since 2010.

    Development kit of VOC2010, sections 3.4.1 and 4.4. Boxes come in the order of their scores over
    all pictures. Each is compared with the true box of its picture with which it has the largest
    IoU. It is right if that is `iou` or more and no surer box had the same; a second one is wrong.

    Args:
        found: A list of `Found`, or of pairs `(boxes, scores)`, one a picture.
        truths: A list of arrays `(n, 4)` of true boxes.
        iou: The least intersection over union.
        hard: A list of bool arrays `(n,)`, true boxes that count neither as found nor as missed,
            such as those marked as difficult; None for none.

    Returns:
        A `Ranking`.

    Raises:
        ValueError: If the lists differ in length, or `iou` is outside 0 to 1.
    """
    check_range("iou", iou, 0, 1)
    hard = [np.zeros(len(boxes), bool) for boxes in truths] if hard is None else hard
    if not len(found) == len(truths) == len(hard):
        raise ValueError(
            f"found ({len(found)}), truths ({len(truths)}) and hard ({len(hard)}) must have one "
            "entry a picture."
        )
    scores, right, counts = [], [], []
    for picture, boxes, ignored in zip(found, truths, hard, strict=True):
        own, sure = picture if isinstance(picture, tuple) else (picture.boxes, picture.scores)
        good, counted = _judge(own, np.asarray(sure), boxes, np.asarray(ignored, bool), iou)
        scores.append(sure)
        right.append(good)
        counts.append(counted)
    scores = np.concatenate([*scores, np.zeros(0)])
    right, counts = (np.concatenate([*each, np.zeros(0, bool)]) for each in (right, counts))
    order = np.argsort(-scores, kind="stable")
    order = order[counts[order]]
    total = sum(int((~np.asarray(ignored, bool)).sum()) for ignored in hard)
    return Ranking(scores[order], right[order], total)


def _judge(found, scores, boxes, ignored, iou):
    """Return whether each box of a picture is right, and whether it counts."""
    right, counts = np.zeros(len(found), bool), np.ones(len(found), bool)
    overlap, taken = box_iou(found, boxes), np.zeros(len(boxes), bool)
    for number in np.argsort(-scores, kind="stable") if len(boxes) else ():
        best = overlap[number].argmax()
        if overlap[number, best] < iou:
            continue
        counts[number] = not ignored[best]
        right[number] = not (ignored[best] or taken[best])
        taken[best] = True
    return right, counts


def average_precision(found, truths, *, iou=0.5, hard=None):
    """Compute the average precision of one class; arguments as for `rank`.

    Returns:
        A float in [0, 1]; NaN without true boxes.
    """
    return rank(found, truths, iou=iou, hard=hard).average_precision
