"""Losses that are means over pixels: cross-entropy, focal, hardest pixels."""

from keras import ops

from segbook.losses.base import MaskLoss, register, weighted_mean
from segbook.samples import VOID

TINY = 1e-7  # keeps the slope of a power finite at 0


def per_pixel_weight(labels, weight, class_weights):
    """Multiply each pixel's weight by the weight of its class."""
    if class_weights is None:
        return weight
    return weight * ops.take(ops.convert_to_tensor(class_weights, "float32"), labels)


@register
class CrossEntropy(MaskLoss):
    """Softmax cross-entropy, the mean over the labelled pixels.

    With weights, the mean is the sum of weight times loss over the sum of the weights, as in
    PyTorch: the scale of the weights does not matter.

    Args:
        ignore_label: The label of void pixels.
        class_weights: One number a class, or None.
        label_smoothing: The share of the target, 0 to 1, that is spread evenly over the classes
            (Szegedy et al. 2016, section 7).
        name: The loss's name.
    """

    def __init__(
        self, *, ignore_label=VOID, class_weights=None, label_smoothing=0.0, name="cross_entropy"
    ):
        super().__init__(ignore_label=ignore_label, class_weights=class_weights, name=name)
        self.label_smoothing = label_smoothing

    def value(self, labels, logits, weight):
        """Average the cross-entropy over the labelled pixels."""
        loss = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        if self.label_smoothing:
            everywhere = ops.logsumexp(logits, axis=-1) - ops.mean(logits, axis=-1)
            loss = (1 - self.label_smoothing) * loss + self.label_smoothing * everywhere
        return weighted_mean(loss, per_pixel_weight(labels, weight, self.class_weights))

    def get_config(self):
        """Give the arguments that rebuild the loss."""
        return super().get_config() | {"label_smoothing": self.label_smoothing}


@register
class Focal(MaskLoss):
    """Cross-entropy times `(1 - p)^gamma`, p the probability of the true class.

    Lin et al. 2017, equation 4, with the softmax instead of one sigmoid a class, so that gamma 0 is
    the cross-entropy; averaged over the labelled pixels, not divided by the number of objects. The
    paper's alpha (equation 5) is `class_weights`; they enter as in `CrossEntropy`.

    Args:
        gamma: How much less easy pixels count, at least 0.
        ignore_label: The label of void pixels.
        class_weights: One number a class, or None.
        name: The loss's name.
    """

    def __init__(self, gamma=2.0, *, ignore_label=VOID, class_weights=None, name="focal"):
        super().__init__(ignore_label=ignore_label, class_weights=class_weights, name=name)
        self.gamma = gamma

    def value(self, labels, logits, weight):
        """Average the focal loss over the labelled pixels."""
        loss = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        missing = ops.maximum(-ops.expm1(-loss), TINY)
        loss = missing**self.gamma * loss
        return weighted_mean(loss, per_pixel_weight(labels, weight, self.class_weights))

    def get_config(self):
        """Give the arguments that rebuild the loss."""
        return super().get_config() | {"gamma": self.gamma}


@register
class HardestCrossEntropy(MaskLoss):
    """The mean cross-entropy of the hardest labelled pixels: online hard-example mining.

    Shrivastava et al. 2016, section 4, with pixels for regions and a share of the batch for a
    number. Pixels as hard as the last of the share count too; weights do not change which are hard.

    Args:
        share: The share of the labelled pixels that counts, above 0, at most 1.
        ignore_label: The label of void pixels.
        class_weights: One number a class, or None; they enter as in `CrossEntropy`.
        name: The loss's name.

    Raises:
        ValueError: If `share` is out of its range.
    """

    def __init__(
        self, share=0.25, *, ignore_label=VOID, class_weights=None, name="hardest_cross_entropy"
    ):
        super().__init__(ignore_label=ignore_label, class_weights=class_weights, name=name)
        if not 0 < share <= 1:
            raise ValueError(f"share={share} must be above 0 and at most 1.")
        self.share = share

    def value(self, labels, logits, weight):
        """Average the cross-entropy over the hardest labelled pixels."""
        loss = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        labelled = ops.where(weight > 0, loss, -1.0)
        ordered = ops.sort(ops.append(ops.reshape(-labelled, (-1,)), 1.0))
        count = ops.floor(self.share * ops.sum(ops.cast(weight > 0, "float32")))
        least = -ops.take(ordered, ops.maximum(ops.cast(count, "int32") - 1, 0))
        hard = ops.cast((labelled >= least) & (weight > 0), "float32")
        return weighted_mean(loss, per_pixel_weight(labels, weight * hard, self.class_weights))

    def get_config(self):
        """Give the arguments that rebuild the loss."""
        return super().get_config() | {"share": self.share}
