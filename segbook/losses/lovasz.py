"""The Lovász-softmax loss, which stands for IoU itself."""

from keras import ops

from segbook.backend import count_values
from segbook.losses.base import MaskLoss, register
from segbook.losses.regions import mean_of_present
from segbook.samples import VOID

BINS = 2**14  # of the errors in `LovaszSoftmax`


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

    def __init__(self, *, ignore_label=VOID, class_weights=None, name="lovasz_softmax"):
        super().__init__(ignore_label=ignore_label, class_weights=class_weights, name=name)

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
