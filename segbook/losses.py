"""Losses on (integer mask, logits): void pixels take no part, and losses add and scale."""

from keras import ops

from segbook.confusion import count_values
from segbook.maskloss import MaskLoss, register

TINY = 1e-7  # keeps the slope of a power finite at 0
BINS = 2**14  # of the errors in `LovaszSoftmax`


def weighted_mean(values, weight):
    """Average `values` with `weight`; 0 where the weights sum to 0."""
    total = ops.sum(weight)
    return ops.sum(values * weight) / ops.where(total > 0, total, 1.0)


def per_pixel_weight(labels, weight, class_weights):
    """Multiply each pixel's weight by the weight of its class."""
    if class_weights is None:
        return weight
    return weight * ops.take(ops.convert_to_tensor(class_weights, "float32"), labels)


def class_sums(labels, logits, weight):
    """Sum probabilities over pixels.

    Args:
        labels: int32 `(n, h, w)`.
        logits: float32 `(n, h, w, C)`.
        weight: float32 `(n, h, w)`, the weight of each pixel.

    Returns:
        float32 `(C,)`, three times: the true pixels of each class, the class's probability there,
        and its probability everywhere.
    """
    truth = ops.one_hot(labels, logits.shape[-1]) * ops.expand_dims(weight, -1)
    probabilities = ops.softmax(logits)
    pixels = (0, 1, 2)
    predicted = ops.sum(probabilities * ops.expand_dims(weight, -1), axis=pixels)
    return ops.sum(truth, axis=pixels), ops.sum(probabilities * truth, axis=pixels), predicted


def mean_of_present(values, truth, class_weights):
    """Average over the classes that have true pixels, `truth > 0`; 0 if there are none."""
    weight = ops.cast(truth > 0, "float32")
    if class_weights is not None:
        weight = weight * ops.convert_to_tensor(class_weights, "float32")
    return weighted_mean(values, weight)


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
        self, ignore_label=255, class_weights=None, label_smoothing=0.0, name="cross_entropy"
    ):
        super().__init__(ignore_label, class_weights, name)
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

    def __init__(self, gamma=2.0, ignore_label=255, class_weights=None, name="focal"):
        super().__init__(ignore_label, class_weights, name)
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
        self, share=0.25, ignore_label=255, class_weights=None, name="hardest_cross_entropy"
    ):
        super().__init__(ignore_label, class_weights, name)
        if not 0 < share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, got {share}")
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


@register
class Tversky(MaskLoss):
    """One minus the Tversky index, the mean over the classes in the batch's labels.

    The index of a class is TP / (TP + alpha FP + beta FN), with probabilities instead of decisions,
    summed over all pixels of the batch (Salehi et al. 2017, equation 3). A class with no labelled
    pixel has no index and is left out: an empty truth with an empty prediction costs nothing, and
    false positives cost through the class that they take a pixel from.

    Args:
        alpha: The weight of false positives.
        beta: The weight of false negatives.
        gamma: Each class's loss is raised to 1 / gamma: the focal Tversky loss (Abraham and Khan
            2019, equation 4, best at 4/3, where alpha and beta trade names); 1 for the plain one.
        ignore_label: The label of void pixels.
        class_weights: One number a class for the mean over classes, or None.
        name: The loss's name.
    """

    def __init__(
        self,
        alpha=0.3,
        beta=0.7,
        gamma=1.0,
        ignore_label=255,
        class_weights=None,
        name="tversky",
    ):
        super().__init__(ignore_label, class_weights, name)
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma

    def value(self, labels, logits, weight):
        """Average the loss over the classes in the labels."""
        truth, hits, predicted = class_sums(labels, logits, weight)
        below = hits + self.alpha * (predicted - hits) + self.beta * (truth - hits)
        loss = 1 - hits / ops.where(truth > 0, below, 1.0)
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
    alpha = beta = 1/2; absent classes are treated as there.

    Args:
        ignore_label: The label of void pixels.
        class_weights: One number a class for the mean over classes, or None.
        name: The loss's name.
    """

    def __init__(self, ignore_label=255, class_weights=None, name="dice"):
        super().__init__(ignore_label, class_weights, name)

    def value(self, labels, logits, weight):
        """Average the loss over the classes in the labels."""
        truth, hits, predicted = class_sums(labels, logits, weight)
        loss = 1 - 2 * hits / ops.where(truth > 0, truth + predicted, 1.0)
        return mean_of_present(loss, truth, self.class_weights)


@register
class LovaszSoftmax(MaskLoss):
    """The Lovász extension of one minus IoU, the mean over the classes in the batch's labels.

    Berman et al. 2018, equations 8, 9 and 11, over all pixels of the batch. The paper sorts the
    errors; here they are counted in `BINS` equal steps, and the errors in one step tie. That takes
    linear time, compiles well, gives equal errors equal gradients, and lowers each class's loss by
    less than 1 / BINS.

    Args:
        ignore_label: The label of void pixels.
        class_weights: One number a class for the mean over classes, or None.
        name: The loss's name.

    Raises:
        ValueError: When called with `sample_weight`: a set of pixels has no weights.
    """

    def __init__(self, ignore_label=255, class_weights=None, name="lovasz_softmax"):
        super().__init__(ignore_label, class_weights, name)

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Compute the loss of a batch, as `MaskLoss`, without sample weights."""
        if sample_weight is not None:
            raise ValueError(f"{self.name} takes no sample_weight: a set of pixels has no weights")
        return super().__call__(y_true, y_pred)

    def value(self, labels, logits, weight):
        """Average the loss over the classes in the labels."""
        num_classes = logits.shape[-1]
        truth = ops.one_hot(labels, num_classes)
        errors = ops.abs(truth - ops.softmax(logits))
        # Each pixel has one cell a class in a table (truth, class, bin), largest errors first.
        bins = ops.minimum(ops.cast((1 - errors) * BINS, "int32"), BINS - 1)
        rows = ops.cast(truth, "int32") * num_classes + ops.arange(num_classes, dtype="int32")
        cells = 2 * num_classes * BINS
        cell = ops.where(ops.expand_dims(weight, -1) > 0, rows * BINS + bins, cells)
        counts = count_values(ops.reshape(cell, (-1,)), cells + 1)
        added, missed = ops.unstack(ops.reshape(counts[:cells], (2, num_classes, BINS)), 2)
        slopes = ops.append(jaccard_slopes(added, missed), 0.0)
        loss = ops.sum(errors * ops.take(slopes, cell), axis=(0, 1, 2))
        return mean_of_present(loss, ops.sum(missed, axis=-1), self.class_weights)


def jaccard_slopes(added, missed):
    """Give how much one minus IoU grows with each wrong pixel, when bins go wrong in turn.

    Args:
        added: int32 `(C, bins)`: pixels that are not of the class.
        missed: int32 `(C, bins)`: pixels of the class; in a bin they go wrong first.

    Returns:
        float32 `(2, C, bins)`: the growth for each added pixel, and for each missed one: the
        gradient of the Lovász extension (Berman et al. 2018, equation 9).
    """
    size = ops.sum(missed, axis=-1, keepdims=True)
    intersection = ops.cast(size - ops.cumsum(missed, axis=-1), "float32")
    union = size + ops.cumsum(added, axis=-1)
    before = ops.cast(ops.maximum(union - added, 1), "float32")
    after = ops.cast(ops.maximum(union, 1), "float32")
    return ops.stack([intersection / (before * after), 1 / before])
