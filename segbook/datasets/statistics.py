"""What is in a data set: pixels of each class, mean and deviation of the colours."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Statistics:
    """Counts over all pixels of a data set.

    Args:
        pixels: int64 `(num_classes,)`, pixels of each class.
        pictures: int64 `(num_classes,)`, pictures in which a class occurs.
        pixels_where_present: int64 `(num_classes,)`, labelled pixels of those pictures: what
            median-frequency balancing divides by.
        void: Pixels without a label.
        mean: float64 `(3,)`, of red, green and blue.
        deviation: float64 `(3,)`, standard deviation.
    """

    pixels: np.ndarray
    pictures: np.ndarray
    pixels_where_present: np.ndarray
    void: int
    mean: np.ndarray
    deviation: np.ndarray


def statistics(samples):
    """Count classes and measure colours, one picture in memory at a time.

    Args:
        samples: `Samples`, lazy or not.

    Returns:
        `Statistics`; counts are exact for any number of pixels.
    """
    count = samples.task.num_classes
    pixels, pictures, where_present = np.zeros((3, count), np.int64)
    void = 0
    total, squares = np.zeros((2, samples.images.shape[3]))
    for i in range(len(samples)):
        ids = np.bincount(np.asarray(samples.masks[i]).ravel(), minlength=256)
        pixels += ids[:count]
        pictures += ids[:count] > 0
        where_present += (ids[:count] > 0) * ids[:count].sum()
        void += int(ids[samples.task.void])
        picture = np.asarray(samples.images[i], np.float64)
        total += picture.sum((0, 1))
        squares += (picture**2).sum((0, 1))
    area = np.prod(samples.images.shape[:3])
    mean = total / area
    deviation = np.sqrt(np.maximum(squares / area - mean**2, 0))
    return Statistics(pixels, pictures, where_present, void, mean, deviation)
