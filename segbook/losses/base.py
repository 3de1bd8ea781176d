"""What every loss on (integer mask, logits) shares: checks, void, weights, sums of losses."""

import numbers

import keras
from keras import ops

from segbook.backend import concrete
from segbook.checks import check_mask_and_logits, check_sample_weight, ignored_labels, one_or_list
from segbook.samples import VOID

register = keras.saving.register_keras_serializable(package="segbook")


class Addable(keras.losses.Loss):
    """A loss that can be added to another, one of Keras's too, and scaled by a number."""

    def __init__(self, name):
        super().__init__(name=name, reduction="sum_over_batch_size", dtype="float32")

    def __add__(self, other):
        if isinstance(other, keras.losses.Loss):
            return WeightedSum([self, other], [1.0, 1.0])
        return NotImplemented

    def __radd__(self, other):
        if isinstance(other, keras.losses.Loss):
            return WeightedSum([other, self], [1.0, 1.0])
        # `sum` starts from 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __mul__(self, factor):
        if isinstance(factor, numbers.Real):
            return WeightedSum([self], [factor])
        return NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, divisor):
        return self * (1 / divisor) if isinstance(divisor, numbers.Real) else NotImplemented


@register
class WeightedSum(Addable):
    """Add losses, each times its factor; `CrossEntropy() + 0.5 * Dice()` gives one.

    Args:
        losses: The losses; those of `keras.losses` too.
        factors: One number a loss.
        name: The loss's name.

    Raises:
        ValueError: If there are not as many factors as losses.
    """

    def __init__(self, losses, factors, name="weighted_sum"):
        super().__init__(name)
        self.losses = list(losses)
        self.factors = [float(factor) for factor in factors]
        if len(self.factors) != len(self.losses):
            raise ValueError(
                f"factors of {len(self.factors)} numbers must have one a loss, {len(self.losses)}."
            )

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

    What the logits are follows from the shapes. C logits a pixel and a mask `(n, h, w)` of 0 to
    C-1: a softmax. One logit a pixel and a mask of 0 and 1: one sigmoid, the logit of 1 against 0.
    C logits a pixel and C masks of 0 and 1, `(n, h, w, C)`: classes that overlap, one sigmoid each,
    where the loss has `overlapping`.

    A loss is the mean over a batch. Under a TensorFlow strategy it is the mean over the replicas of
    the loss of each one's part of the batch, as with Keras's losses: parts count alike however many
    of their pixels are labelled, and ratios such as Dice are those of each part. On JAX with
    `keras.distribution` it stays the loss of the whole batch.

    Args:
        ignore_label: The label of void pixels, several, or None for none: they change neither the
            loss nor its gradient.
        class_weights: One number a class, 0 or more, or None for equal weights.
        name: The loss's name.

    Raises:
        ValueError: If an argument is out of its range.
    """

    overlapping = False

    def __init__(self, *, ignore_label=VOID, class_weights=None, name=None):
        super().__init__(name)
        self.ignored = ignored_labels(ignore_label)
        self.ignore_label = one_or_list(self.ignored)
        self.class_weights = None if class_weights is None else [float(w) for w in class_weights]
        if self.class_weights is not None and not all(w >= 0 for w in self.class_weights):
            raise ValueError(f"class_weights={self.class_weights} must be 0 or more.")

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Compute the loss of a batch.

        Args:
            y_true: integer mask `(n, h, w)`, or with `overlapping` `(n, h, w, C)`.
            y_pred: logits `(n, h, w, C)`, any float type; computed in float32.
            sample_weight: Weights of the pictures `(n,)` or of the pixels `(n, h, w)`, or None.

        Returns:
            A float32 scalar; 0 with zero gradient if every pixel is void or there are no pixels.

        Raises:
            ValueError: If the shapes do not fit; and where values can be read, that is outside
                compiled functions, if a label is neither void nor a class (compiled, such a pixel
                counts as void), or if `y_pred` holds probabilities that sum to 1.
        """
        y_true = ops.convert_to_tensor(y_true)
        y_pred = ops.convert_to_tensor(y_pred)
        check_mask_and_logits(y_true, y_pred, overlapping=self.overlapping)
        if sample_weight is None:
            weight = ops.ones((1, 1, 1), "float32")
        else:
            weight = ops.convert_to_tensor(sample_weight, "float32")
            check_sample_weight(weight, y_true.shape)
            if len(weight.shape) == 1:
                weight = ops.reshape(weight, (-1, 1, 1))
        return super().__call__((y_true, weight), y_pred)

    def call(self, y_true, y_pred):
        """Separate void from labels; `y_true` is the mask and its pixels' weights."""
        mask, weight = y_true
        mask = ops.cast(mask, "int32")
        if len(mask.shape) == 3 and y_pred.shape[-1] == 1:
            mask = ops.expand_dims(mask, -1)
        if len(mask.shape) == 4:
            weight = ops.expand_dims(weight, -1)
        else:
            refuse_probabilities(y_pred)
        num_labels = count_labels(mask, y_pred)
        inside = (mask >= 0) & (mask < num_labels)
        labelled = ops.ones_like(inside)
        for label in self.ignored:
            labelled &= mask != label
        refuse_unknown_labels(mask, labelled & ~inside, num_labels, self.ignore_label)
        valid = labelled & inside
        labels = ops.where(valid, mask, 0)
        # Void logits may be infinite, and 0 times infinity is NaN.
        shown = valid if len(mask.shape) == 4 else ops.expand_dims(valid, -1)
        logits = ops.where(shown, y_pred, 0.0)
        loss = self.value(labels, logits, ops.cast(valid, "float32") * weight)
        # Keras divides by the number of replicas whatever it reduces, but leaves scalars alone.
        return ops.reshape(loss, (1,))

    def value(self, labels, logits, weight):
        """Compute the loss; subclasses define it.

        Args:
            labels: int32 `(n, h, w)`, 0 to C-1; for sigmoids `(n, h, w, C)`, 0 and 1. 0 where void.
            logits: float32 `(n, h, w, C)`; 0 where void.
            weight: float32 of the shape of `labels`, 0 where void.

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


def are_sigmoids(labels, logits):
    """Tell by the ranks whether each logit has a label of its own."""
    return len(labels.shape) == len(logits.shape)


def count_labels(labels, logits):
    """Give the number of labels: 2 for sigmoids, else one a logit."""
    return 2 if are_sigmoids(labels, logits) else logits.shape[-1]


def refuse_unknown_labels(mask, unknown, num_labels, ignore_label):
    """Raise if the values can be read and some are unknown."""
    if concrete(ops.any(unknown)):
        values = sorted(set(ops.convert_to_numpy(mask)[ops.convert_to_numpy(unknown)].tolist()))
        raise ValueError(
            f"y_true with labels {values[:10]} must be 0..{num_labels - 1} or "
            f"ignore_label={ignore_label}."
        )


def refuse_probabilities(logits):
    """Raise if the values can be read and the first row of every picture sums to 1 everywhere."""
    row = logits[:, :1]
    total = ops.sum(row, axis=-1)
    looks = ops.all(row >= 0) & ops.all(ops.abs(total - 1) < 0.01)
    if 0 not in total.shape and concrete(looks):
        raise ValueError(
            "y_pred must be logits, but its values are at least 0 and sum to 1 over the classes, "
            "as probabilities do; leave out the last softmax."
        )


def weighted_mean(values, weight):
    """Average `values` with `weight`; 0 where the weights sum to 0."""
    total = ops.sum(weight)
    return ops.sum(values * weight) / ops.where(total > 0, total, 1.0)
