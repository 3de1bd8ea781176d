"""What a confusion matrix says: scores per class, their means, and a printed report.

Rows are the true classes, columns the predicted ones. The score functions take `xp`, the module
that computes: NumPy in float64, or `keras.ops` inside a compiled function; the formulas are the
same. A score that would divide by zero, because nothing was there to measure, is NaN, and means
leave it out.
"""

import keras
import numpy as np
from keras import ops

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


def known_labels(truth, predicted, num_classes: int, ignore_labels=()):
    """Mark the pixels that cannot be counted.

    Args:
        truth: int32 true labels, any shape.
        predicted: int32 predicted classes, the same shape.
        num_classes: C.
        ignore_labels: True labels that are not counted.

    Returns:
        int32 true labels: 0 to C-1, or IGNORED, or INVALID where the label is neither a class nor
        ignored, or the prediction is not a class.
    """
    inside = (truth >= 0) & (truth < num_classes) & (predicted >= 0) & (predicted < num_classes)
    labels = ops.where(inside, truth, INVALID)
    for label in ignore_labels:
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


def count_values(values, size: int):
    """Count how often each of 0 to size-1 occurs.

    Args:
        values: int32 `(pixels,)`.
        size: One more than the largest possible value.

    Returns:
        int32 `(size,)`.
    """
    if keras.config.backend() == "tensorflow":
        # `ops.segment_sum` takes ten times as long here, and XLA does not compile `ops.bincount`.
        import tensorflow as tf

        none = tf.zeros((0,), "int32")
        return tf.raw_ops.DenseBincount(input=values, size=size, weights=none)
    return ops.segment_sum(ops.ones_like(values), values, num_segments=size)


def ratio(numerator, denominator, xp=np):
    """Divide; NaN where the denominator is 0."""
    return xp.where(denominator > 0, numerator / xp.maximum(denominator, 1), float("nan"))


def mean_of_measured(values, xp=np):
    """Average the values that are not NaN; NaN if there are none."""
    unmeasured = xp.isnan(values)
    count = xp.sum(xp.where(unmeasured, 0.0, 1.0))
    return ratio(xp.sum(xp.where(unmeasured, 0.0, values)), count, xp)


def recall(matrix, xp=np):
    """Hits among the pixels of each true class, also called class accuracy."""
    return ratio(xp.diagonal(matrix), xp.sum(matrix, axis=1), xp)


def precision(matrix, xp=np):
    """Hits among the pixels predicted as each class."""
    return ratio(xp.diagonal(matrix), xp.sum(matrix, axis=0), xp)


def f1(matrix, xp=np):
    """Dice coefficient of each class: twice the hits over true plus predicted pixels."""
    both = xp.sum(matrix, axis=0) + xp.sum(matrix, axis=1)
    return ratio(2 * xp.diagonal(matrix), both, xp)


def iou(matrix, xp=np):
    """Intersection over union of each class: hits over true or predicted pixels."""
    hits = xp.diagonal(matrix)
    return ratio(hits, xp.sum(matrix, axis=0) + xp.sum(matrix, axis=1) - hits, xp)


def pixel_accuracy(matrix, xp=np):
    """Hits among all pixels."""
    return ratio(xp.sum(xp.diagonal(matrix)), xp.sum(matrix), xp)


def frequency_weighted_iou(matrix, xp=np):
    """Average the IoUs, each weighted by its class's share of the true pixels."""
    truth = xp.sum(matrix, axis=1)
    weighted = xp.where(truth > 0, truth * iou(matrix, xp), 0.0)
    return ratio(xp.sum(weighted), xp.sum(truth), xp)


def row_shares(matrix) -> np.ndarray:
    """Give the share of each true class's pixels that was predicted as each class, for a figure.

    Args:
        matrix: int `(C, C)`, rows true.

    Returns:
        float64 `(C, C)`; rows sum to 1, and are NaN for classes without true pixels.
    """
    return ratio(matrix, matrix.sum(axis=1, keepdims=True))


def report(scores, class_names) -> str:
    """Set out per-class scores as a plain text table that is the same on every machine.

    Below the classes stand two means over the measured classes: plain, and weighted by the classes'
    true pixels. The weighted recall is the pixel accuracy, the weighted IoU the frequency-weighted
    IoU. A dash means that there was nothing to measure.

    Args:
        scores: Arrays by name, as `ConfusionMetric.per_class` gives them.
        class_names: One name a class.

    Returns:
        Lines of text.
    """
    pixels = scores["pixels"]
    columns = {"IoU": "iou", "precision": "precision", "recall": "recall", "F1": "f1"}
    means, weighted = [], []
    for key in columns.values():
        measured = np.where(np.isnan(scores[key]), 0, pixels)
        means.append(mean_of_measured(scores[key]))
        weighted.append(ratio(np.nansum(measured * scores[key]), measured.sum()))
    rows = [
        (name, f"{count:,}", *(scores[key][number] for key in columns.values()))
        for number, (name, count) in enumerate(zip(class_names, pixels, strict=True))
    ]
    rows += [("mean", "", *means), ("weighted mean", f"{pixels.sum():,}", *weighted)]
    wide = max(len(row[0]) for row in rows)
    count_wide = max(len("pixels"), *(len(row[1]) for row in rows))
    lines = [f"{'class':{wide}}  {'pixels':>{count_wide}}" + "".join(f"{c:>11}" for c in columns)]
    for name, count, *values in rows:
        cells = ("-" if np.isnan(value) else f"{value:.4f}" for value in values)
        lines.append(f"{name:{wide}}  {count:>{count_wide}}" + "".join(f"{c:>11}" for c in cells))
    return "\n".join(lines)
