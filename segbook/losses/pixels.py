"""Losses that are means over pixels: cross-entropy, focal, hardest pixels."""

from keras import ops

from segbook.checks import check_class_values, check_range
from segbook.losses.base import MaskLoss, are_sigmoids, count_labels, register, weighted_mean
from segbook.samples import VOID

TINY = 1e-7  # keeps the slope of a power finite at 0


def cross_entropy(labels, logits):
    """Give the cross-entropy of each label; arguments as for `MaskLoss.value`.

    Returns:
        float32 of the shape of `labels`. A sigmoid's is that of the softmax of (0, logit).
    """
    if are_sigmoids(labels, logits):
        return ops.softplus(ops.where(labels == 1, -logits, logits))
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def mean_cross_entropy(labels, logits):
    """Give the mean over all labels of the cross-entropy that each of them would have there."""
    if are_sigmoids(labels, logits):
        return ops.softplus(logits) - logits / 2
    return ops.logsumexp(logits, axis=-1) - ops.mean(logits, axis=-1)


def smoothed_cross_entropy(labels, logits, label_smoothing):
    """Spread a share of the target evenly over the labels."""
    loss = cross_entropy(labels, logits)
    if label_smoothing:
        everywhere = mean_cross_entropy(labels, logits)
        loss = (1 - label_smoothing) * loss + label_smoothing * everywhere
    return loss


def per_pixel_weight(labels, logits, weight, class_weights):
    """Multiply each label's weight by the weight of its class."""
    check_class_values("class_weights", class_weights, count_labels(labels, logits))
    if class_weights is None:
        return weight
    return weight * ops.take(ops.convert_to_tensor(class_weights, "float32"), labels)


@register
class CrossEntropy(MaskLoss):
    """Softmax cross-entropy, the mean over the labelled pixels.

    One logit a pixel is the logit of class 1 against class 0, as the two logits (0, logit). With
    weights, the mean is the sum of weight times loss over the sum of the weights, as in PyTorch:
    the scale of the weights does not matter.

    Args:
        ignore_label: As in `MaskLoss`.
        class_weights: One number a class, two for one logit a pixel; or None.
        label_smoothing: The share of the target, 0 to 1, that is spread evenly over the classes
            (Szegedy et al. 2016, section 7).
        name: The loss's name.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self, *, ignore_label=VOID, class_weights=None, label_smoothing=0.0, name="cross_entropy"
    ):
        super().__init__(ignore_label=ignore_label, class_weights=class_weights, name=name)
        check_range("label_smoothing", label_smoothing, 0, 1)
        self.label_smoothing = label_smoothing

    def value(self, labels, logits, weight):
        """Average the cross-entropy over the labelled pixels."""
        loss = smoothed_cross_entropy(labels, logits, self.label_smoothing)
        return weighted_mean(loss, per_pixel_weight(labels, logits, weight, self.class_weights))

    def get_config(self):
        """Give the arguments that rebuild the loss."""
        return super().get_config() | {"label_smoothing": self.label_smoothing}


@register
class Focal(MaskLoss):
    """Cross-entropy times `(1 - p)^gamma`, p the probability of the true class.

    Lin et al. 2017, equation 4, averaged over the labelled pixels, not divided by the number of
    objects. With a softmax here, so that gamma 0 is `CrossEntropy`; with one sigmoid a class, as in
    the paper, for one logit a pixel and for masks `(n, h, w, C)` of classes that overlap. The
    paper's alpha (equation 5) is `class_weights`, (1 - alpha, alpha) for sigmoids; they enter as in
    `CrossEntropy`.

    Args:
        gamma: How much less easy pixels count, at least 0.
        ignore_label: As in `MaskLoss`.
        class_weights: One number a class; for sigmoids two, of the labels 0 and 1; or None.
        name: The loss's name.

    Raises:
        ValueError: If an argument is out of its range.
    """

    overlapping = True

    def __init__(self, gamma=2.0, *, ignore_label=VOID, class_weights=None, name="focal"):
        super().__init__(ignore_label=ignore_label, class_weights=class_weights, name=name)
        check_range("gamma", gamma, 0)
        self.gamma = gamma

    def value(self, labels, logits, weight):
        """Average the focal loss over the labelled pixels."""
        loss = cross_entropy(labels, logits)
        missing = ops.maximum(-ops.expm1(-loss), TINY)
        loss = missing**self.gamma * loss
        return weighted_mean(loss, per_pixel_weight(labels, logits, weight, self.class_weights))

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
        ignore_label: As in `MaskLoss`.
        class_weights: As in `CrossEntropy`; they enter as there.
        name: The loss's name.

    Raises:
        ValueError: If an argument is out of its range.
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
        loss = cross_entropy(labels, logits)
        labelled = ops.where(weight > 0, loss, -1.0)
        ordered = ops.sort(ops.append(ops.reshape(-labelled, (-1,)), 1.0))
        count = ops.floor(self.share * ops.sum(ops.cast(weight > 0, "float32")))
        least = -ops.take(ordered, ops.maximum(ops.cast(count, "int32") - 1, 0))
        hard = ops.cast((labelled >= least) & (weight > 0), "float32")
        weight = per_pixel_weight(labels, logits, weight * hard, self.class_weights)
        return weighted_mean(loss, weight)

    def get_config(self):
        """Give the arguments that rebuild the loss."""
        return super().get_config() | {"share": self.share}
