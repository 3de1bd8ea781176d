"""The exact confusion matrix that every metric counts in."""

import keras
import numpy as np
from keras import ops

from segbook.backend import concrete, count_values
from segbook.checks import check_class_values, check_mask_and_logits
from segbook.metrics import scores
from segbook.samples import VOID

register = keras.saving.register_keras_serializable(package="segbook")

LIMB = 2**24  # counts are kept as high * LIMB + low: exact to 2^55 with 32-bit integers
IGNORED, INVALID = -1, -2


def predicted_classes(logits):
    """Give each pixel the class with the highest logit, the first one among equals.

    Args:
        logits: float `(n, h, w, C)`.

    Returns:
        int32 `(n, h, w)`: class ids; C where a logit is NaN.
    """
    # max, compare and max again: on TensorFlow's CPU a quarter of the time of `ops.argmax`.
    num_classes = logits.shape[-1]
    dtype = "uint8" if num_classes < 256 else "int32"
    rank = ops.cast(ops.arange(num_classes, 0, -1), dtype)
    top = ops.max(logits, axis=-1, keepdims=True, initial=-np.inf)
    highest = ops.cast(logits >= top, dtype)
    return num_classes - ops.cast(ops.max(highest * rank, axis=-1, initial=0), "int32")


def known_labels(truth, predicted, num_classes: int, ignored=()):
    """Mark the pixels that cannot be counted.

    Args:
        truth: int32 true labels, any shape.
        predicted: int32 predicted classes, the same shape.
        num_classes: C.
        ignored: True labels that are not counted.

    Returns:
        int32 true labels: 0 to C-1, or IGNORED, or INVALID where the label is neither a class nor
        ignored, or the prediction is not a class.
    """
    inside = (truth >= 0) & (truth < num_classes) & (predicted >= 0) & (predicted < num_classes)
    labels = ops.where(inside, truth, INVALID)
    for label in ignored:
        labels = ops.where(truth == label, IGNORED, labels)
    return labels


def count_pairs(labels, predicted, size: int):
    """Count how often each true label met each predicted one.

    Args:
        labels: int32 true labels, any shape: 0 to size-1, IGNORED or INVALID.
        predicted: int32 predicted labels, the same shape: 0 to size-1 where `labels` is.
        size: The number of labels.

    Returns:
        int32 `(size, size)`, the confusion matrix, rows true; and an int32 scalar, how many labels
        are INVALID. Exact up to 2^30 pixels a call.
    """
    cells = size * size
    cell = ops.where(labels >= 0, labels * size + predicted, cells - 1 - labels)
    counts = count_values(ops.reshape(cell, (-1,)), cells + 2)
    return ops.reshape(counts[:cells], (size, size)), counts[cells - 1 - INVALID]


class ConfusionMetric(keras.metrics.Metric):
    """Count pixels by true and predicted class; the base of every metric here.

    Args:
        num_classes: C, the number of logits a pixel.
        ignore_label: The label whose pixels are not counted, or several. One that is itself a class
            is also left out of the means over classes.
        class_names: One name a class, for the report; None names them by number.
        name: The metric's name in logs; None for the class's default.

    Raises:
        ValueError: If the number of names is not the number of classes.
    """

    default_name = "confusion"
    extra_labels = 0

    def __init__(self, num_classes, *, ignore_label=VOID, class_names=None, name=None):
        super().__init__(name=name or self.default_name, dtype="float32")
        check_class_values("class_names", class_names, num_classes)
        self.num_classes = num_classes
        self.ignore_label = ignore_label
        self.class_names = None if class_names is None else tuple(class_names)
        self.size = num_classes + self.extra_labels
        shape = (self.size, self.size)
        self.low = self.add_variable(shape, "zeros", dtype="int32", name="low")
        self.high = self.add_variable(shape, "zeros", dtype="int32", name="high")
        self.invalid = self.add_variable((), "zeros", dtype="int32", name="invalid")

    def pairs(self, labels, predicted):
        """Choose what to count: a hook for metrics that look at a part of the pixels.

        Args:
            labels: int32 `(n, h, w)`: true classes, IGNORED or INVALID.
            predicted: int32 `(n, h, w)`: predicted classes.

        Returns:
            Both, changed or not, for `count_pairs`.
        """
        return labels, predicted

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count one batch.

        Args:
            y_true: integer mask `(n, h, w)`.
            y_pred: logits `(n, h, w, num_classes)`, any float type. Their softmax counts the same.
            sample_weight: Must be None: pixels are counted, not weighted.

        Raises:
            ValueError: If the shapes do not fit, or sample weights are given.
        """
        if sample_weight is not None:
            raise ValueError(
                f"{self.name} counts pixels and takes no sample_weight; "
                "in compile, list it under metrics, not weighted_metrics"
            )
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        check_mask_and_logits(y_true, y_pred, self.num_classes)
        truth = ops.cast(y_true, "int32")
        predicted = predicted_classes(ops.cast(y_pred, "float32"))
        labels = known_labels(truth, predicted, self.num_classes, self.ignored())
        counts, invalid = count_pairs(*self.pairs(labels, predicted), self.size)
        low = self.low + counts
        self.high.assign(self.high + low // LIMB)
        self.low.assign(low % LIMB)
        self.invalid.assign(ops.minimum(self.invalid, 2**30) + invalid)

    def matrix(self) -> np.ndarray:
        """Give the counts so far, exactly.

        Returns:
            int64 `(C, C)`; rows are the true classes, columns the predicted ones.

        Raises:
            ValueError: If labels outside 0 to C-1 were met that are not ignored.
        """
        self.refuse_invalid()
        low, high = ops.convert_to_numpy(self.low), ops.convert_to_numpy(self.high)
        return high.astype("int64") * LIMB + low

    def refuse_invalid(self):
        """Raise if invalid pixels were counted and their number can be read."""
        invalid = concrete(self.invalid)
        if invalid is not None and invalid > 0:
            raise ValueError(
                f"{self.name} met {int(invalid)} pixels whose label in y_true is outside "
                f"0..{self.num_classes - 1} and not ignore_label={self.ignore_label}, "
                "or whose logits in y_pred are NaN"
            )

    def result(self):
        """Give the score so far; NaN if nothing was measured.

        Raises:
            ValueError: As `matrix`, outside compiled functions.
        """
        self.refuse_invalid()
        high, low = ops.cast(self.high, "float32"), ops.cast(self.low, "float32")
        return self.score(high * LIMB + low, ops)

    def score(self, matrix, xp):
        """Compute the score from a confusion matrix; subclasses define it.

        Args:
            matrix: float `(C, C)`.
            xp: NumPy or `keras.ops`.

        Returns:
            A scalar.
        """
        raise NotImplementedError

    def ignored(self) -> list[int]:
        """List the labels that are not counted."""
        return np.atleast_1d(self.ignore_label).tolist()

    def ignored_classes(self) -> np.ndarray:
        """Tell which classes are left out of the means because their own label is ignored."""
        return np.isin(np.arange(self.num_classes), self.ignored())

    def per_class(self) -> dict[str, np.ndarray]:
        """Score every class; NaN where there was nothing to measure, or the class is ignored.

        Returns:
            "pixels" (int64, its true pixels), "iou", "precision", "recall" and "f1" (float64), each
            an array `(C,)`.

        Raises:
            ValueError: As `matrix`.
        """
        matrix = self.matrix()
        found = {"pixels": matrix.sum(axis=1)[: self.num_classes]}
        for measure in (scores.iou, scores.precision, scores.recall, scores.f1):
            values = measure(matrix)[: self.num_classes]
            found[measure.__name__] = np.where(self.ignored_classes(), np.nan, values)
        return found

    def report(self) -> str:
        """Set out the scores of every class as a table; see `scores.report`.

        Returns:
            Lines of text.

        Raises:
            ValueError: As `matrix`.
        """
        names = self.class_names or [str(number) for number in range(self.num_classes)]
        return scores.report(self.per_class(), names)

    def get_config(self):
        """Give the arguments that rebuild the metric."""
        return {
            "num_classes": self.num_classes,
            "ignore_label": self.ignore_label,
            "class_names": self.class_names,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        """Rebuild the metric from what `get_config` gave; version 0.1 wrote `ignore_labels`."""
        config = dict(config)
        if "ignore_labels" in config:
            config["ignore_label"] = config.pop("ignore_labels")
        return cls(**config)


class ClassMean(ConfusionMetric):
    """The mean over classes of one score; subclasses name it as `measure`."""

    def score(self, matrix, xp):
        """Average `measure` over the measured classes, ignored ones left out."""
        values = self.measure(matrix, xp)[: self.num_classes]
        values = xp.where(self.ignored_classes(), float("nan"), values)
        return scores.mean_of_measured(values, xp)
