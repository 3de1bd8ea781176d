"""The Lovász losses, which stand for IoU itself: of a softmax, and of sigmoids."""

from keras import ops

from segbook.backend import count_values
from segbook.losses.base import MaskLoss, register
from segbook.losses.binary import SigmoidLoss
from segbook.losses.regions import mean_of_present
from segbook.samples import VOID

BINS = 2**14  # into which errors are counted


@register
class LovaszSoftmax(MaskLoss):
    """The Lovász extension of one minus IoU, the mean over the classes in the batch's labels.

    Berman et al. 2018, equations 8, 9 and 11, over all pixels of the batch. The paper sorts the
    errors; here they are counted in `BINS` equal steps, and the errors in one step tie. That takes
    linear time, compiles well, gives equal errors equal gradients, and lowers each class's loss by
    less than 1 / BINS.

    Args:
        ignore_label: As in `MaskLoss`.
        class_weights: One number a class for the mean over classes, or None.
        name: The loss's name.

    Raises:
        ValueError: When called with `sample_weight`: a set of pixels has no weights; or with one
            logit a pixel.
    """

    def __init__(self, *, ignore_label=VOID, class_weights=None, name="lovasz_softmax"):
        super().__init__(ignore_label=ignore_label, class_weights=class_weights, name=name)

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Compute the loss of a batch, as `MaskLoss`, without sample weights."""
        refuse_sample_weight(self.name, sample_weight)
        y_pred = ops.convert_to_tensor(y_pred)
        if y_pred.shape[-1] == 1:
            raise ValueError(
                f"y_pred of shape {tuple(y_pred.shape)} must have 2 logits a pixel or more; for "
                "one, there is LovaszHinge."
            )
        return super().__call__(y_true, y_pred)

    def value(self, labels, logits, weight):
        """Average the loss over the classes in the labels."""
        truth = ops.one_hot(labels, logits.shape[-1])
        errors = ops.abs(truth - ops.softmax(logits))
        valid = ops.expand_dims(weight, -1) > 0
        loss, size = lovasz_extension(errors, 1 - errors, ops.cast(truth, "int32"), valid)
        return mean_of_present(loss, size, self.class_weights)


@register
class LovaszHinge(SigmoidLoss):
    """The Lovász extension of one minus the IoU of the object, over hinge losses.

    Yu and Blaschko 2015, with IoU as the set function: Berman et al. 2018, section 3. The errors
    are the hinge losses max(0, 1 - s z) of the logits z, s = 1 for the label 1 and -1 for 0, over
    all pixels of the batch (the authors' code: of each picture, unless told otherwise). With
    0/0 = 1, as there, one wrong pixel costs all where the labels show no object: then the loss is
    the largest error. Masks `(n, h, w, C)` of classes that overlap give the mean over the classes.

    Errors e are counted as in `LovaszSoftmax`, in `BINS` equal steps of 1 / (1 + e), which lowers
    the loss by less than (1 + e)^2 / BINS, e the largest error.

    Args:
        ignore_label: As in `MaskLoss`.
        name: The loss's name.

    Raises:
        ValueError: When called with `sample_weight`: a set of pixels has no weights.
    """

    def __init__(self, *, ignore_label=VOID, name="lovasz_hinge"):
        super().__init__(ignore_label=ignore_label, name=name)

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Compute the loss of a batch, as `MaskLoss`, without sample weights."""
        refuse_sample_weight(self.name, sample_weight)
        return super().__call__(y_true, y_pred)

    def value(self, labels, logits, weight):
        """Average the loss over the classes."""
        errors = ops.relu(1 - ops.where(labels == 1, logits, -logits))
        valid = weight > 0
        loss, size = lovasz_extension(errors, 1 / (1 + errors), labels, valid)
        largest = ops.max(ops.where(valid, errors, 0.0), axis=(0, 1, 2), initial=0.0)
        return ops.mean(ops.where(size > 0, loss, largest))


def lovasz_extension(errors, ease, truth, valid):
    """Sum the errors, each times what its pixel adds to one minus IoU, the largest errors first.

    Args:
        errors: float32 `(n, h, w, C)`, 0 or more.
        ease: float32 `(n, h, w, C)` in [0, 1]: the larger, the smaller the error.
        truth: int32 `(n, h, w, C)`: 1 for pixels of the class, else 0.
        valid: bool `(n, h, w, C)`, or `(n, h, w, 1)`: which pixels take part.

    Returns:
        float32 `(C,)`, the extension; int32 `(C,)`, the true pixels of each class.
    """
    num_classes = errors.shape[-1]
    bins = ops.minimum(ops.cast(ease * BINS, "int32"), BINS - 1)
    # Each pixel has one cell a class in a table (truth, class, bin).
    rows = truth * num_classes + ops.arange(num_classes, dtype="int32")
    cells = 2 * num_classes * BINS
    cell = ops.where(valid, rows * BINS + bins, cells)
    counts = count_values(ops.reshape(cell, (-1,)), cells + 1)
    added, missed = ops.unstack(ops.reshape(counts[:cells], (2, num_classes, BINS)), 2)
    slopes = ops.append(jaccard_slopes(added, missed), 0.0)
    return ops.sum(errors * ops.take(slopes, cell), axis=(0, 1, 2)), ops.sum(missed, axis=-1)


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


def refuse_sample_weight(name, sample_weight):
    """Raise if there are sample weights."""
    if sample_weight is not None:
        raise ValueError(f"{name} takes no sample_weight: a set of pixels has no weights.")
