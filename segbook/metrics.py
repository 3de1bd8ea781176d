"""Metrics on (integer mask, logits), all from one exact confusion matrix."""

from segbook import confusion
from segbook.boundary import BoundaryIoU, TrimapAccuracy, TrimapIoU
from segbook.counting import ClassMean, ConfusionMetric, register

__all__ = [
    "BoundaryIoU",
    "FrequencyWeightedIoU",
    "MeanAccuracy",
    "MeanDice",
    "MeanIoU",
    "PixelAccuracy",
    "TrimapAccuracy",
    "TrimapIoU",
]


@register
class PixelAccuracy(ConfusionMetric):
    """The share of pixels with the right class."""

    default_name = "pixel_accuracy"
    score = staticmethod(confusion.pixel_accuracy)


@register
class MeanAccuracy(ClassMean):
    """The mean over classes of the share of their true pixels that were found."""

    default_name = "mean_accuracy"
    measure = staticmethod(confusion.recall)


@register
class MeanIoU(ClassMean):
    """The mean over classes of the intersection over union."""

    default_name = "mean_iou"
    measure = staticmethod(confusion.iou)


@register
class FrequencyWeightedIoU(ConfusionMetric):
    """The mean of the IoUs, each weighted by its class's share of the true pixels."""

    default_name = "frequency_weighted_iou"
    score = staticmethod(confusion.frequency_weighted_iou)


@register
class MeanDice(ClassMean):
    """The mean over classes of the Dice coefficient, which is F1."""

    default_name = "mean_dice"
    measure = staticmethod(confusion.f1)
