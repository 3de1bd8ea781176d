"""What a confusion matrix says: scores per class, their means, and a printed report.

Rows are the true classes, columns the predicted ones. The score functions take `xp`, the module
that computes: NumPy in float64, or `keras.ops` inside a compiled function; the formulas are the
same. A score that would divide by zero, because nothing was there to measure, is NaN, and means
leave it out.
"""

import numpy as np


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
