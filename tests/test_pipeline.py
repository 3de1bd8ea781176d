import keras
import numpy as np
import pytest

from segbook import pipeline
from segbook.samples import Samples, Task

TASK = Task(("a", "b", "c"), np.zeros((3, 3), np.uint8))


def numbered(count=10, height=4, width=6):
    """Samples whose every pixel says which sample it is from."""
    images = np.zeros((count, height, width, 3), np.float32)
    images += np.arange(count, dtype=np.float32)[:, None, None, None] / count
    masks = np.broadcast_to((np.arange(count) % 3)[:, None, None], (count, height, width))
    return Samples(images, masks.astype(np.uint8), TASK)


def epoch(batches):
    """One pass as NumPy arrays, whatever the backend."""
    if keras.backend.backend() == "tensorflow":
        pairs = list(batches)
    else:
        pairs = [batches[i] for i in range(len(batches))]
        batches.on_epoch_end()
    return [tuple(np.asarray(keras.ops.convert_to_numpy(part)) for part in pair) for pair in pairs]


def order(batches):
    return [round(float(i[0, 0, 0]) * 10) for images, _ in epoch(batches) for i in images]


def test_every_epoch_has_every_pair_once_in_a_new_order():
    batches = pipeline.batches(numbered(), 4, seed=3)
    first, second = order(batches), order(batches)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert first != list(range(10))


def test_the_seed_reproduces_all_epochs():
    once, again, other = (pipeline.batches(numbered(), 4, seed=s) for s in (3, 3, 4))
    epochs = [order(once), order(once)]
    assert [order(again), order(again)] == epochs
    assert [order(other), order(other)] != epochs


def test_the_order_is_the_same_on_every_backend_and_machine():
    assert order(pipeline.batches(numbered(), 4, seed=0)) == [4, 9, 8, 7, 5, 3, 0, 1, 2, 6]


def test_pictures_and_masks_stay_together():
    for images, masks in epoch(pipeline.batches(numbered(), 4)):
        np.testing.assert_array_equal(np.round(images[..., 0] * 10) % 3, masks)


def test_without_shuffling_the_order_stays():
    batches = pipeline.batches(numbered(), 4, shuffle=False)
    assert order(batches) == order(batches) == list(range(10))


def test_shapes_and_dtypes():
    batches = pipeline.batches(numbered(), 4)
    assert len(batches) == 3
    pairs = epoch(batches)
    assert [images.shape for images, _ in pairs] == [(4, 4, 6, 3), (4, 4, 6, 3), (2, 4, 6, 3)]
    assert all(i.dtype == np.float32 and m.dtype == np.int32 for i, m in pairs)


def test_augmentation_is_reproduced_and_differs_between_epochs():
    def scale(images, masks, rng):
        return images * np.float32(rng.random()), masks

    def epochs():
        batches = pipeline.batches(numbered(), 5, augment=scale, seed=1, shuffle=False)
        return [np.concatenate([images for images, _ in epoch(batches)]) for _ in range(2)]

    first, again = epochs(), epochs()
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[0][1:] - first[1][1:]).min() > 0


def test_flip_mirrors_picture_and_mask_together():
    images = np.random.default_rng(0).random((64, 2, 5, 3)).astype(np.float32)
    masks = (images[..., 0] * 3).astype(np.uint8)
    flipped, labels = (
        keras.ops.convert_to_numpy(a)
        for a in pipeline.flip(images, masks, np.random.default_rng(0))
    )
    np.testing.assert_array_equal((flipped[..., 0] * 3).astype(np.uint8), labels)
    mirrored = [np.array_equal(new, old[:, ::-1]) for new, old in zip(flipped, images, strict=True)]
    kept = [np.array_equal(new, old) for new, old in zip(flipped, images, strict=True)]
    assert np.logical_xor(mirrored, kept).all()
    assert 20 < sum(mirrored) < 44


def test_fit_evaluate_and_predict_take_the_batches():
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(3, 1)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    samples = numbered()
    model.fit(
        pipeline.batches(samples, 4, augment=pipeline.flip), epochs=2, verbose=0, shuffle=False
    )
    ordered = pipeline.batches(samples, 4, shuffle=False)
    assert np.isfinite(model.evaluate(ordered, verbose=0))
    np.testing.assert_allclose(
        model.predict(ordered, verbose=0), model.predict(samples.images, verbose=0), atol=1e-6
    )


GOOD = numbered()
BAD_SAMPLES = {
    "integers": ((GOOD.images * 255).astype(np.uint8), GOOD.masks, r"images of dtype uint8"),
    "bright": (GOOD.images * 255, GOOD.masks, r"images with values from 0 to 229.5"),
    "negative": (GOOD.images - 0.5, GOOD.masks, r"images with values from -0.5"),
    "nan": (GOOD.images * np.nan, GOOD.masks, r"images with values from nan"),
    "no channels": (GOOD.images[..., 0], GOOD.masks, r"images of shape \(10, 4, 6\)"),
    "unknown label": (GOOD.images, GOOD.masks + 1, r"unknown label 3, first in masks\[2\]"),
    "negative label": (GOOD.images, GOOD.masks.astype(int) - 1, r"unknown label -1, first in"),
    "several": (GOOD.images, GOOD.masks * 7, r"unknown labels 7, 14.*0\.\.2 and void = 255"),
    "float masks": (GOOD.images, GOOD.masks.astype(float), r"masks of dtype float64"),
    "one-hot": (GOOD.images, GOOD.masks[..., None], r"masks of shape \(10, 4, 6, 1\)"),
    "sizes": (GOOD.images, GOOD.masks[:, :3], r"\(10, 4, 6, 3\) and masks of shape \(10, 3, 6\)"),
    "counts": (GOOD.images, GOOD.masks[:9], r"\(10, 4, 6, 3\) and masks of shape \(9, 4, 6\)"),
    "empty": (GOOD.images[:0], GOOD.masks[:0], r"images of shape \(0, 4, 6, 3\) is empty"),
}


@pytest.mark.parametrize(("images", "masks", "message"), BAD_SAMPLES.values(), ids=BAD_SAMPLES)
def test_bad_samples_are_refused_before_training(images, masks, message):
    with pytest.raises(ValueError, match=message):
        pipeline.batches(Samples(images, masks, TASK), 4)


def test_void_is_allowed():
    masks = GOOD.masks.copy()
    masks[0, 0, 0] = 255
    assert pipeline.batches(Samples(GOOD.images, masks, TASK), 4) is not None


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, None])
def test_bad_batch_size(batch_size):
    with pytest.raises(ValueError, match=r"batch_size=.* must be a positive integer"):
        pipeline.batches(GOOD, batch_size)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.data only")
def test_no_tuner_delays_the_end_of_an_epoch():
    batches = pipeline.batches(numbered(), 4)
    assert batches.options().autotune.enabled is False
