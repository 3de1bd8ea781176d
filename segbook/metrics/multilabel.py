"""The metric of classes that overlap, one sigmoid each."""

import numpy as np
from keras import ops

from segbook.checks import check_class_values, check_mask_and_logits
from segbook.metrics import scores
from segbook.metrics.counts import (
    CountingMetric,
    count_pairs,
    known_labels,
    predicted_objects,
    register,
)
from segbook.samples import VOID


@register
class MultilabelIoU(CountingMetric):
    """The mean over classes that overlap of the intersection over union of each.

    Each class has a sigmoid and a mask of 0 and 1; its IoU is that of the label 1, and a class in
    neither truth nor prediction is left out. `matrix` gives `(C, 2, 2)`, one confusion matrix a
    class, as scikit-learn's `multilabel_confusion_matrix`. `update_state` takes masks
    `(n, h, w, C)`; for one logit a pixel also `(n, h, w)`, where the score is the object's IoU.

    Args:
        num_classes: C, the number of logits a pixel.
        threshold: The probability above which a class is predicted.
        ignore_label: The label that is not counted, several, or None for none; it may be set for
            some classes of a pixel only.
        class_names: One name a class, for the report; None names them by number.
        name: The metric's name in logs.

    Raises:
        ValueError: If an argument is out of its range, or the number of names is not `num_classes`.
    """

    default_name = "multilabel_iou"

    def __init__(
        self, num_classes, *, threshold=0.5, ignore_label=VOID, class_names=None, name=None
    ):
        super().__init__(
            num_classes,
            (num_classes, 2, 2),
            2,
            threshold=threshold,
            ignore_label=ignore_label,
            class_names=class_names,
            name=name,
        )
        check_class_values("class_names", class_names, num_classes)

    def count(self, y_true, y_pred):
        """Count the labels of a batch by class, truth and prediction."""
        check_mask_and_logits(y_true, y_pred, self.num_classes, overlapping=True)
        truth, logits = ops.cast(y_true, "int32"), ops.cast(y_pred, "float32")
        if len(truth.shape) == 3:
            if self.num_classes > 1:
                raise ValueError(
                    f"y_true of shape {tuple(y_true.shape)} must be one mask a class (n, h, w, C)."
                )
            truth = ops.expand_dims(truth, -1)
        predicted = predicted_objects(logits, self.threshold)
        labels = known_labels(truth, predicted, 2, self.ignored)
        # Each class has two rows of its own.
        first = 2 * ops.arange(self.num_classes, dtype="int32")
        rows = ops.where(labels < 0, labels, first + labels)
        counts, invalid = count_pairs(rows, predicted, 2 * self.num_classes, 2)
        return ops.reshape(counts, (self.num_classes, 2, 2)), invalid

    def score(self, matrix, xp):
        """Average the IoU of the label 1 over the measured classes."""
        ious = [scores.iou(matrix[number], xp)[1] for number in range(self.num_classes)]
        return scores.mean_of_measured(xp.stack(ious), xp)

    def per_class(self) -> dict[str, np.ndarray]:
        """Score the label 1 of every class; NaN where there was nothing to measure.

        Returns:
            "pixels" (int64, its true pixels), "iou", "precision", "recall" and "f1" (float64), each
            an array `(C,)`.

        Raises:
            ValueError: As `matrix`.
        """
        matrix = self.matrix()
        found = {"pixels": matrix[:, 1].sum(axis=1)}
        for measure in (scores.iou, scores.precision, scores.recall, scores.f1):
            found[measure.__name__] = np.array([measure(table)[1] for table in matrix])
        return found
