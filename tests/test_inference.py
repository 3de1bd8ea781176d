"""Tiles are compared with the whole picture at once."""

import keras
import numpy as np
import pytest
from harness import picture, shake

from segbook import backbones
from segbook.inference import overlap_tile, predict_blended, predict_tiled
from segbook.models import fcn, unet

EXACT = 1e-4


def small_unet(depth, padding="same"):
    return shake(unet(3, width=4, depth=depth, padding=padding))


def whole(model, x):
    return model.predict_on_batch(x[None])[0]


@pytest.mark.parametrize(
    ("depth", "size", "tile"),
    [
        (2, (97, 133), 64),  # odd sizes, several tiles both ways
        (2, (50, 131), 56),  # one row of tiles, the last of another width
        (2, (64, 64), 64),  # one tile exactly
        (2, (65, 64), 64),  # one row more than a tile
        (2, (30, 41), 64),  # smaller than a tile
        (1, (61, 40), 26),
    ],
)
def test_tiles_equal_the_whole(depth, size, tile):
    model, x = small_unet(depth), picture(*size)[0]
    tiled = predict_tiled(model, x, tile, margin=6 * 2**depth, stride=2**depth)
    assert tiled.dtype == np.float32
    np.testing.assert_allclose(tiled, whole(model, x), atol=EXACT)


@pytest.mark.parametrize(
    ("predict", "padding"),
    [
        (lambda model, x: predict_tiled(model, x, tile=40, margin=12, stride=4), "same"),
        (lambda model, x: predict_blended(model, x, tile=40, stride=4), "same"),
        (lambda model, x: overlap_tile(model, x, tile=60, stride=4), "valid"),
    ],
)
def test_bytes_are_divided_by_255(predict, padding):
    model, x = small_unet(2, padding), (255 * picture(61, 70)[0]).astype("uint8")
    expected = predict(model, x / np.float32(255))
    np.testing.assert_allclose(predict(model, x), expected, atol=1e-6)


def test_what_is_decided_tile_by_tile_is_what_the_logits_decide():
    model, x = small_unet(2), picture(97, 133)[0]
    logits = predict_tiled(model, x, 64, 24, 4)
    for decide in (lambda tile: tile.argmax(2).astype("uint8"), lambda tile: tile[..., :2] > 0):
        found = predict_tiled(model, x, 64, 24, 4, decide=decide)
        assert found.dtype == decide(logits).dtype
        np.testing.assert_array_equal(found, decide(logits))


def test_a_smaller_margin_leaves_seams():
    model, x = small_unet(2), picture(97, 133)[0]
    expected = whole(model, x)
    seams = [
        np.abs(predict_tiled(model, x, 40 + 2 * margin, margin, 4) - expected).max()
        for margin in (0, 8, 24)
    ]
    assert seams[0] > seams[1] > EXACT > seams[2]


@pytest.mark.parametrize("corner", [0, 2])
def test_the_margin_in_the_docstring_is_the_smallest(corner):
    """Convolutions that look into one corner only carry the edge of a tile as far as it goes."""
    model = unet(2, width=1, depth=2)
    for weight in model.trainable_variables:
        if weight.shape[:2] == (3, 3):
            kernel = np.zeros(weight.shape, "float32")
            kernel[corner, corner] = 1
            weight.assign(kernel)
        elif len(weight.shape) == 4:
            weight.assign(np.ones(weight.shape, "float32"))
    x = picture(97, 97)[0]
    for margin, exact in ((20, False), (24, True)):
        tiled = predict_tiled(model, x, 16 + 2 * margin, margin, stride=4)
        assert np.allclose(tiled, whole(model, x)) is exact


@pytest.mark.parametrize(("size", "tile"), [((61, 90), 60), ((20, 17), 60), ((96, 40), 68)])
def test_overlap_tile_equals_the_whole_mirrored_picture(size, tile):
    model, x = small_unet(2, padding="valid"), picture(*size)[0]
    margin = 20
    tiled = overlap_tile(model, x, tile, stride=4)
    # Any size that fits the model will do: it only has to reach far enough.
    beyond = [(margin, 140 - margin - length) for length in size]
    mirrored = np.pad(x, (*beyond, (0, 0)), mode="reflect")
    expected = whole(model, mirrored)[: size[0], : size[1]]
    assert tiled.shape == (*size, 3)
    np.testing.assert_allclose(tiled, expected, atol=EXACT)


def test_a_network_with_bilinear_enlargement_is_tiled_too():
    encoder = backbones.small_encoder()
    model = shake(fcn(3, stride=8, backbone=encoder))
    x = picture(96, 400)[0]
    tiled = predict_tiled(model, x, tile=352, margin=160, stride=32)
    np.testing.assert_allclose(tiled, whole(model, x), atol=EXACT)


class Counting:
    """Notes the sizes of what it is asked to predict."""

    def __init__(self):
        self.sizes = []

    def predict_on_batch(self, x):
        self.sizes.append(x.shape[1:3])
        return np.zeros((*x.shape[:3], 2), "float32")


@pytest.mark.parametrize(
    ("size", "tile", "margin", "stride", "expected"),
    [
        ((360, 480), 304, 48, 8, (304, 304)),
        ((97, 133), 64, 24, 4, (61, 61)),  # a row and a column more than a multiple of the stride
        ((98, 50), 64, 8, 4, (62, 50)),
        ((101, 200), 16, 0, 1, (16, 16)),
    ],
)
def test_all_tiles_have_one_size(size, tile, margin, stride, expected):
    model = Counting()
    predict_tiled(model, np.zeros((*size, 3), "float32"), tile, margin, stride)
    assert set(model.sizes) == {expected}
    # Between the margins, whole strides.
    fewest = np.prod(
        [
            1 if n <= tile else np.ceil((n - t) / ((t - 2 * margin) // stride * stride)) + 1
            for n, t in zip(size, expected, strict=True)
        ]
    )
    assert len(model.sizes) == fewest


def test_tiles_with_room_for_one_stride():
    """The last ones are shorter where the picture is no multiple of the stride."""
    model, x = small_unet(2), picture(97, 64)[0]
    tiled = predict_tiled(model, x, tile=52, margin=24, stride=4)
    np.testing.assert_allclose(tiled, whole(model, x), atol=EXACT)
    counting = Counting()
    predict_tiled(counting, x, tile=52, margin=24, stride=4)
    assert set(counting.sizes) == {(52, 52), (49, 52)}


def test_of_several_outputs_the_first_counts():
    image = keras.Input((None, None, 3))
    one, two = (keras.layers.Conv2D(2, 1)(image) for _ in range(2))
    x = picture(20, 33)[0]
    tiled = predict_tiled(keras.Model(image, [one, two]), x, tile=16, margin=4, stride=4)
    np.testing.assert_allclose(tiled, whole(keras.Model(image, one), x), atol=EXACT)


def test_no_tile_is_larger_than_asked_and_no_work_is_done_twice():
    model = Counting()
    predict_tiled(model, np.zeros((1000, 70, 3), "float32"), tile=64, margin=8, stride=8)
    assert max(max(size) for size in model.sizes) == 64
    assert len(model.sizes) == 21 * 2  # 64 + 20 * 48 >= 1000, 64 + 48 >= 70


class Naming:
    """Gives each tile its number as its only logit."""

    def __init__(self):
        self.count = 0

    def predict_on_batch(self, x):
        self.count += 1
        return np.full((*x.shape[:3], 1), self.count, "float32")


def test_blended_tiles_are_weighted_by_a_gaussian():
    blended = predict_blended(Naming(), np.zeros((8, 12, 3), "float32"), tile=8)
    bell = np.exp(-(((np.arange(8) - 3.5) / 1) ** 2) / 2)  # the deviation is an eighth of 8
    first, second = np.pad(bell, (0, 4)), np.pad(bell, (4, 0))
    expected = (first + 2 * second) / (first + second)
    np.testing.assert_allclose(blended[..., 0], np.tile(expected, (8, 1)), rtol=1e-5)


@pytest.mark.parametrize("size", [(64, 64), (30, 41), (97, 133), (65, 200)])
def test_blending_does_not_change_what_does_not_depend_on_the_tile(size):
    image = keras.Input((None, None, 3))
    model = shake(keras.Model(image, keras.layers.Conv2D(2, 1)(image)))
    x = picture(*size)[0]
    blended = predict_blended(model, x, tile=64, stride=8)
    assert blended.dtype == np.float32
    np.testing.assert_allclose(blended, whole(model, x), atol=EXACT)


def test_blended_tiles_are_nearer_to_the_whole_than_tiles_laid_edge_to_edge():
    model, x = small_unet(2), picture(96, 160)[0]
    expected = whole(model, x)
    edge_to_edge = np.abs(predict_tiled(model, x, 32, 0, 4) - expected).mean()
    blended = np.abs(predict_blended(model, x, 32, stride=4) - expected).mean()
    assert EXACT < blended < 0.7 * edge_to_edge


@pytest.mark.parametrize(
    ("overlap", "stride", "expected"),
    [(0.5, 1, 5), (0.5, 8, 5), (0.25, 1, 4), (0, 1, 3), (0.9, 16, 9)],
)
def test_blended_tiles_overlap_by_the_share(overlap, stride, expected):
    model = Counting()
    x = np.zeros((64, 192, 3), "float32")
    predict_blended(model, x, tile=64, overlap=overlap, stride=stride)
    assert model.sizes == [(64, 64)] * expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"overlap": 1}, "overlap=1 must be"),
        ({"overlap": -0.1}, "overlap=-0.1 must be"),
        ({"stride": 0}, "tile=64, stride=0"),
        ({"stride": 65}, "tile=64, stride=65"),
    ],
)
def test_wrong_overlaps_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        predict_blended(Counting(), np.zeros((99, 99, 3), "float32"), tile=64, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tile": 64, "margin": 32, "stride": 4}, "tile=64, margin=32, stride=4"),
        ({"tile": 64, "margin": 6, "stride": 4}, "multiples of stride"),
        ({"tile": 66, "margin": 8, "stride": 4}, "multiples of stride"),
        ({"tile": 64, "margin": -4, "stride": 4}, "margin=-4"),
        ({"tile": 64, "margin": 0, "stride": 0}, "stride=0"),
    ],
)
def test_wrong_tiles_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        predict_tiled(Counting(), np.zeros((99, 99, 3), "float32"), **arguments)


@pytest.mark.parametrize(
    "predict",
    [
        lambda x: predict_tiled(Counting(), x, 64, 0, 1),
        lambda x: predict_blended(Counting(), x, 64),
        lambda x: overlap_tile(Counting(), x, 64, 1),
    ],
)
def test_a_batch_is_refused(predict):
    with pytest.raises(ValueError, match=r"picture of shape \(2, 9, 9, 3\)"):
        predict(np.zeros((2, 9, 9, 3), "float32"))


def test_a_model_that_does_not_fit_is_refused():
    x = picture(80, 80)[0]
    with pytest.raises(ValueError, match=r"\(24, 24\) for a tile of size \(64, 64\)"):
        predict_tiled(small_unet(2, padding="valid"), x, 64, 0, 4)
    with pytest.raises(ValueError, match=r"\(24, 24\) for a tile of size \(64, 64\)"):
        predict_blended(small_unet(2, padding="valid"), x, 64, stride=4)
    shrunk = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 4)])
    with pytest.raises(ValueError, match="61x61 logits"):
        overlap_tile(shrunk, x, 64, 1)
    with pytest.raises(ValueError, match="stride=32"):
        overlap_tile(small_unet(2, padding="valid"), x, 60, 32)
