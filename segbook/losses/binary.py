"""Losses of sigmoids only: the binary cross-entropy and its base."""

import numpy as np
from keras import ops

from segbook.checks import check_class_values, check_range
from segbook.losses.base import MaskLoss, register, weighted_mean
from segbook.samples import VOID


class SigmoidLoss(MaskLoss):
    """Take one logit a pixel, or masks `(n, h, w, C)` of classes that overlap; a base.

    Args:
        ignore_label: As in `MaskLoss`.
        name: The loss's name.
    """

    overlapping = True

    def __init__(self, *, ignore_label=VOID, name=None):
        super().__init__(ignore_label=ignore_label, name=name)

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Compute the loss of a batch, as `MaskLoss`; refuse logits of a softmax."""
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        if len(y_true.shape) == 3 and len(y_pred.shape) == 4 and y_pred.shape[-1] != 1:
            raise ValueError(
                f"y_pred of shape {tuple(y_pred.shape)} must have one logit a pixel, or y_true of "
                f"shape {tuple(y_true.shape)} one mask a class (n, h, w, C)."
            )
        return super().__call__(y_true, y_pred, sample_weight)

    def get_config(self):
        """Give the arguments that rebuild the loss."""
        return {"ignore_label": self.ignore_label, "name": self.name}


@register
class BinaryCrossEntropy(SigmoidLoss):
    """Sigmoid cross-entropy, the mean over the labelled pixels, and over the classes if several.

    With `pos_weight` it is PyTorch's `BCEWithLogitsLoss`: the weight multiplies the loss of the
    label 1, and the mean is not divided by it. Sample weights are divided by, as in `CrossEntropy`.
    For one logit a pixel and without `pos_weight` it is `CrossEntropy`.

    Args:
        pos_weight: How much more the label 1 counts than 0: a number, or one a class; 0 or more.
        label_smoothing: The share of the target, 0 to 1, that is moved to one half.
        ignore_label: As in `MaskLoss`.
        name: The loss's name.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self,
        *,
        pos_weight=1.0,
        label_smoothing=0.0,
        ignore_label=VOID,
        name="binary_cross_entropy",
    ):
        super().__init__(ignore_label=ignore_label, name=name)
        check_range("label_smoothing", label_smoothing, 0, 1)
        self.pos_weight = np.asarray(pos_weight, "float64").tolist()
        if not np.all(np.asarray(self.pos_weight) >= 0):
            raise ValueError(f"pos_weight={pos_weight} must be 0 or more.")
        self.label_smoothing = label_smoothing

    def value(self, labels, logits, weight):
        """Average the cross-entropy over the labels."""
        if isinstance(self.pos_weight, list):
            check_class_values("pos_weight", self.pos_weight, logits.shape[-1])
        target = ops.cast(labels, "float32")
        target = target + self.label_smoothing * (0.5 - target)
        positive = target * ops.convert_to_tensor(self.pos_weight, "float32")
        loss = positive * ops.softplus(-logits) + (1 - target) * ops.softplus(logits)
        return weighted_mean(loss, weight)

    def get_config(self):
        """Give the arguments that rebuild the loss."""
        settings = {"pos_weight": self.pos_weight, "label_smoothing": self.label_smoothing}
        return super().get_config() | settings
