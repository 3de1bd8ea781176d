"""The standard scores: pixel accuracy, mean accuracy, mean IoU, Dice."""

from segbook.metrics import scores
from segbook.metrics.counts import register
from segbook.metrics.matrix import ClassMean, ConfusionMetric


@register
class PixelAccuracy(ConfusionMetric):
    """The share of pixels with the right class (Long et al. 2015, section 5).

    Arguments as for `ConfusionMetric`.
    """

    default_name = "pixel_accuracy"
    score = staticmethod(scores.pixel_accuracy)


@register
class MeanAccuracy(ClassMean):
    """The mean over classes of the share of their true pixels found (Long et al. 2015, section 5).

    Arguments as for `ConfusionMetric`. Classes without true pixels are left out.
    """

    default_name = "mean_accuracy"
    measure = staticmethod(scores.recall)


@register
class MeanIoU(ClassMean):
    """The mean over classes of the intersection over union (Long et al. 2015, section 5).

    Arguments as for `ConfusionMetric`. Classes in neither truth nor prediction are left out.
    """

    default_name = "mean_iou"
    measure = staticmethod(scores.iou)


@register
class FrequencyWeightedIoU(ConfusionMetric):
    """The mean of the IoUs, weighted by the classes' true pixels (Long et al. 2015, section 5).

    Arguments as for `ConfusionMetric`.
    """

    default_name = "frequency_weighted_iou"
    score = staticmethod(scores.frequency_weighted_iou)


@register
class MeanDice(ClassMean):
    """The mean over classes of the Dice coefficient, which is F1.

    Arguments as for `ConfusionMetric`. Classes in neither truth nor prediction are left out.
    """

    default_name = "mean_dice"
    measure = staticmethod(scores.f1)
