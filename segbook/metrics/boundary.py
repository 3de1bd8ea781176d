"""Metrics that look only at pixels near the boundaries of classes."""

import numpy as np
from keras import ops

from segbook.metrics import scores
from segbook.metrics.counts import IGNORED, register
from segbook.metrics.matrix import ClassMean, ConfusionMetric
from segbook.samples import VOID

OUTSIDE = -3  # the label beyond the edge of the picture: unlike any class, IGNORED and INVALID


def near_boundary(labels, width: int):
    """Find the pixels with another label at most `width` pixels away.

    The distance is the larger of the steps across and down (a square window). Beyond the edge of
    the picture there is no label.

    Args:
        labels: int32 `(n, h, w)`.
        width: pixels, at least 1.

    Returns:
        bool `(n, h, w)`.
    """
    return window_max(labels, width) + window_max(-labels, width) > 0


def window_max(values, width: int):
    """Give the largest value in the square of side `2 * width + 1` around each pixel.

    Args:
        values: int32 `(n, h, w)`.
        width: pixels, at least 1.

    Returns:
        int32 `(n, h, w)`.
    """
    lowest = np.iinfo("int32").min
    values = ops.pad(values, ((0, 0), (width, width), (width, width)), constant_values=lowest)
    # Windows that double: their number grows with the logarithm of the width.
    side, reach = 2 * width + 1, 1
    while reach < side:
        step = min(reach, side - reach)
        values = ops.maximum(values[:, :-step], values[:, step:])
        values = ops.maximum(values[:, :, :-step], values[:, :, step:])
        reach += step
    return values


class BoundaryMetric(ConfusionMetric):
    """Count pixels near boundaries; the base of the metrics here.

    Args:
        num_classes: As in `ConfusionMetric`.
        width: The width of the band in pixels, at least 1.
        threshold: As in `ConfusionMetric`.
        ignore_label: As in `ConfusionMetric`.
        class_names: As in `ConfusionMetric`.
        name: As in `ConfusionMetric`.

    Raises:
        ValueError: If `width` is below 1.
    """

    def __init__(
        self, num_classes, width, *, threshold=0.5, ignore_label=VOID, class_names=None, name=None
    ):
        super().__init__(
            num_classes,
            threshold=threshold,
            ignore_label=ignore_label,
            class_names=class_names,
            name=name,
        )
        if width < 1:
            raise ValueError(f"width={width} must be 1 pixel or more.")
        self.width = width

    def get_config(self):
        """Give the arguments that rebuild the metric."""
        return super().get_config() | {"width": self.width}


class TrimapMetric(BoundaryMetric):
    """Count only the pixels near a boundary of the true mask, on both sides of it."""

    def pairs(self, labels, predicted):
        """Ignore the pixels far from a boundary of the truth; a border to void is a boundary."""
        counted = near_boundary(labels, self.width) | (labels < 0)
        return ops.where(counted, labels, IGNORED), predicted


@register
class TrimapAccuracy(TrimapMetric):
    """The share of pixels with the right class, near the true boundaries only.

    Arguments as for `BoundaryMetric`: `width` pixels on both sides of each boundary (Kohli et al.
    2009; Chen et al. 2015, where VOC's void pixels mark the boundaries).
    """

    default_name = "trimap_accuracy"
    score = staticmethod(scores.pixel_accuracy)


@register
class TrimapIoU(TrimapMetric, ClassMean):
    """The mean intersection over union, near the true boundaries only.

    Arguments as for `BoundaryMetric`; see `TrimapAccuracy`.
    """

    default_name = "trimap_iou"
    measure = staticmethod(scores.iou)


@register
class BoundaryIoU(BoundaryMetric, ClassMean):
    """The mean over classes of the IoU of the bands inside the true and predicted contours.

    Cheng et al. 2021, section "Boundary IoU", counted over the whole data set as mean IoU is; the
    authors take a width of 2% of the picture's diagonal. Pixels of void belong to no class, neither
    in the truth nor in the prediction. Arguments as for `BoundaryMetric`.
    """

    default_name = "boundary_iou"
    extra_labels = 1
    measure = staticmethod(scores.iou)

    def pairs(self, labels, predicted):
        """Give one more label to pixels deep inside a class, so that a class is its band only."""
        predicted = ops.where(labels < 0, labels, predicted)
        counted = self.inner_band(labels) | (labels < 0)
        return (
            ops.where(counted, labels, self.num_labels),
            ops.where(self.inner_band(predicted), predicted, self.num_labels),
        )

    def inner_band(self, labels):
        """Find the pixels whose class, or the picture, ends at most `width` pixels away."""
        frame = ops.pad(labels, ((0, 0), (1, 1), (1, 1)), constant_values=OUTSIDE)
        return near_boundary(frame, self.width)[:, 1:-1, 1:-1]
