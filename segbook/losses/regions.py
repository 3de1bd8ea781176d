"""Losses that compare regions, one ratio a class: Dice and Tversky."""

from keras import ops

from segbook.checks import check_class_values, check_range
from segbook.losses.base import MaskLoss, are_sigmoids, register, weighted_mean
from segbook.samples import VOID

TINY = 1e-7  # keeps the slope of a power finite at 0


def class_sums(labels, logits, weight):
    """Sum probabilities over pixels; arguments as for `MaskLoss.value`.

    Returns:
        float32 `(C,)`, three times: the true pixels of each class, the class's probability there,
        and its probability everywhere.
    """
    if are_sigmoids(labels, logits):
        truth, probabilities = ops.cast(labels, "float32") * weight, ops.sigmoid(logits)
    else:
        weight = ops.expand_dims(weight, -1)
        truth, probabilities = ops.one_hot(labels, logits.shape[-1]) * weight, ops.softmax(logits)
    pixels = (0, 1, 2)
    predicted = ops.sum(probabilities * weight, axis=pixels)
    return ops.sum(truth, axis=pixels), ops.sum(probabilities * truth, axis=pixels), predicted


def mean_of_present(values, truth, class_weights):
    """Average over the classes that have true pixels, `truth > 0`; 0 if there are none."""
    check_class_values("class_weights", class_weights, truth.shape[0])
    weight = ops.cast(truth > 0, "float32")
    if class_weights is not None:
        weight = weight * ops.convert_to_tensor(class_weights, "float32")
    return weighted_mean(values, weight)


@register
class Tversky(MaskLoss):
    """One minus the Tversky index, the mean over the classes in the batch's labels.

    The index of a class is TP / (TP + alpha FP + beta FN), with probabilities instead of decisions,
    summed over all pixels of the batch (Salehi et al. 2017, equation 3). A class with no labelled
    pixel has no index and is left out: an empty truth with an empty prediction costs nothing, and
    false positives cost through the class that they take a pixel from.

    With sigmoids, one logit a pixel or masks `(n, h, w, C)` of classes that overlap, only the
    objects have an index, the background has none. So false positives cost nothing in a batch
    without the object; add `BinaryCrossEntropy`, which sees them.

    Args:
        alpha: The weight of false positives, at least 0.
        beta: The weight of false negatives, at least 0, and not 0 when `alpha` is.
        gamma: Each class's loss is raised to 1 / gamma, above 0: the focal Tversky loss (Abraham
            and Khan 2019, equation 4, best at 4/3, where alpha and beta trade names); 1 for the
            plain one.
        ignore_label: As in `MaskLoss`.
        class_weights: One number a class for the mean over classes, or None.
        name: The loss's name.

    Raises:
        ValueError: If an argument is out of its range.
    """

    overlapping = True

    def __init__(
        self,
        alpha=0.3,
        beta=0.7,
        *,
        gamma=1.0,
        ignore_label=VOID,
        class_weights=None,
        name="tversky",
    ):
        super().__init__(ignore_label=ignore_label, class_weights=class_weights, name=name)
        check_range("alpha", alpha, 0)
        check_range("beta", beta, 0)
        if alpha == beta == 0:
            raise ValueError(f"alpha={alpha} and beta={beta} must not both be 0.")
        if not gamma > 0:
            raise ValueError(f"gamma={gamma} must be above 0.")
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma

    def value(self, labels, logits, weight):
        """Average the loss over the classes in the labels."""
        truth, hits, predicted = class_sums(labels, logits, weight)
        below = hits + self.alpha * (predicted - hits) + self.beta * (truth - hits)
        loss = 1 - hits / ops.where(below > 0, below, 1.0)
        if self.gamma != 1:
            loss = ops.maximum(loss, TINY) ** (1 / self.gamma)
        return mean_of_present(loss, truth, self.class_weights)

    def get_config(self):
        """Give the arguments that rebuild the loss."""
        settings = {"alpha": self.alpha, "beta": self.beta, "gamma": self.gamma}
        return super().get_config() | settings


@register
class Dice(MaskLoss):
    """One minus the Dice coefficient, the mean over the classes in the batch's labels.

    The coefficient of a class is 2 TP / (2 TP + FP + FN), with probabilities instead of decisions,
    summed over all pixels of the batch: each class counts alike however small it is (Milletari et
    al. 2016, section 3, without the squares, and one coefficient a class). It is `Tversky` with
    alpha = beta = 1/2; absent classes and sigmoids are treated as there. So one logit a pixel gives
    the Dice of the object: for two logits that is `class_weights=[0, 1]`.

    Args:
        ignore_label: As in `MaskLoss`.
        class_weights: One number a class for the mean over classes, or None.
        name: The loss's name.
    """

    overlapping = True

    def __init__(self, *, ignore_label=VOID, class_weights=None, name="dice"):
        super().__init__(ignore_label=ignore_label, class_weights=class_weights, name=name)

    def value(self, labels, logits, weight):
        """Average the loss over the classes in the labels."""
        truth, hits, predicted = class_sums(labels, logits, weight)
        loss = 1 - 2 * hits / ops.where(truth > 0, truth + predicted, 1.0)
        return mean_of_present(loss, truth, self.class_weights)
