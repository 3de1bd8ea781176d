"""Class weights against counts by hand and scikit-learn."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from segbook.losses.class_weights import inverse_frequency_weights, median_frequency_weights

MASKS = np.array(
    [
        [[0, 0, 0, 0], [0, 0, 1, 1]],  # 8 labelled: 6 of class 0, 2 of class 1
        [[0, 0, 3, 255], [255, 255, 255, 255]],  # 3 labelled: 2 of class 0, 1 of class 3
    ],
    "uint8",
)


def test_median_frequency_by_hand():
    frequency = {0: 8 / 11, 1: 2 / 8, 3: 1 / 3}
    expected = [(1 / 3) / frequency[c] if c in frequency else 0 for c in range(4)]
    np.testing.assert_allclose(median_frequency_weights(MASKS, 4), expected)
    np.testing.assert_allclose(median_frequency_weights(iter(MASKS.astype("int64")), 4), expected)


def test_inverse_frequency_equals_scikit_learn():
    labels = MASKS[MASKS != 255]
    expected = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=labels)
    found = inverse_frequency_weights(MASKS, 4)
    np.testing.assert_allclose(found[[0, 1, 3]], expected)
    assert found[2] == 0
    assert found[labels].mean() == pytest.approx(1)


@pytest.mark.parametrize("weigh", [median_frequency_weights, inverse_frequency_weights])
@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (MASKS[None], r"one of shape \(2, 2, 4\) must be masks \(h, w\)"),
        (np.where(MASKS == 3, 7, MASKS), r"labels \[7\] must be 0..4"),
        (np.full((1, 2, 2), 255, "uint8"), "no labelled pixel"),
        (MASKS[:0], "no labelled pixel"),
    ],
)
def test_refuses(weigh, masks, message):
    with pytest.raises(ValueError, match=message):
        weigh(masks, 5)


def test_several_labels_or_none_are_ignored():
    expected = median_frequency_weights(np.where(MASKS == 3, 255, MASKS), 4)
    found = median_frequency_weights(MASKS, 4, ignore_label=(255, 3))
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match=r"labels \[255\] must be 0..3"):
        inverse_frequency_weights(MASKS, 4, ignore_label=None)
