"""Exact counts of pixels over a data set, and what is counted: labels, predictions, void."""

import math

import keras
import numpy as np
from keras import ops

from segbook.backend import concrete, count_values
from segbook.checks import ignored_labels, one_or_list
from segbook.metrics import scores

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
    predicted = num_classes - ops.cast(ops.max(highest * rank, axis=-1, initial=0), "int32")
    # XLA's max passes over NaN.
    return ops.where(ops.any(ops.isnan(logits), axis=-1), num_classes, predicted)


def predicted_objects(logits, threshold):
    """Give the label 1 to each sigmoid whose probability is above the threshold.

    Args:
        logits: float, any shape.
        threshold: The probability, above 0 and below 1.

    Returns:
        int32 of the shape of `logits`: 0 or 1; 2 where the logit is NaN.
    """
    predicted = ops.cast(logits > math.log(threshold / (1 - threshold)), "int32")
    return ops.where(ops.isnan(logits), 2, predicted)


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


def count_pairs(labels, predicted, rows: int, columns: int):
    """Count how often each true label met each predicted one.

    Args:
        labels: int32 true labels, any shape: 0 to rows-1, IGNORED or INVALID.
        predicted: int32 predicted labels, the same shape: 0 to columns-1 where `labels` is 0 or
            more.
        rows: The number of true labels.
        columns: The number of predicted labels.

    Returns:
        int32 `(rows, columns)`; and an int32 scalar, how many labels are INVALID. Exact up to 2^30
        pixels a call.
    """
    cells = rows * columns
    cell = ops.where(labels >= 0, labels * columns + predicted, cells - 1 - labels)
    counts = count_values(ops.reshape(cell, (-1,)), cells + 2)
    return ops.reshape(counts[:cells], (rows, columns)), counts[cells - 1 - INVALID]


class CountingMetric(keras.metrics.Metric):
    """Count pixels exactly over all batches; the base of every metric here.

    Subclasses define `count`, `score` and `per_class`.

    Args:
        num_classes: C, the number of logits a pixel.
        shape: The shape of the counts.
        num_labels: The labels of a mask are 0 to num_labels-1.
        threshold: The probability above which a sigmoid predicts 1, above 0 and below 1.
        ignore_label: The label whose pixels are not counted, several, or None for none.
        class_names: The names of what `per_class` gives, for the report; None for numbers.
        name: The metric's name in logs; None for the class's default.

    Raises:
        ValueError: If an argument is out of its range.
    """

    default_name = "counts"

    def __init__(
        self, num_classes, shape, num_labels, *, threshold, ignore_label, class_names, name
    ):
        super().__init__(name=name or self.default_name, dtype="float32")
        if num_classes < 1:
            raise ValueError(f"num_classes={num_classes} must be 1 or more.")
        if not 0 < threshold < 1:
            raise ValueError(f"threshold={threshold} must be above 0 and below 1.")
        self.num_classes = num_classes
        self.num_labels = num_labels
        self.threshold = threshold
        self.ignored = ignored_labels(ignore_label)
        self.ignore_label = one_or_list(self.ignored)
        self.class_names = None if class_names is None else tuple(class_names)
        self.low = self.add_variable(shape, "zeros", dtype="int32", name="low")
        self.high = self.add_variable(shape, "zeros", dtype="int32", name="high")
        self.invalid = self.add_variable((), "zeros", dtype="int32", name="invalid")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count one batch.

        Args:
            y_true: integer mask `(n, h, w)`, or what the metric says.
            y_pred: logits `(n, h, w, num_classes)`, any float type.
            sample_weight: Must be None: pixels are counted, not weighted.

        Raises:
            ValueError: If the shapes do not fit, or sample weights are given.
        """
        if sample_weight is not None:
            raise ValueError(
                f"{self.name} counts pixels and takes no sample_weight; "
                "in compile, list it under metrics, not weighted_metrics"
            )
        counts, invalid = self.count(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
        low = self.low + counts
        self.high.assign(self.high + low // LIMB)
        self.low.assign(low % LIMB)
        self.invalid.assign(ops.minimum(self.invalid, 2**30) + invalid)

    def count(self, y_true, y_pred):
        """Count the pixels of a batch; subclasses define it.

        Args:
            y_true: The mask.
            y_pred: The logits.

        Returns:
            int32 counts of this batch, and an int32 scalar, how many labels are INVALID.
        """
        raise NotImplementedError

    def matrix(self) -> np.ndarray:
        """Give the counts so far, exactly.

        Returns:
            int64 array; for most metrics `(C, C)`, rows are the true classes, columns the predicted
            ones.

        Raises:
            ValueError: If labels were met that are neither a class nor ignored, or NaN logits.
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
                f"0..{self.num_labels - 1} and not ignore_label={self.ignore_label}, "
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
        """Compute the score from the counts; subclasses define it.

        Args:
            matrix: float, the counts.
            xp: NumPy or `keras.ops`.

        Returns:
            A scalar.
        """
        raise NotImplementedError

    def per_class(self) -> dict[str, np.ndarray]:
        """Score every class; subclasses define it. NaN where there was nothing to measure.

        Returns:
            "pixels" (int64, its true pixels), "iou", "precision", "recall" and "f1" (float64), one
            number a class.

        Raises:
            ValueError: As `matrix`.
        """
        raise NotImplementedError

    def report(self) -> str:
        """Set out the scores of every class as a table; see `scores.report`.

        Returns:
            Lines of text.

        Raises:
            ValueError: As `matrix`.
        """
        found = self.per_class()
        names = self.class_names or [str(number) for number in range(len(found["pixels"]))]
        return scores.report(found, names)

    def get_config(self):
        """Give the arguments that rebuild the metric."""
        return {
            "num_classes": self.num_classes,
            "threshold": self.threshold,
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
