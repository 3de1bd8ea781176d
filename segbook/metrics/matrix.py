"""The exact confusion matrix that most metrics count in."""

import numpy as np
from keras import ops

from segbook.checks import check_class_values, check_mask_and_logits
from segbook.metrics import scores
from segbook.metrics.counts import (
    CountingMetric,
    count_pairs,
    known_labels,
    predicted_classes,
    predicted_objects,
)
from segbook.samples import VOID


class ConfusionMetric(CountingMetric):
    """Count pixels by true and predicted class; the base of the metrics of exclusive classes.

    Args:
        num_classes: C, the number of logits a pixel. 1 is one sigmoid: then there are two classes,
            background (0) and object (1), in the matrix and in the means.
        threshold: For one logit a pixel, the probability above which it is object.
        ignore_label: The label whose pixels are not counted, several, or None for none. One that is
            itself a class is also left out of the means over classes.
        class_names: One name a class, for the report; None names them by number.
        name: The metric's name in logs; None for the class's default.

    Raises:
        ValueError: If an argument is out of its range, or the number of names is not the number of
            classes.
    """

    default_name = "confusion"
    extra_labels = 0

    def __init__(
        self, num_classes, *, threshold=0.5, ignore_label=VOID, class_names=None, name=None
    ):
        num_labels = max(num_classes, 2)
        size = num_labels + self.extra_labels
        super().__init__(
            num_classes,
            (size, size),
            num_labels,
            threshold=threshold,
            ignore_label=ignore_label,
            class_names=class_names,
            name=name,
        )
        check_class_values("class_names", class_names, num_labels)
        if num_classes > 1 and threshold != 0.5:
            raise ValueError(
                f"threshold={threshold} needs num_classes=1; of num_classes={num_classes} logits "
                "the highest is predicted."
            )
        self.size = size

    def pairs(self, labels, predicted):
        """Choose what to count: a hook for metrics that look at a part of the pixels.

        Args:
            labels: int32 `(n, h, w)`: true classes, IGNORED or INVALID.
            predicted: int32 `(n, h, w)`: predicted classes.

        Returns:
            Both, changed or not, for `count_pairs`.
        """
        return labels, predicted

    def count(self, y_true, y_pred):
        """Count the pixels of a batch by true and predicted class."""
        check_mask_and_logits(y_true, y_pred, self.num_classes)
        truth, logits = ops.cast(y_true, "int32"), ops.cast(y_pred, "float32")
        if self.num_classes == 1:
            predicted = predicted_objects(ops.squeeze(logits, -1), self.threshold)
        else:
            predicted = predicted_classes(logits)
        labels = known_labels(truth, predicted, self.num_labels, self.ignored)
        return count_pairs(*self.pairs(labels, predicted), self.size, self.size)

    def ignored_classes(self) -> np.ndarray:
        """Tell which classes are left out of the means because their own label is ignored."""
        return np.isin(np.arange(self.num_labels), self.ignored)

    def per_class(self) -> dict[str, np.ndarray]:
        """Score every class; NaN where there was nothing to measure, or the class is ignored.

        Returns:
            "pixels" (int64, its true pixels), "iou", "precision", "recall" and "f1" (float64), each
            an array `(C,)`; two numbers for one logit a pixel, background and object.

        Raises:
            ValueError: As `matrix`.
        """
        matrix = self.matrix()
        found = {"pixels": matrix.sum(axis=1)[: self.num_labels]}
        for measure in (scores.iou, scores.precision, scores.recall, scores.f1):
            values = measure(matrix)[: self.num_labels]
            found[measure.__name__] = np.where(self.ignored_classes(), np.nan, values)
        return found


class ClassMean(ConfusionMetric):
    """The mean over classes of one score; subclasses name it as `measure`."""

    def score(self, matrix, xp):
        """Average `measure` over the measured classes, ignored ones left out."""
        values = self.measure(matrix, xp)[: self.num_labels]
        values = xp.where(self.ignored_classes(), float("nan"), values)
        return scores.mean_of_measured(values, xp)
