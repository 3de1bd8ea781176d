"""What every loss on (integer mask, logits) shares: checks, void, weights, sums of losses."""

import keras
from keras import ops

from segbook.backend import concrete
from segbook.checks import check_class_values, check_mask_and_logits
from segbook.samples import VOID

register = keras.saving.register_keras_serializable(package="segbook")


class Addable(keras.losses.Loss):
    """A loss that can be added to another and multiplied by a number."""

    def __init__(self, name):
        super().__init__(name=name, reduction="sum_over_batch_size", dtype="float32")

    def __add__(self, other):
        return WeightedSum([self, other], [1.0, 1.0])

    def __mul__(self, factor):
        return WeightedSum([self], [factor])

    __rmul__ = __mul__


@register
class WeightedSum(Addable):
    """Add losses, each times its factor; `CrossEntropy() + 0.5 * Dice()` gives one.

    Args:
        losses: The losses.
        factors: One number a loss.
        name: The loss's name.
    """

    def __init__(self, losses, factors, name="weighted_sum"):
        super().__init__(name)
        self.losses = list(losses)
        self.factors = [float(factor) for factor in factors]

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Compute the sum; arguments as for the losses in it."""
        terms = zip(self.factors, self.losses, strict=True)
        return sum(factor * loss(y_true, y_pred, sample_weight) for factor, loss in terms)

    def get_config(self):
        """Give the arguments that rebuild the loss."""
        losses = [keras.saving.serialize_keras_object(loss) for loss in self.losses]
        return {"losses": losses, "factors": self.factors, "name": self.name}

    @classmethod
    def from_config(cls, config):
        """Rebuild the loss from what `get_config` gave."""
        losses = [keras.saving.deserialize_keras_object(loss) for loss in config["losses"]]
        return cls(**(config | {"losses": losses}))


class MaskLoss(Addable):
    """Prepare a mask and logits for a loss: shapes, void, weights; the base of the losses here.

    Args:
        ignore_label: The label of void pixels: they change neither the loss nor its gradient.
        class_weights: One number a class, or None for equal weights.
        name: The loss's name.
    """

    def __init__(self, *, ignore_label=VOID, class_weights=None, name=None):
        super().__init__(name)
        self.ignore_label = ignore_label
        self.class_weights = None if class_weights is None else [float(w) for w in class_weights]

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Compute the loss of a batch.

        Args:
            y_true: integer mask `(n, h, w)`.
            y_pred: logits `(n, h, w, C)`, any float type; computed in float32.
            sample_weight: Weights of the pictures `(n,)` or of the pixels `(n, h, w)`, or None.

        Returns:
            A float32 scalar; 0 with zero gradient if every pixel is void or there are no pixels.

        Raises:
            ValueError: If the shapes do not fit; and where values can be read, that is outside
                compiled functions, if a label is neither void nor in 0 to C-1 (compiled, such a
                pixel counts as void), or if `y_pred` holds probabilities.
        """
        y_true = ops.convert_to_tensor(y_true)
        y_pred = ops.convert_to_tensor(y_pred)
        check_mask_and_logits(y_true, y_pred)
        check_class_values("class_weights", self.class_weights, y_pred.shape[-1])
        if sample_weight is None:
            sample_weight = 1.0
        else:
            sample_weight = ops.convert_to_tensor(sample_weight, "float32")
            if len(sample_weight.shape) == 1:
                sample_weight = ops.reshape(sample_weight, (-1, 1, 1))
        return super().__call__((y_true, sample_weight), y_pred)

    def call(self, y_true, y_pred):
        """Separate void from labels; `y_true` is the mask and its pixels' weights."""
        mask, weight = y_true
        mask = ops.cast(mask, "int32")
        num_classes = y_pred.shape[-1]
        labelled = mask != self.ignore_label
        inside = (mask >= 0) & (mask < num_classes)
        refuse_unknown_labels(mask, labelled & ~inside, num_classes, self.ignore_label)
        refuse_probabilities(y_pred)
        valid = labelled & inside
        labels = ops.where(valid, mask, 0)
        return self.value(labels, y_pred, ops.cast(valid, "float32") * weight)

    def value(self, labels, logits, weight):
        """Compute the loss; subclasses define it.

        Args:
            labels: int32 `(n, h, w)`, 0 to C-1; 0 where void.
            logits: float32 `(n, h, w, C)`.
            weight: float32 `(n, h, w)`, 0 where void.

        Returns:
            A scalar.
        """
        raise NotImplementedError

    def get_config(self):
        """Give the arguments that rebuild the loss."""
        return {
            "ignore_label": self.ignore_label,
            "class_weights": self.class_weights,
            "name": self.name,
        }


def refuse_unknown_labels(mask, unknown, num_classes, ignore_label):
    """Raise if the values can be read and some are unknown."""
    if concrete(ops.any(unknown)):
        values = sorted(set(ops.convert_to_numpy(mask)[ops.convert_to_numpy(unknown)].tolist()))
        raise ValueError(
            f"y_true with labels {values[:10]} must be 0..{num_classes - 1} or "
            f"ignore_label={ignore_label}."
        )


def refuse_probabilities(logits):
    """Raise if the values can be read and the first row of every picture sums to 1 everywhere."""
    row = logits[:, 0]
    total = ops.sum(row, axis=-1)
    looks = ops.all(row >= 0) & ops.all(ops.abs(total - 1) < 0.01)
    if concrete(looks) and total.shape[0]:
        raise ValueError(
            "y_pred must be logits, but its values are at least 0 and sum to 1 over the classes, "
            "as probabilities do; leave out the last softmax"
        )


def weighted_mean(values, weight):
    """Average `values` with `weight`; 0 where the weights sum to 0."""
    total = ops.sum(weight)
    return ops.sum(values * weight) / ops.where(total > 0, total, 1.0)
