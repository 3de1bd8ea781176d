"""Class weights from how often each class occurs in a data set."""

import numpy as np

from segbook.checks import ignored_labels
from segbook.samples import VOID


def class_frequencies(masks, num_classes, *, ignore_label=VOID):
    """Count each class's pixels, and the labelled pixels of the pictures that show it.

    Args:
        masks: An iterable of integer masks `(h, w)`, such as `samples.masks` `(n, h, w)`.
        num_classes: C.
        ignore_label: The label of void pixels, which are not counted; several, or None for none.

    Returns:
        int64 `(C,)` twice: the pixels of each class; the labelled pixels of all pictures in which
        the class occurs.

    Raises:
        ValueError: If a mask is not `(h, w)`, a label is out of range, or no pixel is labelled.
    """
    ignored = ignored_labels(ignore_label)
    pixels = np.zeros(num_classes, "int64")
    around = np.zeros(num_classes, "int64")
    for mask in masks:
        mask = np.asarray(mask)
        if mask.ndim != 2:
            raise ValueError(f"masks with one of shape {mask.shape} must be masks (h, w).")
        labels = mask[~np.isin(mask, ignored)]
        unknown = labels[(labels < 0) | (labels >= num_classes)]
        if unknown.size:
            raise ValueError(
                f"masks with labels {np.unique(unknown)[:10].tolist()} must be "
                f"0..{num_classes - 1} or ignore_label={ignore_label}."
            )
        counts = np.bincount(labels, minlength=num_classes)
        pixels += counts
        around += np.where(counts > 0, labels.size, 0)
    if not pixels.any():
        raise ValueError("masks has no labelled pixel, so there are no frequencies.")
    return pixels, around


def median_frequency_weights(masks, num_classes, *, ignore_label=VOID):
    """Weigh classes by the median class frequency over their own (Eigen and Fergus 2015).

    The frequency of a class is its share of the pixels of the pictures that show it. SegNet's
    class balancing.

    Args:
        masks: An iterable of integer masks `(h, w)`, such as `samples.masks` `(n, h, w)`.
        num_classes: C.
        ignore_label: As in `class_frequencies`.

    Returns:
        float64 `(C,)`; 0 for a class that never occurs, which does not enter the median either.

    Raises:
        ValueError: As `class_frequencies`.
    """
    pixels, around = class_frequencies(masks, num_classes, ignore_label=ignore_label)
    occurs = pixels > 0
    frequency = pixels[occurs] / around[occurs]
    weights = np.zeros(num_classes)
    weights[occurs] = np.median(frequency) / frequency
    return weights


def inverse_frequency_weights(masks, num_classes, *, ignore_label=VOID):
    """Weigh classes by one over their share of all pixels.

    The scale makes the mean weight of a pixel 1, as scikit-learn's "balanced" class weights.

    Args:
        masks: An iterable of integer masks `(h, w)`, such as `samples.masks` `(n, h, w)`.
        num_classes: C.
        ignore_label: As in `class_frequencies`.

    Returns:
        float64 `(C,)`; 0 for a class that never occurs.

    Raises:
        ValueError: As `class_frequencies`.
    """
    pixels, _ = class_frequencies(masks, num_classes, ignore_label=ignore_label)
    occurs = pixels > 0
    weights = np.zeros(num_classes)
    weights[occurs] = pixels.sum() / (occurs.sum() * pixels[occurs])
    return weights
