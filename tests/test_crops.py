"""Crops: what is cut out lies where it was, and comes back there."""

import numpy as np
import pytest

from segbook import detection
from segbook.samples import VOID


def picture(height=40, width=60):
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([columns, rows, 0 * rows], -1).astype(np.float32)
    return image / 100, ((columns // 7 + rows // 5) % 4).astype(np.uint8)


def test_a_square_of_the_same_size_is_the_picture_itself():
    image, mask = picture()
    crops, labels = detection.cut(image, [[10, 5, 26, 21]], 16, margin=0, mask=mask)
    np.testing.assert_allclose(crops[0], image[5:21, 10:26], atol=1e-6)
    np.testing.assert_array_equal(labels[0], mask[5:21, 10:26])


@pytest.mark.parametrize("size", [5, 8, 20, 64])
@pytest.mark.parametrize("margin", [0, 0.3])
def test_crops_show_the_right_places(size, margin):
    # The picture holds its own coordinates, which a crop must show at its pixels' centres.
    image, _ = picture()
    left, top, right, bottom = 20, 10, 32, 28
    crop = detection.cut(image, [[left, top, right, bottom]], size, margin=margin)[0]
    side = (bottom - top) * (1 + 2 * margin)
    places = (np.arange(size) + 0.5) / size * side
    x = (left + right) / 2 - side / 2 + places - 0.5
    y = (top + bottom) / 2 - side / 2 + places - 0.5
    np.testing.assert_allclose(crop[..., 0], np.tile(x / 100, (size, 1)), atol=2e-3)
    np.testing.assert_allclose(crop[..., 1], np.tile(y[:, None] / 100, (1, size)), atol=2e-3)


def test_beyond_the_border_is_black_and_void():
    image, mask = picture()
    crop, label = detection.cut(image + 0.1, [[-8, -8, 8, 8]], 16, margin=0, mask=mask)
    assert not crop[0, :8].any()
    assert not crop[0, :, :8].any()
    assert crop[0, 8:, 8:, :].min() > 0.05
    assert (label[0, :8] == VOID).all()
    np.testing.assert_array_equal(label[0, 8:, 8:], mask[:8, :8])
    crop, label = detection.cut(image, [[500, 500, 510, 510]], 4, mask=mask)
    assert not crop.any()
    assert (label == VOID).all()


def test_what_shrinks_is_blurred():
    stripes = np.tile((np.arange(64) % 2).astype(np.float32)[None, :, None], (64, 1, 3))
    crop = detection.cut(stripes, [[0, 0, 64, 64]], 16, margin=0)[0]
    np.testing.assert_allclose(crop[4:-4, 4:-4], 0.5, atol=0.03)


def test_no_boxes_give_no_crops():
    image, mask = picture()
    crops, labels = detection.cut(image, [], 8, mask=mask)
    assert crops.shape == (0, 8, 8, 3)
    assert labels.shape == (0, 8, 8)
    pasted = detection.paste(labels, [], (40, 60))
    assert pasted.shape == (40, 60)
    assert not pasted.any()


@pytest.mark.parametrize("margin", [0, 0.25])
def test_pasting_undoes_cutting(margin):
    image, mask = picture()
    boxes = [[6, 4, 30, 20], [40, 10, 60, 40], [-10, 20, 20, 50]]
    _, labels = detection.cut(image, boxes, 192, margin=margin, mask=mask)
    pasted = detection.paste(labels, boxes, (40, 60), margin=margin)
    rows, columns = np.mgrid[:40, :60] + 0.5
    covered = np.zeros((40, 60), bool)
    for left, top, right, bottom in boxes:
        half = max(right - left, bottom - top) * (0.5 + margin) - 1
        x, y = (left + right) / 2, (top + bottom) / 2
        covered |= (abs(columns - x) < half) & (abs(rows - y) < half)
    assert covered.mean() > 0.5
    np.testing.assert_array_equal(pasted[covered], mask[covered])


def test_the_largest_box_wins_and_background_gives_way():
    labels = np.stack([np.full((8, 8), 1), np.full((8, 8), 2)]).astype(np.uint8)
    labels[1, :4] = 0
    boxes = [[0, 0, 8, 8], [0, 0, 16, 16]]
    for order in ([0, 1], [1, 0]):
        pasted = detection.paste(labels[order], np.array(boxes)[order], (16, 16), margin=0)
        assert (pasted[8:] == 2).all()
        assert (pasted[:8, :8] == 1).all()
        assert not pasted[:8, 8:].any()


def test_huge_pictures_cost_no_more_than_their_squares():
    huge = np.zeros((4000, 6000, 3), np.float32)
    huge[2000:2100, 3000:3100] = 1
    crop = detection.cut(huge, [[3000, 2000, 3100, 2100]], 50, margin=0)[0]
    np.testing.assert_allclose(crop[5:-5, 5:-5], 1, atol=1e-3)


def test_refuses():
    image, _ = picture()
    with pytest.raises(ValueError, match="grey one becomes"):
        detection.cut(image[..., 0], [[0, 0, 4, 4]], 8)
    with pytest.raises(ValueError, match="swapped corners"):
        detection.cut(image, [[4, 0, 0, 4]], 8)
    with pytest.raises(ValueError, match="zero size"):
        detection.paste(np.zeros((1, 4, 4), int), [[4, 0, 4, 4]], (8, 8))
    with pytest.raises(ValueError, match=r"must be \(2, s, s\)"):
        detection.paste(np.zeros((1, 4, 4), int), [[0, 0, 4, 4]] * 2, (8, 8))
    with pytest.raises(ValueError, match="margin"):
        detection.cut(image, [[0, 0, 4, 4]], 8, margin=-1)
