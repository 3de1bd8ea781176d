import numpy as np
import pytest
from scipy import ndimage

from segbook import augment

RNG = np.random.default_rng


def batch(count=5, height=12, width=17, seed=0):
    rng = RNG(seed)
    images = rng.random((count, height, width, 3), np.float32)
    return images, rng.integers(0, 4, (count, height, width), np.int32)


def matrices(old, new=None, count=1, **changes):
    identity = {"scale": 1.0, "angle": 0.0, "shear": 0.0, "mirrored": False, "shift": (0.0, 0.0)}
    arguments = {k: np.array([v] * count) for k, v in (identity | changes).items()}
    return augment.affine(old, new or old, **arguments)


def looked_up(image, mask, matrix, size, void=255):
    """The definition of `resample` for one pair, with loops."""
    height, width = mask.shape
    out = np.zeros((*size, image.shape[2]))
    labels = np.full(size, void)
    for row in range(size[0]):
        for column in range(size[1]):
            x, y = matrix @ (column, row, 1)
            if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
                continue
            labels[row, column] = mask[int(np.floor(y + 0.5)), int(np.floor(x + 0.5))]
            for r in (np.floor(y), np.floor(y) + 1):
                for c in (np.floor(x), np.floor(x) + 1):
                    weight = (1 - abs(y - r)) * (1 - abs(x - c))
                    inside = int(np.clip(r, 0, height - 1)), int(np.clip(c, 0, width - 1))
                    out[row, column] += weight * image[inside]
    return out, labels


@pytest.mark.parametrize("size", [(12, 17), (7, 9), (20, 30)])
def test_resample_equals_its_definition(size):
    images, masks = batch()
    rng = RNG(1)
    changes = augment.affine(
        (12, 17),
        size,
        scale=rng.uniform(0.5, 2, 5),
        angle=rng.uniform(-1, 1, 5),
        shear=rng.uniform(-0.3, 0.3, 5),
        mirrored=rng.random(5) < 0.5,
        shift=rng.uniform(-3, 3, (5, 2)),
    )
    warped, labels = augment.resample(images, masks, changes, size)
    for i in range(5):
        expected, expected_labels = looked_up(images[i], masks[i], changes[i], size)
        np.testing.assert_allclose(warped[i], expected, atol=1e-4)
        assert np.mean(labels[i] != expected_labels) < 0.005  # float32 at a pixel's very border


def test_resample_equals_scipy_inside():
    images, masks = batch(count=1, height=20, width=20)
    matrix = matrices((20, 20), scale=1.4, angle=0.5)[0]
    warped, _ = augment.resample(images, masks, matrix[None])
    swap = matrix[::-1, [1, 0, 2]].astype(float)  # scipy counts (row, column)
    for channel in range(3):
        expected = ndimage.affine_transform(
            images[0, ..., channel].astype(float), swap[:, :2], swap[:, 2], order=1
        )
        np.testing.assert_allclose(warped[0, 4:-4, 4:-4, channel], expected[4:-4, 4:-4], atol=1e-4)


def test_identity_gives_the_input_back_to_the_bit():
    images, masks = batch()
    for change in (
        augment.warp(mirror=0),
        augment.photometric(),
        augment.chain(),
        augment.chain(augment.warp(mirror=0), augment.photometric()),
    ):
        same, same_masks = change(images, masks, RNG(0))
        np.testing.assert_array_equal(same, images)
        np.testing.assert_array_equal(same_masks, masks)
        assert (same.dtype, same_masks.dtype) == (images.dtype, masks.dtype)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"mirrored": True}, lambda a: a[:, :, ::-1]),
        ({"angle": np.pi / 2}, lambda a: np.rot90(a, axes=(1, 2))),
        ({"angle": np.pi}, lambda a: a[:, ::-1, ::-1]),
        ({"shift": (2, 0), "size": (8, 12)}, lambda a: a[:, 4:, :]),
        ({"shift": (0, -3), "size": (12, 6)}, lambda a: a[:, :, :6]),
    ],
    ids=["mirror", "quarter turn", "half turn", "crop below", "crop left"],
)
def test_whole_number_changes_only_move_values(changes, expected):
    images, masks = batch(height=12, width=12)
    changes = dict(changes)
    size = changes.pop("size", (12, 12))
    moves = matrices((12, 12), size, 5, **changes)
    warped, labels = augment.resample(images, masks, moves, size)
    np.testing.assert_allclose(warped, expected(images), atol=1e-5)
    np.testing.assert_array_equal(labels, expected(masks))


@pytest.mark.parametrize("seed", range(6))
def test_an_impulse_lands_in_the_same_place_in_picture_and_mask(seed):
    """A square of light and its mask keep one centre: no half-pixel between the two lookups."""
    images = np.zeros((1, 64, 64, 3), np.float32)
    masks = np.zeros((1, 64, 64), np.int32)
    images[0, 28:37, 30:39] = 1
    masks[0, 28:37, 30:39] = 1
    change = augment.warp(scale=(0.9, 2), rotate=30, shear=15, translate=0.05)
    warped, labels = change(images, masks, RNG(seed))
    places = np.mgrid[:64, :64]
    light = (places * warped[0, ..., 0]).sum((1, 2)) / warped[0, ..., 0].sum()
    label = (places * (labels[0] == 1)).sum((1, 2)) / (labels[0] == 1).sum()
    np.testing.assert_allclose(light, label, atol=0.15)
    assert np.mean((warped[0, ..., 0] > 0.5) == (labels[0] == 1)) > 0.995


def test_no_label_that_was_not_there_but_void():
    images, masks = batch(count=8, height=30, width=30)
    masks = masks * 20  # far apart: an average of two labels would be a new number
    change = augment.warp(scale=(0.4, 2), rotate=45, shear=20, translate=0.2)
    _, labels = change(images, masks, RNG(0))
    assert set(np.unique(labels)) == {0, 20, 40, 60, 255}


@pytest.mark.parametrize("void", [255, 77])
def test_outside_is_void_in_the_mask_and_black_in_the_picture(void):
    images, masks = batch(height=30, width=30)
    images = images * 0.5 + 0.5
    change = augment.warp(scale=(0.5, 0.5), void=void)
    warped, labels = change(images, masks, RNG(0))
    np.testing.assert_array_equal(labels == void, (warped == 0).all(-1))
    assert np.mean(labels == void) == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("factor", [1 / 4, 1 / 3])
def test_stripes_finer_than_the_result_turn_grey(factor):
    """Stripes of three pixels have no place where a pixel stands for three or four of them."""
    stripes = np.cos(2 * np.pi * np.arange(96) / 2.9) / 2 + 0.5
    images = np.broadcast_to(stripes[:, None], (1, 96, 96, 3)).astype(np.float32)
    masks = np.zeros((1, 96, 96), np.int32)
    size = (round(96 * factor),) * 2
    bare = matrices((96, 96), size, scale=factor)
    aliased, _ = augment.resample(images, masks, bare, size)
    smooth, _ = augment.warp(size, scale=(factor, factor), mirror=0)(images, masks, RNG(0))
    assert smooth[0, 2:-2].std() < 0.25 * aliased[0, 2:-2].std()
    assert smooth.mean() == pytest.approx(0.5, abs=0.03)


def test_elastic_looks_up_picture_and_mask_at_the_same_places():
    _, masks = batch(count=6, height=64, width=48)
    masks = ndimage.zoom(masks[:, ::8, ::8], (1, 8, 8), order=0)
    images = np.repeat(masks[..., None] / 4, 3, axis=-1).astype(np.float32)
    bent, labels = augment.elastic(5)(images, masks, RNG(0))
    inside = labels != 255
    assert 0.5 < inside.mean() < 1
    assert (bent[~inside] == 0).all()
    same = np.abs(4 * bent[..., 0] - labels) < 0.5
    assert same[inside].mean() > 0.95
    assert set(np.unique(labels)) <= {0, 1, 2, 3, 255}
    assert np.mean(labels != masks) > 0.2


def test_elastic_shifts_the_grid_points_by_what_was_drawn():
    images, masks = batch(count=1, height=33, width=33)
    y, x = np.mgrid[:33, :33] / 100
    images[0, ..., 0], images[0, ..., 1] = y, x
    bent, labels = augment.elastic(3, void=7)(images, masks, RNG(4))
    shift = RNG(4).normal(0, 3, (1, 2, 3, 3))[0]
    for row, column in np.ndindex(3, 3):
        place = np.array([16 * row, 16 * column]) + shift[:, row, column]
        if ((place >= 0) & (place <= 32)).all():
            found = 100 * bent[0, 16 * row, 16 * column, :2]
            np.testing.assert_allclose(found, place, atol=1e-3)
            nearest = masks[0, *np.floor(place + 0.5).astype(int)]
            assert labels[0, 16 * row, 16 * column] == nearest
        elif ((place < -0.5) | (place >= 32.5)).any():
            assert labels[0, 16 * row, 16 * column] == 7


def test_elastic_without_deviation_changes_nothing():
    images, masks = batch()
    same, same_masks = augment.elastic(0)(images, masks, RNG(0))
    np.testing.assert_array_equal(same, images)
    np.testing.assert_array_equal(same_masks, masks)


def test_scaled_pictures_lie_anywhere():
    """Where a picture is smaller than the result it is not always in the middle."""
    images, masks = batch(count=40, height=30, width=30)
    _, labels = augment.warp(scale=(0.5, 0.5))(images, masks, RNG(0))
    first_row = (labels != 255).any(2).argmax(1)
    assert first_row.min() <= 1
    assert first_row.max() >= 14


@pytest.mark.parametrize("size", [(16, 20), (12, 17)])
@pytest.mark.parametrize("void", [255, 9])
def test_pad_is_void(size, void):
    images, masks = batch()
    padded, labels = augment.pad(size, void=void)(images, masks, RNG(0))
    assert padded.shape == (5, *size, 3)
    np.testing.assert_array_equal(padded[:, :12, :17], images)
    assert padded.sum() == pytest.approx(images.sum())
    np.testing.assert_array_equal(labels[:, :12, :17], masks)
    labels[:, :12, :17] = void
    assert (labels == void).all()


def test_pad_refuses_a_smaller_size():
    with pytest.raises(ValueError, match=r"size=\(12, 16\) must be at least \(12, 17\)"):
        augment.pad((12, 16))(*batch(), RNG(0))


def only(**limits):
    images, masks = batch()
    images = images * 0.4 + 0.3  # far enough from 0 and 1 that nothing is clipped
    changed, labels = augment.photometric(**limits)(images, masks, RNG(0))
    np.testing.assert_array_equal(labels, masks)
    assert not np.array_equal(changed, images)
    return images, changed


def test_brightness_adds_one_value():
    images, changed = only(brightness=0.2)
    difference = (changed - images).reshape(5, -1)
    assert np.ptp(difference, axis=1).max() < 1e-6
    assert np.ptp(difference[:, 0]) > 0.1
    assert np.abs(difference).max() <= 0.2


def test_contrast_keeps_the_mean_and_scales_the_deviation():
    images, changed = only(contrast=0.4)
    np.testing.assert_allclose(changed.mean((1, 2, 3)), images.mean((1, 2, 3)), atol=1e-6)
    factors = changed.std((1, 2, 3)) / images.std((1, 2, 3))
    assert factors.min() >= 0.6
    assert factors.max() <= 1.4
    assert np.ptp(factors) > 0.1


def test_saturation_keeps_grey():
    images, changed = only(saturation=0.5)
    np.testing.assert_allclose(changed.mean(3), images.mean(3), atol=1e-6)
    factors = changed.std(3) / images.std(3)
    assert np.ptp(factors, axis=(1, 2)).max() < 1e-3


def test_gamma_is_a_power():
    images, changed = only(gamma=0.5)
    exponents = (np.log(changed) / np.log(images)).reshape(5, -1)
    assert np.ptp(exponents, axis=1).max() < 1e-3
    assert np.exp(-0.5) <= exponents.min() < 1 < exponents.max() <= np.exp(0.5)


def test_noise_has_mean_0():
    images, changed = only(noise=0.05)
    difference = changed - images
    assert np.abs(difference.mean((1, 2, 3))).max() < 0.01
    assert 0 < difference.std((1, 2, 3)).max() <= 0.055


def blurred(image, sigma, radius):
    """The definition of a Gaussian blur cut off at a radius, pixels at the edge repeated."""
    taps = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (taps / sigma) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        widths = [(radius, radius) if a == axis else (0, 0) for a in range(3)]
        padded = np.pad(image, widths, mode="edge")
        places = np.arange(image.shape[axis])
        image = sum(weight * padded.take(places + k, axis) for k, weight in enumerate(weights))
    return image


def test_blur_equals_its_definition():
    images, masks = batch(count=3)
    changed, _ = augment.photometric(blur=1.5)(images, masks, RNG(3))
    sigmas = RNG(3).uniform(0, 1.5, 3)
    assert np.ptp(sigmas) > 0.3
    for image, result, sigma in zip(images.astype(float), changed, sigmas, strict=True):
        np.testing.assert_allclose(result, blurred(image, sigma, 5), atol=1e-6)


def test_pictures_stay_in_0_to_1():
    images, masks = batch()
    strong = augment.photometric(
        brightness=0.5, contrast=0.9, saturation=0.9, gamma=1, noise=0.5, blur=2
    )
    changed, _ = strong(images, masks, RNG(0))
    assert 0 <= changed.min() <= changed.max() <= 1
    assert np.isfinite(changed).all()


def test_the_rng_decides():
    pair = batch()
    change = augment.chain(augment.warp(scale=(0.5, 2)), augment.photometric(brightness=0.2))
    one, same, other = (change(*pair, RNG(seed)) for seed in (1, 1, 2))
    for a, b, c in zip(one, same, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (augment.warp, {"scale": (0, 1)}, r"scale=\(0, 1\) must be 0 < smallest"),
        (augment.warp, {"scale": (2, 1)}, r"scale=\(2, 1\)"),
        (augment.warp, {"mirror": 1.5}, "mirror=1.5 must be a probability"),
        (augment.warp, {"rotate": -5}, "rotate=-5 must be 0 or more"),
        (augment.warp, {"shear": 90}, "shear=90 must be less than 90"),
        (augment.elastic, {"deviation": -1}, "deviation=-1 must be 0 or more"),
        (augment.elastic, {"grid": 1}, "grid=1 must be 2 points or more"),
        (augment.photometric, {"noise": -0.1}, "noise=-0.1 must be 0 or more"),
        (augment.photometric, {"contrast": 1}, "contrast=1 must be less than 1"),
    ],
)
def test_bad_arguments(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)


MAKERS = [
    augment.chain,
    augment.elastic,
    augment.flip,
    augment.pad,
    augment.photometric,
    augment.warp,
]


@pytest.mark.parametrize("maker", MAKERS)
def test_a_maker_is_not_an_augmentation(maker):
    call = rf"augment=pipeline.{maker.__name__} must be called: augment=pipeline.{maker.__name__}\("
    with pytest.raises(ValueError, match=call):
        augment.chain(augment.flip(), maker)


def test_the_call_that_the_error_shows_is_right():
    for call in augment.CALLS.values():
        words = {"pipeline": augment, "size": (12, 17)}
        made = eval("pipeline." + call.replace(", ...", ""), words)
        augment.check_augmentation(made)
        assert made(*batch(), RNG(0))[0].shape == (5, 12, 17, 3)


@pytest.mark.parametrize("given", [None, "flip", 3])
def test_what_cannot_be_called_is_no_augmentation(given):
    with pytest.raises(ValueError, match=rf"augment='?{given}'? must be a function"):
        augment.chain(given)


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_warp_mirrors_as_often_as_asked(probability):
    images, masks = batch()
    mirrored, labels = augment.warp(mirror=probability)(images, masks, RNG(0))
    step = -1 if probability else 1
    np.testing.assert_allclose(mirrored, images[:, :, ::step], atol=1e-6)
    np.testing.assert_array_equal(labels, masks[:, :, ::step])


def test_augmentations_leave_their_input_alone():
    images, masks = batch()
    before = images.copy(), masks.copy()
    change = augment.chain(
        augment.flip(),
        augment.photometric(brightness=0.2, contrast=0.2, saturation=0.2, noise=0.1, blur=1),
        augment.warp(rotate=20, scale=(0.5, 1)),
        augment.elastic(2),
    )
    change(images, masks, RNG(0))
    np.testing.assert_array_equal(images, before[0])
    np.testing.assert_array_equal(masks, before[1])


@pytest.mark.parametrize("image_type", ["float16", "float32", "float64"])
@pytest.mark.parametrize("mask_type", ["uint8", "int32", "int64"])
def test_dtypes_stay(image_type, mask_type):
    images, masks = batch()
    change = augment.chain(
        augment.flip(),
        augment.pad((15, 18)),
        augment.warp(scale=(0.8, 1)),
        augment.elastic(2),
        augment.photometric(gamma=0.2, blur=1),
    )
    images, masks = change(images.astype(image_type), masks.astype(mask_type), RNG(0))
    assert (images.dtype, masks.dtype) == (image_type, mask_type)
